import CEyeScan
import EyeTestVectors
import Testing

@testable import EyeWire

/// The straight path against the general scanner and the reference: what it takes they take, with the same fields; and it
/// does take what it is there for.
@Suite struct UsualEventTests {
    static let latest = EventScannerTests.latest
    static let token = "0123456789abcdef0123456789abcdef01234567 "

    /// Verdict and fields of the general scanner.
    static func general(_ text: [UInt8]) -> String {
        GuardedBytes.with(text) { bytes in
            var fields = EventFields()
            do throws(Fault) {
                try EventScanner.judge(bytes, latest: latest, into: &fields)
                return Scan.words(fields, of: bytes)
            } catch {
                return Scan.words(error)
            }
        }
    }

    /// Fields that have seen the day of the samples already.
    static func usedFields() -> EventFields {
        var fields = EventFields()
        _ = GuardedBytes.with(Array(EventScannerTests.original.utf8)) { bytes in
            EventScanner.scanLine(bytes, from: 0, latest: latest, into: &fields)
        }
        return fields
    }

    /// What the straight path says of `text` as a line of a window with `more` behind it: fields and bytes of the line;
    /// nil if it leaves it to others.
    static func line(_ text: [UInt8], prefix: [UInt8] = Array(token.utf8), more: [UInt8]) -> (String, Int)? {
        GuardedBytes.with(prefix + text + more) { window in
            var fields = usedFields()
            guard let end = EventScanner.scanLine(window, from: prefix.count, latest: latest, into: &fields) else {
                return nil
            }
            return (Scan.words(fields, of: UnsafeRawBufferPointer(rebasing: window[prefix.count...])), end)
        }
    }

    /// General scanner, reference and straight path agree on `text`, alone and as a line in a window.
    static func compare(_ text: [UInt8], _ note: @autoclosure () -> String = "") {
        let shown = String(decoding: text.prefix(400), as: UTF8.self)
        let general = general(text)
        let scanned = Scan.judge(text, latest: latest)
        #expect(general == scanned.problem ?? scanned.fields, "\(note()) \(shown)")
        // One of the others with each text, for time's sake.
        let others = ["\r\n", "\n0123456789abcdef {\"session_id\":\"\",\"x\":{}}\n", "", "\r", "\r\r\n", " \n", "}\n"]
        for more in ["\n", others[text.count % others.count]] {
            let rest = text + Array(more.utf8)
            guard let (fields, end) = line(text, more: Array(more.utf8)) else { continue }
            // It must have been right: this is the framer's line, and a valid event.
            guard let feed = rest.firstIndex(of: 0x0A) else {
                Issue.record("\(note()) a line without an end: \(shown)")
                continue
            }
            #expect(end == 41 + feed + 1, "\(note()) \(shown)")
            let framed = feed > 0 && rest[feed - 1] == 0x0D ? rest[..<(feed - 1)] : rest[..<feed]
            #expect(fields == Self.general(Array(framed)), "\(note()) \(shown)")
        }
    }

    static func event(
        category: String = "c", name: String = "n", data: String = #"{"a":1}"#,
        timestamp: String = "2021-01-01 09:15:27.243860", tail: String = ""
    ) -> [UInt8] {
        Array(
            (#"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"\#(category)","name":"\#(name)","#
                + #""data":\#(data),"timestamp":"\#(timestamp)"\#(tail)}"#).utf8)
    }

    static let eventID = #","event_id":"00000000-0000-4000-8000-0000000000aF""#

    /// What the straight path is there for it takes.
    @Test func theUsualIsTaken() {
        let texts = [
            Array(EventScannerTests.original.utf8), Self.event(), Self.event(tail: Self.eventID),
            Self.event(timestamp: "2021-01-01T09:15:27.243860Z"),
            Self.event(timestamp: "2021-01-01T09:15:27.243860", tail: Self.eventID),
            Self.event(timestamp: "2021-01-01 09:15:27.243860Z", tail: Self.eventID),
            Self.event(category: "café", name: "日本語"),
            Self.event(category: "a\\n", name: "\\u0041"),
            Self.event(category: " c", name: String(repeating: "n", count: 150)),
            Self.event(data: #"{"a":{"b":[1,2.5,true,null,"x"],"c":{}},"d":""}"#),
            Self.event(data: #"{"a" : 1 , "b" : "c" }"#),
            Self.event(data: #"{"":0}"#), Self.event(data: #"{"a":-1,"b":1e5,"c":0.5,"d":0,"e":true,"f":10}"#),
            Self.event(data: #"{"long name of a member, over sixteen":"and \"escapes\" \/","é":"ü"}"#),
        ]
        for text in texts {
            Self.compare(text)
            for more in ["\n", "\r\n"] {
                #expect(Self.line(text, more: Array(more.utf8)) != nil, "\(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    /// A line feed is no white space here, wherever it stands.
    @Test func aLineFeedIsTheEnd() {
        let data = #"{"a":{"b":[1,2.5,true]},"c":""}"#
        let text = Self.event(data: data)
        let start = String(decoding: text, as: UTF8.self).utf8.count - data.utf8.count
        for place in 0...text.count {
            for byte: UInt8 in [0x0A, 0x0D, 0x20] {
                let changed = Array(text[..<place]) + [byte] + Array(text[place...])
                EventScannerTests.compare(changed)
                if byte == 0x0A && place < text.count {
                    #expect(Self.line(changed, more: [0x0A]) == nil, "\(place) \(start)")
                }
            }
        }
    }

    /// Names and values of every length around the blocks of sixteen, alone, last, and at every distance from the end.
    @Test func everyLength() {
        for length in 0...70 {
            let text = String(repeating: "x", count: length)
            let digits = String(repeating: "7", count: max(length % 12, 1))
            for data in [
                #"{"\#(text)":1}"#, #"{"a":"\#(text)"}"#, #"{"\#(text)":"\#(text)","b":"\#(text)"}"#,
                #"{"a":"\#(text)","b":\#(digits),"\#(text)":\#(digits)}"#, #"{"\#(text)":{"b":"\#(text)"}}"#,
                #"{"a":"\#(text)é","b":"\#(text)\n\#(text)"}"#, #"{"a":"\#(text)" ,"b":\#(digits) }"#,
                #"{"a":\#(digits).5,"b":0\#(digits)}"#, #"{"a":\#(digits)x}"#, #"{"a":"\#(text)""#, #"{"\#(text)"#,
            ] {
                for tail in ["", Self.eventID] { EventScannerTests.compare(Self.event(data: data, tail: tail)) }
            }
            EventScannerTests.compare(Self.event(category: text, name: text))
            EventScannerTests.compare(Self.event(category: "x", name: text + "é"))
        }
    }

    /// Every byte at every place of long and short names and values.
    @Test(arguments: 0..<256)
    func everyByteEverywhere(_ value: Int) {
        let text = Array(
            Self.event(
                category: "page interaction", name: "cta",
                data: #"{"host":"www.example.com","a":"0123456789abcdef0123456789abcdef0123456789","n":9240,"s":""}"#,
                timestamp: "2021-01-01T09:15:27.243860Z", tail: Self.eventID))
        // Every place sees every byte in the long run, and a quarter of them here.
        for place in text.indices where TestSize.isLong || (place ^ value) & 3 == 0 {
            var changed = text
            changed[place] = UInt8(value)
            let general = Self.general(changed)
            let scanned = Scan.judge(changed, latest: Self.latest)
            #expect(general == scanned.problem ?? scanned.fields, "\(value) at \(place)")
            // The reference is slow: it sees what is accepted, and some of the rest.
            if scanned.problem == nil || (place + value) % 41 == 0 {
                EventScannerTests.compare(changed, "\(value) at \(place)")
            }
        }
    }

    /// The day that the fields remember never shows.
    @Test func daysInAnyOrder() {
        var generator = SeededGenerator(seed: 5)
        var fields = EventFields()
        let years = ["0000", "1600", "1900", "1969", "1970", "2000", "2021", "2024", "2100", "9999", "20x1"]
        for round in 0..<20_000 {
            let month = Int.random(in: 0...13, using: &generator)
            let day = Int.random(in: 0...32, using: &generator)
            func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
            var stamp = "\(years.randomElement(using: &generator)!)-\(two(month))-\(two(day))"
            stamp += ["T", " ", "t"].randomElement(using: &generator)!
            stamp += "\(two(.random(in: 0...24, using: &generator))):\(two(.random(in: 0...60, using: &generator)))"
            stamp +=
                ":\(two(.random(in: 0...60, using: &generator))).\(two(.random(in: 0...99, using: &generator)))0386"
            if round % 3 == 0 { stamp += "Z" }
            // Some differ from the last one in a byte only.
            let expected = Reference.timestamp(Array(stamp.utf8))
            let text = Self.event(timestamp: stamp)
            let told: Int64? = GuardedBytes.with(text) { bytes in
                do throws(Fault) {
                    try EventScanner.scan(bytes, latest: .max, into: &fields)
                    return fields.timestamp
                } catch {
                    return nil
                }
            }
            #expect(told == expected, "round \(round) \(stamp)")
        }
    }

    /// Lines by the straight path where it takes them, by the framer where not, are the framer's lines.
    @Test(arguments: 1...4)
    func streams(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let pieces: [[UInt8]] = [
            Self.event(), Self.event(tail: Self.eventID), Array(EventScannerTests.original.utf8), Array("{}".utf8), [],
            Array("PING".utf8), Self.event(data: "{\"a\":[1,\n2]}"), Array(Self.event().dropLast()),
            Self.event(data: #"{"a":""# + String(repeating: "x", count: 65_500) + #""}"#),
            Self.event(data: #"{"a":""# + String(repeating: "x", count: 300) + #""}"#),
        ]
        let ends: [[UInt8]] = [[0x0A], [0x0A], [0x0D, 0x0A], [0x0D, 0x0D, 0x0A], [0x20, 0x0A]]
        for round in 0..<60 {
            var stream: [UInt8] = []
            for _ in 0..<12 {
                stream += Array(Self.token.utf8) + pieces.randomElement(using: &generator)!
                stream += ends.randomElement(using: &generator)!
            }
            var window: [UInt8] = []
            var framer = LineFramer()
            var lines: [String] = []
            var fields = EventFields()
            var offset = 0
            while offset < stream.count {
                let size = min(Int.random(in: 1...70_000, using: &generator), stream.count - offset)
                window += stream[offset..<offset + size]
                offset += size
                GuardedBytes.with(window) { bytes in
                    while true {
                        let rest = UnsafeRawBufferPointer(rebasing: bytes[framer.start...])
                        if !framer.isSkipping,
                            let end = EventScanner.scanLine(rest, from: 41, latest: Self.latest, into: &fields)
                        {
                            let cut = rest[end - 2] == 0x0D ? end - 2 : end - 1
                            lines.append(String(decoding: rest[..<cut], as: UTF8.self))
                            framer.take(upTo: framer.start + end)
                        } else if let piece = framer.next(in: bytes) {
                            switch piece {
                            case .line(let range): lines.append(String(decoding: bytes[range], as: UTF8.self))
                            case .tooLong(let range):
                                lines.append("too long: \(range.count) of \(bytes[range.lowerBound])")
                            }
                        } else {
                            break
                        }
                    }
                }
                window.removeFirst(framer.release())
            }
            #expect(lines == FramedStream.lines(stream, sizes: [stream.count]), "seed \(seed) round \(round)")
        }
    }

    /// The longest line, with either terminator, and one byte more.
    @Test func theLongestLine() {
        let fixed = Self.event(data: #"{"a":""}"#).count + 41
        for count in [65_535, 65_536, 65_537] {
            let text = Self.event(data: #"{"a":""# + String(repeating: "x", count: count - fixed) + #""}"#)
            for more in ["\n", "\r\n"] {
                #expect((Self.line(text, more: Array(more.utf8)) != nil) == (count <= 65_536), "\(count)")
            }
        }
    }

    /// The vector functions against the rules they stand for.
    @Test func sixteenBytes() {
        for value in 0..<256 {
            let isSpecial = value < 0x20 || value > 0x7F || value == 0x22 || value == 0x5C
            let isHex = (0x30...0x39).contains(value) || (0x41...0x46).contains(value) || (0x61...0x66).contains(value)
            for place in 0..<16 {
                var bytes = [UInt8](repeating: 0x61, count: 16)
                bytes[place] = UInt8(value)
                let marks = GuardedBytes.with(bytes) { eye_scan_special16($0.baseAddress!) }
                #expect((marks != 0) == isSpecial)
                if isSpecial { #expect(marks.trailingZeroBitCount >> EYE_SCAN_SHIFT == place) }
                func word(_ half: ArraySlice<UInt8>) -> UInt64 { half.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
                let hex = eye_scan_hex16(word(bytes[..<8]), word(bytes[8...]))
                #expect((hex.strange == 0) == isHex)
                if isHex { #expect(hex.value == UInt64(String(decoding: bytes, as: UTF8.self), radix: 16)) }
            }
        }
    }
}
