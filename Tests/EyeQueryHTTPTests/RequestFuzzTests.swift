// Requests that nobody would send: whatever the bytes and however they are cut, the parser says the same, and a connection answers
// everything or ends.

import EyeTestVectors
import Testing

@testable import EyeQueryHTTP

@Suite struct RequestFuzzTests {
    @Test func requests() throws {
        let vectors = ["requests", "refusals", "smuggling", "h1spec", "http11probe"].flatMap(Vector.load)
        var fuzzing = Fuzzing(
            "http", seeds: vectors.map(\.bytes).filter { $0.count < 4096 }, dictionary: "http.dict",
            tokens: [
                "\r\n", "\n", "\r", "\0", ": ", ",", ";", " ", "\t", "chunked", "Content-Length: ", "0\r\n\r\n", "%00",
            ])
        try fuzzing.run { input in
            let whole = play([input])
            let cuts = Self.cuts(input)
            let cut = play(Vector.pieces(input, cuts))
            if whole != cut { throw Disagreement("\(whole) is not \(cut), cut at \(cuts)") }

            let line = Line()
            for piece in Vector.pieces(input, cuts) where !line.connection.isClosing { line.send(piece) }
            line.endInput()
            let requests = whole.count { $0.hasPrefix("request") }
            let answered = line.statuses.count { $0 == 200 }
            guard line.connection.isClosing, answered == requests,
                line.statuses.count <= requests + 1
            else { throw Disagreement("\(whole) was answered \(line.statuses)") }
            return whole.map { $0.split(separator: " ").prefix($0.hasPrefix("refused") ? 3 : 1).joined(separator: " ") }
                .joined(separator: ", ")
        }
    }

    /// Where an input is cut: its own bytes say.
    private static func cuts(_ input: [UInt8]) -> [Int] {
        var at = 0
        var cuts: [Int] = []
        while at < input.count {
            at += 1 + Int(input[at] % 37)
            if at < input.count { cuts.append(at) }
        }
        return cuts
    }
}
