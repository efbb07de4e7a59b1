// What `eye serve` was told to do, after flags, variables and defaults.

import EyeSystem

/// Options of `eye serve`, checked.
struct ServeOptions: Sendable {
    /// Which half of the house runs in this process; both when nil.
    enum Side: String, Sendable, CaseIterable { case ingest, http }

    /// The data folder.
    var data: String
    /// `HOST:PORT`; nil for none.
    var tcp: String?
    var udp: String?
    var http: String?
    /// Origins whose web pages may use the HTTP service.
    var corsOrigins: [String]
    var status: String?
    var only: Side?
    /// Ingest loops; 0: one for each processor.
    var loops: Int
    /// How far into the future a timestamp may lie, in microseconds.
    var maxFutureMicroseconds: Int64
    /// Bytes at which a log segment is closed.
    var segmentBytes: Int64
    /// Ingest stops while fewer bytes than these are free on the data folder's file system.
    var minFreeBytes: Int64
    /// Segments whose newest event was received longer ago are dropped, in microseconds; nil: none.
    var retainMicroseconds: Int64?
    /// The oldest segments are dropped while all take more bytes; nil: none.
    var retainBytes: Int64?
    /// So many segments must fit into `retainBytes`, or most of the store would come and go at once.
    static let segmentsKeptMin: Int64 = 4
    var logFormat: Log.Format
    /// A log line for each HTTP request.
    var hasAccessLog: Bool
}
