// The store as the endpoints see it. One reader, on the loop's thread; snapshots taken once a request.

import EyeStore
import EyeSystem
import EyeWire

/// Gives out snapshots and speaks of damage.
final class EventSource {
    private let reader: StoreReader
    /// Refused events.
    let rejected: RejectedReader
    /// A snapshot was taken: files may be open.
    private(set) var isUsed = false

    init(_ disk: any Disk, folder: String, limits: ReaderLimits) {
        reader = StoreReader(disk, folder: folder, limits: limits, data: EventDataReading())
        rejected = RejectedReader(disk, folder: folder)
    }

    /// The store as it is durable now.
    func snapshot() throws(SystemError) -> Snapshot {
        isUsed = true
        return try reader.snapshot()
    }

    /// Closes files of segments that are gone: the disk has their room back only then. Gives back memory that queries have left behind.
    func letGo() {
        reader.releaseEvicted()
        do throws(SystemError) {
            _ = try reader.snapshot()
        } catch {
            // The next query says so.
        }
    }

    /// Why the store cannot be read; nil when it can.
    func cause() -> String? {
        do throws(SystemError) {
            _ = try reader.snapshot()
            return nil
        } catch {
            return error.description
        }
    }

    /// Damaged places that queries have met, in words; the first few of them.
    func damageNotes() -> [String] {
        let notesMax = 20
        var notes = reader.damage.prefix(notesMax).map { "damage: \($0)" }
        if reader.damage.count > notesMax { notes.append("damage: \(reader.damage.count - notesMax) more places") }
        return notes
    }

    /// Damaged places that queries have met, and the bytes in them.
    var damageTotals: (ranges: UInt64, bytes: UInt64) {
        (UInt64(reader.damage.count), reader.damage.reduce(0) { $0 + UInt64(max(0, $1.bytes)) })
    }

    /// The problem for a store that cannot be read now.
    static func problem(_ error: SystemError) -> Problem {
        Problem.unavailable("io", "The store cannot be read now (\(error)).")
    }
}

/// Looks for one event by its id, a bounded piece of work at a time.
final class EventLookup {
    private let cursor: EventCursor
    private(set) var document: [UInt8]?

    init(_ id: UInt64, in snapshot: Snapshot) { cursor = snapshot.cursor(.id(id)) }

    /// True when it is over: `document` is there, or there is none.
    func step() throws(SystemError) -> Bool {
        var found: [UInt8] = []
        let state = try cursor.step { event in
            EventDocument.append(event, to: &found)
            return false
        }
        if !found.isEmpty { document = found }
        if case .more = state { return false }
        return true
    }

    /// Ids that damage may have withheld.
    var damage: ClosedRange<UInt64>? { cursor.damage.hull }
}
