// The command `eye`: takes the command line apart, runs one subcommand, ends with its exit code. On the main thread.

import EyeSystem
import EyeWire
import Glibc

@main
struct Eye {
    static func main() {
        StandardStream.openMissing()
        StandardStream.ignoreWriteSignals()
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        let parser = CommandLineParser(commands: CommandTable.all, environment: Environment.all)
        do {
            switch try parser.parse(arguments) {
            case .help(let text): try Output.out(text)
            case .version: try Output.out("eye \(EyeVersion.text)\n")
            case .run(let invocation): return try invocation.command.run(invocation)
            }
            return ExitCode.success
        } catch let error as UsageError {
            for line in error.lines { Output.error(line) }
            return ExitCode.usage
        } catch let failure as Failure {
            for line in failure.lines { Output.error(line) }
            return failure.code
        } catch {
            Output.error("eye: \(error)")
            return ExitCode.failure
        }
    }
}

/// The process's environment.
enum Environment {
    /// Every variable by its name.
    static var all: [String: String] {
        var variables: [String: String] = [:]
        for name in CommandTable.variables {
            // getenv(3) ends with NUL; nothing here changes the environment meanwhile.
            if let value = unsafe getenv(name) { variables[name] = unsafe String(cString: value) }
        }
        return variables
    }
}
