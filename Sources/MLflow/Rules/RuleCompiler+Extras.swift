import Conditions
import Settings

// Groups in which every rule counts, or the first of a document's order.

extension RuleCompiler {
    mutating func levels(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Level] {
        try ranked(documents, \.level, \.name, .level).enumerated().map { rank, entry in
            keys.trigger(entry.rule.attribute, .level, rank: rank)
            let values = entry.rule.values.map { (text: Array($0.key.utf8), level: $0.value) }
            return MappingRules.Level(key: keys.id(of: entry.rule.attribute), values: values)
        }
    }

    mutating func prompts(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Prompt] {
        try ranked(documents, \.prompt, \.name, .prompt).enumerated().map { rank, entry in
            keys.trigger(entry.rule.promptName, .prompt, rank: rank)
            return MappingRules.Prompt(
                name: keys.id(of: entry.rule.promptName),
                version: keys.id(of: entry.rule.promptVersion)
            )
        }
    }

    mutating func tags(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Tag] {
        try ranked(documents, \.tags, \.name, .tags).enumerated().map { rank, entry in
            let attribute = entry.rule.attribute
            if !entry.rule.isPrefix { keys.trigger(attribute, .tags, rank: rank) }
            return MappingRules.Tag(
                key: entry.rule.isPrefix ? -1 : keys.id(of: attribute),
                prefix: entry.rule.isPrefix ? Array(attribute.utf8) : [],
                except: entry.rule.except.map { Array($0.utf8) },
                isList: entry.rule.isList,
                tag: Array((entry.rule.tag ?? (entry.rule.isPrefix ? "" : attribute)).utf8)
            )
        }
    }

    mutating func drops(_ documents: [RuleDocument]) throws(DocumentProblems) {
        for (rank, entry) in try ranked(documents, \.drop, \.name, .drop).enumerated() {
            trigger(by: entry.rule.when, .drop, rank: rank)
        }
    }

    mutating func failures(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Failure] {
        try ranked(documents, \.failure, \.name, .failure).enumerated().map { rank, entry in
            keys.trigger(entry.rule.attribute, .failure, rank: rank)
            return MappingRules.Failure(
                key: keys.id(of: entry.rule.attribute),
                values: entry.rule.values.map { Array($0.utf8) },
                message: entry.rule.message.map { keys.id(of: $0) }
            )
        }
    }

    mutating func renames(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Rename] {
        try ranked(documents, \.rename, \.name, .rename).enumerated().map { rank, entry in
            keys.trigger(entry.rule.attribute, .rename, rank: rank)
            return MappingRules.Rename(key: keys.id(of: entry.rule.attribute), to: entry.rule.key)
        }
    }
}

extension Condition {
    /// Attributes of which one must be there for the condition to hold; nil where it may hold without any.
    var neededAttributes: [String]? {
        switch self {
        case .attribute(let key, let test): test.holdsForMissing ? nil : [String(decoding: key, as: UTF8.self)]
        case .all(let conditions): conditions.lazy.compactMap(\.neededAttributes).first
        case .any(let conditions):
            conditions.reduce([]) { found, condition in
                guard let found, let needed = condition.neededAttributes else { return nil }
                return found + needed
            }
        default: nil
        }
    }
}
