import Glibc

extension String {
    /// The path from the root, of one that may be relative to the working directory, without `.`, `..` and doubled slashes;
    /// links are not followed.
    package var absolutePath: String {
        var parts: [Substring] = []
        let whole = hasPrefix("/") ? self : Self.workingDirectory + "/" + self
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static var workingDirectory: String {
        guard let path = unsafe getcwd(nil, 0) else { return "" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}
