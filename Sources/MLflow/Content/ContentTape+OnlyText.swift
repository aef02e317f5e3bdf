import Basics
import OTLP

extension ContentTape {
    /// The one thing that an object says.
    struct OnlyText {
        /// The text, the first of those that are all the same.
        let text: Int
        /// Whether the object and those inside hold no flag beside it.
        var isAlone = true
    }

    /// The text that all of an object's members say, also those of objects inside; nil where it says anything else: a number, a list,
    /// another text, JSON.
    mutating func onlyText(of node: Int, _ bytes: RawSpan) -> OnlyText? {
        guard nodes[node].kind == .object else { return nil }
        account.steps &+= (nodes[node].next &- node) &>> 2
        var only: OnlyText?
        var hasMore = false
        guard collect(node, level: 0, &only, &hasMore, bytes) else { return nil }
        guard let text = only?.text, let first = bytes.firstLetter(nodes[text].range), !Self.structures.contains(first)
        else { return nil }
        only?.isAlone = !hasMore
        return only
    }

    /// Whether a member goes by one of these names.
    func isNamed(_ value: Int, _ names: KeyTable, _ bytes: RawSpan) -> Bool {
        nodes[value - 1].kind == .text && names.find(bytes, nodes[value - 1].range) != nil
    }

    /// How the text of a structure begins, of a tuple for one.
    private static let structures = Array("{[(".utf8)

    /// Objects inside each other that are looked into, at most.
    private static let levelsMax = 3

    private func collect(
        _ object: Int,
        level: Int,
        _ only: inout OnlyText?,
        _ hasMore: inout Bool,
        _ bytes: RawSpan
    ) -> Bool {
        var value = object + 2
        while value < nodes[object].next {
            switch nodes[value].kind {
            case _ where isEmpty(value): break
            case .yes, .no: hasMore = true
            case .text, .escaped:
                let known = only?.text ?? value
                guard nodes[known].kind == nodes[value].kind,
                    bytes.isSame(nodes[known].range, as: bytes, nodes[value].range)
                else { return false }
                only = OnlyText(text: known)
            case .object:
                guard level + 1 < Self.levelsMax, collect(value, level: level + 1, &only, &hasMore, bytes) else {
                    return false
                }
            case .null, .number, .scalar, .array: return false
            }
            value = nodes[value].next + 1
        }
        return true
    }
}
