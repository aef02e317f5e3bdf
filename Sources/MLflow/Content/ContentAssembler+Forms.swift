import Basics
import OTLP

extension ContentAssembler {
    /// Writes messages in a known form.
    mutating func write(_ match: ContentForms.Match, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        guard match.isEscaped else { return forms.write(match, body: bytes, to: &builder) }
        text.removeAll(keepingCapacity: true)
        JSONString(range: match.text, isPlain: false).appendUnescaped(from: bytes, to: &text)
        forms.write(match, text.span.bytes, 0..<text.count, to: &builder)
    }

    /// Keeps the form in which messages were written that were read from one JSON text.
    @inline(never)
    mutating func keep(_ form: NewForm, _ builder: borrowing ValueBuilder, from start: Int, _ bytes: RawSpan) {
        guard forms.credit.isGranted, let node = longestText(in: form.text) else { return }
        text.removeAll(keepingCapacity: true)
        tape.appendText(node, to: &text, bytes)
        guard isOnly(node, in: form.text, bytes) else { return }
        let (range, value) = (tape.nodes[node].range, text)
        builder.withBytes(from: start) { written in
            forms.keep(form.text, form.context, text: range, bytes, value: value.span.bytes, written: written)
        }
    }

    /// The longest string of a JSON text that is something said: what other strings mean may depend on their letters.
    private func longestText(in json: Range<Int>) -> Int? {
        var longest: Int?
        var length = ContentForms.textMin - 1
        for node in 1..<max(tape.nodes.count, 1) {
            let (name, item) = (tape.nodes[node - 1].field, tape.nodes[node])
            guard tape.isText(node), item.origin == .json, json.contains(item.range.lowerBound),
                name == ContentField.content.rawValue || name == ContentField.text.rawValue,
                item.range.count > length
            else { continue }
            (longest, length) = (node, item.range.count)
        }
        return longest
    }

    /// Whether no other string of a JSON text says the same as `node`, whose letters are in `text`: where they are written
    /// it could not be told which of them was.
    private func isOnly(_ node: Int, in json: Range<Int>, _ bytes: RawSpan) -> Bool {
        for other in 0..<tape.nodes.count where other != node && tape.isText(other) {
            let item = tape.nodes[other]
            guard item.origin == .json, json.contains(item.range.lowerBound), item.range.count >= text.count else {
                continue
            }
            var letters: [UInt8] = []
            tape.appendText(other, to: &letters, bytes)
            if letters == text { return false }
        }
        return true
    }
}
