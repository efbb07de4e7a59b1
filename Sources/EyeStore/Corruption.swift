// What is said when the disk lied: place, cause, and what it costs. Found by scanners and readers; shown by the ready
// page, the metrics and `eye verify`. Never a reason to cut or overwrite.

import EyeSystem
import Glibc

/// Why bytes of the log are not served.
public enum CorruptionCause: UInt32, Sendable, CaseIterable {
    /// The segment's file header is damaged.
    case badFileHeader = 1
    /// The file carries the header of another segment.
    case foreignFile = 2
    /// No valid frame here: magic, header checksum or lengths are wrong.
    case badFrameHeader = 3
    /// The frame's header is right, its payload is not.
    case badPayload = 4
    /// A frame that is right by itself but does not follow the one before it.
    case brokenChain = 5
    /// The file ends before the durable position.
    case missingBytes = 6
    /// A segment is not there.
    case missingSegment = 7
    /// The kernel could not read it.
    case unreadable = 8
    /// The header of a sealed segment is damaged, or it is not the segment its name says.
    case badSealedFile = 9
    /// A block of a sealed segment does not match its checksum.
    case badSealedBlock = 10
    /// Records are missing between a segment of the log and the next one there is.
    case missingBehind = 11

    /// What it means, for people.
    public var text: String {
        switch self {
        case .badFileHeader: "the segment's header is damaged"
        case .foreignFile: "the file is not the segment its name says"
        case .badFrameHeader: "the bytes are not a valid frame"
        case .badPayload: "a frame's payload does not match its checksum"
        case .brokenChain: "a frame does not follow the one before it"
        case .missingBytes: "the file ends before the durable position"
        case .missingSegment: "the segment is missing"
        case .unreadable: "the disk could not read it"
        case .badSealedFile: "the sealed segment's header is damaged"
        case .badSealedBlock: "a block of the sealed segment does not match its checksum"
        case .missingBehind: "what followed is missing: the end of this file, or a whole segment"
        }
    }
}

/// A damaged place of the log or of a sealed segment.
public struct Corruption: Sendable, Equatable, CustomStringConvertible {
    /// The segment, by its first record sequence.
    public var segment: UInt64
    /// Its last record sequence, if it is sealed; nil: a segment of the log. Of a missing one: the last record that no file has.
    public var lastSequence: UInt64?
    /// Where in its file.
    public var offset: Int64
    /// How many bytes; 0: not known, or none.
    public var bytes: Int64
    /// Why.
    public var cause: CorruptionCause
    /// Event ids from this one on …
    public var firstEventID: UInt64
    /// … and below this one may be lost; equal: none.
    public var nextEventID: UInt64
    /// Which part of a sealed segment, in words; nil: not known.
    var part: String?

    /// The ids that may be lost; nil: none.
    public var eventIDs: ClosedRange<UInt64>? {
        nextEventID > firstEventID ? firstEventID...(nextEventID - 1) : nil
    }

    /// Its file, relative to the data folder.
    var file: String { SegmentName(first: segment, last: lastSequence).file }

    /// Whether `offset` says something: not every damage has one place in the file.
    var hasOffset: Bool { bytes > 0 || (lastSequence == nil && cause != .missingSegment && cause != .missingBehind) }

    /// What is wrong, without where.
    var what: String {
        if isMissingSegment {
            let log = SegmentName.log(segment).file
            return "the segment is missing: this file, \(log) that it was made from, or several that had these records"
        }
        return part.map { "\($0): \(cause.text)" } ?? cause.text
    }

    public var description: String {
        let ids = eventIDs.map { "event ids \($0.lowerBound)-\($0.upperBound) may be lost" } ?? "no event id is lost"
        var place = file
        if hasOffset { place += ", offset \(offset)" }
        if bytes > 0 { place += ", \(bytes) bytes" }
        return "\(place): \(what); \(ids)"
    }
}

/// Why a store cannot be opened for writing (exit code 4, or 74 where the disk failed).
public enum StoreOpenError: Error, Sendable, CustomStringConvertible {
    /// Another process writes this folder.
    case locked
    /// Made by a newer version; nothing was touched.
    case newerFormat(file: String, version: Int)
    /// Something of another kind is where a file or folder of the store belongs; nothing was touched.
    case inTheWay(path: String, is: FileKind, wanted: FileKind)
    /// The folder or a file of it cannot be used: the call that failed.
    case unusable(path: String, SystemError)

    public var description: String {
        switch self {
        case .locked: "the data folder is in use by another eye process; stop that one or choose another --data"
        case .newerFormat(let file, let version):
            "\(file) has format version \(version), newer than this program's \(FormatVersion.current); use a newer eye"
        case .inTheWay(let path, let kind, let wanted):
            "\(path) is \(kind.rawValue) where \(wanted.rawValue) of the store belongs; nothing was touched: move it away, put "
                + "what belongs there back if you have it, and start again"
        case .unusable(let path, let error): "\(path) cannot be used (\(error)); \(StoreOpenError.advice(error))"
        }
    }

    /// What to do about a failed call.
    private static func advice(_ error: SystemError) -> String {
        if error.isInputOutput || error.isFailedSync {
            return "the disk failed, and this start has accepted nothing; what was acknowledged before is read again "
                + "by the next one: look at the disk (dmesg), then start again"
        }
        if error.isFull { return "make room on its disk, then start again" }
        switch error.errno {
        case EROFS: return "its file system is mounted read-only: 'eye serve --only http' and 'eye verify' work there"
        case EACCES, EPERM: return "check whom it and its folder belong to, and start eye as that user"
        case ENXIO:
            return "it is no plain file: move it away, put what belongs there back if you have it, and start again"
        case EMFILE, ENFILE: return "raise the limit of open files (ulimit -n)"
        default: return "check that it exists and is writable"
        }
    }
}

/// The version of the format that this program writes.
public enum FormatVersion {
    /// docs/format.md.
    public static let current = 1
}
