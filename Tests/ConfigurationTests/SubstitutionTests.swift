import Basics
import Configuration
import Exporters
import Settings
import Testing

@Suite struct SubstitutionTests {
    private static let environment = Environment.fixed(
        variables: ["NAME": "spans", "EMPTY": "", "DOLLAR": "${env:NAME}"],
        files: ["/run/path": "from-file\n", "/run/lines": "a\nb\n\n"]
    )

    @Test(arguments: [
        ("plain", "plain"), ("${env:NAME}", "spans"), ("a-${env:NAME}-${env:NAME}.jsonl", "a-spans-spans.jsonl"),
        ("${env:NAME:-other}", "spans"), ("${env:MISSING:-other}", "other"), ("${env:EMPTY:-other}", "other"),
        ("x${env:EMPTY}", "x"), ("x${env:MISSING:-}", "x"), ("${env:MISSING:-a:-b}", "a:-b"),
        ("$$", "$"), ("$${env:NAME}", "${env:NAME}"), ("a$b", "a$b"), ("a$", "a$"), ("$$$$", "$$"),
        ("${env:DOLLAR}", "${env:NAME}"), ("${file:/run/path}", "from-file"), ("${file:/run/lines}", "a\nb\n"),
    ])
    func `a string takes values from outside`(written: String, value: String) throws {
        let text = file(["exporters": #"{"out": {"type": "file", "path": "\#(written)"}}"#])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: Self.environment)
        let settings = file.exporters[0].settings.destination as? FileSettings
        #expect(settings?.path == value)
    }

    @Test(arguments: [
        (
            "${env:MISSING}",
            #"the environment variable "MISSING" is not set; set it, or give a default: ${env:MISSING:-default}"#
        ),
        ("${file:/no}", #"the file "/no" cannot be read: no such file"#),
        (
            "${NAME}",
            #""${NAME}" is not known; allowed: ${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a dollar sign"#
        ),
        (
            "a${env:NAME",
            #""${" is not closed; allowed: ${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a dollar sign"#
        ),
    ])
    func `what cannot be replaced is named`(written: String, message: String) {
        let text = file(["exporters": #"{"out": {"type": "file", "path": "\#(written)"}}"#])
        #expect(problems(of: text, in: Self.environment) == ["f.json:3:47: /exporters/out/path: \(message)"])
    }

    @Test func `a size may come from the environment`() throws {
        let text = file(["memory_limit": #""${env:LIMIT}""#])
        let environment = Environment.fixed(variables: ["LIMIT": "1GiB"])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: environment)
        #expect(file.memoryLimit == .gibibytes(1))
    }
}
