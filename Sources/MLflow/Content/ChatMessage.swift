/// One message taken apart, before it is written.
struct ChatMessage {
    enum Part {
        /// A node whose text, or JSON, is the part.
        case text(Int)
        /// A node with an address.
        case image(Int)
        /// Nodes with a media type and base64 data.
        case imageData(mediaType: Int?, data: Int)
        /// A node with a file that the page cannot show.
        case media(Int)
    }

    var role = ChatRole.user
    /// Whether it names a role that is none of those.
    var isUnknownRole = false
    var parts: [Part] = []
    var calls: [Int] = []
    var responses: [Int] = []
    var reasoning: [Int] = []
    /// UTF-8 of more that was thought, which stands in no node.
    var thoughts: [UInt8] = []
    var toolCallID: Int?
    var finishReason: Int?

    /// For how many elements its lists have memory.
    var size: Int { parts.capacity + calls.capacity + responses.capacity + reasoning.capacity + thoughts.capacity }

    /// Starts the next message in the same memory.
    mutating func clear(role: ChatRole) {
        self.role = role
        isUnknownRole = false
        if !parts.isEmpty { parts.removeAll(keepingCapacity: true) }
        if !calls.isEmpty { calls.removeAll(keepingCapacity: true) }
        if !responses.isEmpty { responses.removeAll(keepingCapacity: true) }
        if !reasoning.isEmpty { reasoning.removeAll(keepingCapacity: true) }
        if !thoughts.isEmpty { thoughts.removeAll(keepingCapacity: true) }
        toolCallID = nil
        finishReason = nil
    }
}

/// A node that is one message, and who speaks where it does not say.
struct ChatSource {
    let node: Int
    let role: ChatRole?
}
