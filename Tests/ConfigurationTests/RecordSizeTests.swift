import Settings
import Testing

@testable import Configuration

/// How many spans one record holds at most.
struct RecordSizeTests {
    private static let small = #""small": {"type": "console", "batch": {"spans": 100}}"#
    private static let own = #""own": {"type": "console"}"#
    private static let large = #""large": {"type": "console", "batch": {"spans": 5000}}"#

    @Test(arguments: [
        ([own], nil, 500), ([own], 200, 200), ([own, small], 200, 200), ([small], 200, 100), ([own, large], 200, 5000),
    ])
    func `a record is as large as what any exporter sends at once`(exporters: [String], batch: Int?, spans: Int) throws
    {
        let names = exporters.compactMap { $0.split(separator: ":").first }
        let processors = batch.map { #"{"batch": {"type": "batch", "spans": \#($0)}}"# } ?? "{}"
        let text = file([
            "processors": processors,
            "exporters": "{\(exporters.joined(separator: ", "))}",
            "pipelines": """
            {"traces": {"receivers": ["in"], "processors": [\(batch == nil ? "" : "\"batch\"")],
             "exporters": [\(names.joined(separator: ", "))]}}
            """,
        ])
        let parsed = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(parsed.recordItems(of: parsed.pipelines[0].value) == spans)
    }
}
