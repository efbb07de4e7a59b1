import EyeSystem
import Testing

@testable import EyeStore

/// A reader may believe for a while what the folders of segments looked like; never how much is durable.
@Suite struct FolderLookTests {
    @Test(arguments: [0, UInt64.max]) func whatIsDurableIsSeenAtOnce(nanoseconds: UInt64) throws {
        let disk = SimulatedDisk()
        let time = TestTime()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 1_000), time: time)
        var limits = ReaderLimits()
        limits.folderLookNanoseconds = nanoseconds
        let reader = StoreReader(disk, folder: "d", limits: limits)
        for id in 1...50 as ClosedRange<UInt64> {
            let frame = Frame()
            #expect(frame.append(TestEvent(id: id, data: "{\"pad\":\"\(String(repeating: "x", count: 200))\"}")))
            #expect(try writer.commit([frame]) == .durable)
            #expect(try reader.snapshot().lastEventID == id)
            let looks = disk.stamps
            #expect(try reader.snapshot().lastEventID == id)
            #expect((disk.stamps == looks) == (nanoseconds > 0))
        }
    }
}
