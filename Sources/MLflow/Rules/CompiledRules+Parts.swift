/// A part of one of the flat tables of `MappingRules`.
struct NumberList: Sendable {
    private let start: Int32
    private let end: Int32

    init(_ range: Range<Int>) {
        start = Int32(truncatingIfNeeded: range.lowerBound)
        end = Int32(truncatingIfNeeded: range.upperBound)
    }

    @inline(__always) var range: Range<Int> { Range(uncheckedBounds: (Int(start), Int(end))) }
}

/// The rules as they are read for every span: keys, families, events and words are numbers.
extension MappingRules {
    struct Kind: Sendable {
        enum Form: Sendable {
            /// `types` is the rule's row in `typesByValue`.
            case values(key: Int, types: NumberList)
            case present(keys: NumberList, type: Int)
        }
        let form: Form
    }

    struct Content: Sendable {
        let convention: Int
        let inputs: Source?
        let outputs: Source?
        let tools: Source?
    }

    struct Source: Sendable {
        enum Origin: Sendable {
            case attribute(Int)
            /// `unwrap` lists words.
            case flattened(family: Int, unwrap: NumberList)
            /// A part of `events`.
            case events(NumberList)
        }
        let origin: Origin
        let shape: ContentSource.Shape
        let mediaType: Int?
        let instructions: Int?
        let finishReasons: Int?
    }

    struct EventRule: Sendable {
        let event: Int
        let role: ChatRole?
        /// A word.
        let attribute: Int?
        /// A word.
        let instructions: Int?
    }

    /// All lists are of keys.
    struct Usage: Sendable {
        let input: NumberList
        let output: NumberList
        let total: NumberList
        let cacheRead: NumberList
        let cacheCreation: NumberList
        let inputCost: NumberList
        let outputCost: NumberList
        let totalCost: NumberList
        let inputExcludesCache: Bool
    }

    /// All lists are of keys.
    struct Model: Sendable {
        let model: NumberList
        let modelIn: NumberList
        let provider: NumberList
    }

    struct Text: Sendable {
        let key: Int
        let rootOnly: Bool
    }
}
