// Fuzzing: inputs made from good ones by a seeded mutator, each given to a judge. An input whose judgement was not met before is kept and
// mutated further. A hundred inputs in a test run; for so many seconds with EYE_FUZZ_SECONDS (Tests/Checks/fuzz.sh). The same seed
// makes the same inputs. A crash leaves the input that did it in a file.

import Foundation

/// One target.
public struct Fuzzing {
    private static let environment = ProcessInfo.processInfo.environment
    /// Inputs of a test run.
    private static let inputsOfATest = 100
    /// Inputs kept besides the first ones.
    private static let keptMax = 2000
    private static let inputBytesMax = 1 << 16

    private let name: String
    private var generator: SeededGenerator
    private var pool: [[UInt8]]
    private let tokens: [[UInt8]]
    private var kinds: Set<String> = []

    /// `seeds`: good inputs, one at least. `dictionary`: a file of ../shared/data/fuzz, used if it is there. `tokens`: more to insert.
    public init(_ name: String, seeds: [[UInt8]], dictionary: String? = nil, tokens: [String] = []) {
        self.name = name
        generator = SeededGenerator(seed: UInt64(Fuzzing.environment["EYE_FUZZ_SEED"] ?? "") ?? 1)
        pool = seeds
        self.tokens = tokens.map { Array($0.utf8) } + (dictionary.map(Fuzzing.dictionary) ?? [])
    }

    /// Gives inputs to `judge`, which says in a few words what it found, and throws what must not be.
    public mutating func run(_ judge: (_ input: [UInt8]) throws -> String) throws {
        let seconds = Fuzzing.environment["EYE_FUZZ_SECONDS"].flatMap(Double.init)
        let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        let trace = "\(NSTemporaryDirectory())/eye-fuzz-\(name)"
        var count = 0
        for seed in pool { kinds.insert(try judge(seed)) }
        while deadline.map({ ContinuousClock.now < $0 }) ?? (count < Fuzzing.inputsOfATest) {
            let input = next()
            count += 1
            if seconds != nil { try Data(input).write(to: URL(filePath: trace)) }
            let kind: String
            do {
                kind = try judge(input)
            } catch {
                let path = "\(trace)-failed"
                try Data(input).write(to: URL(filePath: path))
                throw Failure(name: name, number: count, path: path, cause: error)
            }
            if kinds.insert(kind).inserted && pool.count < Fuzzing.keptMax { pool.append(input) }
        }
        if seconds != nil { print("fuzz \(name): \(count) inputs, \(kinds.count) kinds, \(pool.count) kept") }
    }

    /// An input that must not do what it did.
    public struct Failure: Error {
        var name: String
        var number: Int
        var path: String
        var cause: any Error
    }

    // MARK: Mutations

    private mutating func next() -> [UInt8] {
        var input = pool.randomElement(using: &generator) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &generator) { mutate(&input) }
        return input.count > Fuzzing.inputBytesMax ? Array(input.prefix(Fuzzing.inputBytesMax)) : input
    }

    private mutating func mutate(_ input: inout [UInt8]) {
        let place = Int.random(in: 0...input.count, using: &generator)
        let length = Int.random(in: 0...min(64, input.count - place), using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: if place < input.count { input[place] ^= 1 << UInt8.random(in: 0...7, using: &generator) }
        case 1: if place < input.count { input[place] = UInt8.random(in: 0...255, using: &generator) }
        case 2: input.removeSubrange(place..<(place + length))
        case 3: input.insert(contentsOf: input[place..<(place + length)], at: place)
        case 4, 5: if let token = tokens.randomElement(using: &generator) { input.insert(contentsOf: token, at: place) }
        case 6:
            // A number of four bytes becomes one of those at which sums and products wrap.
            guard place + 4 <= input.count else { return }
            let edges: [UInt32] = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
            let edge = edges.randomElement(using: &generator) ?? 0
            for index in 0..<4 { input[place + index] = UInt8(truncatingIfNeeded: edge >> UInt32(8 * index)) }
        case 7:
            // What is long shall cost no more than its length.
            let piece = Array(input[place..<(place + length)])
            let times = Int.random(in: 2...64, using: &generator)
            if input.count < Fuzzing.inputBytesMax { for _ in 0..<times { input.insert(contentsOf: piece, at: place) } }
        case 8:
            guard let other = pool.randomElement(using: &generator), !other.isEmpty else { return }
            let from = Int.random(in: 0..<other.count, using: &generator)
            input = Array(input[..<place]) + other[from...]
        default: input = Array(input[..<place])
        }
    }

    // MARK: Dictionaries

    /// The tokens of a dictionary in the format of libFuzzer: `name="text"` lines with `\xHH`, `\\` and `\"`.
    private static func dictionary(_ file: String) -> [[UInt8]] {
        let path = URL(filePath: #filePath).appending(path: "../../../../shared/data/fuzz/\(file)").standardizedFileURL
        guard let text = try? String(contentsOf: path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").compactMap { line in
            guard !line.hasPrefix("#"), let open = line.firstIndex(of: "\""), let close = line.lastIndex(of: "\""),
                open < close
            else { return nil }
            return unescaped(Array(line[line.index(after: open)..<close].utf8))
        }
    }

    private static func unescaped(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < text.count {
            if text[at] == UInt8(ascii: "\\"), at + 1 < text.count {
                if text[at + 1] == UInt8(ascii: "x"), at + 3 < text.count,
                    let byte = UInt8(String(decoding: text[(at + 2)...(at + 3)], as: UTF8.self), radix: 16)
                {
                    out.append(byte)
                    at += 4
                    continue
                }
                at += 1
            }
            out.append(text[at])
            at += 1
        }
        return out
    }
}

/// What a judge throws when two ways of reading differ.
public struct Disagreement: Error {
    var text: String
    public init(_ text: String) { self.text = text }
}
