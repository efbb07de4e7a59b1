// The real process on a disk that fails, by a library in front of libc: Tests/Checks/durability/faults.c.

import EyeSystem
import Foundation
import Testing

@Suite(.timeLimit(.minutes(5)), .enabled(if: Shell.has("cc"), "a C compiler is needed")) struct DiskFaultTests {
    private let home: TemporaryFolder
    private let data: String

    init() throws {
        home = try TemporaryFolder()
        data = "\(home.path)/data"
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../Checks/durability/faults.c")
        let build = try Shell("cc -O1 -shared -fPIC -o \(home.path)/faults.so '\(source.standardized.path)' -ldl")
        #expect(build.code == 0, "\(build.error)")
        #expect(try CommandRun(["init", "--data", data]).code == 0)
    }

    private func faulty(_ name: String, _ value: String) -> [String: String] {
        ["LD_PRELOAD": "\(home.path)/faults.so", name: value]
    }

    /// An error of the disk is 74, whatever it was about.
    @Test func accountsThatTheDiskCannotRead() throws {
        let environment = faulty("FAULT_UNREADABLE", "/data/accounts")
        let served = try ServedStore(data, environment: environment)
        #expect(served.wait() == 74, "\(served.log)")
        #expect(served.log.contains("accounts: pread: Input/output error"), "\(served.log)")
        #expect(try CommandRun(["token", "list", "--data", data], environment: environment).code == 74)
    }

    /// Samples of refused lines are told to be damaged, in the log and on the ready page, and the service starts.
    @Test func samplesThatTheDiskCannotRead() throws {
        let name = "rejected/log/00000000000000000001.log"
        let first = try ServedStore(data, ServedStore.both)
        #expect(try first.isReady())
        #expect(first.stop() == 0)
        let served = try ServedStore(data, ServedStore.both, environment: faulty("FAULT_UNREADABLE", name))
        try #require(try served.isReady(), "\(served.log)")
        #expect(served.log.contains("damage among the samples of refused lines"), "\(served.log)")
        #expect(
            served.log.contains("\(name): it cannot be read (pread: Input/output error); set aside"), "\(served.log)")
        let ready = try served.get("/-/ready")
        #expect(ready.hasPrefix("HTTP/1.1 200") && ready.contains("1 damaged place among the samples"), "\(ready)")
        #expect(served.stop() == 0)
        let verify = try CommandRun(["verify", "--data", data])
        #expect(verify.code == 0, "\(verify.out)")
        let next = try ServedStore(data, ServedStore.both)
        #expect(try next.isReady())
        #expect(next.stop() == 0 && !next.log.contains("damage"), "\(next.log)")
    }

    /// What it went on to write would be in nobody's store, or in another one's.
    @Test(arguments: ["folder", "segment", "log"]) func whatIsTakenAwayEndsIt(_ what: String) throws {
        let token = try CommandRun(["token", "add", "till", "--data", data]).out.split(separator: "\n")[0]
        let served = try ServedStore(data)
        try #require(try served.isReady(), "\(served.log)")
        let place = what == "folder" ? "\(home.path)/away" : data
        switch what {
        case "folder": try FileManager.default.moveItem(atPath: data, toPath: place)
        case "segment": try FileManager.default.removeItem(atPath: "\(data)/log/00000000000000000001.log")
        default: try FileManager.default.moveItem(atPath: "\(data)/log", toPath: "\(home.path)/log")
        }
        // It may have looked before anybody can come.
        if let socket = try? Socket.connect(try SocketAddress.path("\(place)/ingest.sock")) {
            try? socket.sendAll(Array("MODE each\n\(token) \(TestEvents.lines(1...1, padding: 1)[0])\n".utf8))
            let answer = String(decoding: (try? socket.readToEnd()) ?? [], as: UTF8.self)
            #expect(!answer.contains("+OK 1 "), "\(answer)")
        }
        #expect(served.wait() == 74 && served.log.contains("was moved, replaced or removed"), "\(served.log)")
    }

    /// Also when nobody sends anything, and when it is told to stop: what was acknowledged is not where it belongs.
    @Test(arguments: [false, true]) func whatIsTakenAwayFromAnIdleOneEndsIt(isStopped: Bool) throws {
        let served = try ServedStore(data)
        try #require(try served.isReady(), "\(served.log)")
        try FileManager.default.moveItem(atPath: "\(data)/log", toPath: "\(home.path)/log")
        #expect((isStopped ? served.stop() : served.wait()) == 74)
        #expect(served.log.contains("was moved, replaced or removed"), "\(served.log)")
        #expect(!served.log.contains("every line that was received is stored"), "\(served.log)")
    }

    /// Where a folder cannot be locked (NFS), the file alone is the lock.
    @Test func aFolderThatCannotBeLocked() throws {
        let environment = faulty("FAULT_FOLDER_LOCKS", "1")
        let served = try ServedStore(data, environment: environment)
        try #require(try served.isReady(), "\(served.log)")
        #expect(
            try CommandRun(["verify", "--data", data], environment: environment).out.hasPrefix("The service is running")
        )
        let second = try ServedStore(data, environment: environment)
        #expect(second.wait() == 4 && second.log.contains("in use by another eye process"), "\(second.log)")
        #expect(served.stop() == 0)
    }
}
