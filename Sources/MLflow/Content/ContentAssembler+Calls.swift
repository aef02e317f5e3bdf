import Basics
import OTLP

// Some recorders say twice which tools a model called: in the parts of a message and in a list beside them.

extension ContentAssembler {
    /// Takes the calls from `count` on out that the first ones have already, by their ids.
    mutating func dropRepeatedCalls(after count: Int, _ bytes: RawSpan) {
        let known = message.calls[..<min(count, Self.comparedMax)].compactMap { callID(of: $0) }
        let more = message.calls[count...]
        tape.account.steps &+= known.count &* more.count
        let kept = more.filter { call in
            guard let id = callID(of: call) else { return true }
            return !known.contains { bytes.isSame(tape.nodes[$0].range, as: bytes, tape.nodes[id].range) }
        }
        message.calls.replaceSubrange(count..., with: kept)
    }

    /// Takes the texts out that are the JSON of a call that the message has.
    mutating func dropPrintedCalls(_ bytes: RawSpan) {
        let parts = message.parts
        message.parts = parts.filter { part in
            guard case .text(let node) = part, tape.isText(node) else { return true }
            return !isPrintedCall(tape.nodes[node].range, bytes)
        }
    }

    /// Whether a text is the JSON of a part that is a call, which may stand in JSON itself.
    private func isPrintedCall(_ text: Range<Int>, _ bytes: RawSpan) -> Bool {
        guard let first = text.first, bytes.byte(at: first) == UInt8(ascii: "{") else { return false }
        var offset = first + 1
        func next() -> Range<Int> {
            while offset < text.upperBound, !bytes.byte(at: offset).isWordLetter { offset += 1 }
            let start = offset
            while offset < text.upperBound, bytes.byte(at: offset).isWordLetter { offset += 1 }
            return start..<offset
        }
        guard bytes.equals("type", next()), let kind = ChatPartKind(named: next(), in: bytes) else { return false }
        return kind == .toolCall
    }

    private func callID(of call: Int) -> Int? {
        let id = ContentFields(of: call, on: tape).first(.toolCallID, .callID, .toolUseID, .id)
        return id.flatMap { tape.isText($0) && !tape.isEmpty($0) ? $0 : nil }
    }

    /// Calls of one message that others are compared with, at most.
    private static let comparedMax = 64
}

extension UInt8 {
    fileprivate var isWordLetter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
