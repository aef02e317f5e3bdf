import OTLP
import Pipeline

extension Redact {
    /// Where something was found and by which detector, never what; that of a resource or scope stands beside each of its spans.
    func noted(_ findings: [RedactionFinding], in batch: Envelope, _ labels: RedactionLabels) -> [SpanNote] {
        var counts: [String: Int] = [:]
        var order: [(unit: Int, target: String, label: Int, id: String)] = []
        for finding in findings {
            let place = finding.site.place.rawValue
            let target = finding.key.isEmpty ? place : "\(place) \(finding.key)"
            let id = "\(finding.site.unit) \(finding.label) \(target)"
            if counts[id] == nil { order.append((finding.site.unit, target, finding.label, id)) }
            counts[id, default: 0] += 1
        }
        return order.flatMap { unit, target, label, id in
            let count = counts[id] ?? 0
            let rule = labels.names[label] + (count > 1 ? ", \(count) times" : "")
            let units = unit >= 0 ? unit..<unit + 1 : 0..<batch.unitCount
            return units.map { unit in
                SpanNote(unit, .changed(AttributeDecision(span: unit, action: .redacted, target: target, rule: rule)))
            }
        }
    }
}
