import Basics
import Conditions
import OTLP

/// What a request counts for in the table of services, once it is in the journal.
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
    /// Services of one request that are told from each other; what comes from further ones is counted with all others.
    private static let servicesMax = 64

    /// What the spans that are left count for, by service and route; one pass, so that it costs the same however they are divided.
    func services(in pipeline: String, for activity: ServiceActivity) -> NotedServices {
        var sums: [ServiceActivity.Key?: ServiceActivity.Sums] = [:]
        var current = ServiceActivity.Sums()
        var (scope, resource, group) = (-1, -1, UInt16(0))
        func finish() {
            guard current.spans > 0 else { return }
            let service = ExactText(service(ofScope: scope))
            let key = ServiceActivity.Key(pipeline: pipeline, service: service, route: routes[Int(group)])
            let hasRoom = sums.count < Self.servicesMax || sums[key] != nil
            sums[hasRoom ? key : nil, default: ServiceActivity.Sums()] += current
            current = ServiceActivity.Sums()
        }
        for index in batch.spans.indices where batch.removal(of: index) == nil {
            let span = batch.spans[index]
            let ownGroup = batch.group(of: index)
            if span.scope != scope || ownGroup != group {
                let ownResource = batch.scopes[span.scope].resource
                let isSameRoute = ownGroup == group || routes[Int(ownGroup)] == routes[Int(group)]
                if ownResource != resource || !isSameRoute { finish() }
                (scope, resource, group) = (span.scope, ownResource, ownGroup)
            }
            current.spans += 1
            if span.statusCode == 2 { current.errors += 1 }
            guard !mapped.isEmpty else { continue }
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
