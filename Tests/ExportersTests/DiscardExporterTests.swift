import Basics
import Exporters
import OTLP
import Pipeline
import Settings
import Testing

@Suite struct DiscardExporterTests {
    /// What a pipeline file is told about a `discard` exporter with these settings.
    private func problems(_ settings: String) throws -> [String] {
        let text = #"{"out": {"type": "discard"\#(settings)}}"#
        var context = DecodeContext()
        let kind = Kind<[Configured<ExporterSettings>]>.components([ExporterType("discard", DiscardSettings.shape)])
        _ = kind.read(try JSONNode(parsing: Array(text.utf8)), &context)
        return context.problems.map(\.message)
    }

    @Test func `every batch is delivered at once`() async {
        let batch = Batch(signal: .traces, route: .none, headers: [], payload: [1, 2, 3], items: 1)
        #expect(await DiscardExporter().export(batch) == .delivered)
    }

    @Test func `it has the settings of all exporters but those of requests`() throws {
        #expect(try problems(#", "batch": {"spans": 10}, "start": "oldest""#) == [])
        let message = try #require(try problems(#", "timeout": "1s""#).first)
        #expect(
            message.hasPrefix(
                #""timeout" has no meaning for this type, which sends no requests; allowed: type, batch,"#
            )
        )
    }
}
