// The receipts of erasures, newest first: from the tombstones of the log, and from what they left behind in sealed segments. A receipt that
// stands in sealed segments only is of an erasure whose bytes are gone: before a tombstone's segment is sealed, everything that it hides
// has been written anew without it. Bounded work a step; on its reader's thread.

import EyeSystem
import Glibc

/// A listing of receipts under way.
public final class ReceiptCursor {
    private var snapshot: Snapshot
    /// Only receipts with a lower number are left to be shown.
    private var before: UInt64
    /// The segment to look at; -1: done.
    private var current: Int
    /// What is still to be shown of the segment looked at last, the next one at the end.
    private var found: [(receipt: ErasureReceipt, isRemoved: Bool)] = []
    /// Later tombstones of the erasure that is being put together.
    private var rest: (receipt: ErasureReceipt, isRemoved: Bool)?
    private var misses = 0
    private static let missesMax = 8

    init(_ snapshot: Snapshot, before: UInt64?) {
        self.snapshot = snapshot
        self.before = min(before ?? UInt64.max, snapshot.nextSequence ?? UInt64.max)
        current = snapshot.segments.count - 1
    }

    /// Shows receipts to `body` until the step's work is done, `body` returns false, or there are no more. `isRemoved`: no file holds any of
    /// it.
    public func step(
        _ body: (_ receipt: ErasureReceipt, _ isRemoved: Bool) -> Bool
    ) throws(SystemError) -> CursorState {
        var budget = StoreLimits.workPerStep
        while budget > 0 {
            if let next = found.popLast() {
                guard next.receipt.id < before else { continue }
                before = next.receipt.id
                budget -= 500
                if !body(next.receipt, next.isRemoved) { return .paused }
                continue
            }
            guard current >= 0 else { return .end }
            budget -= try takeSegment()
        }
        return .more
    }

    private func takeSegment() throws(SystemError) -> Int {
        let name = snapshot.segments[current]
        do throws(SystemError) {
            guard let index = try snapshot.prepare(current) else { return StoreLimits.workPerIndexedFrame }
            do throws(IndexFault) {
                take(try index.erasures().receipts, isSealed: name.isSealed)
            } catch {
                switch error {
                case .damaged where !name.isSealed:
                    snapshot.reader.segment(name).distrustIndex()
                    return StoreLimits.workPerIndexedFrame
                // Of a damaged sealed segment there is nothing else to ask.
                case .damaged: break
                case .system(let error): throw error
                }
            }
            current -= 1
            return 10_000
        } catch {
            guard error.isMissing else { throw error }
            snapshot.reader.noteMissing(name)
            misses += 1
            if misses > ReceiptCursor.missesMax {
                misses = 0
                current -= 1
                return 10_000
            }
            try snapshot.listAgain()
            // What was shown already is not shown again.
            current = (snapshot.segments.firstIndex { $0.first > name.first } ?? snapshot.segments.count) - 1
            return 100_000
        }
    }

    /// Takes up a segment's tombstones, put together to erasures; its oldest ones may go on with some of the segment before.
    private func take(_ receipts: [ErasureReceipt], isSealed: Bool) {
        var newest: [(receipt: ErasureReceipt, isRemoved: Bool)] = []
        for receipt in receipts.reversed() {
            var whole = (receipt: receipt, isRemoved: isSealed)
            if let rest {
                whole.receipt.add(rest.receipt)
                whole.isRemoved = whole.isRemoved && rest.isRemoved
                self.rest = nil
            }
            if receipt.isMore { rest = whole } else { newest.append(whole) }
        }
        found = newest.reversed()
    }
}

extension Snapshot {
    /// A cursor over receipts of erasures with numbers below `before` (nil: all), newest first.
    public func receipts(before: UInt64? = nil) -> ReceiptCursor { ReceiptCursor(self, before: before) }
}
