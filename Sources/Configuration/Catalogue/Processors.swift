import Basics
import MLflow
import Pipeline

extension Shape<MLflowMapDraft> {
    static let mlflowMap = Shape(
        "Gives spans of every GenAI convention the attributes that MLflow shows: type, inputs, outputs, tokens, session, user.",
        Settings(),
        [
            Field(
                "conventions",
                optional: \.conventions,
                .list(of: .word(among: MappingRules.conventionNames)),
                "Conventions to read; without it, all of them."
            ),
            Field("rules", optional: \.rules, .rules, "Rules of your own, which win over the built-in ones."),
            Field("keep_source", \.keepsSource, .flag, "Whether attributes that were mapped also stay as they came."),
        ],
        check: { settings, group, reading in
            guard let rules = settings.rules else { return }
            let offset = (group["rules"] ?? JSONNode(.null, offset: group.offset)).offset
            do throws(DocumentProblems) {
                _ = try MappingRules(conventions: settings.conventions, user: rules.value)
            } catch {
                reading.within("rules") { reading in
                    for problem in error.list { reading.report(problem.message, at: offset) }
                }
            }
        }
    )
}

/// `mlflow_map` as the file sets it.
struct MLflowMapDraft: Sendable {
    var conventions: [String]?
    var rules: Written<RuleDocument>?
    var keepsSource = true

    var settings: MLflowMapSettings {
        MLflowMapSettings(conventions: conventions, userRules: rules?.value, keepsSource: keepsSource)
    }
}

extension Kind<Written<RuleDocument>> {
    /// Mapping rules of the user: documents of the same form as the built-in ones, read as one.
    static let rules = Kind(
        allowed: "an array of objects with groups of rules",
        brief: "array of rules",
        schema: ["type": "array", "items": ["type": "object"]],
        read: { node, reading in
            guard let elements = node.elements else {
                reading.refuse(node, allowed: "an array of objects with groups of rules")
                return nil
            }
            var all = RuleDocument(convention: "user")
            for (index, element) in elements.enumerated() {
                reading.within("\(index)") { reading in
                    do throws(DocumentProblems) {
                        all.append(try RuleDocument(userRules: element))
                    } catch {
                        for problem in error.list { reading.report(problem) }
                    }
                }
            }
            return Written(value: all, json: JSON(node))
        },
        write: { $0.json }
    )
}

extension RuleDocument {
    fileprivate mutating func append(_ other: RuleDocument) {
        type += other.type
        content += other.content
        usage += other.usage
        model += other.model
        session += other.session
        user += other.user
        name += other.name
    }
}

extension Shape<MLflowExperimentSettings> {
    static let mlflowExperiment = Shape(
        "Chooses the MLflow experiment of each trace.",
        Settings(),
        [
            Field(
                "from",
                \.from,
                .list(of: .routeSource),
                "Where to look, in this order: `header` is the request header `x-mlflow-experiment-id`."
            ),
            Field(
                "map",
                \.map,
                .map(.text, to: .text),
                "Experiments by the value found, or by a glob that it matches."
            ),
            Field("default", \.defaultExperiment, .text, "The experiment where nothing else gives one."),
            Field("create", \.create, .flag, "Whether experiments that MLflow does not have are created."),
            Field("remember", \.remember, .pause, "How long a trace keeps the experiment that its first spans got."),
            Field(
                "max_routes",
                \.maxRoutes,
                .integer(1...60_000),
                "Different experiments at most; traces of further ones go to `default` and are counted."
            ),
        ]
    )
}

extension Kind<String> {
    /// Where an experiment's name may come from.
    static let routeSource = Kind.parsed(
        #""header", "resource.KEY", "attribute.KEY""#,
        brief: "`header` \\| `resource.KEY` \\| `attribute.KEY`",
        schema: ["type": "string", "pattern": #"^header$|^(resource|attribute)\..|\$\{"#],
        parse: { text in
            let isKey = ["resource.", "attribute."].contains { text.hasPrefix($0) && text.count > $0.count }
            return text == "header" || isKey ? text : nil
        },
        format: { $0 }
    )
}

extension Shape<SampleSettings> {
    static let sample = Shape(
        "Keeps a share of the traces, the same ones on every machine that samples by trace id.",
        Settings(),
        [
            Field("ratio", \.ratio, .number(0...1), "The share of traces that is kept.", required: true),
            Field("keep", optional: \.keep, .condition, "Spans for which this holds are kept whatever the ratio says."),
        ]
    )
}

extension Kind<JSONNode> {
    /// A condition on a span.
    static let condition = Kind(
        allowed: "a condition",
        brief: "condition",
        schema: ["type": "object"],
        read: { node, reading in
            if node.members != nil { return node }
            reading.refuse(node, allowed: "a condition")
            return nil
        },
        write: { JSON($0) }
    )
}

extension Shape<BatchLimits> {
    static let batch = Shape(
        "How much an exporter takes from the journal for one request.",
        .standard,
        [
            Field("spans", \.items, .integer(1...1_000_000), "Spans in one request at most."),
            Field("bytes", \.bytes, .size(.kibibytes(1)...), "Bytes in one request at most, before compression."),
            Field(
                "linger",
                \.linger,
                .duration(.zero ... .seconds(60)),
                "How long to wait for more spans while a request is not full."
            ),
        ]
    )
}
