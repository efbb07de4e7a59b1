// `eye verify`: reads a whole store, checks everything that has a checksum, and says what is wrong and what to do. Ends with 0 when nothing
// is damaged, with 4 when something is. The rules are in EyeStore's StoreVerification.

import EyeStore
import EyeSystem
import EyeWire

/// `eye verify`.
enum VerifyCommand {
    static let command = Command(
        path: ["verify"], summary: "Reads a whole store and says whether anything is damaged.",
        details: [
            "Changes nothing, and may run beside the service: it looks at what was durable when it began.",
            "Ends with 0 when everything is right, with 4 when something is damaged.",
        ],
        options: [
            CommandTable.data,
            Option(
                name: "repair-index", kind: .flag,
                help: "Makes missing and damaged indexes anew; the service must be stopped."),
            Option(name: "json", kind: .flag, help: "One JSON object instead of text."),
        ],
        run: { invocation throws(Failure) in
            let folder = invocation.text("data") ?? ""
            let disk = RealDisk()
            let isRunning = try StoreFolder.check(disk, folder)
            var lock: (any DiskLock)?
            if invocation.isSet("repair-index") {
                lock = try Failure.ofStore { () throws(StoreOpenError) in try StoreLock.take(disk, folder: folder) }
            }
            defer { withExtendedLifetime(lock) {} }
            let text = VerifyText(folder: folder, isRunning: isRunning && lock == nil)
            let verification = try Failure.ofStore { () throws(StoreOpenError) in
                try StoreVerification(disk, folder: folder, isRunning: text.isRunning)
            }
            var progress = ProgressLine("verifying", totalBytes: verification.totalBytes)
            var report = try Failure.of(folder) { () throws(SystemError) in
                try verification.run { progress.show($0) }
            }
            let seconds = progress.seconds
            progress.end()
            if lock != nil {
                var repair = ProgressLine("writing indexes", totalBytes: verification.totalBytes)
                report = try Failure.of(folder) { () throws(SystemError) in
                    try verification.repairIndexes { repair.show($0) }
                }
                repair.end()
            }
            if invocation.isSet("json") {
                try Output.out(text.json(report, durable: verification.durableEventID, seconds: seconds))
            } else {
                try Output.out(text.text(report, seconds: seconds))
            }
            return report.isDamaged ? ExitCode.store : ExitCode.success
        })
}

/// The data folder before it is read.
enum StoreFolder {
    /// Fails when there is none; says whether a service writes it now.
    static func check(_ disk: RealDisk, _ folder: String) throws(Failure) -> Bool {
        // First what is in the way: it may be why there is no store.
        try Failure.ofStore { () throws(StoreOpenError) in try DataFolder.check(disk, folder, onlyFolders: true) }
        try require(disk, folder)
        return try Failure.ofStore { () throws(StoreOpenError) in try StoreLock.isHeld(disk, folder: folder) }
    }

    /// Fails when there is none, or when it is a folder of somebody else: who took that for an empty store would back up nothing, every night.
    static func require(_ disk: RealDisk, _ folder: String) throws(Failure) {
        do throws(SystemError) {
            if try DataFolder.isOne(disk, folder) { return }
        } catch {
            throw error.isMissing ? Failure(.noFolder(folder)) : Failure(unusable: folder, error)
        }
        throw Failure(
            "\(folder) is no data folder of eye: there is no watermark, no accounts and no segment in it. Name the right one with --data or "
                + "EYE_DATA; where a volume belongs, mount it; 'eye init --data DIR' makes a new one",
            code: ExitCode.store)
    }
}

extension Failure {
    /// Runs `body` on a store; what makes it unusable is exit code 4, or 74 where the disk failed.
    static func ofStore<Result>(_ body: () throws(StoreOpenError) -> Result) throws(Failure) -> Result {
        do throws(StoreOpenError) {
            return try body()
        } catch {
            throw Failure(error)
        }
    }
}

/// A report for people or for programs.
struct VerifyText {
    let folder: String
    let isRunning: Bool

    /// Lines for people.
    func text(_ report: StoreReport, seconds: Double) -> String {
        var text = ""
        if isRunning { text += "The service is running: this is what was durable when the reading began.\n" }
        for finding in report.findings {
            text += "\(finding.gravity == .damage ? "DAMAGE" : "note"): \(Visible.text("\(finding)"))\n"
        }
        var ids = "no events"
        if report.nextEventID > report.firstEventID && report.events > 0 {
            ids = "\(report.events) events (\(report.firstEventID) to \(report.nextEventID - 1))"
        }
        text +=
            "\(folder): \(report.segments) segments, \(report.frames) frames, \(ids), \(report.samples) rejected samples, "
            + "\(report.indexes) indexes\n"
        text +=
            "read \(Amount.bytes(report.bytes)) in \(Amount.tenths(seconds)) s, \(Amount.speed(report.bytes, seconds))\n"
        if report.repairedIndexes > 0 { text += "\(report.repairedIndexes) indexes written anew\n" }
        let damages = report.findings.count { $0.gravity == .damage }
        text +=
            damages == 0
            ? "Everything is right.\n"
            : "\(damages) damaged place\(damages == 1 ? "" : "s"), see above. Nothing was changed.\n"
        return text
    }

    /// One object, one line.
    func json(_ report: StoreReport, durable: UInt64?, seconds: Double) -> [UInt8] {
        var findings: [String] = []
        for finding in report.findings {
            var members = [
                "\"gravity\":\"\(finding.gravity.rawValue)\"", "\"part\":\"\(finding.part.rawValue)\"",
                "\"file\":\(quoted(finding.file))",
            ]
            if let offset = finding.offset { members.append("\"offset\":\(offset)") }
            if let bytes = finding.bytes { members.append("\"bytes\":\(bytes)") }
            if let ids = finding.eventIDs {
                members.append("\"first_event_id\":\(ids.lowerBound),\"last_event_id\":\(ids.upperBound)")
            }
            members.append("\"what\":\(quoted(finding.what)),\"advice\":\(quoted(finding.advice))")
            findings.append("{\(members.joined(separator: ","))}")
        }
        let events =
            "\"events\":\(report.events),\"first_event_id\":\(report.firstEventID),\"next_event_id\":\(report.nextEventID)"
        let counts =
            "\"segments\":\(report.segments),\"frames\":\(report.frames),\(events),\"rejected_samples\":\(report.samples),"
            + "\"indexes\":\(report.indexes),\"indexes_repaired\":\(report.repairedIndexes)"
        let text =
            "{\"status\":\"\(report.isDamaged ? "damaged" : "ok")\",\"data\":\(quoted(folder)),\"running\":\(isRunning),"
            + "\"durable_event_id\":\(durable.map { "\($0)" } ?? "null"),\(counts),\"bytes\":\(report.bytes),"
            + "\"seconds\":\(seconds),\"findings\":[\(findings.joined(separator: ","))]}\n"
        return Array(text.utf8)
    }

    private func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSON.appendString(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
