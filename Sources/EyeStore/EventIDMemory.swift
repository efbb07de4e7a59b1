// Fills the event_id window at start: from the last segment (just read by recovery) and the indexes of the newest closed ones.
// Used once, before the appender starts.

import EyeSystem

/// Rebuilds the window.
struct EventIDMemory {
    let disk: any Disk
    let folder: String

    init(_ disk: any Disk, folder: String) {
        self.disk = disk
        self.folder = folder
    }

    /// Returns whether the window is complete again.
    func fill(_ window: EventIDWindow, recovered: RecoveredLog, now: Int64) throws(SystemError) -> Bool {
        for found in recovered.findings.reversed() {
            for seen in found.eventIDs where window.find(seen.key) == nil {
                window.add(seen.key, id: seen.id, received: seen.received)
            }
        }
        window.trim(now: now)
        return true
    }
}
