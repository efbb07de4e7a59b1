import EyeTestVectors
import Foundation

/// A run of the built `eye`, which lies beside the test bundle.
struct CommandRun {
    let code: Int32
    let out: String
    let error: String

    /// The built command.
    static let executable: URL = {
        let bundle = CommandLine.arguments.compactMap { argument in
            argument.contains(".xctest") ? URL(filePath: argument) : nil
        }
        let places = bundle + [URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()]
        for place in places {
            var folder = place.deletingLastPathComponent()
            for _ in 0..<5 {
                let candidate = folder.appending(path: "eye")
                if FileManager.default.isExecutableFile(atPath: candidate.path),
                    (try? candidate.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
                {
                    return candidate
                }
                folder.deleteLastPathComponent()
            }
        }
        fatalError("eye is not built beside the test bundle")
    }()

    /// Runs it to its end. `environment` is all of EYE_*: what the test runner has of it is not passed on.
    init(_ arguments: [String], input: String = "", environment: [String: String] = [:]) throws {
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        variables.merge(environment) { $1 }
        process.environment = variables
        // Files instead of pipes: nothing can fill up.
        let folder = try TemporaryFolder()
        for name in ["in", "out", "err"] { try Data(input.utf8).write(to: URL(filePath: "\(folder.path)/\(name)")) }
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: "\(folder.path)/in"))
        for name in ["out", "err"] { truncate("\(folder.path)/\(name)", 0) }
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: "\(folder.path)/out"))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: "\(folder.path)/err"))
        try process.run()
        process.waitUntilExit()
        code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        out = String(decoding: try Data(contentsOf: URL(filePath: "\(folder.path)/out")), as: UTF8.self)
        error = String(decoding: try Data(contentsOf: URL(filePath: "\(folder.path)/err")), as: UTF8.self)
    }
}

/// A folder that goes with its owner.
typealias TemporaryFolder = EyeTestVectors.TemporaryFolder
