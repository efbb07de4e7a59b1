import EyeSystem
import EyeTestVectors
import EyeWire
import Foundation
import Synchronization
import Testing

@testable import EyeClient

private func line(_ number: Int) -> ArraySlice<UInt8> { Array("tok {\"n\":\(number)}".utf8)[...] }

private func sender(_ server: ScriptedServer, _ delivery: Delivery, timeout: Int32 = 10_000) -> EventSender {
    var options = SendOptions(token: Array("tok".utf8), delivery: delivery)
    options.answerTimeoutMilliseconds = timeout
    return EventSender(.unix(server.path), options)
}

private let bye = "+BYE received=3 accepted=1 rejected=1 duplicate=1"

@Suite(.timeLimit(.minutes(5))) struct EventSenderTests {
    @Test func silent() throws {
        let server = try ScriptedServer([
            { peer in
                for number in 1...3 { try peer.expect("tok {\"n\":\(number)}") }
                guard try peer.line() == nil else { throw ScriptError.unexpected("more") }
                try peer.say("-ERR 2 bad-time this is no time", "-ERR 0 more 4", bye)
            }
        ])
        let sender = sender(server, .silent)
        for number in 1...3 { try sender.send(line: line(number)) }
        let report = try sender.finish()
        #expect(server.join() == [])
        #expect((report.sent, report.accepted, report.rejected, report.duplicate) == (3, 1, 1, 1))
        #expect(report.errors == [LineError(line: 2, code: "bad-time", text: "this is no time")])
        #expect(report.unlistedErrors == 4 && report.unseen == 0)
    }

    @Test func acknowledged() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.greet()
                for number in 1...3 { try peer.expect("tok {\"n\":\(number)}") }
                // The reject of line 3 is said before line 2 is durable.
                try peer.say("-ERR 3 bad-json no JSON", "+ACK 2")
                try peer.expect("SYNC")
                try peer.say("+SYNC 3")
                try peer.expect("QUIT")
                try peer.say(bye)
            }
        ])
        let sender = sender(server, .acknowledged)
        for number in 1...3 { #expect(try sender.send(line: line(number)) == UInt64(number)) }
        let report = try sender.finish()
        #expect(server.join() == [])
        #expect((report.sent, report.accepted, report.rejected, report.duplicate) == (3, 1, 1, 1))
        #expect(report.errors.map(\.line) == [3])
    }

    @Test func acknowledgedButLost() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.greet()
                for number in 1...3 { try peer.expect("tok {\"n\":\(number)}") }
                try peer.say("+ACK 2", "-ERR 0 draining the server is stopping")
            }
        ])
        let sender = sender(server, .acknowledged)
        for number in 1...3 { try sender.send(line: line(number)) }
        #expect(throws: SendError.lost("draining: the server is stopping")) { try sender.finish() }
        #expect(server.join() == [])
        #expect((sender.report.sent, sender.report.accepted, sender.report.unseen) == (3, 2, 1))
    }

    @Test func refusedAtTheDoor() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.expect("HELLO {")
                try peer.say("-ERR 0 bad-token this token is unknown")
            }
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: false))
        #expect(throws: SendError.refused(code: "bad-token", text: "this token is unknown", mayRetry: false)) {
            try sender.send(line: line(1))
        }
        #expect(server.join() == [])
    }

    @Test func notAnEye() throws {
        let server = try ScriptedServer([{ peer in try peer.say("220 mail.example.org ESMTP") }])
        #expect(throws: SendError.strange("220 mail.example.org ESMTP")) {
            try sender(server, .acknowledged).send(line: line(1))
        }
        #expect(server.join() == [])
    }

    @Test func timesOut() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.expect("HELLO")
                _ = try peer.line()
            }
        ])
        #expect(throws: SendError.timedOut(milliseconds: 100)) {
            try sender(server, .acknowledged, timeout: 100).send(line: line(1))
        }
        #expect(server.join() == [])
    }

    /// A lost connection, a server that restarts, a full disk: everything above last_seq is sent again, nothing below.
    @Test func exactlyOnce() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.greet(lastSequence: 100)
                for number in 1...5 { try peer.expect("tok {\"n\":\(number)}") }
                // 101 and 102 are told, 103 is durable without our knowing, then the server dies.
                try peer.say("-ERR 101 bad-json no JSON", "+ACK 102", "-ERR 104 bad-json no JSON")
            },
            { peer in try peer.expect("HELLO {") },
            { peer in
                try peer.expect("HELLO {")
                try peer.say("-ERR 0 draining soon back")
            },
            { peer in
                try peer.greet(lastSequence: 103)
                for number in 4...5 { try peer.expect("tok {\"n\":\(number)}") }
                try peer.say("-ERR 104 bad-json no JSON", "-ERR 105 storage-full the disk is full")
                while try peer.line() != nil {}
            },
            { peer in
                try peer.greet(lastSequence: 104)
                try peer.expect("tok {\"n\":5}")
                try peer.expect("SYNC")
                try peer.say("+ACK 105", "+SYNC 105")
                try peer.expect("QUIT")
                try peer.say("+BYE received=1 accepted=1 rejected=0 duplicate=0")
            },
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: false))
        for number in 1...5 { #expect(try sender.send(line: line(number)) == UInt64(100 + number)) }
        let report = try sender.finish()
        #expect(server.join() == [])
        // 101 and 104 were rejected, 102 and 105 acknowledged, 103 was judged unseen.
        #expect((report.sent, report.accepted, report.rejected, report.unseen) == (5, 2, 2, 1))
        #expect(report.errors.map(\.line) == [101, 104])
        #expect(report.connections == 5)
    }

    /// Lines that the server has judged while their answers were lost: an event by the rules is stored, whatever else is not known.
    @Test func lostAnswersOfRightLinesAreNoLoss() throws {
        func event(_ timestamp: String, _ token: String = "tok ") -> String {
            token + #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"#
                + #""timestamp":"\#(timestamp)"}"#
        }
        let past = "2021-01-01T00:00:00Z"
        let lines = [
            event(past), event(past, ""), event(past), "tok {\"n\":1}", event(past, "other "),
            event("2999-01-01T00:00:00Z"),
            event(past),
        ]
        let server = try ScriptedServer([
            { peer in
                try peer.greet(lastSequence: 0)
                for line in lines { try peer.expect(line) }
                try peer.say("+ACK 1", "-ERR 3 forbidden who knows why")
            },
            { peer in
                try peer.greet(lastSequence: 6)
                try peer.expect(lines[6])
                try peer.expect("SYNC")
                try peer.say("+ACK 7", "+SYNC 7")
                try peer.expect("QUIT")
                try peer.say("+BYE received=1 accepted=1 rejected=0 duplicate=0")
            },
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: false))
        for line in lines { try sender.send(line: Array(line.utf8)[...]) }
        let report = try sender.finish()
        #expect(server.join() == [])
        // 1 and 7 were acknowledged, 2 is found again, 3 rejected; 4 to 6 may have been anything.
        #expect((report.sent, report.accepted, report.rejected, report.unseen) == (7, 3, 1, 3))
        #expect(report.errors.map(\.line) == [3])
    }

    /// The second run of the same file.
    @Test func exactlyOnceFromOne() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.greet(lastSequence: 2)
                try peer.expect("tok {\"n\":3}")
                try peer.expect("SYNC")
                try peer.say("+SYNC 3")
                try peer.expect("QUIT")
                try peer.say("+BYE received=1 accepted=1 rejected=0 duplicate=0")
            }
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: true))
        for number in 1...3 { #expect(try sender.send(line: line(number)) == UInt64(number)) }
        let report = try sender.finish()
        #expect(server.join() == [])
        #expect((report.sent, report.accepted, report.duplicate) == (3, 1, 2))
    }

    /// A server that forgot this client is told where the numbers go on.
    @Test func serverForgot() throws {
        let server = try ScriptedServer([
            { peer in
                try peer.greet()
                try peer.expect("tok {\"n\":1}")
                try peer.expect("SYNC")
                try peer.say("+SYNC 1")
            },
            { peer in
                try peer.greet(lastSequence: 0)
                try peer.expect(
                    #"HELLO {"proto":1,"client":"eye-client/1","token":"tok","client_id":"c","seq":2,"mode":"acks"}"#)
                try peer.say(#"+HELLO {"last_seq":1}"#)
                try peer.expect("tok {\"n\":2}")
                try peer.expect("SYNC")
                try peer.say("+SYNC 2")
                try peer.expect("QUIT")
                try peer.say("+BYE received=1 accepted=1 rejected=0 duplicate=0")
            },
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: false))
        try sender.send(line: line(1))
        try sender.sync()
        try sender.send(line: line(2))
        let report = try sender.finish()
        #expect(server.join() == [])
        #expect((report.sent, report.accepted, report.unseen) == (2, 2, 0))
    }

    /// More than any buffer holds, with a server that answers every line and reads on: neither waits for the other.
    @Test func manyLinesBothWays() throws {
        let count = 100_000
        let server = try ScriptedServer([
            { peer in
                try peer.greet()
                var number = 0
                var replies = ""
                while let line = try peer.line() {
                    if line == "SYNC" {
                        replies += "+SYNC \(number)\n"
                    } else if line == "QUIT" {
                        try peer.say(
                            replies + "+BYE received=\(count) accepted=\(count / 2) rejected=\(count / 2) duplicate=0")
                        return
                    } else {
                        number += 1
                        replies += number % 2 == 0 ? "-ERR \(number) bad-json no\n" : "+ACK \(number)\n"
                    }
                    if replies.utf8.count > 20_000 || line == "SYNC" {
                        try peer.say(String(replies.dropLast()))
                        replies = ""
                    }
                }
            }
        ])
        let sender = sender(server, .acknowledged)
        for number in 1...count { try sender.send(line: line(number)) }
        let report = try sender.finish()
        #expect(server.join() == [])
        #expect(report.accepted == UInt64(count / 2) && report.rejected == UInt64(count / 2))
        #expect(report.errors.count == 1000 && report.unlistedErrors == UInt64(count / 2 - 1000))
    }

    @Test func nobodyThere() {
        let options = SendOptions(token: [], delivery: .acknowledged)
        let missing = EventSender(.unix("/ingest.sock"), options)
        #expect(throws: SendError.cannotConnect("unix /ingest.sock", "No such file or directory")) {
            try missing.send(line: line(1))
        }
        let unresolved = EventSender(.tcp("127.0.0.1"), options)
        #expect(throws: SendError.self) { try unresolved.send(line: line(1)) }
    }

    /// A folder that is not there will have no socket, however long that is waited for.
    @Test func waitingThatCannotHelp() throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(filePath: "\(folder.path)/file"))
        for (place, reason) in [
            ("none", "No such file or directory: there is no folder \(folder.path)/none"),
            ("file", "Not a directory: \(folder.path)/file is a plain file"),
        ] {
            let path = "\(folder.path)/\(place)/ingest.sock"
            var options = SendOptions(token: [], delivery: .exactlyOnce(clientID: "c", fromOne: true))
            options.retryMilliseconds = 100
            let sender = EventSender(.unix(path), options)
            sender.onWait = { _ in Issue.record("it waits") }
            #expect(throws: SendError.noPlace("unix \(path)", reason)) { try sender.send(line: line(1)) }
        }
    }

    /// However often it fails until lines go on.
    @Test func aWaitIsToldOnce() throws {
        let server = try ScriptedServer([
            { peer in try peer.expect("HELLO {") },
            { peer in
                try peer.greet()
                try peer.expect("tok {\"n\":1}")
                try peer.expect("SYNC")
                try peer.say("-ERR 1 storage-full the disk is full")
                while try peer.line() != nil {}
            },
            { peer in try peer.greet() },
            { peer in
                try peer.greet()
                try peer.expect("tok {\"n\":1}")
                try peer.expect("SYNC")
                try peer.say("+ACK 1", "+SYNC 1")
                try peer.expect("QUIT")
                try peer.say("+BYE received=1 accepted=1 rejected=0 duplicate=0")
            },
        ])
        let sender = sender(server, .exactlyOnce(clientID: "c", fromOne: false))
        var told: [SendError?] = []
        sender.onWait = { told.append($0) }
        try sender.send(line: line(1))
        // Nothing waits for the server yet, so that it is there is enough.
        #expect(told == [.lost("the server closed it"), nil])
        _ = try sender.finish()
        #expect(server.join() == [])
        #expect(
            told.dropFirst(2)
                == [.refused(code: "storage-full", text: "the disk is full", mayRetry: true), nil])
    }

    /// Patience begins with the first failure, not with the last line: who reads a quiet log is no less patient.
    @Test func patienceAfterASilence() throws {
        /// Two minutes go by whenever it is looked at.
        final class SlowTime: TimeSource, @unchecked Sendable {
            private let minutes = Mutex(UInt64(0))
            func nowMicroseconds() -> Int64 { 1_600_000_000_000_000 }
            func monotonicNanoseconds() -> UInt64 {
                minutes.withLock {
                    $0 += 2
                    return $0 * 60_000_000_000
                }
            }
        }
        let server = try ScriptedServer([
            { peer in try peer.expect("HELLO {") },
            { peer in
                try peer.greet()
                while try peer.line() != nil {}
            },
        ])
        let options = SendOptions(token: Array("tok".utf8), delivery: .exactlyOnce(clientID: "c", fromOne: false))
        var sender: EventSender? = EventSender(.unix(server.path), options, time: SlowTime())
        try sender?.open()
        #expect(sender?.report.connections == 2)
        sender = nil
        #expect(server.join() == [])
    }

    @Test func datagrams() throws {
        let receiver = try Socket.bindDatagram(
            try SocketAddress.resolve("127.0.0.1:0"), sharePort: false, receiveBytes: 1 << 20)
        let port = try Socket.localAddress(receiver.number).port
        let sender = EventSender(.udp("127.0.0.1:\(port)"), SendOptions(token: [], delivery: .silent))
        for number in 1...200 { try sender.send(line: line(number)) }
        let report = try sender.finish()
        #expect(report.sent == 200 && !report.isAnswered)
        var lines = 0
        var room = [UInt8](repeating: 0, count: 65_536)
        while lines < 200 {
            guard try SocketWait.poll(receiver.number, forWriting: false, timeoutMilliseconds: 5000) != nil else {
                break
            }
            if case .bytes(let count) = try room.withUnsafeMutableBytes({
                try Socket.receive(receiver.number, into: $0)
            }) {
                #expect(count <= 1432)
                lines += room[..<count].split(separator: 0x0A).count
            }
        }
        #expect(lines == 200)
    }
}
