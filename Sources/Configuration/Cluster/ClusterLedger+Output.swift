import Basics
package import Settings

extension ClusterLedger {
    /// For programs; the form is described in pipelines/docs/cluster.md.
    package var json: JSON {
        ["streams": .object(streams.map { JSON.Member($0.name, $0.json) })]
    }

    /// For people: each stream, and a table on each side of it.
    package var text: String { streams.map(\.text).joined(separator: "\n\n") }
}

extension StreamLedger {
    fileprivate var json: JSON {
        let number = { (value: Int?) -> JSON in value.map { .integer($0) } ?? .null }
        return [
            "servers": .words(servers), "trouble": trouble.map { .text($0) } ?? .null,
            "messages": number(state?.messages), "bytes": number(state?.bytes),
            "replicas": number(state?.replicas), "current_replicas": number(state?.current),
            "leader": state?.leader.map { .text($0) } ?? .null, "partitions": number(state?.partitions),
            "served_partitions": number(consumers?.served), "unanswered_partitions": number(unansweredPartitions),
            "waiting_messages": number(consumers?.waiting), "unacknowledged_messages": number(consumers?.underWay),
            "refused_messages": number(refused), "sums": .object(sums.map { JSON.Member($0.items, $0.json) }),
            "edges": .array(edges.map(\.answer)), "gateways": .array(gateways.map(\.answer)),
        ]
    }

    fileprivate var text: String {
        var lines = ["stream \(name) on \(servers.joined(separator: ", "))"]
        if let trouble { lines.append("  not known: \(trouble)") }
        if let state {
            let leader = state.leader.map { ", leader \($0)" } ?? ""
            let current = "\(state.current) of \(state.replicas) servers are current\(leader)"
            lines.append("  \(state.messages) messages of \(state.bytes) bytes; \(current)")
        }
        if let consumers {
            let count = state?.partitions.map { " of \($0)" } ?? ""
            let messages = "\(consumers.waiting) messages wait, \(consumers.underWay) are at gateways, not acknowledged"
            lines.append("  \(consumers.served)\(count) partitions are served; \(messages)")
        }
        if let unansweredPartitions, unansweredPartitions > 0 {
            lines.append("  \(unansweredPartitions) partitions are served by gateways that do not answer")
        }
        if let refused, refused > 0 { lines.append("  \(refused) messages are refused, and lie in \(name)-refused") }
        for member in edges + gateways {
            guard let bytes = member.tooLarge else { continue }
            let reason = "whose ledger of \(bytes) bytes is larger than the servers take"
            lines.append("  not in the sums: \(member.place), \(reason)")
        }
        lines += sums.map { "  \($0.text)" }
        return (lines + ["", edgeTable, "", gatewayTable]).joined(separator: "\n")
    }

    private var edgeTable: String {
        var rows = [["edge", "pipeline", "items", "accepted", "relayed", "queued", "oldest s", "else"]]
        for edge in edges {
            rows += edge.rows.map { row in
                [edge.place, row.pipeline, row.items, "\(row.accepted)", "\(row.delivered)"] + row.end
            }
        }
        return edges.isEmpty ? "no edge answers" : table(rows, numbers: 3..<7)
    }

    private var gatewayTable: String {
        let head = [
            "gateway", "partitions", "pipeline", "items", "accepted", "redelivered", "destination", "delivered",
        ]
        var rows = [head + ["queued", "oldest s", "else"]]
        for gateway in gateways {
            rows += gateway.rows.map { row in
                let count = "\(gateway.partitions.count)"
                let again = "\(gateway.redelivered[row.items] ?? 0)"
                let front = [gateway.place, count, row.pipeline, row.items, "\(row.taken)", again]
                return front + [row.destination, "\(row.delivered)"] + row.end
            }
        }
        return gateways.isEmpty ? "no gateway answers" : table(rows, numbers: 4..<6, 7..<10, 1..<2)
    }

    /// The whole way, for each kind of item that somebody counts.
    private var sums: [WaySum] {
        let items = (edges + gateways).flatMap(\.rows).map(\.items)
        return items.enumerated().filter { !items[..<$0].contains($1) }.map { WaySum($1, edges, gateways) }
    }
}

/// How much of one kind of item is where, in sum.
private struct WaySum {
    let items: String
    let accepted: Int
    let relayed: Int
    let queued: Int
    let taken: Int
    let redelivered: Int
    let destinations: [(name: String, delivered: Int, queued: Int)]

    init(_ items: String, _ edges: [StreamMember], _ gateways: [StreamMember]) {
        self.items = items
        let stored = edges.flatMap(\.rows).filter { $0.items == items }
        accepted = stored.reduce(0) { $0 + $1.accepted }
        relayed = stored.reduce(0) { $0 + $1.delivered }
        queued = stored.reduce(0) { $0 + $1.queued }
        taken = gateways.reduce(0) { $0 + $1.accepted(items) }
        redelivered = gateways.reduce(0) { $0 + ($1.redelivered[items] ?? 0) }
        let rows = gateways.flatMap(\.rows).filter { $0.items == items }
        destinations = Set(rows.map(\.destination)).sorted().map { name in
            let own = rows.filter { $0.destination == name }
            return (name, own.reduce(0) { $0 + $1.delivered }, own.reduce(0) { $0 + $1.queued })
        }
    }

    var text: String {
        let ends = destinations.map { "\($0.name) \($0.delivered) delivered, \($0.queued) queued" }
        let steps = [
            "edges \(accepted) accepted, \(queued) queued, \(relayed) relayed",
            "gateways \(taken) accepted, \(redelivered) redelivered",
        ]
        return "\(items.replacing("_", with: " ")): \((steps + ends).joined(separator: " → "))"
    }

    var json: JSON {
        [
            "accepted": .integer(accepted), "queued": .integer(queued), "relayed": .integer(relayed),
            "taken": .integer(taken), "redelivered": .integer(redelivered),
            "destinations": .object(
                destinations.map { name, delivered, queued in
                    JSON.Member(name, ["delivered": .integer(delivered), "queued": .integer(queued)])
                }
            ),
        ]
    }
}

extension LedgerRow {
    /// The last columns of a row.
    fileprivate var end: [String] {
        ["\(queued)", "\((oldest * 10).rounded() / 10)", others.joined(separator: ", ")]
    }
}

/// Columns with two spaces between them; those of numbers are flush right.
private func table(_ rows: [[String]], numbers: Range<Int>...) -> String {
    let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = row.enumerated().map { column, text in
            let padding = String(repeating: " ", count: widths[column] - text.count)
            return numbers.contains { $0.contains(column) } ? padding + text : text + padding
        }
        let line = cells.joined(separator: "  ")
        return String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
    }.joined(separator: "\n")
}
