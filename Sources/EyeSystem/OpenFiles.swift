// The limit of open files: a connection is one. Called once at the start of a service, by the main thread.

import Glibc

/// RLIMIT_NOFILE of this process.
public enum OpenFiles {
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
