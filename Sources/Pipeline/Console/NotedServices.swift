package import Basics
import Conditions
import OTLP

/// What spans of one service that go one way count for.
package struct ServiceCount: Sendable, Equatable {
    /// The resource's `service.name`, empty where there is none; nil for all services that are not told from each other.
    package let service: ExactText?
    package let route: Route
    package fileprivate(set) var sums = ServiceActivity.Sums()

    fileprivate init(_ service: ExactText?, _ route: Route) {
        (self.service, self.route) = (service, route)
    }

    /// What an export request in wire form counts for whose spans nobody has mapped.
    ///
    /// - Parameters:
    ///   - payload: The request; empty for none.
    ///   - items: Spans in it, which count for no service where it cannot be read.
    ///   - route: Where they go.
    /// - Returns: Nothing for an empty one.
    static func all(in payload: [UInt8], items: Int, to route: Route) -> [ServiceCount] {
        guard !payload.isEmpty else { return [] }
        guard let batch = try? SpanBatch(payload) else {
            var count = ServiceCount(nil, route)
            count.sums.spans = items
            return [count]
        }
        let source = RequestSource(receiver: "")
        return SpanWork(batch: batch, source: source, receivedAt: UnixTime(nanoseconds: 0)).services { _ in route }
    }
}

/// What a request counts for in a table of services, once it is in the journal.
struct NotedServices: Sendable {
    let activity: ServiceActivity
    let pipeline: String
    let counts: [ServiceCount]
    let time: UnixTime

    /// What it holds in memory, about.
    var bytes: Int { counts.reduce(0) { $0 + 128 + ($1.service?.text.utf8.count ?? 0) } }

    func commit() { activity.add(counts, in: pipeline, at: time) }
}

extension SpanWork {
    /// A service's name in the table, at most, in bytes.
    private static let serviceBytesMax = 250
    /// Services of one request that are told from each other; what comes from further ones is counted with all others.
    private static let servicesMax = 64

    /// What the spans that are left count for, by service and route; one pass, so that it costs the same however they are divided.
    ///
    /// - Parameters:
    ///   - isCounted: Whether a span counts.
    ///   - route: Where the spans of an output group go.
    /// - Returns: Each service and route once, and one count for all services beyond those that are told from each other.
    package func services(
        counting isCounted: (Int) -> Bool = { _ in true },
        to route: (UInt16) -> Route
    ) -> [ServiceCount] {
        var counts: [ServiceCount] = []
        var places: [Place: Int] = [:]
        var current = ServiceActivity.Sums()
        var (scope, resource, group) = (-1, -1, UInt16(0))
        func finish() {
            guard current.spans > 0 else { return }
            let service = ExactText(service(ofScope: scope))
            var place = Place(service: service, route: route(group))
            if counts.count >= Self.servicesMax, places[place] == nil { place = Place(service: nil, route: .none) }
            let index = places[place] ?? counts.count
            if index == counts.count {
                counts.append(ServiceCount(place.service, place.route))
                places[place] = index
            }
            counts[index].sums += current
            current = ServiceActivity.Sums()
        }
        for index in batch.spans.indices where batch.removal(of: index) == nil && isCounted(index) {
            let span = batch.spans[index]
            let ownGroup = batch.group(of: index)
            if span.scope != scope || ownGroup != group {
                let ownResource = batch.scopes[span.scope].resource
                let isSameRoute = ownGroup == group || route(ownGroup) == route(group)
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
        return counts
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

/// Whose spans are counted together.
private struct Place: Hashable {
    let service: ExactText?
    let route: Route
}
