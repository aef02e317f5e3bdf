/// What mapping may cost for one request: bytes that it adds and steps of work that it takes.
///
/// A step is one span, attribute or event looked at (by a condition once more), one JSON token or structured value taken
/// apart, 16 bytes of either scanned, or one tag, prompt or parent of a trace looked up. A span that would take more stays as
/// it came.
package struct MappingBudget: Sendable, Equatable {
    /// Bytes that may be added to those of the request, at most; bytes taken away do not count.
    package let bytesMax: Int
    /// Steps, at most.
    package let stepsMax: Int

    /// - Parameters:
    ///   - bytesMax: Bytes that may be added; under zero is zero.
    ///   - stepsMax: Steps that may be taken; under zero is zero.
    package init(bytesMax: Int, stepsMax: Int) {
        self.bytesMax = max(bytesMax, 0)
        self.stepsMax = max(stepsMax, 0)
    }

    /// The default for a request of that many bytes: 3 bytes added for each and 64 KiB, 64 steps for each and 100,000.
    ///
    /// What leaves has at most four times the bytes of the request and 64 KiB.
    package init(bodySize: Int) {
        self.init(bytesMax: 3 * bodySize + 64 * 1024, stepsMax: 64 * bodySize + 100_000)
    }
}

/// What mapping one request has cost, against its budget.
///
/// What is asked for every span is mutating: a call that borrows would copy all that the account stands in.
struct MappingAccount {
    /// Steps taken so far; added up in bulk, checked before each value is taken apart and after each span.
    var steps = 0
    /// How many bytes the batch may have been given when mapping ends, those from before it included.
    private let bytesEnd: Int
    /// The same from which on no other part of a value is begun: a little more, because lengths take less room when a value
    /// ends than was left for them, and what was stopped must be over in the end.
    @inline(__always) var bytesStop: Int { bytesEnd &+ Self.lengthReserve }
    private let stepsMax: Int
    /// The same where positions end: nothing behind that may be written, whatever the budget.
    private let positionEnd: Int

    /// Unlimited.
    init() { (bytesEnd, stepsMax, positionEnd) = (.max / 2, .max, .max) }

    /// - Parameters:
    ///   - budget: What may be spent.
    ///   - addedBytes: Bytes that the batch was given before.
    ///   - bodySize: Bytes of the request.
    init(_ budget: MappingBudget, addedBytes: Int, bodySize: Int) {
        positionEnd = max(Int(Int32.max) - bodySize - Self.positionReserve, 0)
        bytesEnd = min(addedBytes + min(budget.bytesMax, Int(Int32.max)), positionEnd)
        stepsMax = budget.stepsMax
    }

    /// Whether steps are left.
    @inline(__always) var hasSteps: Bool { steps <= stepsMax }

    /// Whether what was added, `added` bytes, or what was done is too much.
    @inline(__always)
    mutating func isOver(_ added: Int) -> Bool { added > bytesEnd || steps > stepsMax }

    /// Whether a span of that many bytes may be mapped in a batch that was given `added` bytes so far.
    ///
    /// A span is written into a batch, and taken back when that was too much; so positions must be left for all of it.
    @inline(__always)
    mutating func allows(spanOf size: Int, after added: Int) -> Bool {
        steps <= stepsMax && added <= bytesEnd && added &+ size &* Self.copiesMax <= positionEnd
    }

    /// Whether a batch that was given `added` bytes may be given so many more.
    @inline(__always)
    mutating func allows(_ bytes: Int, after added: Int) -> Bool { steps <= stepsMax && added &+ bytes <= bytesEnd }

    /// Why a span stays as it came.
    var reason: String {
        hasSteps ? "the request's budget of added bytes does not suffice" : "the request's budget of steps is used up"
    }

    /// How often one text of a span is written to it, at most, before the budget is looked at.
    private static let copiesMax = 8
    /// Bytes left for the lengths of all containers that are open at once, at most.
    private static let lengthReserve = 512
    /// Room for what is written in one go: one value taken apart, one tag.
    private static let positionReserve = 4 << 20
}
