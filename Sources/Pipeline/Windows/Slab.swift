/// Values under small numbers, in pieces of memory that never move; numbers of removed values are given again.
///
/// Growing copies nothing, so that what is held is what is counted. When the last value goes, all memory goes.
struct Slab<Value: Sendable>: Sendable {
    private var pieces: [[Value]] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    private static var pieceSize: Int { 1024 }

    init() {}

    subscript(_ number: UInt32) -> Value {
        get { pieces[Int(number) / Self.pieceSize][Int(number) % Self.pieceSize] }
        _modify { yield &pieces[Int(number) / Self.pieceSize][Int(number) % Self.pieceSize] }
    }

    /// Takes a value in and says its number.
    mutating func insert(_ value: Value) -> UInt32 {
        count += 1
        if let number = free.popLast() {
            self[number] = value
            return number
        }
        if pieces.last.map({ $0.count == Self.pieceSize }) ?? true {
            var piece: [Value] = []
            piece.reserveCapacity(Self.pieceSize)
            pieces.append(piece)
        }
        pieces[pieces.count - 1].append(value)
        return UInt32(truncatingIfNeeded: count - 1)
    }

    /// Gives a number free, whose value stays until it is given again.
    mutating func remove(_ number: UInt32) {
        count -= 1
        if count == 0 { (pieces, free) = ([], []) } else { free.append(number) }
    }
}

/// No number: the end of a chain.
let noNumber = UInt32.max
