// Runs the service. The seam between the command line and the rooms that serve.

import EyeStore
import EyeSystem

/// Runs the service by `options` until it is told to stop; returns the exit code.
func runServe(_ options: ServeOptions) -> Int32 {
    let disk = RealDisk()
    do {
        try disk.makeDirectory(options.data)
        if let first = try AccountFile(disk, folder: options.data, time: SystemTime()).firstStart() {
            try Output.out("user \(first.userName), password \(first.password)\ntoken \(first.token)\n")
        }
        return ExitCode.success
    } catch {
        Output.error("eye: \(error)")
        return ExitCode.failure
    }
}
