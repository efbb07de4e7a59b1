// The loops' view of the accounts, looked at by several threads at once.

import EyeStore
import EyeSystem
import EyeTestVectors
import Foundation
import Synchronization
import Testing

@testable import EyeServer

@Suite struct AccountsViewTests {
    /// A look that finds the file unchanged because another thread has just read it must not come back before that thread's
    /// book is there: a token that was made before the look would be refused.
    @Test func whoLooksSeesWhatWasThere() throws {
        let home = try TemporaryFolder()
        let folder = home.path
        let time = SystemTime()
        let file = AccountFile(RealDisk(), folder: folder, time: time)
        _ = try file.firstStart()
        let log = Log(format: .text, time: time, descriptor: open("/dev/null", O_WRONLY))
        let view = try AccountsView(AccountFile(RealDisk(), folder: folder, time: time), log: log)
        let isDone = Atomic(false)
        let ended = DispatchSemaphore(value: 0)
        let others = 2
        for _ in 0..<others {
            Foundation.Thread.detachNewThread {
                while !isDone.load(ordering: .relaxed) { view.look() }
                ended.signal()
            }
        }
        for number in 0..<100 {
            let secret = Array(try file.addToken(named: "t\(number)", scopes: .ingest).secret.utf8)
            view.look()
            #expect(view.current.token(matching: secret.span, now: time.nowMicroseconds()) != nil, "t\(number)")
        }
        isDone.store(true, ordering: .relaxed)
        for _ in 0..<others { ended.wait() }
    }
}
