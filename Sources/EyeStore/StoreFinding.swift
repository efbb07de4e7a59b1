// What `eye verify` found, one by one, in words for the operator: where, what, which events, what to do. Damage makes the exit code 4;
// a note is something to know that costs nothing.

/// Something that a verification came upon.
public struct StoreFinding: Sendable {
    /// The part of the store.
    public enum Part: String, Sendable { case log, sealed, rejected, index, watermark, accounts }
    /// Whether something is lost or in danger.
    public enum Gravity: String, Sendable { case damage, note }

    public var part: Part
    public var gravity: Gravity
    /// Relative to the data folder.
    public var file: String
    /// Where in the file, and how many bytes.
    public var offset: Int64?
    public var bytes: Int64?
    /// Events that may be lost; nil: none.
    public var eventIDs: ClosedRange<UInt64>?
    /// What is wrong.
    public var what: String
    /// What to do.
    public var advice: String

    /// A damaged place of a log, whose files are in `folder`, or of a sealed segment.
    init(_ corruption: Corruption, part: Part, folder: String) {
        gravity = .damage
        if let last = corruption.lastSequence {
            self.part = .sealed
            file = SegmentName(first: corruption.segment, last: last).file
        } else {
            self.part = part
            file = folder + SegmentFolder.name(corruption.segment, ".log")
        }
        if corruption.hasOffset {
            offset = corruption.offset
            bytes = corruption.bytes
        }
        eventIDs = part == .log ? corruption.eventIDs : nil
        what = corruption.what
        advice = part == .rejected ? StoreFinding.rejectedAdvice : corruption.cause.advice
    }

    private static let rejectedAdvice =
        "Samples of refused lines only, no event is touched. The next start sets aside what nothing can be read of; the rest goes when "
        + "newer samples need its room, or delete the file with eye stopped."

    /// A file that is none of the store's, or was one once.
    init(stray file: String, _ part: Part) {
        let (what, advice) =
            if file.hasSuffix(".torn") {
                ("a copy of an unfinished write that a start cut", "It may be deleted.")
            } else if file.hasSuffix(".bad") {
                (
                    "set aside: it was not what its twin in the log, or among the sealed segments, is",
                    "It is not looked at. If this report tells of lost events, it may hold some of them; else it may be deleted."
                )
            } else {
                ("not a file of the store", "It is not looked at; move it away.")
            }
        self.init(.note, part, file: file, what: what, advice: advice)
    }

    init(_ gravity: Gravity, _ part: Part, file: String, what: String, advice: String) {
        self.gravity = gravity
        self.part = part
        self.file = file
        self.what = what
        self.advice = advice
    }
}

extension StoreFinding: CustomStringConvertible {
    public var description: String {
        var text = file
        if let offset { text += ", offset \(offset)" }
        if let bytes, bytes > 0 { text += ", \(bytes) bytes" }
        text += ": \(what)"
        if let eventIDs {
            text +=
                eventIDs.count == 1
                ? "; event \(eventIDs.lowerBound) may be lost"
                : "; events \(eventIDs.lowerBound) to \(eventIDs.upperBound) may be lost"
        } else if gravity == .damage && (part == .log || part == .sealed) {
            text += "; no event is lost"
        }
        return "\(text). \(advice)"
    }
}

extension CorruptionCause {
    /// What an operator can do.
    var advice: String {
        switch self {
        case .unreadable:
            "Look at the kernel's log (dmesg) and at the disk; copy the data folder to another disk with 'eye backup'."
        case .missingSegment, .missingBehind, .foreignFile:
            "Stop eye and put the right file back from a backup; until then everything else is served."
        default:
            "Leave the file as it is: everything else is served, answers that touch it say so (Eye-Incomplete). "
                + "With a backup: stop eye and put that segment's file in its place."
        }
    }
}

/// The sum of a verification.
public struct StoreReport: Sendable {
    /// Damage and notes, in the order of the files.
    public internal(set) var findings: [StoreFinding] = []
    /// Segments of `log/` and `sealed/` that were read.
    public internal(set) var segments = 0
    /// How many of them are sealed.
    public internal(set) var sealedSegments = 0
    /// Frames that are right.
    public internal(set) var frames: UInt64 = 0
    /// Events in them.
    public internal(set) var events: UInt64 = 0
    /// The first event that is there, and the one after the last; equal: none.
    public internal(set) var firstEventID: UInt64 = 0
    public internal(set) var nextEventID: UInt64 = 0
    /// Samples of rejected lines.
    public internal(set) var samples: UInt64 = 0
    /// Bytes that were read and checked.
    public internal(set) var bytes: Int64 = 0
    /// Index files that are right, and that were written anew.
    public internal(set) var indexes = 0
    public internal(set) var repairedIndexes = 0

    /// Whether anything is damaged.
    public var isDamaged: Bool { findings.contains { $0.gravity == .damage } }
}
