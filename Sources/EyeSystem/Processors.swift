// How many processors the machine has, and how much of them this process has used.

import Glibc

/// The machine's processors.
public enum Processors {
    /// Processors online (sysconf(3)), at least 1.
    public static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Nanoseconds of processor time that this process has used, all its threads together.
    public static var usedNanoseconds: UInt64 {
        var used = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        return UInt64(used.tv_sec) * 1_000_000_000 + UInt64(used.tv_nsec)
    }
}
