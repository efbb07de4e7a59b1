// What `eye bench` shall do, after the command line was checked: where to, how much, how fast, and what is measured.

import EyeClient

/// One measurement.
struct BenchPlan: Sendable {
    /// Where the lines go.
    enum Target: Sendable {
        /// TCP, Unix stream socket or UDP.
        case ingest(ClientAddress)
        /// `HOST:PORT` of the HTTP service.
        case http(String)
    }

    var target: Target
    var token: [UInt8]
    var connections: Int
    /// Lines in all; nil: as many as `seconds` allow.
    var count: UInt64?
    var seconds: Double?
    /// Lines a second in all; nil: as fast as they are taken.
    var rate: Double?
    /// Lines in one datagram or one request.
    var linesPerPiece: Int
    /// Asks for acks and measures them.
    var measuresAcks: Bool
    /// One line at a time, the next one when the last is durable.
    var oneByOne: Bool
    /// With `oneByOne`: a folder on the server's disk, where a write and an fdatasync are timed beside each ack.
    var diskFolder: String?
    var seed: UInt64
    /// NDJSON; nil for synthetic lines.
    var file: String?
    var json: Bool

    var isDatagram: Bool {
        if case .ingest(let address) = target { return address.isDatagram }
        return false
    }
    var isHTTP: Bool {
        if case .http = target { return true }
        return false
    }
    /// `tcp 127.0.0.1:8127`.
    var targetText: String {
        switch target {
        case .ingest(let address): address.description
        case .http(let text): "http \(text)"
        }
    }

    /// Lines are due at even distances from the start; connection or thread `part` of `parts` gets this share of a number.
    static func share(_ total: UInt64, _ part: Int, of parts: Int) -> UInt64 {
        total / UInt64(parts) + (UInt64(part) < total % UInt64(parts) ? 1 : 0)
    }
}

/// Limits of the load generator.
enum BenchLimits {
    static let connectionsMax: Int64 = 50_000
    /// Bytes handed to one write.
    static let chunkBytes = 128 * 1024
    /// Such writes before the next connection has its turn.
    static let chunksPerTurn = 4
    /// At a given rate, lines that are due within this time leave together: a wake-up for each would cost more than
    /// sending. It is part of the measured latency.
    static let tickNanoseconds: UInt64 = 500_000
    /// Without a byte in either direction for so long, the rest is given up.
    static let silenceNanoseconds: UInt64 = 60_000_000_000
    static let secondsDefault = 10.0
    /// Texts of refusals that are shown.
    static let shownErrorsMax = 5
}
