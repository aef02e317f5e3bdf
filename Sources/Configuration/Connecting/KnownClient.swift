import Basics
import CEmbedded

/// An SDK or tool that sends OTLP: what it does unless told otherwise, and what makes it send its content here.
///
/// The one table of them is `Sources/CEmbedded/console/clients.json`, which the console page, `millrace exec` and
/// `pipelines/docs/connect.md` have in common.
package struct KnownClient: Sendable {
    /// For people.
    package let title: String
    /// Where and by which protocol it sends unless told otherwise.
    let usual: String
    /// What it sends again.
    let retries: String
    /// What makes it record and send what is said; values with the address's words in braces.
    let variables: [(name: String, value: String)]
    /// What to know about it.
    let notes: [String]

    private init?(_ node: JSONNode) {
        guard let title = node["title"]?.string else { return nil }
        self.title = title
        usual = node["default"]?.string ?? ""
        retries = node["retries"]?.string ?? ""
        variables = Self.variables(node["variables"])
        notes = (node["know"]?.elements ?? []).compactMap(\.string)
    }

    private static let table: JSONNode? = {
        let names = (0..<millrace_console_file_count()).map { unsafe String(cString: millrace_console_file_name($0)) }
        guard let index = names.firstIndex(of: "clients.json") else { return nil }
        let (start, count) = unsafe (millrace_console_file_bytes(index), millrace_console_file_size(index))
        return unsafe try? JSONNode(parsing: Array(UnsafeBufferPointer(start: start, count: count)))
    }()

    /// All of them, in the order in which people are shown them.
    package static let all = (table?["clients"]?.elements ?? []).compactMap(KnownClient.init)

    /// What every SDK reads; values with the address's words in braces.
    private static let common = table.map { variables($0["variables"]) } ?? []
    /// Names of those that make apps record what is said, and of them those by which it comes as log records.
    private static let recording = names(in: "on")
    private static let inLogs = names(in: "in_logs")
    /// What makes apps record nothing of that which do so unless told otherwise.
    private static let silencing = variables(table?["content"]?["off"])

    private static func names(in list: String) -> [String] {
        (table?["content"]?[list]?.elements ?? []).compactMap(\.string)
    }

    private static func variables(_ node: JSONNode?) -> [(name: String, value: String)] {
        (node?.members ?? []).map { ($0.name, $0.node.string ?? "") }
    }

    /// The variables that make apps send to an address, those that say where first.
    package static func address(_ address: AppAddress) -> [(name: String, value: String)] {
        common.map { ($0.name, address.filling($0.value)) }
    }

    /// Those that say what any of them is to send, each once; with or without what is said in prompts and answers.
    package static func content(
        for address: AppAddress,
        recording isRecording: Bool = true
    ) -> [(name: String, value: String)] {
        let isUnused = { (name: String) in
            !isRecording && recording.contains(name) || !address.signals.contains("logs") && inLogs.contains(name)
        }
        var seen: Set<String> = []
        let all = all.flatMap(\.variables).filter { !isUnused($0.name) && seen.insert($0.name).inserted }
        let used = all + (isRecording ? [] : silencing)
        return used.map { ($0.name, address.filling($0.value)) } + exporters(for: address)
    }

    /// Those that say which signals are sent at all.
    package static func exporters(for address: AppAddress) -> [(name: String, value: String)] {
        ["traces", "metrics", "logs"].map { ("OTEL_\($0.uppercased())_EXPORTER", address.exporter(of: $0)) }
    }
}

extension AppAddress {
    /// `otlp`, or `none` for what nobody takes: an SDK would log an error at each interval.
    fileprivate func exporter(of signal: String) -> String { signals.contains(signal) ? "otlp" : "none" }

    fileprivate func filling(_ value: String) -> String {
        let words = [
            "{endpoint}": endpoint, "{protocol}": self.protocol, "{gemini}": self.protocol == "grpc" ? "grpc" : "http",
            "{logs}": exporter(of: "logs"), "{metrics}": exporter(of: "metrics"),
        ]
        return words.reduce(value) { $0.replacing($1.key, with: $1.value) }
    }
}

extension KnownClient {
    /// `pipelines/docs/connect.md`'s table in Markdown, without a line break at its end.
    package static var reference: String {
        let head =
            "| who | unless told otherwise | sends again | variables for content | to know |\n|---|---|---|---|---|"
        return all.reduce(into: head) { text, client in
            let variables = client.variables.map { "`\($0.name)=\($0.value)`" }.joined(separator: " ")
            let cells = [client.title, client.usual, client.retries, variables, client.notes.joined(separator: " ")]
            text += "\n| \(cells.joined(separator: " | ")) |"
        }
    }
}
