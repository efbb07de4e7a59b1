// Checks passwords on a thread of its own: one yescrypt hash takes 18 MB and milliseconds on purpose, and the loop must not
// wait for it. Bounded queue in, results out; the loop is woken for each. One mutex, in this file.

import EyeStore
import EyeSystem
import Synchronization

/// What a login came to.
enum LoginOutcome: Sendable {
    /// The new token's secret.
    case token(String)
    case wrong
    /// The account file could not be changed.
    case failed(AccountError)
}

/// The hasher thread and its queue.
final class PasswordHasher: Sendable {
    private struct Job {
        var ticket: UInt64
        var user: String
        var password: [UInt8]
    }

    private struct State {
        var jobs: [Job] = []
        var results: [(ticket: UInt64, outcome: LoginOutcome)] = []
        var stopping = false
        var thread: Thread?
    }

    private let state = Mutex(State())
    private let accounts: AccountFile
    private let work: WakeSignal
    private let done: WakeSignal

    /// `done` wakes the loop, which then calls `takeResults`.
    init(accounts: AccountFile, done: WakeSignal) throws(SystemError) {
        self.accounts = accounts
        self.done = done
        work = try WakeSignal()
    }

    /// Starts the thread.
    func start() throws(SystemError) {
        let thread = try Thread.start(name: "eye-hasher") { self.run() }
        state.withLock { $0.thread = thread }
    }

    /// Ends the thread after the hash it is at.
    func stop() {
        let thread = state.withLock { state in
            state.stopping = true
            state.jobs = []
            defer { state.thread = nil }
            return state.thread
        }
        work.signal()
        thread?.join()
    }

    /// Queues a login; false when the queue is full.
    func submit(ticket: UInt64, user: String, password: [UInt8]) -> Bool {
        let isQueued = state.withLock { state in
            guard state.jobs.count < HTTPLimits.hasherQueueMax, !state.stopping else { return false }
            state.jobs.append(Job(ticket: ticket, user: user, password: password))
            return true
        }
        if isQueued { work.signal() }
        return isQueued
    }

    /// Whether a login would be queued now.
    var hasRoom: Bool { state.withLock { $0.jobs.count < HTTPLimits.hasherQueueMax && !$0.stopping } }

    /// What was finished since the last call.
    func takeResults() -> [(ticket: UInt64, outcome: LoginOutcome)] {
        state.withLock { state in
            defer { state.results = [] }
            return state.results
        }
    }

    private func run() {
        while true {
            let (job, stopping) = state.withLock { state in
                (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.stopping)
            }
            if stopping { return }
            guard let job else {
                work.sleep(timeoutMilliseconds: -1)
                continue
            }
            let outcome = judge(job)
            state.withLock { $0.results.append((job.ticket, outcome)) }
            done.signal()
        }
    }

    /// Reads the accounts as they are now, so that a changed password counts at once.
    private func judge(_ job: Job) -> LoginOutcome {
        do throws(AccountError) {
            guard let user = try accounts.load().authenticate(user: job.user, password: job.password) else {
                return .wrong
            }
            return .token(try accounts.logIn(user).secret)
        } catch {
            return .failed(error)
        }
    }
}
