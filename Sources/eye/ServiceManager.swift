// What `eye serve` tells the service manager that started it, and what it reads from it: NOTIFY_SOCKET and WATCHDOG_USEC, see
// sd_notify(3) and sd_watchdog_enabled(3). Without them nothing is said. Main thread.

import EyeSystem
import Glibc

/// The service manager, if there is one.
struct ServiceManager {
    private static let socketVariable = "NOTIFY_SOCKET"
    private static let intervalVariable = "WATCHDOG_USEC"
    private static let processVariable = "WATCHDOG_PID"
    /// Looked at by `Environment.all` beside those of the option tables.
    static let variables = [socketVariable, intervalVariable, processVariable]

    /// Nil: nobody wants to be told.
    let socket: NotifySocket?
    /// How often to say that all is well, half of what the manager waits; nil: never.
    let pulseMilliseconds: Int32?

    init(_ environment: [String: String], log: Log) {
        let name = environment[ServiceManager.socketVariable] ?? ""
        socket = name.isEmpty ? nil : NotifySocket(name)
        if socket == nil && !name.isEmpty {
            log.warning("the service manager cannot be told anything", [ServiceManager.socketVariable: name])
        }
        let interval = environment[ServiceManager.intervalVariable].flatMap { Int64($0) } ?? 0
        let isMeant = environment[ServiceManager.processVariable].map { $0 == "\(getpid())" } ?? true
        pulseMilliseconds =
            socket != nil && interval > 0 && isMeant ? Int32(clamping: max(1, interval / 2 / 1000)) : nil
    }

    /// Whether somebody else keeps what we print.
    var isThere: Bool { socket != nil }
}
