import Basics
import Conditions
import MLflow
import OTLP
import Pipeline

/// A value that a pipeline file can write.
enum AttributeLiteral: Sendable, Equatable {
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
}

/// One action, ready to be made.
struct AttributeChange: Sendable {
    /// Where a value comes from.
    enum Source: Sendable {
        case literal(AttributeLiteral)
        /// An attribute of the same owner.
        case own(KeyPattern)
        /// An attribute of the resource, as it came, by its position among those that actions copy.
        case resource(Int)
    }

    /// What is done to the attributes that `target` names.
    enum Step: Sendable {
        case put(Source, whereMissing: Bool, wherePresent: Bool)
        case delete
        case rename(to: KeyPattern)
        case hash(key: [UInt8])
    }

    let step: Step
    let target: KeyPattern
    /// For people.
    let name: String
    /// The attribute that a value comes from, for people; nil for a literal.
    let from: String?

    /// - Parameters:
    ///   - action: As the pipeline file has it.
    ///   - number: Its position, from 1.
    ///   - hashKey: For the action `hash`.
    ///   - resourceKeys: Gets the attribute of the resource that is copied.
    init(_ action: AttributeAction, number: Int, hashKey: String, _ resourceKeys: inout [String]) {
        target = KeyPattern(action.key, isGlob: true)
        name = "action \(number), \(action.verb.rawValue)"
        from = action.from
        let source = Source(action, &resourceKeys)
        step =
            switch action.verb {
            case .insert: .put(source, whereMissing: true, wherePresent: false)
            case .update: .put(source, whereMissing: false, wherePresent: true)
            case .upsert: .put(source, whereMissing: true, wherePresent: true)
            case .delete: .delete
            case .rename: .rename(to: KeyPattern(action.to ?? action.key))
            case .hash: .hash(key: Array(hashKey.utf8))
            }
    }
}

extension AttributeChange.Source {
    fileprivate init(_ action: AttributeAction, _ resourceKeys: inout [String]) {
        let (from, prefix) = (action.from ?? "", "resource.")
        if let value = action.value {
            self = .literal(value)
        } else if from.hasPrefix(prefix) {
            self = .resource(resourceKeys.count)
            resourceKeys.append(String(from.dropFirst(prefix.count)))
        } else {
            self = .own(KeyPattern(from))
        }
    }
}

/// A key as the pipeline file has it.
struct KeyPattern: Sendable {
    let text: String
    private let letters: [UInt8]
    private let glob: Glob?

    /// - Parameters:
    ///   - text: The key.
    ///   - isGlob: Whether wildcards in it stand for more than themselves.
    init(_ text: String, isGlob: Bool = false) {
        self.text = text
        letters = Array(text.utf8)
        glob = isGlob && Glob.isPattern(text) ? Glob(text) : nil
    }

    /// Whether it is, or matches, a key of that body.
    func matches(_ key: AttributeEdits.Key, _ body: RawSpan) -> Bool {
        switch key {
        case .body(let range):
            glob.map { $0.matches(body, range) } ?? body.isSame(range, as: letters.span.bytes, 0..<letters.count)
        case .text(let other): glob.map { $0.matches(other) } ?? (other == text)
        }
    }
}

/// The attributes of one span, event, data point, scope or resource while changes are made to them, each after the one before.
struct AttributeEdits {
    /// A key that came with the body, or one of the pipeline file.
    enum Key {
        case body(Range<Int>)
        case text(String)
    }

    /// A value: an `AnyValue` message of the body, or one of the pipeline file.
    private enum Value {
        case body(Range<Int>)
        case literal(AttributeLiteral)

        /// Bytes that it takes, about.
        var size: Int {
            switch self {
            case .body(let range): range.count
            case .literal(.text(let text)): text.utf8.count
            case .literal: 8
            }
        }

        func write(to builder: inout ValueBuilder, _ body: [UInt8]) {
            switch self {
            case .body(let range): builder.raw(ofBody: body.span.bytes, range)
            case .literal(.text(let text)): builder.string(text)
            case .literal(.int(let value)): builder.int(value)
            case .literal(.double(let value)): builder.double(value)
            case .literal(.bool(let value)): builder.bool(value)
            }
        }
    }

    private struct Entry {
        var key: Key
        var value: Value
        /// The attribute whose value it has, by its position among those that were there; nil for a new one.
        var origin: Int?

        /// Nil for an attribute that is as it came.
        func newKey(_ body: [UInt8]) -> String? {
            switch key {
            case .text(let text): text
            case .body(let range): origin == nil ? body.span.bytes.text(range) : nil
            }
        }
    }

    /// How many attributes were there.
    private let count: Int
    private var entries: [Entry]
    /// What they are of; nil for a data point.
    private var place: Place?
    /// The work done: one step for each attribute looked at, and one for 16 bytes hashed.
    private(set) var steps = 0
    /// What was done, where it is noted.
    private(set) var decisions: [AttributeDecision]?

    init(_ place: Place, of batch: borrowing SpanBatch, isNoting: Bool) {
        let attributes = batch.attributes(of: place)
        self.place = place
        count = attributes.count
        entries = []
        entries.reserveCapacity(attributes.count + 4)
        for (position, index) in attributes.enumerated() {
            let entry = batch.attributes[index]
            entries.append(Entry(key: .body(entry.key), value: .body(entry.value), origin: position))
        }
        decisions = isNoting ? [] : nil
    }

    init(_ point: DataPoint, isNoting: Bool) {
        count = point.attributes.count
        entries = point.attributes.enumerated().map { position, attribute in
            Entry(key: .body(attribute.key), value: .body(attribute.value), origin: position)
        }
        decisions = isNoting ? [] : nil
    }

    /// Makes one change; `resource` is the attributes of the resource that changes copy.
    mutating func make(_ change: AttributeChange, _ resource: [Int?], in batch: borrowing SpanBatch) {
        let body = batch.bytes.span.bytes
        let target = change.target
        steps += entries.count + 1
        let found = entries.indices.filter { target.matches(entries[$0].key, body) }
        switch change.step {
        case .put(let source, let whereMissing, let wherePresent):
            guard found.isEmpty ? whereMissing : wherePresent,
                let value = value(of: source, resource, batch)
            else { return }
            entries.removeAll { target.matches($0.key, body) }
            entries.append(Entry(key: .text(target.text), value: value))
            note(.set, .text(target.text), change, batch, from: change.from)
        case .delete:
            for index in found { note(.removed, entries[index].key, change, batch) }
            entries.removeAll { target.matches($0.key, body) }
        case .rename(let key):
            guard let last = found.last else { return }
            var renamed = entries[last]
            renamed.key = .text(key.text)
            entries.removeAll { target.matches($0.key, body) || key.matches($0.key, body) }
            entries.append(renamed)
            note(.renamed, renamed.key, change, batch, from: target.text)
        case .hash(let secret):
            for index in found {
                note(.set, entries[index].key, change, batch)
                steps += entries[index].value.size / 16
                entries[index].origin = nil
                // What cannot be hashed does not stay either.
                let code = Self.code(of: entries[index].value, body, secret) ?? ""
                entries[index].value = .literal(.text(code))
            }
        }
    }

    private func value(
        of source: AttributeChange.Source,
        _ resource: [Int?],
        _ batch: borrowing SpanBatch
    ) -> Value? {
        let body = batch.bytes.span.bytes
        switch source {
        case .literal(let literal): return .literal(literal)
        case .own(let key): return entries.last { key.matches($0.key, body) }?.value
        case .resource(let key): return resource[key].map { .body(batch.attributes[$0].value) }
        }
    }

    /// The hash of a value; of a list or an object as it stands in the body.
    private static func code(of value: Value, _ body: RawSpan, _ key: [UInt8]) -> String? {
        let text: String
        switch value {
        case .literal(let literal): text = literal.description
        case .body(let range):
            switch AttributeValue(range, in: body) {
            case .string(let range), .bytes(let range), .array(let range), .keyValueList(let range):
                return HMAC.sha256(body, range, key: key)
            case .int(let value): text = "\(value)"
            case .double(let value): text = "\(value)"
            case .bool(let value): text = "\(value)"
            case .empty: text = ""
            }
        }
        let letters = Array(text.utf8)
        return HMAC.sha256(letters.span.bytes, 0..<letters.count, key: key)
    }

    /// Marks in the batch what is not as it came at `place`, where the attributes are from.
    ///
    /// - Parameters:
    ///   - batch: The batch that the attributes are of.
    ///   - place: What they are of.
    ///   - bytesMax: Bytes that may be added to the batch in all.
    /// - Returns: Whether all of it fit; what does not fit is not set, or keeps its old key.
    func write(to batch: inout SpanBatch, at place: Place, bytesMax: Int) -> Bool {
        let (body, first) = (batch.bytes, batch.attributes(of: place).lowerBound)
        var isWhole = true
        forEachOutcome(body) { outcome in
            guard outcome.fits(besides: batch.addedBytes, bytesMax) else { return isWhole = false }
            switch outcome {
            case .rename(let attribute, let key): batch.renameAttribute(first + attribute, to: key)
            case .add(let key, let value): batch.addAttribute(named: key, to: place) { value.write(to: &$0, body) }
            case .remove(let attribute): batch.removeAttribute(first + attribute)
            }
        }
        return isWhole
    }

    /// The same for a data point of that body, of whose batch `added` bytes were added before.
    func edit(_ body: [UInt8], added: Int, bytesMax: Int) -> (edit: DataPointEdit, isWhole: Bool) {
        var (edit, added, isWhole) = (DataPointEdit(), added, true)
        forEachOutcome(body) { outcome in
            guard outcome.fits(besides: added, bytesMax) else { return isWhole = false }
            added += outcome.size
            switch outcome {
            case .rename(let attribute, let key): edit.renamed.append((attribute, key))
            case .add(let key, let value): edit.added.append(.init(key) { value.write(to: &$0, body) })
            case .remove(let attribute): edit.removed.append(attribute)
            }
        }
        return (edit, isWhole)
    }

    /// What became of an attribute that is not as it came; its position is that among those that were there.
    private enum Outcome {
        case rename(Int, to: String)
        case add(String, Value)
        case remove(Int)

        /// Bytes that it adds, about.
        var size: Int {
            switch self {
            case .rename(_, let key): key.utf8.count + 16
            case .add(let key, let value): key.utf8.count + value.size + 16
            case .remove: 0
            }
        }

        func fits(besides added: Int, _ bytesMax: Int) -> Bool { size == 0 || added + size <= bytesMax }
    }

    private func forEachOutcome(_ body: [UInt8], _ take: (Outcome) -> Void) {
        var isKept = [Bool](repeating: false, count: count)
        for entry in entries {
            if let origin = entry.origin { isKept[origin] = true }
            guard let key = entry.newKey(body) else { continue }
            take(entry.origin.map { .rename($0, to: key) } ?? .add(key, entry.value))
        }
        for attribute in isKept.indices where !isKept[attribute] { take(.remove(attribute)) }
    }

    private mutating func note(
        _ action: AttributeDecision.Action,
        _ key: Key,
        _ change: AttributeChange,
        _ batch: borrowing SpanBatch,
        from source: String? = nil
    ) {
        guard decisions != nil else { return }
        let name =
            switch key {
            case .body(let range): batch.text(range)
            case .text(let text): text
            }
        let target =
            switch place {
            case .span: name
            case .event(let event): "\(name) of event \(batch.text(batch.events[event].name))"
            case .scope: "scope.\(name)"
            case .resource: "resource.\(name)"
            case nil: "\(name) of a data point"
            }
        let sources = source.map { [$0] } ?? []
        decisions?.append(
            AttributeDecision(span: 0, action: action, target: target, rule: change.name, sources: sources)
        )
    }
}

extension AttributeLiteral: CustomStringConvertible {
    /// As it is hashed.
    var description: String {
        switch self {
        case .text(let text): text
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .bool(let value): "\(value)"
        }
    }
}
