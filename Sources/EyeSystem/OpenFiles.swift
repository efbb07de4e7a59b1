// The limit of open files: a connection is one, and so is a file of the store. Clients must not take them all, nor must files that are
// read take those that writing needs. So some are kept from them, by number: the kernel gives the lowest free one (open(2)), hence
// those from a bound on are free for the others as long as nobody keeps one that is not for him.

import Glibc

/// RLIMIT_NOFILE of this process.
public enum OpenFiles {
    /// The last descriptors, which files have that are written, never those that are only read.
    public static let reservedForWriting = 8

    /// Descriptors with this number and above are kept: the last `reserved`, or half of all when that is less.
    public static func bound(reserving reserved: Int) throws(SystemError) -> Int {
        var limit = rlimit()
        _ = try retrying("getrlimit") { unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        let all = Int(clamping: limit.rlim_cur)
        return max(all - reserved, all / 2)
    }

    /// Whether the next descriptor would have a number below `bound`. Asked by duplicating `descriptor`: other threads may open something
    /// before the caller does.
    public static func hasRoom(below bound: Int, like descriptor: Int32) throws(SystemError) -> Bool {
        let next = Descriptor(owning: try retrying("fcntl") { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
        return next.number < bound
    }

    /// Raises the soft limit to the hard one, which needs no privilege; returns the limit that now holds.
    public static func raiseLimit() throws(SystemError) -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        _ = try retrying("getrlimit") { unsafe getrlimit(resource, &limit) }
        // A service manager may have set both, and taken the right to set them.
        if limit.rlim_cur == limit.rlim_max { return Int(clamping: limit.rlim_cur) }
        limit.rlim_cur = limit.rlim_max
        _ = try retrying("setrlimit") { unsafe setrlimit(resource, &limit) }
        return Int(clamping: limit.rlim_cur)
    }
}
