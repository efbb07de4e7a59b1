// `eye user …`: people who log in over HTTP. Works on the accounts file, whether the service runs or not.

import EyeStore
import EyeSystem

/// `eye user add|list|remove|passwd`.
enum UserCommand {
    static let all = [add, list, remove, passwd]

    private static let add = Command(
        path: ["user", "add"], summary: "Adds a user who may log in over HTTP.", operands: [Operand(name: "NAME")],
        options: [
            CommandTable.data,
            Option(
                name: "scope", placeholder: "LIST", kind: .scopes, fallback: Scopes.userDefault.description,
                help: "What the user may do: ingest, read, admin, separated by commas."),
            PasswordInput.option,
        ],
        run: { invocation throws(Failure) in
            let scopes = invocation.scopes("scope")
            let file = AccountsOption.file(invocation)
            // Before anybody is asked for a password: are there accounts at all?
            _ = try Failure.ofAccounts { () throws(AccountError) in try file.load() }
            let password = try PasswordInput.read(invocation)
            try Failure.ofAccounts { () throws(AccountError) in
                _ = try file.addUser(named: invocation.operands[0], password: password, scopes: scopes)
            }
            Output.error("user \"\(invocation.operands[0])\" added (\(scopes))")
            return ExitCode.success
        })

    private static let list = Command(
        path: ["user", "list"], summary: "Lists the users.", options: [CommandTable.data],
        run: { invocation throws(Failure) in
            let book = try AccountsOption.book(invocation)
            let now = SystemTime().nowMicroseconds()
            var table = TextTable(["ID", "NAME", "SCOPES", "CREATED", "LOGINS"])
            for user in book.users {
                let logins = book.tokens.count { $0.owner == user.id && $0.isUsable(at: now) }
                table.add(["\(user.id)", user.name, "\(user.scopes)", Moment.text(user.created), "\(logins)"])
            }
            try Output.out(table.text)
            return ExitCode.success
        })

    private static let remove = Command(
        path: ["user", "remove"], summary: "Removes a user and ends their logins.", operands: [Operand(name: "NAME")],
        options: [CommandTable.data],
        run: { invocation throws(Failure) in
            try Failure.ofAccounts { () throws(AccountError) in
                try AccountsOption.file(invocation).removeUser(named: invocation.operands[0])
            }
            Output.error("user \"\(invocation.operands[0])\" removed")
            return ExitCode.success
        })

    private static let passwd = Command(
        path: ["user", "passwd"], summary: "Gives a user another password and ends their logins.",
        operands: [Operand(name: "NAME")], options: [CommandTable.data, PasswordInput.option],
        run: { invocation throws(Failure) in
            let name = invocation.operands[0]
            guard try AccountsOption.book(invocation).user(named: name) != nil else {
                throw Failure(.unknownUser(name))
            }
            let password = try PasswordInput.read(invocation)
            try Failure.ofAccounts { () throws(AccountError) in
                try AccountsOption.file(invocation).setPassword(of: name, password: password)
            }
            Output.error("password of user \"\(name)\" changed")
            return ExitCode.success
        })
}

/// The accounts of the data folder that was named.
enum AccountsOption {
    static func file(_ invocation: Invocation) -> AccountFile {
        AccountFile(RealDisk(), folder: invocation.text(CommandTable.data.name) ?? "", time: SystemTime())
    }

    static func book(_ invocation: Invocation) throws(Failure) -> AccountBook {
        try Failure.ofAccounts { () throws(AccountError) in try file(invocation).load() }
    }
}
