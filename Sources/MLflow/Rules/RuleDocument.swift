/// The rules of one convention of attributes, or of one user.
///
/// Rules stand in groups, because MLflow's fields are decided in groups: in each the first rule with a usable value wins,
/// and its convention decides the whole group. Only the app's own `mlflow.*` attributes come before all rules.
package struct RuleDocument: Sendable, Equatable {
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
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    package var tokenCounts: [String] = []

    package init(convention: String) {
        self.convention = convention
    }
}

/// Decides `mlflow.spanType`.
package struct TypeRule: Sendable, Equatable {
    /// What the rule looks at.
    package enum Form: Sendable, Equatable {
        /// The type that belongs to the attribute's value; a value that is not listed decides nothing.
        case values(attribute: String, types: [String: String])
        /// This type where all the attributes are there.
        case present(attributes: [String], type: String)
    }

    package var name: String
    package var form: Form
}

/// Gives `mlflow.spanInputs`, `mlflow.spanOutputs` and `mlflow.chat.tools`, each where it has a source for it.
package struct ContentRule: Sendable, Equatable {
    package var name: String
    package var inputs: ContentSource?
    package var outputs: ContentSource?
    package var tools: ContentSource?
}

/// Where content stands and what it is made into.
package struct ContentSource: Sendable, Equatable {
    /// Where it stands.
    package enum Origin: Sendable, Equatable {
        /// One attribute: plain text, JSON text or a structured value.
        case attribute(String)
        /// Attributes `PREFIX.INDEX.PATH` that are one list together; path segments in `unwrap` say nothing.
        case flattened(prefix: String, unwrap: [String])
        /// The span's events of these names, in their order.
        case events([EventSource])
    }

    /// What it is made into.
    package enum Shape: String, Sendable, CaseIterable {
        /// Structured where it is JSON, else the text.
        case value
        /// OpenAI Chat Completions: `messages` as inputs, `choices` as outputs.
        case chat
        /// Documents as MLflow's page shows them.
        case documents
        /// Tool definitions nested as OpenAI has them.
        case tools
    }

    package var origin: Origin
    package var shape: Shape
    /// The attribute that says whether the text is JSON; `text/plain` keeps it text.
    package var mediaType: String?
    /// The attribute with the system's instructions, put before the messages.
    package var instructions: String?
    /// The attribute with the reasons for which the choices ended, for those that do not say it.
    package var finishReasons: String?
}

/// How an event becomes messages.
package struct EventSource: Sendable, Equatable {
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
package struct UsageRule: Sendable, Equatable {
    package var name: String
    package var input: [String] = []
    package var output: [String] = []
    package var total: [String] = []
    package var cacheRead: [String] = []
    package var cacheCreation: [String] = []
    package var inputCost: [String] = []
    package var outputCost: [String] = []
    package var totalCost: [String] = []
    /// Whether the emitter's input tokens leave out the cached ones; MLflow's include them.
    package var inputExcludesCache = false
}

/// Gives `mlflow.llm.model` and `mlflow.llm.provider`.
package struct ModelRule: Sendable, Equatable {
    package var name: String
    package var model: [String]
    package var provider: [String]
    /// Attributes with an object whose `model` counts where no attribute of its own names one.
    package var modelIn: [String] = []
}

/// Gives a session, a user or a trace's name.
package struct TextRule: Sendable, Equatable {
    package var name: String
    package var attribute: String
    /// Whether only the root's own attribute counts, not one of its descendants.
    package var rootOnly: Bool
}
