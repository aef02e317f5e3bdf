import Basics
import OTLP

extension ContentAssembler {
    mutating func isImage(_ fields: borrowing ContentFields, _ bytes: RawSpan) -> Bool {
        if let modality = fields[.modality] { return tape.equals(modality, "image", bytes) }
        guard let type = fields.first(.mimeType, .mediaType), tape.isText(type) else { return false }
        return bytes.text(tape.nodes[type].range).hasPrefix("image/")
    }

    /// The address or the data of an image, however deep it is wrapped.
    mutating func image(_ fields: borrowing ContentFields, _ bytes: RawSpan) -> ChatMessage.Part? {
        if let node = fields.first(.imageURL, .image, .url, .uri, .source) {
            if tape.isText(node) { return .image(node) }
            return image(ContentFields(of: node, on: tape), bytes)
        }
        guard let data = fields.first(.data, .content), tape.isText(data) else { return nil }
        return .imageData(mediaType: fields.first(.mimeType, .mediaType), data: data)
    }
}
