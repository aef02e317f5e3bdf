import Basics
import Conditions
import OTLP

/// Which attributes of a resource may become tags of a trace: MLflow makes tags of all that it gets.
struct ResourceTags: Sendable {
    /// All but those of machine, process and instrumentation, which say nothing of a trace.
    static let standard = [
        "*", "!process.*", "!os.*", "!host.*", "!container.id", "!telemetry.*", "!service.instance.id",
        "!langwatch.sdk.*", "!imported_libraries",
    ]

    private struct Pattern {
        let glob: Glob
        let isKept: Bool
    }

    private let patterns: [Pattern]

    /// - Parameter patterns: Globs for keys; `!` stands before what is left out, and the last one that matches decides.
    init(_ patterns: [String]) {
        self.patterns = patterns.map { pattern in
            let isKept = !pattern.hasPrefix("!")
            return Pattern(glob: Glob(isKept ? pattern : String(pattern.dropFirst())), isKept: isKept)
        }
    }

    /// A request without the attributes of its resources that may be no tags; spans are copied as they are.
    ///
    /// What is no request of OTLP stays as it is.
    func applied(to payload: [UInt8]) -> [UInt8] {
        let text = payload.span.bytes
        var output: [UInt8] = []
        var copied = 0
        var known = Cut(content: 0..<0, attributes: [])
        var reader = WireReader(0..<payload.count)
        do throws(WireError) {
            while let field = try reader.next(in: text) {
                guard field.number == 1, field.form == .lengthDelimited else { continue }
                let resources = try resources(of: field, &known, text)
                guard !resources.isEmpty else { continue }
                if output.isEmpty { output.reserveCapacity(payload.count) }
                output.append(text, copied..<field.field.lowerBound)
                write(field, resources, to: &output, text)
                copied = field.field.upperBound
            }
        } catch {
            return payload
        }
        guard copied > 0 else { return payload }
        output.append(text, copied..<payload.count)
        return output
    }

    /// A resource, of which some attributes go.
    private struct Cut {
        var field = 0..<0
        var content: Range<Int>
        /// Their places in the content.
        var attributes: [Range<Int>]

        /// How long its content is then.
        var count: Int { content.count - attributes.reduce(0) { $0 + $1.count } }
        /// How many bytes the field loses; its tag is one byte.
        var saved: Int { field.count - 1 - varintSize(count) - count }
    }

    /// The resources of one `ResourceSpans` that lose attributes; requests of one sender repeat the one before them.
    private func resources(of group: WireField, _ known: inout Cut, _ text: RawSpan) throws(WireError) -> [Cut] {
        var reader = WireReader(group.content)
        var resources: [Cut] = []
        while let field = try reader.next(in: text) {
            guard field.number == 1, field.form == .lengthDelimited else { continue }
            if !text.isSame(field.content, as: text, known.content) || field.content.isEmpty {
                known.attributes = try unwanted(in: field.content, text)
            }
            (known.field, known.content) = (field.field, field.content)
            if !known.attributes.isEmpty { resources.append(known) }
        }
        return resources
    }

    /// The places of the attributes of a resource that go.
    private func unwanted(in resource: Range<Int>, _ text: RawSpan) throws(WireError) -> [Range<Int>] {
        var reader = WireReader(resource)
        var unwanted: [Range<Int>] = []
        while let field = try reader.next(in: text) {
            guard field.number == 1, field.form == .lengthDelimited else { continue }
            var members = WireReader(field.content)
            var isKept = true
            while let member = try members.next(in: text) {
                if member.number == 1, member.form == .lengthDelimited { isKept = keeps(member.content, text) }
            }
            let start = field.field.lowerBound - resource.lowerBound
            if !isKept { unwanted.append(start..<start + field.field.count) }
        }
        return unwanted
    }

    private func keeps(_ key: Range<Int>, _ text: RawSpan) -> Bool {
        patterns.last { $0.glob.matches(text, key) }?.isKept ?? false
    }

    private func write(_ group: WireField, _ resources: [Cut], to output: inout [UInt8], _ text: RawSpan) {
        output.append(0x0A)
        output.appendVarint(group.content.count - resources.reduce(0) { $0 + $1.saved })
        var copied = group.content.lowerBound
        for resource in resources {
            output.append(text, copied..<resource.field.lowerBound)
            output.append(0x0A)
            output.appendVarint(resource.count)
            copied = resource.content.lowerBound
            for attribute in resource.attributes {
                let start = resource.content.lowerBound + attribute.lowerBound
                output.append(text, copied..<start)
                copied = start + attribute.count
            }
        }
        output.append(text, copied..<group.content.upperBound)
    }
}
