import Basics
import OTLP

extension ContentAssembler {
    /// Collects the tool definitions that a node holds into `definitions`; false where there is none with a name.
    mutating func readTools(_ node: Int, _ bytes: RawSpan) -> Bool {
        definitions.removeAll(keepingCapacity: true)
        let elements = tape.nodes[node].kind == .object ? [node] : tape.elements(of: node)
        for element in elements {
            guard let tool = object(element, bytes) else { continue }
            let fields = ContentFields(of: tool, on: tape)
            if let declarations = fields.first(.functionDeclarations) {
                definitions += tape.elements(of: declarations).filter { name(of: $0) != nil }
                continue
            }
            let schema = fields[.jsonSchema].flatMap { object($0, bytes) }
            let function = fields[.function].flatMap { object($0, bytes) }
            if name(of: schema ?? tool) != nil || function != nil { definitions.append(schema ?? tool) }
        }
        return !definitions.isEmpty
    }

    private func name(of tool: Int) -> Int? {
        let function = tape.member(.function, of: tool) ?? tool
        return ContentFields(of: function, on: tape).first(.name)
    }

    /// A node that is an object, or the text of one.
    mutating func object(_ node: Int, _ bytes: RawSpan) -> Int? {
        switch tape.nodes[node].kind {
        case .object: return node
        case .text where tape.nodes[node].origin != .json:
            guard let parsed = tape.append(json: tape.nodes[node].range, of: bytes),
                tape.nodes[parsed].kind == .object
            else { return nil }
            return parsed
        default: return nil
        }
    }

    /// Writes `definitions`, each nested as OpenAI has it; the page shows no flat ones.
    mutating func writeTools(to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let tools = builder.beginArray()
        for tool in definitions where builder.count <= bytesStop {
            let function = ContentFields(of: tape.member(.function, of: tool) ?? tool, on: tape)
            let entry = builder.beginKeyValueList()
            builder.member("type", word: "function")
            builder.key("function")
            let body = builder.beginKeyValueList()
            if let name = function.first(.name) { writeText("name", name, to: &builder, bytes) }
            if let description = function.first(.description) {
                writeText("description", description, to: &builder, bytes)
            }
            if let parameters = function.first(.parameters, .inputSchema) {
                builder.key("parameters")
                let schema = object(parameters, bytes) ?? parameters
                let members = tape.values(of: schema)
                // Bedrock's API puts the schema into a member of its own.
                let isJSON = members.count == 1 && tape.equals(members[0] - 1, "json", bytes)
                tape.write(isJSON ? members[0] : schema, to: &builder, bytes)
            }
            builder.end(body)
            builder.end(entry)
        }
        builder.end(tools)
    }

    /// The list of documents that a node is or holds; nil where its elements look like none.
    func documents(in node: Int) -> Int? {
        let list = tape.member(.documents, of: node) ?? node
        guard let first = tape.firstElement(of: list), tape.nodes[first].kind == .object else { return nil }
        let fields = ContentFields(of: first, on: tape)
        if fields[.pageContent] != nil { return list }
        return fields.first(.content, .text) != nil && fields.first(.metadata, .score, .id, .documentID) != nil
            ? list : nil
    }

    /// Writes documents as MLflow's page shows them: one card each.
    mutating func writeDocuments(_ list: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let documents = builder.beginArray()
        for document in tape.elements(of: list) where builder.count <= bytesStop {
            let fields = ContentFields(of: document, on: tape)
            let entry = builder.beginKeyValueList()
            let content = fields.first(.pageContent, .content, .text)
            if let content = content ?? (tape.nodes[document].kind == .object ? nil : document) {
                writeResult("page_content", content, to: &builder, bytes)
            } else {
                builder.member("page_content", word: "")
            }
            builder.key("metadata")
            writeMetadata(fields, to: &builder, bytes)
            if let id = fields.first(.id, .documentID) { writeText("id", id, to: &builder, bytes) }
            builder.end(entry)
        }
        builder.end(documents)
    }

    private mutating func writeMetadata(
        _ fields: borrowing ContentFields,
        to builder: inout ValueBuilder,
        _ bytes: RawSpan
    ) {
        let members = builder.beginKeyValueList()
        if let metadata = fields.first(.metadata).flatMap({ object($0, bytes) }) {
            tape.writeMembers(of: metadata, to: &builder, bytes)
        }
        if let address = fields.first(.uri, .url) {
            writeText("doc_uri", address, to: &builder, bytes)
        }
        if let score = fields.first(.score) {
            builder.key("score")
            tape.write(score, to: &builder, bytes)
        }
        builder.end(members)
    }
}
