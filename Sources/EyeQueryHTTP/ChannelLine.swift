// The lines that the HTTP service sends to the ingest side. Pure. Invariant: one LF, at the end.

import EyeWire

/// Builds lines for `ControlChannel`.
enum ChannelLine {
    /// `TOKEN {json}`: a valid event on one line. Line breaks can stand only between its values; they become spaces.
    static func event(token: [UInt8], _ json: ArraySlice<UInt8>) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(token.count + json.count + 2)
        line.append(contentsOf: token)
        line.append(.space)
        for byte in json { line.append(byte == .lineFeed || byte == .carriageReturn ? .space : byte) }
        line.append(.lineFeed)
        return line
    }

    /// `SESSION TOKEN UUID`
    static func session(token: [UInt8], _ id: UUID) -> [UInt8] {
        var line = Array("SESSION ".utf8)
        line.append(contentsOf: token)
        line.append(.space)
        id.append(to: &line)
        line.append(.lineFeed)
        return line
    }

    /// `ERASE TOKEN EVENT id` or `ERASE TOKEN SESSION UUID`
    static func erase(token: [UInt8], _ request: ErasureRequest) -> [UInt8] {
        var line = Array("ERASE ".utf8)
        line.append(contentsOf: token)
        switch request.subject {
        case .event(let id): line.append(text: " EVENT \(id)")
        case .session(let id):
            line.append(text: " SESSION ")
            id.append(to: &line)
        }
        if request.isDry { line.append(text: " DRY") }
        if request.isNow { line.append(text: " NOW") }
        line.append(.lineFeed)
        return line
    }

    /// `USED id`
    static func used(token id: UInt32) -> [UInt8] { Array("USED \(id)\n".utf8) }

    static let metrics = Array("METRICS\n".utf8)

    /// `REJECT {…}`: a refused event, for the errors view. `data` is cut to what is kept.
    static func reject(
        _ reject: Reject, message: [UInt8], data: ArraySlice<UInt8>, source: String, token: UInt32?
    ) -> [UInt8] {
        var line = Array("REJECT {\"code\":\"".utf8)
        line.append(reject.code)
        line.append(text: "\",\"message\":")
        JSONText.appendString(message, to: &line)
        line.append(text: ",\"data\":")
        JSONText.appendString(Array(data.prefix(HTTPLimits.rejectSampleBytesMax)), to: &line)
        line.append(text: ",\"transport\":\"http\",\"source\":")
        JSONText.appendString(source, to: &line)
        if let token {
            line.append(text: ",\"token_id\":")
            line.append(decimal: token)
        }
        line.append(text: "}\n")
        return line
    }
}
