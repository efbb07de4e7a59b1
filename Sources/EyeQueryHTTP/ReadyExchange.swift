// GET /-/ready: whether this process can read and the ingest side can write, and what an operator should look at. The ingest side is asked,
// so that one that hangs is found out, and because it alone knows what its start met. On the loop's thread.

/// The ready page: waits for the ingest side's word (at most `HTTPLimits.ingestAnswerMilliseconds`).
final class ReadyExchange: BodyCollector, VerdictTaker {
    /// What is known of the ingest side.
    struct Ingest {
        var isUp: Bool
        /// It takes no events for want of room.
        var isFull = false
        /// What its operator should look at.
        var notes: [String] = []
    }

    private let channel: ControlChannel
    private let page: (Ingest) -> Response

    init(_ call: Call, channel: ControlChannel, page: @escaping (Ingest) -> Response) {
        self.channel = channel
        self.page = page
        super.init(call)
    }

    override func whole() {
        switch channel.askMetrics(from: self) {
        case .sent: break
        // Busy is up.
        case .full: finish(page(Ingest(isUp: true)))
        case .down: finish(page(Ingest(isUp: false)))
        }
    }

    func take(_ verdict: Verdict, tag: Int) {
        switch verdict {
        case .metrics(let text): finish(page(ReadyExchange.ingest(text)))
        case .stored, .rejected, .erased: finish(page(Ingest(isUp: true)))
        case .lost: finish(page(Ingest(isUp: false)))
        }
    }

    func channelHasRoom() {}

    /// Whether the ingest side has room, damage that its start met, and what its background work could not do: all by its metrics.
    static func ingest(_ metrics: [UInt8]) -> Ingest {
        var numbers: [String: UInt64] = [:]
        for line in metrics.split(separator: 0x0A) {
            let words = line.split(separator: 0x20)
            guard words.count == 2, let number = UInt64(String(decoding: words[1], as: UTF8.self)) else { continue }
            numbers[String(decoding: words[0], as: UTF8.self)] = number
        }
        var notes: [String] = []
        if let ranges = numbers["eye_store_damaged_ranges"], ranges > 0 {
            let bytes = numbers["eye_store_damaged_bytes"] ?? 0
            let places = ranges == 1 ? "1 damaged place" : "\(ranges) damaged places"
            // What is missing has no bytes.
            let size = bytes == 0 ? "" : bytes == 1 ? " (1 byte)" : " (\(bytes) bytes)"
            let lists = ranges == 1 ? "names it" : "lists them"
            notes.append("damage: the last start found \(places)\(size); 'eye verify' \(lists)")
        }
        if let segments = numbers["eye_store_damaged_segments"], segments > 0 {
            notes.append(
                segments == 1
                    ? "damage: 1 closed segment is damaged and not sealed; 'eye verify' names it"
                    : "damage: \(segments) closed segments are damaged and not sealed; 'eye verify' lists them")
        }
        if let places = numbers["eye_rejected_damaged_ranges"], places > 0 {
            notes.append(
                "samples: the last start found \(places == 1 ? "1 damaged place" : "\(places) damaged places") among the samples of "
                    + "refused lines; no event is touched; the ingest side's log tells more")
        }
        if numbers["eye_store_sealing_failed"] == 1 {
            notes.append("sealing: the last attempt to seal a closed segment failed; the ingest side's log says why")
        }
        return Ingest(isUp: true, isFull: numbers["eye_store_full"] == 1, notes: notes)
    }
}
