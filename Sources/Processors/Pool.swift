import Synchronization

/// Values that cost something to make, kept from one use to the next; each has one user at a time.
///
/// There are as many as were ever used at once. Any thread may use it.
final class Pool<Value: ~Copyable & Sendable>: Sendable {
    /// Whoever has taken it off the list is the only one that knows it, which the compiler cannot see.
    private final class Box: @unchecked Sendable {
        var value: Value

        init(_ value: consuming Value) {
            self.value = value
        }
    }

    private let idle = Mutex<[Box]>([])

    init() {}

    /// Lends one to `body`, made by `make` where all are in use.
    func use<Result>(make: () -> Value, _ body: (inout Value) -> Result) -> Result {
        let box = idle.withLock { $0.popLast() } ?? Box(make())
        defer { idle.withLock { $0.append(box) } }
        return body(&box.value)
    }
}
