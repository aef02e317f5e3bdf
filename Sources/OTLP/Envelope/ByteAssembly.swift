import Basics

/// A message put together from ranges of existing bytes, with lengths that follow from what is inside.
///
/// Nothing is copied until `bytes`; ranges that lie behind one another become one copy.
struct ByteAssembly: ~Copyable {
    private struct Piece: BitwiseCopyable {
        /// `fromBody`, `fromAdded`, or the tag of a header.
        var source: Int32
        /// Where the range starts.
        var start: Int32 = 0
        /// Where the range ends; for a header the length it says.
        var end: Int32 = 0
    }

    /// An open message.
    struct Message {
        fileprivate let piece: Int
        fileprivate let size: Int
        fileprivate let touches: Int
    }

    private static let fromBody: Int32 = -1
    private static let fromAdded: Int32 = -2

    private var pieces: Stack<Piece>
    private var size = 0
    /// How many changes were made; tells `close` whether there was one inside.
    private var touches = 0

    init(reservingPieces count: Int) {
        pieces = Stack(reserving: count)
    }

    /// Says that what is written differs from the body.
    mutating func touch() { touches &+= 1 }

    /// Appends a range of the body.
    mutating func copy(_ start: Int32, _ end: Int32) {
        guard start < end else { return }
        size &+= Int(end &- start)
        if !pieces.isEmpty, case let last = pieces[pieces.count &- 1], last.source == Self.fromBody, last.end == start {
            pieces[pieces.count &- 1].end = end
        } else {
            pieces.append(Piece(source: Self.fromBody, start: start, end: end))
        }
    }

    /// Appends a range of the added bytes.
    mutating func insert(_ start: Int32, _ end: Int32) {
        guard start < end else { return }
        size &+= Int(end &- start)
        pieces.append(Piece(source: Self.fromAdded, start: start, end: end))
    }

    /// Starts a message with that tag.
    mutating func open(_ tag: Int32) -> Message {
        let message = Message(piece: pieces.count, size: size, touches: touches)
        pieces.append(Piece(source: tag))
        return message
    }

    /// Ends a message; one in which nothing was touched becomes the `original` field, byte for byte.
    mutating func close(_ message: Message, original: Frame) {
        guard touches != message.touches else {
            pieces.truncate(to: message.piece)
            size = message.size
            copy(original.start, original.end)
            return
        }
        let length = size &- message.size
        pieces[message.piece].end = Int32(truncatingIfNeeded: length)
        size &+= varintSize(Int(pieces[message.piece].source)) &+ varintSize(length)
    }

    /// Everything, in a buffer of exactly its size.
    func bytes(_ body: RawSpan, _ added: RawSpan) -> [UInt8] {
        [UInt8](atMost: size) { writer in
            for index in 0..<pieces.count {
                let piece = pieces[index]
                switch piece.source {
                case Self.fromBody: writer.bytes(body, Int(piece.start)..<Int(piece.end))
                case Self.fromAdded: writer.bytes(added, Int(piece.start)..<Int(piece.end))
                default:
                    writer.varint(Int(piece.source))
                    writer.varint(Int(piece.end))
                }
            }
        }
    }
}
