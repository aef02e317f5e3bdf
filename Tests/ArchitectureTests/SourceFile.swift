import Foundation
import Testing

/// One Swift file of `Sources`, as text.
struct SourceFile: CustomTestStringConvertible, Sendable {
    /// Its target.
    let module: String
    /// From `Sources` on.
    let path: String
    let lines: [String]
    /// The lines without comments and without the text of string literals.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        module = String(path.prefix { $0 != "/" })
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var isInText = false
        code = lines.map { line in
            if line.contains("\"\"\"") {
                isInText.toggle()
                return ""
            }
            guard !isInText else { return "" }
            let bare = line.contains("\"") ? line.replacing(/#".*?"#|"(?:\\.|[^"\\])*"/, with: "\"\"") : line
            return bare.firstRange(of: "//").map { String(bare[..<$0.lowerBound]) } ?? bare
        }
    }

    var testDescription: String { path }

    /// The repository's top folder.
    static let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// Paths of the project's own sources, scripts and documents: everything but what is built, hidden or data.
    static func trackedTexts() throws -> [String] {
        let texts = ["swift", "c", "cpp", "h", "py", "json", "md", "lua", "txt", "ini"]
        var paths = ["Makefile", "Dockerfile", "Package.swift", "README.md", ".ci/run"]
        for folder in ["Sources", "Tests", "pipelines"] {
            let root = repository.appending(path: folder).path
            let all = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
            paths += all.filter { path in
                texts.contains { path.hasSuffix("." + $0) } && !(folder == "Tests" && path.hasPrefix("Data/"))
            }.map { "\(folder)/\($0)" }
        }
        return paths
    }

    /// Every file but those that protoc wrote.
    static let all: [SourceFile] = {
        let root = repository.appending(path: "Sources")
        let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") && !$0.hasSuffix(".pb.swift") }.sorted().compactMap { path in
            guard let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8) else { return nil }
            return SourceFile(path: path, text: text)
        }
    }()

    /// The modules that it imports.
    var imports: Set<String> {
        let statements = code.filter { $0.contains("import ") }.compactMap { line in
            line.wholeMatch(of: /\s*(?:@\w+ +)?(?:\w+ +)?import +(?:(?:struct|enum|class|func|var|protocol) +)?(\w+).*/)
        }
        return Set(statements.map { String($0.1) })
    }

    /// The functions and initialisers, with the line they begin at and how many lines they take.
    var functions: [(line: Int, length: Int)] {
        code.indices.compactMap { start in
            guard Self.beginsFunction(code[start]) else { return nil }
            return length(of: code[start...]).map { (line: start + 1, length: $0) }
        }
    }

    private static func beginsFunction(_ line: String) -> Bool {
        guard ["func ", "init", "deinit", "subscript"].contains(where: line.contains) else { return false }
        return line.contains(/^\s*(?:[\w@()]+ +)*(?:func|init|deinit|subscript)\b/)
    }

    /// Lines up to the brace that closes the first one opened; nil for a declaration without a body.
    private func length(of code: ArraySlice<String>) -> Int? {
        var depth = 0
        var isOpen = false
        for (index, line) in code.enumerated() {
            // A requirement of a protocol ends where the next declaration or the protocol's brace comes.
            let isNext = line.isEmpty || line.contains(/^\s*\}/) || Self.beginsFunction(line)
            if !isOpen && index > 0 && isNext { return nil }
            for byte in line.utf8 where byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") {
                depth += byte == UInt8(ascii: "{") ? 1 : -1
                isOpen = isOpen || depth > 0
            }
            if isOpen && depth <= 0 { return index + 1 }
        }
        return nil
    }
}
