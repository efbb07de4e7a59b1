import Testing

@testable import EyeStore

private let day: Int64 = 86_400_000_000
/// 2026-11-20.
private let today: Int64 = 1_795_132_800_000_000

/// Which segments go: by bytes, by age, and by nothing that a wrong clock says.
@Suite struct RetentionPlanTests {
    /// Segments of ten events and 100 bytes each, whose newest events came so many days before today; nil: nobody knows. The active one is last.
    static func plan(_ ages: [Int64?]) -> RetentionPlan {
        var segments: [RetainedSegment] = []
        for (index, age) in ages.enumerated() {
            segments.append(
                RetainedSegment(
                    bytes: 100, firstEventID: UInt64(index * 10 + 1), newestReceived: age.map { today - $0 * day },
                    events: 10))
        }
        segments.append(RetainedSegment(bytes: 50, firstEventID: UInt64(ages.count * 10 + 1)))
        return RetentionPlan(segments: segments)
    }

    @Test func theOldestGoUntilTheRestFits() {
        let plan = Self.plan([3, 2, 1])
        #expect(plan.bytes == 350)
        for (bytesMax, count) in [(350, 0), (349, 1), (250, 1), (249, 2), (150, 2), (149, 3), (50, 3), (0, 3)] {
            #expect(plan.excess(over: UInt64(bytesMax)) == count, "\(bytesMax)")
        }
        #expect(Self.plan([]).excess(over: 0) == 0)
    }

    /// Of the bytes of what waits to be sealed nobody knows yet what will be left: within bounds nothing goes for them.
    @Test func whatWaitsToBeSealedDropsNothing() {
        var plan = Self.plan([4, 3, 2, 1])
        plan.segments[2].isWaiting = true
        plan.segments[3].isWaiting = true
        // 450 bytes, 250 of them settled.
        for (bytesMax, waitingMax, count) in [
            (250, 200, 0), (250, 199, 1), (250, 100, 1), (250, 0, 2), (249, 200, 1), (249, 1_000, 1), (150, 1_000, 1),
            (149, 1_000, 2), (49, 1_000, 4), (0, 0, 4),
        ] as [(UInt64, UInt64, Int)] {
            #expect(plan.excess(over: bytesMax, waitingMax: waitingMax) == count, "\(bytesMax) \(waitingMax)")
        }
    }

    @Test func eventsThatNobodyCountedAreIDs() {
        var plan = Self.plan([3, 2])
        plan.segments[0].events = 7
        #expect(plan.eventsOfOldest == 7)
        plan.segments[0].events = nil
        #expect(plan.eventsOfOldest == 10)
        plan.segments[0].firstEventID = nil
        #expect(plan.eventsOfOldest == 0)
    }

    /// Ages of segments → how many go after 90 days.
    @Test(
        arguments: [
            ("young", [80, 70, 10], 0), ("old ones", [200, 100, 89, 10], 2), ("all", [200, 150, 91], 3),
            ("none", [], 0),
            // The very day is kept.
            ("to the day", [91, 90], 1),
            // The order of the log is beyond doubt: what stands before an old one is not younger.
            ("no events in between", [200, nil, 100, 10], 3), ("no events at the end", [200, nil, 10], 1),
            ("nobody knows", [nil, nil], 0),
            // The wall clock had gone back to 1970, or by half a year, or by an hour.
            ("1970 in between", [100, 20_777, 10], 1), ("1970 first", [20_777, 10], 0), ("1970 only", [20_777], 0),
            ("back by half a year", [100, 20, 200, 10], 1), ("back among old ones", [100, 250, 95, 10], 3),
            ("back at the end", [20, 10, 200], 0),
            // It was a century ahead.
            ("ahead in between", [100, -36_500, 95, 10], 3), ("ahead first", [-36_500, 10], 0),
            ("ahead, and nothing after it", [100, -36_500, -36_500], 1),
        ] as [(String, [Int64?], Int)])
    func age(what: String, ages: [Int64?], count: Int) throws {
        let clock = try #require(RetentionClock(evidence: today, wall: today, monotonicNanoseconds: 0))
        #expect(Self.plan(ages).aged(90 * day, by: clock, wall: today) == count, "\(what)")
    }

    /// A wall clock that is a century ahead changes nothing; one that is behind neither.
    @Test(arguments: [today + 36_500 * day, today - 300 * day, 0]) func theWallClockIsNotAsked(wall: Int64) throws {
        let clock = try #require(RetentionClock(evidence: today, wall: today, monotonicNanoseconds: 0))
        #expect(Self.plan([100, 95, 80, 10]).aged(90 * day, by: clock, wall: wall) == 2)
        // Even what bears its time.
        #expect(Self.plan([100, -36_500, 10]).aged(90 * day, by: clock, wall: wall) == 1)
    }

    /// The clock of ages is behind after a pause: what came since is new, though it is ahead of that clock.
    @Test func whatCameAfterAPauseIsNew() throws {
        let clock = try #require(RetentionClock(evidence: today - 60 * day, wall: today, monotonicNanoseconds: 0))
        #expect(Self.plan([160, 151, 140, 5]).aged(90 * day, by: clock, wall: today) == 2)
        // Though the wall clock went back then.
        #expect(Self.plan([160, 30, 155, 5]).aged(90 * day, by: clock, wall: today) == 1)
    }

    /// What went before is not forgotten: a segment that bears an older time than it is not older.
    @Test func whatWentBeforeCounts() throws {
        var clock = try #require(RetentionClock(evidence: today, wall: today, monotonicNanoseconds: 0))
        #expect(Self.plan([300, 20]).aged(90 * day, by: clock, wall: today) == 1)
        clock.droppedThrough = today - 95 * day
        #expect(Self.plan([300, 20]).aged(90 * day, by: clock, wall: today) == 0)
        #expect(Self.plan([300, 20]).newestReceived(in: 2, by: clock, wall: today) == today - 20 * day)
    }

    @Test func damagedHeadersCannotBeTheFirst() {
        var plan = Self.plan([3, 2, 1])
        #expect(
            plan.firstKept(without: 0) == nil && plan.firstKept(without: 2) == 21 && plan.firstKept(without: 9) == 31)
        plan.segments[2].firstEventID = nil
        #expect(plan.firstKept(without: 2) == 11 && plan.firstKept(without: 3) == 31)
        plan.segments[1].firstEventID = nil
        #expect(plan.firstKept(without: 2) == nil)
    }

    @Test func whatIsBelowTheFirstKeptOneGoes() {
        var plan = Self.plan([3, 2, 1])
        for (first, count) in [(1, 0), (2, 0), (11, 1), (12, 1), (21, 2), (31, 3), (99, 3)] {
            #expect(plan.count(below: UInt64(first)) == count, "\(first)")
        }
        // A segment without events begins with the same id as the next one: it is kept with it.
        plan.segments.insert(RetainedSegment(bytes: 1, firstEventID: 21), at: 2)
        #expect(plan.count(below: 21) == 2)
        plan.segments[1].firstEventID = nil
        #expect(plan.count(below: 21) == 2 && plan.count(below: 11) == 0)
    }
}

/// The clock that ages are measured by.
@Suite struct RetentionClockTests {
    private func clock(_ evidence: Int64 = today) throws -> RetentionClock {
        try #require(RetentionClock(evidence: evidence, wall: today, monotonicNanoseconds: 0))
    }

    @Test func itFollowsAWallClockThatIsRight() throws {
        var clock = try clock()
        for hour in 1...48 {
            clock.advance(wall: today + Int64(hour) * day / 24, monotonicNanoseconds: UInt64(hour) * 3_600_000_000_000)
            #expect(clock.reached == today + Int64(hour) * day / 24)
        }
    }

    @Test func aJumpAheadHurriesItByTwoAtMost() throws {
        var clock = try clock()
        for days in Int64(1)...45 {
            clock.advance(wall: today + 36_500 * day, monotonicNanoseconds: UInt64(days * day) * 1000)
            #expect(clock.reached == today + 2 * days * day)
        }
        // Corrected: it waits.
        clock.advance(wall: today + 50 * day, monotonicNanoseconds: UInt64(50 * day) * 1000)
        #expect(clock.reached == today + 90 * day)
        clock.advance(wall: today + 91 * day, monotonicNanoseconds: UInt64(91 * day) * 1000)
        #expect(clock.reached == today + 91 * day)
    }

    @Test func itNeverGoesBack() throws {
        var clock = try clock()
        for wall in [today - day, 0, Int64.min] {
            clock.advance(wall: wall, monotonicNanoseconds: 10)
            #expect(clock.reached == today)
        }
        clock.advance(wall: today + day, monotonicNanoseconds: UInt64(day) * 1000)
        #expect(clock.reached == today + day)
    }

    @Test func afterAPauseItCatchesUp() throws {
        var clock = try clock(today - 7 * day)
        clock.advance(wall: today + 7 * day, monotonicNanoseconds: UInt64(7 * day) * 1000)
        #expect(clock.reached == today + 7 * day)
    }

    @Test func aClockThatWasNeverSetIsNone() throws {
        #expect(RetentionClock(evidence: today, wall: 0, monotonicNanoseconds: 0) == nil)
        #expect(try clock(0).reached == RetentionClock.earliest)
        #expect(try clock(today + day).reached == today)
    }

    @Test func theFileKeepsIt() throws {
        let disk = SimulatedDisk()
        try disk.makeDirectory("d")
        #expect(try RetentionClock.read(disk, folder: "d", monotonicNanoseconds: 5) == nil)
        var clock = try clock(today - 3)
        clock.droppedThrough = 77
        try clock.write(disk, folder: "d")
        clock.droppedThrough = 78
        try clock.write(disk, folder: "d")
        #expect(disk.names.count == 1 && disk.pendingNames.isEmpty)
        let read = try #require(try RetentionClock.read(disk, folder: "d", monotonicNanoseconds: 0))
        #expect(read == clock)
        for offset in 0..<64 {
            disk.names["d/retention"]!.now[offset] ^= 1
            #expect(try RetentionClock.read(disk, folder: "d", monotonicNanoseconds: 0) == nil, "\(offset)")
            disk.names["d/retention"]!.now[offset] ^= 1
        }
    }
}
