import EyeSystem
import Foundation
import Testing

@Suite struct OpenFilesTests {
    /// What is only read leaves the last descriptors to what is written. In a process of its own: the limit is the process's.
    @Test func theLastDescriptorsAreForWriting() async {
        await #expect(processExitsWith: .success) {
            let all = 512
            var limit = rlimit(rlim_cur: rlim_t(all), rlim_max: rlim_t(all))
            precondition(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let disk = RealDisk()
            let path = "/tmp/eye-open-files-\(getpid())"
            _ = try disk.open(path, .create)
            var files: [any DiskFile] = []
            func openAll(_ mode: DiskOpenMode) -> Int {
                let before = files.count
                do {
                    while true { files.append(try disk.open(path, mode)) }
                } catch {
                    precondition(error.isOutOfDescriptors)
                }
                return files.count - before
            }
            let bound = try OpenFiles.bound(reserving: OpenFiles.reservedForWriting)
            precondition(bound == all - OpenFiles.reservedForWriting)
            // What the process that began this one has left open may be among them.
            let free = (bound..<all).count { fcntl(Int32($0), F_GETFD) < 0 }
            let probe = try Descriptor.open("/dev/null", flags: O_RDONLY)
            let had = try OpenFiles.hasRoom(below: bound, like: probe.number)
            precondition(had && openAll(.read) > 0)
            let has = try OpenFiles.hasRoom(below: bound, like: probe.number)
            precondition(!has)
            precondition(openAll(.write) == free)
            unlink(path)
        }
    }
}
