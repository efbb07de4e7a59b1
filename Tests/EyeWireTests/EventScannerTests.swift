import Testing

@testable import EyeWire

@Suite struct EventScannerTests {
    static let latest: Int64 = 1_800_000_000_000_000
    static let original = """
        {"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page interaction","name":"cta click",\
        "data":{"host":"www.consumeraffairs.com","path":"/","element":"chat bubble"},\
        "timestamp":"2021-01-01 09:15:27.243860"}
        """

    @Test func theDocumentedEventIsRead() throws {
        let text = [UInt8](Self.original.utf8)
        let fields = try text.withUnsafeBytes { try EventScanner.scan($0, latest: Self.latest) }
        #expect(fields.session.description == "e2085be5-9137-4e4e-80b5-f1ffddc25423")
        #expect(String(decoding: text[fields.category.range], as: UTF8.self) == "page interaction")
        #expect(String(decoding: text[fields.name.range], as: UTF8.self) == "cta click")
        #expect(
            String(decoding: text[fields.dataRange], as: UTF8.self)
                == #"{"host":"www.consumeraffairs.com","path":"/","element":"chat bubble"}"#)
        #expect(fields.eventID == nil)
        var stamp: [UInt8] = []
        Timestamp.append(fields.timestamp, to: &stamp)
        #expect(String(decoding: stamp, as: UTF8.self) == "2021-01-01T09:15:27.243860Z")
    }
}
