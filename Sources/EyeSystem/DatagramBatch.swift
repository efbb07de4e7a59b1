// recvmmsg(2): many datagrams with one call. The slots are allocated once and touched only as far as datagrams fill
// them. One batch belongs to one loop.

import CEyeLinux
import Glibc

/// Room for one `recvmmsg` of datagrams of any size UDP can carry.
@safe public final class DatagramBatch {
    private let batch: OpaquePointer
    /// Datagrams that one call may bring.
    public let slots: Int

    /// The largest UDP payload over IPv4 is 65,507 bytes; a slot holds that and rounds up to whole pages.
    public static let slotBytes = 65_536

    public init(slots: Int) {
        guard let made = unsafe eye_datagrams_create(UInt32(slots), DatagramBatch.slotBytes) else {
            fatalError("no memory for \(slots) datagrams")
        }
        unsafe batch = made
        self.slots = slots
    }

    deinit { unsafe eye_datagrams_free(batch) }

    /// Takes what waits on `socket`, at most `limit` datagrams, without blocking; returns how many, 0 when none waits.
    public func receive(_ socket: Int32, limit: Int) throws(SystemError) -> Int {
        let limit = UInt32(min(max(limit, 0), slots))
        while true {
            let got = unsafe eye_datagrams_receive(socket, batch, limit)
            if got >= 0 { return Int(got) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return 0
            default: throw SystemError.last("recvmmsg")
            }
        }
    }

    /// Datagram `index` of the last `receive`. The bytes are valid until the next one.
    public func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < slots)
        // In bounds: the kernel's count is at most the slot's size.
        return unsafe UnsafeRawBufferPointer(
            start: eye_datagram_bytes(batch, Int32(index)), count: eye_datagram_count(batch, Int32(index)))
    }

    /// Whether the datagram was longer than its slot (MSG_TRUNC).
    public func isTruncated(_ index: Int) -> Bool {
        precondition(index >= 0 && index < slots)
        return unsafe eye_datagram_truncated(batch, Int32(index)) != 0
    }

    /// Who sent it.
    public func source(_ index: Int) -> SocketAddress {
        precondition(index >= 0 && index < slots)
        var count: UInt32 = 0
        let address = unsafe eye_datagram_source(batch, Int32(index), &count)
        return unsafe SocketAddress(copying: address!, count: count)
    }
}
