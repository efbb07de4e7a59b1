import EyeSystem
import Testing

@testable import EyeStore

@Suite struct StoreWriterTests {
    @Test func numbersEventsWithoutGapsAcrossRestarts() throws {
        let folder = try TemporaryFolder()
        for round in 0..<3 {
            let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
            #expect(writer.nextEventID == UInt64(round * 2 + 1))
            #expect(writer.recovery.isClean)
            let frame = Frame()
            #expect(frame.append(TestEvent()))
            #expect(frame.appendSession(ID128(high: 2, low: 2), received: 5, token: 1))
            #expect(frame.append(TestEvent()))
            #expect(try writer.commit([frame]) == .durable)
            #expect(frame.outcome(ofRecord: 0) == RecordOutcome(id: UInt64(round * 2 + 1), fate: .stored))
            #expect(frame.outcome(ofRecord: 1) == RecordOutcome(id: 0, fate: .stored))
            #expect(frame.outcome(ofRecord: 2) == RecordOutcome(id: UInt64(round * 2 + 2), fate: .stored))
            try writer.close()
        }
    }

    @Test func aSecondWriterIsLockedOut() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        #expect {
            _ = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        } throws: { error in
            if case .locked = error as? StoreOpenError { return true }
            return false
        }
        #expect(writer.nextEventID == 1)
    }

    /// The lock is the folder's, whatever is removed from it.
    @Test func aRemovedLockFileLetsNobodyIn() throws {
        let folder = try TemporaryFolder()
        let disk = RealDisk()
        var writer: StoreWriter? = try StoreWriter.open(disk, folder: folder.path, options: .test(), time: TestTime())
        #expect(try StoreLock.isHeld(disk, folder: folder.path))
        try disk.remove(folder.path + "/LOCK")
        #expect(try StoreLock.isHeld(disk, folder: folder.path))
        #expect {
            _ = try StoreWriter.open(disk, folder: folder.path, options: .test(), time: TestTime())
        } throws: { error in
            if case .locked = error as? StoreOpenError { return true }
            return false
        }
        // It has made nothing either.
        #expect(throws: SystemError.self) { try disk.stamp(folder.path + "/LOCK") }
        #expect(writer?.nextEventID == 1)
        writer = nil
        #expect(try !StoreLock.isHeld(disk, folder: folder.path))
        writer = try StoreWriter.open(disk, folder: folder.path, options: .test(), time: TestTime())
    }
}
