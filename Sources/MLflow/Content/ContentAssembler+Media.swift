import Basics
import OTLP

// Images are shown as such; of anything else that is no text, such as a PDF, one line says what it was.

extension ContentAssembler {
    /// What the object of a part says about its media, however deep it is wrapped.
    struct Media {
        var type: Int?
        var name: Int?
        /// Base64, or an address of the scheme `data`.
        var data: Int?
        /// Any other address.
        var address: Int?
        /// A document that is plain text.
        var text: Int?
    }

    private static let mediaDepthMax = 3

    /// Adds a part that is an image or another file; one that says nothing about either as it came.
    mutating func addMedia(_ node: Int, isImage: Bool, _ bytes: RawSpan) {
        // How it is written depends on letters of the text.
        newForms = .init(repeating: nil)
        let media = media(of: node, bytes)
        if let text = media.text { return message.parts.append(.text(text)) }
        guard media.data != nil || media.address != nil || media.name != nil else {
            return message.parts.append(.text(tape.member(.text, of: node) ?? node))
        }
        guard let source = media.data ?? media.address, shows(media, isImage: isImage, bytes) else {
            return message.parts.append(.media(node))
        }
        if media.data == nil || isDataAddress(source, bytes) { return message.parts.append(.image(source)) }
        message.parts.append(.imageData(mediaType: media.type, data: source))
    }

    func media(of node: Int, depth: Int = 0, _ bytes: RawSpan) -> Media {
        let fields = ContentFields(of: node, on: tape)
        var media = Media()
        media.type = fields.first(.mimeType, .mediaType, .format).flatMap { tape.isText($0) ? $0 : nil }
        media.name = fields.first(.fileName, .name).flatMap { tape.isText($0) ? $0 : nil }
        if let kind = fields[.type], tape.equals(kind, "text", bytes), let data = fields.first(.data), tape.isText(data)
        {
            media.text = data
            return media
        }
        for place in [
            fields.first(.data), fields.first(.content), fields.first(.url), fields.first(.uri),
            fields.first(.imageURL), fields.first(.image), fields.first(.source), fields.first(.media),
        ] {
            guard let place, media.data == nil, media.address == nil, media.text == nil else { continue }
            if tape.isText(place) {
                let isAddress = place == fields[.url] || place == fields[.uri] || place == fields[.imageURL]
                let isData = isDataAddress(place, bytes) || !isAddress && !hasScheme(place, bytes)
                if isData, place == fields[.data], isPlainText(place, bytes) {
                    media.text = place
                } else if isData {
                    media.data = place
                } else {
                    media.address = place
                }
            } else if depth < Self.mediaDepthMax, tape.nodes[place].kind == .object {
                let inner = self.media(of: place, depth: depth + 1, bytes)
                media.type = media.type ?? inner.type
                media.name = media.name ?? inner.name
                (media.data, media.address, media.text) = (inner.data, inner.address, inner.text)
            }
        }
        return media
    }

    /// Whether the page can show it: what its type says counts more than what the part is called.
    private func shows(_ media: Media, isImage: Bool, _ bytes: RawSpan) -> Bool {
        if let data = media.data, isDataAddress(data, bytes) { return begins(data, with: "data:image/", bytes) }
        guard let type = media.type else { return isImage }
        let range = tape.nodes[type].range
        let hasSlash = range.contains { bytes.byte(at: $0) == UInt8(ascii: "/") }
        return hasSlash ? begins(type, with: "image/", bytes) : isImage
    }

    private func isDataAddress(_ node: Int, _ bytes: RawSpan) -> Bool { begins(node, with: "data:", bytes) }

    /// Whether a text begins as an address does, `s3://` for one: base64 has no colon.
    private func hasScheme(_ node: Int, _ bytes: RawSpan) -> Bool {
        let range = tape.nodes[node].range
        let colon = range.prefix(Self.schemeMax).first { bytes.byte(at: $0) == UInt8(ascii: ":") }
        guard let colon, range.upperBound - colon > 3 else { return false }
        return bytes.equals("://", colon..<colon + 3)
    }

    /// Whether data begins with letters that base64 has not, nor an address of the scheme `data`.
    private func isPlainText(_ node: Int, _ bytes: RawSpan) -> Bool {
        !isDataAddress(node, bytes)
            && tape.nodes[node].range.prefix(Self.headMax).contains { offset in
                switch bytes.byte(at: offset) {
                case UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "."), UInt8(ascii: ","),
                    UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }

    /// Letters of data that are looked at, at most.
    private static let headMax = 64

    /// Letters of an address's scheme, at most.
    private static let schemeMax = 16

    private func begins(_ node: Int, with word: StaticString, _ bytes: RawSpan) -> Bool {
        let range = tape.nodes[node].range
        let size = word.utf8CodeUnitCount
        return range.count >= size && bytes.equals(word, range.lowerBound..<range.lowerBound + size)
    }

    /// The line that stands for media that the page cannot show: type, name, and size or address.
    func mediaLine(_ node: Int, _ bytes: RawSpan) -> [UInt8] {
        let media = media(of: node, bytes)
        var words: [[UInt8]] = []
        func add(_ node: Int) {
            var word: [UInt8] = []
            tape.appendText(node, to: &word, bytes)
            words.append(word)
        }
        if let type = media.type {
            add(type)
        } else if let type = media.data.flatMap({ typeInside($0, bytes) }) {
            words.append(Array(bytes.text(type).utf8))
        }
        if let name = media.name { add(name) }
        if let data = media.data {
            words.append(Array("\(decodedSize(tape.nodes[data].range, bytes)) bytes".utf8))
        } else if let address = media.address {
            add(address)
        }
        return Array("[".utf8) + words.joined(separator: Array(", ".utf8)) + Array("]".utf8)
    }

    /// The media type in an address of the scheme `data`.
    private func typeInside(_ node: Int, _ bytes: RawSpan) -> Range<Int>? {
        guard isDataAddress(node, bytes) else { return nil }
        let rest = tape.nodes[node].range.dropFirst(5)
        let end = rest.first { offset in
            bytes.byte(at: offset) == UInt8(ascii: ";") || bytes.byte(at: offset) == UInt8(ascii: ",")
        }
        return end.map { rest.lowerBound..<$0 }
    }

    /// How many bytes base64 stands for; what stands before the comma of an address does not count.
    private func decodedSize(_ range: Range<Int>, _ bytes: RawSpan) -> Int {
        let head = range.prefix(128).firstIndex { bytes.byte(at: $0) == UInt8(ascii: ",") }
        var size = range.upperBound - (head.map { $0 + 1 } ?? range.lowerBound)
        var end = range.upperBound
        while size > 0, bytes.byte(at: end - 1) == UInt8(ascii: "=") { (end, size) = (end - 1, size - 1) }
        return size * 3 / 4
    }
}
