import Basics

/// Headers that belong to one connection or one body, so that a client's must not be sent on (RFC 9110 section 7.6.1).
private let ownHeaders: Set<String> = [
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
]

extension [HTTPHeader] {
    /// The exporter's headers together with those that clients sent.
    ///
    /// A client's header replaces a configured one of the same name, which so is its default; those in `fixed` (lower
    /// case) and those that belong to a connection or a body are never a client's.
    func forwarding(_ clients: [HTTPHeader], except fixed: Set<String> = []) -> [HTTPHeader] {
        let forwarded = clients.filter { header in
            let name = header.name.lowercased()
            return !ownHeaders.contains(name) && !fixed.contains(name)
        }
        let replaced = Set(forwarded.map { $0.name.lowercased() })
        return filter { !replaced.contains($0.name.lowercased()) } + forwarded
    }
}
