import Testing

@testable import EyeStore

@Suite struct ClientTableTests {
    private func name(_ number: Int) -> [UInt8] { Array("client \(number)".utf8) }

    /// No token takes the room of all others.
    @Test func aTokenHasNoMoreClientsThanItLeaves() {
        let table = ClientTable()
        var opened: [UInt32: Int] = [:]
        for token in 1...3 as ClosedRange<UInt32> {
            while table.open(token: token, name: name(opened[token, default: 0]), now: 0) != nil {
                opened[token, default: 0] += 1
            }
        }
        #expect(
            opened == [1: StoreLimits.clientsMax / 2, 2: StoreLimits.clientsMax / 4, 3: StoreLimits.clientsMax / 8])
        // Who is known stays known, and who is new has room.
        #expect(table.open(token: 1, name: name(0), now: 1) == 0)
        #expect(table.open(token: 4, name: name(0), now: 1) != nil)
        // Those that were silent for too long make room, when they are looked for again.
        let later = StoreLimits.clientIdleMicroseconds + 1
        #expect(table.open(token: 1, name: name(-1), now: later) != nil)
        #expect(table.count == 3)
    }

    /// A start keeps what the log says, whatever the shares.
    @Test func aStartKeepsAll() {
        let table = ClientTable()
        let count = StoreLimits.clientsMax / 2 + 10
        for number in 0..<count { table.restore(token: 1, name: name(number), sequence: 7, lastSeen: 0, now: 0) }
        #expect(table.count == count)
        #expect(table.open(token: 1, name: name(count), now: 0) == nil)
        #expect(table.open(token: 2, name: name(0), now: 0) != nil)
    }
}
