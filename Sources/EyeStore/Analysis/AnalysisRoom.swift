// The memory of all analyses of a process: tables grow only within it. Whoever finds it used up makes do with what it has (more passes) or
// gives up. One thread: that of the readers.

extension Array {
    /// Its bytes of memory, about, as they will be when the next row group was added, `more` elements: a large array that is full is copied into
    /// one of twice its size, which is to be known before it is done.
    func bytesAhead(_ more: Int = StoreLimits.rowsPerGroup) -> Int {
        let isDoubled = capacity >= StoreLimits.rowsPerGroup && count + more > capacity
        return capacity * MemoryLayout<Element>.stride * (isDoubled ? 2 : 1)
    }
}

/// The same of a hash table with `places` places that is doubled when the half of them is taken by `count` numbers.
func tableBytesAhead(_ places: Int, _ count: Int) -> Int {
    let isDoubled = places >= StoreLimits.rowsPerGroup && (count + StoreLimits.rowsPerGroup) * 2 >= places
    return places * MemoryLayout<UInt32>.stride * (isDoubled ? 2 : 1)
}

/// Room for tables.
public final class AnalysisRoom {
    private var left: Int
    /// What one analysis may have of it.
    let shareBytesMax: Int
    /// It is given away in pieces of so many bytes.
    let pieceBytes: Int
    /// See `AnalysisLimits.timesKept`.
    let timesKept: Int

    /// The room that a process has.
    public convenience init() {
        self.init(
            bytes: AnalysisLimits.roomBytesMax, share: AnalysisLimits.tableBytesMax,
            piece: AnalysisLimits.roomPieceBytes)
    }

    init(bytes: Int, share: Int, piece: Int, timesKept: Int = AnalysisLimits.timesKept) {
        self.timesKept = timesKept
        left = bytes
        shareBytesMax = share
        pieceBytes = piece
    }

    fileprivate func take(_ bytes: Int) -> Bool {
        guard bytes <= left else { return false }
        left -= bytes
        return true
    }

    fileprivate func give(_ bytes: Int) { left += bytes }
}

/// One analysis's share of the room; goes back when it goes.
final class AnalysisShare {
    private let room: AnalysisRoom
    private(set) var bytes = 0

    init(_ room: AnalysisRoom) { self.room = room }

    deinit { room.give(bytes) }

    private func rounded(_ cost: Int) -> Int { (cost + room.pieceBytes - 1) / room.pieceBytes * room.pieceBytes }

    /// Makes the share as large as `cost` needs, or smaller again. False: there is no such room.
    func fit(_ cost: Int) -> Bool {
        let wanted = rounded(cost)
        if wanted > room.shareBytesMax { return false }
        if wanted > bytes && !room.take(wanted - bytes) { return false }
        if wanted < bytes { room.give(bytes - wanted) }
        bytes = wanted
        return true
    }

    /// Whether it is others that leave no room for `cost`.
    func isCrowded(_ cost: Int) -> Bool { rounded(cost) <= room.shareBytesMax }

    /// With less it is not worth going on.
    var leastBytes: Int { room.shareBytesMax / 24 }
}
