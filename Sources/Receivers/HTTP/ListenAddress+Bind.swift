import Basics
import Glibc
import NIOCore
import NIOPosix

extension ListenAddress {
    /// Binds a server socket here.
    ///
    /// A socket file that nobody listens on any more, left by a process that was killed, is replaced.
    func bind(_ bootstrap: ServerBootstrap) async throws(ListenError) -> any Channel {
        do {
            switch self {
            case .tcp(let host, let port): return try await bootstrap.bind(host: host, port: port).get()
            case .unix(let path):
                do {
                    return try await bootstrap.bind(unixDomainSocketPath: path).get()
                } catch let error as IOError where error.errnoCode == EADDRINUSE {
                    guard !isAnsweredOnSocketFile else { throw error }
                    return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
                }
            }
        } catch {
            throw ListenError(self, error)
        }
    }

    /// This address with the port that the system chose.
    func bound(to local: SocketAddress?) -> ListenAddress {
        guard case .tcp(let host, _) = self, let port = local?.port else { return self }
        return .tcp(host: host, port: port)
    }
}
