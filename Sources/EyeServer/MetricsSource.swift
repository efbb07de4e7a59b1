// Collects the ingest side's numbers for METRICS. Made before the loops it asks, hence set afterwards.

import EyeStore
import EyeSystem
import EyeWire
import Synchronization

final class MetricsSource: Sendable {
    private struct Parts: Sendable {
        var loops: [IngestLoop]
        var queue: CommitQueue
        var appender: Appender
        var admission: Admission
        var samples: SampleQueue
        var housekeeping: Housekeeping
        var recovery: RecoveryReport
        var damagedSamples: Int
    }

    private let parts = Mutex<Parts?>(nil)

    /// Before the threads start.
    func set(
        loops: [IngestLoop], queue: CommitQueue, appender: Appender, admission: Admission, samples: SampleQueue,
        housekeeping: Housekeeping, recovery: RecoveryReport, damagedSamples: Int
    ) {
        parts.withLock {
            $0 = Parts(
                loops: loops, queue: queue, appender: appender, admission: admission, samples: samples,
                housekeeping: housekeeping, recovery: recovery, damagedSamples: damagedSamples)
        }
    }

    /// The numbers now, as Prometheus text.
    func text() -> [UInt8] {
        guard let parts = parts.withLock({ $0 }) else { return [] }
        var counts = Counts()
        for loop in parts.loops { counts.add(loop.published.value) }
        let commits = parts.appender.snapshot
        var text = MetricsText()
        text.counter("eye_ingest_lines_total", "Event lines judged.", counts.lines)
        text.counter("eye_ingest_accepted_total", "Event lines stored durably.", counts.accepted)
        text.counter("eye_ingest_duplicate_total", "Event lines that were stored before.", counts.duplicate)
        text.rejected("eye_ingest_rejected_total", "Event lines refused, by reason code.", counts)
        text.ended("eye_ingest_connections_ended_total", "Connections that the service ended, by reason code.", counts)
        text.counter("eye_ingest_received_bytes_total", "Bytes read from sockets.", counts.bytes)
        text.counter("eye_ingest_datagrams_total", "Datagrams received.", counts.datagrams)
        text.counter(
            "eye_ingest_datagrams_dropped_total", "Datagrams that the kernel dropped (SO_MEMINFO).",
            counts.datagramsDropped)
        text.gauge("eye_ingest_connections", "Open stream connections.", UInt64(max(0, parts.admission.connections)))
        text.counter("eye_ingest_connections_total", "Stream connections opened.", counts.connectionsOpened)
        text.counter(
            "eye_ingest_connections_refused_total",
            "Connections closed unheard because there were too many, or no descriptor for one more.",
            parts.admission.refusals)
        text.counter(
            "eye_ingest_pauses_total", "Turns in which a loop did not read: the disk was behind.", counts.pauses)
        text.gauge("eye_ingest_queue_batches", "Batches that wait for the appender.", UInt64(parts.queue.depth))
        text.counter("eye_store_commits_total", "Durable commits.", commits.commits)
        text.counter(
            "eye_store_commits_refused_total", "Commits refused because the disk was full.", commits.refusedCommits)
        text.gauge(
            "eye_store_full", "1: less room than --min-free-bytes is left, events are refused with storage-full.",
            parts.housekeeping.isFull ? 1 : 0)
        text.counter("eye_store_written_bytes_total", "Bytes committed to the log.", commits.bytes)
        text.histogram("eye_store_commit_bytes", "Bytes in a commit.", commits.sizes, scale: 1)
        text.histogram("eye_store_commit_seconds", "Write and fdatasync of a commit.", commits.times, scale: 1e9)
        text.counter("eye_rejected_samples_lost_total", "Samples of refused lines not kept.", parts.samples.overflowed)
        text.counter(
            "eye_rejected_samples_evicted_total", "Samples of refused lines deleted to stay within the bound.",
            parts.housekeeping.samplesEvicted)
        text.gauge(
            "eye_rejected_damaged_ranges",
            "Damaged places among the samples of refused lines that the last start found (its log names them).",
            UInt64(parts.damagedSamples))
        let recovery = parts.recovery
        text.gauge(
            "eye_store_damaged_ranges", "Damaged places that the last start found ('eye verify' lists all).",
            UInt64(recovery.damage.count))
        text.gauge(
            "eye_store_damaged_bytes", "Bytes in damaged places that the last start found.",
            recovery.damage.reduce(0) { $0 + UInt64(max(0, $1.bytes)) })
        text.counter(
            "eye_store_recoveries_total", "Repairs by this start: an unfinished write cut, a last commit written anew.",
            (recovery.torn == nil ? 0 : 1) + (recovery.rewrittenEvents > 0 ? 1 : 0))
        MetricsSource.add(parts.housekeeping.keeping, to: &text)
        return text.bytes
    }

    private static func add(_ keeping: KeeperStatus, to text: inout MetricsText) {
        text.gauge("eye_store_sealed_segments", "Sealed segments.", UInt64(keeping.sealedSegments))
        text.gauge("eye_store_sealed_bytes", "Bytes of sealed segments.", keeping.sealedBytes)
        text.gauge("eye_store_sealed_events", "Events in sealed segments.", keeping.sealedEvents)
        text.gauge(
            "eye_store_waiting_segments", "Closed segments of the log that are not sealed yet.",
            UInt64(keeping.waitingSegments))
        text.gauge(
            "eye_store_damaged_segments", "Closed segments of the log that are damaged and stay as they are.",
            UInt64(keeping.damagedSegments))
        text.gauge(
            "eye_store_erasing_segments", "Closed segments whose tombstones hide what is still on the disk.",
            UInt64(keeping.erasingSegments))
        text.gauge(
            "eye_store_active_tombstones",
            "Tombstones in the active segment; what they hide stays on the disk until that is closed.",
            UInt64(keeping.activeTombstones))
        text.counter(
            "eye_store_rewritings_total", "Sealed segments written anew without erased events.", keeping.rewritings)
        text.counter("eye_store_sealings_total", "Segments sealed.", keeping.sealings)
        text.counter("eye_store_sealing_failures_total", "Attempts to seal a segment that failed.", keeping.failures)
        text.gauge(
            "eye_store_sealing_failed", "1: the last attempt to seal a segment failed (the log says why).",
            keeping.lastError == nil ? 0 : 1)
        let retention = keeping.retention
        text.gauge(
            "eye_store_first_kept_event_id", "Events below this id are gone by retention; 1: none are.",
            retention.firstKeptEventID)
        text.counter("eye_store_dropped_segments_total", "Segments dropped by retention.", retention.droppedSegments)
        text.counter("eye_store_dropped_events_total", "Events in them.", retention.droppedEvents)
        text.counter("eye_store_dropped_bytes_total", "Bytes of them.", retention.droppedBytes)
        text.gauge(
            "eye_store_retention_bytes", "Bytes of all segments, as retention saw them last; 0: nothing is dropped.",
            retention.bytes)
        text.gauge(
            "eye_store_retention_lag_seconds", "How far the clock of --retain-age is behind the wall clock.",
            UInt64(retention.clockLag / 1_000_000))
        text.gauge(
            "eye_store_retention_failed", "1: the last attempt to drop a segment failed (the log says why).",
            retention.lastError == nil ? 0 : 1)
    }
}
