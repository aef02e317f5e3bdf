import Basics
import OTLP

/// Groups of MLflow's fields; in each the first rule with a usable value wins.
enum RuleGroup: Int, CaseIterable {
    case type
    /// On model calls.
    case content
    /// On all other spans, where a framework's own input and output say more than the messages.
    case contentElsewhere
    case usage
    case model
    case session
    case user
    case name
}

/// The rules of a group that an attribute or event brings into play: one bit each, the winner lowest.
struct Trigger: Sendable {
    let group: RuleGroup
    var rules: UInt128
}

/// All rules, made ready for one lookup for each attribute that is there.
///
/// Built once at start and shared by all threads. A group holds at most 128 rules.
package struct MappingRules: Sendable {
    static let rulesPerGroupMax = 128

    struct Usage: Sendable {
        let name: String
        let input: [Int]
        let output: [Int]
        let total: [Int]
        let cacheRead: [Int]
        let cacheCreation: [Int]
        let inputCost: [Int]
        let outputCost: [Int]
        let totalCost: [Int]
        let inputExcludesCache: Bool
    }

    struct Model: Sendable {
        let name: String
        let model: [Int]
        let modelIn: [Int]
        let provider: [Int]
    }

    struct Text: Sendable {
        let name: String
        let key: Int
        let rootOnly: Bool
    }

    struct TypeDecision: Sendable {
        enum Form: Sendable {
            case values(key: Int, table: KeyTable, types: [String])
            case present(keys: [Int], type: String)
        }
        let name: String
        let form: Form
    }

    struct Content: Sendable {
        let name: String
        let convention: String
        let inputs: Source?
        let outputs: Source?
        let tools: Source?
    }

    struct Source: Sendable {
        enum Origin: Sendable {
            case attribute(Int)
            case flattened(family: Int, unwrap: [[UInt8]])
            case events([Event])
        }
        let origin: Origin
        let shape: ContentSource.Shape
        let mediaType: Int?
        let instructions: Int?
        let finishReasons: Int?
    }

    struct Event: Sendable {
        let event: Int
        let role: ChatRole?
        let attribute: [UInt8]?
        let instructions: [UInt8]?
    }

    /// Every attribute key of any rule; the first ones are `KnownKey`, in its order.
    let keys: KeyTable
    /// Beginnings of flattened lists, up to and with the dot before the index.
    let families: KeyTable
    /// The different lengths of those beginnings.
    let familyLengths: [Int]
    let eventNames: KeyTable
    let keyTriggers: [[Trigger]]
    let familyTriggers: [[Trigger]]
    let eventTriggers: [[Trigger]]
    /// By key: whether MLflow 3.6.0 takes the attribute as a whole number only.
    let isTokenCount: [Bool]

    let types: [TypeDecision]
    let contents: [Content]
    let contentsElsewhere: [Content]
    let usages: [Usage]
    let models: [Model]
    let sessions: [Text]
    let users: [Text]
    let names: [Text]

    /// The names that the setting `conventions` may hold.
    package static let conventionNames = EmbeddedRules.conventions.map(\.name)

    /// Compiles the rules inside the binary and those of a user, which win over them.
    ///
    /// - Parameters:
    ///   - conventions: The names of those that count; nil for all.
    ///   - user: The user's rules, the first winning.
    /// - Throws: What is wrong in a document or does not fit together.
    package init(conventions: [String]? = nil, user: [RuleDocument] = []) throws(DocumentProblems) {
        var documents = user
        for (name, text) in EmbeddedRules.conventions where conventions?.contains(name) ?? true {
            documents.append(try RuleDocument(decoding: try Self.parse(text)))
        }
        try self.init(documents: documents, precedence: try Precedence(parsing: EmbeddedRules.precedence))
    }

    init(documents: [RuleDocument], precedence: Precedence) throws(DocumentProblems) {
        var compiler = RuleCompiler(precedence: precedence)
        types = try compiler.types(documents)
        contents = try compiler.contents(documents, .content)
        contentsElsewhere = try compiler.contents(documents, .contentElsewhere)
        usages = try compiler.usages(documents)
        models = try compiler.models(documents)
        sessions = try compiler.texts(documents, \.session, .session)
        users = try compiler.texts(documents, \.user, .user)
        names = try compiler.texts(documents, \.name, .name)
        let counts = Set(documents.flatMap(\.tokenCounts).map { compiler.keys.id(of: $0) })
        keys = KeyTable(compiler.keys.names)
        families = KeyTable(compiler.families.names)
        familyLengths = Set(compiler.families.names.map(\.utf8.count)).sorted()
        eventNames = KeyTable(compiler.events.names)
        keyTriggers = compiler.keys.triggers
        familyTriggers = compiler.families.triggers
        eventTriggers = compiler.events.triggers
        isTokenCount = compiler.keys.names.indices.map(counts.contains)
    }

    static func parse(_ text: [UInt8]) throws(DocumentProblems) -> JSONNode {
        do {
            return try JSONNode(parsing: text)
        } catch {
            throw DocumentProblems(list: [DocumentProblem(offset: error.offset, pointer: "", message: error.reason)])
        }
    }
}

/// Which rule wins over which: by group the rules' full names, the winner first.
struct Precedence: Sendable {
    /// By the group's name in the document.
    let order: [String: [String]]

    init(order: [String: [String]]) {
        self.order = order
    }

    init(parsing text: [UInt8]) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(try MappingRules.parse(text))
        var order: [String: [String]] = [:]
        if reader.expectObject(place, of: RuleGroup.allCases.map(\.name)) {
            for (name, _) in place.members ?? [] { order[name] = reader.strings(name, of: place) }
        }
        try reader.finish()
        self.order = order
    }
}

extension RuleGroup {
    /// Its name in the document of precedence.
    var name: String {
        switch self {
        case .type: "type"
        case .content: "content"
        case .contentElsewhere: "content_elsewhere"
        case .usage: "usage"
        case .model: "model"
        case .session: "session"
        case .user: "user"
        case .name: "name"
        }
    }
}
