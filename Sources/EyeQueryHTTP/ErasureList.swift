// GET /erasures/: the receipts of what was erased, newest first. They name no personal value. On the loop's thread.

import EyeStore
import EyeSystem

/// Receipts of a snapshot.
final class ReceiptPage: PageSource {
    private let snapshot: Snapshot
    private let cursor: ReceiptCursor

    init(_ snapshot: Snapshot, before: UInt64?) {
        self.snapshot = snapshot
        cursor = snapshot.receipts(before: before)
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        try cursor.step { receipt, isRemoved in
            row(receipt.id) { ReceiptPage.append(receipt, isRemoved: isRemoved, to: &$0) }
        }
    }

    func behind(_ key: UInt64) -> any PageSource { ReceiptPage(snapshot, before: key) }

    let damage: ClosedRange<UInt64>? = nil

    private static func append(_ receipt: ErasureReceipt, isRemoved: Bool, to out: inout [UInt8]) {
        out.append(text: "{\"id\":\(receipt.id),\"kind\":\"\(receipt.isSession ? "session" : "event")\"")
        out.append(text: ",\"events\":\(receipt.events)")
        for (name, id) in [("first_event_id", receipt.hull?.lowerBound), ("last_event_id", receipt.hull?.upperBound)] {
            JSONText.appendName(name, to: &out)
            if let id { out.append(decimal: id) } else { out.append(text: "null") }
        }
        out.append(text: ",\"erased_at\":")
        JSONText.appendTime(receipt.erased, to: &out)
        out.append(text: ",\"token_id\":")
        if receipt.token == 0 { out.append(text: "null") } else { out.append(decimal: receipt.token) }
        out.append(text: ",\"removed\":\(isRemoved)}")
    }
}

/// Starts lists of receipts.
enum ErasureList {
    static func exchange(_ call: Call, _ store: EventSource) throws(ProblemError) -> any Exchange {
        let (limit, before) = try PageParameters.read(Route.erasures, call.parameters)
        do throws(SystemError) {
            let page = ReceiptPage(try store.snapshot(), before: before)
            return PageExchange(page, limit: limit) { PageParameters.link(Route.erasures, call.parameters, $0) }
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
    }
}
