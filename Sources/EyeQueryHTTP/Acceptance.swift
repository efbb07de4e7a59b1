// What a client would rather have, by its Accept fields (RFC 9110 section 12.5.1): of the media ranges that a type belongs to the most precise
// one counts, with its weight. Pure.

/// How much a media type is wanted. Ordered: by weight, of equal ones by how precisely the type was named.
struct Acceptance: Comparable {
    /// In thousandths: `q=0.5` is 500; 0: not wanted.
    var weight = 0
    /// 0: not named, 1: `*/*`, 2: `type/*`, 3: by its name.
    var precision = 0

    init() {}

    static func < (one: Acceptance, other: Acceptance) -> Bool {
        (one.weight, one.precision) < (other.weight, other.precision)
    }

    /// `name`: a media type in lower case, without parameters. A client that says nothing takes everything.
    init(of name: String, in head: RequestHead) {
        let values = head.values("accept")
        if values.isEmpty { weight = Acceptance.weightMax }
        let kind = name.prefix { $0 != "/" }
        for value in values {
            for range in head.bytes[value].split(separator: UInt8(ascii: ",")) {
                let parts = range.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
                let type = head.bytes.trimmed(parts[0].startIndex..<parts[0].endIndex)
                let found: Int
                if head.bytes.matches(type, name) {
                    found = 3
                } else if head.bytes.matches(type, "\(kind)/*") {
                    found = 2
                } else if head.bytes.matches(type, "*/*") {
                    found = 1
                } else {
                    continue
                }
                if found < precision { continue }
                let given = Acceptance.weight(parts.dropFirst(), in: head.bytes)
                weight = found > precision ? given : max(weight, given)
                precision = found
            }
        }
    }

    private static let weightMax = 1000

    /// The parameter `q` of a media range, 1 without it. One that is no weight is not looked at.
    private static func weight(_ parameters: ArraySlice<ArraySlice<UInt8>>, in bytes: [UInt8]) -> Int {
        for parameter in parameters {
            let range = bytes.trimmed(parameter.startIndex..<parameter.endIndex)
            guard range.count > 2, bytes.matches(range.lowerBound..<(range.lowerBound + 2), "q=") else { continue }
            return weight(bytes[range].dropFirst(2)) ?? weightMax
        }
        return weightMax
    }

    /// A weight (RFC 9110 section 12.4.2): `0`, `1`, and up to three digits behind a point, which do not make it more than 1.
    private static func weight(_ text: ArraySlice<UInt8>) -> Int? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let digits = parts.count == 2 ? parts[1] : []
        guard parts[0].count == 1, digits.count <= 3, (parts[0] + digits).allSatisfy(ByteClass.isDigit) else {
            return nil
        }
        var value = Int(parts[0][parts[0].startIndex] - 0x30) * weightMax
        var place = weightMax / 10
        for digit in digits {
            value += Int(digit - 0x30) * place
            place /= 10
        }
        return value <= weightMax ? value : nil
    }
}
