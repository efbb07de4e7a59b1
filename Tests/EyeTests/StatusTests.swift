import Foundation
import Testing

/// Health, readiness and metrics: on the HTTP service and on a thread of their own.
@Suite(.timeLimit(.minutes(2))) struct StatusTests {
    /// One metric family of the Prometheus text format.
    private struct Family {
        var type = ""
        var samples: [(name: String, labels: [String: String], value: Double)] = []
    }

    /// Parses the whole text, strictly (exposition format 0.0.4): HELP, TYPE, then the samples of one family.
    private func parse(_ text: String) throws -> [String: Family] {
        var families: [String: Family] = [:]
        var current = ""
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if let help = line.wholeMatch(of: #/# HELP ([a-z_]+) (\S.*\.|\S.*\))/#) {
                #expect(families[String(help.1)] == nil, "\(help.1) stands there twice")
                current = String(help.1)
                families[current] = Family()
            } else if let type = line.wholeMatch(of: #/# TYPE ([a-z_]+) (counter|gauge|histogram)/#) {
                #expect(String(type.1) == current && families[current]?.type == "")
                families[current]?.type = String(type.2)
            } else {
                let sample = try #require(
                    line.wholeMatch(of: #/([a-z_]+)(?:\{([a-z]+)="([a-zA-Z0-9_.+-]+)"\})? ([0-9.e+-]+|\+Inf)/#),
                    "\(line)")
                let family = try #require(families[current])
                let endings = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                #expect(endings.contains { String(sample.1) == current + $0 }, "\(line)")
                let labels = sample.2.map { [String($0): String(sample.3 ?? "")] } ?? [:]
                families[current]?.samples.append((String(sample.1), labels, try #require(Double(sample.4))))
            }
        }
        return families
    }

    /// Names have a unit or say what they count; labels have closed sets of values.
    private func check(_ families: [String: Family]) {
        let units = ["_total", "_bytes", "_seconds"]
        // Gauges that count things name the things.
        let things = [
            "connections", "batches", "ranges", "segments", "events", "waiting", "up", "failed", "tombstones", "full",
            "event_id", "streams",
        ]
        let labels = ["route", "status", "code", "le"]
        #expect(families.count > 30)
        for (name, family) in families {
            #expect(name.hasPrefix("eye_"))
            #expect(!family.samples.isEmpty || name == "eye_http_responses_total", "\(name)")
            switch family.type {
            case "counter": #expect(name.hasSuffix("_total"), "\(name)")
            case "histogram": #expect(units.contains { name.hasSuffix($0) }, "\(name)")
            default:
                #expect(!name.hasSuffix("_total"), "\(name)")
                #expect((units + things.map { "_\($0)" }).contains { name.hasSuffix($0) }, "\(name)")
            }
            #expect(Set(family.samples.map { "\($0.name)\($0.labels)" }).count == family.samples.count, "\(name)")
            for sample in family.samples {
                #expect(sample.labels.keys.allSatisfy(labels.contains), "\(name)")
                #expect(sample.value >= 0, "\(name)")
                if let status = sample.labels["status"] {
                    #expect(Int(status).map { (100...599).contains($0) } == true)
                }
            }
            if family.type == "histogram" {
                let buckets = family.samples.filter { $0.name.hasSuffix("_bucket") }
                #expect(buckets.last?.labels["le"] == "+Inf")
                #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value }, "\(name)")
                #expect(buckets.last?.value == family.samples.last?.value)
            }
        }
    }

    @Test func metricsAreWhatPrometheusReads() throws {
        let eye = try ServedEye(nil, ["--status", "127.0.0.1:0"])
        _ = try CommandRun(
            ["send", "--tcp", eye.tcp], input: TestEvents.lines(1...3).map { $0 + "\n" }.joined() + "{}\n",
            environment: ["EYE_TOKEN": eye.firstToken])
        let before = try parse(try eye.call("GET", "/metrics").text)
        check(before)
        // A client cannot make up a label.
        for target in ["/no/such/path", "/events/%22%7D", "/"] { _ = try eye.call("GET", target) }
        _ = try eye.call("BREW", "/events/")
        let answer = try eye.call("GET", "/metrics")
        #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let after = try parse(answer.text)
        check(after)
        #expect(Set(after.keys) == Set(before.keys))
        let routes = { (families: [String: Family]) in
            Set(families["eye_http_requests_total"]?.samples.compactMap { $0.labels["route"] } ?? [])
        }
        #expect(routes(after) == routes(before) && routes(after).contains("unknown"))
        #expect(after["eye_ingest_accepted_total"]?.samples.first?.value == 3)
        #expect(!answer.text.contains(eye.firstToken))
        // The same families on the other thread.
        let status = try HTTPAnswer(of: "GET", "/metrics", at: eye.status, fields: [], body: [])
        let there = try parse(status.text)
        check(there)
        #expect(Set(there.keys) == Set(after.keys))
        #expect(there["eye_http_requests_total"]?.samples.first { $0.labels["route"] == "metrics" }?.value == 2)
    }

    @Test func readyHasReasons() throws {
        let eye = try ServedEye(nil, ["--status", "127.0.0.1:0"])
        func status(_ target: String, _ method: String = "GET") throws -> HTTPAnswer {
            try HTTPAnswer(of: method, target, at: eye.status, fields: [], body: [])
        }
        #expect(try status("/-/healthy").object["status"] as? String == "ok")
        #expect(try status("/-/ready").object["status"] as? String == "ready")
        #expect(try status("/-/ready", "HEAD").status == 200)
        // Nothing else is there.
        for target in ["/events/", "/", "/api-token-auth/", "/-/x"] { #expect(try status(target).status == 404) }
        let refused = try status("/metrics", "POST")
        #expect(refused.status == 405 && refused["allow"] == "GET, HEAD, OPTIONS")
        let options = try status("/metrics", "OPTIONS")
        #expect(options.status == 204 && options["allow"] == "GET, HEAD, OPTIONS")
        #expect(eye.end(SIGTERM) == 0)

        // Without the other side, and with accounts that cannot be read.
        let alone = try ServedEye(eye.folder, only: .http, ["--status", "127.0.0.1:0"])
        try FileManager.default.removeItem(atPath: "\(eye.folder.path)/accounts")
        for place in [alone.http, alone.status] {
            let answer = try HTTPAnswer(of: "GET", "/-/ready", at: place, fields: [], body: [])
            #expect(answer.status == 503)
            let reasons = (answer.object["reasons"] as? [String] ?? []).map { $0.prefix { $0 != ":" } }
            #expect(reasons == ["no-ingest"] || reasons == ["no-ingest", "no-accounts"], "\(answer.text)")
        }
        #expect(alone.end(SIGTERM) == 0)
    }
}
