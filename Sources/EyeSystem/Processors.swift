// How many processors the machine has.

import Glibc

/// The machine's processors.
public enum Processors {
    /// Processors online (sysconf(3)), at least 1.
    public static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
