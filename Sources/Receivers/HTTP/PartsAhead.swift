import NIOCore
import NIOHTTP1
import Pipeline

/// What a pipelining client sent while an earlier request is not answered yet, paid for from the memory budget.
struct PartsAhead {
    enum Event {
        case part(HTTPServerRequestPart)
        case broken(any Error)

        /// Bytes that it is taken to hold.
        fileprivate var bytes: Int {
            switch self {
            case .part(.head(let head)):
                head.headers.reduce(512 + head.uri.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count + 64 }
            case .part(.body(let bytes)): 128 + bytes.readableBytes
            case .part(.end), .broken: 128
            }
        }
    }

    private static let countMax = 8192

    /// Whether more came than may be held; from then on everything is dropped, and the next answer is the last.
    private(set) var hasLost = false
    private var events = CircularBuffer<Event>()
    /// What they hold.
    private(set) var bytes = 0
    private let reservation: Reservation

    init(_ budget: MemoryBudget) {
        reservation = Reservation(budget)
    }

    var isEmpty: Bool { events.isEmpty }

    /// Whether the head of a further request is among them.
    var hasHead: Bool {
        events.contains { event in
            if case .part(.head) = event { true } else { false }
        }
    }

    /// Holds it, unless there is no room for it.
    mutating func append(_ event: Event) {
        let total = bytes + event.bytes
        hasLost = hasLost || events.count >= Self.countMax || !reservation.grow(to: total, isAhead: true)
        guard !hasLost else { return }
        bytes = total
        events.append(event)
    }

    /// The oldest; its memory is given back, so that the request it belongs to can take it.
    mutating func popFirst() -> Event? {
        guard let event = events.popFirst() else { return nil }
        bytes -= event.bytes
        reservation.shrink(to: bytes)
        return event
    }

    mutating func removeAll() {
        events.removeAll()
        bytes = 0
        reservation.shrink(to: 0)
    }
}
