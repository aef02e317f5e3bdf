import Basics
import NIOCore
import NIOPosix

/// The threads that receive: each carries connections of all receivers.
package final class EventLoops: Sendable {
    let group: MultiThreadedEventLoopGroup
    /// Takes large bodies in, one after the other, so that no connection waits for another one's.
    let large = SerialThread(name: "millrace-large")
    /// The number of threads.
    package let count: Int

    /// - Parameter count: The number of threads; one for each core that the process may use unless given.
    package init(count: Int = min(System.coreCount, ProcessUsage.usableCores)) {
        self.count = count
        group = MultiThreadedEventLoopGroup(numberOfThreads: count)
    }

    /// Ends the threads; every receiver must be closed before.
    package func shutdown() async {
        // It fails only where the threads have ended already.
        try? await group.shutdownGracefully()
        large.stop()
    }
}
