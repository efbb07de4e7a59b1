// `eye tail` on a data folder: straight from the store's files, by looking at them now and then.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import Glibc

/// One run of `eye tail` that reads files.
struct TailFolder {
    private let plan: TailPlan
    private let source: StoreSource
    private static let document = EventWriter(.json, fields: nil)

    /// How often the store is looked at for new events.
    private static let lookMilliseconds: Int32 = 100

    init(_ plan: TailPlan, _ source: StoreSource) {
        self.plan = plan
        self.source = source
    }

    /// Shows the last events, then follows until nobody reads any more.
    func run() throws(Failure) {
        var refused = try source.lastRejectedID()
        var (shown, store) = try showLast()
        while !plan.isOnce {
            let isAlone = try Failure.of("stdout") { () throws(SystemError) in
                try StandardStream.pauseWhileRead(STDOUT_FILENO, milliseconds: TailFolder.lookMilliseconds)
            }
            if isAlone { return }
            (shown, store) = try showNew(after: shown, of: store)
            if plan.showsRejected { refused = try showRejected(after: refused) }
        }
    }

    /// Returns the highest id there is, and the number of the store that it is of.
    private func showLast() throws(Failure) -> (shown: UInt64, store: UInt64) {
        let snapshot = try source.snapshot()
        guard plan.last > 0 else { return (snapshot.lastEventID, snapshot.storeNumber) }
        let (text, last) = (plan.text, plan.last)
        var lines: [[UInt8]] = []
        _ = try source.read(snapshot.cursor(plan.filter)) { event in
            lines.append(TailFolder.line(event, text))
            return lines.count < last
        }
        for line in lines.reversed() { try Output.out(line) }
        return (snapshot.lastEventID, snapshot.storeNumber)
    }

    private func showNew(after id: UInt64, of store: UInt64) throws(Failure) -> (shown: UInt64, store: UInt64) {
        let snapshot = try source.snapshot()
        if snapshot.storeNumber != store && snapshot.lastEventID < id {
            Output.error(TailPlan.reset(newest: snapshot.lastEventID, after: id))
            return (snapshot.lastEventID, snapshot.storeNumber)
        }
        guard snapshot.lastEventID > id else { return (id, snapshot.storeNumber) }
        var filter = plan.filter
        filter.idAbove = id
        filter.newestFirst = false
        let text = plan.text
        // Written out once for each step of the cursor: few calls, and bounded.
        var lines: [UInt8] = []
        let cursor = snapshot.cursor(filter)
        _ = try source.read(cursor) { event in
            lines.append(contentsOf: TailFolder.line(event, text))
            return true
        } afterStep: { () throws(Failure) in
            try Output.out(lines)
            lines.removeAll(keepingCapacity: true)
        }
        return (snapshot.lastEventID, snapshot.storeNumber)
    }

    private func showRejected(after id: UInt64) throws(Failure) -> UInt64 {
        let last = try source.lastRejectedID()
        guard last > id else { return last }
        let text = plan.text
        var shown = id
        var lines: [UInt8] = []
        try source.rejected(after: id) { sample in
            var document: [UInt8] = []
            ErrorDocument.append(sample, to: &document)
            lines.append(contentsOf: text.line(rejected: document))
            shown = sample.id
        }
        try Output.out(lines)
        return max(shown, last)
    }

    private static func line(_ event: borrowing EventView, _ text: EventText) -> [UInt8] {
        var bytes: [UInt8] = []
        document.append(event, to: &bytes)
        return text.line(event: bytes)
    }
}
