// From an event to its line, `TOKEN {json}` and LF, in a buffer of the caller's. What it makes was scanned by the very
// scanner that the server uses, so a line that leaves here is refused for its token or its time at most. Pure, any thread.

import EyeWire

/// An event on its way out.
public struct OutgoingEvent: Sendable {
    public var session: UUID
    /// 1 to 50 Unicode scalars.
    public var category: String
    /// 1 to 150 Unicode scalars.
    public var name: String
    /// A JSON object that is not empty, kept byte for byte (but for line breaks between its values).
    public var data: [UInt8]
    /// Microseconds since 1970.
    public var timestamp: Int64
    /// Makes retries recognisable on every transport.
    public var eventID: UUID?

    public init(
        session: UUID, category: String, name: String, data: [UInt8], timestamp: Int64, eventID: UUID? = nil
    ) {
        self.session = session
        self.category = category
        self.name = name
        self.data = data
        self.timestamp = timestamp
        self.eventID = eventID
    }
}

/// Writes event lines.
public enum EventEncoder {
    /// Appends the event's line. When it throws, nothing was appended.
    public static func append(
        _ event: OutgoingEvent, token: [UInt8], to out: inout [UInt8]
    ) throws(Fault) {
        let start = out.count
        out.append(contentsOf: token)
        out.append(0x20)
        let objectStart = out.count
        do throws(Fault) {
            appendObject(event, to: &out)
            try check(out, from: objectStart)
        } catch {
            out.removeLast(out.count - start)
            throw error
        }
        out.append(0x0A)
    }

    /// Appends the line of an event that is JSON already, unjudged; line breaks between its values become spaces.
    public static func append(json: UnsafeRawBufferPointer, token: [UInt8], to out: inout [UInt8]) {
        out.append(contentsOf: token)
        out.append(0x20)
        unsafe JSON.appendOneLine(json, to: &out)
        out.append(0x0A)
    }

    /// Appends the event's JSON object alone, unjudged.
    public static func appendObject(_ event: OutgoingEvent, to out: inout [UInt8]) {
        out.append("{\"session_id\":\"")
        event.session.append(to: &out)
        out.append("\",\"category\":")
        JSON.appendString(event.category, to: &out)
        out.append(",\"name\":")
        JSON.appendString(event.name, to: &out)
        out.append(",\"data\":")
        unsafe event.data.span.withUnsafeBytes { data in unsafe JSON.appendOneLine(data, to: &out) }
        out.append(",\"timestamp\":\"")
        Timestamp.append(event.timestamp, to: &out)
        out.append("\"")
        if let eventID = event.eventID {
            out.append(",\"event_id\":\"")
            eventID.append(to: &out)
            out.append("\"")
        }
        out.append("}")
    }

    /// Scans what was appended as the server will, with no limit on the future: clocks differ.
    private static func check(_ out: [UInt8], from start: Int) throws(Fault) {
        guard out.count <= WireLimits.lineBytesMax else { throw Fault(.tooLong) }
        try unsafe out.span.withUnsafeBytes { bytes throws(Fault) in
            // In bounds: `start` was the array's count before more was appended.
            _ = try unsafe EventScanner.scan(UnsafeRawBufferPointer(rebasing: bytes[start...]), latest: Int64.max)
        }
    }
}
