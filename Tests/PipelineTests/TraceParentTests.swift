import OTLP
import Pipeline
import Testing

/// The header `traceparent` (W3C Trace Context, section 3.2).
@Suite struct TraceParentTests {
    @Test func `what is written reads back`() throws {
        let text = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
        let parent = try #require(TraceParent(text))
        #expect("\(parent.context.traceID)" == "0af7651916cd43dd8448eb211c80319c")
        #expect("\(parent.context.spanID)" == "00f067aa0ba902b7")
        #expect(parent.isSampled && parent.text == text)
        #expect(TraceParent(text.replacing("-01", with: "-00"))?.isSampled == false)
        // Other flags, and what a later version appends.
        #expect(TraceParent("01-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-03-more")?.isSampled == true)
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7",
        "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-+0f067aa0ba902b7-01",
        "00-0af7651916cd43dd8448eb211c80319-000f067aa0ba902b7-01", "0-x-y-1",
    ])
    func `anything else is ignored`(text: String) {
        #expect(TraceParent(text) == nil)
    }
}
