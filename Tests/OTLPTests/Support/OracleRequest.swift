import Foundation
import Oracle
import SwiftProtobuf

@testable import OTLP

// The generated requests of all signals have one shape; what is tested for each of them is written once against it.

/// An export request.
protocol OracleRequest: SwiftProtobuf.Message, Equatable, Sendable {
    associatedtype Group: OracleResourceGroup
    static var signal: Signal { get }
    var groups: [Group] { get set }
}

/// What one resource has in a request.
protocol OracleResourceGroup: SwiftProtobuf.Message, Equatable, Sendable {
    associatedtype Group: OracleScopeGroup
    var resource: Resource { get set }
    var groups: [Group] { get set }
    var schemaURL: String { get set }
}

/// What one instrumentation scope has.
protocol OracleScopeGroup: SwiftProtobuf.Message, Equatable, Sendable {
    associatedtype Unit: OracleUnit
    var scope: Scope { get set }
    var units: [Unit] { get set }
    var schemaURL: String { get set }
}

/// A span, a log record or a metric.
protocol OracleUnit: SwiftProtobuf.Message, Equatable, Sendable {
    /// Valid, with everything that OTLP allows.
    static func random(_ source: inout RandomRequests) -> Self
    /// Its own attributes; those of a metric are its metadata.
    var ownAttributes: [KeyValue] { get set }
    var ids: (trace: Data, span: Data) { get }
    /// How many items it counts for.
    var items: Int { get }
    /// The same for each of its items.
    var pieces: [Self] { get }
}

extension OracleUnit {
    var pieces: [Self] { [self] }
}

extension OracleRequest {
    var units: [Group.Group.Unit] { groups.flatMap(\.groups).flatMap(\.units) }
    var items: Int { units.reduce(0) { $0 + $1.items } }
}

extension Request: OracleRequest {
    static var signal: Signal { .traces }
    var groups: [ResourceSpans] {
        get { resourceSpans }
        set { resourceSpans = newValue }
    }
}

extension ResourceSpans: OracleResourceGroup {
    var groups: [ScopeSpans] {
        get { scopeSpans }
        set { scopeSpans = newValue }
    }
}

extension ScopeSpans: OracleScopeGroup {
    var units: [Span] {
        get { spans }
        set { spans = newValue }
    }
}

extension Span: OracleUnit {
    static func random(_ source: inout RandomRequests) -> Span { source.span() }
    var ownAttributes: [KeyValue] {
        get { attributes }
        set { attributes = newValue }
    }
    var ids: (trace: Data, span: Data) { (traceID, spanID) }
    var items: Int { 1 }
}

extension LogsRequest: OracleRequest {
    static var signal: Signal { .logs }
    var groups: [ResourceLogs] {
        get { resourceLogs }
        set { resourceLogs = newValue }
    }
}

extension ResourceLogs: OracleResourceGroup {
    var groups: [ScopeLogs] {
        get { scopeLogs }
        set { scopeLogs = newValue }
    }
}

extension ScopeLogs: OracleScopeGroup {
    var units: [LogRecord] {
        get { logRecords }
        set { logRecords = newValue }
    }
}

extension LogRecord: OracleUnit {
    static func random(_ source: inout RandomRequests) -> LogRecord { source.logRecord() }
    var ownAttributes: [KeyValue] {
        get { attributes }
        set { attributes = newValue }
    }
    var ids: (trace: Data, span: Data) { (traceID, spanID) }
    var items: Int { 1 }
}

extension MetricsRequest: OracleRequest {
    static var signal: Signal { .metrics }
    var groups: [ResourceMetrics] {
        get { resourceMetrics }
        set { resourceMetrics = newValue }
    }
}

extension ResourceMetrics: OracleResourceGroup {
    var groups: [ScopeMetrics] {
        get { scopeMetrics }
        set { scopeMetrics = newValue }
    }
}

extension ScopeMetrics: OracleScopeGroup {
    var units: [Metric] {
        get { metrics }
        set { metrics = newValue }
    }
}

extension Metric: OracleUnit {
    static func random(_ source: inout RandomRequests) -> Metric { source.metric() }
    var ownAttributes: [KeyValue] {
        get { metadata }
        set { metadata = newValue }
    }
    var ids: (trace: Data, span: Data) { (Data(), Data()) }
    var items: Int { max(1, dataPoints) }
    private var dataPoints: Int {
        switch data {
        case .gauge(let gauge): gauge.dataPoints.count
        case .sum(let sum): sum.dataPoints.count
        case .histogram(let histogram): histogram.dataPoints.count
        case .exponentialHistogram(let histogram): histogram.dataPoints.count
        case .summary(let summary): summary.dataPoints.count
        case nil: 0
        }
    }
    var pieces: [Metric] {
        func each<Point>(_ points: [Point], _ path: WritableKeyPath<Metric, [Point]>) -> [Metric] {
            points.map { point in
                var piece = self
                piece[keyPath: path] = [point]
                return piece
            }
        }
        guard dataPoints > 1 else { return [self] }
        return switch data {
        case .gauge(let gauge): each(gauge.dataPoints, \.gauge.dataPoints)
        case .sum(let sum): each(sum.dataPoints, \.sum.dataPoints)
        case .histogram(let histogram): each(histogram.dataPoints, \.histogram.dataPoints)
        case .exponentialHistogram(let histogram):
            each(histogram.dataPoints, \.exponentialHistogram.dataPoints)
        case .summary(let summary): each(summary.dataPoints, \.summary.dataPoints)
        case nil: [self]
        }
    }
}
