import Basics
import OTLP

// What a language prints of its own objects, written by an emitter that had no other form for them: nobody said it.

extension RawSpan {
    /// Whether a text, in quotes or not, is the print of an object that says nothing of what it holds: `<acme.Stream object at 0x7f…>`.
    func isPrintedAddress(_ range: Range<Int>) -> Bool {
        let text = unquoted(trimmed(range))
        guard text.count >= 8, text.count <= printMax, byte(at: text.lowerBound) == UInt8(ascii: "<"),
            byte(at: text.upperBound - 1) == UInt8(ascii: ">")
        else { return false }
        return (text.lowerBound..<text.upperBound - 6).contains { equals(" at 0x", $0..<$0 + 6) }
    }

    /// Whether a text is the print of messages: of a dictionary that begins with its role, or a list of such.
    func isPrintedMessages(_ range: Range<Int>) -> Bool {
        let text = trimmed(range)
        return printedMessages.contains { begins(text, with: $0) }
    }

    /// Whether an element of a list of messages is a print: `HumanMessage(content='…')`, or `source='user' content='…'`.
    func isPrintedObject(_ range: Range<Int>) -> Bool {
        if isPrintedAddress(range) || isPrintedMessages(range) { return true }
        let text = trimmed(range)
        let name = endOfName(from: text.lowerBound, in: text)
        guard name > text.lowerBound, name < text.upperBound else { return false }
        switch byte(at: name) {
        case UInt8(ascii: "("):
            let field = endOfName(from: name + 1, in: text)
            return field > name + 1 && field < text.upperBound && byte(at: field) == UInt8(ascii: "=")
                && byte(at: text.upperBound - 1) == UInt8(ascii: ")")
        case UInt8(ascii: "="): return hasSecondField(behind: name + 1, in: text)
        default: return false
        }
    }

    /// Whether a text goes on with a value in quotes and the name of another field.
    private func hasSecondField(behind start: Int, in text: Range<Int>) -> Bool {
        guard start < text.upperBound, byte(at: start) == UInt8(ascii: "'") || byte(at: start) == UInt8(ascii: "\""),
            case let rest = start + 1..<min(text.upperBound, start + printMax),
            let end = rest.first(where: { byte(at: $0) == byte(at: start) }),
            end + 1 < text.upperBound, byte(at: end + 1) == UInt8(ascii: " ")
        else { return false }
        let field = endOfName(from: end + 2, in: text)
        return field > end + 2 && field < text.upperBound && byte(at: field) == UInt8(ascii: "=")
    }

    /// Where a name of letters, digits, `_` and `.` ends that starts there.
    private func endOfName(from start: Int, in text: Range<Int>) -> Int {
        var end = start
        while end < text.upperBound, end - start < printMax, byte(at: end).isNameLetter { end += 1 }
        return end
    }
}

extension ContentTape {
    /// Whether a node is the print of one message.
    func isPrintedObject(_ node: Int, _ bytes: RawSpan) -> Bool {
        isText(node) && bytes.isPrintedObject(nodes[node].range)
    }

    /// Whether a value has its messages only as a language prints them, wherever they stand inside of it.
    mutating func isPrinted(_ node: Int, _ bytes: RawSpan) -> Bool {
        let end = nodes[node].next
        account.steps &+= (end &- node) &>> 2
        switch nodes[node].kind {
        case .text, .escaped:
            return bytes.isPrintedAddress(nodes[node].range) || bytes.isPrintedMessages(nodes[node].range)
        case .array: return firstElement(of: node).map { isPrintedObject($0, bytes) } ?? false
        case .object:
            return (node + 1..<end).contains { key in
                guard Self.lists.contains(nodes[key].field), key + 1 < end, let first = firstElement(of: key + 1) else {
                    return false
                }
                return isPrintedObject(first, bytes)
            }
        case .null, .yes, .no, .number, .scalar: return false
        }
    }

    /// The fields whose lists are messages.
    private static let lists: Set<UInt8> = Set(
        [ContentField.messages, .choices, .contents, .candidates, .generations].map { UInt8($0.rawValue) }
    )
}

extension ContentAssembler {
    /// Whether content is what a language prints of an object, or of messages.
    mutating func isPrinted(_ content: Prepared, _ bytes: RawSpan) -> Bool {
        switch content {
        case .text(let range): bytes.isPrintedAddress(range) || bytes.isPrintedMessages(range)
        case .node(let node): tape.isPrinted(node, bytes)
        case .value, .json, .messages, .form, .documents: false
        }
    }

    /// Whether content is the print of an object that says nothing of what it holds.
    func isPrintedAddress(_ content: Prepared, _ bytes: RawSpan) -> Bool {
        switch content {
        case .text(let range): bytes.isPrintedAddress(range)
        case .node(let node): tape.isText(node) && bytes.isPrintedAddress(tape.nodes[node].range)
        case .value, .json, .messages, .form, .documents: false
        }
    }
}

extension UInt8 {
    fileprivate var isNameLetter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// Bytes of a print that are looked at, at most.
private let printMax = 512

/// How the print of a message begins.
private let printedMessages: [StaticString] = ["{'role': ", "[{'role': "]
