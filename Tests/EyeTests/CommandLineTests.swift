import Foundation
import Testing

/// What the command line says to right and wrong words: exit code, and one line on stderr.
@Suite struct CommandLineTests {
    @Test(arguments: [
        (["tokn", "add"], "unknown subcommand tokn; did you mean token?"),
        (["token", "ad", "x"], "unknown subcommand ad; did you mean add?"),
        (["token", "lst"], "unknown subcommand lst; did you mean list?"),
        (["xyzzy"], "unknown subcommand xyzzy (see"),
        ([], "what shall it do? One of: serve, init, check-config, user, token, send, tail"),
        (["user"], "what shall it do? One of: add, list, remove, passwd"),
        (["--vrsion"], "unknown option --vrsion; did you mean --version?"),
        (["serve", "--dat", "x"], "unknown option --dat; did you mean --data?"),
        (["serve", "--quux"], "unknown option --quux (see"),
        (["serve", "-x"], "unknown option -x"),
        (["serve", "--data"], "--data needs a value: --data DIR"),
        (["serve", "--data="], "--data: the value is empty"),
        (["serve", "more"], "'more' is one word too many"),
        (["serve", "--tcp", "8127"], "--tcp: '8127' is not an address: write HOST:PORT"),
        (["serve", "--http=h:65536"], "--http: 'h:65536': the port is a number from 0 to 65535"),
        (["serve", "--only", "both"], "--only: 'both' is not one of ingest, http"),
        (["serve", "--loops", "many"], "--loops: 'many' is not a whole number"),
        (["serve", "--loops", "65"], "--loops: 65 is not from 0 to 64"),
        (["serve", "--segment-bytes", "12Q"], "--segment-bytes: '12Q' is not a number of bytes"),
        (["serve", "--segment-bytes", "1"], "--segment-bytes: '1' is not from 1048576 to 4294967296 bytes"),
        (["serve", "--max-future", "5"], "--max-future: '5' is not a time span"),
        (["serve", "--max-future", "9999999999999d"], "--max-future: '9999999999999d' is not a time span"),
        (["serve", "--log-format", "xml"], "--log-format: 'xml' is not one of text, json"),
        (["token", "add"], "NAME is missing"),
        (["token", "add", "a", "b"], "'b' is one word too many"),
        (["token", "add", "a", "--scope", "write"], "--scope: 'write' is not a list of scopes"),
        (["token", "add", "a", "--expires", "0d"], "--expires: '0d' is not from 1s to 36500d"),
        (["token", "revoke"], "ID|NAME is missing"),
        (["user", "add", "a", "--password", "x"], "unknown option --password"),
        (["token", "add", "\u{1B}[31m", "\u{1B}[32m"], "'\\u{1b}[32m' is one word too many"),
    ])
    func wrong(arguments: [String], message: String) throws {
        let run = try CommandRun(arguments)
        #expect(run.code == 2)
        #expect(run.out.isEmpty)
        #expect(run.error.contains(message))
        #expect(run.error.hasPrefix("eye"))
        #expect(run.error.hasSuffix("--help')\n"))
        #expect(run.error.filter { $0 == "\n" }.count == 1)
    }

    @Test func help() throws {
        let overview = try CommandRun(["--help"])
        #expect(overview.code == 0 && overview.error.isEmpty)
        #expect(try CommandRun(["help"]).out == overview.out)
        #expect(try CommandRun(["-h"]).out == overview.out)
        for path in [
            ["serve"], ["init"], ["check-config"], ["user", "add"], ["user", "list"], ["user", "remove"],
            ["user", "passwd"], ["token", "add"],
            ["token", "list"], ["token", "revoke"], ["send"], ["tail"], ["query"], ["export"], ["import"],
            ["stats", "count"],
            ["stats", "hits"], ["stats", "top"], ["stats", "uniq"], ["stats", "funnel"], ["bench"],
            ["bench", "query"],
        ] {
            #expect(overview.out.contains("  \(path.joined(separator: " "))"))
            let page = try CommandRun(path + ["--help"])
            #expect(page.code == 0 && page.error.isEmpty)
            #expect(page.out.hasPrefix("Usage: eye \(path.joined(separator: " "))"))
            #expect(try CommandRun(["help"] + path).out == page.out)
        }
        let serve = try CommandRun(["serve", "--help"]).out
        for line in ["  --data DIR", "  --tcp HOST:PORT", "Default: ./eye-data. Variable: EYE_DATA.", "Default: 5s."] {
            #expect(serve.contains(line))
        }
    }

    @Test func version() throws {
        let run = try CommandRun(["--version"])
        #expect(run.code == 0)
        #expect(run.out.wholeMatch(of: /eye [0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
    }

    /// Option over variable over default; a wrong variable is named.
    @Test func precedence() throws {
        let run = { (arguments: [String], environment: [String: String]) in
            try CommandRun(["token", "list"] + arguments, environment: environment).error
        }
        #expect(try run(["--data", "/none/option"], ["EYE_DATA": "/none/variable"]).contains("/none/option"))
        #expect(try run(["--data=/none/option"], [:]).contains("/none/option"))
        #expect(try run([], ["EYE_DATA": "/none/variable"]).contains("/none/variable"))
        let wrong = try CommandRun(["serve"], environment: ["EYE_LOOPS": "x"])
        #expect(wrong.code == 2 && wrong.error.hasPrefix("eye serve: EYE_LOOPS: 'x' is not a whole number"))
    }
}
