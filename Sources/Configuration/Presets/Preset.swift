import Basics
import CEmbedded
import Settings

/// A destination that is known by name: what an `otlp_http` exporter is told to send there, as data of `Sources/CEmbedded/presets`.
package struct Preset: Sendable {
    /// What `preset` of an exporter says.
    package let name: String
    /// For people.
    package let title: String
    /// Where what is known of it is written.
    package let source: String
    /// Its addresses, of which the first is taken unless `region` says otherwise; empty where `settings` has the address.
    package let regions: [(name: String, endpoint: String)]
    /// Environment variables that its settings take values from, and what those are.
    package let needs: [(variable: String, what: String)]
    /// What is peculiar about it.
    package let notes: [String]
    /// Settings of the exporter, with substitutions.
    let settings: [JSONNode.Member]
    /// Further ones, each for the case that an environment variable is set.
    let optional: [(variable: String, settings: [JSONNode.Member])]
    /// How it reads bodies; empty where nothing is known of that.
    let encodings: [String]

    private init?(_ name: String, _ node: JSONNode) {
        guard let title = node["title"]?.string else { return nil }
        (self.name, self.title) = (name, title)
        source = node["source"]?.string ?? ""
        regions = Self.texts(node["regions"]).map { ($0.0, $0.1) }
        needs = Self.texts(node["needs"]).map { ($0.0, $0.1) }
        notes = (node["notes"]?.elements ?? []).compactMap(\.string)
        settings = node["settings"]?.members ?? []
        optional = (node["optional"]?.members ?? []).map { ($0.name, $0.node.members ?? []) }
        encodings = (node["encodings"]?.elements ?? []).compactMap(\.string)
    }

    private static func texts(_ node: JSONNode?) -> [(String, String)] {
        (node?.members ?? []).map { ($0.name, $0.node.string ?? "") }
    }

    /// All of them, by their names.
    package static let all: [Preset] = (0..<millrace_preset_count()).compactMap { index in
        let (start, count) = unsafe (millrace_preset_bytes(index), millrace_preset_size(index))
        let text = unsafe Array(UnsafeBufferPointer(start: start, count: count))
        let name = unsafe String(cString: millrace_preset_name(index))
        return (try? JSONNode(parsing: text)).flatMap { Preset(name, $0) }
    }

    /// What is said of a name that is none.
    package static func refusal(of name: String) -> String {
        let hint = nearest(to: name, among: all.map(\.name)).map { "; did you mean \(quoted($0))?" } ?? ""
        return
            "there is no preset \(quoted(name.excerpt(max: 40)))\(hint); allowed: \(all.map(\.name).joined(separator: ", "))"
    }

    /// Variables that are needed, have no default and are not set.
    package func missing(in environment: Environment) -> [(variable: String, what: String)] {
        let text = JSON(JSONNode(.object(settings))).lineText
        return needs.filter { need in
            text.contains("${env:\(need.variable)}") && (environment.variable(need.variable) ?? "").isEmpty
        }
    }

    /// The exporter with this preset as a pipeline file writes it, and as it is read.
    package var settingsText: String {
        let endpoint = regions.first.map { [JSON.Member("endpoint", .text($0.endpoint))] } ?? []
        return JSON.object(endpoint + settings.map { JSON.Member($0.name, JSON($0.node)) }).indentedText()
    }

    /// What comes to that where a variable is set, the same way.
    package var optionalTexts: [(variable: String, settings: String)] {
        optional.map { variable, settings in
            (variable, JSON.object(settings.map { JSON.Member($0.name, JSON($0.node)) }).indentedText())
        }
    }
}

extension Preset {
    /// A pipeline file in which exporters with a preset have its settings beside their own; their own win.
    ///
    /// Problems of what is added stand at the name of the preset.
    static func expand(_ root: JSONNode, _ environment: Environment, _ context: inout DecodeContext) -> JSONNode {
        root.replacing("exporters") { exporters in
            guard let members = exporters.members else { return exporters }
            let expanded = members.map { member in
                let node = context.within("exporters", member.name) { context in
                    exporter(member.node, environment, &context)
                }
                return JSONNode.Member(name: member.name, nameOffset: member.nameOffset, node: node)
            }
            return JSONNode(.object(expanded), offset: exporters.offset)
        }
    }

    private static func exporter(
        _ node: JSONNode,
        _ environment: Environment,
        _ context: inout DecodeContext
    ) -> JSONNode {
        guard node["type"]?.string == "otlp_http", let written = node["preset"], let name = written.string else {
            return node
        }
        guard let preset = all.first(where: { $0.name == name }) else {
            context.within("preset") { $0.report(refusal(of: name), at: written.offset) }
            return node
        }
        preset.check(node["encoding"], &context)
        var added = preset.settings
        if let endpoint = preset.endpoint(node["region"], &context) {
            added.append(.init(name: "endpoint", nameOffset: 0, node: JSONNode(.string(endpoint))))
        }
        if node["endpoints"] != nil { added.removeAll { $0.name == "endpoint" } }
        let known = preset.optional.filter { environment.variable($0.variable)?.isEmpty == false }
        return known.reduce(node.filled(with: added, at: written.offset)) { node, optional in
            node.filled(with: optional.settings, at: written.offset)
        }
    }

    /// Warns of an encoding that the destination is known to refuse.
    private func check(_ encoding: JSONNode?, _ context: inout DecodeContext) {
        guard let encoding, let name = encoding.string, !encodings.isEmpty, !encodings.contains(name) else { return }
        context.within("encoding") { context in
            let taken = encodings.joined(separator: " and ")
            context.report("\(title) takes \(taken) alone", at: encoding.offset, as: .warning)
        }
    }

    /// Nil where the settings have it, or the region is none.
    private func endpoint(_ region: JSONNode?, _ context: inout DecodeContext) -> String? {
        guard let region, let name = region.string else { return regions.first?.endpoint }
        if let found = regions.first(where: { $0.name == name }) { return found.endpoint }
        let allowed = regions.isEmpty ? "none: the preset has one address" : regions.map(\.name).joined(separator: ", ")
        context.within("region") { context in
            context.report("\(title) has no region \(quoted(name)); allowed: \(allowed)", at: region.offset)
        }
        return regions.first?.endpoint
    }
}

extension JSONNode {
    /// The same with another value for a member.
    fileprivate func replacing(_ name: String, with change: (JSONNode) -> JSONNode) -> JSONNode {
        guard let members else { return self }
        let changed = members.map { member in
            member.name == name
                ? Member(name: name, nameOffset: member.nameOffset, node: change(member.node)) : member
        }
        return JSONNode(.object(changed), offset: offset)
    }

    /// An object with members that it lacks, all at one place of the text; groups of both are one, and names of headers have no case.
    fileprivate func filled(with added: [Member], at place: Int) -> JSONNode {
        guard var members else { return self }
        for member in added {
            guard let known = members.firstIndex(where: { $0.name.lowercased() == member.name.lowercased() }) else {
                members.append(Member(name: member.name, nameOffset: place, node: member.node.moved(to: place)))
                continue
            }
            guard let inner = member.node.members else { continue }
            let node = members[known].node.filled(with: inner, at: place)
            members[known] = Member(name: members[known].name, nameOffset: members[known].nameOffset, node: node)
        }
        return JSONNode(.object(members), offset: offset)
    }

    /// The same at one place of the text.
    private func moved(to place: Int) -> JSONNode {
        switch value {
        case .object(let members):
            let moved = members.map { Member(name: $0.name, nameOffset: place, node: $0.node.moved(to: place)) }
            return JSONNode(.object(moved), offset: place)
        case .array(let elements): return JSONNode(.array(elements.map { $0.moved(to: place) }), offset: place)
        case .string, .number, .bool, .null: return JSONNode(value, offset: place)
        }
    }
}
