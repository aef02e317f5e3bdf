import Basics
import Conditions
import OTLP
package import Settings
import Synchronization

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
    case level
    case prompt
    case tags
    case drop
    case rename
    case failure
    case spanName
    case call

    /// Whether the document of precedence orders the rules of the group; in the others all of them count, or the first.
    var isRanked: Bool { rawValue <= RuleGroup.name.rawValue }
}

/// The rules of a group that an attribute or event brings into play: one bit each, the winner lowest.
struct Trigger: Sendable {
    let group: RuleGroup
    var rules: UInt128
}

/// All rules, made ready for one lookup for each attribute that is there.
///
/// Built once at start and shared by all threads. Everything that is read for a span is a number or lies in one flat table.
/// A group holds at most 128 rules.
package final class MappingRules: Sendable {
    static let rulesPerGroupMax = 128

    /// Every attribute key of any rule; the first ones are `KnownKey`, in its order.
    let keys: KeyTable
    /// Beginnings of flattened lists, up to and with the dot before the index.
    let families: KeyTable
    /// The different lengths of those beginnings.
    let familyLengths: [Int]
    let eventNames: KeyTable
    /// Values that give a type, of all rules.
    let typeValues: KeyTable

    let triggers: [Trigger]
    /// By key, by family and by event: their part of `triggers`.
    let keyTriggers: [NumberList]
    let familyTriggers: [NumberList]
    let eventTriggers: [NumberList]
    /// By group: the rules that nothing brings into play, so that they always are.
    let always: FoundKeys.Candidates
    /// What rules ask of a span.
    let conditions: [Condition]
    /// By condition: the span types of which one is all that it asks for.
    let spanTypes: [[String]?]
    /// By group and rule, `rulesPerGroupMax` places a group: the position of its condition; -1 for none.
    private let guards: [Int16]
    /// By condition: the keys of which one must be there for it to hold; nil where it may hold without any.
    let neededKeys: [[Int]?]
    /// By key: whether the span is nothing but a call of HTTP or RPC.
    let isPlainCall: [Bool]
    /// By key: whether a rule names it as that of a session or user.
    let isIdentity: [Bool]
    /// By key: whether MLflow 3.6.0 takes the attribute as a whole number only.
    let isTokenCount: [Bool]

    /// What every `NumberList` of a rule is a part of.
    let numbers: [Int32]
    /// By rule and value: the type as an index into `typeNames`, -1 for none.
    let typesByValue: [Int32]
    let typeNames: [String]
    /// The same in UTF-8, in one piece.
    let typeLetters: [UInt8]
    let typeRanges: [NumberList]
    /// By type: whether tokens and cost belong on its spans.
    let isModelCall: [Bool]
    /// Words that rules look for: keys of an event's attributes, path segments that say nothing.
    let words: [[UInt8]]
    let events: [EventRule]
    let endings: [Ending]
    let wrappers: [Wrapper]

    let types: [Kind]
    let contents: [Content]
    let contentsElsewhere: [Content]
    let usages: [Usage]
    let models: [Model]
    let sessions: [Text]
    let users: [Text]
    let names: [Text]
    let levels: [Level]
    let prompts: [Prompt]
    let tags: [Tag]
    let renames: [Rename]
    let failures: [Failure]
    let spanNames: [Text]
    let calls: [Text]
    /// By group: the rules' full names, for people.
    let ruleNames: [[String]]
    /// The plans that batches before left.
    let plans = Mutex(PlanSet.empty)

    /// The names that the setting `conventions` may hold.
    package static let conventionNames = EmbeddedRules.conventions.map(\.name)

    /// Compiles the rules inside the binary and those of a user, which win over them.
    ///
    /// - Parameters:
    ///   - conventions: The names of those that count; nil for all.
    ///   - user: The user's rules, the first winning.
    /// - Throws: What is wrong in a document or does not fit together.
    package convenience init(conventions: [String]? = nil, user: [RuleDocument] = []) throws(DocumentProblems) {
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
        levels = try compiler.levels(documents)
        prompts = try compiler.prompts(documents)
        tags = try compiler.tags(documents)
        try compiler.drops(documents)
        renames = try compiler.renames(documents)
        failures = try compiler.failures(documents)
        spanNames = try compiler.texts(documents, \.spanName, .spanName)
        calls = try compiler.texts(documents, \.call, .call)
        let plain = Set(documents.flatMap(\.plainCalls).map { compiler.keys.id(of: $0) })
        let counts = Set(documents.flatMap(\.tokenCounts).map { compiler.keys.id(of: $0) })
        keys = KeyTable(compiler.keys.names)
        families = KeyTable(compiler.families.names)
        familyLengths = Set(compiler.families.names.map(\.utf8.count)).sorted()
        eventNames = KeyTable(compiler.events.names)
        keyTriggers = compiler.flattened(compiler.keys)
        familyTriggers = compiler.flattened(compiler.families)
        eventTriggers = compiler.flattened(compiler.events)
        triggers = compiler.triggers
        isTokenCount = compiler.keys.names.indices.map(counts.contains)
        isPlainCall = compiler.keys.names.indices.map(plain.contains)
        let identities = Set((sessions + users).map(\.key))
        isIdentity = compiler.keys.names.indices.map(identities.contains)
        always = compiler.always
        conditions = compiler.conditions
        spanTypes = conditions.map(\.spanTypes)
        guards = compiler.guards.flatMap { $0 + repeatElement(-1, count: Self.rulesPerGroupMax - $0.count) }
        neededKeys = compiler.neededKeys
        endings = compiler.endings
        wrappers = compiler.wrappers
        typeValues = KeyTable(compiler.typeValues.names)
        typesByValue = compiler.typesByValue
        typeNames = compiler.typeNames.names
        (typeLetters, typeRanges) = Self.joined(typeNames)
        isModelCall = typeNames.map(Self.isModelCall)
        words = compiler.words.names.map { Array($0.utf8) }
        events = compiler.eventRules
        numbers = compiler.numbers
        ruleNames = compiler.ruleNames
    }

    /// The position of a rule's condition; -1 where it has none.
    @inline(__always)
    func condition(_ group: RuleGroup, _ rank: Int) -> Int {
        Int(guards[group.rawValue &* Self.rulesPerGroupMax &+ rank])
    }

    /// Whether tokens and cost belong on a span of that type.
    static func isModelCall(_ type: String) -> Bool {
        switch type {
        case "LLM", "CHAT_MODEL", "EMBEDDING", "RERANKER": true
        default: false
        }
    }

    private static func joined(_ texts: [String]) -> ([UInt8], [NumberList]) {
        var letters: [UInt8] = []
        let ranges = texts.map { text in
            let start = letters.count
            letters += text.utf8
            return NumberList(start..<letters.count)
        }
        return (letters, ranges)
    }

    static func parse(_ text: [UInt8]) throws(DocumentProblems) -> JSONNode {
        do {
            return try JSONNode(parsing: text)
        } catch {
            throw DocumentProblems(list: [Problem(offset: error.offset, pointer: "", message: error.reason)])
        }
    }
}
