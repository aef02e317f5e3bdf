package import Basics

extension HTTPHeader {
    /// Whether it can be sent: a name of token characters and a value without control characters (RFC 9110 section 5).
    package var isSendable: Bool {
        !name.isEmpty && name.utf8.allSatisfy(\.isTokenCharacter)
            && value.utf8.allSatisfy { $0 == UInt8(ascii: "\t") || $0 >= 0x20 && $0 != 0x7F }
    }
}

extension UInt8 {
    /// Whether RFC 9110 section 5.6.2 allows it in a field name.
    fileprivate var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}

extension Substring {
    /// Without spaces, tabs and line ends on both sides.
    package var trimmingWhitespace: Substring {
        var text = self
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}

/// A request sent under another server name: the name stands in the URL, so that libcurl asks for it and verifies it,
/// and the connection goes to the URL's own host.
struct ServerNameRoute {
    let url: String
    /// The value of `CURLOPT_CONNECT_TO`.
    let connectTo: String
    /// The value of the `Host` header: the destination's own.
    let host: String

    /// Nil where the URL is not `https`.
    init?(_ url: String, name: String) {
        let scheme = "https://"
        guard url.lowercased().hasPrefix(scheme) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let isAddress = authority.hasPrefix("[")
        let hostEnd = isAddress ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : nil
        let end = hostEnd ?? authority.firstIndex(of: ":") ?? authority.endIndex
        let port = authority[end...].dropFirst()
        self.url = "\(scheme)\(name)\(authority[end...])\(rest[authority.endIndex...])"
        connectTo = "\(name):\(port.isEmpty ? "443" : port):\(authority[..<end]):\(port.isEmpty ? "443" : port)"
        host = String(authority)
    }
}
