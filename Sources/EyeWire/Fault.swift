// One thing that is wrong with a line or a request body: which rule, which member, where. Eight bytes, no allocation,
// thrown by value: peers choose how often we throw. The text for people is made from it only when somebody asks.

/// The members that a line or a command may have.
public enum Member: UInt8, CaseIterable, Sendable {
    case sessionID = 0
    case category = 1
    case name = 2
    case data = 3
    case timestamp = 4
    case eventID = 5
    /// No member of an event: the fault is in the line as a whole, or in a member that nobody knows.
    case none = 6
    /// The members of HELLO's and REJECT's arguments.
    case proto = 16
    case client, token, clientID, sequence, mode, code, message, transport, source, tokenID

    /// The member's name on the wire: `session_id`; empty for ``none``.
    public var label: StaticString {
        switch self {
        case .sessionID: "session_id"
        case .category: "category"
        case .name: "name"
        case .data: "data"
        case .timestamp: "timestamp"
        case .eventID: "event_id"
        case .none: ""
        case .proto: "proto"
        case .client: "client"
        case .token: "token"
        case .clientID: "client_id"
        case .sequence: "seq"
        case .mode: "mode"
        case .code: "code"
        case .message: "message"
        case .transport: "transport"
        case .source: "source"
        case .tokenID: "token_id"
        }
    }
}

/// What is wrong, with which member, and where.
public struct Fault: Error, Equatable, Sendable {
    /// The rule that was broken.
    public var reject: Reject
    /// The member it is about; ``Member/none`` for the text as a whole, or for an unknown one.
    public var member: Member
    /// For `bad-type`: what was there instead.
    public var found: JSON.Kind?
    /// Bytes from the start of the text that was scanned to the place of the fault: the value (its opening quote), for
    /// unknown and duplicate members the member's name, for missing ones the closing brace, for bad JSON the byte that
    /// does not fit.
    public var offset: Int32

    /// A fault.
    @inlinable
    public init(_ reject: Reject, _ member: Member = .none, at offset: Int = 0, found: JSON.Kind? = nil) {
        self.reject = reject
        self.member = member
        self.offset = Int32(clamping: offset)
        self.found = found
    }

    /// The same fault when the text begins `bytes` after the start of the line.
    public func shifted(by bytes: Int) -> Fault {
        var fault = self
        fault.offset = Int32(clamping: Int(offset) + bytes)
        return fault
    }

    /// Appends the fault for `-ERR n code ` and for HTTP's `detail`: one line without control characters, such as
    /// `category: Ensure this field has no more than 50 characters.`
    /// - Parameter text: the bytes that `offset` counts in, to quote from; may be empty.
    public func appendText(to out: inout [UInt8], in text: UnsafeRawBufferPointer) {
        let start = out.count
        unsafe appendField(to: &out, in: text)
        if out.count > start { out.append(": ") }
        unsafe appendMessage(to: &out, in: text)
    }

    /// As ``appendText(to:in:)`` with nothing to quote from.
    public func appendText(to out: inout [UInt8]) {
        unsafe appendText(to: &out, in: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Appends the name of the member the fault is about: a known one's label, an unknown one as it was written. Nothing
    /// when the fault is about the text as a whole. Escaped as the inside of a JSON string is.
    public func appendField(to out: inout [UInt8], in text: UnsafeRawBufferPointer) {
        if member != .none { return out.append(member.label) }
        if reject == .unknownField || reject == .duplicateField { unsafe appendQuoted(to: &out, from: text) }
    }

    /// Appends what is wrong, without the member's name: `Ensure this field has no more than 50 characters.`
    public func appendMessage(to out: inout [UInt8], in text: UnsafeRawBufferPointer) {
        switch (reject, member) {
        case (.missingField, _): out.append("This field is required.")
        case (.unknownField, _): out.append("This field is unknown.")
        case (.duplicateField, _): out.append("This field may be there only once.")
        case (.emptyField, .data): out.append("The data can't be empty.")
        case (.emptyField, _): out.append("This field may not be blank.")
        case (.badType, _) where found == .null: out.append("This field may not be null.")
        case (.badType, .data): out.append("The data content must a JSON format.")
        case (.badUUID, _), (.badType, .sessionID), (.badType, .eventID):
            out.append("\u{201C}")
            unsafe appendQuoted(to: &out, from: text)
            out.append("\u{201D} is not a valid UUID.")
        case (.badType, .proto), (.badType, .sequence), (.badType, .tokenID):
            out.append("A valid integer is required.")
        case (.badTime, _), (.badType, .timestamp):
            out.append("Datetime has wrong format. Use one of these formats instead: ")
            out.append("YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z].")
        case (.badType, _): out.append("Not a valid string.")
        case (.fieldTooLong, _):
            out.append("Ensure this field has no more than ")
            out.append(decimal: limit)
            out.append(" characters.")
        case (.futureTime, _): out.append("The timestamp can't be greater than now.")
        case (.overloaded, .sequence):
            out.append("The highest line number is taken; send HELLO with a lower seq, or with another client_id.")
        case (.badJSON, _), (.badUTF8, _), (.tooDeep, _):
            out.append(reject.text)
            out.append(" (at byte ")
            out.append(decimal: Int(offset) + 1)
            out.append(")")
        default: out.append(reject.text)
        }
    }

    /// The characters that ``member`` may have.
    private var limit: Int {
        switch member {
        case .category: WireLimits.categoryScalarsMax
        case .name: WireLimits.nameScalarsMax
        case .client: WireLimits.clientBytesMax
        case .clientID: WireLimits.clientIDBytesMax
        default: WireLimits.tokenBytesMax
        }
    }

    /// Appends the JSON value or name at ``offset``, shortened, without the quotes of a string.
    private func appendQuoted(to out: inout [UInt8], from text: UnsafeRawBufferPointer) {
        let start = Int(offset)
        guard start >= 0, start < text.count, unsafe text[start] != 0 else { return }
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        let isString = unsafe text[start] == UInt8(ascii: "\"")
        // What is no JSON value (a command's argument) is quoted to its end.
        guard let end = scanner.valueEnd(probing: start) else {
            return unsafe JSON.appendShown(
                UnsafeRawBufferPointer(rebasing: text[start...]), scalarsMax: WireLimits.quotedScalarsMax, to: &out)
        }
        unsafe JSON.appendShown(
            UnsafeRawBufferPointer(rebasing: text[isString ? start + 1..<end - 1 : start..<end]),
            scalarsMax: WireLimits.quotedScalarsMax, to: &out)
    }
}
