import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Synchronization
import Testing

@testable import EyeServer

/// The real disk, but for the log: its writes, or those of the watermark, fail with ENOSPC while it is told to be full, its syncs take until
/// it is told to go on, and no segment can be begun (EMFILE) while it lacks descriptors.
final class FillableDisk: Disk {
    let isFull = Atomic<Bool>(false)
    let isMarkFull = Atomic<Bool>(false)
    let isHeld = Atomic<Bool>(false)
    let lacksDescriptors = Atomic<Bool>(false)
    private let real = RealDisk()

    private final class File: DiskFile {
        let real: any DiskFile
        let disk: FillableDisk
        let isLog: Bool
        let isMark: Bool
        init(_ real: any DiskFile, _ disk: FillableDisk, isLog: Bool, isMark: Bool) {
            self.real = real
            self.disk = disk
            self.isLog = isLog
            self.isMark = isMark
        }
        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
            try real.read(into: buffer, at: offset)
        }
        func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64) throws(SystemError) {
            if isLog && disk.isFull.load(ordering: .relaxed) {
                // Half of the first piece gets through, as on a real disk.
                let half = UnsafeRawBufferPointer(rebasing: pieces[0][..<(pieces[0].count / 2)])
                try real.write(half, at: offset)
                throw SystemError(errno: ENOSPC, call: "pwritev")
            }
            if isMark && disk.isMarkFull.load(ordering: .relaxed) { throw SystemError(errno: ENOSPC, call: "pwritev") }
            try real.write(pieces, at: offset)
        }
        func synchronize() throws(SystemError) {
            while isLog && disk.isHeld.load(ordering: .relaxed) { usleep(200) }
            try real.synchronize()
        }
        func truncate(to bytes: Int64) throws(SystemError) { try real.truncate(to: bytes) }
        func size() throws(SystemError) -> Int64 { try real.size() }
    }

    func open(_ path: String, _ mode: DiskOpenMode) throws(SystemError) -> any DiskFile {
        let isLog = path.contains("/log/")
        if isLog, mode == .create, lacksDescriptors.load(ordering: .relaxed) {
            throw SystemError(errno: EMFILE, call: "open")
        }
        return File(try real.open(path, mode), self, isLog: isLog, isMark: path.contains("/watermark"))
    }
    func list(_ directory: String) throws(SystemError) -> [String] { try real.list(directory) }
    func rename(_ from: String, to: String) throws(SystemError) { try real.rename(from, to: to) }
    func remove(_ path: String) throws(SystemError) { try real.remove(path) }
    func makeDirectory(_ path: String) throws(SystemError) { try real.makeDirectory(path) }
    func synchronizeDirectory(_ path: String) throws(SystemError) { try real.synchronizeDirectory(path) }
    func freeBytes(_ path: String) throws(SystemError) -> UInt64 { try real.freeBytes(path) }
    func lock(_ path: String, waitMilliseconds: Int) throws(SystemError) -> any DiskLock {
        try real.lock(path, waitMilliseconds: waitMilliseconds)
    }
    func stamp(_ path: String) throws(SystemError) -> FileStamp { try real.stamp(path) }
}

@Suite struct FullDiskTests {
    /// Also where it is the watermark alone that finds no room.
    @Test(arguments: [false, true]) func aFullDiskRefusesAndResumesByItself(isMark: Bool) throws {
        let disk = FillableDisk()
        func fill(_ isFull: Bool) {
            if isMark {
                disk.isMarkFull.store(isFull, ordering: .relaxed)
            } else {
                disk.isFull.store(isFull, ordering: .relaxed)
            }
        }
        let ingest = try RunningIngest(disk: disk)
        let client = try ingest.connectTCP()
        try client.send("MODE each\n\(ingest.line())\n")
        #expect(try client.readLine() == "+OK each")
        #expect(try client.readLine() == "+OK 1 1")
        fill(true)
        for line in 2...20 {
            try client.send(ingest.line() + "\n")
            #expect(try client.readLine()?.hasPrefix("-ERR \(line) storage-full ") == true)
        }
        fill(false)
        var line = 20
        var answer = ""
        repeat {
            line += 1
            try client.send(ingest.line() + "\n")
            answer = try client.readLine() ?? "closed"
        } while answer.hasPrefix("-ERR \(line) storage-full")
        // Ids have no gap: nothing of the refused lines was stored.
        #expect(answer == "+OK \(line) 2")
        try client.send("QUIT\n")
        #expect(try client.readLine() == "+BYE received=\(line) accepted=2 rejected=\(line - 2) duplicate=0")
    }

    /// The next segment cannot be begun: that is refused like a full disk, and goes by when there is a descriptor.
    @Test func noDescriptorForTheNextSegmentIsARefusal() throws {
        let disk = FillableDisk()
        let ingest = try RunningIngest(disk: disk, segmentBytes: 1 << 20)
        let client = try ingest.connectTCP()
        try client.send("MODE each\n")
        #expect(try client.readLine() == "+OK each")
        disk.lacksDescriptors.store(true, ordering: .relaxed)
        let event = ingest.line(data: #"{"a":"\#(String(repeating: "y", count: 60_000))"}"#) + "\n"
        var (line, stored, refused) = (0, 0, 0)
        while refused < 5 {
            line += 1
            try client.send(event)
            let answer = try client.readLine() ?? "closed"
            if answer == "+OK \(line) \(line)" { stored += 1 } else { refused += 1 }
            #expect(refused == 0 || answer.hasPrefix("-ERR \(line) storage-full "), "\(answer)")
            if stored > 20 { break }
        }
        #expect(stored > 10 && refused == 5)
        disk.lacksDescriptors.store(false, ordering: .relaxed)
        var answer = ""
        repeat {
            line += 1
            try client.send(event)
            answer = try client.readLine() ?? "closed"
        } while answer.hasPrefix("-ERR \(line) storage-full")
        // Nothing of the refused lines was stored, nothing of the others lost.
        #expect(answer == "+OK \(line) \(stored + 1)")
        #expect(try ErasureDeskTests.visible(ingest.folder) == UInt64(stored + 1))
    }

    @Test func aClientIsStoppedUntilItGreetsAgain() throws {
        let disk = FillableDisk()
        let ingest = try RunningIngest(disk: disk)
        let client = try ingest.connectTCP()
        let hello = #"HELLO {"proto":1,"token":"\#(ingest.token)","client_id":"a","mode":"each"}"# + "\n"
        try client.send(hello)
        #expect(try client.readLine()?.contains(#""last_seq":0"#) == true)
        disk.isFull.store(true, ordering: .relaxed)
        try client.send(ingest.line("1") + "\n")
        #expect(try client.readLine()?.hasPrefix("-ERR 1 storage-full ") == true)
        disk.isFull.store(false, ordering: .relaxed)
        // Others are served again; this client is not, whatever it sends, until it says HELLO.
        let other = try ingest.connectTCP()
        try other.send("MODE each\n")
        #expect(try other.readLine() == "+OK each")
        var answer = ""
        repeat {
            try other.send(ingest.line() + "\n")
            answer = try other.readLine() ?? "closed"
        } while answer.contains("storage-full")
        #expect(answer.hasPrefix("+OK "))
        try client.send(ingest.line("2") + "\n")
        #expect(try client.readLine()?.hasPrefix("-ERR 2 storage-full ") == true)
        try client.send(hello)
        #expect(try client.readLine()?.contains(#""last_seq":0"#) == true)
        try client.send(ingest.line("1") + "\n")
        #expect(try client.readLine()?.hasPrefix("+OK 1 ") == true)
    }
}
