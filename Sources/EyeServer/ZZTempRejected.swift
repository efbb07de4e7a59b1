import EyeSystem

struct RejectedEntry: Sendable {
    var received: Int64
    var token: UInt32
    var code, message, transport, source, line: [UInt8]
}
final class RejectedLog: @unchecked Sendable {
    static func open(_ disk: any Disk, folder: String, bytesMax: Int64, time: any TimeSource) throws(SystemError)
        -> RejectedLog
    { RejectedLog() }
    func append(_ e: [RejectedEntry]) throws(SystemError) {}
    var evictedCount: UInt64 { 0 }
}
