// `KEY=VALUE` words and options as parameters: the very ones of `GET /events/`, read by the same parser.

import EyeQueryHTTP
import EyeSystem

/// Reads filters from a command line.
enum QueryArguments {
    /// What help says about the words.
    static let details = [
        "KEY=VALUE are the parameters of GET /events/ (docs/http.md): category=TEXT, name__prefix=TEXT, session_id=UUID,",
        "since=1h, timestamp__lt=2021-01-01T00:00:00Z, data.path=/x, data.price__gte=10, data.user__exists=false and so on.",
        "A repeated one: or; different ones: and.",
    ]
    static let operand = Operand(name: "KEY=VALUE", isOptional: true, isRepeatable: true)
    static let fields = Option(
        name: "fields", placeholder: "LIST", kind: .text,
        help: "Members to show, separated by commas, in this order, such as id,category,data.path.")

    /// The words, and the options among `options` that were given, as parameters.
    static func parameters(_ invocation: Invocation, options: [String]) throws(Failure) -> QueryParameters {
        var all: [QueryParameters.Parameter] = []
        for word in invocation.operands {
            guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                throw Failure(
                    "'\(word)' is no filter: write KEY=VALUE, such as category=\(word)", code: ExitCode.usage)
            }
            all.append(
                QueryParameters.Parameter(
                    name: String(word[..<equals]), value: Array(word.utf8[word.utf8.index(after: equals)...])))
        }
        for option in options {
            if let value = invocation.text(option) {
                all.append(QueryParameters.Parameter(name: option, value: Array(value.utf8)))
            }
        }
        return QueryParameters(all)
    }

    /// The query that they are; everything that is wrong is on stderr then.
    static func query(_ parameters: QueryParameters) throws(Failure) -> EventQuery {
        do throws(ProblemError) {
            return try EventQuery(parameters, now: SystemTime().nowMicroseconds(), isPaged: false)
        } catch {
            throw failure(error.problem)
        }
    }

    /// A problem of parameters as the command says it: a line for each fault.
    static func failure(_ problem: Problem) -> Failure {
        var lines: [String] = []
        for (field, texts) in problem.messages {
            // Unknown parameters stand under one name, and say their own.
            lines += texts.map { problem.isUnknownField(field) ? $0 : "\(field): \($0)" }
        }
        for line in lines.dropLast() { Output.error("eye: \(line)") }
        return Failure(lines.last ?? problem.detail ?? problem.code, code: ExitCode.usage)
    }
}
