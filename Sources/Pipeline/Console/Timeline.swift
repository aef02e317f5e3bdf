package import Basics
package import Logging
import Synchronization

/// What happened lately: starts, reloads, circuits, pauses.
///
/// Any thread. The newest 200 events are kept, the last start or end among them, in a file beside the journal, too: those of earlier processes are among them.
package final class Timeline: Sendable {
    /// Events kept, at most.
    package static let eventsMax = 200
    /// Characters of a text, at most.
    private static let textCharactersMax = 300

    /// What may happen.
    package enum Kind: String, Sendable, CaseIterable {
        case started, stopping, stopped, reloaded
        /// Behind a process that did not end as it should.
        case startedAgain = "started_again"
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

    private let kept = Mutex<(events: [Event], file: TimelineFile?)>(([], nil))

    package init() {}

    /// Adds an event; the oldest gives way.
    package func add(_ kind: Kind, of name: String = "", _ text: String = "", at time: UnixTime) {
        let event = Event(time: time, kind: kind, name: name, text: text.excerpt(max: Self.textCharactersMax))
        kept.withLock { kept in
            kept.events = Self.newest(of: kept.events + [event])
            kept.file?.append(kept.events)
        }
    }

    /// Those that are kept: the newest, and in place of the oldest of them the last that tells whether a process has ended as it should.
    private static func newest(of events: [Event]) -> [Event] {
        let newest = events.suffix(eventsMax)
        guard newest.count < events.count, !newest.contains(where: { lifecycle.contains($0.kind) }),
            let last = events.last(where: { lifecycle.contains($0.kind) })
        else { return Array(newest) }
        return [last] + newest.dropFirst()
    }

    /// Adds the start of the process behind what earlier ones have noted in a directory, and from now on notes events there, too.
    ///
    /// Blocks for the disk. Where nothing can be written there, that is logged, and events are kept for as long as the process.
    package func start(in directory: String, _ text: String, at time: UnixTime, logger: Logger) {
        let file = TimelineFile(in: directory, logger: logger)
        let earlier = file.earlier
        let last = earlier.last { Self.lifecycle.contains($0.kind) }
        kept.withLock { kept in
            kept.events = Self.newest(of: earlier + kept.events)
            kept.file = file
        }
        switch last?.kind {
        case nil, .stopped: add(.started, text, at: time)
        case .stopping: add(.startedAgain, "\(text); the process before was ended while it stopped", at: time)
        default: add(.startedAgain, "\(text); the process before was killed, crashed or ended with an error", at: time)
        }
    }

    /// Adds the end of the process, and returns once it is noted.
    package func end(at time: UnixTime) async {
        add(.stopped, at: time)
        await flush()
    }

    /// Returns once everything so far is noted.
    func flush() async { await kept.withLock { $0.file }?.flush() }

    /// What tells whether a process has ended as it should.
    private static let lifecycle: Set<Kind> = [.started, .startedAgain, .stopping, .stopped]

    /// What is kept, oldest first.
    package var events: [Event] { kept.withLock { $0.events } }
}
