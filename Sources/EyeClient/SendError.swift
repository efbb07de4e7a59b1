// Why sending ended, and what a report says about single lines.

import EyeWire

/// A failure of sending as a whole.
public enum SendError: Error, Equatable, Sendable {
    /// Address and reason.
    case cannotConnect(String, String)
    /// Address and reason: its folder is not there, or it may not be opened. Waiting does not help.
    case noPlace(String, String)
    /// Nothing moved for that long.
    case timedOut(milliseconds: Int)
    /// The connection ended before everything was answered; what was known last.
    case lost(String)
    /// The server does not want this client: code and text.
    case refused(code: String, text: String, mayRetry: Bool)
    /// The server's answer is not of this protocol.
    case strange(String)
    /// The event could not be sent by anybody: it breaks the rules of the protocol.
    case invalid(Fault)

    /// Whether trying again later can help.
    var mayRetry: Bool {
        switch self {
        case .cannotConnect, .timedOut, .lost: true
        case .refused(_, _, let mayRetry): mayRetry
        case .noPlace, .strange, .invalid: false
        }
    }
}

extension SendError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotConnect(let address, let reason):
            "cannot connect to \(address): \(reason); is `eye serve` running there?"
        case .noPlace(let address, let reason): "cannot connect to \(address): \(reason)"
        case .timedOut(let milliseconds): "no answer for \(milliseconds / 1000) s"
        case .lost(let reason): "the connection was lost: \(reason)"
        case .refused(let code, let text, _): "the server refused: \(code): \(text)"
        case .strange(let text): "this is no Eye, or a newer one; it said: \(text)"
        case .invalid(let fault): "\(fault.reject.code): \(SendError.text(fault))"
        }
    }

    /// The text of a fault.
    public static func text(_ fault: Fault) -> String {
        var text: [UInt8] = []
        fault.appendText(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// One rejected line.
public struct LineError: Equatable, Sendable {
    /// The line's number.
    public let line: UInt64
    /// `bad-time`.
    public let code: String
    /// What happened and what to do.
    public let text: String

    public init(line: UInt64, code: String, text: String) {
        self.line = line
        self.code = code
        self.text = text
    }
}

/// What came of everything that was sent. With answers, sent = accepted + rejected + duplicate + unseen.
public struct SendReport: Equatable, Sendable {
    /// Lines given to `send`.
    public internal(set) var sent: UInt64 = 0
    /// Of these, new and durable. With exactly once also those that are by the rules and that the server says were judged, when the answer
    /// itself was lost with a connection.
    public internal(set) var accepted: UInt64 = 0
    /// Of these, refused by the server.
    public internal(set) var rejected: UInt64 = 0
    /// Of these, stored before. What connections that were lost counted as duplicates is among the accepted.
    public internal(set) var duplicate: UInt64 = 0
    /// Of these, judged by the server (exactly once; not by the rules as far as this end can tell, or with another token) or not (else), but
    /// the answer was lost with a connection.
    public internal(set) var unseen: UInt64 = 0
    /// The first 1,000 rejected lines.
    public internal(set) var errors: [LineError] = []
    /// Rejected lines that are not listed.
    public internal(set) var unlistedErrors: UInt64 = 0
    /// Connections that were made.
    public internal(set) var connections: UInt64 = 0
    /// Whether anything is ever answered: not over UDP.
    public internal(set) var isAnswered = true
}
