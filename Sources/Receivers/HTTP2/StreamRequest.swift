import Basics
import NIOCore
import NIOHPACK
import NIOHTTP2
import OTLP
import Pipeline

/// One request on a stream of HTTP/2, as its protocol reads and answers it: `begin`, then `take` for its bytes, `open` once there is
/// room for them, and `finish`.
///
/// Only used on the event loop of its connection.
protocol StreamRequest: AnyObject {
    /// The event loop's share of the receiver that takes it.
    var observer: LoopObserver { get }
    /// Nil where it names none; it is then refused.
    var signal: Signal? { get }
    /// How long its client waits for the answer; nil for as long as it takes.
    var timeout: TimeAmount? { get }
    /// What it is told where its body does not come in time.
    var slow: HTTPError { get }

    /// Decides by the head; throws what it is refused for.
    func begin() throws(HTTPError) -> StreamStep
    /// Takes bytes of the body, or as many as say what room the rest needs, which is then returned.
    func take(_ bytes: inout ByteBuffer) throws(HTTPError) -> StreamNeed?
    /// Makes ready for the body; what is sent ahead of the answer, if anything.
    func open() throws(HTTPError) -> HPACKHeaders?
    /// The body is complete.
    func finish() throws(HTTPError) -> StreamOutcome
    /// Whether the body stopped coming.
    func isStalled(at now: NIODeadline) -> Bool
    /// Gives back what is held of the body.
    func drop()
    /// How an answer is written.
    func reply(_ answer: Answer) -> StreamReply
    /// Counts and logs what is told of the pipelines' answer.
    func note(_ reply: IntakeAnswer)
}

/// What a request's head leads to.
enum StreamStep {
    /// Its first bytes say what it needs.
    case readOn
    /// Its body needs room.
    case needs(StreamNeed)
    case answered(StreamReply)
}

/// Room that a body needs before it is read.
struct StreamNeed {
    /// That it has, or is taken to have.
    let bytes: Int
    /// Whom its memory counts for.
    let holder: MemoryHolder
}

/// What becomes of a whole request.
enum StreamOutcome {
    case reply(StreamReply)
    /// For the pipelines, with what it holds.
    case request(IncomingRequest, BodyRoom)
}

/// An answer as it goes out on a stream.
struct StreamReply {
    /// What it is counted under.
    let code: AnswerCode
    let head: HPACKHeaders
    var body: ByteBuffer?
    /// What comes behind the body.
    var trailers: HPACKHeaders?

    /// Its frames, in order.
    var frames: [HTTP2Frame.FramePayload] {
        var frames: [HTTP2Frame.FramePayload] = [
            .headers(.init(headers: head, endStream: body == nil && trailers == nil))
        ]
        if let body { frames.append(.data(.init(data: .byteBuffer(body), endStream: trailers == nil))) }
        if let trailers { frames.append(.headers(.init(headers: trailers, endStream: true))) }
        return frames
    }
}
