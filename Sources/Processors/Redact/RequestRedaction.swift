import Basics
import OTLP

/// What was found in one text of a request, for people who ask.
struct RedactionFinding: Sendable {
    let site: TextSite
    /// The name that the text stands under, without what was found in it; empty without one.
    let key: String
    /// Index into `RedactionLabels.names`.
    let label: Int
}

/// One request while what is found in its texts is replaced.
struct RequestRedaction {
    /// By label and place.
    private(set) var counts: [Int]
    private(set) var edits = TextEdits()
    private(set) var findings: [RedactionFinding]?
    /// Bytes that the request may still grow by.
    private var growthLeft: Int
    /// The key that was met last, and what is known of it.
    private var key = (range: 0..<0, facts: KnownTexts.Facts())
    /// The attribute in which nothing was found so far; empty for none.
    private var clean = 0..<0

    /// - Parameters:
    ///   - plan: What is looked for.
    ///   - growthMax: Bytes that the request may grow by.
    ///   - isNoting: Whether `findings` are wanted.
    init(_ plan: RedactionPlan, growthMax: Int, isNoting: Bool) {
        growthLeft = growthMax
        findings = isNoting ? [] : nil
        counts = Array(repeating: 0, count: plan.labels.names.count * TextPlace.allCases.count)
    }

    /// Whether the request would grow by more than it may.
    var isOverGrowth: Bool { growthLeft < 0 }

    /// Looks at every text of a request until it is found to cost or to grow too much.
    ///
    /// - Parameters:
    ///   - batch: The request.
    ///   - redactor: What looks at each text.
    ///   - stepsEnd: What `redactor.steps` may become.
    /// - Throws: Where the bytes cannot be read, although they were indexed.
    mutating func run(_ batch: Envelope, _ redactor: inout TextRedactor, stepsEnd: Int) throws(WireError) {
        let body = batch.bytes.span.bytes
        var walk = TextWalk(batch.signal, body)
        redactor.stepsEnd = stepsEnd
        while growthLeft >= 0, redactor.steps <= stepsEnd, let item = try walk.next(in: body, passing: redactor.known) {
            if !clean.isEmpty, !item.member.isEmpty || item.text.lowerBound >= clean.upperBound {
                redactor.known.keep(.isSettledMember, of: body, clean)
                clean = 0..<0
            }
            // Numbers differ from span to span.
            if item.value.count > 4 { clean = item.member }
            if item.site.key != key.range {
                let isNamed = !item.site.key.isEmpty || !item.value.isEmpty
                key = (item.site.key, isNamed ? redactor.facts(ofKey: body, item.site.key) : .none)
            }
            if item.bringsKey, !key.facts.contains(.isSettled) {
                search(item.site.key, item.site, isKey: true, body, &redactor)
            }
            if !item.value.isEmpty, key.facts.contains(.isHidden), hide(item, body, &redactor) {
                walk.skip(item.value)
            } else if !item.text.isEmpty {
                look(at: item, body, &redactor)
            }
        }
    }

    /// Replaces what is found in a text, unless that is known to be nothing.
    @inline(__always)
    private mutating func look(at item: TextItem, _ body: RawSpan, _ redactor: inout TextRedactor) {
        let isKept = item.member.isEmpty && !key.facts.contains(.isTelling)
        if isKept, redactor.known.facts(of: body, item.text).contains(.isSettled) { return }
        let isClean = search(item.text, item.site, body, &redactor)
        if isKept, isClean { redactor.known.keep(.isSettled, of: body, item.text) }
    }

    /// Replaces what is found in one text, which may be the key of its site; whether that is nothing.
    @inline(never) @discardableResult
    private mutating func search(
        _ text: Range<Int>,
        _ site: TextSite,
        isKey: Bool = false,
        _ body: RawSpan,
        _ redactor: inout TextRedactor
    ) -> Bool {
        let isTelling = !isKey && key.facts.contains(.isTelling)
        let hits = redactor.hits(in: body, text, under: isTelling ? site.key : nil)
        guard !hits.isEmpty else { return true }
        let written = redactor.written(hits, body, text)
        growthLeft -= max(0, written.count - text.count)
        var site = site
        if isKey { site.key = 0..<0 }
        for hit in hits { note(hit.label, site, body, &redactor) }
        edits.replace(text, with: written)
        clean = 0..<0
        return false
    }

    /// Replaces a value whose name says that it goes whole; false where there is none.
    @inline(never)
    private mutating func hide(_ item: TextItem, _ body: RawSpan, _ redactor: inout TextRedactor) -> Bool {
        guard let content = AttributeValue(item.value, in: body).text(item.value, in: body) else { return false }
        let plan = redactor.plan
        let written = plan.stand.text(for: plan.labels.names[RedactionLabels.key], value: content)
        growthLeft -= max(0, written.count - item.value.count)
        note(RedactionLabels.key, item.site, body, &redactor)
        edits.replace(value: item.value, with: written)
        clean = 0..<0
        return true
    }

    private mutating func note(_ label: Int, _ site: TextSite, _ body: RawSpan, _ redactor: inout TextRedactor) {
        counts[label * TextPlace.allCases.count + (TextPlace.allCases.firstIndex(of: site.place) ?? 0)] += 1
        guard findings != nil else { return }
        var name = ""
        if !site.key.isEmpty {
            let hits = redactor.hits(in: body, site.key)
            name = String(decoding: redactor.written(hits, body, site.key), as: UTF8.self)
        }
        findings?.append(RedactionFinding(site: site, key: name, label: label))
    }
}

extension AttributeValue {
    /// What is compared with other values, as JSON has it; of lists and bytes what stands in `range`; nil for no value.
    fileprivate func text(_ range: Range<Int>, in body: RawSpan) -> [UInt8]? {
        var bytes: [UInt8] = []
        switch self {
        case .empty: return nil
        case .string(let text): bytes.append(body, text)
        case .int(let number): bytes = Array(String(number).utf8)
        case .bool(let flag): bytes = Array(String(flag).utf8)
        case .double(let number): bytes = Array(String(number).utf8)
        case .bytes, .array, .keyValueList: bytes.append(body, range)
        }
        return bytes
    }
}
