import Basics
import OTLP

/// The members of messages, their parts, tool calls, tools and documents, under all the names in use.
enum ContentField: Int, CaseIterable {
    case role, content, parts, contents, text, type, kind
    case toolCalls, toolCallID, callID, toolUseID, id, name, toolName
    case function, functionCall, arguments, args, input, response, result, output
    case reasoning, reasoningContent, thinking, summary
    case message, messages, choices, kwargs, data, model
    case finishReason, url, uri, image, imageURL, source, mediaType, mimeType, modality
    case description, parameters, inputSchema, jsonSchema
    case pageContent, metadata, score

    /// The names by which it goes; of several in one object the last counts.
    var names: [String] {
        switch self {
        case .toolCalls: ["tool_calls", "toolCalls"]
        case .toolCallID: ["tool_call_id", "toolCallId"]
        case .callID: ["call_id", "callId"]
        case .toolUseID: ["tool_use_id", "toolUseId"]
        case .toolName: ["tool_name", "toolName"]
        case .functionCall: ["function_call"]
        case .reasoningContent: ["reasoning_content"]
        case .finishReason: ["finish_reason", "finishReason"]
        case .imageURL: ["image_url"]
        case .mediaType: ["media_type", "mediaType"]
        case .mimeType: ["mime_type", "mimeType"]
        case .inputSchema: ["input_schema", "inputSchema"]
        case .jsonSchema: ["json_schema"]
        case .pageContent: ["page_content"]
        default: ["\(self)"]
        }
    }
}

/// Where the known members of one object stand on the tape.
struct ContentFields {
    /// All names, each with its field.
    struct Names: Sendable {
        let table: KeyTable
        let fields: [ContentField]

        init() {
            let pairs = ContentField.allCases.flatMap { field in field.names.map { (name: $0, field: field) } }
            table = KeyTable(pairs.map(\.name))
            fields = pairs.map(\.field)
        }
    }

    /// Fields that there is room for.
    static let countMax = 48

    private static let names = Names()

    private var places: [48 of Int32] = .init(repeating: -1)

    /// The members of `node`; none where it is no object.
    init(of node: Int, on tape: ContentTape, in bytes: RawSpan) {
        guard tape.nodes[node].kind == .object else { return }
        let names = Self.names
        var key = node + 1
        while key + 1 < tape.nodes[node].next {
            if let found = names.table.find(bytes, tape.nodes[key].range) {
                places[names.fields[found].rawValue] = Int32(truncatingIfNeeded: key + 1)
            }
            key = tape.nodes[key + 1].next
        }
    }

    /// The node of a member.
    subscript(field: ContentField) -> Int? {
        let place = places[field.rawValue]
        return place < 0 ? nil : Int(place)
    }

    /// The node of the first of these members that is there and not null.
    ///
    /// Written out, because a variable number of arguments is an array, made for every call.
    func first(
        _ first: ContentField,
        _ second: ContentField? = nil,
        _ third: ContentField? = nil,
        _ fourth: ContentField? = nil,
        _ fifth: ContentField? = nil,
        _ sixth: ContentField? = nil,
        on tape: ContentTape
    ) -> Int? {
        if let node = node(first, tape) { return node }
        if let second, let node = node(second, tape) { return node }
        if let third, let node = node(third, tape) { return node }
        if let fourth, let node = node(fourth, tape) { return node }
        if let fifth, let node = node(fifth, tape) { return node }
        if let sixth, let node = node(sixth, tape) { return node }
        return nil
    }

    @inline(__always)
    private func node(_ field: ContentField, _ tape: ContentTape) -> Int? {
        guard let node = self[field], tape.nodes[node].kind != .null else { return nil }
        return node
    }
}
