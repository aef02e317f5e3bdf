import Basics
import MLflow
import Pipeline
import Processors

extension Shape<MLflowMapSettings> {
    static let mlflowMap = Shape(
        "Gives spans of every GenAI convention the attributes that MLflow shows: type, inputs, outputs, tokens, session, user.",
        Settings(),
        [
            Field(
                "conventions",
                \.conventions,
                .list(of: .word(among: MappingRules.conventionNames)),
                "Conventions to read; where none is named, all of them."
            ),
            Field(
                "rules",
                \.rules,
                .rules,
                "Rules of your own, which win over the built-in ones: see Rules for a framework of your own."
            ),
            Field("keep_source", \.keepSource, .flag, "Whether attributes that were mapped also stay as they came."),
        ],
        check: { settings, group, reading in
            guard let rules = group["rules"], !reading.hasError(in: "rules") else { return }
            do throws(DocumentProblems) {
                _ = try MLflowMap(name: "", settings: settings)
            } catch {
                reading.within("rules") { reading in
                    for problem in error.list { reading.report(problem.message, at: rules.offset) }
                }
            }
        }
    )
}

extension Kind<[JSONNode]> {
    /// Mapping rules of the user: documents of the same form as the built-in ones.
    static let rules = Kind(
        allowed: "an array of objects with groups of rules",
        brief: "array of rules",
        schema: ["type": "array", "items": RuleSchemas.document],
        read: { node, reading in
            guard let elements = node.elements else {
                reading.refuse(node, allowed: "an array of objects with groups of rules")
                return nil
            }
            for (index, element) in elements.enumerated() {
                reading.within("\(index)") { reading in
                    do throws(DocumentProblems) {
                        _ = try RuleDocument(userRules: element)
                    } catch {
                        for problem in error.list { reading.report(problem) }
                    }
                }
            }
            return elements
        },
        write: { .array($0.map(JSON.init)) }
    )
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
                .experiments,
                "Experiments by the value found, or by a glob that it matches."
            ),
            Field("default", \.defaultExperiment, .text, "The experiment where nothing else gives one."),
            Field("create", \.create, .flag, "Whether experiments that MLflow does not have are created."),
            Field("remember", \.remember, .pause, "How long a trace keeps the experiment that its first spans got."),
            Field(
                "max_routes",
                \.maxRoutes,
                .integer(1...60_000),
                "Different experiments at most, those of `map` aside; one without spans for a minute makes room for another, and traces that find none go to `default` and are counted."
            ),
        ]
    )
}

extension Kind<[(value: String, experiment: String)]> {
    /// Experiments by value or glob.
    static let experiments: Kind = {
        let names: Kind<[Named<String>]> = .map(.text, to: .text)
        return names.matched(
            { entries in entries.map { (value: $0.name, experiment: $0.value) } },
            { entries in entries.map { entry in Named(name: entry.value, value: entry.experiment) } }
        )
    }()
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
            Field(
                "keep",
                optional: \.keep,
                .condition,
                "Spans for which this holds are kept whatever the ratio says. `matches` takes RE2's syntax, found anywhere in "
                    + "the value, and at most \(RegularExpression.sizeMax) instructions of its program."
            ),
        ]
    )
}

extension Kind<JSONNode> {
    /// A condition on single spans.
    static let condition = Kind(
        allowed: "a condition, such as {\"status\": \"error\"}",
        brief: "condition",
        schema: ["type": "object", "minProperties": .integer(1)],
        read: { node, reading in
            do throws(DocumentProblems) {
                _ = try Condition(decoding: node)
            } catch {
                for problem in error.list { reading.report(problem) }
            }
            return node
        },
        write: { JSON($0) }
    )
}

extension Shape<BatchLimits> {
    static let batch = Shape(
        "How much an exporter takes from the journal for one request; what arrives with more spans is divided by traces.",
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
