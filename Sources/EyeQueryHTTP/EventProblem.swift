// From the faults that EyeWire finds in an event to the problem that a client reads. Pure.

import EyeWire

extension Problem {
    static let unsupportedType = Problem(
        415, "unsupported-media-type",
        "Send application/json, or application/x-ndjson for one event a line; without a Content-Encoding.")

    /// Of a login.
    static let unsupportedLoginType = Problem(
        415, "unsupported-media-type",
        "Send application/json or application/x-www-form-urlencoded, without a Content-Encoding.")

    /// A body that is no JSON at all.
    static func unreadable(_ fault: Fault, in text: [UInt8]) -> Problem {
        Problem(400, "\(fault.reject.code)", "JSON parse error - \(message(fault, in: text))")
    }

    /// Everything that is wrong with an event: `code` and `detail` tell the first, the fields tell all.
    static func event(_ faults: [Fault], in text: [UInt8]) -> Problem {
        guard let first = faults.first else { preconditionFailure("an event without faults is no problem") }
        switch first.reject {
        case .badJSON, .badUTF8, .tooDeep: return unreadable(first, in: text)
        case .tooLong:
            let detail = "An event, the token and the space between them have at most \(WireLimits.lineBytesMax) bytes."
            return Problem(413, "too-long", detail)
        default: break
        }
        var detail: [UInt8] = []
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe text.withUnsafeBytes { unsafe first.appendText(to: &detail, in: $0) }
        var problem = Problem(400, "\(first.reject.code)", String(decoding: detail, as: UTF8.self))
        for fault in faults {
            let field = Problem.field(fault, in: text)
            problem.add(field, message(fault, in: text))
        }
        return problem
    }

    /// The member that a fault is about. One that nobody knows, or a fault of the whole, is no field: its name could be
    /// one of the problem's own.
    private static func field(_ fault: Fault, in text: [UInt8]) -> String {
        fault.member == .none ? "non_field_errors" : "\(fault.member.label)"
    }

    private static func message(_ fault: Fault, in text: [UInt8]) -> String {
        var message: [UInt8] = []
        unsafe text.withUnsafeBytes { bytes in
            if fault.member == .none {
                unsafe fault.appendText(to: &message, in: bytes)
            } else {
                unsafe fault.appendMessage(to: &message, in: bytes)
            }
        }
        return String(decoding: message, as: UTF8.self)
    }

    /// What the ingest side refused.
    static func refused(_ reject: Reject?, code: String, text: String) -> Problem {
        switch reject {
        case .badToken: return unauthorized("Invalid token.")
        case .forbidden: return Problem(403, code, text)
        case let reject? where reject.fate == .retry: return unavailable(code, text)
        default: return Problem(400, code, text)
        }
    }

    /// An event went to the ingest side, and no verdict came back.
    static let eventUnanswered = unanswered(
        "the event may have been stored. Sent again it may be stored twice, unless it has an event_id.")

    /// What was asked of the ingest side was sent, and nothing came back in time, or before the connection was lost. `outcome`: what that means.
    static func unanswered(_ outcome: String) -> Problem {
        unavailable("no-ingest", "The ingest service did not answer, or went away before it did: \(outcome)")
    }

    /// The ingest side is not there: nothing was sent.
    static let noIngest = unavailable(
        "no-ingest", "The ingest service is not running; nothing can be written now. Reading goes on. Try again later.")
}
