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
struct RequestRedaction: TextVisitor {
    var redactor: TextRedactor
    /// By label and place.
    private(set) var counts: [Int]
    var findings: [RedactionFinding]?
    /// Bytes that the request may still grow by.
    private var growthLeft: Int
    private let stepsMax: Int

    init(_ redactor: TextRedactor, growthMax: Int, stepsMax: Int) {
        self.redactor = redactor
        self.stepsMax = redactor.steps + stepsMax
        growthLeft = growthMax
        counts = Array(repeating: 0, count: redactor.plan.labels.names.count * TextPlace.allCases.count)
    }

    var isOverSteps: Bool { redactor.steps > stepsMax }
    var isOver: Bool { growthLeft < 0 || isOverSteps }

    mutating func replacement(for range: Range<Int>, of body: RawSpan, at site: TextSite) -> [UInt8]? {
        let hits = redactor.hits(in: body, range, under: site.key)
        guard !hits.isEmpty else { return nil }
        let written = written(hits, body, range)
        growthLeft -= max(0, written.count - range.count)
        for hit in hits { note(hit.label, site, body) }
        return written
    }

    mutating func replacement(forValue range: Range<Int>, of body: RawSpan, at site: TextSite) -> [UInt8]? {
        guard !redactor.plan.keys.isEmpty, let key = site.key, redactor.plan.hides(body, key) else { return nil }
        guard let content = AttributeValue(range, in: body).text(range, in: body) else { return nil }
        let plan = redactor.plan
        let written = plan.stand.text(for: plan.labels.names[RedactionLabels.key], value: content)
        growthLeft -= max(0, written.count - range.count)
        note(RedactionLabels.key, site, body)
        return written
    }

    /// The bytes of `range` with something else in the place of hits.
    private func written(_ hits: [Hit], _ body: RawSpan, _ range: Range<Int>) -> [UInt8] {
        let plan = redactor.plan
        var written: [UInt8] = []
        written.reserveCapacity(range.count + 32 * hits.count)
        var offset = range.lowerBound
        for hit in hits {
            // No character is cut in two.
            var (first, end) = (hit.range.lowerBound, hit.range.upperBound)
            while first > offset, body.byte(at: first) & 0xC0 == 0x80 { first -= 1 }
            while end < range.upperBound, body.byte(at: end) & 0xC0 == 0x80 { end += 1 }
            written.append(body, offset..<first)
            plan.stand.write(hit, of: body, plan.labels, redactor.texts, to: &written)
            offset = end
        }
        written.append(body, offset..<range.upperBound)
        return written
    }

    private mutating func note(_ label: Int, _ site: TextSite, _ body: RawSpan) {
        counts[label * TextPlace.allCases.count + (TextPlace.allCases.firstIndex(of: site.place) ?? 0)] += 1
        guard findings != nil else { return }
        var name = ""
        if let key = site.key {
            let hits = redactor.hits(in: body, key)
            name = String(decoding: written(hits, body, key), as: UTF8.self)
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
