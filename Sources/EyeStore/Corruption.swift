// What is said when the disk lied: place, cause, and what it costs. Found by scanners and readers; shown by the ready
// page, the metrics and `eye verify`. Never a reason to cut or overwrite.

import EyeSystem

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

    /// What it means, for people.
    public var text: String {
        switch self {
        case .badFileHeader: "the segment's header is damaged"
        case .foreignFile: "the file is not the segment its name says"
        case .badFrameHeader: "the bytes are not a valid frame"
        case .badPayload: "a frame's payload does not match its checksum"
        case .brokenChain: "a frame does not follow the one before it"
        case .missingBytes: "the file ends before the durable position"
        case .missingSegment: "a segment is missing"
        case .unreadable: "the disk could not read it"
        case .badSealedFile: "the sealed segment's header is damaged"
        case .badSealedBlock: "a block of the sealed segment does not match its checksum"
        }
    }
}

/// A damaged place of the log.
public struct Corruption: Sendable, Equatable, CustomStringConvertible {
    /// The segment, by its first record sequence.
    public var segment: UInt64
    /// Its last record sequence, if it is sealed; nil: a segment of the log.
    public var lastSequence: UInt64?
    /// Where in its file.
    public var offset: Int64
    /// How many bytes.
    public var bytes: Int64
    /// Why.
    public var cause: CorruptionCause
    /// Event ids from this one on …
    public var firstEventID: UInt64
    /// … and below this one may be lost; equal: none.
    public var nextEventID: UInt64

    /// The ids that may be lost; nil: none.
    public var eventIDs: ClosedRange<UInt64>? {
        nextEventID > firstEventID ? firstEventID...(nextEventID - 1) : nil
    }

    public var description: String {
        let ids = eventIDs.map { "event ids \($0.lowerBound)-\($0.upperBound) may be lost" } ?? "no event id is lost"
        let kind = lastSequence == nil ? "segment" : "sealed segment"
        return "\(kind) \(segment), offset \(offset), \(bytes) bytes: \(cause.text); \(ids)"
    }
}

/// Why a store cannot be opened for writing (exit code 4).
public enum StoreOpenError: Error, Sendable, CustomStringConvertible {
    /// Another process writes this folder.
    case locked
    /// Made by a newer version; nothing was touched.
    case newerFormat(file: String, version: Int)
    /// The folder cannot be used: the call that failed.
    case unusable(path: String, SystemError)

    public var description: String {
        switch self {
        case .locked: "the data folder is in use by another eye process; stop that one or choose another --data"
        case .newerFormat(let file, let version):
            "\(file) has format version \(version), newer than this program's \(FormatVersion.current); use a newer eye"
        case .unusable(let path, let error): "\(path) cannot be used (\(error)); check that it exists and is writable"
        }
    }
}

/// The version of the format that this program writes.
public enum FormatVersion {
    /// docs/format.md.
    public static let current = 1
}
