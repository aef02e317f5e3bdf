import Basics
import OTLP

extension ContentTape {
    /// Members of an object that may be a wrapper, at most.
    private static let wrapperMembersMax = 16
    /// Wrappers inside each other that are opened, at most.
    private static let wrappersMax = 4

    /// What stands inside of the wrappers around a value; the value itself where there is none, nil where all that a wrapper
    /// may hold is empty.
    mutating func opened(
        _ node: Int,
        by wrappers: ArraySlice<MappingRules.Wrapper>,
        ofTool isTool: Bool,
        _ bytes: RawSpan
    ) -> Int? {
        var node = node
        for _ in 0..<Self.wrappersMax {
            let object = onlyElement(of: node) ?? node
            guard nodes[object].kind == .object else { break }
            let count = members(of: object, upTo: Self.wrapperMembersMax)
            guard count <= Self.wrapperMembersMax else { break }
            account.steps &+= count &* wrappers.count
            var inner: Int?
            for wrapper in wrappers where inner == nil && !(wrapper.exceptTools && isTool) {
                // In a list only what cannot be mistaken is a wrapper.
                guard object == node || wrapper.empty.count + wrapper.required.count > 2 else { continue }
                inner = inside(wrapper, object, count, bytes)
                if let inner, !wrapper.empty.isEmpty, isEmpty(inner) { return nil }
            }
            guard let inner else { break }
            node = inner
        }
        return node
    }

    /// The member that a wrapper is about, where an object is such a wrapper and the member says anything.
    private func inside(_ wrapper: MappingRules.Wrapper, _ node: Int, _ count: Int, _ bytes: RawSpan) -> Int? {
        var inner: Int?
        var required = 0
        var seen = 0
        var key = node + 1
        while key + 1 < nodes[node].next {
            let name = nodes[key].range
            func isAmong(_ names: [[UInt8]]) -> Bool { names.contains { bytes.equals($0, name) } }
            if bytes.equals(wrapper.member, name) {
                inner = key + 1
                seen += 1
            } else if isAmong(wrapper.empty) {
                guard isEmpty(key + 1) else { return nil }
                required += 1
                seen += 1
            } else if isAmong(wrapper.required) {
                required += 1
                seen += 1
            } else if isAmong(wrapper.optional) {
                seen += 1
            }
            key = nodes[key + 1].next
        }
        guard seen == count, required == wrapper.empty.count + wrapper.required.count, let inner,
            nodes[inner].kind != .null
        else { return nil }
        guard wrapper.isOnlyElement else { return inner }
        guard let only = onlyElement(of: inner), nodes[only].kind != .null else { return nil }
        return only
    }

    /// The element of a list of one.
    private func onlyElement(of list: Int) -> Int? {
        guard let only = firstElement(of: list), element(after: only, in: list) == nil else { return nil }
        return only
    }

    /// How many members an object has; of more than `limit` it is not known how many.
    private func members(of node: Int, upTo limit: Int) -> Int {
        var count = 0
        var key = node + 1
        while key + 1 < nodes[node].next, count <= limit {
            count += 1
            key = nodes[key + 1].next
        }
        return count
    }

    /// The value inside of what the Vercel AI SDK makes of a tool's result: exactly a type and a value.
    func openedResult(_ node: Int, _ bytes: RawSpan) -> Int {
        guard nodes[node].kind == .object, members(of: node, upTo: 2) == 2, let type = member(.type, of: node),
            let value = member(.value, of: node), Self.resultTypes.contains(where: { equals(type, $0, bytes) })
        else { return node }
        return value
    }

    private static let resultTypes: [StaticString] = ["json", "text", "content", "error-text", "error-json"]

    /// A list whose texts are JSON each, taken apart; nil for anything else.
    mutating func appendElements(asJSON list: Int, _ bytes: RawSpan) -> Int? {
        guard nodes[list].kind == .array, nodes[list].origin == .wire else { return nil }
        let elements = elements(of: list)
        let isText = elements.allSatisfy { nodes[$0].kind == .text }
        guard isText, !elements.isEmpty else { return nil }
        let node = begin(.array)
        for element in elements {
            let range = nodes[element].range
            if append(json: range, of: bytes) == nil { _ = append(.text, .joined, range) }
        }
        end(node)
        return node
    }
}
