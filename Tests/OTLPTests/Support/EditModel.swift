import Basics
import Foundation
import Oracle

@testable import OTLP

/// Makes random edits on a batch and the same ones on the decoded request.
struct EditModel {
    private struct Change {
        var removed: Set<Int> = []
        var renamed: [Int: String] = [:]
        var added: [KeyValue] = []
    }

    var random: RandomRequests
    private(set) var batch: SpanBatch
    private let request: Request
    private var changes: [Place: Change] = [:]
    private var addedEvents: [Int: [Span.Event]] = [:]
    private var traceStates: [Int: String] = [:]
    private var isTouched = false

    init(_ bytes: [UInt8], seed: UInt64) throws {
        batch = try SpanBatch(bytes)
        request = try Request(wire: bytes)
        random = RandomRequests(seed: seed)
    }

    mutating func edit(times: Int) {
        for _ in 0..<times {
            switch random.random.below(8) {
            case 0: removeSpan()
            case 1, 2: removeAttribute()
            case 3: renameAttribute()
            case 4, 5: addAttribute()
            case 6: addEvent()
            default: setTraceState()
            }
        }
    }

    mutating func assign(_ span: Int, to group: UInt16) { batch.assign(span, to: group) }

    private mutating func removeSpan() {
        guard !batch.spans.isEmpty, random.random.chance(40) else { return }
        batch.remove(random.random.below(batch.spans.count), as: .filtered)
        isTouched = true
    }

    private mutating func removeAttribute() {
        guard !batch.attributes.isEmpty else { return }
        let index = random.random.below(batch.attributes.count)
        let place = batch.attributes[index].place
        guard batch.attributes(of: place).contains(index) else { return }
        batch.removeAttribute(index)
        changes[place, default: Change()].removed.insert(index)
        isTouched = true
    }

    private mutating func renameAttribute() {
        guard !batch.attributes.isEmpty else { return }
        let index = random.random.below(batch.attributes.count)
        let place = batch.attributes[index].place
        guard batch.attributes(of: place).contains(index) else { return }
        let name = random.text()
        batch.renameAttribute(index, to: name)
        changes[place, default: Change()].renamed[index] = name
        isTouched = true
    }

    private mutating func addAttribute() {
        let counts = [batch.resources.count, batch.scopes.count, batch.spans.count, batch.events.count]
        let kind = random.random.below(4)
        guard counts[kind] > 0 else { return }
        let index = random.random.below(counts[kind])
        let place: Place = [.resource(index), .scope(index), .span(index), .event(index)][kind]
        let attribute = KeyValue("added." + random.text(), random.value(depth: 0))
        batch.addAttribute(named: attribute.key, to: place) { $0.write(attribute.value) }
        changes[place, default: Change()].added.append(attribute)
        isTouched = true
    }

    private mutating func addEvent() {
        guard !batch.spans.isEmpty else { return }
        let span = random.random.below(batch.spans.count)
        var event = Span.Event()
        event.name = "gen_ai.choice"
        event.timeUnixNano = random.random.next()
        event.attributes = [KeyValue("index", .intValue(7)), KeyValue("body", random.value(depth: 0))]
        let body = event.attributes[1].value
        batch.addEvent("gen_ai.choice", at: event.timeUnixNano, to: span) {
            $0.add("index") { $0.int(7) }
            $0.add("body") { $0.write(body) }
        }
        addedEvents[span, default: []].append(event)
        isTouched = true
    }

    private mutating func setTraceState() {
        guard !batch.spans.isEmpty else { return }
        let span = random.random.below(batch.spans.count)
        let state = random.random.chance(20) ? "" : "ot=th:8"
        if state.isEmpty, batch.spans[span].traceState.isEmpty, traceStates[span] == nil { return }
        guard traceStates[span] == nil else { return }
        batch.setTraceState(state, of: span)
        traceStates[span] = state
        isTouched = true
    }

    /// The request after the edits; nil where no span is left.
    func expected(group: UInt16 = 0) -> Request? {
        let isWhole = batch.spans.indices.allSatisfy { batch.group(of: $0) == group }
        if !isTouched, isWhole { return batch.spans.isEmpty ? nil : request }
        var result = request
        result.resourceSpans = []
        var (resource, scope, span, event) = (0, 0, 0, 0)
        for var resourceSpans in request.resourceSpans {
            if changes[.resource(resource)] != nil {
                resourceSpans.resource.attributes = apply(resourceSpans.resource.attributes, .resource(resource))
            }
            let scopes = resourceSpans.scopeSpans
            resourceSpans.scopeSpans = []
            for var scopeSpans in scopes {
                if changes[.scope(scope)] != nil {
                    scopeSpans.scope.attributes = apply(scopeSpans.scope.attributes, .scope(scope))
                }
                let spans = scopeSpans.spans
                scopeSpans.spans = []
                for message in spans {
                    let edited = apply(message, span, &event)
                    if batch.removal(of: span) == nil, batch.group(of: span) == group {
                        scopeSpans.spans.append(edited)
                    }
                    span += 1
                }
                if !scopeSpans.spans.isEmpty { resourceSpans.scopeSpans.append(scopeSpans) }
                scope += 1
            }
            if !resourceSpans.scopeSpans.isEmpty { result.resourceSpans.append(resourceSpans) }
            resource += 1
        }
        return result.resourceSpans.isEmpty ? nil : result
    }

    private func apply(_ message: Span, _ index: Int, _ event: inout Int) -> Span {
        var message = message
        message.attributes = apply(message.attributes, .span(index))
        for position in message.events.indices {
            message.events[position].attributes = apply(message.events[position].attributes, .event(event))
            event += 1
        }
        message.events += addedEvents[index] ?? []
        if let state = traceStates[index] { message.traceState = state }
        return message
    }

    private func apply(_ attributes: [KeyValue], _ place: Place) -> [KeyValue] {
        guard let change = changes[place] else { return attributes }
        let kept = zip(batch.attributes(of: place), attributes).compactMap { index, attribute -> KeyValue? in
            guard !change.removed.contains(index) else { return nil }
            var attribute = attribute
            if let name = change.renamed[index] { attribute.key = name }
            return attribute
        }
        return kept + change.added
    }
}

extension ValueBuilder {
    /// Writes what a decoded value says.
    mutating func write(_ value: AnyValue) {
        switch value.value {
        case nil: null()
        case .stringValue(let string): self.string(string)
        case .boolValue(let bool): self.bool(bool)
        case .intValue(let int): self.int(int)
        case .doubleValue(let double): self.double(double)
        case .bytesValue(let bytes): self.bytes(Array(bytes))
        case .arrayValue(let array):
            let container = beginArray()
            for element in array.values { write(element) }
            end(container)
        case .kvlistValue(let list):
            let container = beginKeyValueList()
            for member in list.values {
                key(member.key)
                write(member.value)
            }
            end(container)
        }
    }
}
