import Glibc

/// A listening socket that a service manager opened and handed to the process.
package struct GivenSocket: Hashable, Sendable {
    /// Open, and closed on exec; whoever serves it closes it, without a shutdown and without removing a socket's file.
    package let descriptor: Int32
    /// Where it listens.
    package let address: ListenAddress

    /// Checks that the descriptor is a stream socket that listens; nil where it is not.
    package init?(descriptor: Int32) {
        guard fcntl(descriptor, F_GETFD) >= 0,
            Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
            Self.option(SO_ACCEPTCONN, of: descriptor) == 1,
            let address = Self.address(of: descriptor)
        else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        self.descriptor = descriptor
        self.address = address
    }

    /// Makes the kernel's queue as long as the system allows, so that connections wait there between two processes.
    package func lengthenQueue() {
        listen(descriptor, Self.queueMax)
    }

    /// What the kernel takes at most by default.
    private static let queueMax: Int32 = 4096

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    private static func address(of descriptor: Int32) -> ListenAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isKnown = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
        }
        guard isKnown else { return nil }
        let family = Int32(storage.ss_family)
        return withUnsafeBytes(of: &storage) { bytes in
            switch family {
            case AF_INET:
                let address = bytes.loadUnaligned(as: sockaddr_in.self)
                return numeric(AF_INET, address.sin_addr).map {
                    .tcp(host: $0, port: Int(UInt16(bigEndian: address.sin_port)))
                }
            case AF_INET6:
                let address = bytes.loadUnaligned(as: sockaddr_in6.self)
                return numeric(AF_INET6, address.sin6_addr).map {
                    .tcp(host: $0, port: Int(UInt16(bigEndian: address.sin6_port)))
                }
            case AF_UNIX:
                // An abstract name begins with a zero and is written with "@" by convention.
                let start = MemoryLayout<sa_family_t>.size
                let name = bytes[start..<max(start, min(Int(length), bytes.count))]
                let isAbstract = name.first == 0
                let text = isAbstract ? name.dropFirst() : name.prefix { $0 != 0 }
                return .unix(path: (isAbstract ? "@" : "") + String(decoding: text, as: UTF8.self))
            default: return nil
            }
        }
    }

    private static func numeric<Address>(_ family: Int32, _ address: Address) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let isWritten = withUnsafePointer(to: address) { inet_ntop(family, $0, &text, socklen_t(text.count)) != nil }
        return isWritten ? String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}

/// Why the sockets of the service manager cannot be used; the text says what is wrong and what is allowed.
package struct GivenSocketError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// The sockets of a service manager, by the name that they were given (sd_listen_fds(3)).
package struct GivenSockets: Sendable {
    /// The name of the admin endpoint's sockets.
    package static let adminName = "admin"
    /// The first descriptor that is handed over.
    private static let firstDescriptor: Int32 = 3
    private static let countMax = 1024
    /// What a socket is called where nothing names it.
    private static let unnamed = "unknown"
    private static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    private let sockets: [String: [GivenSocket]]

    /// The sockets of that name, in the order given; often none.
    package subscript(name: String) -> [GivenSocket] { sockets[name] ?? [] }

    /// No sockets.
    package init() {
        sockets = [:]
    }

    /// Takes the sockets from the environment and removes the variables from it.
    ///
    /// Before other threads read the environment.
    ///
    /// - Parameter receivers: Names that a socket may have, besides `admin`.
    /// - Returns: The sockets; none where the variables are not set.
    /// - Throws: Where a name is unknown, a descriptor does not listen, or the variables contradict each other.
    package static func take(for receivers: [String]) throws(GivenSocketError) -> GivenSockets {
        var values: [String: String] = [:]
        for name in variables {
            values[name] = getenv(name).map { String(cString: $0) }
            unsetenv(name)
        }
        return try GivenSockets(values, process: getpid(), receivers: receivers, first: firstDescriptor)
    }

    /// Reads the variables.
    ///
    /// - Parameters:
    ///   - variables: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, as far as they are set.
    ///   - process: The id of this process; sockets for another one are ignored.
    ///   - receivers: Names that a socket may have, besides `admin`.
    ///   - first: The first descriptor.
    /// - Throws: As `take(for:)`.
    package init(
        _ variables: [String: String],
        process: Int32,
        receivers: [String],
        first: Int32
    ) throws(GivenSocketError) {
        guard let owner = variables["LISTEN_PID"], let number = variables["LISTEN_FDS"] else {
            sockets = [:]
            return
        }
        guard let owner = Int32(owner) else {
            throw GivenSocketError(description: "LISTEN_PID is \"\(owner)\"; expected the id of a process")
        }
        guard owner == process else {
            sockets = [:]
            return
        }
        guard let count = Int(number), (0...Self.countMax).contains(count) else {
            throw GivenSocketError(description: "LISTEN_FDS is \"\(number)\"; expected 0 to \(Self.countMax)")
        }
        let names =
            variables["LISTEN_FDNAMES"].map {
                $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            }
            ?? Array(repeating: Self.unnamed, count: count)
        guard count == 0 || names.count == count else {
            throw GivenSocketError(description: "LISTEN_FDNAMES has \(names.count) names for \(count) sockets")
        }
        sockets = try Self.checked(names.prefix(count), allowed: receivers + [Self.adminName], first: first)
    }

    private static func checked(
        _ names: ArraySlice<String>,
        allowed: [String],
        first: Int32
    ) throws(GivenSocketError) -> [String: [GivenSocket]] {
        var sockets: [String: [GivenSocket]] = [:]
        for (descriptor, name) in zip(first..., names) {
            guard allowed.contains(name) else {
                let choice = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
                throw GivenSocketError(
                    description:
                        "descriptor \(descriptor) of the service manager is called \"\(name)\"; allowed are \(choice) "
                        + "(LISTEN_FDNAMES; FileDescriptorName= in a systemd socket unit)"
                )
            }
            guard let socket = GivenSocket(descriptor: descriptor) else {
                throw GivenSocketError(
                    description:
                        "descriptor \(descriptor) of the service manager (\"\(name)\") is no stream socket that listens"
                )
            }
            sockets[name, default: []].append(socket)
        }
        return sockets
    }
}
