// SIGHUP: reads the configuration file again and takes over what can change while the service runs. What cannot is
// named in the log, and so is a file with faults, which changes nothing. Main thread.

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
        do throws(UsageError) {
            let parser = CommandLineParser(commands: CommandTable.all, environment: Environment.all)
            guard case .run(let invocation) = try parser.parse(Array(CommandLine.arguments.dropFirst())) else { return }
            news = invocation
        } catch {
            for message in error.messages {
                log.error("SIGHUP: the settings stay as they are", ["fault": message])
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
}
