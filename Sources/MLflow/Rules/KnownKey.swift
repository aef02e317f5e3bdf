/// The attributes that the engine itself reads or writes; the rules name all others.
enum KnownKey: Int, CaseIterable {
    case spanType
    case inputs
    case outputs
    case tokenUsage
    case tools
    case model
    case provider
    case cost
    case messageFormat
    case traceName
    case traceRequestID
    case sessionID
    case conversationID
    case userID
    case errorType
    case logLevel
    case linkedPrompts
    case serviceName

    /// The attribute's key.
    var text: StaticString {
        switch self {
        case .spanType: "mlflow.spanType"
        case .inputs: "mlflow.spanInputs"
        case .outputs: "mlflow.spanOutputs"
        case .tokenUsage: "mlflow.chat.tokenUsage"
        case .tools: "mlflow.chat.tools"
        case .model: "mlflow.llm.model"
        case .provider: "mlflow.llm.provider"
        case .cost: "mlflow.llm.cost"
        case .messageFormat: "mlflow.message.format"
        case .traceName: "mlflow.traceTag.mlflow.traceName"
        case .traceRequestID: "mlflow.traceRequestId"
        case .sessionID: "session.id"
        case .conversationID: "gen_ai.conversation.id"
        case .userID: "user.id"
        case .errorType: "error.type"
        case .logLevel: "mlflow.spanLogLevel"
        case .linkedPrompts: "mlflow.traceTag.mlflow.linkedPrompts"
        case .serviceName: "service.name"
        }
    }
}

/// The events that the engine itself looks for.
enum KnownEvent: Int, CaseIterable {
    case exception

    /// The event's name.
    var text: String { "exception" }
}
