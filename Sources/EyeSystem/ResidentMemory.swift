// What of this process stays in memory. Called by `eye serve` when it has started, and by readers of the store that let go of much.

import CEyeLinux

/// The process's resident memory.
public enum ResidentMemory {
    /// Lets go of the pages of the program and its libraries that the start has touched and a service that waits does not: some 4 MB.
    /// Only the files' own read-only pages; those that are needed again are mapped again from the page cache.
    public static func releaseStart() { eye_release_program_pages() }

    /// Gives what was freed back to the kernel. Takes a moment: for whoever has just let go of megabytes.
    public static func releaseFree() { eye_release_free_memory() }
}
