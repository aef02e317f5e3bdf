import Basics
import Conditions
import OTLP

/// What a record counts for in the table of services, once it is in the journal.
struct NotedServices: Sendable {
    let activity: ServiceActivity
    let sums: [(key: ServiceActivity.Key?, sums: ServiceActivity.Sums)]
    let time: UnixTime

    /// What it holds in memory, about.
    var bytes: Int { sums.reduce(0) { $0 + 128 + ($1.key?.service.text.utf8.count ?? 0) } }

    func commit() { activity.add(sums, at: time) }
}

extension SpanWork {
    /// A service's name in the table, at most, in bytes.
    private static let serviceBytesMax = 250
    /// Services of one record that are told from each other; what comes from further ones is counted with all others.
    private static let servicesMax = 16

    /// What the spans of an output group count for, by service; the account of a request bounds what that costs, because each span
    /// and each attribute of a resource is looked at once.
    func services(of group: UnitGroup, in pipeline: String, for activity: ServiceActivity) -> NotedServices {
        let route = routes[Int(group.number)]
        var sums: [ServiceActivity.Key?: ServiceActivity.Sums] = [:]
        var (current, scope) = (ServiceActivity.Sums(), -1)
        func finish() {
            guard scope >= 0 else { return }
            let key = ServiceActivity.Key(pipeline: pipeline, service: ExactText(service(ofScope: scope)), route: route)
            let hasRoom = sums.count < Self.servicesMax || sums[key] != nil
            sums[hasRoom ? key : nil, default: ServiceActivity.Sums()] += current
            current = ServiceActivity.Sums()
        }
        batch.forEachSpan(of: group) { index, span in
            if span.scope != scope {
                finish()
                scope = span.scope
            }
            current.spans += 1
            if span.statusCode == 2 { current.errors += 1 }
            guard !mapped.isEmpty else { return }
            current.tokens &+= mapped.tokens(of: index)
            current.cost += mapped.cost(of: index)
        }
        finish()
        return NotedServices(activity: activity, sums: sums.map { ($0.key, $0.value) }, time: receivedAt)
    }

    /// The service that a scope's resource names; empty where it names none.
    func service(ofScope scope: Int) -> String {
        let resource = batch.resources[batch.scopes[scope].resource]
        guard let attribute = batch.attribute("service.name", in: resource.attributes),
            case .string(let range) = batch.value(of: attribute)
        else { return "" }
        return batch.text(range.lowerBound..<min(range.upperBound, range.lowerBound + Self.serviceBytesMax))
    }
}
