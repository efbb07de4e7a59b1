// Whole results as streams: what a client gets, at which memory, and what it is told when something is damaged or fails on the way.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

@Suite struct StreamTests {
    /// A store of `count` events with `bytes` of data each.
    private static func store(_ count: Int, bytes: Int, segmentBytes: Int64 = 64 << 20) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(
            disk, folder: "d", options: .test(segmentBytes: segmentBytes), time: TestTime())
        let frame = Frame()
        frame.reset()
        for id in 1...count {
            var event = TestEvent(id: UInt64(id))
            event.data = "{\"n\":\(id),\"pad\":\"\(String(repeating: "x", count: bytes))\"}"
            if frame.append(event) { continue }
            #expect(try writer.commit([frame]) == .durable)
            frame.reset()
            #expect(frame.append(event))
        }
        #expect(try writer.commit([frame]) == .durable)
        try writer.close()
        return disk
    }

    /// Whatever the client takes at a time, no more than that and one event is made, and everything comes.
    @Test(arguments: ["ndjson", "csv"], [1, 4_096, HTTPLimits.outputBytesMax])
    func aStreamIsMadeAsItIsTaken(format: String, room: Int) throws {
        let (count, bytes) = (2_000, 500)
        let fixture = QueryFixture(try Self.store(count, bytes: bytes))
        let answer = try fixture.ask("format=\(format)&order=id&fields=id,data", room: room)
        let eventBytesMax = bytes + 100
        #expect(answer.body.count { $0 == 0x0A } == count + (format == "csv" ? 1 : 0))
        #expect(answer["Trailer"] == "Eye-Incomplete")
        #expect(answer["Eye-Incomplete"] == nil)
        // The first pull gives what was made before the head was sent.
        #expect(answer.pulls[0] <= HTTPLimits.outputBytesMax + eventBytesMax)
        #expect(answer.pulls.dropFirst().allSatisfy { $0 <= room + eventBytesMax })
        #expect(answer.pulls.count > answer.body.count / (max(room, HTTPLimits.outputBytesMax) + eventBytesMax))
    }

    @Test func aSmallResultIsWholeAtOnce() throws {
        let fixture = QueryFixture(try Self.store(3, bytes: 10))
        let answer = try fixture.ask("format=ndjson")
        #expect(answer.pulls.isEmpty && answer["Trailer"] == nil)
        #expect(answer["Content-Type"] == "application/x-ndjson")
        #expect(answer.ids == [3, 2, 1])
        #expect(try fixture.ask("format=ndjson&limit=2").ids == [3, 2])
        #expect(try fixture.ask("format=ndjson&category=none").body.isEmpty)
        let table = try fixture.ask("format=csv&category=none&fields=id,data.a")
        #expect(table["Content-Type"] == "text/csv; charset=utf-8; header=present")
        #expect(table.text == "id,data.a\r\n")
        #expect(try fixture.ask("count=1").text == "{\"count\":3}\n")
        #expect(try fixture.ask("count=1")["Content-Type"] == "application/json")
    }

    @Test func aLimitEndsAStream() throws {
        let fixture = QueryFixture(try Self.store(2_000, bytes: 500))
        let answer = try fixture.ask("format=ndjson&order=id&limit=1500", room: 10_000)
        #expect(answer.ids == Array(1...1500))
    }

    /// Small answers have it in their head, streams in their trailer, counts in their head.
    @Test func damageIsTold() throws {
        for count in [20, 2_000] {
            let disk = try Self.store(count, bytes: 500)
            let log = try #require(disk.names.keys.first { $0.hasSuffix(".log") })
            let place = try #require(Data(disk.names[log]!.now).range(of: Data("{\"n\":7,".utf8)))
            disk.names[log]!.now[place.lowerBound + 50] ^= 1
            let fixture = QueryFixture(disk)
            let answer = try fixture.ask("format=ndjson&order=id")
            let hull = try #require(answer["Eye-Incomplete"])
            #expect(hull.hasPrefix("1-"))
            #expect(answer.pulls.isEmpty == (count == 20))
            let lost = count - answer.ids.count
            #expect(lost > 0 && hull == "1-\(lost)")
            let counted = try fixture.ask("count=1&data.n__exists=true")
            #expect(counted["Eye-Incomplete"] == hull)
            #expect(counted.text == "{\"count\":\(count - lost)}\n")
        }
    }

    @Test func aFailingStoreCutsTheStream() throws {
        let disk = try Self.store(2_000, bytes: 500)
        let fixture = QueryFixture(disk)
        let answer = try fixture.ask("format=ndjson&order=id", room: 10_000) { pulls in
            if pulls == 20 { disk.isStopped = true }
        }
        #expect(answer.isCut)
        #expect(answer.ids.count > 100 && answer.ids.count < 2_000)
        #expect(answer.ids == Array(1...UInt64(answer.ids.count)))
        // Nothing was said yet: a problem.
        let refused = try fixture.ask("format=ndjson")
        #expect(refused.status == 503)
    }

    @Test(arguments: [
        ("plain", "plain"), ("", "\"\""), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("a\r\nb", "\"a\r\nb\""),
        ("=1+1", "\"'=1+1\""), ("+1", "\"'+1\""), ("-1", "\"'-1\""), ("@x", "\"'@x\""), ("\tx", "\"'\tx\""),
        ("\rx", "\"'\rx\""), ("\nx", "\"'\nx\""), ("  =1", "\"'  =1\""), ("\u{FF1D}1", "\"'\u{FF1D}1\""),
        ("\u{FF0B}1", "\"'\u{FF0B}1\""), ("\u{FF0D}1", "\"'\u{FF0D}1\""), ("\u{FF20}1", "\"'\u{FF20}1\""),
        ("\u{FF11}", "\u{FF11}"), ("\u{A0}=1", "\"'\u{A0}=1\""), ("\u{3000}\u{3000}@x", "\"'\u{3000}\u{3000}@x\""),
        ("\u{B}=1", "\"'\u{B}=1\""), ("\u{C} +1", "\"'\u{C} +1\""), ("\u{85}\u{2003}-1", "\"'\u{85}\u{2003}-1\""),
        ("\u{FEFF}=1", "\"'\u{FEFF}=1\""), ("\u{200B}\u{FF1D}1", "\"'\u{200B}\u{FF1D}1\""),
        ("\u{2028}\tx", "\"'\u{2028}\tx\""),
        ("\0=1", "\"'\0=1\""), ("\u{3000}x", "\u{3000}x"), ("\u{A1}=1", "\u{A1}=1"),
        ("\u{61C}=1", "\"'\u{61C}=1\""), ("\u{3164}\u{115F}=1", "\"'\u{3164}\u{115F}=1\""),
        ("\u{FE0F}\u{E0020}=1", "\"'\u{FE0F}\u{E0020}=1\""), ("\u{FE62}1", "\"'\u{FE62}1\""),
        ("\u{FE63}1", "\"'\u{FE63}1\""), ("\u{FE66}1", "\"'\u{FE66}1\""), ("\u{FE6B}x", "\"'\u{FE6B}x\""),
        ("\u{2212}1", "\"'\u{2212}1\""), ("\u{2013}1", "\u{2013}1"),
        // Where a semicolon, a tab or a line break begins a cell.
        ("a;=1;b", "\"a;'=1;b\""), ("a; \u{FF1D}1", "\"a;' \u{FF1D}1\""), ("a\t-1", "\"a\t'-1\""),
        ("a\r\n@x", "\"a\r\n'@x\""), ("a;;+1", "\"a;;'+1\""), (";=1", "\";'=1\""), ("a;b=1", "\"a;b=1\""),
        ("x;\"=1;y", "\"x;'\"\"=1;y\""), ("x\t\"=1\ty", "\"x\t'\"\"=1\ty\""), ("x\n\"-1", "\"x\n'\"\"-1\""),
        ("x;\"@a;y", "\"x;'\"\"@a;y\""), ("x; \"\" \\\"+1", "\"x;' \"\"\"\" \\\"\"+1\""),
        ("x;\"y=1", "\"x;\"\"y=1\""), ("\"=1", "\"\"\"=1\""),
        ("=1;=2", "\"'=1;'=2\""), (";", "\";\""), ("a,=1", "\"a,=1\""),
        (" x ", "\" x \""), ("a;b", "\"a;b\""), ("a=b", "a=b"), ("'x", "'x"), ("é", "é"),
    ])
    func cells(text: String, cell: String) {
        var out: [UInt8] = []
        CSV.appendText(Array(text.utf8).span, to: &out)
        #expect(SlowEvaluator.same(String(decoding: out, as: UTF8.self), cell))
    }

    /// A document stays the document that it is.
    @Test(arguments: [
        (#"{"a":"x;=1;b; -2","n":[-1]}"#, #""{""a"":""x\u003b=1;b\u003b -2"",""n"":[-1]}""#),
        (#"{"a":"x;\"=1;\"b;","n":[-1]}"#, #""{""a"":""x\u003b\""=1;\""b;"",""n"":[-1]}""#),
        ("{\"a\":\t\"=1\",\t\"b\":\r-1}", "\"{\"\"a\"\": \"\"=1\"\",\t\"\"b\"\": -1}\""),
    ])
    func cellsOfDocuments(text: String, cell: String) {
        var out: [UInt8] = []
        CSV.appendJSON(Array(text.utf8).span, to: &out)
        #expect(SlowEvaluator.same(String(decoding: out, as: UTF8.self), cell))
    }

    /// Numbers and other values are no texts of a client's choosing that a spreadsheet could calculate.
    @Test func numbersAreNotGuarded() throws {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
        let frame = Frame()
        frame.reset()
        for data in [#"{"v":-5}"#, #"{"v":"-5"}"#, #"{"v":null}"#, #"{"w":1}"#, #"{"v":[1,2]}"#, #"{"v":""}"#] {
            var event = TestEvent()
            event.data = data
            #expect(frame.append(event))
        }
        #expect(try writer.commit([frame]) == .durable)
        try writer.close()
        let answer = try QueryFixture(disk).ask("format=csv&fields=data.v&order=id")
        #expect(answer.text == "data.v\r\n-5\r\n\"'-5\"\r\nnull\r\n\r\n\"[1,2]\"\r\n\"\"\r\n")
    }
}

@Suite struct DecimalNumberTests {
    @Test(arguments: [
        "-1e400", "-12345678901234567890123456789.5", "-1.5", "-1", "-0.1", "-1e-400", "0", "1e-400", "0.09", "0.1",
        "0.10000000000000000001",
        "1", "1.5", "9", "10", "99", "100", "1e3", "12345678901234567890", "12345678901234567890.0000001",
        "12345678901234567891",
        "1e400",
    ])
    func order(text: String) throws {
        let all = [
            "-1e400", "-12345678901234567890123456789.5", "-1.5", "-1", "-0.1", "-1e-400", "0", "1e-400", "0.09", "0.1",
            "0.10000000000000000001", "1", "1.5", "9", "10", "99", "100", "1e3", "12345678901234567890",
            "12345678901234567890.0000001", "12345678901234567891", "1e400",
        ]
        let place = try #require(all.firstIndex(of: text))
        for (index, other) in all.enumerated() {
            #expect(Self.compare(text, other).map { $0.signum() } == (place - index).signum(), "\(text) \(other)")
        }
    }

    @Test(arguments: [
        ("0", "-0"), ("0", "0.000"), ("0", "0e99"), ("1", "1.0"), ("1", "10e-1"), ("1", "0.01E+2"), ("-1.5", "-15e-1"),
        ("100", "1e2"), ("1e9999999999999999999", "1e9999999999999999999"), ("120.50", "1.205e2"), ("10.0", "1e1"),
        ("-100.0500", "-100.05"), ("1000", "1000.000"),
    ])
    func equal(a: String, b: String) {
        #expect(Self.compare(a, b) == 0)
        #expect(Self.compare(b, a) == 0)
    }

    /// What costs time for each event is as long as the event's number, however long the filter's is: nothing of it is looked at before
    /// the first digit that counts, or behind the last.
    @Test(arguments: [
        ("1" + String(repeating: "0", count: 7000), 1, 7001), ("1." + String(repeating: "0", count: 7000), 1, 1),
        ("0." + String(repeating: "0", count: 6000) + "7", 1, -6000), ("-120.50e3", 5, 6), ("100.001000", 7, 3),
    ])
    func aFormHoldsOnlyDigitsThatCount(text: String, digitsAndPoint: Int, magnitude: Int) throws {
        let form = try #require(Array(text.utf8).withUnsafeBytes { DecimalForm($0) })
        #expect(form.end - form.first == digitsAndPoint && form.magnitude == magnitude)
        Array(text.utf8.prefix(form.end)).withUnsafeBytes { short in
            Array(text.utf8).withUnsafeBytes { whole in
                #expect(DecimalNumber(short, form).compared(to: DecimalNumber(whole, form)) == 0)
            }
        }
    }

    @Test(arguments: ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1 ", " 1", "1.5.5", "NaN", "--1", "1,5"])
    func noNumbers(text: String) { #expect(Self.compare(text, "1") == nil) }

    private static func compare(_ a: String, _ b: String) -> Int? {
        Array(a.utf8).withUnsafeBytes { a in
            Array(b.utf8).withUnsafeBytes { b in
                guard let a = DecimalNumber(a), let b = DecimalNumber(b) else { return nil }
                return a.compared(to: b)
            }
        }
    }
}
