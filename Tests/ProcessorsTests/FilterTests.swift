import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

struct FilterTests {
    private func filter(_ text: String) throws -> Filter {
        let node = try JSONNode(parsing: Array(text.utf8))
        var settings = FilterSettings()
        (settings.drop, settings.keep) = (node["drop"], node["keep"])
        settings.children = node["children"]?.string.flatMap(FilterSettings.Children.init(rawValue:)) ?? .reparent
        return try Filter(name: "filter", settings: settings)
    }

    /// Drops what is called `x`.
    private static let dropX = #"{"drop": {"name": {"glob": "x*"}}}"#

    private func span(_ name: String, _ id: UInt64, under parent: UInt64 = 0, trace: UInt64 = 7) -> TestSpan {
        TestSpan(name, id: id, parent: parent, trace: trace)
    }

    /// What leaves: each span as `name`, or `name<parent`.
    private func tree(_ work: SpanWork) throws -> [String] {
        guard let encoded = work.batch.encoded() else { return [] }
        let out = try SpanBatch(encoded.payload)
        return out.spans.map { span in out.text(span.name) + (span.parentID.map { "<\($0.value)" } ?? "") }
    }

    @Test(
        arguments: [
            // A chain of dropped spans, children before their parents.
            (["d 4 3", "x3 3 2", "x2 2 1", "a 1"], ["d<1", "a"]),
            // Siblings, of which one has its own parent still.
            (["a 1", "x 2 1", "b 3 2", "c 4 2", "e 5 1"], ["a", "b<1", "c<1", "e<1"]),
            // The only span below a dropped root takes its place, however deep it is.
            (["x 1", "x 2 1", "b 3 2", "c 4 3"], ["b", "c<3"]),
            // Several would: the root stays for them.
            (["x 1", "b 2 1", "x 3 1", "c 4 3"], ["x", "b<1", "c<1"]),
            // A parent that is not here is no dropped one.
            (["a 1 9", "x 2 9", "b 3 2"], ["a<9", "b<9"]),
            // Circles.
            (["x 1 2", "x 2 1", "b 3 1"], ["b<2"]), (["x 1 1", "b 2 1"], ["b<1"]), (["a 1 2", "x 2 1"], ["a"]),
            (["x 1", "x 2 1"], []),
        ] as [([String], [String])]
    )
    func `what is below a dropped span gets the nearest above that stays`(spans: [String], left: [String]) throws {
        let all = spans.map { text in
            let parts = text.split(separator: " ")
            return span(String(parts[0]), UInt64(parts[1]) ?? 0, under: parts.count > 2 ? UInt64(parts[2]) ?? 0 : 0)
        }
        // Another trace with the same span ids stays as it is.
        let others = [span("a", 1, trace: 8), span("b", 2, under: 1, trace: 8)]
        var work = try work(all + others)
        try filter(Self.dropX).process(&work)
        #expect(try tree(work) == left + ["a", "b<1"])
        let dropped = all.count - left.count
        #expect(work.batch.removedCount(.filtered) == dropped)
        #expect(work.tally.count(.removed(.filtered), by: "filter") == dropped)
    }

    @Test(
        arguments: [
            ("drop", ["a", "e<1"]), ("keep", ["a", "b<2", "c<3", "e<1"]),
            ("reparent", ["a", "b<1", "c<3", "e<1"]),
        ]
    )
    func `children go, stay or move`(children: String, left: [String]) throws {
        var work = try work([
            span("c", 4, under: 3), span("b", 3, under: 2), span("x", 2, under: 1), span("a", 1),
            span("e", 5, under: 1),
        ])
        try filter(#"{"drop": {"name": "x"}, "children": "\#(children)"}"#).process(&work)
        #expect(try tree(work).sorted() == left.sorted())
    }

    @Test func `what takes a root's place has its times, its error and its exceptions`() throws {
        var root = span("x", 1)
        (root.start, root.end, root.status, root.statusMessage) = (500, 9000, 2, "gave up")
        root.events = [("exception", [("exception.type", "E")]), ("log", [])]
        root.attributes = [("secret", "s")]
        var heir = span("b", 2, under: 1)
        heir.attributes = [("own", 1)]
        var work = try work([root, heir])
        try filter(Self.dropX).process(&work)
        let encoded = try #require(work.batch.encoded())
        let out = try SpanBatch(encoded.payload)
        let span = try #require(out.spans.first)
        #expect(out.spans.count == 1)
        #expect((span.start, span.end, span.statusCode) == (500, 9000, 2))
        #expect(out.text(span.statusMessage) == "gave up")
        #expect(span.events.map { out.text(out.events[$0].name) } == ["exception"])
        #expect(span.attributes.map { out.text(out.attributes[$0].key) } == ["own"])
    }

    @Test func `a root that stays for several has no content`() throws {
        var root = span("x", 1)
        (root.status, root.statusMessage) = (2, "gave up")
        root.events = [("exception", []), ("log", [])]
        root.attributes = [("secret", "s")]
        var work = try work([root, span("b", 2, under: 1), span("c", 3, under: 1)])
        try filter(Self.dropX).process(&work)
        let encoded = try #require(work.batch.encoded())
        let out = try SpanBatch(encoded.payload)
        #expect(out.spans.map { out.text($0.name) } == ["x", "b", "c"])
        #expect(out.spans[0].attributes.isEmpty)
        #expect(out.spans[0].events.map { out.text(out.events[$0].name) } == ["exception"])
        #expect(out.spans[0].statusCode == 2)
        #expect(work.tally.entries.isEmpty)
    }

    @Test func `a parent in another process stays one`() throws {
        // Flags: sampled, and a parent that is known to be remote.
        var entry = span("x", 2, under: 9)
        entry.flags = 0x301
        var inner = span("b", 3, under: 2)
        inner.flags = 0x101
        var work = try work([entry, inner])
        try filter(Self.dropX).process(&work)
        let encoded = try #require(work.batch.encoded())
        let out = try SpanBatch(encoded.payload)
        #expect(try tree(work) == ["b<9"])
        #expect(out.parentLink(of: 0).isRemote)
        // The rest of the flags is as it came, and what has none gets none.
        #expect(encoded.payload.contains([0x85, 0x01, 0x01, 0x03, 0, 0]))
        #expect(!encoded.payload.contains([0x85, 0x01, 0x01, 0x01, 0, 0]))
    }

    @Test func `keep drops what it does not hold for`() throws {
        var work = try work([span("x", 1), span("a", 2, under: 1)])
        try filter(#"{"keep": {"name": "a"}}"#).process(&work)
        #expect(try tree(work) == ["a"])
    }

    @Test func `processors behind it see the new tree`() throws {
        var work = try work([span("x", 1), span("a", 2, under: 1), span("b", 3, under: 2)])
        try filter(Self.dropX).process(&work)
        try filter(#"{"drop": {"root": true}}"#).process(&work)
        #expect(try tree(work) == ["b"])
    }

    @Test func `a span may get a parent twice`() throws {
        var parents = [span("a", 1), span("x", 2, under: 1), span("y", 3, under: 2), span("b", 4, under: 3)]
        parents[1].flags = 0x301
        parents[3].flags = 0x101
        var work = try work(parents)
        try filter(#"{"drop": {"name": "y"}}"#).process(&work)
        try filter(Self.dropX).process(&work)
        #expect(try tree(work) == ["a", "b<1"])
        let encoded = try #require(work.batch.encoded())
        #expect(try !SpanBatch(encoded.payload).parentLink(of: 1).isRemote)
        #expect(encoded.payload.contains([0x85, 0x01, 0x01, 0x01, 0, 0]))
    }

    @Test func `a deep chain and a wide fan cost a walk each`() throws {
        let depth = 10_000
        var spans = (1...depth).map { span("x", UInt64($0), under: UInt64($0 - 1)) }
        spans += (1...depth).map { span("a", UInt64(depth + $0), under: UInt64(depth)) }
        var work = try work(spans.reversed())
        try filter(Self.dropX).process(&work)
        #expect(work.batch.removedCount(.filtered) == depth - 1)
        #expect(try tree(work).filter { $0 == "a<1" }.count == depth)
        try work.account.check()
    }

    @Test func `it says why`() throws {
        var work = try work([span("x", 1), span("a", 2, under: 1)])
        var notes: [SpanNote] = []
        try filter(Self.dropX).process(&work, noting: &notes)
        #expect(notes.contains(SpanNote(0, .removed(.filtered, reason: "the drop condition holds"))))
        #expect(notes.contains { $0.span == 1 })
    }
}
