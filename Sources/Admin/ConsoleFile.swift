import Basics
import CEmbedded

/// A file of the console page, compiled in.
///
/// It is part of the program and holds nothing of this process, so that it is for everybody: the page then asks with the token.
struct ConsoleFile: Equatable {
    /// Where it is served; the page itself at `/`.
    let path: String
    private let index: Int

    /// Nil where no file is served at that path.
    init?(_ path: some StringProtocol) {
        guard let index = Self.places[String(path)] else { return nil }
        self.path = String(path)
        self.index = index
    }

    /// The places of files by their paths.
    private static let places = Dictionary(
        uniqueKeysWithValues: (0..<millrace_console_file_count()).map { index in
            let name = unsafe String(cString: millrace_console_file_name(index))
            return (name == "index.html" ? "/" : "/console/\(name)", index)
        }
    )

    /// Whether a path is that of a file.
    static func isServed(at path: Substring) -> Bool { places[String(path)] != nil }

    var bytes: [UInt8] {
        unsafe Array(
            UnsafeBufferPointer(start: millrace_console_file_bytes(index), count: millrace_console_file_size(index))
        )
    }

    var contentType: String {
        if path == "/" { return "text/html; charset=utf-8" }
        if path.hasSuffix(".js") { return "text/javascript; charset=utf-8" }
        if path.hasSuffix(".json") { return "application/json" }
        return path.hasSuffix(".css") ? "text/css; charset=utf-8" : "image/svg+xml"
    }
}
