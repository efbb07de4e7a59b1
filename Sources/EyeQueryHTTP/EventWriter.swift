// Events one after the other, as a stream of lines or a table: what `format=ndjson` and `format=csv` send and `eye export` writes. Pure.
// CSV (see there) is for looking at; lines of JSON are the events.

import EyeStore
import EyeWire

/// Writes events in one format.
package struct EventWriter: Sendable {
    package let format: EventQuery.Format
    private let fields: [EventField]?

    /// `fields`: nil for all.
    package init(_ format: EventQuery.Format, fields: [EventField]?) {
        self.format = format
        self.fields = fields
    }

    /// Appends what stands before the first event.
    package func appendHead(to out: inout [UInt8]) {
        guard format == .csv else { return }
        for (index, field) in (fields ?? EventField.all).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            CSV.appendText(Array(field.label.utf8).span, to: &out)
        }
        CSV.appendLineEnd(to: &out)
    }

    /// Appends an event, as an object or with its line's end.
    package func append(_ event: borrowing EventView, to out: inout [UInt8]) {
        switch format {
        case .csv: appendRow(event, to: &out)
        case .json, .ndjson:
            if let fields {
                EventDocument.append(event, fields: fields, to: &out)
            } else {
                EventDocument.append(event, to: &out)
            }
            if format == .ndjson { out.append(.lineFeed) }
        }
    }

    private func appendRow(_ event: borrowing EventView, to out: inout [UInt8]) {
        for (index, field) in (fields ?? EventField.all).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            switch field {
            case .data: event.withData { CSV.appendJSON($0, to: &out) }
            case .name: event.withName { CSV.appendText($0, to: &out) }
            case .category: event.withCategory { CSV.appendText($0, to: &out) }
            case .path(let path): event.withData { CSV.appendValue(path, of: $0, to: &out) }
            // Digits, letters, hyphens and colons.
            case .id, .session, .timestamp, .eventID, .received: field.appendText(of: event, to: &out)
            }
        }
        CSV.appendLineEnd(to: &out)
    }
}
