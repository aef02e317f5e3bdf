import Basics

/// One look at a process, as `/api/status` has it (pipelines/docs/console.md).
struct TopStatus {
    /// What is counted of one component, or waits before it.
    struct Row {
        enum Kind: String {
            case receiver, processor, exporter
        }

        /// Where it stands, so that it is found in another look.
        struct Key: Hashable {
            let pipeline: String
            let kind: Kind
            let name: String
            /// What is counted, where a component counts several things.
            let counter: String
        }

        let key: Key
        var total = 0.0
        /// Items that wait, and for how many seconds the oldest does; nil where nothing can wait.
        var backlog: (items: Double, oldest: Double)?
        /// What was refused, or tried in vain.
        var errors: Double?
        /// How it stands, in a word or two.
        var state = ""
        /// The last failure, where the destination has not taken anything since.
        var failure: String?
    }

    /// Of a clock that only goes forward.
    let seconds: Double
    let version: String
    /// Why requests are not taken; empty where they are.
    let reasons: [String]
    let uptime: Double
    let residentBytes: Double
    let cpuSeconds: Double
    let usedBytes: Double
    let leftBytes: Double
    /// Pipelines in the order of the file, each signal for itself: name, and what its items are called.
    let pipelines: [(name: String, items: String)]
    let rows: [Row]

    init(_ node: JSONNode) {
        func number(_ group: String, _ name: String) -> Double { node[group]?[name]?.double ?? 0 }
        seconds = node["seconds"]?.double ?? 0
        version = node["version"]?.string ?? ""
        reasons = (node["reasons"]?.elements ?? []).compactMap(\.string)
        uptime = number("process", "uptime_seconds")
        residentBytes = number("process", "resident_bytes")
        cpuSeconds = number("process", "cpu_seconds")
        usedBytes = number("journal", "used_bytes")
        leftBytes = number("journal", "left_bytes")
        let pipelines = node["pipelines"]?.elements ?? []
        self.pipelines = pipelines.map { (Self.title(of: $0), $0["items"]?.string ?? "items") }
        rows = pipelines.flatMap { pipeline -> [Row] in
            let title = Self.title(of: pipeline)
            return Self.receivers(pipeline, title) + Self.processors(pipeline, title) + Self.exporters(pipeline, title)
        }
    }

    /// Several signals of one pipeline are told apart.
    private static func title(of pipeline: JSONNode) -> String {
        let (name, signal) = (pipeline["name"]?.string ?? "", pipeline["signal"]?.string ?? "")
        return signal == "traces" || signal.isEmpty ? name : "\(name) \(signal)"
    }

    private static func receivers(_ pipeline: JSONNode, _ title: String) -> [Row] {
        (pipeline["receivers"]?.members ?? []).map { member in
            var row = Row(key: .init(pipeline: title, kind: .receiver, name: member.name, counter: "accepted"))
            let counts = member.node.members ?? []
            row.total = counts.first { $0.name == "accepted" }?.node.double ?? 0
            let refused = counts.filter { $0.name != "accepted" && $0.node.double ?? 0 > 0 }
            row.errors = refused.reduce(0) { $0 + ($1.node.double ?? 0) }
            if !refused.isEmpty { row.state = "refused: " + refused.map(\.name).joined(separator: ", ") }
            return row
        }
    }

    private static func processors(_ pipeline: JSONNode, _ title: String) -> [Row] {
        (pipeline["processors"]?.members ?? []).flatMap { member in
            (member.node.members ?? []).map { counter in
                let words = counter.name.replacing("_", with: " ")
                let key = Row.Key(pipeline: title, kind: .processor, name: member.name, counter: counter.name)
                return Row(key: key, total: counter.node.double ?? 0, state: words)
            }
        }
    }

    private static func exporters(_ pipeline: JSONNode, _ title: String) -> [Row] {
        (pipeline["destinations"]?.elements ?? []).map { destination in
            let name = destination["name"]?.string ?? ""
            var row = Row(key: .init(pipeline: title, kind: .exporter, name: name, counter: "delivered"))
            row.total = destination["delivered"]?.double ?? 0
            row.backlog = (
                destination["queued"]?.double ?? 0, destination["oldest_queued_seconds"]?.double ?? 0
            )
            let vain = (destination["attempts"]?.members ?? []).filter { $0.name != "delivered" }
            row.errors = vain.reduce(0) { $0 + ($1.node.double ?? 0) }
            let delivery = destination["delivery"]
            row.state = destination["window"]?.bool == true ? "joined with spans" : state(of: delivery)
            let letters = destination["dead_lettered"]?.integer ?? 0
            if letters > 0 { row.state += ", \(letters) dead letters" }
            guard delivery?["failures_in_a_row"]?.integer ?? 0 > 0 else { return row }
            row.failure = delivery?["error"]?["reason"]?.string
            return row
        }
    }

    /// In the words of the console page.
    private static func state(of delivery: JSONNode?) -> String {
        guard let delivery, delivery.members != nil else { return "gone from the file" }
        if delivery["paused"]?.bool == true { return "paused" }
        switch delivery["circuit"]?.string {
        case "open": return "circuit open"
        case "probing": return "probing"
        default: break
        }
        if delivery["failures_in_a_row"]?.integer ?? 0 > 0 { return "retrying" }
        let endpoints = delivery["endpoints"]?.elements ?? []
        if let used = endpoints.firstIndex(where: { $0["in_use"]?.bool == true }), used > 0 {
            return "delivering to endpoint \(used + 1)"
        }
        return delivery["last_delivered_at"]?.string == nil ? "ready" : "delivering"
    }
}
