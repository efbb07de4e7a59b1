// `eye erase`: erases an event or a session through the running service's control socket, which only who may write the data folder may open.
// Says what is gone; names no personal value again.

import EyeStore
import EyeSystem
import EyeWire

/// `eye erase`.
enum EraseCommand {
    static let command = Command(
        path: ["erase"], summary: "Erases an event or a session, for good.",
        details: [
            "eye erase event 4711, or eye erase session e2085be5-9137-4e4e-80b5-f1ffddc25423.",
            "The service must run. When this ends, no query shows any of it; its bytes leave the disk within a day.",
            "Ends with code 1 if there is nothing to erase.",
        ],
        operands: [Operand(name: "KIND"), Operand(name: "ID")],
        options: [
            CommandTable.data,
            Option(name: "dry-run", kind: .flag, help: "Only says what would be erased."),
            Option(name: "now", kind: .flag, help: "Takes the bytes off the disk at once."),
        ],
        run: { invocation throws(Failure) in
            let subject = try subject(invocation.operands[0], invocation.operands[1])
            let isDry = invocation.isSet("dry-run")
            let request = ErasureRequest(subject, isDry: isDry, isNow: invocation.isSet("now"))
            let folder = invocation.text("data") ?? ""
            guard try StoreFolder.check(RealDisk(), folder) else {
                throw Failure("the service is not running; start it with: eye serve --data \(folder)")
            }
            let counts = try ask(request, folder)
            try Output.out(text(counts, isDry: isDry))
            return counts.erased == 0 ? ExitCode.failure : ExitCode.success
        })

    private static func subject(_ kind: String, _ id: String) throws(Failure) -> ErasureRequest.Subject {
        let bytes = Array(id.utf8)
        switch kind {
        case "event":
            guard let number = UInt64(id) else {
                throw Failure("'\(id)' is not the id of an event", code: ExitCode.usage)
            }
            return .event(number)
        case "session":
            guard let uuid = UUID(parsing: bytes.span) else {
                throw Failure("'\(id)' is not a UUID", code: ExitCode.usage)
            }
            return .session(uuid)
        default: throw Failure("'\(kind)' is neither event nor session", code: ExitCode.usage)
        }
    }

    /// What was erased, or would be, in words.
    static func text(_ counts: ErasureCounts, isDry: Bool) -> String {
        if counts.erased == 0 { return "There is nothing to erase.\n" }
        var text = counts.events == 1 ? "1 event" : "\(counts.events) events"
        if counts.events == 1 { text += " (id \(counts.firstEventID))" }
        if counts.events > 1 { text += " (ids \(counts.firstEventID) to \(counts.lastEventID))" }
        if counts.samples > 0 { text += " and \(counts.samples) samples of rejected lines" }
        if isDry { return "\(text) would be erased. Nothing was changed.\n" }
        return counts.id > 0 ? "\(text) erased. The receipt is number \(counts.id).\n" : "\(text) erased.\n"
    }

    // MARK: The control socket

    private static func ask(_ request: ErasureRequest, _ folder: String) throws(Failure) -> ErasureCounts {
        let name = "\(folder)/control.sock"
        let address: SocketAddress
        do throws(AddressError) {
            address = try SocketAddress.path(name)
        } catch {
            throw Failure(error.description)
        }
        let reply = try Failure.of(name) { () throws(SystemError) in
            let socket = try Socket.connect(address)
            try send(line(request), socket.number)
            return try readLine(socket.number)
        }
        // In bounds: the buffer is the array's own and lives for the call.
        let parsed = unsafe reply.withUnsafeBytes { unsafe ReplyLine.parse($0) }
        switch parsed {
        case .erased(_, let counts): return counts
        case .error(_, _, let code, let text):
            throw Failure(
                "\(String(decoding: reply[code], as: UTF8.self)): \(String(decoding: reply[text], as: UTF8.self))")
        default: throw Failure("the service ended before it answered; ask again")
        }
    }

    private static func line(_ request: ErasureRequest) -> [UInt8] {
        var line = Array("ERASE - ".utf8)
        switch request.subject {
        case .event(let id): line += Array("EVENT \(id)".utf8)
        case .session(let id):
            line += Array("SESSION ".utf8)
            id.append(to: &line)
        }
        if request.isDry { line += Array(" DRY".utf8) }
        if request.isNow { line += Array(" NOW".utf8) }
        return line + [0x0A]
    }

    private static func send(_ bytes: [UInt8], _ socket: Int32) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            guard case .bytes(let count) = try Socket.send(socket, bytes, from: sent) else { return }
            sent += count
        }
    }

    /// The answer without its LF; what there is of it when the service ends.
    private static func readLine(_ socket: Int32) throws(SystemError) -> [UInt8] {
        var line: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 256)
        while case .bytes(let count) = try Socket.receive(socket, into: &room) {
            line += room[..<count]
            if let end = line.firstIndex(of: 0x0A) { return Array(line[..<end]) }
        }
        return line
    }
}
