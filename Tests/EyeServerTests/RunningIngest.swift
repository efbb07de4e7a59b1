// An ingest service on free ports over a folder of its own, and the sockets of its clients. Clients block with a time
// limit, so that a test that waits for what never comes fails instead of hanging.

import EyeStore
import EyeSystem
import EyeTestVectors
import EyeWire
import Foundation
import Glibc
import Testing

@testable import EyeServer

/// A service for one test.
final class RunningIngest {
    let folder: String
    /// Nil: it is another one's.
    private let home: TemporaryFolder?
    let token: String
    let service: IngestService
    private var isStopped = false

    init(
        disk: any Disk = RealDisk(), loops: Int = 2, segmentBytes: Int64 = 64 << 20, folder: String? = nil,
        idleMilliseconds: UInt64 = WireLimits.idleMillisecondsDefault,
        unreadBytesMax: Int = IngestLimits.unreadBytesMax, log: Int32? = nil
    ) throws {
        let home = try folder == nil ? TemporaryFolder() : nil
        self.home = home
        self.folder = folder ?? home?.path ?? ""
        let time = SystemTime()
        let accounts = AccountFile(RealDisk(), folder: self.folder, time: time)
        _ = try accounts.firstStart()
        token = try accounts.addToken(named: "t\(Int.random(in: 0..<1 << 60))", scopes: .ingest).secret
        var options = IngestOptions(
            folder: self.folder, tcp: try SocketAddress.resolve("127.0.0.1:0"),
            udp: try SocketAddress.resolve("127.0.0.1:0", datagram: true))
        options.loops = loops
        options.idleMilliseconds = idleMilliseconds
        options.unreadBytesMax = unreadBytesMax
        var store = StoreOptions()
        store.segmentBytes = segmentBytes
        store.minFreeBytes = 0
        let log = Log(format: .text, time: time, descriptor: log ?? open("/dev/null", O_WRONLY))
        service = try IngestService(options, store: store, disk: disk, time: time, log: log) { error in
            fatalError("the disk failed: \(error)")
        }
        try service.start()
    }

    func stop() throws {
        if isStopped { return }
        isStopped = true
        try service.stop()
    }

    deinit {
        do { try stop() } catch { Issue.record(error) }
    }

    /// An event line without its LF.
    func line(_ name: String = "n", data: String = #"{"a":1}"#, eventID: String? = nil) -> String {
        let id = eventID.map { #","event_id":"\#($0)""# } ?? ""
        return #"\#(token) {"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"\#(name)","#
            + #""data":\#(data),"timestamp":"2021-01-01 09:15:27.243860"\#(id)}"#
    }

    func connectTCP() throws -> TestClient { try TestClient(service.tcpAddress!) }
    func connectUnix(_ name: String = IngestService.ingestSocketName) throws -> TestClient {
        try TestClient(SocketAddress.path("\(folder)/\(name)"))
    }

    /// Waits until `condition` holds for the counts; fails after a minute.
    func waitUntil(_ what: Comment, _ condition: (Counts) -> Bool) {
        let deadline = Date().addingTimeInterval(60)
        while !condition(service.counts) {
            if Date() > deadline {
                Issue.record(what)
                return
            }
            sched_yield()
        }
    }
}

/// A client's blocking socket.
final class TestClient {
    let socket: Descriptor
    private var unread: [UInt8] = []

    init(_ address: SocketAddress, datagram: Bool = false) throws {
        socket = try Socket.connect(address, datagram: datagram)
        // A step of a test must not wait for the kernel's delayed acknowledgement (40 ms).
        if !datagram && !address.isUnix { try Socket.tune(socket.number) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var from = 0
        while from < bytes.count {
            guard case .bytes(let count) = try Socket.send(socket.number, bytes, from: from) else { continue }
            from += count
        }
    }

    func endWrites() throws { try Socket.shutdownWrites(socket.number) }

    /// Everything until the server closes.
    func rest() throws -> String {
        while try fill() {}
        defer { unread = [] }
        return String(decoding: unread, as: UTF8.self)
    }

    /// The next line, without its LF; nil at the end of stream.
    func readLine() throws -> String? {
        while true {
            if let end = unread.firstIndex(of: 0x0A) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeFirst(end + 1)
                return line
            }
            if try !fill() { return nil }
        }
    }

    /// Whether nothing at all can be read now.
    func isSilent() -> Bool {
        var byte: UInt8 = 0
        return unread.isEmpty && recv(socket.number, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) < 0
    }

    private func fill() throws -> Bool {
        var room = [UInt8](repeating: 0, count: 65_536)
        let transfer = try room.withUnsafeMutableBytes { try Socket.receive(socket.number, into: $0) }
        switch transfer {
        case .bytes(let count):
            unread += room[..<count]
            return true
        case .end: return false
        case .wouldBlock:
            Issue.record("the server did not answer in time")
            return false
        }
    }
}
