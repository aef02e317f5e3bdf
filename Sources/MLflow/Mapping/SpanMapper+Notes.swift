import Basics
import OTLP

// Tags and linked prompts, which any span may name and which stand on the first root of its trace.

extension SpanMapper {
    /// Notes the tags and prompts that a span names, for its trace's root.
    mutating func noteExtras(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch) {
        // A rule by prefix is there once for each attribute, and asks the same of the span every time.
        var asked: (rank: Int, holds: Bool)?
        for position in 0..<scan.plan.tags.count {
            let tag = scan.plan.tags[position]
            if asked?.rank != tag.rank { asked = (tag.rank, holds(.tags, tag.rank, index, &batch)) }
            guard asked?.holds == true else { continue }
            traces.note(tag, first: scan.first, isPrompt: false, of: span)
        }
        for position in 0..<scan.plan.prompts.count {
            let prompt = scan.plan.prompts[position]
            guard prompt.more != nil, holds(.prompt, prompt.rank, index, &batch) else { continue }
            traces.note(prompt, first: scan.first, isPrompt: true, of: span)
        }
    }

    /// Writes the tags and prompts of every trace to its first root.
    mutating func finishNotes(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !traces.notes.isEmpty else { return }
        let lists = traces.notesByTrace()
        var resources: [Int: Set<String>] = [:]
        for (root, index) in traces.roots {
            guard let notes = lists[index], hasRoom(for: 0, on: root, &batch) else { continue }
            let resource = batch.scopes[spans[root].scope].resource
            let resourceKeys = resources[resource] ?? batch.tagKeys(ofResource: resource)
            if resources[resource] == nil {
                resources[resource] = resourceKeys
                content.tape.account.steps &+= batch.resources[resource].attributes.count
            }
            content.tape.account.steps &+= spans[root].attributes.count
            let tags = TraceTags(resourceKeys: resourceKeys, rootKeys: batch.tagKeys(ofRoot: root))
            setNotes(notes, tags, root, &batch, bytes)
        }
    }

    private mutating func setNotes(
        _ notes: [Int32],
        _ taken: TraceTags,
        _ root: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        var tags = taken
        var prompts = LinkedPrompts()
        for position in notes {
            let note = traces.notes[Int(position)]
            content.tape.account.steps &+= 1
            if !note.isPrompt {
                if !tags.isFull, !setTags(note, &tags, root, &batch, bytes) { return }
            } else if !prompts.isFull, let version = note.more {
                let name = AttributeValue(attributes[note.attribute].value, in: bytes).plainText(in: bytes)
                let text = AttributeValue(attributes[version].value, in: bytes).plainText(in: bytes)
                if let name, let text { prompts.add(name, text) }
            }
        }
        guard !prompts.isEmpty, !tags.isTaken("mlflow.linkedPrompts") else { return }
        let text = prompts.text
        guard hasRoom(for: text.utf8.count, on: root, &batch) else { return }
        batch.addAttribute("mlflow.traceTag.mlflow.linkedPrompts", to: .span(root)) { $0.string(text) }
        didSet("mlflow.traceTag.mlflow.linkedPrompts", root, by: .engine("prompt"), of: 0..<0)
    }

    /// Writes the tags that one attribute is; false where the budget does not suffice.
    private mutating func setTags(
        _ note: TraceFacts.Note,
        _ tags: inout TraceTags,
        _ root: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> Bool {
        let attribute = note.attribute
        content.tape.clear()
        content.tape.account.steps &+= attributes[attribute].value.count >> 4
        guard let node = content.append(value: attributes[attribute].value, bytes) else {
            return hasRoom(for: 0, on: root, &batch)
        }
        let key = note.more.map { attributes[attribute].key.dropFirst($0) }
        let name =
            key.map { bytes.text($0.lowerBound..<$0.upperBound) }
            ?? String(decoding: rules.tags[note.rank].tag, as: UTF8.self)
        let isList = rules.tags[note.rank].isList
        for (tag, value) in tags.tags(name, content.tape, node, isList: isList, bytes) {
            let key = "mlflow.traceTag.\(tag)"
            guard hasRoom(for: key.utf8.count + value.utf8.count, on: root, &batch) else { return false }
            batch.addAttribute(named: key, to: .span(root)) { $0.string(value) }
            didSet(named: key, root, by: .rule(.tags, note.rank), of: attribute)
        }
        return true
    }
}

/// Prompts that spans of one trace name, each once, as MLflow's tag has them.
///
/// MLflow refuses a longer tag, and the whole request with it, so what does not fit is left out.
private struct LinkedPrompts {
    private struct Prompt: Hashable {
        let name: String
        let version: String
    }

    /// Bytes of the tag, at most; MLflow takes as many characters.
    private static let textMax = 4096

    private var known: Set<Prompt> = []
    private var writer = JSONWriter()
    private(set) var isFull = false

    init() { writer.beginArray() }

    var isEmpty: Bool { known.isEmpty }

    /// The tag.
    var text: String {
        var writer = writer
        writer.endArray()
        return writer.text
    }

    mutating func add(_ name: String, _ version: String) {
        guard name.utf8.count + version.utf8.count <= Self.textMax else { return }
        let prompt = Prompt(name: name, version: version)
        guard !known.contains(prompt) else { return }
        var longer = writer
        longer.beginObject()
        longer.key("name")
        longer.string(name)
        longer.key("version")
        longer.string(version)
        longer.endObject()
        isFull = longer.bytes.count >= Self.textMax
        guard !isFull else { return }
        writer = longer
        known.insert(prompt)
    }
}

extension SpanBatch {
    /// Keys of a resource that may be those of tags.
    fileprivate func tagKeys(ofResource resource: Int) -> Set<String> {
        Set(
            resources[resource].attributes.filter { TraceTags.isShort(attributes[$0].key) }.map {
                text(attributes[$0].key)
            }
        )
    }

    /// Keys of the tags that a root has itself.
    fileprivate func tagKeys(ofRoot root: Int) -> Set<String> {
        let prefix: StaticString = "mlflow.traceTag."
        let size = prefix.utf8CodeUnitCount
        var taken: Set<String> = []
        for attribute in spans[root].attributes {
            let key = attributes[attribute].key
            guard key.count >= size, equals(prefix, key.lowerBound..<key.lowerBound + size) else { continue }
            let rest = key.lowerBound + size..<key.upperBound
            if TraceTags.isShort(rest) { taken.insert(text(rest)) }
        }
        return taken
    }
}
