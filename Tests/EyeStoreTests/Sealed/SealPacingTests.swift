import Testing

@testable import EyeStore

/// Sealing makes room for bursts, and no more than that.
@Suite struct SealPacingTests {
    static let second = StoreLimits.sealPauseNanoseconds

    static func pacing(segmentBytes: Int64) -> SealPacing {
        var options = StoreOptions()
        options.segmentBytes = segmentBytes
        options.minFreeBytes = 1 << 20
        return SealPacing(options)
    }

    @Test func aBurstIsWaitedFor() {
        var pacing = Self.pacing(segmentBytes: 16 << 20)
        let start = 50 * Self.second
        for index in 0..<3 { pacing.noteClosed(now: start + UInt64(index)) }
        #expect(!pacing.mayWait(segments: 3, freeBytes: .max, now: start + 3))
        pacing.noteClosed(now: start + 3)
        #expect(pacing.mayWait(segments: 4, freeBytes: .max, now: start + 3))
        #expect(pacing.mayWait(segments: 4, freeBytes: .max, now: start + 2 + Self.second))
        #expect(!pacing.mayWait(segments: 4, freeBytes: .max, now: start + 3 + Self.second))
    }

    /// The same segments, spread over more time, are no burst.
    @Test func aStreamIsNotWaitedFor() {
        var pacing = Self.pacing(segmentBytes: 16 << 20)
        for index in 0..<20 as Range<UInt64> {
            let now = index * (Self.second / 2)
            pacing.noteClosed(now: now)
            #expect(!pacing.mayWait(segments: Int(index) + 1, freeBytes: .max, now: now))
        }
    }

    /// One segment that is closed says nothing of how fast events come, however large it is; the next one does.
    @Test(arguments: [64 << 20, 128 << 20, 256 << 20] as [Int64]) func oneSegmentIsNoBurst(segmentBytes: Int64) {
        var pacing = Self.pacing(segmentBytes: segmentBytes)
        let atRate = UInt64(segmentBytes) / StoreLimits.sealBurstBytes * Self.second
        var now = 50 * Self.second
        for _ in 0..<3 {
            pacing.noteClosed(now: now)
            #expect(!pacing.isBurst(now: now))
            // It is not sealed at once all the same.
            #expect(pacing.mayWait(segments: 1, freeBytes: .max, now: now))
            now += atRate + 1
        }
        pacing.noteClosed(now: now)
        for _ in 0..<5 {
            now += atRate
            pacing.noteClosed(now: now)
            #expect(pacing.isBurst(now: now) && pacing.isBurst(now: now + atRate - 1))
        }
        #expect(pacing.mayWait(segments: 1, freeBytes: .max, now: now + atRate - 1))
        #expect(!pacing.isBurst(now: now + atRate))
    }

    /// Small segments are a burst together.
    @Test func manySmallSegmentsAreABurst() {
        var pacing = Self.pacing(segmentBytes: 1 << 20)
        var now = 50 * Self.second
        for index in 0..<300 {
            pacing.noteClosed(now: now)
            #expect(pacing.isBurst(now: now) == (index >= 64))
            now += Self.second / 65
        }
    }

    @Test func theBacklogIsBounded() {
        var pacing = Self.pacing(segmentBytes: 64 << 20)
        pacing.noteClosed(now: 7)
        #expect(pacing.mayWait(segments: 127, freeBytes: .max, now: 8))
        #expect(!pacing.mayWait(segments: 128, freeBytes: .max, now: 8))
    }

    /// A store that is to be small has a small backlog.
    @Test func theBacklogIsAShareOfWhatIsKept() {
        var options = StoreOptions()
        options.retainBytes = 1 << 30
        #expect(SealPacing.backlogMax(options) == 1 << 28)
        options.retainBytes = 1 << 40
        #expect(SealPacing.backlogMax(options) == StoreLimits.sealBacklogBytesMax)
        options.retainBytes = 1 << 30
        options.segmentBytes = 64 << 20
        var pacing = SealPacing(options)
        pacing.noteClosed(now: 7)
        #expect(pacing.mayWait(segments: 3, freeBytes: .max, now: 8))
        #expect(!pacing.mayWait(segments: 4, freeBytes: .max, now: 8))
    }

    /// What is sealed takes a tenth of the room: with little room there is no waiting.
    @Test func scarceRoomEndsTheWait() {
        var pacing = Self.pacing(segmentBytes: 64 << 20)
        pacing.noteClosed(now: 7)
        let enough = StoreLimits.sealBacklogBytesMax + 1 << 20
        #expect(pacing.mayWait(segments: 1, freeBytes: enough, now: 8))
        #expect(!pacing.mayWait(segments: 1, freeBytes: enough - 1, now: 8))
    }

    /// While a burst lasts every log leaves the page cache once it has its index, and nothing is sealed; without one the sealer reads it next.
    @Test(arguments: [true, false])
    func aBurstLeavesThePageCache(isBurst: Bool) throws {
        let disk = SimulatedDisk()
        let time = TestTime()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 1_000), time: time)
        for id in 1...30 as ClosedRange<UInt64> {
            let frame = Frame()
            #expect(frame.append(TestEvent(id: id, data: "{\"pad\":\"\(String(repeating: "x", count: 200))\"}")))
            #expect(try writer.commit([frame]) == .durable)
        }
        let bases = try SegmentFolder.list(disk, "d/log", ".log").sorted()
        let (closed, active) = (bases.dropLast(), bases[bases.count - 1])
        try #require(closed.count > 3)
        let keeper = try SegmentKeeper(
            disk, folder: "d", active: isBurst ? closed[closed.endIndex - 2] : active, seed: 1,
            options: .test(seals: true), time: time,
            retention: RetentionWish(known: 1, wanted: 1, since: time.monotonic))
        let logs = closed.map { disk.names["d/log/" + SegmentFolder.name($0, ".log")] }
        if isBurst {
            keeper.add(closed[closed.endIndex - 2], next: closed[closed.endIndex - 1])
            keeper.add(closed[closed.endIndex - 1], next: active)
        }
        while try keeper.step() {}
        #expect(keeper.status.sealings == (isBurst ? 0 : UInt64(closed.count)))
        #expect(
            disk.uncached.map(ObjectIdentifier.init)
                == (isBurst ? logs.compactMap { $0.map(ObjectIdentifier.init) } : []))
        time.monotonic += 4 * Self.second
        while try keeper.step() {}
        #expect(keeper.status.sealings == UInt64(closed.count))
    }
}
