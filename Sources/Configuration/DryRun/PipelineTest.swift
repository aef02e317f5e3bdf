import Basics
import OTLP
import Settings

/// One entry of `tests`: a request, and what the pipeline is to make of it.
package struct PipelineTest: Sendable {
    /// What the report calls it.
    package var name = ""
    /// The pipeline that is tested; nil for the only one of the file.
    var pipeline: String?
    /// Of the request; names in lower case.
    var headers: [Named<String>] = []
    /// The member that sends it; nil for a client without a name.
    var identity: String?
    /// The request in OTLP/JSON; nil where it is in a file.
    var input: JSONNode?
    /// The file of the request, from the folder of the pipeline file on.
    var inputFile: String?
    /// Several requests, in place of one; nil for one.
    var requests: [TestRequest]?
    var expect = TestExpectation()
}

/// One of several requests of a test.
struct TestRequest: Sendable {
    var signal = Signal.traces
    /// When it comes, since the one before.
    var after = Duration.zero
    /// Names in lower case.
    var headers: [Named<String>] = []
    /// The request in OTLP/JSON; nil where it is in a file.
    var input: JSONNode?
    /// The file of the request, from the folder of the pipeline file on.
    var inputFile: String?
}

/// What a test expects of a request.
struct TestExpectation: Sendable {
    var spans: [ExpectedSpan] = []
    /// How many spans stay; nil for any number.
    var kept: Int?
    /// Whether the request is answered 403.
    var refused = false
}

/// What a test expects of one span.
struct ExpectedSpan: Sendable {
    /// Nil where the id names the span.
    var name: String?
    /// Lower-case hexadecimal digits.
    var spanID: String?
    var attributes: [Named<JSONNode>] = []
    /// Keys that no attribute may have.
    var absent: [String] = []
    /// Names of events that must be there.
    var events: [String] = []
    /// Its name or id.
    var experiment: String?
    var dropped = ExpectedEnd.kept

    /// As a report names it.
    var title: String { spanID.map { "span id \($0)" } ?? "span \(quoted(name ?? ""))" }
}

/// Whether a span stays.
enum ExpectedEnd: Sendable, Equatable {
    case kept
    /// Out for that reason; nil for any.
    case dropped(Removal?)
}
