// Takes a stream of Server-Sent Events apart (WHATWG HTML standard, section 9.2.6), as its bytes come. Pure. Lines end with LF or CRLF, as the service
// writes them.

/// One event of a stream; with empty data: only news of the id.
struct ServerSentEvent: Equatable {
    /// The last id that the stream gave, if it gave one with this event.
    var id: String?
    var type = "message"
    var data: [UInt8] = []
}

/// What came of a stream so far.
struct ServerSentEvents {
    /// The beginning of a line.
    private var rest: [UInt8] = []
    private var event = ServerSentEvent()
    private var hasData = false

    /// The events that `bytes` complete.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [ServerSentEvent] {
        var found: [ServerSentEvent] = []
        var left = bytes
        while let end = left.firstIndex(of: 0x0A) {
            rest.append(contentsOf: left[..<end])
            left = left[(end + 1)...]
            if rest.last == 0x0D { rest.removeLast() }
            if rest.isEmpty {
                if hasData || event.id != nil { found.append(event) }
                event = ServerSentEvent()
                hasData = false
            } else {
                takeLine()
            }
            rest.removeAll(keepingCapacity: true)
        }
        rest.append(contentsOf: left)
        return found
    }

    private mutating func takeLine() {
        let colon = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
        var value = rest[min(colon + 1, rest.endIndex)...]
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: rest[..<colon], as: UTF8.self) {
        case "id": event.id = String(decoding: value, as: UTF8.self)
        case "event": event.type = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { event.data.append(0x0A) }
            event.data.append(contentsOf: value)
            hasData = true
        // A comment, or something that we have no use for.
        default: break
        }
    }
}
