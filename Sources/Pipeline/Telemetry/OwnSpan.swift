import Basics
import OTLP
import Synchronization

/// A span about Millrace's own work.
struct OwnSpan: Sendable {
    /// The value of an attribute.
    enum Value: Sendable {
        case text(String)
        case integer(Int)
        case seconds(Duration)
    }

    /// Whose side of a request it is; the raw value is OTLP's `SpanKind`.
    enum Kind: UInt64, Sendable {
        case server = 2
        case client = 3
    }

    let name: String
    let kind: Kind
    let context: TraceContext
    /// Nil for the root of a trace.
    var parent: SpanID?
    /// Whether the parent is another process's.
    var isParentRemote = false
    /// Other spans that it works for.
    var links: [TraceContext] = []
    let begin: UnixTime
    var end: UnixTime
    var attributes: [(key: String, value: Value)] = []
    /// What went wrong, in a few words; nil where nothing did.
    var failure: String?
}

/// A request that is recorded, on its way through the process.
///
/// Any thread.
package final class RequestTrace: Sendable {
    /// Its span.
    package let context: TraceContext
    /// The client's span.
    let parent: TraceContext?
    let begin: UnixTime
    private let clock: WallClock
    private let facts = Mutex((items: 0, journaledAt: UnixTime?.none, isForgotten: false))

    init(_ context: TraceContext, parent: TraceContext?, clock: WallClock) {
        self.context = context
        self.parent = parent
        self.clock = clock
        begin = clock.now()
    }

    /// So many of its items are valid.
    func note(items: Int) { facts.withLock { $0.items = items } }

    /// The journal has it.
    func noteJournaled() {
        let now = clock.now()
        facts.withLock { $0.journaledAt = now }
    }

    /// It is not recorded after all.
    func forget() { facts.withLock { $0.isForgotten = true } }

    /// Whether it is not recorded.
    var isForgotten: Bool { facts.withLock { $0.isForgotten } }
    /// Its valid items.
    var items: Int { facts.withLock { $0.items } }
    /// When the journal had it; nil before.
    var journaledAt: UnixTime? { facts.withLock { $0.journaledAt } }
}
