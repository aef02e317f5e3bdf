import Basics
import Journal
import Logging

/// Putting a trace together takes memory besides that of what waits.
extension WindowStage {
    /// Bytes for each of those of a trace that is put together.
    package static let assemblingFactor = 7
    /// Traces of less are put together without asking.
    private static let freeBytes = 4 << 20
    /// How long it waits for memory that clients hold.
    private static let patience = Duration.seconds(10)
    private static let lookPause = Duration.milliseconds(100)

    /// Reserves what putting these together takes, to be released by the caller.
    ///
    /// - Returns: Bytes; nil where there is no room for them.
    func reserve(for found: [FoundWork]) async -> Int? {
        let bytes = found.reduce(0) { $0 + $1.bytes }
        guard let memory, bytes > Self.freeBytes else { return 0 }
        let needed = Self.assemblingFactor * bytes
        guard needed <= memory.limit.bytes else { return nil }
        let end = clock.now() + Self.patience
        while !memory.hasRoom(for: needed) || !memory.reserve(needed) {
            guard clock.now() < end, !Task.isCancelled else { return nil }
            try? await clock.sleep(Self.lookPause)
        }
        return needed
    }

    /// Makes what needs little as ever, and of the others one record after the other.
    ///
    /// A turn of a session is made as a whole: its bytes are bounded, and of one record alone no turn can be made.
    func divide(_ found: [FoundWork]) -> [MadeWork] {
        let isLarge = { (entry: FoundWork) in entry.bytes > Self.freeBytes && !entry.spans.isEmpty }
        let large = found.filter { isLarge($0) && !$0.work.staysOpen }
        let divided = large.map { entry -> MadeWork in
            warn(.noMemory, because: "memory_limit", ["bytes": "\(entry.bytes)"])
            let records = entry.spans.filter { !$0.wentAhead }
            let trace = MovedTrace(dividing: records, entry.logs, to: output.id, forwardedHeaders, assemble: assemble)
            return ([entry.work], trace)
        }
        return make(found.filter { !isLarge($0) }) + divided
    }
}

extension FoundWork {
    fileprivate var bytes: Int { (spans + logs).reduce(0) { $0 + $1.stored.traceBytes } }
}

extension StoredRecord {
    /// Bytes of metadata that any record may have.
    private static let usualMetadata = 256

    /// What counts against the bounds of a trace: the payload, and metadata beyond what is usual, as what is left of dropped spans.
    var traceBytes: Int { payload.count + max(0, metadata.count - Self.usualMetadata) }
}
