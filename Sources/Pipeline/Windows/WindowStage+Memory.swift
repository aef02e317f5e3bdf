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
    /// What keeps a trace from being put together, by its setting.
    static let memoryLimit = "memory_limit"
    private static let lookPause = Duration.milliseconds(100)

    /// Reserves what putting so many bytes together takes, to be released by the caller.
    ///
    /// - Returns: Bytes; nil where there is no room for them.
    func reserve(for bytes: Int) async -> Int? {
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

    /// Whether a limit that the file sets keeps so many bytes from ever being put together.
    func isOverLimit(_ bytes: Int) -> Bool {
        guard let memory else { return false }
        return bytes > Self.freeBytes && Self.assemblingFactor * bytes > memory.limit.bytes
    }

    /// Makes what needs little as ever, and of the others one record after the other.
    ///
    /// - Returns: What was made, and large turns of sessions, which go on in parts: of one span alone no turn can be made.
    func divide(_ found: [FoundWork]) -> (traces: [MadeWork], turns: [FoundWork]) {
        let isLarge = { (entry: FoundWork) in entry.bytes > Self.freeBytes }
        let large = found.filter { isLarge($0) && !$0.work.staysOpen && !$0.spans.isEmpty }
        let turns = found.filter { isLarge($0) && $0.spans.isEmpty }
        for entry in large + turns { warn(.noMemory, because: Self.memoryLimit, ["bytes": "\(entry.bytes)"]) }
        let divided = large.map { entry -> MadeWork in
            let records = entry.spans.filter { !$0.wentAhead }
            let trace = MovedTrace(dividing: records, entry.logs, to: output.id, forwardedHeaders, assemble: assemble)
            return ([entry.work], trace)
        }
        return (make(found.filter { !isLarge($0) }) + divided, turns)
    }
}

extension FoundWork {
    var bytes: Int { (spans + logs).reduce(0) { $0 + $1.stored.traceBytes } }
}

extension StoredRecord {
    /// Bytes of metadata that any record may have.
    private static let usualMetadata = 256

    /// What counts against the bounds of a trace: the payload, and metadata beyond what is usual, as what is left of dropped spans.
    var traceBytes: Int { payload.count + max(0, metadata.count - Self.usualMetadata) }
}
