import Synchronization

/// Work that goes on until it is ended, begun and ended one by one while other work goes on.
///
/// Any thread.
package final class TaskPool: Sendable {
    private struct State {
        var tasks: [ObjectIdentifier: Task<Void, Never>] = [:]
        var isOver = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Begins the work of an object, which is kept until that ends; nothing happens after `endAll`.
    package func start(_ object: some AnyObject & Sendable, _ work: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.tasks[ObjectIdentifier(object)] = Task {
                await work()
                _ = self.state.withLock { $0.tasks.removeValue(forKey: ObjectIdentifier(object)) }
            }
        }
    }

    /// Cancels the work of an object, and returns once it has ended.
    package func end(_ object: some AnyObject) async {
        let task = state.withLock { $0.tasks.removeValue(forKey: ObjectIdentifier(object)) }
        task?.cancel()
        await task?.value
    }

    /// Cancels all work, and returns once it has ended; nothing begins any more.
    package func endAll() async {
        let tasks = state.withLock { state in
            state.isOver = true
            defer { state.tasks = [:] }
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }
}
