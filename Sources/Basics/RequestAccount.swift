/// How much one request may cost for each of its bytes; a constant for small ones comes on top.
package struct CostLimits: Sendable, Equatable {
    /// Bytes of memory, as the index and the records are bounded by it; what mapping adds is bounded by `writtenPerByte`.
    package var heldPerByte: Int
    /// Bytes of records.
    package var writtenPerByte: Int
    /// Steps of work: reading the body, mapping, routing, sampling's condition, writing for several routes.
    package var stepsPerByte: Int

    /// On top of `heldPerByte`.
    package static let heldBase = 1 << 20
    /// On top of `writtenPerByte`, once for each route.
    package static let writtenBase = 64 << 10
    /// On top of `stepsPerByte`.
    package static let stepsBase = 100_000

    /// 8 bytes held, 4 bytes written and 64 steps for each byte.
    package init(heldPerByte: Int = 8, writtenPerByte: Int = 4, stepsPerByte: Int = 64) {
        self.heldPerByte = heldPerByte
        self.writtenPerByte = writtenPerByte
        self.stepsPerByte = stepsPerByte
    }
}

/// What a request costs too much of.
///
/// There are two kinds because receivers give two answers: bytes are 413, steps are 400.
package enum CostExcess: Error, Equatable, Sendable {
    /// Records of more bytes than `limit`.
    case written(limit: Int)
    /// More steps of work than `limit`.
    case steps(limit: Int)
}

extension CostExcess: CustomStringConvertible {
    /// For answers and logs.
    package var description: String {
        switch self {
        case .written(let limit):
            "the request would be written as more than \(ByteCount(bytes: limit)): too much is repeated for its routes"
        case .steps(let limit): "the request needs more than \(limit) steps of work, too many for its size"
        }
    }
}

/// What one request has cost so far, and what it may cost at most.
package struct RequestAccount: Sendable {
    private let limits: CostLimits
    private let bytes: Int
    /// Steps taken so far.
    package private(set) var steps = 0
    /// Bytes written so far.
    package private(set) var written = 0
    private var routes = 0

    /// - Parameters:
    ///   - bytes: Of the body, after inflation.
    ///   - limits: What each of them may cost.
    package init(bytes: Int, limits: CostLimits = CostLimits()) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Bytes of memory that the request may hold.
    package var heldMax: Int { Self.product(bytes, limits.heldPerByte, plus: CostLimits.heldBase) }
    /// Bytes that its records may have together, for the routes written so far; all of them are held at once.
    package var writtenMax: Int {
        min(heldMax, Self.product(bytes, limits.writtenPerByte, plus: CostLimits.writtenBase * max(1, routes)))
    }
    /// Steps that it may take.
    package var stepsMax: Int { Self.product(bytes, limits.stepsPerByte, plus: CostLimits.stepsBase) }

    /// Steps that it may still take.
    package var stepsLeft: Int { max(0, stepsMax - steps) }

    /// What may be written again for the sake of division, for each record besides the first and for all of them.
    ///
    /// - Parameter bytes: What is written once.
    /// - Returns: Bytes.
    package func repeatsMax(beside bytes: Int) -> (perGroup: Int, all: Int) {
        (perGroup: CostLimits.writtenBase, all: max(0, heldMax - bytes))
    }

    /// Adds steps that were taken; `check` tells whether they were too many.
    package mutating func add(steps count: Int) { steps &+= count }

    /// Throws where the steps taken so far are too many.
    package func check() throws(CostExcess) {
        if steps > stepsMax { throw .steps(limit: stepsMax) }
    }

    /// Adds the bytes of one more route's record; over the limit it throws.
    package mutating func charge(written count: Int) throws(CostExcess) {
        routes += 1
        written &+= count
        if written > writtenMax { throw .written(limit: writtenMax) }
    }

    private static func product(_ bytes: Int, _ factor: Int, plus base: Int) -> Int {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product.addingReportingOverflow(base).overflow ? .max : product + base
    }
}
