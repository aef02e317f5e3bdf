import Basics
import OTLP
import Settings

/// How messages were written that were mapped before, but for the one long text in them.
///
/// An emitter writes its messages always in the same form, so that of most contents nothing but one text differs. Where
/// the letters around it are known, what was written around it is copied, instead of taking apart and putting together
/// the same once more.
struct ContentForms: ~Copyable {
    /// A rule of one of the groups for content.
    struct Rule: Equatable, BitwiseCopyable {
        let group: RuleGroup
        let rank: Int

        /// None: what a chat API takes, recognised by its members.
        static let recognised = Rule(group: .content, rank: -1)
    }

    /// What the written form depends on beside the letters.
    struct Context {
        /// By which the content was found.
        let rule: Rule
        let side: ContentAssembler.Side
        /// The `AnyValue` message with the reasons for which choices ended; empty where there is none.
        let reasons: Range<Int>
    }

    /// Content in a form that is known; valid for one span.
    struct Match {
        fileprivate let form: Int
        /// The inside of the JSON string that is its text.
        let text: Range<Int>
        let isEscaped: Bool
    }

    private struct Form: BitwiseCopyable {
        let rule: Rule
        let side: ContentAssembler.Side
        /// Parts of `letters`: the JSON before and behind the text, each with a quote, and the reasons.
        let before: NumberList
        let behind: NumberList
        let reasons: NumberList
        /// The part of `levels`, from the outermost to that of the text itself.
        let levels: NumberList
        /// Parts of `letters`: what was written before and behind the text, with the lengths that it had.
        let head: NumberList
        let tail: NumberList
        /// How long the text was, and how much shorter and longer it may be for all lengths to take as many bytes.
        let count: Int
        let shorter: Int
        let longer: Int
    }

    /// A length around the text in what was written.
    private struct Level: BitwiseCopyable {
        /// Where it stands in the head.
        let position: Int32
        /// How many bytes it takes.
        let size: Int32
        let length: Int
    }

    /// Bytes of the text that differs, at least; shorter ones may be names that mean something.
    static let textMin = 32
    /// Forms that are kept; where one more is wanted, all are forgotten before the next span.
    private static let formsMax = 16
    private static let lettersMax = 1024
    private static let levelsMax = 24

    private var forms = Stack<Form>()
    private var levels = Stack<Level>()
    private var letters: [UInt8] = []
    private(set) var credit = Credit(formsMax)
    private var isFull = false

    init() {}

    /// Makes room for new forms; matches that were found before are not valid any more.
    mutating func makeRoom() {
        guard isFull else { return }
        isFull = false
        forms.truncate(to: 0)
        levels.truncate(to: 0)
        letters.removeAll(keepingCapacity: true)
    }

    /// The form in which the JSON text in `range` is written.
    mutating func find(_ range: Range<Int>, _ context: Context, _ bytes: RawSpan) -> Match? {
        let match = match(range, context, bytes)
        if match == nil { credit.didMiss() } else { credit.didFind() }
        return match
    }

    private func match(_ range: Range<Int>, _ context: Context, _ bytes: RawSpan) -> Match? {
        let known = letters.span.bytes
        // Forms that begin alike have the same text.
        var string: (before: Range<Int>, kind: ContentTape.Kind, text: Range<Int>)?
        for index in 0..<forms.count {
            let form = forms[index]
            let before = form.before.range
            guard form.side == context.side, form.rule == context.rule, bytes.begins(range, with: known, before),
                bytes.isSame(context.reasons, as: known, form.reasons.range)
            else { continue }
            if string?.before.count != before.count {
                var reader = TapeReader(range.lowerBound &+ before.count &- 1..<range.upperBound)
                string = reader.string(bytes).map { (before, $0.0, $0.1) }
            }
            guard let string, string.text.count >= Self.textMin, !bytes.mayBePart(string.text),
                bytes.isSame(string.text.upperBound..<range.upperBound, as: known, form.behind.range)
            else { continue }
            return Match(form: index, text: string.text, isEscaped: string.kind == .escaped)
        }
        return nil
    }

    /// Writes content in its form, with the text that stands in the body.
    func write(_ match: Match, body: RawSpan, to builder: inout ValueBuilder) {
        let range = match.text
        guard range.count >= ValueBuilder.quoteMin else { return write(match, body, range, to: &builder) }
        var position = 0
        let isWritten = write(match, size: range.count, to: &builder) { writer in
            position = writer.position
            writer.skip(range.count)
        }
        if isWritten {
            builder.quote(range, at: position)
        } else {
            rewrite(forms[match.form], body, range, to: &builder)
        }
    }

    /// Writes content in its form; `range` of `text` is what differs, without escapes.
    func write(_ match: Match, _ text: RawSpan, _ range: Range<Int>, to builder: inout ValueBuilder) {
        let isWritten = write(match, size: range.count, to: &builder) { $0.bytes(text, range) }
        if !isWritten { rewrite(forms[match.form], text, range, to: &builder) }
    }

    /// Writes content around the text that `write` writes, unless lengths take other numbers of bytes than before.
    @inline(__always)
    private func write(
        _ match: Match,
        size: Int,
        to builder: inout ValueBuilder,
        text write: (inout ByteWriter) -> Void
    ) -> Bool {
        let form = forms[match.form]
        let more = size &- form.count
        guard more >= -form.shorter, more <= form.longer else { return false }
        let known = letters.span.bytes
        let (head, tail) = (form.head.range, form.tail.range)
        builder.value(atMost: head.count &+ size &+ tail.count) { writer in
            let start = writer.position
            writer.bytes(known, head)
            for index in form.levels.range {
                let level = levels[index]
                writer.varint(level.length &+ more, at: start &+ Int(level.position), size: Int(level.size))
            }
            write(&writer)
            writer.bytes(known, tail)
        }
        return true
    }

    /// The same where lengths take other numbers of bytes, so that what is around them grows or shrinks too.
    private func rewrite(_ form: Form, _ text: RawSpan, _ range: Range<Int>, to builder: inout ValueBuilder) {
        let indices = form.levels.range
        var lengths: [Int] = []
        var more = range.count - form.count
        for index in indices.reversed() {
            let length = levels[index].length + more
            lengths.append(length)
            more += varintSize(length) - Int(levels[index].size)
        }
        let known = letters.span.bytes
        let (head, tail) = (form.head.range, form.tail.range)
        builder.value(atMost: head.count + range.count + tail.count + 8 * indices.count) { writer in
            var start = head.lowerBound
            for (index, length) in zip(indices, lengths.reversed()) {
                let end = head.lowerBound + Int(levels[index].position)
                writer.bytes(known, start..<end)
                writer.varint(length)
                start = end + Int(levels[index].size)
            }
            writer.bytes(text, range)
            writer.bytes(known, tail)
        }
    }
}

extension ContentForms {
    /// Keeps the form in which the JSON text in `range` was just written, as the `AnyValue` message `written`.
    ///
    /// `text` is the string inside that may differ, and `value` what it says, without escapes.
    mutating func keep(
        _ range: Range<Int>,
        _ context: Context,
        text: Range<Int>,
        _ bytes: RawSpan,
        value: RawSpan,
        written: RawSpan
    ) {
        let read = range.count - text.count + context.reasons.count
        guard max(read, written.byteCount - value.byteCount) <= Self.lettersMax else { return }
        guard forms.count < Self.formsMax else {
            isFull = true
            return
        }
        credit.didKeep()
        let first = levels.count
        guard let end = keepLevels(around: value, in: written) else { return levels.truncate(to: first) }
        forms.append(
            Form(
                rule: context.rule,
                side: context.side,
                before: keep(range.lowerBound..<text.lowerBound, of: bytes),
                behind: keep(text.upperBound..<range.upperBound, of: bytes),
                reasons: keep(context.reasons, of: bytes),
                levels: NumberList(first..<levels.count),
                head: keep(0..<end - value.byteCount, of: written),
                tail: keep(end..<written.byteCount, of: written),
                count: value.byteCount,
                shorter: (first..<levels.count).map { levels[$0].length - Self.lengths(levels[$0].size).lowerBound }
                    .min() ?? 0,
                longer: (first..<levels.count).map { Self.lengths(levels[$0].size).upperBound - levels[$0].length }
                    .min() ?? 0
            )
        )
    }

    /// The lengths that take that number of bytes.
    private static func lengths(_ size: Int32) -> ClosedRange<Int> {
        (size == 1 ? 0 : 1 << (7 * (Int(size) - 1)))...1 << (7 * Int(size)) - 1
    }

    private mutating func keep(_ range: Range<Int>, of bytes: RawSpan) -> NumberList {
        let start = letters.count
        letters.append(bytes, range)
        return NumberList(start..<letters.count)
    }

    /// What a message on the way to the text is, which decides the field that leads on.
    private enum Message {
        case value, array, list, member

        /// The message in a field; nil where there is none that may hold the text.
        func inner(_ field: Int) -> Message? {
            switch (self, field) {
            case (.value, 5): .array
            case (.value, 6): .list
            case (.array, 1), (.member, 2): .value
            case (.list, 1): .member
            default: nil
            }
        }
    }

    /// Follows the lengths down to the one field that is the text, and returns where that ends; nil where another field is
    /// as long, which may hold it too.
    private mutating func keepLevels(around text: RawSpan, in written: RawSpan) -> Int? {
        var message = Message.value
        var body = 0..<written.byteCount
        for _ in 0..<Self.levelsMax {
            var reader = WireReader(body)
            var found: WireField?
            while let field = try? reader.next(in: written) {
                guard field.content.count >= text.byteCount else { continue }
                guard found == nil else { return nil }
                found = field
            }
            guard let found else { return nil }
            let content = found.content
            let position = found.field.lowerBound + 1
            let size = content.lowerBound - position
            guard size == varintSize(content.count) else { return nil }
            levels.append(
                Level(
                    position: Int32(truncatingIfNeeded: position),
                    size: Int32(truncatingIfNeeded: size),
                    length: content.count
                )
            )
            guard let inner = message.inner(found.number) else {
                let isText = message == .value && found.number == 1
                return isText && written.isSame(content, as: text, 0..<text.byteCount) ? content.upperBound : nil
            }
            (message, body) = (inner, content)
        }
        return nil
    }
}

extension RawSpan {
    /// Whether `range` begins with the letters of `start`.
    @inline(__always)
    fileprivate func begins(_ range: Range<Int>, with other: RawSpan, _ start: Range<Int>) -> Bool {
        start.count <= range.count
            && isSame(range.lowerBound..<range.lowerBound &+ start.count, as: other, start)
    }
}
