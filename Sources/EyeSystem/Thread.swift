// pthreads with a name and a result-less body. Signals are blocked in every thread this starts: `Signals` takes them.

import CEyeLinux
import Glibc

/// A running thread.
public final class Thread: Sendable {
    private let handle: pthread_t

    private init(_ handle: pthread_t) { self.handle = handle }

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts `body` on a new thread. `name`: at most 15 bytes are shown by the kernel.
    public static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) -> Thread {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var handle = pthread_t()
        let failed = unsafe pthread_create(
            &handle, nil,
            { argument in
                let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                _ = eye_block_all_signals()
                _ = unsafe eye_set_thread_name(String(start.name.prefix(15)))
                start.body()
                return nil
            }, start.toOpaque())
        if failed != 0 {
            unsafe start.release()
            throw SystemError(errno: failed, call: "pthread_create")
        }
        return Thread(handle)
    }

    /// Waits until the thread's body has returned. Once only.
    public func join() {
        pthread_join(handle, nil)
    }

    /// Gives the calling thread the lowest CPU and I/O priority: for work that nobody waits for. The kernel may refuse
    /// inside a container; then the thread just keeps its priority.
    public static func yieldPriority() {
        _ = eye_background_thread()
    }
}
