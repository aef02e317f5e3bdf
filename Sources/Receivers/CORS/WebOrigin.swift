import Basics

/// The origin of a web page as browsers write it (Fetch standard, section "Origin header"): `scheme://host[:port]` in lower case
/// and without a default port.
struct WebOrigin {
    private static let lengthMax = 300
    private static let defaultPorts = ["http": "80", "https": "443"]

    private let host: Substring

    /// Nil where the text is in any other form.
    ///
    /// - Parameters:
    ///   - text: What may be an origin.
    ///   - isPattern: Whether `*` and `?` may stand in the host, and `*` in place of the port.
    init?(_ text: String, asPattern isPattern: Bool = false) {
        guard text.utf8.count <= Self.lengthMax, let mark = text.firstRange(of: "://") else { return nil }
        let (scheme, rest) = (text[..<mark.lowerBound], text[mark.upperBound...])
        guard let first = scheme.utf8.first, first.isLower,
            scheme.utf8.allSatisfy({ $0.isLower || $0.isDigit || "+-.".utf8.contains($0) })
        else { return nil }
        let end = Self.endOfHost(in: rest)
        host = rest[..<end]
        guard Self.isHost(host, asPattern: isPattern) else { return nil }
        guard end < rest.endIndex else { return }
        let port = rest[end...].dropFirst()
        let isNumber = UInt16(port).map { "\($0)" == port && $0 > 0 } ?? false
        guard rest[end] == ":", isNumber || (isPattern && port == "*"),
            Self.defaultPorts[String(scheme)] != String(port)
        else { return nil }
    }

    /// Whether a pattern matches every host.
    var hasEveryHost: Bool { host == "*" }

    /// Whether a pattern matches hosts that others own, as `*.com`, `*example.com` and `example.*` do.
    var hasForeignHosts: Bool {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard !hasEveryHost, let last = labels.last else { return false }
        let isWild = { (label: Substring) in label.contains { $0 == "*" || $0 == "?" } }
        let isAddress = last.utf8.allSatisfy(\.isDigit)
        if isAddress { return labels.contains(where: isWild) }
        return isWild(last) || last != "localhost" && labels.dropLast().last.map(isWild) ?? false
    }

    /// The origin that somebody meant who wrote an address or capitals; nil where it cannot be told.
    static func nearest(to text: String) -> String? {
        guard let mark = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<mark.lowerBound].lowercased()
        var authority = text[mark.upperBound...].prefix { !"/?#".contains($0) }.lowercased()
        if let port = defaultPorts[scheme], authority.hasSuffix(":\(port)") { authority.removeLast(port.count + 1) }
        let origin = "\(scheme)://\(authority)"
        return WebOrigin(origin) == nil ? nil : origin
    }

    private static func endOfHost(in rest: Substring) -> Substring.Index {
        let start = rest.hasPrefix("[") ? rest.firstIndex(of: "]") ?? rest.startIndex : rest.startIndex
        return rest[start...].firstIndex(of: ":") ?? rest.endIndex
    }

    private static func isHost(_ host: Substring, asPattern isPattern: Bool) -> Bool {
        if host.hasPrefix("[") {
            let isAddress = { (byte: UInt8) in
                byte.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) || ":.".utf8.contains(byte)
            }
            return host.hasSuffix("]") && host.utf8.dropFirst().dropLast().allSatisfy(isAddress)
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty
                && label.utf8.allSatisfy {
                    $0.isLower || $0.isDigit || "-_".utf8.contains($0) || (isPattern && "*?".utf8.contains($0))
                }
        }
    }
}

extension UInt8 {
    fileprivate var isLower: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
}
