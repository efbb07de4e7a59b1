import EyeTestVectors
import Testing

@testable import EyeWire

/// Plays a stream through a framer in pieces, as a connection does, and tells what came out.
struct FramedStream {
    var framer = LineFramer()
    var window: [UInt8] = []
    var pieces: [String] = []

    private mutating func take(_ piece: LineFramer.Piece) {
        switch piece {
        case .line(let range): pieces.append(String(decoding: window[range], as: UTF8.self))
        case .tooLong(let range): pieces.append("too long: \(range.count) of \(window[range.lowerBound])")
        }
    }

    mutating func receive(_ bytes: some Sequence<UInt8>) {
        window.append(contentsOf: bytes)
        while let piece = window.withUnsafeBytes({ framer.next(in: $0) }) { take(piece) }
        window.removeFirst(framer.release())
        #expect(window.count < WireLimits.lineWindowBytesMin, "the window never needs more than it says")
    }

    mutating func finish() {
        if let piece = window.withUnsafeBytes({ framer.finish(in: $0) }) { take(piece) }
        window.removeFirst(framer.release())
        #expect(window.isEmpty)
    }

    /// The lines of `stream`, received in pieces of the given sizes, over and over.
    static func lines(_ stream: [UInt8], sizes: [Int]) -> [String] {
        var framed = FramedStream()
        var offset = 0
        var turn = 0
        while offset < stream.count {
            let size = min(sizes[turn % sizes.count], stream.count - offset)
            framed.receive(stream[offset..<offset + size])
            offset += size
            turn += 1
        }
        framed.finish()
        return framed.pieces
    }
}

@Suite struct LineFramerTests {
    static let streams: [(text: String, lines: [String])] = [
        ("", []), ("\n", [""]), ("\r\n", [""]), ("\r", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\n", ["a"]),
        ("a\r", ["a"]),
        ("a\r\r\n", ["a\r"]), ("a\nb", ["a", "b"]), ("a\n\nb\n", ["a", "", "b"]), ("\n\n\n", ["", "", ""]),
        ("a\rb\n", ["a\rb"]), ("\ra\n", ["\ra"]), ("a\n\r\nb\r\n\r", ["a", "", "b", ""]),
        ("one\r\ntwo\nthree\r\n", ["one", "two", "three"]),
    ]

    @Test(arguments: streams.indices)
    func wholeByteByByteAndCutEverywhere(_ index: Int) {
        let (text, lines) = Self.streams[index]
        let stream = Array(text.utf8)
        #expect(FramedStream.lines(stream, sizes: [max(stream.count, 1)]) == lines)
        #expect(FramedStream.lines(stream, sizes: [1]) == lines)
        for cut in 1..<max(stream.count, 2) {
            #expect(FramedStream.lines(stream, sizes: [cut, stream.count]) == lines)
        }
    }

    @Test(arguments: [65_535, 65_536, 65_537, 65_538, 65_539, 140_000])
    func theLimit(_ count: Int) {
        for terminator in ["\n", "\r\n", "", "\r", "\r\r\n"] {
            let stream = Array(repeating: UInt8(ascii: "x"), count: count) + Array((terminator + "after\n").utf8)
            let content =
                terminator == "\r\r\n"
                ? count + 1 : terminator == "" ? count + 5 : terminator == "\r" ? count + 6 : count
            var expected = [content <= 65_536 ? "" : "too long: 65536 of 120"]
            if terminator.utf8.last == 0x0A { expected.append("after") }
            func shortened(_ lines: [String]) -> [String] {
                lines.map { $0.utf8.count >= 65_000 ? ($0.utf8.count == content ? "" : "wrong \($0.utf8.count)") : $0 }
            }
            for sizes in [
                [stream.count], [4096], [65_536], [65_537], [65_538], [count], [count + 1], [count + 2],
                [7, 65_530, 1, 1, 1, 3],
            ] {
                #expect(
                    shortened(FramedStream.lines(stream, sizes: sizes)) == expected,
                    "\(count) \(terminator.debugDescription) \(sizes)")
            }
        }
    }

    @Test func anEndlessLineIsToldOnceAndTakesNoRoom() {
        var framed = FramedStream()
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
        for _ in 0..<200 { framed.receive(chunk) }
        #expect(framed.framer.isSkipping)
        framed.receive(Array("y\nshort\n".utf8))
        framed.finish()
        #expect(framed.pieces == ["too long: 65536 of 120", "short"])
    }

    @Test func anEndlessLineAtTheEndIsToldOnce() {
        #expect(
            FramedStream.lines([UInt8](repeating: 0x78, count: 200_000), sizes: [1000]) == ["too long: 65536 of 120"])
    }

    @Test func randomStreamsInRandomPieces() {
        var generator = SeededGenerator(seed: 11)
        for round in 0..<300 {
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                let alphabet: [UInt8] = [0x0A, 0x0A, 0x0D, 0x61, 0x62]
                stream.append(alphabet.randomElement(using: &generator)!)
            }
            // Independent: split at LF, strip one CR.
            var expected = stream.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
            if expected.last == [] { expected.removeLast() }
            let lines = expected.map { String(decoding: $0.last == 0x0D ? $0.dropLast() : $0[...], as: UTF8.self) }
            let sizes = (0..<5).map { _ in Int.random(in: 1...9, using: &generator) }
            #expect(FramedStream.lines(stream, sizes: sizes) == lines, "round \(round)")
        }
    }
}
