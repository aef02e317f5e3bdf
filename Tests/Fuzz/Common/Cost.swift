import CFuzz
import OTLP

/// What one input may cost.
///
/// The one place that says so: where the account of a request counts, its steps are passed to
/// `check` beside the bytes.
enum Cost {
    /// Bytes that may be held for a body.
    static func heldMax(_ body: Int) -> Int { 8 * body + 1 << 20 }

    /// Bytes that may be written for a body.
    static func writtenMax(_ body: Int) -> Int { 4 * body + 64 << 10 }

    /// Steps that a body may take.
    static func stepsMax(_ body: Int) -> Int { 64 * body + 100_000 }

    /// Nanoseconds of the processor that a body may take, where steps are not counted: what is instrumented and checked
    /// twice over takes a tenth of it.
    static func nanosecondsMax(_ body: Int) -> Int { 20_000 * body + 500_000_000 }

    /// The limits that a body is indexed within.
    static func limits(_ body: Int) -> WireLimits { WireLimits(indexBytesMax: heldMax(body)) }

    /// Ends the process where `what` costs more than a body of that many bytes may: bytes made from it, bytes of what was
    /// kept for it, steps that the account counted.
    static func check(_ what: String, body: Int, written: Int = 0, held: Int = 0, steps: Int = 0) {
        require(written <= writtenMax(body), "\(what): \(written) bytes are written for \(body)")
        require(held <= heldMax(body), "\(what): \(held) bytes are held for \(body)")
        require(steps <= stepsMax(body), "\(what): \(steps) steps are taken for \(body) bytes")
    }

    /// Does `work` for a body and ends the process where the heap rises by more than `heapMax`, or it takes too long.
    static func watch<Result, Failure: Error>(
        _ what: String,
        body: Int,
        heapMax: Int,
        _ work: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        millrace_heap_mark()
        let (heap, time) = (millrace_heap_live(), millrace_thread_nanoseconds())
        defer {
            let (rise, taken) = (millrace_heap_peak() - heap, Int(millrace_thread_nanoseconds() - time))
            require(rise <= heapMax, "\(what): the heap rises by \(rise) bytes for \(body), over \(heapMax)")
            require(taken <= nanosecondsMax(body), "\(what): \(taken) ns are taken for \(body) bytes")
        }
        return try work()
    }

    /// What the heap may rise by while something of at most `held` bytes grows: a table has up to twice the room that it
    /// needs, and beside it the half that it grew out of.
    static func growing(_ held: Int) -> Int { 3 * held + 64 << 10 }
}

/// Ends the process with `message` unless `condition` holds, so that libFuzzer keeps the input.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fail(message()) }
}

/// Ends the process with `message`.
func fail(_ message: String) -> Never { fatalError("FOUND: \(message)") }

/// What `work` gives; ends the process where it throws.
func demand<Result>(_ what: String, _ work: () throws -> Result) -> Result {
    do { return try work() } catch { fail("\(what): \(error)") }
}
