import Basics

extension TextRedactor {
    /// Reads one value of JSON as far as it is some; returns where what is none begins, which is looked at as any text, and
    /// whether the value before that is complete.
    mutating func json(_ text: RawSpan, _ range: Range<Int>, _ depth: Int) -> (end: Int, isComplete: Bool) {
        let json = text.extracting(range)
        let base = range.lowerBound
        let count = pass.hits.count
        var scanner = JSONScanner(depthMax: 255)
        var key: JSONString?
        var telling = TellingNames()
        var last = 0
        // The value of a hidden key, which is an object or array that is still open.
        var hidden: (start: Int, depth: Int)?
        while !isOver {
            let token: JSONToken
            do throws(JSONSyntaxError) { token = try scanner.next(in: json) } catch {
                secretsNearIDs(text, range, count)
                return (base + last, scanner.depth == 0 && last > 0)
            }
            let named = key
            key = nil
            switch token {
            case .end:
                secretsNearIDs(text, range, count)
                return (range.upperBound, true)
            case .objectEnd, .arrayEnd:
                if let open = hidden, scanner.depth < open.depth {
                    replace(base + open.start..<base + scanner.offset, isWhole: true)
                    hidden = nil
                }
                telling.close(at: scanner.depth)
            case _ where hidden != nil: continue
            case .key(let string):
                key = string
                self.string(text, string, base, depth, name: nil)
            case _ where named.map { hides(json, $0) } ?? false:
                switch token {
                case .string(let string):
                    replace(string.range.moved(by: base), isWhole: false, escapes: string.isPlain ? 0 : 1)
                case .objectStart, .arrayStart: hidden = (scanner.tokenStart, scanner.depth)
                case .null: break
                default: replace(base + scanner.tokenStart..<base + scanner.offset, isWhole: true)
                }
            case .string(let string):
                self.string(text, string, base, depth, name: telling.name(of: named, at: scanner.depth, json))
                if let named, TellingNames.isName(named, json), kind(of: string, in: json) != nil {
                    telling.value = (string, scanner.depth)
                }
            case .number(let digits):
                if let label = number(text, digits.moved(by: base), named, base) {
                    replace(digits.moved(by: base), isWhole: true, label: label)
                }
            case .arrayStart:
                if let named, kind(of: named, in: json) != nil { telling.lists.append((named, scanner.depth)) }
            case .objectStart:
                if let named, kind(of: named, in: json) != nil { telling.value = (named, scanner.depth) }
            case .bool, .null: break
            }
            // A value that breaks off is looked at together with its name.
            if hidden == nil { last = key == nil ? scanner.offset : scanner.tokenStart }
        }
        return (range.upperBound, true)
    }

    /// Takes out a text or, with the quotes that are to come, any other value.
    mutating func replace(_ range: Range<Int>, isWhole: Bool, label: Int = RedactionLabels.key, escapes: Int = 0) {
        guard !range.isEmpty else { return }
        pass.hits.append(Hit(range: range, label: label, quotes: isWhole ? 1 : 0, escapes: escapes))
    }

    private func hides(_ json: RawSpan, _ key: JSONString) -> Bool {
        guard !plan.keys.isEmpty else { return false }
        if key.isPlain { return plan.hides(json, key.range) }
        let name = key.unescaped(in: json)
        return plan.hides(name.span.bytes, 0..<name.count)
    }

    private func kind(of key: JSONString, in json: RawSpan) -> SecretNames.Kind? {
        if key.isPlain { return SecretNames.kind(json, key.range) }
        let name = key.unescaped(in: json)
        return SecretNames.kind(name.span.bytes, 0..<name.count)
    }

    /// What a number is, by a pattern, by itself or by its name; nil for any other.
    private mutating func number(_ text: RawSpan, _ digits: Range<Int>, _ name: JSONString?, _ base: Int) -> Int? {
        let count = pass.hits.count
        defer { pass.hits.removeLast(pass.hits.count - count) }
        search(text, digits)
        if pass.hits.count > count { return pass.hits[count].label }
        if digits.count >= 14 {
            pass.scan(text, digits)
            return pass.hits.count > count && pass.hits[count].label == Detector.card.number
                ? Detector.card.number : nil
        }
        if let name, name.isPlain { pass.keyedNumber(text, digits, of: (text, name.range.moved(by: base))) }
        return pass.hits.count > count ? pass.hits[count].label : nil
    }

    /// The secret of an id of AWS stands in another text of the same JSON.
    private mutating func secretsNearIDs(_ text: RawSpan, _ range: Range<Int>, _ count: Int) {
        for index in count..<pass.hits.count where pass.hits[index].label == Detector.awsKeyID.number {
            (pass.start, pass.end) = (range.lowerBound, range.upperBound)
            pass.awsSecrets(text, around: pass.hits[index].range)
        }
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
        if let name {
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
    mutating func value(_ value: RawSpan, _ range: Range<Int>, of name: (text: RawSpan, range: Range<Int>)) {
        guard range.count >= BytePass.secretMin else { return }
        if let kind = SecretNames.kind(name.text, name.range) {
            pass.keyed(value, range, kind)
        } else if value.byte(at: range.lowerBound).isDigit {
            pass.keyedNumber(value, range, of: name)
        }
    }
}

/// Names that say of values of JSON what these are and do not stand right before them.
private struct TellingNames {
    /// Those of lists, which their elements stand under: headers of HTTP are such.
    var lists: [(name: JSONString, depth: Int)] = []
    /// What `value` is in the object of that depth: `{"name": "X-Api-Key", "value": "…"}`, `{"secret": {"value": "…"}}`.
    var value: (name: JSONString, depth: Int)?

    /// The name that a value stands under whose own name is `own`.
    func name(of own: JSONString?, at depth: Int, _ json: RawSpan) -> JSONString? {
        guard let own else { return lists.last.flatMap { $0.depth == depth ? $0.name : nil } }
        return value?.depth == depth && own.isPlain && json.equals("value", own.range) ? value?.name : own
    }

    /// Whether the value of `key` is the name of the one that is called `value`.
    static func isName(_ key: JSONString, _ json: RawSpan) -> Bool {
        key.isPlain && (json.equals("name", key.range) || json.equals("key", key.range))
    }

    mutating func close(at depth: Int) {
        if let list = lists.last, depth < list.depth { lists.removeLast() }
        if let open = value, depth < open.depth { value = nil }
    }
}

extension Range<Int> {
    fileprivate func moved(by distance: Int) -> Range<Int> { lowerBound + distance..<upperBound + distance }
}
