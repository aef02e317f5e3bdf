import CMachine
import Glibc

/// Wakes one waiting thread: a counting semaphore of the operating system.
package final class ThreadSignal: @unchecked Sendable {
    // Sendable because a `sem_t` is made for use by several threads and never moves: it has its own allocation.
    private let semaphore: UnsafeMutablePointer<sem_t>

    package init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    /// Lets one `wait()` return, now or later.
    ///
    /// Never blocks.
    package func signal() {
        unsafe sem_post(semaphore)
    }

    /// Blocks the calling thread until signalled.
    ///
    /// Never call it on the cooperative pool or an event loop.
    package func wait() {
        while unsafe sem_wait(semaphore) != 0 {}
    }

    /// Blocks like `wait()`, at most for that long on the monotonic clock; false when the time has passed.
    package func wait(for duration: Duration) -> Bool {
        let deadline = millrace_monotonic_nanoseconds() &+ UInt64(max(0, duration.wholeNanoseconds))
        while true {
            switch unsafe millrace_wait_until(semaphore, deadline) {
            case 0: return true
            case ETIMEDOUT: return false
            default: continue
            }
        }
    }
}
