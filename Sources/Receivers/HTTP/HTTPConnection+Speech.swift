import Basics
import NIOCore

// Which version of HTTP the client speaks.
extension HTTPConnection {
    /// How long a client that is one too many gets to show it, before it is told so in HTTP/1.1.
    private static let speechTime = Duration.milliseconds(250)

    /// What looks at the first bytes, and hands a connection of HTTP/2 over; stands before the parser of HTTP/1.1.
    func preface(speaking speakers: HTTP2Speakers) -> HTTP2Preface {
        isSpeechUnknown = true
        return HTTP2Preface { [self] speaks, context, handler in
            guard case .http2 = speaks else {
                speakHTTP1()
                return true
            }
            // It may have been told in HTTP/1.1 that it is one too many.
            guard phase == .ready else { return false }
            try handOver(HTTP2Connection(observer, speakers: speakers, client: client), context, after: handler)
            return true
        }
    }

    private func handOver(
        _ next: HTTP2Connection,
        _ context: ChannelHandlerContext,
        after handler: HTTP2Preface
    ) throws {
        // The connection counts once, wherever it is.
        client.counted = nil
        phase = .closed
        do {
            try next.open(after: handler, context, addsSelf: true)
        } catch {
            next.leaveLimits()
            throw error
        }
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(decoder, promise: nil)
        pipeline.removeHandler(self, promise: nil)
    }

    /// The client is one too many, and has yet to show in what form it can be told.
    func awaitSpeech() {
        setDeadline(in: Self.speechTime)
    }

    /// The client speaks HTTP/1.1, or nothing that is known.
    func speakHTTP1() {
        isSpeechUnknown = false
        if let refusal = client.refusal { refuseConnection(refusal) }
    }

    /// Whether it has become as old as connections may.
    var isOld: Bool {
        if let stale = loop.staleBefore, openedAt < stale { return true }
        guard let age = loop.context.settings.maxAge else { return false }
        return openedAt + TimeAmount(age) <= .now()
    }
}
