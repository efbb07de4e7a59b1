// POST /api-token-auth/: user name and password → a new token. The body is JSON or a form; the password is checked by the
// hasher thread, attempts are limited per user name and per address. Nothing of the body is ever logged or kept.

import EyeStore
import EyeSystem
import EyeWire

/// The logins under way; shared by all of them, on the loop's thread.
final class LoginDesk {
    private let hasher: PasswordHasher
    private let accounts: AccountWatch
    private let time: any TimeSource
    private let log: Log?
    private var limiter = LoginLimiter()
    private var tickets: [UInt64: LoginExchange] = [:]
    private var nextTicket: UInt64 = 0
    private(set) var failures: UInt64 = 0

    init(_ hasher: PasswordHasher, accounts: AccountWatch, time: any TimeSource, log: Log?) {
        self.hasher = hasher
        self.accounts = accounts
        self.time = time
        self.log = log
    }

    /// Begins a login, whose exchange gets its answer later or now.
    func begin(_ exchange: LoginExchange, user: String, password: [UInt8], address: String) {
        let now = time.monotonicNanoseconds() / 1_000_000
        guard hasher.hasRoom else {
            return exchange.finish(
                Problem.unavailable("overloaded", "Too many logins at a time; try again in a moment."))
        }
        if let seconds = limiter.begin(user: user, address: address, now: now) {
            var problem = Problem(
                429, "too-many-logins", "Too many failed logins. Expected available in \(seconds) seconds.")
            problem.fields = [ResponseField("Retry-After", "\(seconds)")]
            return exchange.finish(problem)
        }
        nextTicket += 1
        guard hasher.submit(ticket: nextTicket, user: user, password: password) else {
            limiter.giveBack(user: user, address: address)
            return exchange.finish(
                Problem.unavailable("overloaded", "Too many logins at a time; try again in a moment."))
        }
        exchange.user = user
        exchange.address = address
        tickets[nextTicket] = exchange
    }

    /// Why a login got no token although the password may be right.
    static func problem(_ error: AccountError) -> Problem {
        switch error {
        case .system(let cause, _) where cause.isUnwritable:
            Problem(
                503, "io",
                "A login makes a token, and this service may not write the accounts; use a token that was made before.")
        case .noFolder, .noAccounts:
            Problem.unavailable("io", "There are no accounts yet; the first start of the service makes them.")
        default: Problem.unavailable("io", "The accounts cannot be changed now; try again later.")
        }
    }

    /// Answers the logins that the hasher has finished. Called when the loop was woken.
    func settle() {
        for (ticket, outcome) in hasher.takeResults() {
            guard let exchange = tickets.removeValue(forKey: ticket) else { continue }
            switch outcome {
            case .token(let secret):
                limiter.succeed(user: exchange.user, address: exchange.address)
                // The next request may come with it at once.
                accounts.refresh()
                var body = Array("{\"token\":\"".utf8)
                body.append(text: secret)
                body.append(text: "\"}\n")
                exchange.finish(Response(status: 200, fields: AnswerFields.json, body: .bytes(body)))
            case .wrong, .failed(.signInOutdated):
                failures += 1
                var problem = Problem(400, "bad-login")
                problem.add("non_field_errors", "Unable to log in with provided credentials.")
                exchange.finish(problem)
            case .failed(let error):
                limiter.giveBack(user: exchange.user, address: exchange.address)
                log?.error("a login could not be kept", ["cause": error.description])
                exchange.finish(LoginDesk.problem(error))
            }
        }
    }
}

/// One login.
final class LoginExchange: BodyCollector {
    private let desk: LoginDesk
    private let type: MediaType
    private let peer: Peer
    var user = ""
    var address = ""

    init(_ call: Call, desk: LoginDesk) {
        self.desk = desk
        type = MediaType(call.head)
        peer = call.peer
        super.init(call)
    }

    override var bodyBytesMax: Int { HTTPLimits.loginBodyBytesMax }

    override func whole() {
        let isJSON: Bool
        switch type {
        case .json: isJSON = true
        case .form, .plain, .unstated:
            isJSON = MediaType.looksLikeJSON(body)
            if type != .form && !isJSON && !body.isEmpty { return finish(Problem.unsupportedLoginType) }
        case .lines, .other: return finish(Problem.unsupportedLoginType)
        }
        var problem = Problem(400, "bad-login")
        let user: [UInt8]?
        let password: [UInt8]?
        if isJSON || body.isEmpty {
            var fields: [String: JSONField] = [:]
            if !body.isEmpty {
                do throws(Fault) {
                    fields = try JSONField.members(of: body)
                } catch {
                    let text = "A login is one JSON object: {\"username\":\"…\",\"password\":\"…\"}."
                    return finish(
                        Problem(400, "\(error.reject.code)", "JSON parse error at byte \(error.offset). \(text)"))
                }
            }
            user = LoginExchange.take(fields["username"], "username", &problem)
            password = LoginExchange.take(fields["password"], "password", &problem)
        } else {
            do throws(QueryParameters.Fault) {
                let form = try QueryParameters(parsing: body[...])
                user = LoginExchange.take(form.values("username").first.map { .text($0.value) }, "username", &problem)
                password = LoginExchange.take(
                    form.values("password").first.map { .text($0.value) }, "password", &problem)
            } catch {
                return finish(Problem(400, "bad-request", "The form cannot be read."))
            }
        }
        guard let user, let password else { return finish(problem) }
        guard user.count <= HTTPLimits.loginFieldBytesMax, password.count <= HTTPLimits.loginFieldBytesMax else {
            problem.add("non_field_errors", "Unable to log in with provided credentials.")
            return finish(problem)
        }
        desk.begin(self, user: String(decoding: user, as: UTF8.self), password: password, address: peer.network)
    }

    private static func take(_ field: JSONField?, _ name: String, _ problem: inout Problem) -> [UInt8]? {
        switch field {
        case .text(let bytes):
            if !bytes.isEmpty { return bytes }
            problem.add(name, "This field may not be blank.")
        case .null: problem.add(name, "This field may not be null.")
        case .other: problem.add(name, "Not a valid string.")
        case nil: problem.add(name, "This field is required.")
        }
        return nil
    }
}

/// A member of a small JSON object, such as a login.
enum JSONField {
    case text([UInt8])
    case null
    case other

    /// Every member of the object that `body` is; of a repeated one the last, as older servers did.
    static func members(of body: [UInt8]) throws(Fault) -> [String: JSONField] {
        var fields: [String: JSONField] = [:]
        var failure: Fault?
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe body.withUnsafeBytes { text in
            do throws(Fault) {
                let whole = try unsafe JSON.validate(text)
                var members = try unsafe JSON.Members(of: text, at: whole.range.lowerBound)
                while let member = try members.next() {
                    var key: [UInt8] = []
                    unsafe JSON.appendUnescaped(member.key, of: text, to: &key)
                    let value: JSONField
                    switch member.value.kind {
                    case .string:
                        var bytes: [UInt8] = []
                        unsafe JSON.appendUnescaped(member.value.field, of: text, to: &bytes)
                        value = .text(bytes)
                    case .null: value = .null
                    default: value = .other
                    }
                    fields[String(decoding: key, as: UTF8.self)] = value
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return fields
    }
}
