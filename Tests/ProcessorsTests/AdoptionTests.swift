import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// Spans whose parents a filter dropped in other requests of their trace.
struct AdoptionTests {
    /// Spans that a filter dropped, each with its parent, and the parent that every kept one gets.
    @Test(
        arguments: [
            ("the root", [(1, nil, false)], [(2, 1, nil)]),
            ("a chain of them", [(3, 2, false), (2, 1, false)], [(1, 0, 0), (4, 3, 1)]),
            ("a chain up to the root", [(2, 1, false), (1, nil, false)], [(3, 2, nil), (4, 3, 3)]),
            ("with a parent elsewhere", [(2, 9, true)], [(3, 2, 9)]),
            ("a circle", [(2, 3, false), (3, 2, false)], [(4, 3, nil)]),
            ("a circle of one", [(2, 2, false)], [(4, 2, nil)]),
            ("two below a circle", [(2, 3, false), (3, 2, false)], [(1, 0, 0), (4, 3, 1), (5, 2, 1)]),
            ("beside a root", [(2, nil, false)], [(1, 0, 0), (4, 2, 1)]),
            ("a root above several", [(1, nil, false)], [(2, 1, 1), (3, 1, 1)]),
            ("another one", [(7, nil, false)], [(1, 0, 0), (4, 3, 3)]),
        ] as [(String, [(UInt64, UInt64?, Bool)], [(id: UInt64, parent: UInt64, new: UInt64?)])]
    )
    func `spans below dropped ones get the nearest that stays`(
        name: String,
        dropped: [(UInt64, UInt64?, Bool)],
        kept: [(id: UInt64, parent: UInt64, new: UInt64?)]
    ) throws {
        let tombstones = dropped.map { span, parent, isRemote in
            Tombstone(SpanID(span), parent: parent.map { SpanID($0) }, isParentRemote: isRemote)
        }
        let parts = (kept.map { tracesRequest([TestSpan("s", id: $0.id, parent: $0.parent)]) } + [[]]).map { payload in
            WholeTrace.Part(
                receivedAt: UnixTime(nanoseconds: 1),
                metadata: RecordMetadata(signal: .traces),
                payload: payload
            )
        }
        for index in parts.indices {
            var metadata = RecordMetadata(signal: .traces)
            metadata.tombstones = tombstones
            var with = parts
            with[index] = WholeTrace.Part(
                receivedAt: parts[index].receivedAt,
                metadata: metadata,
                payload: parts[index].payload
            )
            for parts in [with, with.reversed()] {
                let trace = WholeTrace(key: TraceKey(TraceID(high: 0, low: 7)), parts: parts, reason: .complete)
                let made = Assemble(settings: AssembleSettings(), processors: []).assemble(trace)
                let batch = try SpanBatch(made.payload)
                let found = Dictionary(uniqueKeysWithValues: batch.spans.map { ($0.spanID.value, $0.parentID?.value) })
                for span in kept {
                    #expect(found[span.id] == .some(span.new == 0 ? nil : span.new), "\(name): \(span.id)")
                }
                // Several below a dropped root get one together.
                #expect(made.created == (name == "a root above several" ? 1 : 0))
            }
        }
    }

    /// Each of many spans below a long chain of dropped ones.
    @Test func `a chain of dropped spans is walked once`() {
        let count = UInt64(20_000)
        let chain = (2...count).map { Tombstone(SpanID($0), parent: SpanID($0 - 1)) }
        let spans = [TestSpan("root", id: 1)] + (1...count).map { TestSpan("s", id: count + $0, parent: count) }
        let heads = SpanHead.all(in: tracesRequest(spans))
        var links: [(span: Int, link: ParentLink)] = []
        let time = ContinuousClock().measure { links = Adoption(heads, chain).links }
        #expect(links.count == Int(count) && links.allSatisfy { $0.link.id == SpanID(1) })
        // One step for each of 400 million pairs takes minutes.
        #expect(time < .seconds(20))
    }

    /// A root, and spans below it in other requests, which come before it or after.
    @Test(arguments: [["b"], ["b", "c"]], [0x101, 0x301])
    func `what takes a root's place says so where that is in another request`(names: [String], flags: UInt32) throws {
        var settings = FilterSettings()
        settings.drop = try JSONNode(parsing: Array(#"{"name": "x"}"#.utf8))
        let filter = try Filter(name: "filter", settings: settings)
        var root = TestSpan("x", id: 1, parent: flags == 0x301 ? 9 : 0)
        (root.start, root.end, root.status, root.statusMessage) = (500, 9000, 2, "gave up")
        root.events = [("exception", [("exception.type", "E")]), ("log", [])]
        (root.attributes, root.flags) = ([("secret", "s")], flags)
        let others = names.enumerated().map { TestSpan($1, id: UInt64($0 + 2), parent: 1) }
        for spans in [[root] + others, others + [root]] {
            let window = Assemble(settings: AssembleSettings(), processors: [])
            var rehearsal = WindowRehearsal(window)
            for (number, span) in spans.enumerated() {
                var work = try work([span])
                work.leaveTombstones()
                filter.process(&work)
                rehearsal.take(work, at: .milliseconds(number))
            }
            let decided = rehearsal.finish().map(\.trace)
            #expect(decided.count == 1)
            let out = try SpanBatch(try #require(decided.first).payload)
            #expect(Set(out.spans.map { out.text($0.name) }) == Set(names))
            let top = try #require(out.spans.first { $0.parentID == nil || $0.parentID == SpanID(9) })
            // Several below a parent in another process have no root of their own.
            guard names.count == 1 || flags == 0x101 else { continue }
            #expect(out.spans.count == (names.count == 1 ? 1 : 3))
            #expect((top.start, top.end, top.statusCode) == (500, 9000, 2))
            #expect(out.text(top.statusMessage) == "gave up")
            #expect(top.events.map { out.text(out.events[$0].name) } == ["exception"])
        }
    }
}
