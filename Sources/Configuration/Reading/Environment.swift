package import Basics
import Glibc

/// Where `${env:…}` and `${file:…}` get their values; tests pass their own.
package struct Environment: Sendable {
    /// The value of an environment variable; nil where it is not set.
    package let variable: @Sendable (_ name: String) -> String?
    /// The bytes of a file.
    package let file: @Sendable (_ path: String) -> Result<[UInt8], FileReadError>

    package init(
        variable: @escaping @Sendable (_ name: String) -> String?,
        file: @escaping @Sendable (_ path: String) -> Result<[UInt8], FileReadError>
    ) {
        self.variable = variable
        self.file = file
    }

    /// The same without files that a read may wait for: a pipe that gave a secret once gives it to nobody again.
    var withoutPipes: Environment {
        Environment(variable: variable) { path in
            Result { () throws(FileReadError) in try checkRegularFile(path) }.flatMap { file(path) }
        }
    }

    /// The process's own environment and file system.
    package static let process = Environment(
        variable: { name in unsafe getenv(name).map { unsafe String(cString: $0) } },
        file: { path in Result { () throws(FileReadError) in try readFile(path, max: fileMax) } }
    )
}

/// The largest file that is read as configuration; a larger one is refused.
private let fileMax = ByteCount.mebibytes(16)
