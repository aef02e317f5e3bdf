import Basics
import OTLP

/// The memory of one request on its way through the intake, charged to the budget that its body is reserved in.
///
/// The index, what processors add and what is written are held on the event loop, one request at a time; what stays until
/// the disk has it is the records.
struct RequestMemory {
    private let reservation: Reservation?
    private let account: RequestAccount
    /// Bytes held so far.
    private var base: Int
    /// Whether the index was given all the memory that there is.
    private var hadAll = false

    /// - Parameters:
    ///   - reservation: Holds the body already; nil for a request whose memory nobody counts.
    ///   - account: What the request may hold for its size.
    ///   - body: Bytes of the body.
    init(_ reservation: Reservation?, _ account: RequestAccount, body: Int) {
        self.reservation = reservation
        self.account = account
        base = body
    }

    /// Adds bytes that stay until `keep`.
    mutating func add(_ bytes: Int) throws(Refused) {
        base += bytes
        try reserve(base)
    }

    /// Threads that index at once, at most: the event loops, and the one for large bodies.
    private static let indexers = ProcessUsage.usableCores + 1

    /// What the index may take: what the request may hold, and this thread's share of what is free.
    mutating func indexLimits() -> WireLimits {
        // Asked before it is read how much is free: who has less only because of others may come again.
        hadAll = reservation?.isAlone ?? true
        let free = reservation.map { $0.available / Self.indexers } ?? .max
        return WireLimits(indexBytesMax: max(0, min(account.heldMax - base, free)))
    }

    /// What a body may become that is transcoded, of which so many bytes are held already.
    mutating func transcodedMax(besides held: Int) -> Int { held + indexLimits().indexBytesMax }

    /// What the client is told about an index that was over `indexLimits`; nil where the request itself is to blame.
    var indexShortage: Refused? {
        guard let reservation, reservation.available / Self.indexers < account.heldMax - base else {
            return nil
        }
        return .shortage(of: reservation, isForGood: hadAll)
    }

    /// Bytes that processors may add to a body of that size, so that what is written still fits.
    func addedMax(to body: Int) -> Int {
        let allowed = max(0, account.writtenMax - body)
        guard let reservation else { return allowed }
        return max(0, min(allowed, (reservation.available - body) / 2))
    }

    /// Whether so many bytes more fit; they are not kept.
    func check(_ bytes: Int) throws(Refused) {
        try reserve(base + bytes)
    }

    /// Gives back everything but the records.
    func keep(only written: Int) {
        reservation?.shrink(to: written)
    }

    private func reserve(_ bytes: Int) throws(Refused) {
        guard let reservation, !reservation.grow(to: bytes) else { return }
        throw .shortage(of: reservation, isForGood: bytes > reservation.limit)
    }
}

/// Why a request that can be read is not taken, and what its client is told.
struct Refused: Error {
    /// What its spans count as.
    let reason: IntakeTally.RefusalReason
    let answer: IntakeAnswer

    /// The request costs too much for its size.
    init(_ excess: CostExcess) {
        reason = .cost
        answer =
            switch excess {
            case .written: .tooLarge(excess.description)
            case .steps: .invalid(excess.description)
            }
    }

    /// A processor does not take the request.
    init(_ refusal: WorkRefusal) {
        switch refusal {
        case .excess(let excess): self.init(excess)
        case .invalid(let text): self.init(reason: .invalid, .invalid(text))
        }
    }

    init(reason: IntakeTally.RefusalReason, _ answer: IntakeAnswer) {
        self.reason = reason
        self.answer = answer
    }

    /// Some of it would go to an experiment that is not one of the client's: all of it is refused.
    static func forbidden(_ reason: String) -> Refused { Refused(reason: .forbidden, .forbidden(reason)) }

    /// The memory that it needs is held by others or, where that `isForGood`, more than there is at all.
    ///
    /// Whoever holds most is to blame before others.
    static func shortage(of memory: Reservation, isForGood: Bool) -> Refused {
        let limit = ByteCount(bytes: memory.limit)
        if !isForGood, let holder = memory.holder, memory.isOverShare(adding: 0) {
            return Refused(reason: .memory, .throttled(holder.excess, retryAfter: .seconds(1)))
        }
        return Refused(
            reason: .memory,
            isForGood
                ? .tooLarge("the request needs more memory than all requests in flight may hold, \(limit)")
                : .unavailable("the memory limit for requests in flight is reached", retryAfter: .seconds(1))
        )
    }

    /// The body cannot be read.
    init(_ error: WireError) {
        reason = .invalid
        answer =
            switch error {
            case .malformed(let offset, let reason): .invalid("byte \(offset): \(reason)")
            case .overLimit(let reason): .tooLarge(reason)
            }
    }
}
