import EyeWire
import Testing

/// What may be a token is not kept with refused lines.
@Suite struct SecretMaskTests {
    static let token = "0123456789abcdef0123456789ABCDEF01234567"

    @Test(arguments: [
        ("", ""), ("{}", "{}"), (token, "0123…"), ("\(token) {\"a\":1}", "0123… {\"a\":1}"),
        ("{\"token\":\"\(token)\"}", "{\"token\":\"0123…\"}"), ("\(token) \(token)\n\(token)", "0123… 0123…\n0123…"),
        ("x\(token)\(token)x", "x0123…x"), (String(token.dropLast()), String(token.dropLast())),
        ("\(token.dropLast())g", "\(token.dropLast())g"),
        ("e2085be5-9137-4e4e-80b5-f1ffddc25423 é", "e2085be5-9137-4e4e-80b5-f1ffddc25423 é"),
    ])
    func onlyTheFirstFourDigitsAreLeft(_ text: String, _ masked: String) {
        #expect(String(decoding: SecretMask.masked(Array(text.utf8)[...]), as: UTF8.self) == masked)
    }
}
