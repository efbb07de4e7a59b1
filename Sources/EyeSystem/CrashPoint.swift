// Named places where a process can be told to die, so that tests can prove that it may die there: `EYE_CRASH_AT=synced:3` kills it with
// SIGKILL when it passes `synced` for the third time. Always compiled in, so that what is tested is what is run; unarmed it costs the
// load of one value. Passed by any thread; the variable is read once, at the first passing.

import Glibc
import Synchronization

/// A place on the way of data to the disk.
public enum CrashPoint: String, CaseIterable, Sendable {
    /// A new segment's file exists under its temporary name, empty.
    case segmentCreated = "segment-created"
    /// Its header and opening are written and synced.
    case headerSynced = "header-synced"
    /// It has its name, which may not be durable.
    case segmentRenamed = "segment-renamed"
    /// Its name is durable, and no reader knows of it.
    case folderSynced = "folder-synced"
    /// A commit is written, not synced.
    case frameWritten = "frame-written"
    /// A commit is synced, not published.
    case synced = "synced"
    /// A commit is published, nobody was told.
    case watermarkPublished = "watermark-published"
    /// The index of a closed segment has its name.
    case indexWritten = "index-written"
    /// A sealed segment is written under its temporary name, not synced.
    case sealedWritten = "sealed-written"
    /// It is synced.
    case sealedSynced = "sealed-synced"
    /// It has its name, which may not be durable; its log is still there.
    case sealedRenamed = "sealed-renamed"
    /// Its log is removed, which may not be durable.
    case logRemoved = "log-removed"
    /// A sealed segment was written anew without erased events and has taken the old one's place, which may not be durable.
    case sealedRewritten = "sealed-rewritten"
    /// A segment was dropped by retention: its file is removed, which may not be durable.
    case segmentDropped = "segment-dropped"
    /// The accounts file is replaced, its name may not be durable.
    case accountsReplaced = "accounts-replaced"

    /// The variable: a name, or `name:N` for the N-th passing.
    public static let variable = "EYE_CRASH_AT"

    private struct Armed: Sendable {
        let point: CrashPoint
        let count: UInt64
    }

    private static let armed: Armed? = {
        // getenv(3) ends with NUL; nothing here changes the environment meanwhile.
        guard let value = unsafe getenv(variable) else { return nil }
        return unsafe parse(String(cString: value)).map { Armed(point: $0.point, count: $0.count) }
    }()
    private static let passed = Atomic<UInt64>(0)

    /// The point and the passing that `text` names; nil: neither.
    public static func parse(_ text: String) -> (point: CrashPoint, count: UInt64)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let point = CrashPoint(rawValue: String(parts[0])) else { return nil }
        if parts.count == 1 { return (point, 1) }
        guard let count = UInt64(parts[1]), count > 0 else { return nil }
        return (point, count)
    }

    /// What this process will die at, for its log; nil: it is not armed.
    public static var armedText: String? { armed.map { "\($0.point.rawValue):\($0.count)" } }

    /// Passes `point`; does not return if this process was told to die here, now.
    public static func reach(_ point: CrashPoint) {
        guard let armed, armed.point == point else { return }
        if passed.add(1, ordering: .relaxed).newValue == armed.count {
            // As hard as it gets: nothing is flushed, no handler runs.
            _ = kill(getpid(), SIGKILL)
            while true { _ = pause() }
        }
    }
}
