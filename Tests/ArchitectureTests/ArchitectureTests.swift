import Foundation
import Testing

/// Rules about the source text itself: what may import what, how long things may grow, what has to be explained.
@Suite struct ArchitectureTests {
    /// The modules of this package that each module may import, lowest layer first.
    static let layers: KeyValuePairs<String, Set<String>> = [
        "Basics": ["CMachine", "COpenSSL"],
        "OTLP": ["Basics"],
        "Journal": ["Basics"],
        "Settings": ["Basics"],
        "HTTPClient": ["Basics", "CCurl"],
        "Conditions": ["Basics", "OTLP", "Settings", "CRE2"],
        "MLflow": ["Basics", "OTLP", "Settings", "Conditions", "CEmbedded"],
        "Pipeline": ["Basics", "OTLP", "Journal", "Settings", "Conditions"],
        "TLS": ["Basics", "Settings", "Pipeline"],
        "NATS": ["Basics", "Settings", "COpenSSL"],
        "Receivers": ["Basics", "OTLP", "Settings", "Conditions", "Pipeline", "TLS", "NATS", "CZlib"],
        "Processors": ["Basics", "OTLP", "Settings", "Conditions", "MLflow", "Pipeline"],
        "Exporters": [
            "Basics", "OTLP", "Journal", "Settings", "Conditions", "HTTPClient", "MLflow", "Pipeline", "NATS",
            "CZlib",
        ],
        "Admin": ["Basics", "Pipeline", "TLS", "CEmbedded"],
        "Configuration": [
            "Basics", "OTLP", "Journal", "Settings", "Conditions", "MLflow", "Pipeline", "NATS", "Receivers",
            "Processors", "Exporters",
            "Admin", "TLS", "CEmbedded",
        ],
        "Millrace": [
            "Basics", "OTLP", "Configuration", "Admin", "HTTPClient", "Journal", "Pipeline", "Settings", "CChild",
        ],
    ]

    @Test(arguments: SourceFile.all)
    func `a file imports only the layers below its own`(file: SourceFile) throws {
        let allowed = try #require(Self.layers.first { $0.key == file.module }?.value, "unlisted module")
        let ours = Set(Self.layers.map(\.key)).union([
            "CMachine", "CEmbedded", "CRE2", "CCurl", "COpenSSL", "CZlib", "CChild",
        ])
        #expect(file.imports.intersection(ours).subtracting(allowed).isEmpty)
    }

    @Test(arguments: SourceFile.all)
    func `NIO, curl and Foundation stay where they belong`(file: SourceFile) {
        if !["TLS", "NATS", "Receivers", "Admin"].contains(file.module) {
            #expect(file.imports.filter { $0.hasPrefix("NIO") || $0.hasPrefix("_NIO") }.isEmpty)
        }
        if !["TLS", "NATS"].contains(file.module) { #expect(!file.imports.contains("NIOSSL")) }
        if file.module != "HTTPClient" { #expect(!file.imports.contains("CCurl")) }
        #expect(file.imports.filter { $0.hasPrefix("Foundation") }.isEmpty)
    }

    @Test(arguments: SourceFile.all)
    func `a file fits in a reader's head`(file: SourceFile) {
        #expect(file.lines.count <= 401, "400 lines and what follows the last line break")
        for function in file.functions {
            #expect(function.length <= 60, "the function at line \(function.line)")
        }
    }

    @Test(arguments: SourceFile.all)
    func `every declaration other modules can see says what it is for`(file: SourceFile) {
        for (index, line) in file.lines.enumerated() where line.hasPrefix("package ") && !line.contains("import ") {
            let before = file.lines[..<index].last { !$0.hasPrefix("@") }
            #expect(before?.hasPrefix("///") == true, "line \(index + 1)")
        }
    }

    @Test(arguments: SourceFile.all)
    func `nothing is left for later and nothing crashes on data`(file: SourceFile) {
        for (index, line) in file.lines.enumerated() where ["TODO", "FIXME", "XXX"].contains(where: line.contains) {
            Issue.record("line \(index + 1)")
        }
        for (index, line) in file.code.enumerated() where ["!", "public"].contains(where: line.contains) {
            #expect(!line.contains("try!") && !line.contains(" as! "), "line \(index + 1)")
            #expect(!line.contains(/(?:^|\s)public\b/), "line \(index + 1)")
        }
    }

    @Test(arguments: SourceFile.all)
    func `what the compiler cannot check stands in few places`(file: SourceFile) {
        let boundary = [
            "Basics/", "HTTPClient/Curl", "Conditions/RegularExpression.swift", "OTLP/Wire/ByteSink.swift",
            "Processors/Pool.swift",
        ]
        let mayShare = boundary.contains(where: file.path.hasPrefix)
        for (index, line) in file.code.enumerated() where line.contains("@unchecked") || line.contains("unsafeLoad") {
            #expect(mayShare || !line.contains("@unchecked Sendable"), "line \(index + 1)")
            #expect(file.path == "Basics/RawSpan+Loads.swift" || !line.contains("unsafeLoad"), "line \(index + 1)")
        }
    }

    @Test func `a clone is enough: nothing of the project looks above its root`() throws {
        let places = ["../" + "shared", "MILLRACE_" + "SHARED"]
        for path in try SourceFile.trackedTexts() {
            let text = try String(contentsOf: SourceFile.repository.appending(path: path), encoding: .utf8)
            for place in places where text.contains(place) { Issue.record("\(path) names \(place)") }
        }
    }

    @Test func `every dependency is named with its exact version`() throws {
        let manifest = try String(contentsOf: SourceFile.repository.appending(path: "Package.swift"), encoding: .utf8)
        let dependencies = manifest.matches(of: /\.package\(url: "[^"]+", ([a-z]+):/).map(\.1)
        #expect(dependencies.count >= 5)
        #expect(dependencies.allSatisfy { $0 == "exact" })
    }

    @Test func `every target of the package is listed here, and has files`() throws {
        let manifest = try String(contentsOf: SourceFile.repository.appending(path: "Package.swift"), encoding: .utf8)
        let targets = manifest.matches(of: /layer\(\s*"(\w+)"|executableTarget\(\s*name: "(\w+)"/)
            .compactMap { ($0.1 ?? $0.2).map(String.init) }
            .filter { !["Benchmarks", "Fuzz"].contains($0) }
        #expect(targets.count > 10)
        #expect(Set(targets).isSubset(of: Self.layers.map(\.key)))
        #expect(Set(targets).isSubset(of: SourceFile.all.map(\.module)))
    }

    @Test func `functions are measured from their first line to their closing brace`() {
        let text = #"""
            protocol P {
                func required(_ a: Int) -> Int
                init()
            }
            struct S {
                init() {}
                @discardableResult
                package func outer(
                    _ a: Int
                ) -> String {
                    func inner() { print("}") }  // }
                    return "{"
                }
            }
            """#
        let functions = SourceFile(path: "Basics/S.swift", text: text).functions
        #expect(functions.map(\.line) == [6, 8, 11])
        #expect(functions.map(\.length) == [1, 6, 1])
    }
}
