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
            /// A part of `endings`.
            case endings(key: Int, types: NumberList)
            case present(keys: NumberList, type: Int)
        }
        let form: Form
    }

    struct Ending: Sendable {
        let letters: [UInt8]
        let type: Int
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
            /// Pairs of a word and a key.
            case object(NumberList)
            /// A part of `events`.
            case events(NumberList)
        }
        let origin: Origin
        /// A word.
        let path: Int?
        let isJSON: Bool
        let isQuoted: Bool
        let shape: ContentSource.Shape
        let portion: ContentSource.Portion
        let isJoined: Bool
        /// Keys.
        let parameters: NumberList
        /// A key.
        let whole: Int?
        let mediaType: Int?
        let instructions: Int?
        /// Keys.
        let finishReasons: NumberList
        /// A part of `wrappers`.
        let wrappers: NumberList
    }

    struct Wrapper: Sendable {
        let member: [UInt8]
        let isOnlyElement: Bool
        let empty: [[UInt8]]
        let required: [[UInt8]]
        let optional: [[UInt8]]
        let exceptTools: Bool
    }

    struct EventRule: Sendable {
        let event: Int
        let role: ChatRole?
        /// A word.
        let attribute: Int?
        /// A word.
        let instructions: Int?
    }

    /// Lists are of keys, or of words where there is a key of an object that has them as members.
    struct Usage: Sendable {
        let countsIn: Int?
        let costIn: Int?
        let input: NumberList
        let output: NumberList
        let total: NumberList
        let cacheRead: NumberList
        let cacheCreation: NumberList
        let reasoning: NumberList
        let inputCost: NumberList
        let outputCost: NumberList
        let totalCost: NumberList
        let inputExcludesCache: Bool
        let isForAnySpan: Bool

        /// Whether it has anything to do with cost.
        @inline(__always) var hasCost: Bool {
            !(inputCost.range.isEmpty && outputCost.range.isEmpty && totalCost.range.isEmpty)
        }
    }

    /// Lists are of keys.
    struct Model: Sendable {
        let model: NumberList
        /// Pairs of a key and a word.
        let modelIn: NumberList
        let provider: NumberList
        /// Pairs of a key and a word.
        let providerIn: NumberList
        let cutsProvider: Bool
    }

    struct Text: Sendable {
        let key: Int
        /// A word.
        let path: Int?
        let rootOnly: Bool
        let typedOnly: Bool
    }

    struct Level: Sendable {
        let key: Int
        let values: [(text: [UInt8], level: Int64)]
    }

    struct Prompt: Sendable {
        let name: Int
        let version: Int
    }

    struct Tag: Sendable {
        /// The attribute's key or, of a prefix, -1.
        let key: Int
        let prefix: [UInt8]
        /// What behind the prefix is no tag.
        let except: [[UInt8]]
        let isList: Bool
        let tag: [UInt8]
    }

    struct Failure: Sendable {
        let key: Int
        let values: [[UInt8]]
        /// A key.
        let message: Int?
    }

    struct Rename: Sendable {
        let key: Int
        let to: String
    }
}

extension MappingRules.Source {
    /// Whether the attribute is given as it is, without a look at what it says.
    @inline(__always) var isWhole: Bool { shape == .value && path == nil && !isJSON && wrappers.range.isEmpty }
}
