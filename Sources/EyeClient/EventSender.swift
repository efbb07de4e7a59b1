// Sends event lines and knows what became of each. Blocking, for one thread. Three promises to choose from, those of
// protocol.md: silent (at most once), acknowledged (known up to which line), exactly once (a client_id, and what was not
// answered is sent again after a reconnect). Over UDP nothing is answered and only `silent` makes sense.

import EyeSystem
import EyeWire

/// How sure a sender wants to be.
public enum Delivery: Equatable, Sendable {
    /// Nothing is asked for; the server's last words after the half-close are the report.
    case silent
    /// Acks; a lost connection is an error.
    case acknowledged
    /// Acks, reconnects and resends under this client_id. `fromOne`: lines are numbered from 1 in every run, so that the
    /// same lines sent again by a later run are recognised; else numbers go on where the last run ended.
    case exactlyOnce(clientID: String, fromOne: Bool)

    var isExactlyOnce: Bool {
        if case .exactlyOnce = self { return true }
        return false
    }
}

/// What a sender needs to know.
public struct SendOptions: Sendable {
    /// Presented in HELLO and before lines that are made from events.
    public var token: [UInt8]
    public var delivery: Delivery
    /// What the client calls itself.
    public var client = "eye-client/1"
    public var connectTimeoutMilliseconds: Int32 = 10_000
    /// Without a byte in either direction for that long, a connection is given up.
    public var answerTimeoutMilliseconds: Int32 = 30_000
    /// Exactly once: tries again for that long without progress, from the first failure on.
    public var retryMilliseconds = 60_000

    public init(token: [UInt8], delivery: Delivery) {
        self.token = token
        self.delivery = delivery
    }
}

/// A blocking sender.
public final class EventSender {
    private let address: ClientAddress
    private let options: SendOptions
    private let time: any TimeSource
    /// What is known so far; after `finish`, everything.
    public private(set) var report = SendReport()

    private var window = SendWindow(settled: 0)
    private var connection: LineConnection?
    private var datagrams: DatagramConnection?
    private var packer = DatagramPacker()
    /// Rejects of lines that are not settled yet.
    private var pendingErrors: [LineError] = []
    /// Of the present connection, as our count has it.
    private var acceptedHere: UInt64 = 0
    private var greeting: ReplyLine.Greeting?
    private var synced: UInt64?
    private var bye: LineCounts?
    /// What the server said about the connection itself.
    private var lastWords: String?
    /// Exactly once: since when the server cannot be reached, or takes nothing (monotonic nanoseconds); nil while lines go on.
    private var waitsSince: UInt64?
    /// Exactly once: called with the reason when a wait for the server begins, and with nil when lines go on.
    public var onWait: ((SendError?) -> Void)?
    /// Lines up to this one were stored by an earlier run.
    private var known: UInt64 = 0
    private var isFirst = true

    public init(_ address: ClientAddress, _ options: SendOptions, time: any TimeSource = SystemTime()) {
        self.address = address
        self.options = options
        self.time = time
        report.isAnswered = !address.isDatagram
    }

    /// Connects and, unless silent, greets. `send` does so by itself.
    public func open() throws(SendError) {
        try persistently { () throws(SendError) in try connectIfNeeded() }
    }

    /// Sends an event with the sender's token; returns its line number.
    @discardableResult
    public func send(_ event: OutgoingEvent) throws(SendError) -> UInt64 {
        var line: [UInt8] = []
        do throws(Fault) {
            try EventEncoder.append(event, token: options.token, to: &line)
        } catch {
            throw .invalid(error)
        }
        return try send(line: line.dropLast())
    }

    /// Sends a line `TOKEN {json}` (without LF, and none inside); returns its number. May keep it for a moment: see `flush`.
    @discardableResult
    public func send(line: ArraySlice<UInt8>) throws(SendError) -> UInt64 {
        precondition(!line.contains(0x0A), "one line")
        try open()
        report.sent += 1
        if datagrams != nil {
            if let full = packer.add(line) { try sendDatagram(full) }
            return report.sent
        }
        if options.delivery == .silent {
            connection?.enqueue(line)
            connection?.enqueue([0x0A])
            if let connection, connection.unwrittenCount >= ClientLimits.batchBytes { try writeAll(connection) }
            return report.sent
        }
        if window.last < known {
            window.skip()
            report.duplicate += 1
            return window.last
        }
        let number = window.append(line)
        if window.unwrittenCount >= ClientLimits.batchBytes || window.isFull {
            try persistently { () throws(SendError) in
                try connectIfNeeded()
                try writeWindow()
                while window.isFull { try turn() }
            }
        }
        return number
    }

    /// Writes everything that `send` kept.
    public func flush() throws(SendError) {
        if let last = packer.take() { try sendDatagram(last) }
        guard let connection else { return }
        if options.delivery == .silent { return try writeAll(connection) }
        try persistently { () throws(SendError) in
            try connectIfNeeded()
            try writeWindow()
        }
    }

    /// Waits until everything that was sent is judged, and what was accepted is durable. Not for silent senders.
    public func sync() throws(SendError) {
        guard !address.isDatagram && options.delivery != .silent && report.sent > 0 else { return try flush() }
        try persistently { () throws(SendError) in
            try connectIfNeeded()
            try writeWindow()
            synced = nil
            connection?.enqueue(Array("SYNC\n".utf8))
            while synced == nil { try turn() }
            if window.count > 0 { throw .strange("+SYNC before line \(window.last)") }
        }
    }

    /// Sends the rest, takes the last answers and closes. The report is final then.
    public func finish() throws(SendError) -> SendReport {
        if address.isDatagram || report.sent == 0 {
            try flush()
        } else if options.delivery == .silent {
            try finishSilently()
        } else {
            try sync()
            try quit()
        }
        connection = nil
        datagrams = nil
        return report
    }

    private func quit() throws(SendError) {
        bye = nil
        connection?.enqueue(Array("QUIT\n".utf8))
        do throws(SendError) {
            while bye == nil { try turn() }
        } catch {
            // Everything is settled by now: only the number of duplicates among the accepted stays unknown.
            guard error.mayRetry else { throw error }
        }
        let duplicates = min(bye?.duplicate ?? 0, acceptedHere)
        report.accepted -= duplicates
        report.duplicate += duplicates
    }

    private func finishSilently() throws(SendError) {
        guard let connection else { return }
        try writeAll(connection)
        connection.shutdownWrites()
        while bye == nil { try turn() }
        let counts = bye ?? LineCounts()
        report.accepted = counts.accepted
        report.rejected = counts.rejected
        report.duplicate = counts.duplicate
        report.unseen = report.sent - min(report.sent, counts.received)
        note(pendingErrors)
        pendingErrors.removeAll()
    }

    // MARK: connection

    /// Does `body`; exactly-once senders start it again on a new connection while there is hope.
    private func persistently(_ body: () throws(SendError) -> Void) throws(SendError) {
        var pause = ClientLimits.firstPauseMilliseconds
        while true {
            do throws(SendError) {
                return try body()
            } catch {
                connection = nil
                let patience = UInt64(options.retryMilliseconds) * 1_000_000
                let now = time.monotonicNanoseconds()
                let isPatient = now - (waitsSince ?? now) < patience
                guard options.delivery.isExactlyOnce && error.mayRetry && isPatient else {
                    report.unseen = UInt64(window.count)
                    throw error
                }
                if waitsSince == nil {
                    waitsSince = now
                    onWait?(error)
                }
                StandardStream.pause(milliseconds: pause)
                pause = min(pause * 2, ClientLimits.pauseMillisecondsMax)
            }
        }
    }

    private func connectIfNeeded() throws(SendError) {
        guard connection == nil && datagrams == nil else { return }
        let socket = try address.connect(timeoutMilliseconds: options.connectTimeoutMilliseconds)
        report.connections += 1
        if address.isDatagram {
            datagrams = DatagramConnection(socket)
            return
        }
        connection = LineConnection(socket)
        lastWords = nil
        acceptedHere = 0
        if options.delivery != .silent { try greet() }
    }

    private func greet() throws(SendError) {
        try hello(sequence: nil)
        let last = greeting?.lastSequence ?? 0
        if isFirst {
            isFirst = false
            if case .exactlyOnce(_, let fromOne) = options.delivery {
                known = fromOne ? last : 0
                if !fromOne { window = SendWindow(settled: last) }
            }
        }
        // Judged before the connection was lost: known rejects count as such. Of the others the answer was lost, but an event that is right
        // is stored; of one that is not, nobody here knows what was said.
        let rejected = Set(pendingErrors.map(\.line))
        var stored: UInt64 = 0
        window.forEach(upTo: last) { number, line in
            if !rejected.contains(number) && isRight(line) { stored += 1 }
        }
        let judged = take(errorsUpTo: last)
        let newly = window.settle(upTo: last)
        report.accepted += stored
        report.unseen += newly - min(newly, judged + stored)
        pendingErrors.removeAll()
        if newly > 0 || window.count == 0 { goOn() }
        window.rewind()
        let next = max(window.settled, known) + 1
        if options.delivery.isExactlyOnce && next != last + 1 { try hello(sequence: next) }
    }

    /// Whether a line is an event with this sender's token, and by the rules: a server that has judged it has stored it.
    private func isRight(_ line: ArraySlice<UInt8>) -> Bool {
        var json = line
        if let first = line.first, first != UInt8(ascii: "{") {
            guard let space = line.firstIndex(of: 0x20), line[..<space].elementsEqual(options.token) else {
                return false
            }
            json = line[(space + 1)...]
        }
        let latest = time.nowMicroseconds()
        // In bounds: the buffer is the array's own and lives for the call.
        return unsafe Array(json).withUnsafeBytes { bytes in
            do throws(Fault) {
                _ = try unsafe EventScanner.scan(bytes, latest: latest)
                return true
            } catch {
                return false
            }
        }
    }

    private func hello(sequence: UInt64?) throws(SendError) {
        var line: [UInt8] = []
        line.append("HELLO {\"proto\":1,\"client\":")
        JSON.appendString(options.client, to: &line)
        line.append(",\"token\":")
        let token = options.token
        JSON.appendString(token.span, to: &line)
        if case .exactlyOnce(let clientID, _) = options.delivery {
            line.append(",\"client_id\":")
            JSON.appendString(clientID, to: &line)
        }
        if let sequence {
            line.append(",\"seq\":")
            line.append(decimal: sequence)
        }
        line.append(",\"mode\":\"acks\"}\n")
        greeting = nil
        connection?.enqueue(line)
        while greeting == nil { try turn() }
    }

    /// One exchange with the server and what it said.
    private func turn() throws(SendError) {
        guard let connection else { throw .lost("it was closed") }
        guard try connection.turn(timeoutMilliseconds: options.answerTimeoutMilliseconds) else {
            throw .timedOut(milliseconds: Int(options.answerTimeoutMilliseconds))
        }
        try takeReplies(connection)
        if let end = connection.end, bye == nil { throw .lost(lastWords ?? end) }
    }

    private func writeAll(_ connection: LineConnection) throws(SendError) {
        while connection.unwrittenCount > 0 { try turn() }
    }

    private func writeWindow() throws(SendError) {
        guard let connection else { return }
        connection.enqueue(window.takeUnwritten())
        while connection.unwrittenCount >= ClientLimits.batchBytes { try turn() }
    }

    private func sendDatagram(_ datagram: [UInt8]) throws(SendError) {
        do throws(SystemError) {
            try datagrams?.send(datagram)
        } catch {
            throw .cannotConnect(address.description, SystemError.text(error.errno))
        }
    }

    // MARK: answers

    private func takeReplies(_ connection: LineConnection) throws(SendError) {
        while let line = try connection.nextLine() {
            guard let reply = unsafe line.span.withUnsafeBytes({ bytes in unsafe ReplyLine.parse(bytes) }) else {
                throw .strange(String(decoding: line.prefix(200), as: UTF8.self))
            }
            try take(reply, line)
        }
    }

    private func take(_ reply: ReplyLine, _ line: [UInt8]) throws(SendError) {
        switch reply {
        case .hello(let greeting): self.greeting = greeting
        case .ack(let number), .stored(let number, _): settle(upTo: number)
        case .sync(let number):
            settle(upTo: number)
            synced = number
        case .bye(let counts): bye = counts
        case .more(let count): report.unlistedErrors += count
        case .error(let number, let reject, let codeRange, let textRange):
            let code = String(decoding: line[codeRange], as: UTF8.self)
            let text = String(decoding: line[textRange], as: UTF8.self)
            try takeError(number, reject, code, text)
        default: break
        }
    }

    private func takeError(_ number: UInt64, _ reject: Reject?, _ code: String, _ text: String) throws(SendError) {
        let mayRetry = reject.map { $0.fate != .drop } ?? false
        if number == 0 {
            lastWords = "\(code): \(text)"
            let isGreeting = options.delivery != .silent && greeting == nil
            if isGreeting { throw .refused(code: code, text: text, mayRetry: mayRetry) }
            return
        }
        // From here on the server gives every line the same answer until a new HELLO, so that none is lost between two.
        if options.delivery.isExactlyOnce && reject?.fate == .retry {
            throw .refused(code: code, text: text, mayRetry: true)
        }
        pendingErrors.append(LineError(line: number, code: code, text: text))
    }

    private func settle(upTo number: UInt64) {
        let rejected = take(errorsUpTo: number)
        let newly = window.settle(upTo: number)
        if newly > 0 { goOn() }
        let accepted = newly - min(newly, rejected)
        report.accepted += accepted
        acceptedHere += accepted
    }

    /// The server is there, and nothing waits for it or something of that was judged.
    private func goOn() {
        guard waitsSince != nil else { return }
        waitsSince = nil
        onWait?(nil)
    }

    /// Moves the rejects of lines up to `number` into the report; returns how many that were.
    private func take(errorsUpTo number: UInt64) -> UInt64 {
        let ready = pendingErrors.filter { $0.line <= number }
        if ready.isEmpty { return 0 }
        pendingErrors.removeAll { $0.line <= number }
        report.rejected += UInt64(ready.count)
        note(ready)
        return UInt64(ready.count)
    }

    private func note(_ errors: [LineError]) {
        let room = ClientLimits.reportedErrorsMax - report.errors.count
        report.errors.append(contentsOf: errors.prefix(room))
        report.unlistedErrors += UInt64(max(0, errors.count - room))
    }
}
