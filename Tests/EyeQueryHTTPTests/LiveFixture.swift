// Live streams without sockets and without waiting: a store in a folder of its own, a clock that is set, a feed that is told to look, and connections
// that are lines in memory.

import EyeSystem
import EyeTestVectors
import Foundation
import Glibc
import Synchronization

@testable import EyeQueryHTTP
@testable import EyeStore

/// A clock that stands still until it is moved.
final class SetClock: TimeSource {
    private let now = Atomic<UInt64>(1_000_000_000)
    func nowMicroseconds() -> Int64 { 1_700_000_000_000_000 }
    func monotonicNanoseconds() -> UInt64 { now.load(ordering: .relaxed) }
    func advance(milliseconds: UInt64) { now.add(milliseconds * 1_000_000, ordering: .relaxed) }
}

/// A store and what looks at it.
final class LiveFixture {
    private let home: TemporaryFolder
    var folder: String { home.path }
    let clock = SetClock()
    // Nil for a moment: one holds the lock until it goes.
    private var writer: StoreWriter?
    private var rejected: RejectedLog?
    private(set) var store: EventSource
    private(set) var feed: LiveFeed
    private var loop: HTTPLoop
    private let options: StoreOptions
    private let behindMax: UInt64

    init(segmentBytes: Int64 = 64 << 20, retainBytes: UInt64? = nil, behindMax: UInt64 = 1000) throws {
        home = try TemporaryFolder()
        let folder = home.path
        var options = StoreOptions()
        options.segmentBytes = segmentBytes
        options.minFreeBytes = 0
        options.retainBytes = retainBytes
        options.decomposer = EventDataReading()
        self.options = options
        self.behindMax = behindMax
        writer = try StoreWriter.open(RealDisk(), folder: folder, options: options, time: clock)
        rejected = try RejectedLog.open(RealDisk(), folder: folder)
        store = EventSource(RealDisk(), folder: folder, limits: ReaderLimits())
        loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: clock)
        feed = LiveFeed(loop: loop, store: store, time: clock, behindMax: behindMax)
    }

    deinit {
        try? writer?.close()
        try? rejected?.close()
    }

    /// Both sides end and start anew.
    func restart() throws {
        try writer?.close()
        try rejected?.close()
        (writer, rejected) = (nil, nil)
        writer = try StoreWriter.open(RealDisk(), folder: folder, options: options, time: clock)
        rejected = try RejectedLog.open(RealDisk(), folder: folder)
        store = EventSource(RealDisk(), folder: folder, limits: ReaderLimits())
        loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: clock)
        feed = LiveFeed(loop: loop, store: store, time: clock, behindMax: behindMax)
    }

    /// The ingest side ends, its watermark is lost, and it starts anew; the HTTP side goes on.
    func loseWatermark() throws {
        try writer?.close()
        writer = nil
        try FileManager.default.removeItem(atPath: folder + "/watermark")
        writer = try StoreWriter.open(RealDisk(), folder: folder, options: options, time: clock)
        feed.poll()
    }

    /// Commits events, all in one commit, and looks.
    func commit(
        _ count: Int, category: String = "c", name: String = "n", data: String = #"{"a":1}"#,
        timestamp: Int64 = 1_600_000_000_000_000
    ) throws {
        var frames = [Frame()]
        for _ in 0..<count {
            let key = EventKey(
                received: clock.nowMicroseconds(), timestamp: timestamp, session: ID128(high: 1, low: 2), token: 1)
            let append = { (frame: Frame) in
                Array(category.utf8).withUnsafeBytes { category in
                    Array(name.utf8).withUnsafeBytes { name in
                        Array(data.utf8).withUnsafeBytes {
                            frame.appendEvent(key, category: category, name: name, data: $0)
                        }
                    }
                }
            }
            if append(frames[frames.count - 1]) { continue }
            frames.append(Frame())
            _ = append(frames[frames.count - 1])
        }
        _ = try writer?.commit(frames)
        feed.poll()
    }

    /// Refuses lines, and looks.
    func refuse(_ count: Int, code: String = "bad-json") throws {
        var frames = [Frame()]
        for number in 0..<count {
            let sample = RejectedSample(
                received: clock.nowMicroseconds(), code: Array(code.utf8), message: Array("m".utf8), transport: 1,
                source: Array("s".utf8), token: 0, line: Array("line \(number)".utf8))
            if frames[frames.count - 1].appendRejected(sample) { continue }
            frames.append(Frame())
            _ = frames[frames.count - 1].appendRejected(sample)
        }
        _ = try rejected?.commit(frames)
        feed.poll()
    }

    /// Seals what there is to seal.
    func maintain() throws {
        while try writer?.maintain() == true {}
        feed.poll()
    }

    /// Drops what retention does not keep.
    func drop() throws {
        for _ in 0..<2 {
            clock.advance(milliseconds: StoreLimits.retentionLookNanoseconds / 1_000_000)
            try maintain()
            _ = try writer?.closeForRetention(after: 0)
        }
        try maintain()
    }

    /// A connection that asks for a stream.
    func stream(_ query: String = "", method: String = "GET", _ headers: [String] = [], version: String = "1.1")
        -> LiveLine
    {
        LiveLine(self, "\(method) /events/live?\(query) HTTP/\(version)", headers)
    }

    fileprivate func exchange(_ head: RequestHead, _ wake: @escaping () -> Void) -> any Exchange {
        do throws(ProblemError) {
            let query = head.query.map { Array(head.bytes[$0]) } ?? []
            guard let parameters = try? QueryParameters(parsing: query[...]) else {
                return ImmediateExchange(Problem.notFound.response)
            }
            let call = Call(
                head: head, route: .live, parameters: parameters, peer: Peer(nil), caller: nil, budget: BodyBudget(0),
                wake: wake)
            if head.bytes[head.path].elementsEqual("/events/".utf8) {
                return try EventList.exchange(call, store, clock)
            }
            return try feed.exchange(call)
        } catch {
            return ImmediateExchange(error.problem.response)
        }
    }
}

/// One connection with a live stream.
final class LiveLine {
    let line = Line()

    init(_ fixture: LiveFixture, _ request: String, _ headers: [String] = []) {
        line.responder.makeExchange = { [unowned fixture] in fixture.exchange($0, $1) }
        line.send(([request, "Host: a"] + headers + ["", ""]).joined(separator: "\r\n"))
    }

    var status: UInt16? { line.statuses.last }
    var head: String { line.text.components(separatedBy: "\r\n\r\n")[0] }
    /// The whole body arrived, with its end.
    var isWhole: Bool { line.text.hasSuffix("\r\n0\r\n\r\n") }

    /// The body so far: chunks put together.
    var body: String {
        line.settle()
        guard let start = line.received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return "" }
        var rest = line.received[start...]
        guard head.contains("Transfer-Encoding: chunked") else { return String(decoding: rest, as: UTF8.self) }
        var body: [UInt8] = []
        while let end = rest.firstRange(of: [13, 10]),
            let size = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16), size > 0
        {
            body += rest[end.upperBound..<(end.upperBound + size)]
            rest = rest[(end.upperBound + size + 2)...]
        }
        return String(decoding: body, as: UTF8.self)
    }

    /// One Server-Sent Event, as a browser would take it apart.
    struct Event: Equatable {
        var id: String?
        var type = "message"
        var data = ""
    }

    /// Those that have data.
    var events: [Event] { all.filter { !$0.data.isEmpty } }
    /// Every block.
    var all: [Event] {
        body.components(separatedBy: "\n\n").dropLast().map { block in
            var event = Event()
            for field in block.split(separator: "\n") {
                if field.hasPrefix("id: ") { event.id = String(field.dropFirst(4)) }
                if field.hasPrefix("event: ") { event.type = String(field.dropFirst(7)) }
                if field.hasPrefix("data: ") { event.data += field.dropFirst(6) }
            }
            return event
        }
    }
    /// The ids of accepted events by their `id:`, each as long as its document agrees.
    var ids: [UInt64] {
        events.filter { $0.type == "message" }.compactMap { event in
            let id = event.id?.split(separator: ".").first.map(String.init) ?? ""
            return event.data.hasPrefix("{\"id\":\(id),") ? UInt64(id) : nil
        }
    }
    /// What a browser would send as Last-Event-ID.
    var lastID: String? { all.last { $0.id != nil }?.id }
    /// The data of events of one type.
    func data(_ type: String) -> [String] { events.filter { $0.type == type }.map(\.data) }
}
