// A disk that forgets: what was not synced may be there, lost, cut at a sector or garbage after a crash, in any mixture the seed
// chooses. Data is durable by `synchronize` of the file, names by `synchronizeDirectory`. Every sync is a place to crash at.

import EyeSystem
import Glibc

@testable import EyeStore

/// The machine stopped.
let crashErrno: Int32 = 9999

final class SimulatedDisk: Disk, @unchecked Sendable {
    /// One change of a file's content, not yet durable.
    enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(Int)
    }

    /// A file's content, whatever its names.
    final class Node {
        var now: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []
        /// Tells nodes apart, and how often this one was changed.
        let number = UInt64.random(in: 1...UInt64.max)
        var changes = 0
    }

    /// A change of a name. It speaks of a file, not of whatever has the name when the change reaches the disk: a directory's entry holds
    /// the inode's number, so that a rename whose forerunners are lost cannot name another file.
    enum NameChange {
        case add(String, Node)
        case remove(String, Node)
        case rename(String, String, Node)
    }

    var names: [String: Node] = [:]
    var durableNames: [String: Node] = [:]
    var pendingNames: [NameChange] = []
    var directories: Set<String> = []
    var locked: Set<String> = []

    /// Syncs left until the machine stops; nil: it never does.
    var syncsLeft: Int?
    /// Calls of `stamp`.
    var stamps = 0
    /// Files that left the page cache.
    var uncached: [Node] = []
    /// Counts every sync.
    var syncs = 0
    var isStopped = false

    // Faults to inject.
    /// Bytes that may still be written before ENOSPC; nil: endless.
    var room: Int?
    var fullErrno: Int32 = ENOSPC
    /// Overwritten bytes need room too, as on btrfs.
    var isCopyOnWrite = false
    /// Files that cannot be opened for reading: EIO.
    var unreadable: Set<String> = []
    /// The number of the sync that fails with EIO (data is then as if never written, and marked clean).
    var failingSync: Int?
    /// Reported by `freeBytes` …
    var free: UInt64 = 1 << 40
    /// … unless the disk has so many bytes: then what its files leave. The least that was ever left is in `leastFree`.
    var capacity: Int?
    private(set) var leastFree = Int.max

    final class File: DiskFile, @unchecked Sendable {
        let disk: SimulatedDisk
        let node: Node
        let isWritable: Bool
        init(_ disk: SimulatedDisk, _ node: Node, isWritable: Bool) {
            self.disk = disk
            self.node = node
            self.isWritable = isWritable
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
            try disk.alive("pread")
            let start = min(Int(offset), node.now.count)
            let count = min(buffer.count, node.now.count - start)
            if count > 0 { buffer.copyBytes(from: node.now[start..<(start + count)]) }
            return count
        }

        func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64) throws(SystemError) {
            try disk.alive("pwritev")
            precondition(isWritable)
            var bytes: [UInt8] = []
            for piece in pieces { bytes.append(contentsOf: piece) }
            var isFull = false
            if let room = disk.room {
                func needed() -> Int {
                    disk.isCopyOnWrite ? bytes.count : max(0, Int(offset) + bytes.count - node.now.count)
                }
                let growth = needed()
                if growth > room {
                    bytes.removeLast(min(bytes.count, growth - room))
                    isFull = true
                }
                disk.room = room - needed()
            }
            if !bytes.isEmpty {
                Node.apply(.write(offset: Int(offset), bytes: bytes), to: &node.now)
                node.pending.append(.write(offset: Int(offset), bytes: bytes))
                node.changes += 1
            }
            if let capacity = disk.capacity { disk.leastFree = min(disk.leastFree, disk.left(of: capacity)) }
            if isFull { throw SystemError(errno: disk.fullErrno, call: "pwritev") }
        }

        func synchronize() throws(SystemError) {
            try disk.sync("fdatasync")
            if disk.failingSync == disk.syncs {
                // Linux: the pages are marked clean and are never written.
                node.pending.removeAll()
                throw SystemError(errno: EIO, call: "fdatasync")
            }
            node.durable = node.now
            node.pending.removeAll()
        }

        func truncate(to bytes: Int64) throws(SystemError) {
            try disk.alive("ftruncate")
            if let room = disk.room { disk.room = room + max(0, node.now.count - Int(bytes)) }
            Node.apply(.truncate(Int(bytes)), to: &node.now)
            node.pending.append(.truncate(Int(bytes)))
        }

        func size() throws(SystemError) -> Int64 {
            try disk.alive("fstat")
            return Int64(node.now.count)
        }

        func isNamed(_ path: String) -> Bool { disk.names[path] === node }

        func uncache() { disk.uncached.append(node) }
    }

    final class Lock: DiskLock, @unchecked Sendable {
        let disk: SimulatedDisk
        let path: String
        init(_ disk: SimulatedDisk, _ path: String) {
            self.disk = disk
            self.path = path
        }
        deinit { disk.locked.remove(path) }
    }

    func alive(_ call: StaticString) throws(SystemError) {
        if isStopped { throw SystemError(errno: crashErrno, call: call) }
    }

    /// Every sync passes here: the moment before it is where crashes happen.
    func sync(_ call: StaticString) throws(SystemError) {
        try alive(call)
        syncs += 1
        if let left = syncsLeft {
            if left == 0 {
                isStopped = true
                throw SystemError(errno: crashErrno, call: call)
            }
            syncsLeft = left - 1
        }
    }

    func open(_ path: String, _ mode: DiskOpenMode) throws(SystemError) -> any DiskFile {
        try alive("open")
        switch mode {
        case .read, .write:
            if mode == .read, unreadable.contains(path) { throw SystemError(errno: EIO, call: "open") }
            guard let node = names[path] else { throw SystemError(errno: ENOENT, call: "open") }
            return File(self, node, isWritable: mode == .write)
        case .create:
            guard names[path] == nil else { throw SystemError(errno: EEXIST, call: "open") }
            let node = Node()
            names[path] = node
            noteChange(path)
            pendingNames.append(.add(path, node))
            return File(self, node, isWritable: true)
        }
    }

    func list(_ directory: String) throws(SystemError) -> [String] {
        try alive("opendir")
        guard directories.contains(directory) else { throw SystemError(errno: ENOENT, call: "opendir") }
        return names.keys.filter { $0.hasPrefix(directory + "/") && !$0.dropFirst(directory.count + 1).contains("/") }
            .map { String($0.dropFirst(directory.count + 1)) }
    }

    func rename(_ from: String, to: String) throws(SystemError) {
        try alive("rename")
        guard let node = names.removeValue(forKey: from) else { throw SystemError(errno: ENOENT, call: "rename") }
        names[to] = node
        noteChange(from)
        noteChange(to)
        pendingNames.append(.rename(from, to, node))
    }

    func remove(_ path: String) throws(SystemError) {
        try alive("unlink")
        guard let node = names.removeValue(forKey: path) else { throw SystemError(errno: ENOENT, call: "unlink") }
        noteChange(path)
        pendingNames.append(.remove(path, node))
    }

    func makeDirectory(_ path: String) throws(SystemError) {
        try alive("mkdir")
        directories.insert(path)
    }

    func synchronizeDirectory(_ path: String) throws(SystemError) {
        try sync("fsync")
        // A journal: all changes of names become durable together, in order.
        for change in pendingNames { SimulatedDisk.apply(change, to: &durableNames) }
        pendingNames.removeAll()
    }

    /// Of a file: which one, and its content by length; of a folder: how often its names were changed.
    func stamp(_ path: String) throws(SystemError) -> FileStamp {
        try alive("stat")
        stamps += 1
        if let node = names[path] {
            return FileStamp(
                device: 0, inode: node.number, modifiedNanoseconds: Int64(node.changes), bytes: Int64(node.now.count))
        }
        guard directories.contains(path) else { throw SystemError(errno: ENOENT, call: "stat") }
        return FileStamp(device: 0, inode: 0, modifiedNanoseconds: Int64(nameChanges[path, default: 0]), bytes: 0)
    }

    /// Counts the changes of names in each folder.
    private var nameChanges: [String: Int] = [:]
    private func noteChange(_ path: String) {
        nameChanges[String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), default: 0] += 1
    }

    func freeBytes(_ path: String) throws(SystemError) -> UInt64 {
        capacity.map { UInt64(max(0, left(of: $0))) } ?? free
    }

    private func left(of capacity: Int) -> Int { capacity - names.values.reduce(0) { $0 + $1.now.count } }

    func lock(_ path: String, waitMilliseconds: Int) throws(SystemError) -> any DiskLock {
        guard locked.insert(path).inserted else { throw SystemError(errno: EWOULDBLOCK, call: "flock") }
        return Lock(self, path)
    }

    static func apply(_ change: NameChange, to names: inout [String: Node]) {
        switch change {
        case .add(let path, let node): names[path] = node
        case .remove(let path, let node): if names[path] === node { names[path] = nil }
        case .rename(let from, let to, let node):
            if names[from] === node { names[from] = nil }
            names[to] = node
        }
    }

    /// What is there after power comes back.
    func afterCrash(_ random: inout SeededGenerator) -> SimulatedDisk {
        let fresh = SimulatedDisk()
        fresh.directories = directories
        var after = durableNames
        // Names: a prefix of the journal, or any subset of it.
        let isPrefix = Bool.random(using: &random)
        let kept = Int.random(in: 0...pendingNames.count, using: &random)
        for (index, change) in pendingNames.enumerated() {
            if isPrefix ? index < kept : Bool.random(using: &random) { SimulatedDisk.apply(change, to: &after) }
        }
        var copies: [ObjectIdentifier: Node] = [:]
        // In an order of its own, so that a seed tells the whole life.
        for (path, node) in after.sorted(by: { $0.key < $1.key }) {
            if let copy = copies[ObjectIdentifier(node)] {
                fresh.names[path] = copy
                continue
            }
            let copy = Node()
            copy.now = node.afterCrash(&random)
            copy.durable = copy.now
            copies[ObjectIdentifier(node)] = copy
            fresh.names[path] = copy
        }
        fresh.durableNames = fresh.names
        return fresh
    }
}

extension SimulatedDisk.Node {
    static func apply(_ change: SimulatedDisk.Change, to bytes: inout [UInt8]) {
        switch change {
        case .truncate(let count):
            if count < bytes.count {
                bytes.removeLast(bytes.count - count)
            } else {
                bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
            }
        case .write(let offset, let fresh):
            if bytes.count < offset { bytes.append(contentsOf: repeatElement(0, count: offset - bytes.count)) }
            let end = min(offset + fresh.count, bytes.count)
            bytes.replaceSubrange(offset..<end, with: fresh)
        }
    }

    /// Unsynced changes kept, lost, cut at sectors or garbled, in any subset.
    func afterCrash(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = durable
        let mode = Int.random(in: 0..<4, using: &random)
        for change in pending {
            let fate = mode == 0 ? 0 : mode == 1 ? 1 : Int.random(in: 0..<5, using: &random)
            switch (change, fate) {
            case (_, 0): SimulatedDisk.Node.apply(change, to: &bytes)
            case (_, 1): break
            case (.truncate, _): if Bool.random(using: &random) { SimulatedDisk.Node.apply(change, to: &bytes) }
            case (.write(let offset, let fresh), 2):
                // Cut at a sector.
                let end = (offset + Int.random(in: 0...fresh.count, using: &random)) / 512 * 512
                if end > offset {
                    SimulatedDisk.Node.apply(
                        .write(offset: offset, bytes: Array(fresh[..<min(end - offset, fresh.count)])), to: &bytes)
                }
            case (.write(let offset, let fresh), _):
                // Sector by sector: there, not there, or garbage.
                var start = 0
                while start < fresh.count {
                    let end = min(((offset + start) / 512 + 1) * 512 - offset, fresh.count)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0:
                        SimulatedDisk.Node.apply(
                            .write(offset: offset + start, bytes: Array(fresh[start..<end])), to: &bytes)
                    case 1 where fate == 4:
                        let garbage = (start..<end).map { _ in UInt8.random(in: 0...255, using: &random) }
                        SimulatedDisk.Node.apply(.write(offset: offset + start, bytes: garbage), to: &bytes)
                    default: break
                    }
                    start = end
                }
            }
        }
        return bytes
    }
}
