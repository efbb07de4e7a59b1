// What of this process stays in memory. Called by `eye serve` when it has started, and by readers of the store that let go of much.

import CEyeLinux

/// The process's resident memory.
public enum ResidentMemory {
    /// What is freed in pieces of so many bytes goes back to the kernel at once: the tables of statistics, not the frames of the log.
    private static let mappedBytes: Int32 = 1 << 20
    /// More than so many free bytes at the end of a heap do, too.
    private static let topBytes: Int32 = 4 << 20

    /// Keeps malloc to these two numbers. Called before there are other threads.
    public static func boundFree() { eye_bound_free_memory(mappedBytes, topBytes) }

    /// Lets go of the pages of the program and its libraries that the start has touched and a service that waits does not: some 4 MB.
    /// Only the files' own read-only pages; those that are needed again are mapped again from the page cache.
    public static func releaseStart() { eye_release_program_pages() }

    /// Gives what was freed back to the kernel. Takes a moment: for whoever has just let go of megabytes.
    public static func releaseFree() { eye_release_free_memory() }
}
