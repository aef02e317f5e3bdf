import Admin
import Basics
import Exporters
import Journal
import Logging
import Receivers
import Settings

// Whether connections of clients leave the journal and the exporters the open files that they need.

extension PipelineFile {
    /// Standard streams, the logger, timers and what libraries open for a moment.
    private static let descriptorsOfProcess = 48
    /// Of one event loop: to wait, to be woken, and for time.
    private static let descriptorsOfEventLoop = 3

    /// Open files that the process needs besides the connections of its receivers.
    func reservedDescriptors(eventLoops: Int) -> Int {
        let servers = receivers.count + 1
        // Each reader of a log has a cursor file, and reads a segment while the writer has another one; its dead letters are
        // a log like that.
        let journal = 1 + logs.reduce(0) { $0 + ($1.id.kind == .pipeline ? 1 + $1.readers.count * 6 : 0) }
        let destinations = exporters.reduce(0) { $0 + $1.settings.destination.descriptors }
        return Self.descriptorsOfProcess + (eventLoops + 1) * Self.descriptorsOfEventLoop + servers
            + AdminLimits().connections + journal + destinations
    }

    /// How many connections each receiver may take, where that is less than its `max_connections`.
    ///
    /// - Parameters:
    ///   - descriptors: How many files the process may have open.
    ///   - reserved: How many of them are for others.
    /// - Returns: By name of the receiver; empty where all get what they ask for.
    func connectionLimits(descriptors: Int, reserved: Int) -> [String: Int] {
        let wanted = listeners.map { (names: $0.map(\.name), connections: $0[0].settings.maxConnections) }
        let all = wanted.reduce(0) { $0 + ConnectionLimit.descriptors(forConnections: $1.connections) }
        let available = max(0, descriptors - reserved)
        guard all > available else { return [:] }
        var limits: [String: Int] = [:]
        for (names, connections) in wanted {
            let own = Double(ConnectionLimit.descriptors(forConnections: connections))
            let share = Int(Double(available) * own / Double(all))
            let limit = min(connections, ConnectionLimit.connections(withinDescriptors: share))
            for name in names { limits[name] = limit }
        }
        return limits
    }

    /// The same for what is left besides `reservedDescriptors`; says where that is less than receivers ask for.
    func connectionLimits(within descriptors: Int, eventLoops: Int, logger: Logger) -> [String: Int] {
        let reserved = reservedDescriptors(eventLoops: eventLoops)
        let limits = connectionLimits(descriptors: descriptors, reserved: reserved)
        for names in listeners.map({ $0.map(\.name) }) {
            guard let connections = names.first.flatMap({ limits[$0] }) else { continue }
            logger.warning(
                "The limit of open files allows fewer connections than max_connections.",
                metadata: [
                    "receiver": "\(names.joined(separator: ", "))", "connections": "\(connections)",
                    "open_files": "\(descriptors)",
                    "reserved": "\(reserved)",
                ]
            )
        }
        return limits
    }
}
