// How erased events leave the disk, as a part of the background work on closed segments: what the tombstones of closed segments name is
// gathered, every older sealed segment that holds some of it is written anew without it, checked and put in its place, and only then the
// segments with the tombstones are sealed, without what they name, and their log goes; copies that recovery kept go with it. A crash at
// any point leaves the tombstones in the log: the work is done again. On the keeper's thread.

import EyeSystem
import Glibc

extension SegmentKeeper {
    /// Gathers what the tombstones of `bases` (closed segments of the log, and what follows each) say.
    func gatherErasures(_ bases: [(base: UInt64, next: UInt64)]) throws(SystemError) -> PendingErasures {
        var pending = PendingErasures()
        for (base, next) in bases {
            do throws(SystemError) {
                pending.add(try erasures(of: base, next: next), of: base)
            } catch {
                guard error.isMissing else { throw error }
            }
        }
        return pending
    }

    private func erasures(of base: UInt64, next: UInt64) throws(SystemError) -> SegmentErasures {
        let cache = BlockCache(bytesMax: 1 << 20)
        if let index = try IndexFile.open(disk, path: path(base, "index", ".idx"), base: base, cache: cache) {
            do throws(IndexFault) {
                return try index.erasures()
            } catch {
                // Derived: the log has it all.
            }
        }
        let file = try disk.open(path(base, "log", ".log"), .read)
        let builder = IndexBuilder(file, base: base, limit: try file.size(), seed: desk.seed)
        builder.supersededAt = next
        while try builder.step() {}
        return builder.table.erasures
    }

    /// Whether log segment `base` has tombstones.
    func isHolder(_ base: UInt64) -> Bool { desk.pending.holders.contains(base) }

    /// Whether something older than the tombstones of `base` cannot be rid of what they hide.
    func isStuck(_ base: UInt64) throws(SystemError) -> Bool {
        if desk.obstructed.contains(where: { $0.first < base }) { return true }
        for (older, next) in desk.closed where older < base && desk.leftAlone.contains(older) {
            if try isTouched(older, next: next) { return true }
        }
        return false
    }

    /// Whether log segment `base`, which segment `next` follows, may hold something that is erased; where its numbers are not known it may.
    func isTouched(_ base: UInt64, next: UInt64) throws(SystemError) -> Bool {
        if desk.pending.isEmpty { return false }
        guard let first = try firstEventID(ofSegment: base), let end = try firstEventID(ofSegment: next) else {
            return true
        }
        return desk.pending.touches(ids: first..<max(first, end), sequences: base..<next)
    }

    /// The next sealed segment that holds something erased, before any segment with tombstones may be sealed; nil: there is none.
    func nextToRewrite() throws(SystemError) -> (name: SegmentName, file: SealedFile)? {
        guard let newest = desk.pending.holders.max() else { return nil }
        for name in try SegmentList(disk, folder).segments where name.isSealed && name.first < newest {
            if desk.pending.clean.contains(name) || desk.obstructed.contains(name) { continue }
            let cache = BlockCache(bytesMax: StoreLimits.sealedComparisonCacheBytes)
            guard let file = try SealedFile.open(disk, folder: folder, name, cache: cache) else {
                obstruct(name, "its head is damaged")
                continue
            }
            do throws(IndexFault) {
                if try file.holds(desk.pending.omission) { return (name, file) }
                desk.pending.clean.insert(name)
            } catch {
                guard case .system(let error) = error else {
                    obstruct(name, "it is damaged")
                    continue
                }
                throw error
            }
        }
        return nil
    }

    /// Begins to write a sealed segment anew.
    func beginRewrite(_ name: SegmentName, _ old: SealedFile) throws(SystemError) {
        try checkRoom(name.first)
        try disk.removeIfPresent(temporary(name.first))
        let sealer = try SegmentSealer(
            sealed: old, to: temporary(name.first), disk, decomposer: options.decomposer,
            omission: desk.pending.omission, seed: desk.seed, room: room)
        desk.rewrite = (name, old, .sealing(sealer))
    }

    /// Does a little of it.
    func goOnRewriting(_ name: SegmentName, _ old: SealedFile, _ what: Rewrite) throws(SystemError) {
        switch what {
        case .sealing(let sealer):
            do throws(IndexFault) {
                if try sealer.step() { return }
            } catch {
                guard case .system(let error) = error else { return obstruct(name, "it is damaged") }
                throw error
            }
            let cache = BlockCache(bytesMax: StoreLimits.sealedComparisonCacheBytes)
            guard let fresh = try SealedFile.open(disk, path: temporary(name.first), cache: cache), fresh.isNamed(name)
            else { return obstruct(name, "what was written cannot be read back") }
            desk.rewrite = (name, old, .comparing(RewriteComparison(old, fresh, desk.pending.omission), fresh))
        case .comparing(let comparison, let fresh):
            switch comparison.step() {
            case .working: return
            case .different(let what): obstruct(name, what)
            case .same: try replace(name, old, by: fresh)
            }
        }
    }

    private func replace(_ name: SegmentName, _ old: SealedFile, by fresh: SealedFile) throws(SystemError) {
        let path = folder + "/" + name.file
        let before = try disk.open(path, .read).size()
        let after = try disk.open(temporary(name.first), .read).size()
        try disk.rename(temporary(name.first), to: path)
        CrashPoint.reach(.sealedRewritten)
        try disk.synchronizeDirectory(folder + "/sealed")
        desk.pending.clean.insert(name)
        desk.retention.numbers[name] = nil
        desk.rewrite = nil
        desk.tried = nil
        note { status in
            status.sealedBytes &+= UInt64(after) &- UInt64(before)
            status.sealedEvents &+= UInt64(fresh.rows) &- UInt64(old.rows)
            status.rewritings += 1
            status.lastError = nil
        }
    }

    /// A sealed segment cannot be written anew, or nobody can say whether it has to be: what hides its erased events has to stay, in this life.
    private func obstruct(_ name: SegmentName, _ what: String) {
        desk.rewrite = nil
        desk.obstructed.insert(name)
        do throws(SystemError) { try disk.removeIfPresent(temporary(name.first)) } catch {
            // Removed at the next start.
        }
        note { $0.obstruction = "\(name.file) may hold erased events and cannot be written anew: \(what)" }
    }

    /// Before a segment with tombstones goes: copies that recovery and the keeper made may hold what they hide. With the oldest segments
    /// go the copies of those that begin `before` a sequence.
    func removeCopies(before end: UInt64 = UInt64.max) throws(SystemError) {
        for (part, suffix) in [("/log", ".torn"), ("/log", ".bad"), ("/sealed", ".bad")] {
            var isChanged = false
            var names: [String] = []
            do throws(SystemError) {
                names = try disk.list(folder + part)
            } catch {
                // Nothing was ever sealed.
                guard error.isMissing else { throw error }
            }
            for name in names where name.hasSuffix(suffix) {
                guard SegmentFolder.base(String(name.prefix(20)), "") ?? 0 < end else { continue }
                try disk.removeIfPresent(folder + part + "/" + name)
                isChanged = true
            }
            if isChanged { try disk.synchronizeDirectory(folder + part) }
        }
    }
}
