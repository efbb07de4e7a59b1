// `eye token …`: what applications and scripts present. Works on the accounts file, whether the service runs or not.

import EyeStore
import EyeSystem

/// `eye token add|list|revoke`.
enum TokenCommand {
    static let all = [add, list, revoke]

    private static let hundredYearsMicroseconds: Int64 = 36_500 * 86_400 * 1_000_000

    private static let add = Command(
        path: ["token", "add"], summary: "Makes a token and prints it.",
        details: [
            "The token is the only line on stdout. It is shown once: only its SHA-256 is kept. When stdout does not take",
            "it, no token is made, and the exit code is 74.",
            "A running service knows it within a second.",
        ],
        operands: [Operand(name: "NAME")],
        options: [
            CommandTable.data,
            Option(
                name: "scope", placeholder: "LIST", kind: .scopes, fallback: "ingest",
                help: "What the token may do: ingest, read, admin, separated by commas."),
            Option(
                name: "expires", placeholder: "SPAN", kind: .duration(1_000_000...hundredYearsMicroseconds),
                help: "How long it may be used, such as 90d; without it, until it is revoked."),
        ],
        run: { invocation throws(Failure) in
            let scopes = invocation.scopes("scope")
            var isShown = false
            do throws(AccountError) {
                _ = try AccountsOption.file(invocation).addToken(
                    named: invocation.operands[0], scopes: scopes, lifetimeMicroseconds: invocation.duration("expires")
                ) { secret throws(SystemError) in
                    try Output.secret("\(secret)\n")
                    isShown = true
                }
            } catch {
                throw isShown ? Failure(error, but: "do not rely on the token that was shown") : Failure(error)
            }
            return ExitCode.success
        })

    private static let list = Command(
        path: ["token", "list"], summary: "Lists the tokens, with their last use.", options: [CommandTable.data],
        run: { invocation throws(Failure) in
            let book = try AccountsOption.book(invocation)
            let use = TokenUse.read(RealDisk(), folder: invocation.text(CommandTable.data.name) ?? "").lastUse
            let now = SystemTime().nowMicroseconds()
            var table = TextTable(["ID", "NAME", "SCOPES", "OWNER", "CREATED", "EXPIRES", "LAST USE", "STATE"])
            for token in book.tokens {
                let owner = token.owner.map { book.user(id: $0)?.name ?? "\($0)" } ?? "-"
                table.add([
                    "\(token.id)", token.kind == .login ? "(login)" : token.name, "\(token.scopes)", owner,
                    Moment.text(token.created), token.expires.map { Moment.text($0) } ?? "never",
                    use[token.id].map { Moment.text($0) } ?? "never", token.state(at: now).rawValue,
                ])
            }
            try Output.out(table.text)
            return ExitCode.success
        })

    private static let revoke = Command(
        path: ["token", "revoke"], summary: "Revokes a token, by its id or its name.",
        details: ["A running service refuses it within a second, on open connections too."],
        operands: [Operand(name: "ID|NAME")], options: [CommandTable.data],
        run: { invocation throws(Failure) in
            let token = try Failure.ofAccounts { () throws(AccountError) in
                try AccountsOption.file(invocation).revokeToken(invocation.operands[0])
            }
            Output.error("token \(token.id) \"\(token.name)\" revoked")
            return ExitCode.success
        })
}
