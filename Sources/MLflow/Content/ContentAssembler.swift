import Basics
import OTLP

/// Reads content in any form and writes it as MLflow wants it.
///
/// One for each request; its memory is used again from span to span.
struct ContentAssembler: ~Copyable {
    /// Content that was found usable, ready to be written.
    enum Prepared {
        /// An `AnyValue` message, copied as it stands.
        case value(Range<Int>)
        /// UTF-8, kept as text.
        case text(Range<Int>)
        /// A JSON text, not read yet.
        case json(Range<Int>)
        /// Messages, as a range of `sources`; where only a look at them showed that they are some, what they were found in.
        case messages(Range<Int>, root: Int? = nil)
        /// Messages that differ in one text from some that were written before.
        case form(ContentForms.Match)
        /// A list of documents on the tape.
        case documents(Int)
        /// Anything on the tape, written as it is.
        case node(Int)
    }

    /// A value that was taken apart: where it starts in the request, and its root on the tape.
    private struct Tree {
        let start: Int
        let isJSON: Bool
        let root: Int
    }

    /// A JSON text, and what beside it decides how its messages are written.
    struct NewForm {
        let text: Range<Int>
        let context: ContentForms.Context
    }

    /// Which side of a span content is for.
    enum Side: Int {
        case inputs
        case outputs

        /// Who speaks where nothing says it.
        var role: ChatRole { self == .inputs ? .user : .assistant }
    }

    /// Bytes of one value that is taken apart, at most; a longer one stays text.
    let contentMax: Int
    var tape = ContentTape()
    var flattened = FlattenedEntries()
    var sources: [ChatSource] = []
    var message = ChatMessage()
    /// Reasons for which choices ended that stand beside the messages, and their `AnyValue` message until they are read.
    var finishReasons: [Int] = []
    var unreadReasons: Range<Int>?
    /// The tools of the span, as nodes that have a name.
    var definitions: [Int] = []
    var text: [UInt8] = []
    /// Values of attributes that were taken apart for this span already.
    private var trees: [Tree] = []
    var inventedCalls = 0
    var inventedResponses = 0
    /// Which messages count while they are added.
    var portion = ContentSource.Portion.all
    /// The object whose other members stand beside the messages of the inputs, and whether the one read next may be it.
    var beside: Int?
    var takesBeside = false
    /// The same for the outputs.
    var besideOutputs: Int?
    /// Whether no message of the outputs is an answer: a step passed on what it got, or what tools answered.
    var passesOn = false
    /// Whether all messages of the outputs are parts of one.
    var joinsOutputs = false
    var forms = ContentForms()
    /// Whether messages in a form that is known may be copied instead of read.
    var usesForms = true
    /// The JSON texts whose messages were read, not copied from a known form.
    var newForms: [2 of NewForm?] = .init(repeating: nil)

    init(contentMax: Int) {
        self.contentMax = contentMax
    }

    /// Forgets the span before.
    mutating func clear() {
        tape.clear()
        flattened.clear()
        if !sources.isEmpty { sources.removeAll(keepingCapacity: true) }
        if !finishReasons.isEmpty { finishReasons.removeAll(keepingCapacity: true) }
        if !trees.isEmpty { trees.removeAll(keepingCapacity: true) }
        unreadReasons = nil
        newForms = .init(repeating: nil)
        forms.makeRoom()
        joinsOutputs = false
        passesOn = false
        beside = nil
        besideOutputs = nil
    }

    /// Gives back the memory that few batches need.
    mutating func giveBack() {
        flattened.giveBack()
        if sources.capacity > Self.keptMax { sources = [] }
        if finishReasons.capacity > Self.keptMax { finishReasons = [] }
        if definitions.capacity > Self.keptMax { definitions = [] }
        if text.capacity > Self.keptMax * 16 { text = [] }
        if message.size > Self.keptMax { message = ChatMessage() }
    }

    /// Elements of a list whose memory stays for the next batch, at most.
    private static let keptMax = 4096

    /// Content of one attribute that is kept as it is: structured where it is JSON, else text.
    ///
    /// `value` is the attribute's `AnyValue` message; with `isPlain` the emitter says that it is no JSON.
    static func prepare(value: Range<Int>, isPlain: Bool, upTo contentMax: Int, _ bytes: RawSpan) -> Prepared? {
        switch AttributeValue(value, in: bytes) {
        case .empty: return nil
        case .array(let range), .keyValueList(let range): return range.isEmpty ? nil : .value(value)
        case .bool, .int, .double, .bytes: return .value(value)
        case .string(let range):
            guard let first = bytes.firstLetter(range) else { return nil }
            guard !bytes.saysNothing(range) else { return nil }
            let isJSON = !isPlain && (first == UInt8(ascii: "{") || first == UInt8(ascii: "["))
            return isJSON && range.count <= contentMax ? .json(range) : .text(range)
        }
    }

    /// Adds an attribute's value to the tape: JSON text and structured values taken apart, other text as it is.
    ///
    /// With `isJSON` text in quotes is JSON too.
    mutating func append(value: Range<Int>, isJSON: Bool = false, _ bytes: RawSpan) -> Int? {
        switch AttributeValue(value, in: bytes) {
        case .empty: return nil
        case .string(let range):
            guard let first = bytes.firstLetter(range), !bytes.saysNothing(range) else { return nil }
            let isOpening = first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
            if range.count <= contentMax, isOpening || isJSON {
                if let node = tape.append(json: range, of: bytes) { return node }
            }
            return tape.append(.text, .wire, range)
        case .array, .keyValueList:
            return value.count <= contentMax ? tape.append(value: value, of: bytes) : nil
        case .bool, .int, .double, .bytes:
            return tape.append(value: value, of: bytes)
        }
    }

    /// The root of an attribute's value on the tape, where it is taken apart but once.
    mutating func tree(of value: Range<Int>, isJSON: Bool = false, _ bytes: RawSpan) -> Int? {
        if let known = trees.first(where: { $0.start == value.lowerBound && $0.isJSON == isJSON }) { return known.root }
        guard let root = append(value: value, isJSON: isJSON, bytes) else { return nil }
        trees.append(Tree(start: value.lowerBound, isJSON: isJSON, root: root))
        return root
    }

    /// Whether an attribute's value is a text in quotes.
    func isQuoted(_ value: Range<Int>, _ bytes: RawSpan) -> Bool {
        guard case .string(let range) = AttributeValue(value, in: bytes), range.count >= 2 else { return false }
        return bytes.byte(at: range.lowerBound) == UInt8(ascii: "\"")
    }

    /// Makes content that is no chat into messages, for a span whose other side is one.
    mutating func asMessages(_ content: Prepared, _ side: Side, _ bytes: RawSpan) -> Prepared {
        if content.isChat { return content }
        let start = sources.count
        takesBeside = side == .inputs
        // What a rule found that gave nothing in the end belongs to other content.
        if side == .inputs { beside = nil }
        switch content {
        case .messages, .form: return content
        case .value(let range) where range.count > contentMax: return content
        case .node(let node): addRecognised(node, side, bytes)
        case .documents(let node): sources.append(ChatSource(node: node, role: side.role))
        case .text(let range): sources.append(ChatSource(node: tape.append(.text, .joined, range), role: side.role))
        case .value(let range):
            if let node = tape.append(value: range, of: bytes) { addRecognised(node, side, bytes) }
        case .json(let range):
            let form = NewForm(text: range, context: .init(rule: .recognised, side: side, reasons: 0..<0))
            // How outputs end is said elsewhere.
            if side == .inputs {
                if let match = forms.find(range, form.context, bytes) { return .form(match) }
                newForms[side.rawValue] = form
            }
            let node = tape.append(json: range, of: bytes)
            addRecognised(node ?? tape.append(.text, .joined, range), side, bytes)
        }
        return .messages(start..<sources.count)
    }

    /// Adds the messages of a request or an answer of a chat API; anything else becomes the text of one message.
    private mutating func addRecognised(_ node: Int, _ side: Side, _ bytes: RawSpan) {
        let prompt = tape.member(.prompt, of: node)
        if isChat(node, bytes) || prompt.map({ tape.isText($0) }) ?? false {
            addMessages(node, role: side.role, bytes)
        } else {
            sources.append(ChatSource(node: node, role: side.role))
        }
    }
}

extension RawSpan {
    /// Whether a text stands for no value: a `null`, or what an emitter writes in place of content it may not show.
    func saysNothing(_ range: Range<Int>) -> Bool {
        range.count <= 10 && (equals("null", range) || equals("<REDACTED>", range))
    }

    /// The first byte of `range` that is no white space.
    func firstLetter(_ range: Range<Int>) -> UInt8? {
        for offset in range {
            switch byte(at: offset) {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case let letter: return letter
            }
        }
        return nil
    }
}
