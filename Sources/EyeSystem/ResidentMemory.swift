// What of this process stays in memory. Called once, by `eye serve` when it has started.

import CEyeLinux

/// The process's resident memory.
public enum ResidentMemory {
    /// Lets go of the pages of the program and its libraries that the start has touched and a service that waits does not: some 4 MB.
    /// Only the files' own read-only pages; those that are needed again are mapped again from the page cache.
    public static func releaseStart() { eye_release_program_pages() }
}
