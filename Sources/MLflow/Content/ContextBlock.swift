import Basics
import OTLP

extension ContentAssembler {
    /// Writes what a program put before the user's own words as messages before them, because MLflow's list shows the first text of the
    /// last message; takes it out of the message that was read.
    mutating func writeContext(to builder: inout ValueBuilder, _ bytes: RawSpan) {
        // How such messages are written depends on their letters.
        newForms = .init(repeating: nil)
        let texts = message.parts.indices.filter { isText(message.parts[$0]) }
        guard texts.count > 1 else { return }
        let context = texts.filter { isContext(message.parts[$0], bytes) }
        guard !context.isEmpty, context.count < texts.count else { return }
        for index in context {
            guard case .text(let node) = message.parts[index] else { continue }
            let object = builder.beginKeyValueList()
            builder.member("role", word: "user")
            writeText("content", node, to: &builder, bytes)
            builder.end(object)
        }
        var isKept = [Bool](repeating: true, count: message.parts.count)
        for index in context { isKept[index] = false }
        message.parts = zip(message.parts, isKept).filter(\.1).map(\.0)
    }

    private func isText(_ part: ChatMessage.Part) -> Bool {
        guard case .text(let node) = part else { return false }
        return tape.isText(node)
    }

    private func isContext(_ part: ChatMessage.Part, _ bytes: RawSpan) -> Bool {
        guard case .text(let node) = part else { return false }
        var text: [UInt8] = []
        tape.appendText(node, to: &text, bytes)
        return text.span.bytes.isTagged(0..<text.count)
    }
}

extension RawSpan {
    /// Whether a text is wholly `<tag>…</tag>`: context that a program puts before what the user says.
    func isTagged(_ range: Range<Int>) -> Bool {
        let text = trimmed(range)
        guard text.count >= 7, byte(at: text.lowerBound) == UInt8(ascii: "<") else { return false }
        let name = text.lowerBound + 1
        var end = name
        while end < text.upperBound, byte(at: end).isTagLetter { end += 1 }
        guard end > name, end < text.upperBound, byte(at: end) == UInt8(ascii: ">") else { return false }
        let size = end - name
        let closing = text.upperBound - size - 3
        guard closing > end, byte(at: closing) == UInt8(ascii: "<"), byte(at: closing + 1) == UInt8(ascii: "/"),
            byte(at: text.upperBound - 1) == UInt8(ascii: ">")
        else { return false }
        return (0..<size).allSatisfy { byte(at: name + $0) == byte(at: closing + 2 + $0) }
    }

    /// A range without white space at its ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, byte(at: start) <= UInt8(ascii: " ") { start += 1 }
        while end > start, byte(at: end - 1) <= UInt8(ascii: " ") { end -= 1 }
        return start..<end
    }
}

extension UInt8 {
    fileprivate var isTagLetter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
