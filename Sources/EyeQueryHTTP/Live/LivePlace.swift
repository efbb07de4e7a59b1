// How far a live stream is: what `id:` of its events says, and what `Last-Event-ID` and `after` bring back. Pure.

/// A place among the events, and among the refused ones, which have numbers of their own.
struct LivePlace: Equatable {
    /// No event up to this id is still to be shown.
    var event: UInt64
    /// The same of refused ones; nil: they are not shown, or where among them is not known.
    var rejected: UInt64?

    init(event: UInt64, rejected: UInt64? = nil) {
        self.event = event
        self.rejected = rejected
    }

    /// `EVENT` or `EVENT.REJECTED`, decimal ids; nil: it is neither.
    init?(parsing text: [UInt8]) {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, let event = LivePlace.number(parts[0]) else { return nil }
        self.event = event
        guard parts.count == 2 else { return }
        guard let rejected = LivePlace.number(parts[1]) else { return nil }
        self.rejected = rejected
    }

    /// Ids are below 2⁶³.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits.allSatisfy(ByteClass.isDigit),
            let value = UInt64(String(decoding: digits, as: UTF8.self)), value <= UInt64.max >> 1
        else { return nil }
        return value
    }

    /// Appends the text that `init(parsing:)` reads.
    func append(to out: inout [UInt8]) {
        out.append(decimal: event)
        guard let rejected else { return }
        out.append(UInt8(ascii: "."))
        out.append(decimal: rejected)
    }
}
