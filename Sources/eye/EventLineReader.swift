// From the lines that people have (JSON objects, or `TOKEN {json}`) to lines that are sent, and back from the numbers of
// sent lines to those of the input. A line that would be a command is refused here: data must never command the server.

import EyeClient
import EyeWire

/// Turns input lines into event lines.
struct EventLineReader {
    /// Put before lines that have none.
    let token: [UInt8]
    /// Lines may be documents of stored events, as `eye export` writes them.
    let takesDocuments: Bool
    /// Sent lines so far.
    private(set) var sent: UInt64 = 0
    /// From which sent line on the input's number is how much higher.
    private var runs: [(first: UInt64, shift: UInt64)] = [(1, 0)]

    init(token: [UInt8], takesDocuments: Bool = false) {
        self.token = token
        self.takesDocuments = takesDocuments
    }

    /// Bytes that an input line may have.
    var inputLineBytesMax: Int { WireLimits.lineBytesMax + (takesDocuments ? StoredDocument.moreBytesMax : 0) }

    /// What an input line comes to.
    enum Outcome {
        case send(ArraySlice<UInt8>)
        case ignore
        case refuse(LineError)
    }

    /// Judges the shape of input line `number`.
    mutating func take(_ input: LineInput.Line, number: UInt64) -> Outcome {
        guard case .bytes(let raw) = input else { return refuse(.tooLong, number) }
        let line = EventLineReader.trimmed(raw)
        let kind = unsafe Array(line).span.withUnsafeBytes { bytes in unsafe WireLine.split(bytes) }
        var full: ArraySlice<UInt8>
        switch kind {
        case .ignored: return .ignore
        case .bare:
            guard !token.isEmpty else {
                return refuse(
                    .badToken, number, "this line has no token and none was given: use --token-file or EYE_TOKEN")
            }
            let head = token + [0x20]
            full =
                head
                + (takesDocuments ? StoredDocument.event(line, roomBytes: WireLimits.lineBytesMax - head.count) : line)
        case .event(_, let json):
            guard line.dropFirst(json.lowerBound).first == UInt8(ascii: "{") else {
                return refuse(.notObject, number, "neither {json} nor TOKEN {json}")
            }
            full = line
        case .command, .unknownCommand, .wrongPort:
            return refuse(.notObject, number, "neither {json} nor TOKEN {json}")
        }
        if full.count > WireLimits.lineBytesMax { return refuse(.tooLong, number) }
        sent += 1
        if runs[runs.count - 1].shift != number - sent { runs.append((sent, number - sent)) }
        return .send(full)
    }

    /// The input's number of the sent line `sequence`.
    func inputNumber(of sequence: UInt64) -> UInt64 {
        var shift: UInt64 = 0
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].first <= sequence {
                shift = runs[middle].shift
                low = middle + 1
            } else {
                high = middle
            }
        }
        return sequence + shift
    }

    private func refuse(_ reject: Reject, _ number: UInt64, _ text: String? = nil) -> Outcome {
        .refuse(LineError(line: number, code: "\(reject.code)", text: text ?? "\(reject.text)"))
    }

    /// Without white space around it.
    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        var rest = line.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
