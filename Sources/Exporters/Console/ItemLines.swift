import Basics
import OTLP

/// Writes log records and metrics as text for people, a line each.
struct ItemLines {
    /// Lines of one batch that are shown, at most.
    private static let linesMax = 2000
    private static let textMax = 300
    /// Bytes of a batch that is shown, at most: as JSON it takes some fifty times as much for a moment.
    static let bytesMax = ByteCount.kibibytes(256)

    private let signal: Signal
    private let request: JSONNode

    /// Nil for what cannot be read, or is too large to show.
    init?(_ payload: [UInt8], signal: Signal) {
        guard payload.count <= Self.bytesMax.bytes, let json = try? OTLPJSON.encode(payload, signal: signal),
            let request = try? JSONNode(parsing: json)
        else {
            return nil
        }
        (self.signal, self.request) = (signal, request)
    }

    /// The lines, each ended; control characters that apps sent are left out.
    var text: String {
        let (resources, scopes, units) =
            signal == .logs
            ? ("resourceLogs", "scopeLogs", "logRecords") : ("resourceMetrics", "scopeMetrics", "metrics")
        var lines: [String] = []
        var count = 0
        for resource in request[resources]?.elements ?? [] {
            let service = Self.attribute("service.name", of: resource["resource"]) ?? "(no service)"
            for unit in (resource[scopes]?.elements ?? []).flatMap({ $0[units]?.elements ?? [] }) {
                count += 1
                guard lines.count < Self.linesMax else { continue }
                let parts = signal == .logs ? Self.logRecord(unit, service) : Self.metric(unit, service)
                lines.append(parts.filter { !$0.isEmpty }.joined(separator: "  "))
            }
        }
        if count > lines.count { lines.append("and \(count - lines.count) \(signal.units) more") }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func logRecord(_ record: JSONNode, _ service: String) -> [String] {
        let moment = time(record["timeUnixNano"]) ?? time(record["observedTimeUnixNano"]) ?? ""
        let severity = record["severityText"]?.string ?? severity(record["severityNumber"]?.integer ?? 0)
        let event = record["eventName"]?.string ?? ""
        let body = record["body"].map(value) ?? ""
        let trace = record["traceId"]?.string ?? ""
        return [moment, service, severity, event, body, trace].map { $0.excerpt(max: textMax) }
    }

    private static func metric(_ metric: JSONNode, _ service: String) -> [String] {
        let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"]
        let kind = kinds.first { metric[$0] != nil } ?? "(no data)"
        let points = metric[kind]?["dataPoints"]?.elements ?? []
        let moment = points.last.flatMap { time($0["timeUnixNano"]) } ?? ""
        let count = points.count == 1 ? "" : "\(points.count) data points"
        let last = points.last.map(dataPoint) ?? ""
        let name = metric["name"]?.string ?? "(no name)"
        let unit = metric["unit"]?.string ?? ""
        return [moment, service, name, kind, count, "\(last) \(unit)"].map { $0.excerpt(max: textMax) }
    }

    private static func dataPoint(_ point: JSONNode) -> String {
        if let value = point["asInt"]?.string ?? point["asDouble"].map(number) { return value }
        let sum = point["sum"].map { ", sum \(number($0))" } ?? ""
        return "count \(point["count"]?.string ?? "0")\(sum)"
    }

    private static func number(_ node: JSONNode) -> String { node.string ?? node.double.map { "\($0)" } ?? "" }

    private static func time(_ node: JSONNode?) -> String? {
        guard let text = node?.string, let nanoseconds = UInt64(text), nanoseconds > 0 else { return nil }
        return UnixTime(nanoseconds: nanoseconds).text
    }

    /// The name of a range of severities (logs data model, "Field: SeverityNumber").
    private static func severity(_ number: Int) -> String {
        let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
        return (1...24).contains(number) ? names[(number - 1) / 4] : ""
    }

    private static func attribute(_ key: String, of owner: JSONNode?) -> String? {
        let entry = (owner?["attributes"]?.elements ?? []).last { $0["key"]?.string == key }
        return entry?["value"].map { value($0).excerpt(max: textMax) }
    }

    /// A value of OTLP's JSON as people write it.
    private static func value(_ node: JSONNode) -> String {
        if let text = node["stringValue"]?.string ?? node["intValue"]?.string ?? node["bytesValue"]?.string {
            return text
        }
        if let flag = node["boolValue"]?.bool { return "\(flag)" }
        if let double = node["doubleValue"] { return number(double) }
        if let elements = node["arrayValue"]?["values"]?.elements {
            return "[" + elements.map(value).joined(separator: ", ") + "]"
        }
        if let members = node["kvlistValue"]?["values"]?.elements {
            let texts = members.map { "\($0["key"]?.string ?? "")=\($0["value"].map(value) ?? "")" }
            return "{" + texts.joined(separator: ", ") + "}"
        }
        return ""
    }
}
