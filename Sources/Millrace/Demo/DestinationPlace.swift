import Basics

/// Where an exporter sends to, for people.
struct DestinationPlace {
    /// An address or a path; empty where the exporter has none.
    let text: String

    /// `settings` are those of the exporter, as the process prints them.
    init(_ settings: JSONNode?) {
        let keys = ["endpoint", "traces_endpoint", "path", "stream"]
        text =
            keys.lazy.compactMap { settings?[$0]?.string }.first { !$0.isEmpty }
            ?? settings?["endpoints"]?.elements?.first?.string ?? ""
    }
}
