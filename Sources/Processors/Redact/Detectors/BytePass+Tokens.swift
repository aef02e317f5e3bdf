import Basics

extension BytePass {
    /// Tokens of known shapes whose head ends at `position`.
    mutating func token(_ text: RawSpan, at position: Int) {
        for shape in TokenShape.byMark[Int(text.byte(at: position))] where finds(shape.detector) {
            let first = position &- shape.head.count &+ 1
            guard first >= start, !isOne(text, first &- 1, of: .alphanumeric),
                same(shape.head, text, at: first), same(shape.rest, text, at: position &+ 1)
            else { continue }
            let body = position &+ 1 &+ shape.rest.count
            var stop = run(text, from: body, of: shape.alphabet, max: shape.length.upperBound &+ 1)
            if stop &- body > shape.length.upperBound, isEndOfWord(text, at: stop &- 1) { stop &-= 1 }
            guard shape.length.contains(stop &- body), let last = checked(shape.check, text, body..<stop) else {
                continue
            }
            hits.append(Hit(range: first..<last, label: shape.detector.number))
            if shape.detector == .awsKeyID { awsSecrets(text, around: first..<last) }
            resume = last
            return
        }
    }

    /// Whether a dash or the signs of markdown stand at `offset`, and no word goes on behind them.
    private func isEndOfWord(_ text: RawSpan, at offset: Int) -> Bool {
        var stop = offset
        while stop &- offset < 4, isOne(text, stop, of: [.hyphen, .underscore]) { stop &+= 1 }
        return stop > offset && !isOne(text, stop, of: .word)
    }

    private mutating func same(_ word: [UInt8], _ text: RawSpan, at offset: Int) -> Bool {
        guard offset >= start, offset &+ word.count <= end else { return false }
        for index in word.indices where text.byte(at: offset &+ index) != word[index] {
            work &+= index
            return false
        }
        return true
    }

    /// Where the token ends; nil where the check fails.
    private mutating func checked(_ check: TokenShape.Check?, _ text: RawSpan, _ body: Range<Int>) -> Int? {
        let isPassed: Bool
        switch check {
        case nil: isPassed = true
        case .openAI:
            isPassed = (body.lowerBound...body.upperBound &- 8).contains { has("T3BlbkFJ", text, at: $0) }
        case .anthropic: isPassed = has("AA", text, at: body.upperBound &- 2)
        case .checksum: isPassed = Checksums.isGitHub(text, body)
        case .langSmith:
            isPassed = body.allSatisfy { (text.byte(at: $0) == UInt8(ascii: "_")) == ($0 == body.lowerBound &+ 32) }
        case .mixed: isPassed = body.contains { isOne(text, $0, of: .digit) }
        case .sendGrid:
            guard byte(text, body.upperBound) == UInt8(ascii: ".") else { return nil }
            let last = run(text, from: body.upperBound &+ 1, of: .word, max: 44)
            return last &- body.upperBound == 44 ? last : nil
        case .routable:
            // `.` and two letters of the version, in newer ones `.` again, and seven of a checksum or nine with its length.
            let version = part(text, behind: body.upperBound)
            if version &- body.upperBound == 10 { return version }
            let last = version &- body.upperBound == 3 ? part(text, behind: version) : version
            return last &- version == 10 ? last : nil
        }
        return isPassed ? body.upperBound : nil
    }

    /// Where a full stop at `offset` and the small letters and digits behind it end.
    private mutating func part(_ text: RawSpan, behind offset: Int) -> Int {
        guard byte(text, offset) == UInt8(ascii: ".") else { return offset }
        return run(text, from: offset &+ 1, of: [.lower, .digit], max: 10)
    }

    /// 40 letters of base64 near an id of AWS, in the same text.
    mutating func awsSecrets(_ text: RawSpan, around id: Range<Int>) {
        guard finds(.awsSecret) else { return }
        let reach = 200
        let around = max(start, id.lowerBound &- reach)..<min(end, id.upperBound &+ reach)
        var offset = around.lowerBound
        while offset < around.upperBound {
            let stop = run(text, from: offset, of: .base64, max: reach)
            if isAWSSecret(text, offset..<stop) { add(offset..<stop, .awsSecret) }
            offset = stop &+ 1
        }
    }

    /// Whether the bytes can be a secret key of AWS.
    func isAWSSecret(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        range.count == 40 && range.allSatisfy { isOne(text, $0, of: .base64) }
            && !isOne(text, range.upperBound, of: .base64) && !isOne(text, range.lowerBound &- 1, of: .base64)
            && range.contains { isOne(text, $0, of: .upper) } && range.contains { isOne(text, $0, of: .lower) }
            && range.contains { isOne(text, $0, of: .digit) } && Entropy.bits(text, range) >= 4
    }

    /// The client secret of an Azure application: three letters, a digit, `Q~`, 31 to 34 letters.
    mutating func azureSecret(_ text: RawSpan, at position: Int) {
        let first = position &- 5
        let letters: ByteClass = [.word, .dot, .tilde]
        guard finds(.azure), byte(text, position &- 1) == UInt8(ascii: "Q"), isOne(text, position &- 2, of: .digit),
            first >= start,
            (first..<first + 3).allSatisfy({ isOne(text, $0, of: .alphanumeric.union([.underscore, .tilde])) }),
            !isOne(text, first &- 1, of: .word)
        else { return }
        let stop = run(text, from: position &+ 1, of: letters, max: 40)
        let count = stop &- position &- 1
        // A full stop behind it ends the sentence.
        let last = count == 35 && byte(text, stop &- 1) == UInt8(ascii: ".") ? stop &- 1 : stop
        guard (31...34).contains(last &- position &- 1) else { return }
        add(first..<last, .azure)
        resume = last
    }

    /// The address of an incoming webhook of Slack.
    mutating func slackHook(_ text: RawSpan, at position: Int) {
        guard finds(.slack), byte(text, position &+ 1) == UInt8(ascii: "s"), has("/services/T", text, at: position),
            has("hooks.slack.com", text, at: position &- 15)
        else { return }
        let stop = run(text, from: position &+ 10, of: [.alphanumeric, .base64Signs], max: 100)
        guard stop &- position >= 40 else { return }
        add(position &+ 10..<stop, .slack)
        resume = stop
    }

    /// A JSON Web Token: its header begins `eyJ`, which ends at `position`.
    mutating func webToken(_ text: RawSpan, at position: Int) {
        let first = position &- 2
        guard finds(.jwt), has("ey", text, at: first),
            !isOne(text, first &- 1, of: .alphanumeric) || byte(text, first &- 3) == UInt8(ascii: "%")
        else { return }
        let header = first..<run(text, from: first, of: .word, max: 2048)
        guard byte(text, header.upperBound) == UInt8(ascii: "."), isHeader(text, header) else { return }
        // Nothing else begins inside, however long it is.
        var stop = run(text, from: header.upperBound &+ 1, of: .word, max: .max)
        guard stop &- header.upperBound > 4 || isKeyless(text, stop, behind: header) else { return }
        if byte(text, stop) == UInt8(ascii: ".") {
            stop = run(text, from: stop &+ 1, of: [.word, .dot], max: .max)
            while byte(text, stop &- 1) == UInt8(ascii: ".") { stop &-= 1 }
        }
        add(first..<stop, .jwt)
        resume = stop
    }

    /// Whether the second part, which ends at `stop`, is empty and an initialization vector follows: an encrypted token whose
    /// key both sides have (RFC 7516 section 5.1, `"alg":"dir"`).
    private mutating func isKeyless(_ text: RawSpan, _ stop: Int, behind header: Range<Int>) -> Bool {
        stop == header.upperBound &+ 1 && byte(text, stop) == UInt8(ascii: ".")
            && run(text, from: stop &+ 1, of: .word, max: 16) == stop &+ 17
    }

    /// Whether base64 holds a JSON object with `alg`.
    private mutating func isHeader(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        work &+= 2 * range.count
        guard let bytes = Base64.decode(text, range), let node = try? JSONNode(parsing: bytes) else { return false }
        return node["alg"]?.string != nil
    }

    /// A private key in PEM (RFC 7468), whose first hyphen stands at `position`; without an end it goes on to that of the text.
    mutating func privateKey(_ text: RawSpan, at position: Int) {
        guard finds(.privateKey), has("-----BEGIN ", text, at: position) else { return }
        let label = position &+ 11
        let stop = run(text, from: label, of: [.upper, .digit, .space], max: 40)
        guard has("-----", text, at: stop), stop &- label >= 11,
            has("PRIVATE KEY", text, at: stop &- 11)
                || has("PRIVATE KEY BLOCK", text, at: stop &- 17)
        else { return }
        var offset = stop &+ 5
        var last = end
        while offset < end {
            work &+= 1
            if text.byte(at: offset) == UInt8(ascii: "-"), has("-----END ", text, at: offset) {
                let close = run(text, from: offset &+ 9, of: [.upper, .digit, .space], max: 40)
                if has("-----", text, at: close) {
                    last = close &+ 5
                    break
                }
            }
            offset &+= 1
        }
        add(position..<last, .privateKey)
        resume = last
    }
}
