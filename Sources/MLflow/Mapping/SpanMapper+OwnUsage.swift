import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// Usage that is not three whole numbers at least is refused by MLflow 3.17.2.
    mutating func repairUsage(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard let attribute = scan[.tokenUsage],
            let node = content.append(value: attributes[attribute].value, bytes),
            !content.tape.isEmpty(node)
        else { return }
        func count(_ name: StaticString) -> Int64? { member(name, of: node, bytes)?.count(in: bytes) }
        let total = count("total_tokens")
        var counts = TokenCounts(input: count("input_tokens"), output: count("output_tokens"), total: total)
        counts?.cacheRead = count("cache_read_input_tokens")
        counts?.cacheCreation = count("cache_creation_input_tokens")
        outcome.spans.setTokens(counts?.total, of: index)
        let names: [StaticString] = ["input_tokens", "output_tokens", "total_tokens"]
        if content.tape.nodes[node].origin == .wire, names.allSatisfy({ isCount($0, of: node, bytes) }),
            areAllCounts(node, bytes)
        {
            return
        }
        batch.removeAttribute(attribute)
        guard let counts else { return didRepair("mlflow.chat.tokenUsage", index, .removed) }
        batch.addAttribute("mlflow.chat.tokenUsage", to: .span(index)) { counts.write(to: &$0) }
        didRepair("mlflow.chat.tokenUsage", index)
    }

    /// Cost that is not a map of three finite numbers is refused by MLflow 3.17.2.
    mutating func repairCost(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard let attribute = scan[.cost], !attributes[attribute].value.isEmpty else { return }
        let node = content.append(value: attributes[attribute].value, bytes)
        func number(_ name: StaticString) -> Double? {
            node.flatMap { member(name, of: $0, bytes) }?.number(in: bytes)
        }
        let cost = CallCost(input: number("input_cost"), output: number("output_cost"), total: number("total_cost"))
        if let cost { outcome.spans.setCost(cost.total, of: index) }
        if let node, cost != nil, number("total_cost") != nil, content.tape.nodes[node].origin == .wire,
            areAllNumbers(node, bytes)
        {
            return
        }
        batch.removeAttribute(attribute)
        guard let cost else { return didRepair("mlflow.llm.cost", index, .removed) }
        batch.addAttribute("mlflow.llm.cost", to: .span(index)) { cost.write(to: &$0) }
        didRepair("mlflow.llm.cost", index)
    }

    private func isCount(_ name: StaticString, of node: Int, _ bytes: RawSpan) -> Bool {
        if case .int(let count) = member(name, of: node, bytes) { return count >= 0 }
        return false
    }

    private func areAllCounts(_ node: Int, _ bytes: RawSpan) -> Bool {
        content.tape.values(of: node).allSatisfy {
            if case .int(let count) = content.tape.value($0, bytes) { return count >= 0 }
            return false
        }
    }

    private func areAllNumbers(_ node: Int, _ bytes: RawSpan) -> Bool {
        content.tape.values(of: node).allSatisfy {
            switch content.tape.value($0, bytes) {
            case .int: true
            case .double(let number): number.isFinite
            case .empty, .string, .bool, .bytes, .array, .keyValueList: false
            }
        }
    }

    private func member(_ name: StaticString, of node: Int, _ bytes: RawSpan) -> AttributeValue? {
        guard content.tape.nodes[node].kind == .object else { return nil }
        var key = node + 1
        while key + 1 < content.tape.nodes[node].next {
            if content.tape.equals(key, name, bytes) { return content.tape.value(key + 1, bytes) }
            key = content.tape.nodes[key + 1].next
        }
        return nil
    }
}

extension ContentTape {
    /// The nodes of the members' values, where it is an object.
    func values(of node: Int) -> [Int] {
        guard nodes[node].kind == .object else { return [] }
        var values: [Int] = []
        var key = node + 1
        while key + 1 < nodes[node].next {
            values.append(key + 1)
            key = nodes[key + 1].next
        }
        return values
    }

    /// A leaf as a value; JSON numbers as integers where they are whole.
    func value(_ node: Int, _ bytes: RawSpan) -> AttributeValue {
        let item = nodes[node]
        switch item.kind {
        case .null, .object, .array, .escaped: return .empty
        case .yes: return .bool(true)
        case .no: return .bool(false)
        case .text: return .string(item.range)
        case .scalar: return AttributeValue(item.range, in: bytes)
        case .number:
            let digits = bytes.text(item.range)
            return Int64(digits).map { .int($0) } ?? .double(Double(digits) ?? .nan)
        }
    }
}
