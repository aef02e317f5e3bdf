import Basics
import Conditions
import OTLP

/// What is looked for, made once for each processor.
struct RedactionPlan: Sendable {
    let detectors: Set<Detector>
    let keys: [Glob]
    let patterns: [(name: String, expression: RegularExpression)]
    let insideJSON: Bool
    let media: Bool
    /// Bytes that are scanned of one value, at most.
    let budget: Int
    let stand: Replacement
    let labels: RedactionLabels

    /// Whether a name is one of `keys`.
    func hides(_ text: RawSpan, _ key: Range<Int>) -> Bool { keys.contains { $0.matches(text, key) } }
}

/// Finds what is not to stay in one text after the other, inside JSON in JSON too.
///
/// A text that is JSON is read token by token, several behind one another too; each string in it is decoded and looked at as a
/// text of its own. In any other text escapes are looked through as well, so that `\u0041` hides nothing.
struct TextRedactor: Sendable {
    /// Texts inside texts, at most.
    private static let depthMax = 8
    /// What candidates may cost on top of the budget, as a multiple of it.
    private static let workFactor = 8
    /// What searches for patterns may cost, as a multiple of the budget.
    private static let searchFactor = 64
    /// Bytes that a search reads in one step of a request.
    private static let searchedPerStep = 4
    /// The shortest text in which anything can be found without patterns.
    static let shortest = 6

    let plan: RedactionPlan
    var pass: BytePass
    /// Bytes scanned of the text.
    private var scanned = 0
    private var searched = 0
    private(set) var isOver = false
    private var buffers: [[UInt8]] = []
    /// Names before colons in a text, kept for its memory.
    private var names: [Range<Int>] = []
    /// What is known of short texts and attributes, from request to request.
    var known = KnownTexts()
    /// What all texts cost so far, in steps of a request.
    private(set) var steps = 0
    /// What `steps` may become.
    var stepsEnd = Int.max

    init(_ plan: RedactionPlan) {
        self.plan = plan
        pass = BytePass(plan.detectors, stubsMedia: plan.media)
        pass.workMax = Self.workFactor * plan.budget
    }

    /// The texts of hits that have their own.
    var texts: [[UInt8]] { pass.texts }

    /// Everything found in the bytes of `range`, merged and in order; one hit of the whole where it is over the budget.
    ///
    /// - Parameters:
    ///   - text: What the range is of.
    ///   - range: The text.
    ///   - key: The bytes of the name that the text is the value of; nil without one.
    /// - Returns: Hits that share no byte.
    mutating func hits(in text: RawSpan, _ range: Range<Int>, under key: Range<Int>? = nil) -> [Hit] {
        guard range.count >= Self.shortest || !plan.patterns.isEmpty else { return [] }
        (scanned, searched, isOver, pass.work) = (0, 0, false, 0)
        if !pass.hits.isEmpty { pass.hits.removeAll(keepingCapacity: true) }
        if !pass.texts.isEmpty { pass.texts.removeAll(keepingCapacity: true) }
        look(text, range, 0)
        if let key { value(text, range, of: (text, key)) }
        steps += (scanned + pass.work) / 16 + searched / Self.searchedPerStep + 1
        if isOver || pass.work > pass.workMax {
            return [Hit(range: range, label: RedactionLabels.budget)]
        }
        return pass.hits.isEmpty ? [] : pass.hits.merged()
    }

    /// The bytes of `range` with something else in the place of the hits that were found last.
    func written(_ hits: [Hit], _ body: RawSpan, _ range: Range<Int>) -> [UInt8] {
        var written: [UInt8] = []
        written.reserveCapacity(range.count + 32 * hits.count)
        var offset = range.lowerBound
        for hit in hits where hit.range.upperBound > offset {
            // No character is cut in two, and of hits that share one the first takes it.
            var (first, end) = (max(hit.range.lowerBound, offset), hit.range.upperBound)
            while first > offset, body.byte(at: first) & 0xC0 == 0x80 { first -= 1 }
            while end < range.upperBound, body.byte(at: end) & 0xC0 == 0x80 { end += 1 }
            written.append(body, offset..<first)
            plan.stand.write(hit, of: body, plan.labels, texts, to: &written)
            offset = end
        }
        written.append(body, offset..<range.upperBound)
        return written
    }

    /// Looks at a text that may be JSON.
    mutating func look(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) {
        guard plan.insideJSON, depth < Self.depthMax, range.count >= Self.shortest else {
            return scan(text, range, depth)
        }
        var first = range.lowerBound
        if text.equalsStart("\u{FEFF}", range) { first += 3 }
        first = afterBlanks(text, first..<range.upperBound)
        guard first < range.upperBound else { return }
        if depth == 0, Self.opens(text.byte(at: first)), isClear(ofJSON: text, range) { return }
        switch text.byte(at: first) {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            var goesOn = true
            while goesOn, first < range.upperBound, Self.opens(text.byte(at: first)) {
                (first, goesOn) = json(text, first..<range.upperBound, depth)
                if goesOn { first = afterBlanks(text, first..<range.upperBound) }
            }
        case UInt8(ascii: "\""):
            let count = pass.hits.count
            if json(text, first..<range.upperBound, depth).end == range.upperBound { return }
            // A text in quotes and what follows it belong together: `"password": "…"`.
            pass.hits.removeLast(pass.hits.count - count)
        default: return scan(text, range, depth)
        }
        if first < range.upperBound { scan(text, first..<range.upperBound, depth) }
    }

    /// Whether JSON without escapes holds nothing, as one pass over it as it stands can tell.
    ///
    /// What is in one of its strings stands between quotes, which are no part of anything that is found. In broken JSON what
    /// follows a number or a word is one word with it.
    private mutating func isClear(ofJSON text: RawSpan, _ range: Range<Int>) -> Bool {
        guard plan.patterns.isEmpty, range.count <= plan.budget else { return false }
        names.removeAll(keepingCapacity: true)
        var isClear = pass.isClear(ofJSON: text, range, names: &names) && (plan.keys.isEmpty || !pass.hasMember)
        for name in names where isClear {
            let facts = facts(ofName: text, name)
            // `value` may be that of the name beside it.
            isClear = facts.isDisjoint(with: [.isTelling, .isHidden]) && !text.equals("value", name)
        }
        if isClear {
            scanned += range.count
        } else {
            steps += pass.work / 16 + 1
            pass.work = 0
            pass.hits.removeAll(keepingCapacity: true)
            pass.texts.removeAll(keepingCapacity: true)
        }
        return isClear
    }

    private static func opens(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") }

    private func afterBlanks(_ text: RawSpan, _ range: Range<Int>) -> Int {
        var first = range.lowerBound
        while first < range.upperBound, ByteClass.of(text.byte(at: first)).contains(.space) { first += 1 }
        return first
    }

    /// Looks at a text that is no JSON, and through its escapes.
    private mutating func scan(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) {
        guard !isOver else { return }
        let count = pass.hits.count
        pass.scan(text, range)
        scanned += range.count - pass.skipped
        isOver = scanned > plan.budget || pass.work > pass.workMax
        let (hasBackslash, hasMember) = (pass.hasBackslash, pass.hasMember)
        search(text, range)
        if hasMember, plan.insideJSON, !plan.keys.isEmpty, !isOver { members(text, range) }
        guard hasBackslash, depth < Self.depthMax, !isOver else { return }
        let before = pass.hits.count
        decoded(text, range) { redactor, decoded in
            // What stands for itself is no escape: nothing new is there.
            if decoded.count != range.count { redactor.scan(decoded.span.bytes, 0..<decoded.count, depth + 1) }
        }
        for index in before..<pass.hits.count where pass.hits[index].quotes > 0 { pass.hits[index].quotes += 1 }
        dropFoundAgain(count..<before)
    }

    /// Of hits of a text and those behind them, which were found through escapes, drops the ones that are less right.
    ///
    /// Without escapes the letters of these are in the hits. But where a name stands in the text as it is, its value does, too.
    private mutating func dropFoundAgain(_ first: Range<Int>) {
        guard !first.isEmpty, pass.hits.count > first.upperBound else { return }
        let hits = pass.hits[first]
        let values = hits.filter { $0.label == RedactionLabels.key }.merged()
        let again = pass.hits[first.upperBound...].filter {
            $0.label != RedactionLabels.key || !values.overlap($0.range)
        }
        let others = again.merged()
        let kept = hits.filter { $0.label == RedactionLabels.key || !others.overlap($0.range) }
        pass.hits.replaceSubrange(first.lowerBound..., with: kept + again)
    }

    /// Does something with what the bytes of `range` stand for; the hits in that become hits of the bytes.
    mutating func decoded(
        _ text: RawSpan,
        _ range: Range<Int>,
        _ body: (inout TextRedactor, [UInt8]) -> Void
    ) {
        var buffer = buffers.popLast() ?? []
        Escapes.decode(text, range, into: &buffer)
        let first = pass.hits.count
        body(&self, buffer)
        Escapes.moveBack(&pass.hits[first...], to: text, range)
        for index in first..<pass.hits.count { pass.hits[index].escapes += 1 }
        buffer.removeAll(keepingCapacity: true)
        buffers.append(buffer)
    }

    /// Finds every match of the patterns.
    mutating func search(_ text: RawSpan, _ range: Range<Int>) {
        for (index, pattern) in plan.patterns.enumerated() where !isOver {
            search(text, range, pattern.expression, RedactionLabels.firstPattern + index)
        }
    }

    private mutating func search(_ text: RawSpan, _ range: Range<Int>, _ expression: RegularExpression, _ label: Int) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            // A search may read to the end of the text, wherever its match ends.
            let isPaid =
                searched + range.upperBound - offset <= Self.searchFactor * plan.budget
                && searched / Self.searchedPerStep <= stepsEnd - steps
            guard isPaid else {
                isOver = true
                return
            }
            guard let match = expression.firstMatch(in: text, range, from: offset, cost: &searched) else { return }
            if !match.isEmpty { pass.hits.append(Hit(range: match, label: label)) }
            offset = max(match.upperBound, offset + (match.isEmpty ? 1 : 0))
            if match.isEmpty { offset = max(offset, match.lowerBound + 1) }
        }
    }
}
