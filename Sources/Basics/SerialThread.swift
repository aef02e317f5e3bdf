import CMachine
import Glibc
import Synchronization

/// One operating-system thread that runs blocking work in the order it was given.
///
/// The cooperative pool must never block, so whatever can wait for a disk or a lock is handed to a thread of its own. The
/// number of waiting jobs is bounded by its callers: each awaits its job, or holds a reservation while it waits.
package final class SerialThread: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var stopping = false
    }

    private let state = Mutex(State())
    private let signal = ThreadSignal()

    /// - Parameter name: Shown by `top -H`; at most 15 bytes.
    package init(name: String) {
        spawnThread(named: name) { self.loop() }
    }

    /// Runs `work` on the thread and returns its result; suspends the caller without blocking.
    package func run<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            submit {
                let outcome: Result<Value, Failure>
                do throws(Failure) {
                    outcome = .success(try work())
                } catch {
                    outcome = .failure(error)
                }
                continuation.resume(returning: outcome)
            }
        }
        return try result.get()
    }

    /// Queues `work` without waiting for it.
    ///
    /// Work given after `stop()` still runs before the thread ends.
    package func submit(_ work: @escaping @Sendable () -> Void) {
        let wasEmpty = state.withLock { state in
            state.jobs.append(work)
            return state.jobs.count == 1
        }
        if wasEmpty { signal.signal() }
    }

    /// Ends the thread once everything queued has run.
    ///
    /// Does not wait for it.
    package func stop() {
        state.withLock { $0.stopping = true }
        signal.signal()
    }

    private func loop() {
        while true {
            signal.wait()
            let (jobs, stopping) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.stopping)
            }
            for job in jobs { job() }
            if stopping && jobs.isEmpty { return }
            if stopping { signal.signal() }
        }
    }
}

/// Starts a detached thread that runs `body`.
///
/// The name is shown by `top -H`; at most 15 bytes. A write of the thread to a closed pipe or socket fails with EPIPE
/// and sends no SIGPIPE.
package func spawnThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var thread = pthread_t()
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
    let status = unsafe pthread_create(
        &thread,
        nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            millrace_name_thread(start.name)
            millrace_block_broken_pipe_signal()
            start.body()
            return nil
        },
        start
    )
    precondition(status == 0, "pthread_create: \(status)")
    pthread_detach(thread)
}
