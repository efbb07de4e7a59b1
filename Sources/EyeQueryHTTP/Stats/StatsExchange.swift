// GET /stats/count, hits, top, uniq, funnel: an answer at the end, or a line of progress now and then and the answer as the last line. On the
// loop's thread, a bounded step at a time; gone with its connection.

import EyeStore
import EyeSystem

/// Answers with statistics.
final class StatsExchange: ReadExchange {
    private var run: StatsRun?
    private let time: any TimeSource

    /// The exchange for a request, or the problem with its parameters.
    init(
        _ kind: StatsQuery.Kind, _ call: Call, _ store: EventSource, _ room: AnalysisRoom, _ time: any TimeSource
    ) throws(ProblemError) {
        let query = try StatsQuery(kind, call.parameters, now: time.nowMicroseconds())
        self.time = time
        do throws(SystemError) {
            run = StatsRun(query, try store.snapshot(), room: room, time: time)
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
    }

    override func cancel() { run = nil }

    override func proceed() -> Answer {
        guard let run else { return .later }
        if run.query.wantsProgress {
            let fields = [ResponseField("Content-Type", "application/x-ndjson")] + AnswerFields.common
            return .ready(Response(status: 200, fields: fields, body: .stream(StatsStream(run, time))))
        }
        do throws(SystemError) {
            guard case .done(let result) = try run.step() else { return .working }
            self.run = nil
            return .ready(StatsExchange.response(result, run))
        } catch {
            self.run = nil
            return .ready(EventSource.problem(error).response)
        }
    }

    private static func response(_ result: Result<AnalysisResult, ProblemError>, _ run: StatsRun) -> Response {
        switch result {
        case .failure(let error): return error.problem.response
        case .success(let answer):
            var body: [UInt8] = []
            StatsDocument.append(answer, run.query, incomplete: run.damage, to: &body)
            body.append(.lineFeed)
            let fields = AnswerFields.json + (run.damage.map { [PageExchange.incomplete($0)] } ?? [])
            return Response(status: 200, fields: fields, body: .bytes(body))
        }
    }
}

/// Lines of progress, then the answer, or the problem that is there instead of it: `{"progress":0.42}` … `{"count":7}`.
final class StatsStream: BodyProducer {
    private var run: StatsRun?
    private let time: any TimeSource
    private var nextLine: UInt64 = 0

    init(_ run: StatsRun, _ time: any TimeSource) {
        self.run = run
        self.time = time
    }

    func produce(into out: inout [UInt8], room: Int) -> Production {
        guard let run else { return .failed }
        do throws(SystemError) {
            guard case .done(let result) = try run.step() else {
                appendProgress(run.progress, to: &out)
                return .more
            }
            switch result {
            case .success(let answer): StatsDocument.append(answer, run.query, incomplete: run.damage, to: &out)
            case .failure(let error): error.problem.append(to: &out)
            }
        } catch {
            EventSource.problem(error).append(to: &out)
        }
        out.append(.lineFeed)
        self.run = nil
        return .end
    }

    private func appendProgress(_ progress: Double, to out: inout [UInt8]) {
        let now = time.monotonicNanoseconds()
        guard now >= nextLine else { return }
        nextLine = now + HTTPLimits.progressMilliseconds * 1_000_000
        let thousandths = Int(progress * 1000)
        let digits = "\(1000 + min(thousandths, 999))".dropFirst()
        out.append(text: "{\"progress\":0.\(digits)}\n")
    }

    func cancel() { run = nil }
}
