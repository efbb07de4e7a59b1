// SIGHUP: reads the configuration file again and takes over what can change while the service runs. What cannot is
// named in the log, and so is every fault that would end a start: then nothing changes. Main thread.

import EyeQueryHTTP
import EyeSystem

/// The settings that the running service has.
struct Reload {
    private(set) var settings: Invocation
    private let log: Log
    private let http: HTTPService?

    init(_ settings: Invocation, log: Log, http: HTTPService?) {
        self.settings = settings
        self.log = log
        self.http = http
    }

    /// Reads the settings again.
    mutating func run() {
        let news: Invocation
        do throws(Failure) {
            guard let invocation = try Reload.read() else { return }
            // Names of hosts are not looked up: that may take longer than the watchdog waits, and no address is taken over.
            try SettingsCheck.run(invocation, looksUp: false)
            news = invocation
        } catch {
            for fault in error.faults {
                log.error("SIGHUP: the settings stay as they are", ["fault": fault])
            }
            return
        }
        let changed = settings.command.options.filter { news.all($0.name) != settings.all($0.name) }
        for option in changed where option.isReloadable {
            settings.values[option.name] = news.values[option.name]
        }
        let options = ServeCommand.options(settings)
        // The message itself is of the new format already.
        log.use(options.logFormat)
        http?.setAccessLog(options.hasAccessLog)
        let late = changed.filter { !$0.isReloadable }.map(\.name)
        if !late.isEmpty {
            log.warning("SIGHUP: these settings need a restart", ["settings": late.joined(separator: ",")])
        }
        let taken = changed.filter(\.isReloadable).map(\.name)
        log.info("SIGHUP: settings read again", ["changed": taken.isEmpty ? "none" : taken.joined(separator: ",")])
    }

    /// The settings as they are written now; nil: it is not settings that the command line asks for.
    private static func read() throws(Failure) -> Invocation? {
        do throws(UsageError) {
            let parser = CommandLineParser(commands: CommandTable.all, environment: Environment.all)
            guard case .run(let invocation) = try parser.parse(Array(CommandLine.arguments.dropFirst())) else {
                return nil
            }
            return invocation
        } catch {
            throw Failure(error)
        }
    }
}
