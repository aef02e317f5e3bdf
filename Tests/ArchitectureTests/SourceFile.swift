import Foundation
import Testing

/// One Swift file of `Sources`, as text.
struct SourceFile: CustomTestStringConvertible, Sendable {
    /// Its target.
    let module: String
    /// From `Sources` on.
    let path: String
    let lines: [String]

    var testDescription: String { path }

    /// The repository's top folder.
    static let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

    /// Every file but those that protoc wrote.
    static let all: [SourceFile] = {
        let root = repository.appending(path: "Sources")
        let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") && !$0.hasSuffix(".pb.swift") }.sorted().compactMap { path in
            guard let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8) else { return nil }
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            return SourceFile(module: String(path.prefix { $0 != "/" }), path: path, lines: lines)
        }
    }()

    /// The modules that it imports.
    var imports: Set<String> {
        let statements = code.compactMap { line in
            line.wholeMatch(
                of:
                    /\s*(?:@\w+ +)?(?:(?:package|internal|private|fileprivate|public) +)?import +(?:(?:struct|enum|class|func|var|protocol) +)?(\w+).*/
            )
        }
        return Set(statements.map { String($0.1) })
    }

    /// The lines without comments and without the text of string literals.
    var code: [String] {
        var isInText = false
        return lines.map { line in
            if line.contains("\"\"\"") {
                isInText.toggle()
                return ""
            }
            guard !isInText else { return "" }
            let bare = line.replacing(/#".*?"#|"(?:\\.|[^"\\])*"/, with: "\"\"")
            return bare.firstRange(of: "//").map { String(bare[..<$0.lowerBound]) } ?? bare
        }
    }

    /// The functions and initialisers, with the line they begin at and how many lines they take.
    var functions: [(line: Int, length: Int)] {
        let code = code
        return code.indices.compactMap { start in
            guard code[start].contains(/^\s*(?:[\w@()]+ +)*(?:func|init|deinit|subscript)\b/) else { return nil }
            return length(of: code[start...]).map { (line: start + 1, length: $0) }
        }
    }

    /// Lines up to the brace that closes the first one opened; nil for a declaration without a body.
    private func length(of code: ArraySlice<String>) -> Int? {
        var depth = 0
        var isOpen = false
        for (index, line) in code.enumerated() {
            // A requirement of a protocol ends where the next declaration or the protocol's brace comes.
            let endsBefore =
                index > 0 && (line.isEmpty || line.contains(/^\s*(?:\}|(?:[\w@()]+ +)*(?:func|init|var|let)\b)/))
            if !isOpen && endsBefore { return nil }
            for character in line where character == "{" || character == "}" {
                depth += character == "{" ? 1 : -1
                isOpen = isOpen || character == "{"
            }
            if isOpen && depth <= 0 { return index + 1 }
        }
        return nil
    }
}
