import Basics
import Conditions

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
/// A text that is JSON is read token by token; each string in it is decoded and looked at as a text of its own. In any other
/// text escapes are looked through as well, so that `\u0041` hides nothing.
struct TextRedactor: Sendable {
    /// Texts inside texts, at most.
    private static let depthMax = 8
    /// What candidates may cost on top of the budget, as a multiple of it.
    private static let workFactor = 8
    /// What searches of a pattern may cost, as a multiple of the budget.
    private static let searchFactor = 64
    /// The shortest text in which anything can be found without patterns.
    private static let shortest = 6

    let plan: RedactionPlan
    private var pass: BytePass
    /// Bytes scanned of the text.
    private var scanned = 0
    private var searched = 0
    private var isOver = false
    private var buffers: [[UInt8]] = []
    /// What all texts cost so far, in steps of a request.
    private(set) var steps = 0

    init(_ plan: RedactionPlan) {
        self.plan = plan
        pass = BytePass(plan.detectors, stubsMedia: plan.media)
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
        if let key, pass.hits.isEmpty { value(text, range, of: (text, key)) }
        steps += (scanned + pass.work) / 16 + searched / 4 + 1
        if isOver || pass.work > Self.workFactor * plan.budget {
            return [Hit(range: range, label: RedactionLabels.budget)]
        }
        return pass.hits.isEmpty ? [] : pass.hits.merged()
    }

    /// Looks at a text that may be JSON.
    private mutating func look(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) {
        guard plan.insideJSON, depth < Self.depthMax, range.count >= Self.shortest else {
            return scan(text, range, depth)
        }
        var first = range.lowerBound
        while first < range.upperBound, ByteClass.of(text.byte(at: first)).contains(.space) { first += 1 }
        guard first < range.upperBound else { return }
        switch text.byte(at: first) {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""):
            let rest = json(text, range, depth)
            if rest < range.upperBound { scan(text, rest..<range.upperBound, depth) }
        default: scan(text, range, depth)
        }
    }

    /// Reads JSON as far as it is some; returns where what is none begins, which is looked at as any text.
    private mutating func json(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) -> Int {
        let json = text.extracting(range)
        let base = range.lowerBound
        var scanner = JSONScanner(depthMax: 255)
        var key: JSONString?
        var last = 0
        // The value of a hidden key, which is an object or array that is still open.
        var hidden: (start: Int, depth: Int)?
        while !isOver {
            let token: JSONToken
            do throws(JSONSyntaxError) { token = try scanner.next(in: json) } catch {
                // What is cut off inside a hidden value is hidden.
                if let hidden { replace(base + hidden.start..<range.upperBound, isWhole: true) }
                return hidden == nil ? base + last : range.upperBound
            }
            if hidden == nil || token == .end { last = scanner.tokenStart }
            switch token {
            case .end: return range.upperBound
            case .objectEnd, .arrayEnd:
                if let start = hidden, scanner.depth < start.depth {
                    replace(base + start.start..<base + scanner.offset, isWhole: true)
                    hidden = nil
                }
                continue
            default: if hidden != nil { continue }
            }
            let name = key
            key = nil
            let isHidden = name.map { hides(json, $0) } ?? false
            switch token {
            case .key(let string):
                key = string
                self.string(text, string, base, depth, name: nil)
            case .string(let string):
                if isHidden {
                    replace(string.range.moved(by: base), isWhole: false)
                } else {
                    self.string(text, string, base, depth, name: name)
                }
            case .number(let digits):
                if isHidden || holdsCard(text, digits.moved(by: base)) {
                    replace(digits.moved(by: base), isWhole: true, label: isHidden ? nil : .card)
                }
            case .bool: if isHidden { replace(base + scanner.tokenStart..<base + scanner.offset, isWhole: true) }
            case .objectStart, .arrayStart: if isHidden { hidden = (scanner.tokenStart, scanner.depth) }
            case .null, .objectEnd, .arrayEnd, .end: break
            }
            // A value that breaks off is looked at together with its name.
            if case .key = token { last = scanner.tokenStart } else { last = scanner.offset }
        }
        return range.upperBound
    }

    private mutating func replace(_ range: Range<Int>, isWhole: Bool, label: Detector? = nil) {
        guard !range.isEmpty else { return }
        pass.hits.append(
            Hit(range: range, label: label?.number ?? RedactionLabels.key, quotes: isWhole ? 1 : 0)
        )
    }

    private func hides(_ json: RawSpan, _ key: JSONString) -> Bool {
        guard !plan.keys.isEmpty else { return false }
        if key.isPlain { return plan.hides(json, key.range) }
        let name = key.unescaped(in: json)
        return plan.hides(name.span.bytes, 0..<name.count)
    }

    private mutating func holdsCard(_ text: RawSpan, _ digits: Range<Int>) -> Bool {
        guard digits.count >= 13 else { return false }
        let count = pass.hits.count
        pass.scan(text, digits)
        defer { pass.hits.removeLast(pass.hits.count - count) }
        return pass.hits[count...].contains { $0.label == Detector.card.number }
    }

    /// Looks at a string of JSON, decoded.
    private mutating func string(_ text: RawSpan, _ string: JSONString, _ base: Int, _ depth: Int, name: JSONString?) {
        let range = string.range.moved(by: base)
        guard range.count >= Self.shortest || !plan.patterns.isEmpty else { return }
        if string.isPlain { return inner(text, range, name, text, base, depth) }
        decoded(text, range) { redactor, decoded in
            redactor.inner(decoded.span.bytes, 0..<decoded.count, name, text, base, depth)
        }
    }

    private mutating func inner(
        _ value: RawSpan,
        _ range: Range<Int>,
        _ name: JSONString?,
        _ text: RawSpan,
        _ base: Int,
        _ depth: Int
    ) {
        let count = pass.hits.count
        look(value, range, depth + 1)
        if let name, pass.hits.count == count {
            if name.isPlain {
                self.value(value, range, of: (text, name.range.moved(by: base)))
            } else {
                let letters = name.unescaped(in: text.extracting(base..<text.byteCount))
                self.value(value, range, of: (letters.span.bytes, 0..<letters.count))
            }
        }
        for index in count..<pass.hits.count where pass.hits[index].quotes > 0 { pass.hits[index].quotes += 1 }
    }

    /// Looks at a text that is the value of a name.
    private mutating func value(_ value: RawSpan, _ range: Range<Int>, of name: (text: RawSpan, range: Range<Int>)) {
        guard range.count >= BytePass.secretMin else { return }
        let isAuthorization = SecretNames.isAuthorization(name.text, name.range)
        guard isAuthorization || SecretNames.contain(name.text, name.range) else { return }
        pass.keyed(value, range, isAuthorization)
    }

    /// Looks at a text that is no JSON, and through its escapes.
    private mutating func scan(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) {
        guard !isOver else { return }
        let count = pass.hits.count
        pass.scan(text, range)
        scanned += range.count - pass.skipped
        isOver = scanned > plan.budget || pass.work > Self.workFactor * plan.budget
        let hasBackslash = pass.hasBackslash
        for (index, pattern) in plan.patterns.enumerated() where !isOver {
            search(text, range, pattern.expression, RedactionLabels.firstPattern + index)
        }
        guard hasBackslash, depth < Self.depthMax, !isOver else { return }
        let before = pass.hits.count
        var isSame = false
        decoded(text, range) { redactor, decoded in
            // What stands for itself is no escape: nothing new is there.
            isSame = decoded.count == range.count
            if !isSame { redactor.scan(decoded.span.bytes, 0..<decoded.count, depth + 1) }
        }
        // Everything found before was found again, without the letters of escapes beside it.
        if !isSame { pass.hits.removeSubrange(count..<before) }
    }

    /// Does something with what the bytes of `range` stand for; the hits in that become hits of the bytes.
    private mutating func decoded(
        _ text: RawSpan,
        _ range: Range<Int>,
        _ body: (inout TextRedactor, [UInt8]) -> Void
    ) {
        var buffer = buffers.popLast() ?? []
        Escapes.decode(text, range, into: &buffer)
        let first = pass.hits.count
        body(&self, buffer)
        Escapes.moveBack(&pass.hits[first...], to: text, range)
        buffer.removeAll(keepingCapacity: true)
        buffers.append(buffer)
    }

    /// Finds every match of a pattern.
    private mutating func search(_ text: RawSpan, _ range: Range<Int>, _ expression: RegularExpression, _ label: Int) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            // A search may read to the end of the text, wherever its match ends.
            searched += range.upperBound - offset
            guard searched <= Self.searchFactor * plan.budget else {
                isOver = true
                return
            }
            guard let match = expression.firstMatch(in: text, range, from: offset) else { return }
            if !match.isEmpty { pass.hits.append(Hit(range: match, label: label)) }
            offset = max(match.upperBound, offset + (match.isEmpty ? 1 : 0))
            if match.isEmpty { offset = max(offset, match.lowerBound + 1) }
        }
    }
}

extension Range<Int> {
    fileprivate func moved(by distance: Int) -> Range<Int> { lowerBound + distance..<upperBound + distance }
}
