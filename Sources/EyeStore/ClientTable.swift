// The clients that want exactly once: (token, name) → the highest line that is judged and durable. Rebuilt at start from the last
// segment's opening and the client records after it. Used by the appender thread only.

/// The clients of a store.
final class ClientTable {
    struct Client {
        var token: UInt32
        var name: [UInt8]
        /// The highest line that is judged; beyond the durable one only while its commit is under way.
        var sequence: UInt64
        /// The highest durable line: what an opening may say. A segment that is begun for a commit gets its name before the commit is
        /// written; were the commit's own sequences in its opening, a crash in between would make lost lines look judged.
        var durableSequence: UInt64 = 0
        var lastSeen: Int64
        /// A line of it was refused: nothing of it is taken until its next HELLO.
        var isStopped = false
        var isFree = false
        /// Whether the commit under way has lines of it that are not duplicates.
        var isTouched: Bool { sequence > durableSequence }
    }

    private struct Key: Hashable {
        var token: UInt32
        var name: [UInt8]
    }

    private(set) var clients: [Client] = []
    private var slots: [Key: Int32] = [:]
    private var free: [Int32] = []
    /// Clients of each token.
    private var perToken: [UInt32: Int] = [:]
    /// When idle ones were last looked for.
    private var forgotAt: Int64?

    /// Clients known.
    var count: Int { slots.count }

    /// The client's slot, made if there is none; nil: there is no room for one more of this token. A token has no more clients than there is
    /// room left for others: one alone has half of it at most, and a new one always finds some.
    func open(token: UInt32, name: [UInt8], now: Int64) -> Int32? {
        let key = Key(token: token, name: name)
        if slots[key] == nil, !hasRoom(token) {
            forgetIdle(now: now)
            if !hasRoom(token) { return nil }
        }
        return keep(key, now: now)
    }

    private func hasRoom(_ token: UInt32) -> Bool {
        perToken[token, default: 0] < StoreLimits.clientsMax - slots.count
    }

    private func keep(_ key: Key, now: Int64) -> Int32 {
        if let slot = slots[key] {
            clients[Int(slot)].lastSeen = now
            return slot
        }
        let client = Client(token: key.token, name: key.name, sequence: 0, lastSeen: now)
        let slot: Int32
        if let reused = free.popLast() {
            slot = reused
            clients[Int(slot)] = client
        } else {
            slot = Int32(clients.count)
            clients.append(client)
        }
        slots[key] = slot
        perToken[key.token, default: 0] += 1
        return slot
    }

    /// At start: what a record says of a client.
    func restore(token: UInt32, name: [UInt8], sequence: UInt64, lastSeen: Int64, now: Int64) {
        if now - lastSeen > StoreLimits.clientIdleMicroseconds { return }
        let key = Key(token: token, name: name)
        if slots[key] == nil, slots.count >= StoreLimits.clientsMax { return }
        let slot = keep(key, now: lastSeen)
        clients[Int(slot)].sequence = max(clients[Int(slot)].sequence, sequence)
        confirm(slot)
    }

    subscript(slot: Int32) -> Client {
        get { clients[Int(slot)] }
        set { clients[Int(slot)] = newValue }
    }

    func setSequence(_ slot: Int32, _ sequence: UInt64, now: Int64) {
        clients[Int(slot)].sequence = sequence
        clients[Int(slot)].lastSeen = now
    }

    /// The commit that set its sequence is durable.
    func confirm(_ slot: Int32) { clients[Int(slot)].durableSequence = clients[Int(slot)].sequence }

    func setStopped(_ slot: Int32, _ stopped: Bool) { clients[Int(slot)].isStopped = stopped }

    /// Goes over all of them, hence only now and then.
    private func forgetIdle(now: Int64) {
        if let last = forgotAt, now >= last, now - last < StoreLimits.clientLookMicroseconds { return }
        forgotAt = now
        for (key, slot) in slots where now - clients[Int(slot)].lastSeen > StoreLimits.clientIdleMicroseconds {
            slots[key] = nil
            perToken[key.token, default: 1] -= 1
            clients[Int(slot)] = Client(token: 0, name: [], sequence: 0, lastSeen: 0, isFree: true)
            free.append(slot)
        }
    }

    /// Calls `body` for each client whose sequence must outlive older segments.
    func forEachKept(_ body: (Client) -> Void) {
        for var client in clients where !client.isFree && client.durableSequence > 0 {
            client.sequence = client.durableSequence
            body(client)
        }
    }
}
