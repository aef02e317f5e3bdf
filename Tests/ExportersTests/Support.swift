import Basics
import Synchronization
import TestKit

@testable import Exporters

/// Reads files for the tests of this module.
let files = SerialThread(name: "files")

extension HTTPClient {
    /// The same client, with credentials.
    func authorized(_ credentials: Credentials = Credentials(), tokens: TokenSource? = nil) -> AuthorizedClient {
        AuthorizedClient(client: self, credentials: CredentialStore(credentials, tokens: tokens, files: files))
    }
}

/// A secret in a file that a test rewrites; nil for a file that cannot be read.
final class SecretFile: Sendable {
    private let content: Mutex<String?>

    init(_ content: String) {
        self.content = Mutex(content)
    }

    /// The secret as it was read at first.
    var secret: Secret { Secret(content.withLock { $0 } ?? "") { self.content.withLock { $0 } } }

    func write(_ content: String?) {
        self.content.withLock { $0 = content }
    }
}
