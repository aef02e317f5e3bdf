/// Bytes of a text that are not to stay.
struct Hit: Sendable {
    var range: Range<Int>
    /// What found it: an index into `RedactionLabels.names`.
    var label: Int
    /// 0 for the inside of a text; for a whole value of JSON how deep the JSON is inside texts, from 1: what comes in its place
    /// needs quotes.
    var quotes = 0
    /// Index of the text that comes in its place; -1 for that of the label.
    var text = -1
    /// How often escapes are to be read to come to what was found.
    var escapes = 0

    /// What is smaller names bytes that several found.
    fileprivate var rank: Int { label == RedactionLabels.key ? -1 : label }
}

/// The names of everything that can be found, by number.
struct RedactionLabels: Sendable {
    /// Detectors in their order, then `key`, `media` and `budget`, then the patterns of the pipeline file.
    let names: [String]

    static let key = Detector.allCases.count
    static let media = key + 1
    static let budget = key + 2
    static let firstPattern = key + 3

    /// Names that a pattern cannot have.
    static let taken = Detector.names + ["key", "media", "budget"]

    init(patterns: [String]) { names = Self.taken + patterns }
}

extension [Hit] {
    /// The same bytes in their order, where several share some as one; a hidden name or else what stands first among the
    /// detectors names it.
    func merged() -> [Hit] {
        var merged: [Hit] = []
        for hit in sorted(by: {
            ($0.range.lowerBound, -$0.range.upperBound) < ($1.range.lowerBound, -$1.range.upperBound)
        }) {
            guard let last = merged.last, hit.range.lowerBound < last.range.upperBound else {
                merged.append(hit)
                continue
            }
            var both = hit.rank < last.rank ? hit : last
            let end = Swift.max(last.range.upperBound, hit.range.upperBound)
            both.range = last.range.lowerBound..<end
            // The same value was found in the text and behind its escapes: it stands in the text.
            let isSame = last.label == RedactionLabels.key && hit.label == RedactionLabels.key
            both.quotes = isSame ? Swift.min(last.quotes, hit.quotes) : Swift.max(last.quotes, hit.quotes)
            merged[merged.count - 1] = both
        }
        return merged
    }

    /// Whether one of them has a byte of `range`; they are merged.
    func overlap(_ range: Range<Int>) -> Bool {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].range.upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].range.lowerBound < range.upperBound
    }
}
