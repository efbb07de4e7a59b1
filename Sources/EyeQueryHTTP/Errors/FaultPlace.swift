// Where in a refused line its fault lies. The line is judged once more, as it was then: what is kept of it says no more than that. Pure.

import EyeStore
import EyeWire

/// A place in the `data` of a refused event.
struct FaultPlace: Equatable {
    /// Bytes from its start.
    var offset: Int
    /// The member it is about, if it is one of an event's.
    var field: String?
    /// What stands before the place and what begins there, both shortened.
    var before: [UInt8]
    var here: [UInt8]

    /// Bytes that are shown of each side.
    private static let shownBytesMax = 40

    /// Nil: the code tells nothing of the text, or its place was cut off. `latest`: the greatest timestamp that was taken, µs.
    init?(in sample: RejectedSample, latest: Int64) {
        let line = sample.line
        // The token of a line port's line, which was masked, and its space.
        let hasToken = sample.transport != Transport.http.rawValue && line.first != UInt8(ascii: "{")
        guard let start = hasToken ? line.firstIndex(of: .space).map({ $0 + 1 }) : 0 else { return nil }
        // In bounds: the space is a byte of the line.
        let found = unsafe line.withUnsafeBytes { bytes in
            unsafe FaultPlace.fault(
                UnsafeRawBufferPointer(rebasing: bytes[start...]), sample.code, latest: latest)
        }
        // Of a line that may have been cut nobody knows what stood behind; masking has made it shorter by a token.
        let isWhole = line.count < WireLimits.sampleBytesMax - WireLimits.tokenBytesMax
        guard let found, isWhole || start + Int(found.offset) < line.count else { return nil }
        offset = min(start + Int(found.offset), line.count)
        field = found.member == .none ? nil : "\(found.member.label)"
        let from = FaultPlace.boundary(max(start, offset - FaultPlace.shownBytesMax), in: line, step: 1)
        let end = FaultPlace.boundary(min(line.count, offset + FaultPlace.shownBytesMax), in: line, step: -1)
        before = Array(line[min(from, offset)..<offset])
        here = Array(line[offset..<max(end, offset)])
    }

    /// The next index from `index` in the direction of `step` at which no character of UTF-8 is cut; `index` itself if there is none near, as in
    /// bytes that are no text.
    private static func boundary(_ index: Int, in line: [UInt8], step: Int) -> Int {
        var found = index
        // A character has at most three bytes behind its first (RFC 3629, section 3).
        for _ in 0...3 {
            if found <= 0 || found >= line.count || line[found] & 0xC0 != 0x80 { return found }
            found += step
        }
        return index
    }

    /// The fault of this code in `text`.
    private static func fault(_ text: UnsafeRawBufferPointer, _ code: [UInt8], latest: Int64) -> Fault? {
        switch Reject(code: code.span) {
        case .badJSON?, .badUTF8?, .tooDeep?:
            // An array of events is refused as a whole.
            do throws(Fault) {
                try unsafe JSON.validate(text)
                return nil
            } catch {
                return error
            }
        case let reject?:
            return unsafe EventCheck.problems(text, latest: latest).first { $0.reject == reject && reject != .tooLong }
        case nil: return nil
        }
    }

    /// Appends `{"offset":…,"field":…,"before":…,"here":…}`.
    func append(to out: inout [UInt8]) {
        out.append(text: "{\"offset\":\(offset)")
        JSONText.appendName("field", to: &out)
        if let field { JSONText.appendString(field, to: &out) } else { out.append(text: "null") }
        JSONText.appendName("before", to: &out)
        JSONText.appendString(before, to: &out)
        JSONText.appendName("here", to: &out)
        JSONText.appendString(here, to: &out)
        out.append(UInt8(ascii: "}"))
    }
}
