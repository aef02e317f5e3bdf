import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// Recorded log records of coding CLIs that sent no spans, as the traces that they become.
struct SessionTurnsTests {
    private static let map = Result { try MLflowMap(name: "map", settings: MLflowMapSettings()) }

    private func assemble() throws -> Assemble {
        var settings = AssembleSettings()
        settings.logSessions = true
        let route = MLflowExperiment(name: "route", settings: MLflowExperimentSettings())
        return Assemble(settings: settings, processors: [try Self.map.get(), route])
    }

    private func part(_ payload: [UInt8], identity: String? = nil) -> WholeTrace.Part {
        WholeTrace.Part(
            receivedAt: UnixTime(nanoseconds: 1),
            metadata: RecordMetadata(signal: .logs, identity: identity),
            payload: payload
        )
    }

    /// Each record of a request as a request of its own.
    private func pieces(_ request: [UInt8]) throws -> [[UInt8]] {
        let whole = try Envelope(request, signal: .logs)
        return try (0..<whole.unitCount).map { unit in
            var batch = whole
            for other in 0..<whole.unitCount where other != unit { batch.remove(other, as: .filtered) }
            return try #require(batch.encoded()).payload
        }
    }

    /// What a session looks like: by span its name, type, input, output, tokens and milliseconds.
    struct Page: Sendable, CustomTestStringConvertible {
        let file: String
        let service: String
        let session: String
        var user: String?
        let spans: [Line]

        var testDescription: String { file }
    }

    struct Line: Sendable, Equatable {
        let name: String
        let type: String
        var input: String?
        var output: String?
        var tokens: String?
        var milliseconds: UInt64?
    }

    static let pages = [
        Page(
            file: "clients/node-claude-code-1.logs.pb",
            service: "claude-code",
            session: "a50d3c27-5cd6-4b13-ae32-85e801fcb70d",
            user: "72361303dac5a3dd70a63f6db96ffc8183efd140db1621b52d535aed26bafa20",
            spans: [
                Line(
                    name: "invoke_agent claude-code",
                    type: "AGENT",
                    input: "What is the weather in Paris?",
                    output: "It is sunny in Paris.",
                    milliseconds: 153
                ),
                Line(
                    name: "execute_tool Read",
                    type: "TOOL",
                    input: #"{"file_path": "/srv/demo/node2/proj/a.txt"}"#,
                    milliseconds: 4
                ),
                Line(
                    name: "chat claude-opus-4-8",
                    type: "CHAT_MODEL",
                    input: "What is the weather in Paris?",
                    tokens: "14 7 21 $0.00023725",
                    milliseconds: 51
                ),
                Line(
                    name: "chat claude-opus-4-8",
                    type: "CHAT_MODEL",
                    output: "It is sunny in Paris.",
                    tokens: "14 7 21 $0.00023725",
                    milliseconds: 65
                ),
            ]
        ),
        Page(
            file: "clients/node-codex-1.logs.pb",
            service: "codex_exec",
            session: "01a22220-3da4-7492-9ac5-bdd511de0338",
            spans: [
                Line(
                    name: "invoke_agent codex_exec",
                    type: "AGENT",
                    input: "What is the weather in Paris?",
                    milliseconds: 85
                ),
                Line(
                    name: "chat gpt-5-codex",
                    type: "CHAT_MODEL",
                    input: "What is the weather in Paris?",
                    tokens: "11 7 18",
                    milliseconds: 51
                ),
            ]
        ),
        Page(
            file: "clients/node-gemini-cli-5.logs.json",
            service: "gemini-cli",
            session: "7c3a26af-1628-4679-8384-6000cd6bcaac",
            spans: [
                Line(
                    name: "invoke_agent gemini-cli",
                    type: "AGENT",
                    input: "Use a tool to list the directory",
                    output: "It is sunny in Paris. ",
                    milliseconds: 911
                ),
                Line(
                    name: "chat gemini-2.5-flash",
                    type: "CHAT_MODEL",
                    input: "Use a tool to list the directory",
                    tokens: "11 10 21",
                    milliseconds: 669
                ),
                Line(
                    name: "execute_tool list_directory",
                    type: "TOOL",
                    input: #"{"dir_path": "/srv/demo/node2/proj"}"#,
                    milliseconds: 51
                ),
                Line(
                    name: "chat gemini-2.5-flash",
                    type: "CHAT_MODEL",
                    output: "It is sunny in Paris. ",
                    tokens: "11 10 21",
                    milliseconds: 100
                ),
            ]
        ),
        Page(
            file: "clients/node-qwen-code-1.logs.json",
            service: "qwen-code",
            session: "ff2216c5-541b-4f86-89cd-4ea94fb4b889",
            spans: [
                Line(
                    name: "invoke_agent qwen-code",
                    type: "AGENT",
                    input: "What is the weather in Paris?",
                    output: "It is sunny in Paris.",
                    milliseconds: 1030
                ),
                Line(
                    name: "chat gpt-4o-mini",
                    type: "CHAT_MODEL",
                    input: "What is the weather in Paris?",
                    tokens: "11 7 18",
                    milliseconds: 37
                ),
                Line(
                    name: "execute_tool list_directory",
                    type: "TOOL",
                    input: #"{"path": "/srv/demo/node2/proj"}"#,
                    milliseconds: 13
                ),
                Line(
                    name: "chat gpt-4o-mini",
                    type: "CHAT_MODEL",
                    output: "It is sunny in Paris.",
                    tokens: "11 7 18",
                    milliseconds: 201
                ),
            ]
        ),
    ]

    @Test(arguments: pages)
    func `a session of log records reads as one trace a turn, in pieces and in any order`(page: Page) throws {
        let assemble = try assemble()
        let request = try Fixtures.request(page.file, .logs)
        let whole = try #require(assemble.turns(of: [part(request)], isLate: false).first)
        var random = SeededGenerator(seed: 7)
        let shuffled = try pieces(request).shuffled(using: &random)
        // One of them is sent twice.
        let again = assemble.turns(of: (shuffled + [shuffled[0]]).map { part($0) }, isLate: false)
        #expect(again.map(\.part.payload) == [whole.part.payload])
        let made = assemble.assemble(WholeTrace(key: whole.key, parts: [whole.part], reason: .complete))
        #expect(made.route == .experimentName(page.service))
        let (spans, entries) = (try readSpans(made.payload), try SpanBatch(made.payload).spans)
        #expect(spans.count == whole.spans && spans.allSatisfy { $0.trace == whole.key.trace })
        let root = try #require(spans.first)
        #expect(spans.allSatisfy { $0.isRoot ? $0.id == root.id : $0.parent == root.id })
        #expect(text(root["session.id"]) == page.session)
        #expect(text(root["user.id"]) == page.user)
        let lines = zip(spans, entries).map { line($0, $1.end - $1.start) }
        #expect(lines.sorted(by: order) == page.spans.sorted(by: order))
    }

    private func order(_ left: Line, _ right: Line) -> Bool { "\(left)" < "\(right)" }

    private func line(_ span: ReadSpan, _ nanoseconds: UInt64) -> Line {
        let isModel = text(span["mlflow.spanType"]) == "CHAT_MODEL"
        return Line(
            name: span.name,
            type: text(span["mlflow.spanType"]) ?? "",
            input: shown(span["mlflow.spanInputs"]),
            output: shown(span["mlflow.spanOutputs"]),
            tokens: isModel ? tokens(span) : nil,
            milliseconds: (nanoseconds + 500_000) / 1_000_000
        )
    }

    private func tokens(_ span: ReadSpan) -> String? {
        guard let usage = parsed(span["mlflow.chat.tokenUsage"]) else { return nil }
        let counts = ["input_tokens", "output_tokens", "total_tokens"].map { key in
            usage[key]?.integer.map { "\($0)" } ?? "?"
        }
        let cost = parsed(span["mlflow.llm.cost"])?["total_cost"]?.double
        return counts.joined(separator: " ") + (cost.map { " $\($0)" } ?? "")
    }

    /// Content as a person reads it: the text of a message, else JSON without spaces.
    private func shown(_ value: String?) -> String? {
        guard let value, let node = parsed(value) else { return nil }
        let inner = node.string.flatMap { try? JSONNode(parsing: Array($0.utf8)) } ?? node
        let messages = inner["messages"]?.elements ?? inner["choices"]?.elements?.compactMap { $0["message"] }
        guard let message = messages?.last else { return JSON(inner).lineText }
        return message["content"]?.string ?? message["content"]?.elements?.first?["text"]?.string
    }

    private func text(_ value: String?) -> String? {
        parsed(value)?.string.map { parsed($0)?.string ?? $0 }
    }

    private func parsed(_ value: String?) -> JSONNode? {
        value.flatMap { try? JSONNode(parsing: Array($0.utf8)) }
    }

    @Test func `the same session of another sender is another trace`() throws {
        let assemble = try assemble()
        let request = try Fixtures.bytes("clients/node-claude-code-1.logs.pb")
        let keys = [nil, "alice", "bob"].flatMap { name in
            assemble.turns(of: [part(request, identity: name)], isLate: false).map(\.key.trace)
        }
        #expect(Set(keys).count == 3)
        // Nothing of one becomes part of the other.
        let both = ["alice", "bob"].map { part(request, identity: $0) }
        let mixed = assemble.turns(of: both, isLate: false)
        #expect(mixed.map(\.key.trace) == [keys[1]] && mixed.map(\.joined) == [6])
    }

    @Test func `what comes behind a turn that was decided goes below its root`() throws {
        let assemble = try assemble()
        let pieces = try pieces(try Fixtures.bytes("clients/node-claude-code-1.logs.pb"))
        let first = try #require(assemble.turns(of: pieces.prefix(3).map { part($0) }, isLate: false).first)
        let late = try #require(assemble.turns(of: pieces.dropFirst(3).map { part($0) }, isLate: true).first)
        #expect(first.key == late.key)
        let root = try #require(try readSpans(first.part.payload).first)
        let spans = try readSpans(late.part.payload)
        #expect(spans.count == 2 && spans.allSatisfy { $0.parent == root.id })
    }

    @Test func `a session whose records do not name turns is divided by its questions`() throws {
        let assemble = try assemble()
        let request = try Fixtures.bytes("clients/node-codex-1.logs.pb")
        let later = try moved(request, by: 60_000_000_000)
        let turns = assemble.turns(of: [part(later), part(request)], isLate: false)
        #expect(Set(turns.map(\.key.trace)).count == 2)
        #expect(turns.map(\.spans) == [2, 2])
        #expect(turns[0].key == assemble.turns(of: [part(request)], isLate: false).first?.key)
        let sighting = try #require(assemble.turn(in: request, from: nil))
        #expect(!sighting.isOneTurn && sighting.isAnswered && sighting.begun.count == 1 && sighting.ended.isEmpty)
    }

    /// The same records with later times, which are 8 bytes behind their tags.
    private func moved(_ request: [UInt8], by nanoseconds: UInt64) throws -> [UInt8] {
        let batch = try Envelope(request, signal: .logs)
        var bytes = request
        for unit in 0..<batch.unitCount {
            let event = batch.logEvent(unit)
            let old = event.time.littleEndianBytes
            let place = try #require(
                event.field.first { Array(request[$0..<min($0 + 8, request.count)]) == old }
            )
            bytes.replaceSubrange(place..<place + 8, with: (event.time + nanoseconds).littleEndianBytes)
        }
        return bytes
    }

    @Test func `an error that ends a turn marks its root`() throws {
        let assemble = try assemble()
        let request = try Fixtures.bytes("clients/node-claude-code-7.logs.pb")
        let turn = try #require(assemble.turns(of: [part(request)], isLate: false).first)
        let spans = try readSpans(turn.part.payload)
        #expect(spans.map(\.name) == ["invoke_agent claude-code", "chat error-model"])
        #expect(spans.allSatisfy { $0.status == 2 && $0.statusMessage == "you broke it" })
    }

    @Test func `nothing is made of them unless it is asked for`() throws {
        let assemble = Assemble(settings: AssembleSettings(), processors: [])
        let request = try Fixtures.bytes("clients/node-claude-code-1.logs.pb")
        #expect(assemble.turn(in: request, from: nil) == nil)
        let batch = try Envelope(request, signal: .logs)
        #expect((0..<batch.unitCount).allSatisfy { assemble.turn($0, of: batch, from: nil) == nil })
    }
}

extension UInt64 {
    fileprivate var littleEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (8 * UInt64($0))) } }
}
