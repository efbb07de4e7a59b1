// Which members of an event are shown, and in which order: the parameter `fields`. Pure.

import EyeStore
import EyeWire

/// A member of an event's document.
package enum EventField: Equatable, Sendable {
    case id, session, timestamp, data, name, category, eventID, received
    /// A value inside `data`, by its path.
    case path([UInt8])

    /// The members of a whole event, as a table has them.
    package static let all: [EventField] = [
        .id, .session, .timestamp, .category, .name, .data, .eventID, .received,
    ]

    /// The name in `fields`, in documents and in the head of a table.
    package var label: String {
        switch self {
        case .id: "id"
        case .session: "session_id"
        case .timestamp: "timestamp"
        case .data: "data"
        case .name: "name"
        case .category: "category"
        case .eventID: "event_id"
        case .received: "received_at"
        case .path(let path): FilterParameters.dataPrefix + String(decoding: path, as: UTF8.self)
        }
    }

    /// Appends the member as a text: strings as they read, everything else as it stands in documents. Nothing if the event does not have it.
    package func appendText(of event: borrowing EventView, to out: inout [UInt8]) {
        switch self {
        case .id: out.append(decimal: event.id)
        case .session: UUID(high: event.session.high, low: event.session.low).append(to: &out)
        case .timestamp: Timestamp.append(event.timestamp, to: &out)
        case .data: event.appendData(to: &out)
        case .name: event.appendName(to: &out)
        case .category: event.appendCategory(to: &out)
        case .eventID: if let id = event.eventID { UUID(high: id.high, low: id.low).append(to: &out) }
        case .received: Timestamp.append(event.received, to: &out)
        case .path(let path):
            event.withData { data in
                unsafe data.withUnsafeBytes { bytes in
                    guard let place = unsafe EventDataReading().find(path, in: bytes) else { return }
                    unsafe EventDataReading().appendText(of: place, in: bytes, to: &out)
                }
            }
        }
    }

    /// The members that `fields` names, in its order; nil: it is not there, or something is wrong with it.
    static func read(_ parameters: QueryParameters, _ problem: inout Problem) -> [EventField]? {
        let values = parameters.values("fields")
        if values.isEmpty { return nil }
        var fields: [EventField] = []
        for value in values {
            for part in value.value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                let name = String(decoding: part, as: UTF8.self)
                guard let field = named(name) else {
                    let shown = QueryParameters.Parameter(name: "fields", value: Array(part)).shown
                    let near = Suggestion.nearest(to: name, in: all.map(\.label))
                    let hint =
                        near.map { "did you mean \($0)?" }
                        ?? "there are \((all.map(\.label) + ["data.PATH"]).joined(separator: ", "))."
                    problem.add("fields", "Unknown field \u{201C}\(shown)\u{201D}; \(hint)")
                    continue
                }
                if fields.contains(field) {
                    problem.add("fields", "The field \(field.label) is there twice.")
                } else {
                    fields.append(field)
                }
            }
        }
        if fields.count > HTTPLimits.fieldsMax {
            problem.add("fields", "At most \(HTTPLimits.fieldsMax) fields.")
            return nil
        }
        return fields.isEmpty ? nil : fields
    }

    private static func named(_ name: String) -> EventField? {
        if let known = all.first(where: { $0.label == name }) { return known }
        guard DataName.isOne(name) else { return nil }
        let path = Array(name.utf8.dropFirst(FilterParameters.dataPrefix.utf8.count))
        return path.isEmpty ? nil : .path(path)
    }
}
