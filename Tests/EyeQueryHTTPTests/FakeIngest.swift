// The ingest side for tests: listens on a folder's control.sock and really stores what it is sent, one line a commit. Speaks
// of the protocol what the HTTP service needs, and can be told to misbehave.

import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Glibc
import Synchronization

final class FakeIngest: @unchecked Sendable {
    // @unchecked: the thread owns the store; tests touch only what the mutex holds.
    struct Manners {
        /// Lines get no answer while this is true; they are answered, in order, once it is false again.
        var isSilent = false
        /// Instead of a verdict the connection is closed.
        var hangsUp = false
        /// Refuses every event with this.
        var refusal: Reject?
        /// Events are duplicates of this one.
        var repeats: UInt64?
        var events = 0
        var used: [UInt32] = []
        var stopping = false
    }

    let manners = Mutex(Manners())
    private let folder: String
    private let disk = RealDisk()
    private let time = SystemTime()
    private let writer: StoreWriter
    private let rejected: RejectedLog
    private let frame = Frame()
    private let listener: Descriptor
    private var thread: EyeSystem.Thread?

    init(_ folder: String) throws {
        self.folder = folder
        writer = try StoreWriter.open(disk, folder: folder, options: StoreOptions(), time: time)
        rejected = try RejectedLog.open(disk, folder: folder)
        listener = try Socket.listen(path: "\(folder)/control.sock", backlog: 8)
        thread = try EyeSystem.Thread.start(name: "fake-ingest") { self.run() }
    }

    func stop() {
        manners.withLock { $0.stopping = true }
        thread?.join()
        thread = nil
        unlink("\(folder)/control.sock")
        try? writer.close()
        try? rejected.close()
    }

    private var isStopping: Bool { manners.withLock { $0.stopping } }

    private func run() {
        var connections: [Int32: [UInt8]] = [:]
        while !isStopping {
            var wanted = [pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)]
            for number in connections.keys { wanted.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0)) }
            if manners.withLock({ $0.isSilent }) {
                usleep(1000)
                continue
            }
            if poll(&wanted, UInt(wanted.count), 20) <= 0 { continue }
            for ready in wanted where ready.revents != 0 {
                if ready.fd == listener.number {
                    if let number = (try? Socket.accept(listener.number))??.number { connections[number] = [] }
                    continue
                }
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = recv(ready.fd, &buffer, buffer.count, 0)
                if count <= 0 {
                    close(ready.fd)
                    connections[ready.fd] = nil
                    continue
                }
                connections[ready.fd]! += buffer[..<count]
                while let end = connections[ready.fd]?.firstIndex(of: 10) {
                    let line = Array(connections[ready.fd]![..<end])
                    connections[ready.fd]!.removeFirst(end + 1)
                    guard let reply = answer(line) else {
                        close(ready.fd)
                        connections[ready.fd] = nil
                        break
                    }
                    var sent = 0
                    while sent < reply.count {
                        let part = send(ready.fd, Array(reply[sent...]), reply.count - sent, Int32(MSG_NOSIGNAL))
                        if part > 0 { sent += part } else if errno == EAGAIN { usleep(500) } else { break }
                    }
                }
            }
        }
        for number in connections.keys { close(number) }
    }

    private func answer(_ line: [UInt8]) -> [UInt8]? {
        if manners.withLock({ $0.hangsUp }) && !line.starts(with: Array("MODE".utf8)) { return nil }
        var out: [UInt8] = []
        line.withUnsafeBytes { bytes in
            do throws(Fault) {
                switch WireLine.split(bytes, isControl: true) {
                case .command(let verb, let argument):
                    command(try Command.parse(verb, argument: argument, of: bytes), bytes, &out)
                case .event(let token, let json): try event(bytes, token, json, &out)
                default: Reply.appendError(line: 1, .badProto, to: &out)
                }
            } catch {
                Reply.appendError(line: 1, error, in: bytes, to: &out)
            }
        }
        return out
    }

    private func token(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> TokenEntry? {
        let book = try? AccountFile(disk, folder: folder, time: time).load()
        let found = book?.token(matching: UnsafeRawBufferPointer(rebasing: bytes[range]), now: time.nowMicroseconds())
        return found?.scopes.contains(.ingest) == true ? found : nil
    }

    private func commit() -> UInt64 {
        _ = try? writer.commit([frame])
        let id = frame.outcome(ofRecord: 0).id
        frame.reset()
        return id
    }

    private func event(
        _ bytes: UnsafeRawBufferPointer, _ tokenRange: Range<Int>, _ json: Range<Int>, _ out: inout [UInt8]
    ) throws(Fault) {
        if let refusal = manners.withLock({ $0.refusal }) { throw Fault(refusal) }
        guard let token = token(bytes, tokenRange) else { throw Fault(.badToken) }
        if let first = manners.withLock({ $0.repeats }) { return Reply.appendOK(line: 1, id: first, to: &out) }
        let text = UnsafeRawBufferPointer(rebasing: bytes[json])
        let now = time.nowMicroseconds()
        let fields = try EventScanner.scan(text, latest: now + 5_000_000)
        var category: [UInt8] = []
        var name: [UInt8] = []
        JSON.appendUnescaped(fields.category, of: text, to: &category)
        JSON.appendUnescaped(fields.name, of: text, to: &name)
        let key = EventKey(
            received: now, timestamp: fields.timestamp,
            session: ID128(high: fields.session.high, low: fields.session.low), token: token.id,
            eventID: fields.eventID.map { ID128(high: $0.high, low: $0.low) })
        let data = UnsafeRawBufferPointer(rebasing: text[fields.dataRange])
        _ = category.withUnsafeBytes { category in
            name.withUnsafeBytes { name in frame.appendEvent(key, category: category, name: name, data: data) }
        }
        manners.withLock { $0.events += 1 }
        Reply.appendOK(line: 1, id: commit(), to: &out)
    }

    private func erase(_ request: ErasureRequest, _ out: inout [UInt8]) {
        let subject: ErasureSubject =
            switch request.subject {
            case .event(let id): .event(id)
            case .session(let id): .session(ID128(high: id.high, low: id.low))
            }
        guard let snapshot = try? StoreReader(disk, folder: folder).snapshot() else { return }
        let search = ErasureSearch(subject, in: snapshot)
        while (try? search.step()) == true {}
        var counts = ErasureCounts()
        if request.isDry {
            counts.events = UInt64(search.isEmpty ? 0 : 1)
            counts.erased = search.isEmpty ? 0 : 1
        } else {
            let job = ErasureJob(search, watch: nil, isSession: false, token: 1)
            if !job.isEmpty { _ = try? writer.erase(job) }
            if let receipt = job.receipt {
                counts = ErasureCounts(
                    id: receipt.id, events: receipt.events, firstEventID: receipt.hull?.lowerBound ?? 0,
                    lastEventID: receipt.hull?.upperBound ?? 0, erased: 1_700_000_000_000_000)
            }
        }
        Reply.appendErased(line: 1, counts, to: &out)
    }

    private func command(_ command: Command, _ bytes: UnsafeRawBufferPointer, _ out: inout [UInt8]) {
        switch command {
        case .mode(let mode): Reply.appendOK(mode, to: &out)
        case .session(let range, let id):
            guard let token = token(bytes, range) else {
                Reply.appendError(line: 1, .badToken, to: &out)
                return
            }
            _ = frame.appendSession(
                ID128(high: id.high, low: id.low), received: time.nowMicroseconds(), token: token.id)
            _ = commit()
            Reply.appendOK(line: 1, id: 0, to: &out)
        case .reject(let report):
            let sample = RejectedSample(
                received: time.nowMicroseconds(), code: Array(report.reject.code.description.utf8),
                message: report.message, transport: EyeWire.Transport.http.rawValue, source: report.source,
                token: report.tokenID ?? 0,
                line: report.data)
            _ = frame.appendRejected(sample)
            _ = try? rejected.commit([frame])
            frame.reset()
            Reply.appendOK(line: 1, id: 0, to: &out)
        case .used(let id): manners.withLock { $0.used.append(id) }
        case .metrics:
            Reply.appendMetrics(lineCount: 2, to: &out)
            out += Array("# TYPE eye_fake gauge\neye_fake 1\n".utf8)
        case .erase(_, let request): erase(request, &out)
        default: Reply.appendError(line: 1, .badProto, to: &out)
        }
    }
}
