package import Basics
import Synchronization

/// What happened to the process lately: starts, reloads, circuits, pauses.
///
/// Any thread. The newest 200 events are kept.
package final class Timeline: Sendable {
    /// Events kept, at most.
    package static let eventsMax = 200
    /// Characters of a text, at most.
    private static let textCharactersMax = 300

    /// What may happen.
    package enum Kind: String, Sendable, CaseIterable {
        case started, stopping, reloaded
        case reloadRefused = "reload_refused"
        case circuitOpened = "circuit_opened"
        case circuitClosed = "circuit_closed"
        case endpointChanged = "endpoint_changed"
        case paused, resumed
    }

    /// One thing that happened.
    package struct Event: Sendable, Equatable {
        package let time: UnixTime
        package let kind: Kind
        /// The component that it happened to; empty for the process.
        package let name: String
        /// Why, for people; empty where there is nothing to say.
        package let text: String
    }

    private let kept = Mutex<[Event]>([])

    package init() {}

    /// Adds an event; the oldest gives way.
    package func add(_ kind: Kind, of name: String = "", _ text: String = "", at time: UnixTime) {
        let event = Event(time: time, kind: kind, name: name, text: text.excerpt(max: Self.textCharactersMax))
        kept.withLock { kept in
            if kept.count == Self.eventsMax { kept.removeFirst() }
            kept.append(event)
        }
    }

    /// What is kept, oldest first.
    package var events: [Event] { kept.withLock { $0 } }
}
