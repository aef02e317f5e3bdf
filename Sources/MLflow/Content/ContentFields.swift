import Basics
import OTLP

/// The members of messages, their parts, tool calls, tools and documents, under all the names in use.
enum ContentField: Int, CaseIterable {
    case role, content, parts, contents, text, type, kind
    case toolCalls, toolCallID, callID, toolUseID, id, name, toolName
    case function, functionCall, arguments, args, input, response, result, output
    case reasoning, reasoningContent, thinking, summary
    case message, messages, choices, kwargs, data
    case finishReason, url, uri, image, imageURL, source, mediaType, mimeType, modality
    case description, parameters, inputSchema, jsonSchema
    case pageContent, metadata, score, documents
    case functionResponse, candidates, generations, system, prompt, config, eventName, generationInfo
    case items, origin, functionDeclarations, value, media, fileName, format, documentID

    /// The names by which it goes; of several in one object the last counts.
    var names: [String] {
        switch self {
        case .function: ["function", "toolSpec"]
        case .parts: ["parts", "blocks"]
        case .args: ["args", "tool_kwargs"]
        case .toolCalls: ["tool_calls", "toolCalls"]
        case .toolCallID: ["tool_call_id", "toolCallId"]
        case .callID: ["call_id", "callId", "ref"]
        case .toolUseID: ["tool_use_id", "toolUseId"]
        case .toolName: ["tool_name", "toolName"]
        case .functionCall: ["function_call", "functionCall", "toolUse", "tool_call", "toolRequest"]
        case .functionResponse:
            ["function_response", "functionResponse", "toolResult", "tool_call_result", "toolResponse"]
        case .generations: ["generations", "replies"]
        case .generationInfo: ["generation_info", "response_metadata", "meta"]
        case .functionDeclarations: ["function_declarations", "functionDeclarations"]
        case .system: ["system", "system_instruction", "systemInstruction", "instructions"]
        case .eventName: ["event.name"]
        case .reasoningContent: ["reasoning_content", "reasoningContent", "reasoningText"]
        case .finishReason: ["finish_reason", "finishReason"]
        case .imageURL: ["image_url"]
        case .mediaType: ["media_type", "mediaType", "contentType", "content_type"]
        case .mimeType: ["mime_type", "mimeType"]
        case .inputSchema: ["input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema"]
        case .data: ["data", "file_data", "bytes"]
        case .uri: ["uri", "file_uri", "fileUri", "file_url"]
        case .fileName: ["filename", "file_name", "fileName"]
        case .media:
            ["media", "inline_data", "inlineData", "fileData", "file", "input_audio", "audio", "video", "document"]
        case .jsonSchema: ["json_schema"]
        case .pageContent: ["page_content", "pageContent"]
        case .documentID: ["document_id", "documentId", "doc_id"]
        default: ["\(self)"]
        }
    }
}

/// Where the known members of one object stand on the tape.
///
/// Not copied, because it is large.
struct ContentFields: ~Copyable {
    /// All names, each with its field.
    struct Names: Sendable {
        let table: KeyTable
        /// By name: the raw value of its field.
        let places: [UInt8]

        init() {
            let pairs = ContentField.allCases.flatMap { field in field.names.map { (name: $0, field: field) } }
            table = KeyTable(pairs.map(\.name))
            places = pairs.map { UInt8(truncatingIfNeeded: $0.field.rawValue) }
        }

        /// The raw value of the field of that name; `unknown` where there is none.
        @inline(__always)
        func field(_ bytes: RawSpan, _ range: Range<Int>) -> UInt8 {
            table.find(bytes, range).map { places[$0] } ?? ContentFields.unknown
        }
    }

    /// Fields that there is room for.
    static let countMax = 64

    static let names = Names()
    /// Stands for a name that is none of the fields'.
    static let unknown: UInt8 = 0xFF

    /// By field: the node; -1 where there is none; of one that is null, -2 less its node.
    private var places: [64 of Int32] = .init(repeating: -1)

    /// The members of `node`; none where it is no object.
    init(of node: Int, on tape: borrowing ContentTape) {
        guard tape.nodes[node].kind == .object else { return }
        var key = node + 1
        let end = tape.nodes[node].next
        while key + 1 < end {
            let value = tape.nodes[key + 1]
            let field = tape.nodes[key].field
            if field != Self.unknown {
                let place = Int32(truncatingIfNeeded: key + 1)
                places[Int(field)] = value.kind == .null ? -2 - place : place
            }
            key = value.next
        }
    }

    /// The node of a member.
    @inline(__always)
    subscript(field: ContentField) -> Int? {
        let place = places[field.rawValue]
        return place == -1 ? nil : Int(place < 0 ? -2 - place : place)
    }

    /// The node of the first of these members that is there and not null.
    ///
    /// Written out, because a variable number of arguments is an array, made for every call.
    @inline(__always)
    func first(
        _ first: ContentField,
        _ second: ContentField? = nil,
        _ third: ContentField? = nil,
        _ fourth: ContentField? = nil,
        _ fifth: ContentField? = nil,
        _ sixth: ContentField? = nil
    ) -> Int? {
        if let node = node(first) { return node }
        if let second, let node = node(second) { return node }
        if let third, let node = node(third) { return node }
        if let fourth, let node = node(fourth) { return node }
        if let fifth, let node = node(fifth) { return node }
        if let sixth, let node = node(sixth) { return node }
        return nil
    }

    @inline(__always)
    private func node(_ field: ContentField) -> Int? {
        let place = places[field.rawValue]
        return place < 0 ? nil : Int(place)
    }
}
