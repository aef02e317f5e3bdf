package import Conditions

/// The rules of one convention of attributes, or of one user.
///
/// Rules stand in groups, because MLflow's fields are decided in groups: in each the first rule with a usable value wins,
/// and its convention decides the whole group. Only the app's own `mlflow.*` attributes come before all rules.
package struct RuleDocument: Sendable {
    /// Its name, the first half of its rules' names.
    package var convention: String
    package var type: [TypeRule] = []
    package var content: [ContentRule] = []
    package var usage: [UsageRule] = []
    package var model: [ModelRule] = []
    package var session: [TextRule] = []
    package var user: [TextRule] = []
    /// What a trace may be called after, on its root.
    package var name: [TextRule] = []
    package var level: [LevelRule] = []
    package var prompt: [PromptRule] = []
    package var tags: [TagRule] = []
    package var drop: [DropRule] = []
    package var rename: [RenameRule] = []
    package var failure: [FailureRule] = []
    /// What a tool's span is called after.
    package var spanName: [TextRule] = []
    /// What tells one model call from others, wherever it is described.
    package var call: [TextRule] = []
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    package var tokenCounts: [String] = []
    /// Attributes of spans that are calls of HTTP or RPC and say nothing more; a trace is not called after such a span.
    package var plainCalls: [String] = []

    package init(convention: String) {
        self.convention = convention
    }
}

/// What all rules have.
package protocol MappingRule: Sendable {
    /// The second half of the rule's full name.
    var name: String { get }
    /// What a span must be like for the rule to count; nil for any.
    var when: Condition? { get set }
}

/// Decides `mlflow.spanType`.
package struct TypeRule: MappingRule {
    /// What the rule looks at.
    package enum Form: Sendable {
        /// The type that belongs to the attribute's value; a value that is not listed decides nothing.
        case values(attribute: String, types: [String: String])
        /// The type that belongs to the first of these endings that the attribute's value has.
        case endings(attribute: String, types: [(ending: String, type: String)])
        /// This type where all the attributes are there; without attributes, wherever the condition holds.
        case present(attributes: [String], type: String)
    }

    package var name: String
    package var when: Condition?
    package var form: Form
}

/// Gives `mlflow.spanInputs`, `mlflow.spanOutputs` and `mlflow.chat.tools`, each where it has a source for it.
package struct ContentRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var inputs: ContentSource?
    package var outputs: ContentSource?
    package var tools: ContentSource?
}

/// Where content stands and what it is made into.
package struct ContentSource: Sendable {
    /// Where it stands.
    package enum Origin: Sendable {
        /// One attribute: plain text, JSON text or a structured value.
        case attribute(String)
        /// Attributes `PREFIX.INDEX.PATH` that are one list together; path segments in `unwrap` say nothing.
        case flattened(prefix: String, unwrap: [String])
        /// Attributes that are put together to one object, each under a name.
        case object([(name: String, attribute: String)])
        /// The span's events of these names, in their order.
        case events([EventSource])
    }

    /// Which of the messages that stand together count.
    package enum Portion: String, Sendable, CaseIterable {
        case all
        /// Only answers: events named `gen_ai.choice`.
        case choices
        /// Everything but answers.
        case messages
    }

    /// What it is made into.
    package enum Shape: String, Sendable, CaseIterable {
        /// Structured where it is JSON, else the text.
        case value
        /// OpenAI Chat Completions: `messages` as inputs, `choices` as outputs.
        case chat
        /// Chat where it is messages, on a retriever documents where it is some, else the value.
        case auto
        /// Documents as MLflow's page shows them.
        case documents
        /// Tool definitions nested as OpenAI has them.
        case tools
    }

    package var origin: Origin
    /// Where the content is inside the attribute's value, such as `config.tools`; nil where it is all of it.
    package var path: String?
    /// Whether text is always JSON, so that text in quotes is what stands between them.
    package var isJSON = false
    /// Whether text in JSON's quotes is what stands between them, while other text is no JSON unless it is an object or a list.
    package var isQuoted = false
    package var shape: Shape
    package var portion = Portion.all
    /// Whether all messages are parts of one, as where an answer comes in pieces.
    package var isJoined = false
    /// Wrappers that are opened, the first that fits.
    package var wrappers: [WrapperRule] = []
    /// Attributes with an object whose members, such as `model` and `temperature`, stand beside the messages; the first that is
    /// there counts.
    package var parameters: [String] = []
    /// The attribute that has the same messages whole, for emitters that leave parts of them out of a flattened list.
    package var whole: String?
    /// The attribute that says whether the text is JSON; `text/plain` keeps it text.
    package var mediaType: String?
    /// The attribute with the system's instructions, put before the messages.
    package var instructions: String?
    /// Attributes with the reasons for which the choices ended, for those that do not say it; the first that is there counts.
    package var finishReasons: [String] = []
}

/// How an event becomes messages.
package struct EventSource: Sendable {
    /// The event's name.
    package var name: String
    /// The message's role where the event's attributes do not give one; the event is one message.
    package var role: String?
    /// The event's attribute that holds the messages; nil where the event is the message.
    package var attribute: String?
    /// The event's attribute with the system's instructions.
    package var instructions: String?
}

/// Gives `mlflow.chat.tokenUsage` and `mlflow.llm.cost` of model calls.
///
/// Of each list the first attribute with a usable number counts.
package struct UsageRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var input: [String] = []
    package var output: [String] = []
    package var total: [String] = []
    package var cacheRead: [String] = []
    package var cacheCreation: [String] = []
    /// Tokens of reasoning, which count only where the total shows that neither input nor output holds them.
    package var reasoning: [String] = []
    package var inputCost: [String] = []
    package var outputCost: [String] = []
    package var totalCost: [String] = []
    /// The attribute with an object, or its JSON text, in which the lists of counts are paths such as `meta.usage.input`; nil
    /// where they name attributes.
    package var countsIn: String?
    /// The same for cost.
    package var costIn: String?
    /// Whether the counts belong on spans of other types too, because no model call below has any.
    package var isForAnySpan = false
    /// Whether the emitter's input tokens leave out the cached ones; MLflow's include them.
    package var inputExcludesCache = false
}

/// Gives `mlflow.llm.model` and `mlflow.llm.provider`.
package struct ModelRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var model: [String]
    package var provider: [String]
    /// Attributes with an object, or its JSON text, in which a path names the model where no attribute of its own does.
    package var modelIn: [(attribute: String, path: String)] = []
    /// The same for the provider.
    package var providerIn: [(attribute: String, path: String)] = []
    /// Whether a provider ends before its first dot, as in `openai.chat`.
    package var cutsProvider = false
}

/// Gives a session, a user or a trace's name.
package struct TextRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var attribute: String
    /// Where the text is inside an object, or its JSON text; nil where the attribute is the text.
    package var path: String?
    /// Whether only the root's own attribute counts, not one of its descendants.
    package var rootOnly: Bool
    /// Whether only a root's and a typed span's attribute counts, because other spans use the key for something else.
    package var typedOnly = false
}

/// Gives `mlflow.spanLogLevel`, from 10 to 50.
package struct LevelRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var attribute: String
    /// By the attribute's text; where there is none, the attribute is a severity number of OpenTelemetry's logs (1 to 24).
    package var values: [String: Int64] = [:]
}

/// Gives a span without a status that of a failure, where it has no output and no later span beside it succeeded.
package struct FailureRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var attribute: String
    /// The texts that tell of a failure; where there is none, any text does.
    package var values: [String] = []
    /// The attribute with the status message.
    package var message: String?
}

/// Links a prompt of a registry to the trace.
package struct PromptRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var promptName: String
    package var promptVersion: String
}

/// Gives the trace tags.
package struct TagRule: MappingRule {
    package var name: String
    package var when: Condition?
    /// The attribute: each item of a list is a tag `true`, each member of an object a tag of its name.
    ///
    /// With `isPrefix`, every attribute whose key begins so; the rest of the key is the tag.
    package var attribute: String
    package var isPrefix = false
    /// What may stand behind the prefix without being a tag.
    package var except: [String] = []
    /// Whether plain text is a list with commas.
    package var isList = false
    /// The tag's key; nil for the attribute's own.
    package var tag: String?
}

/// Takes spans out.
package struct DropRule: MappingRule {
    package var name: String
    package var when: Condition?
}

/// Gives an attribute another key; the other rules still see the old one.
package struct RenameRule: MappingRule {
    package var name: String
    package var when: Condition?
    package var attribute: String
    package var key: String
}
