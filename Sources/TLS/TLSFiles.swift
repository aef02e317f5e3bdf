import Basics

/// What the files of a server's `tls` hold, or why they cannot be read.
struct TLSFiles: Equatable, Sendable {
    typealias Content = Result<[UInt8], FileReadError>

    /// Larger files are refused; bundles of all public authorities have 250 KiB.
    static let bytesMax = ByteCount.mebibytes(4)

    let certificate: Content
    let key: Content
    /// Nil where clients need no certificate.
    let clientCA: Content?

    init(_ settings: ServerTLSSettings, read: (String) -> Content) {
        certificate = read(settings.certificate)
        key = settings.key.map(read) ?? certificate
        clientCA = settings.clientCA.map(read)
    }

    /// What the disk has now; blocks.
    static func onDisk(_ settings: ServerTLSSettings) -> TLSFiles {
        TLSFiles(settings) { path in
            Result { () throws(FileReadError) in
                try checkRegularFile(path)
                return try readFile(path, max: bytesMax)
            }
        }
    }
}

/// Decides when files are looked into again: once they are other than those judged last, and the same at two looks in a row,
/// so that files that are replaced one after the other, or written slowly, are not taken halfway.
struct ReloadGate: Sendable {
    private var judged: TLSFiles
    private var seen: TLSFiles

    /// - Parameter files: Those that are served.
    init(serving files: TLSFiles) {
        judged = files
        seen = files
    }

    /// Whether what a look found is to be judged now; it then counts as judged.
    mutating func isDue(_ found: TLSFiles) -> Bool {
        defer { seen = found }
        guard found == seen, found != judged else { return false }
        judged = found
        return true
    }
}
