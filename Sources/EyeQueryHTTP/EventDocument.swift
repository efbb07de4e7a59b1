// An event as JSON, in one place, so that every endpoint shows the same. Pure.

import EyeStore
import EyeWire

/// Writes events.
enum EventDocument {
    /// Appends a stored event: `{"id":1,"session_id":…,"timestamp":…,"data":{…},"name":…,"category":…,"received_at":…}`, and
    /// `event_id` when it has one. `data` stands as it was sent.
    static func append(_ event: borrowing EventView, to out: inout [UInt8]) {
        out.append(text: "{\"id\":")
        out.append(decimal: event.id)
        out.append(text: ",\"session_id\":")
        JSONText.appendUUID(high: event.session.high, low: event.session.low, to: &out)
        out.append(text: ",\"timestamp\":")
        JSONText.appendTime(event.timestamp, to: &out)
        out.append(text: ",\"data\":")
        event.appendData(to: &out)
        out.append(text: ",\"name\":")
        event.withName { JSON.appendString($0, to: &out) }
        out.append(text: ",\"category\":")
        event.withCategory { JSON.appendString($0, to: &out) }
        if let id = event.eventID {
            out.append(text: ",\"event_id\":")
            JSONText.appendUUID(high: id.high, low: id.low, to: &out)
        }
        out.append(text: ",\"received_at\":")
        JSONText.appendTime(event.received, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// Appends the members `fields` alone, in their order; those that the event does not have are left out. A value of `data` stands as it
    /// was sent, under its whole name: `{"id":1,"data.path":"/"}`.
    static func append(_ event: borrowing EventView, fields: [EventField], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "{"))
        for field in fields {
            let start = out.count
            JSONText.appendName(field.label, to: &out)
            let isThere: Bool
            switch field {
            case .id:
                out.append(decimal: event.id)
                isThere = true
            case .session:
                JSONText.appendUUID(high: event.session.high, low: event.session.low, to: &out)
                isThere = true
            case .timestamp:
                JSONText.appendTime(event.timestamp, to: &out)
                isThere = true
            case .data:
                event.appendData(to: &out)
                isThere = true
            case .name:
                event.withName { JSON.appendString($0, to: &out) }
                isThere = true
            case .category:
                event.withCategory { JSON.appendString($0, to: &out) }
                isThere = true
            case .eventID:
                if let id = event.eventID { JSONText.appendUUID(high: id.high, low: id.low, to: &out) }
                isThere = event.eventID != nil
            case .received:
                JSONText.appendTime(event.received, to: &out)
                isThere = true
            case .path(let path): isThere = appendValue(path, of: event, to: &out)
            }
            if !isThere { out.removeLast(out.count - start) }
        }
        out.append(UInt8(ascii: "}"))
    }

    /// Appends the value at a path of the event's data, as it was sent; false if there is none.
    private static func appendValue(_ path: [UInt8], of event: borrowing EventView, to out: inout [UInt8]) -> Bool {
        event.withData { data in
            unsafe data.withUnsafeBytes { bytes in
                guard let value = unsafe JSON.find(path.span, in: bytes) else { return false }
                // In bounds: the scanner's ranges lie in the text.
                unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[value.range]))
                return true
            }
        }
    }

    private static func eventID(_ event: [UInt8]) -> UUID? {
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe event.withUnsafeBytes { bytes in
            do throws(Fault) {
                return try unsafe EventScanner.scan(bytes, latest: Int64.max).eventID
            } catch {
                preconditionFailure("an event that was valid a moment ago")
            }
        }
    }

    /// `{"id":1,"event_id":…}`: which event it was, and nothing of what is in it; nil: the event, which was just sent and is valid, has no `event_id`.
    static func mention(_ event: [UInt8], id: UInt64) -> [UInt8]? {
        guard let eventID = eventID(event) else { return nil }
        var out: [UInt8] = []
        out.append(text: id == 0 ? "{\"id\":null" : "{\"id\":\(id)")
        out.append(text: ",\"event_id\":")
        JSONText.appendUUID(high: eventID.high, low: eventID.low, to: &out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// The document of an event that was just sent and is valid, for when the store cannot show it. `id` 0: not known.
    static func compose(_ event: [UInt8], id: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        // In bounds: the buffer is the array's own and lives for the call; the scanner's ranges lie in it.
        unsafe event.withUnsafeBytes { bytes in
            do throws(Fault) {
                let fields = try unsafe EventScanner.scan(bytes, latest: Int64.max)
                func string(_ name: String, _ field: StringField) {
                    var text: [UInt8] = []
                    unsafe JSON.appendUnescaped(field, of: bytes, to: &text)
                    JSONText.appendName(name, to: &out)
                    JSONText.appendString(text, to: &out)
                }
                out.append(text: id == 0 ? "{\"id\":null" : "{\"id\":\(id)")
                out.append(text: ",\"session_id\":")
                JSONText.appendUUID(high: fields.session.high, low: fields.session.low, to: &out)
                out.append(text: ",\"timestamp\":")
                JSONText.appendTime(fields.timestamp, to: &out)
                out.append(text: ",\"data\":")
                unsafe JSON.appendOneLine(UnsafeRawBufferPointer(rebasing: bytes[fields.dataRange]), to: &out)
                string("name", fields.name)
                string("category", fields.category)
                if let eventID = fields.eventID {
                    out.append(text: ",\"event_id\":")
                    JSONText.appendUUID(high: eventID.high, low: eventID.low, to: &out)
                }
                out.append(UInt8(ascii: "}"))
            } catch {
                preconditionFailure("an event that was valid a moment ago")
            }
        }
        return out
    }
}
