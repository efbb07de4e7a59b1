// Where the next page of a list begins: the list's upper end when its first page was made, the last one shown, and what the
// list was. Opaque to clients, holds nothing on the server, and nothing secret: anybody can make one up, so its numbers are believed
// no more than parameters are. Pure.
//
//   bytes   0        1–8          9–16        17–24        25–28         29–32
//         version  upper id     last id     now, µs     fingerprint   CRC-32C of what is before
//
// big-endian, written as base64url without padding (RFC 4648 section 5).

import EyeStore
import EyeSystem

/// A place in a list.
struct PageCursor: Equatable {
    private static let version: UInt8 = 1
    private static let bytes = 33

    /// The largest id when the first page was made: later events neither shift nor join the pages after it.
    var upper: UInt64
    /// The last one shown.
    var last: UInt64
    /// The moment that relative times of the list are counted from.
    var now: Int64
    /// See `fingerprint(_:_:)`.
    var fingerprint: UInt32

    init(upper: UInt64, last: UInt64, now: Int64, fingerprint: UInt32) {
        self.upper = upper
        self.last = last
        self.now = now
        self.fingerprint = fingerprint
    }

    /// The cursor that `text` is, nil if it is none of ours.
    init?(parsing text: [UInt8]) {
        guard let raw = PageCursor.decode(text), raw.count == PageCursor.bytes, raw[0] == PageCursor.version else {
            return nil
        }
        func number(_ range: Range<Int>) -> UInt64 { raw[range].reduce(0) { $0 << 8 | UInt64($1) } }
        guard number(29..<33) == UInt64(PageCursor.checksum(Array(raw[..<29]))) else { return nil }
        upper = number(1..<9)
        last = number(9..<17)
        now = Int64(bitPattern: number(17..<25))
        fingerprint = UInt32(number(25..<29))
    }

    /// The cursor among `parameters` of the list with this `fingerprint`; nil: there is none, or a wrong one, which is in the problem.
    static func read(
        _ parameters: QueryParameters, fingerprint: UInt32, _ problem: inout Problem
    ) -> PageCursor? {
        guard let value = parameters.single("cursor", &problem) else { return nil }
        guard let cursor = PageCursor(parsing: value) else {
            problem.add(
                "cursor",
                "This cursor is not whole. Follow the Link of the page before just as it is, or start again without cursor."
            )
            return nil
        }
        guard cursor.fingerprint == fingerprint else {
            problem.add(
                "cursor",
                "This cursor is of another list. Give it with the path and all parameters (but for limit) of the page that it came from, or start again without cursor."
            )
            return nil
        }
        return cursor
    }

    /// The text for a Link.
    var text: [UInt8] {
        var raw: [UInt8] = [PageCursor.version]
        func append(_ value: UInt64, _ count: Int) {
            for index in (0..<count).reversed() { raw.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
        }
        append(upper, 8)
        append(last, 8)
        append(UInt64(bitPattern: now), 8)
        append(UInt64(fingerprint), 4)
        append(UInt64(PageCursor.checksum(raw)), 4)
        return PageCursor.encode(raw)
    }

    /// A checksum of what makes a list what it is: `list`, its path, and all parameters but `limit` and `cursor`.
    static func fingerprint(_ list: String, _ parameters: QueryParameters) -> UInt32 {
        var bytes = Array(list.utf8)
        bytes.append(0)
        for parameter in parameters.all where parameter.name != "limit" && parameter.name != "cursor" {
            bytes.append(text: parameter.name)
            bytes.append(0)
            bytes.append(contentsOf: parameter.value)
            bytes.append(0)
        }
        return checksum(bytes)
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe bytes.withUnsafeBytes { unsafe Checksum.crc32c($0) }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static func encode(_ raw: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in raw {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                out.append(alphabet[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { out.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
        return out
    }

    private static func decode(_ text: [UInt8]) -> [UInt8]? {
        let textBytes = 44
        guard text.count == textBytes else { return nil }
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return out
    }
}

extension Snapshot {
    /// The largest id of a list that goes on at `cursor`, or begins. A cursor is the client's word: it may name ids that there are not.
    func upper(_ cursor: PageCursor?) -> UInt64 { min(cursor?.upper ?? lastEventID, lastEventID) }
}

/// The Link field of a page (RFC 8288).
enum PageLink {
    /// `</events/?category=a&limit=7&cursor=…>; rel="next"`: the same request with another cursor. Relative, since a proxy
    /// may have changed the scheme and the host.
    static func next(_ path: String, _ parameters: QueryParameters, _ cursor: PageCursor) -> ResponseField {
        ResponseField("Link", "<\(target(path, parameters, cursor))>; rel=\"next\"")
    }

    /// Whether a request of these parameters leaves room for the Link to the page behind it: it must not be longer than a request may be, and what
    /// came as it is (`"`) is encoded there.
    static func fits(_ head: RequestHead, _ parameters: QueryParameters) -> Bool {
        let (worst, room) = (3, 256)
        if (head.path.count + (head.query?.count ?? 0)) * worst + room <= HTTPLimits.requestLineBytesMax { return true }
        let cursor = PageCursor(upper: 0, last: 0, now: 0, fingerprint: 0)
        let path = String(decoding: head.bytes[head.path], as: UTF8.self)
        let target = target(path, parameters, cursor)
        return "\(head.methodName) \(target) HTTP/1.1".utf8.count <= HTTPLimits.requestLineBytesMax
    }

    /// `/events/?category=a&limit=7&cursor=…`
    static func target(_ path: String, _ parameters: QueryParameters, _ cursor: PageCursor) -> String {
        var target = Array("\(path)?".utf8)
        for parameter in parameters.all where parameter.name != "cursor" {
            PercentEncoding.append(parameter.name.utf8, to: &target)
            target.append(UInt8(ascii: "="))
            PercentEncoding.append(parameter.value, to: &target)
            target.append(UInt8(ascii: "&"))
        }
        target.append(text: "cursor=")
        target.append(contentsOf: cursor.text)
        return String(decoding: target, as: UTF8.self)
    }
}
