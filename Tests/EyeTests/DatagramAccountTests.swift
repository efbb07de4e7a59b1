import EyeSystem
import EyeTestVectors
import Foundation
import Testing

/// UDP tells nobody what it lost, so the counts must be exact: datagrams sent = received + dropped by the kernel, and lines
/// received = accepted + rejected + duplicate, also when the server cannot keep up. 10 M datagrams with EYE_LONG_TESTS=1.
@Suite(.serialized, .timeLimit(.minutes(20))) struct DatagramAccountTests {
    @Test func exactUnderOverload() throws {
        let rounds = TestSize.isLong ? 20 : 1
        let perRound = TestSize.isLong ? 250_000 : 50_000
        let server = try AbusedServer()
        let path = "\(server.folder.path)/lines"
        let good = String(server.line().dropFirst(server.token.count + 1))
        let twice = good.replacing("}\n", with: ",\"event_id\":\"0b5e3c1e-7f0e-4a8e-9f43-5d5a3d0c9a11\"}\n")
        // Good, refused, and the same event again and again.
        try Data((good + good + "{\"a\":1}\n" + twice + good).utf8).write(to: URL(filePath: path))
        var sent: UInt64 = 0
        let send = { (count: Int, linesPerDatagram: Int) in
            let result = try server.bench([
                "--udp", server.udp, "-n", "\(count * linesPerDatagram)", "-c", "4", "--file", path,
                "--lines-per-datagram", "\(linesPerDatagram)",
            ])
            sent += result["datagrams"] as? UInt64 ?? 0
            #expect(result["refused_sends"] as? Int == 0)
        }
        for round in 0..<rounds {
            // The reader stops: its buffer overflows.
            server.signal(SIGSTOP)
            try send(perRound, 1)
            server.signal(SIGCONT)
            try send(perRound, round % 2 == 0 ? 1 : 5)
        }
        var metrics = try server.metrics()
        let patience = ContinuousClock.now + .seconds(30)
        let known = {
            (metrics["eye_ingest_datagrams_total"] ?? 0) + (metrics["eye_ingest_datagrams_dropped_total"] ?? 0)
        }
        let judged = {
            metrics.reduce(0 as UInt64) { $0 + ($1.key.hasPrefix("eye_ingest_rejected_total{") ? $1.value : 0) }
                + (metrics["eye_ingest_accepted_total"] ?? 0) + (metrics["eye_ingest_duplicate_total"] ?? 0)
        }
        while (known() < sent || judged() < metrics["eye_ingest_lines_total"] ?? 0) && ContinuousClock.now < patience {
            usleep(10_000)
            metrics = try server.metrics()
        }
        let (received, dropped) = (
            metrics["eye_ingest_datagrams_total"] ?? 0, metrics["eye_ingest_datagrams_dropped_total"] ?? 0
        )
        let lines = metrics["eye_ingest_lines_total"] ?? 0
        let accepted = metrics["eye_ingest_accepted_total"] ?? 0
        let duplicate = metrics["eye_ingest_duplicate_total"] ?? 0
        LongTests.report(
            "UDP: sent \(sent) = received \(received) + dropped \(dropped) (difference \(Int64(sent) - Int64(received + dropped))); "
                + "lines \(lines) = accepted \(accepted) + rejected \(judged() - accepted - duplicate) + duplicate \(duplicate) "
                + "(difference \(Int64(lines) - Int64(judged())))")
        #expect(sent == received + dropped)
        #expect(dropped > 0 && received > 0)
        #expect(lines == judged() && accepted > 0 && duplicate > 0 && judged() > accepted + duplicate)
    }
}
