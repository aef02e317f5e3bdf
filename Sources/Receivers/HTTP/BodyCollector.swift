import Basics
import NIOCore
import Pipeline

/// Takes a body while it arrives: bounded, decompressed, and paid for from the memory budget before it is held.
///
/// A client gets memory for what has come, after inflation, not for what it announces: at most four times as much.
struct BodyCollector {
    private static let firstGrant = 16_384

    private let limit: ByteCount
    /// The most that the body can be: what the client announced, else the limit.
    private let expected: Int
    /// How many times what has come is reserved: less where the length is not known, because the rest stays unused.
    private let growth: Int
    private let decoder: ContentDecoder?
    private var bytes: [UInt8] = []
    private var granted = 0
    private var wireBytes = 0
    /// When its progress was looked at last, and how far it was.
    private var lookedAt = NIODeadline.now()
    private var lookedBytes = 0

    /// Goes with the body until its answer.
    let room: BodyRoom
    private var reservation: Reservation { room.reservation }

    /// What a body of unknown length is taken to need.
    static let unknownBytes = 65_536

    /// - Parameters:
    ///   - codings: In the order in which they are undone.
    ///   - announced: Bytes that it has on the wire; nil where nobody says.
    ///   - limit: The most that it may be, on the wire and after inflation.
    ///   - room: What it holds until its answer.
    /// - Throws: Where it is announced as too long, or there is no room for inflating it.
    init(
        codings: [ContentCoding],
        announced: Int?,
        limit: ByteCount,
        room: BodyRoom
    ) throws(HTTPError) {
        self.limit = limit
        self.room = room
        decoder = codings.isEmpty ? nil : ContentDecoder(codings, limit: limit)
        expected = decoder == nil ? min(announced ?? limit.bytes, limit.bytes) : limit.bytes
        growth = decoder == nil && announced != nil ? 4 : 2
        if let decoder, !room.reservation.grow(to: decoder.workingBytes) { throw .noMemory }
        guard announced ?? 0 <= limit.bytes else { throw .tooLarge(limit) }
    }

    /// Takes the next bytes of the wire.
    mutating func append(_ part: ByteBuffer) throws(HTTPError) {
        wireBytes += part.readableBytes
        guard wireBytes <= limit.bytes else { throw .tooLarge(limit) }
        guard let decoder else {
            try makeRoom(for: part.readableBytes)
            bytes.append(contentsOf: part.readableBytesView)
            return
        }
        try decoder.decode(part.readableBytesSpan) { (chunk) throws(HTTPError) in
            try makeRoom(for: chunk.count)
            bytes.append(contentsOf: chunk)
        }
        // A decoder's window may have come with these bytes.
        guard reservation.grow(to: held) else { throw .noMemory }
    }

    /// What it holds of the memory budget, the tables of its decoder included.
    private var held: Int { granted + (decoder?.workingBytes ?? 0) }

    /// Whether less than a 32nd of what it holds came since the look before, a second ago or longer; without a look it is false.
    mutating func isStalled(at now: NIODeadline) -> Bool {
        guard held > 0, now - lookedAt >= .seconds(1) else { return false }
        defer { (lookedAt, lookedBytes) = (now, bytes.count) }
        return bytes.count - lookedBytes < held / 32
    }

    /// The whole body, after its last byte came.
    mutating func finish() throws(HTTPError) -> [UInt8] {
        if let decoder, wireBytes > 0 { try decoder.finish() }
        defer { bytes = [] }
        return bytes
    }

    private mutating func makeRoom(for count: Int) throws(HTTPError) {
        let total = bytes.count + count
        guard total <= limit.bytes else { throw .tooLarge(limit) }
        try room.inFlight?.grow(to: total)
        guard total > granted else { return }
        try grant(max(total, min(max(granted * growth, Self.firstGrant), expected)))
    }

    /// While an array grows, its old and its new bytes are held at once.
    private mutating func grant(_ total: Int) throws(HTTPError) {
        let working = decoder?.workingBytes ?? 0
        let needed = working + granted + total
        if reservation.isOverShare(adding: needed - reservation.bytes), let holder = reservation.holder {
            reservation.noteShortage()
            throw .overShare(holder)
        }
        guard reservation.grow(to: needed) else { throw .noMemory }
        granted = total
        bytes.reserveCapacity(total)
        reservation.shrink(to: working + total)
    }
}

/// What a request's body holds until its answer.
struct BodyRoom: Sendable {
    let reservation: Reservation
    /// Nil without a limit on bytes in flight.
    let inFlight: BodyInFlight?
}

extension HTTPError {
    /// Everything that receivers may hold is held.
    static let noMemory = HTTPError(
        .serviceUnavailable,
        "the memory limit for requests in flight is reached",
        retryAfter: .seconds(1)
    )

    /// The body holds memory that others wait for.
    static let stalled = HTTPError(
        .serviceUnavailable,
        "the request's body stopped coming while memory is short",
        retryAfter: .seconds(1)
    )

    /// The client holds more of it than others.
    static func overShare(_ holder: MemoryHolder) -> HTTPError {
        HTTPError(.tooManyRequests, holder.excess, retryAfter: .seconds(1))
    }
}
