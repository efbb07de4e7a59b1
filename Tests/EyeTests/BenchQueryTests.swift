import Foundation
import Testing

/// `eye bench query`: fills a store with different events, then times every documented query against it.
@Suite(.timeLimit(.minutes(2))) struct BenchQueryTests {
    @Test func everyQueryIsAskedAndAnswered() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("bench", scope: "ingest,read")
        let variables = ["EYE_TOKEN": token, "EYE_HTTP": eye.http, "EYE_TCP": eye.tcp]
        let empty = try CommandRun(["bench", "query"], environment: variables)
        #expect(empty.code == 1 && empty.error.contains("there are no events"))

        let fill = try CommandRun(["bench", "query", "--fill", "2000"], environment: variables)
        #expect(fill.code == 0 && fill.out.isEmpty && fill.error.isEmpty)
        let run = try CommandRun(
            ["bench", "query", "--repeat", "3", "--scans", "1", "--name", "signup", "--json"], environment: variables)
        #expect(run.code == 0 && run.error.isEmpty)
        let result = try #require(try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [String: Any])
        #expect(result["events"] as? Int == 2_000)
        let queries = try #require(result["queries"] as? [[String: Any]])
        // All but the page 1,000: 2,000 events have 20 pages.
        #expect(queries.count == 12)
        for query in queries {
            let latency = try #require(query["latency_us"] as? [String: Any])
            #expect(
                latency["count"] as? Int == (query["query"] as? String == "top 10 of data.path over everything" ? 1 : 3)
            )
            #expect(try #require(query["bytes"] as? Int) > 2 || query["query"] as? String == "a name that no event has")
        }
        let text = try CommandRun(["bench", "query", "--repeat", "1", "--scans", "1"], environment: variables)
        #expect(text.code == 0 && text.out.hasPrefix("2,000 events, 1 of each over one connection\n"))
    }

    /// Years of hours are more than one answer has: the histogram has a longer step. What is refused is told, the rest is shown.
    @Test func anyStoreCanBeMeasured() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("bench", scope: "ingest,read")
        let variables = ["EYE_TOKEN": token, "EYE_HTTP": eye.http, "EYE_TCP": eye.tcp]
        let events = ["1999-01-01", "2021-01-01"].map { day in
            #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"\#(day)T00:00:00Z"}"#
        }
        let sent = try CommandRun(["send"], input: events.map { $0 + "\n" }.joined(), environment: variables)
        #expect(sent.code == 0, "\(sent.error)")
        let command = ["bench", "query", "--repeat", "1", "--scans", "1"]
        let whole = try CommandRun(command, environment: variables)
        #expect(whole.code == 0 && whole.out.contains("histogram of everything, step 1d"), "\(whole.error)\(whole.out)")

        let run = try CommandRun(command + ["--field", "nothing", "--json"], environment: variables)
        #expect(run.code == 1 && run.error.isEmpty)
        let result = try #require(try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [String: Any])
        let queries = try #require(result["queries"] as? [[String: Any]])
        let refused = queries.filter { $0["latency_us"] == nil }
        #expect(queries.count > 8 && refused.count == 1)
        #expect(refused.first?["status"] as? Int == 400 && refused.first?["refused"] is String)
        let text = try CommandRun(command + ["--field", "nothing"], environment: variables)
        #expect(
            text.code == 1 && text.out.contains("\ntop 10 of nothing over everything: refused, 400: "), "\(text.out)")
        #expect(text.out.contains("\ncount by name "))
    }

    @Test(arguments: [
        ([], 2, "a token is needed"), (["--token", "x", "--http", "off"], 2, "'off' is no address"),
        (["--token", "x", "--http", "127.0.0.1:1"], 1, "127.0.0.1:1: connect"),
        (["--token", "x", "--repeat", "0"], 2, "--repeat"),
    ])
    func whatItNeeds(arguments: [String], code: Int32, message: String) throws {
        let run = try CommandRun(["bench", "query"] + arguments)
        #expect(run.code == code && run.out.isEmpty && run.error.contains(message))
    }
}
