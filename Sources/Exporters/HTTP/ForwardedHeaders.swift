import Basics

/// Headers that belong to one connection or one body, so that a client's must not be sent on (RFC 9110 section 7.6.1).
private let ownHeaders: Set<String> = [
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
]

extension [HTTPHeader] {
    /// What may be sent on of a client's headers: none in `fixed` (lower case), and none of a connection or a body.
    func forwardable(except fixed: Set<String> = []) -> [HTTPHeader] {
        filter { header in
            let name = header.name.lowercased()
            return !ownHeaders.contains(name) && !name.hasPrefix("grpc-") && !fixed.contains(name)
        }
    }
}
