import Basics
import OTLP

extension TextRedactor {
    /// What is known of the key in `range`, now that it has been looked at.
    @inline(__always)
    mutating func facts(ofKey text: RawSpan, _ range: Range<Int>) -> KnownTexts.Facts {
        let facts = known.facts(of: text, range)
        return facts.contains(.isKey) ? facts : newFacts(ofKey: text, range)
    }

    @inline(never)
    private mutating func newFacts(ofKey text: RawSpan, _ range: Range<Int>) -> KnownTexts.Facts {
        var facts = facts(ofName: text, range).union(.isKey)
        if hits(in: text, range).isEmpty {
            facts.insert(.isSettled)
            if !facts.contains(.isHidden) { facts.insert(.settlesNumbers) }
        }
        known.keep(facts, of: text, range)
        return facts
    }

    /// What is known of the name in `range`, as far as its values are concerned.
    mutating func facts(ofName text: RawSpan, _ range: Range<Int>) -> KnownTexts.Facts {
        var facts = known.facts(of: text, range)
        guard !facts.contains(.isName) else { return facts }
        facts.insert(.isName)
        if plan.hides(text, range) { facts.insert(.isHidden) }
        if SecretNames.say(text, range) { facts.insert(.isTelling) }
        known.keep(facts, of: text, range)
        return facts
    }
}

extension KnownTexts.Facts {
    /// The two below are known: it was looked at as a name.
    static var isName: KnownTexts.Facts { KnownTexts.Facts(rawValue: 1 << 2) }
    /// A name that says something of its values.
    static var isTelling: KnownTexts.Facts { KnownTexts.Facts(rawValue: 1 << 3) }
    /// A name whose values go whole.
    static var isHidden: KnownTexts.Facts { KnownTexts.Facts(rawValue: 1 << 4) }
    /// It was looked at as a key, which is a name and a text.
    static var isKey: KnownTexts.Facts { KnownTexts.Facts(rawValue: 1 << 5) }
}
