// Lines as a person pastes them: run by bash, with the built `eye` on the path.

import Foundation

/// A run of a bash script.
struct Shell {
    let code: Int32
    let out: String
    let error: String

    /// Whether a command is there; without it a test that needs it has nothing to say.
    static func has(_ command: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(command)")
        }
    }

    init(_ script: String, input: String = "", environment: [String: String] = [:]) throws {
        let folder = try TemporaryFolder()
        try Data(input.utf8).write(to: URL(filePath: "\(folder.path)/in"))
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", script]
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        let eye = CommandRun.executable.deletingLastPathComponent().path
        variables["PATH"] = "\(eye):\(variables["PATH"] ?? "/usr/bin:/bin")"
        variables.merge(environment) { $1 }
        process.environment = variables
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: "\(folder.path)/in"))
        process.standardOutput = try folder.write("out")
        process.standardError = try folder.write("err")
        try process.run()
        process.waitUntilExit()
        code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        out = try folder.read("out")
        error = try folder.read("err")
    }
}
