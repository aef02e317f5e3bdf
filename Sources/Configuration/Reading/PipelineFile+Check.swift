import Basics
import Exporters
import Journal
import Pipeline
import Processors
import Receivers
import Settings

// What no component can see alone: names that point nowhere, orders that make no sense, two servers on one address.

extension PipelineFile {
    /// Checks the parts of the file against each other; `root` gives places, and components that could not be read.
    func check(against root: JSONNode, _ context: inout DecodeContext) {
        checkNames(root, &context)
        checkProcessorOrder(root, &context)
        checkWindowNames(root, &context)
        checkWindowLimits(root, &context)
        checkSignals(root, &context)
        checkAddresses(root, &context)
        checkFiles(root, &context)
        checkMemory(root, &context)
        checkBacklogs(root, &context)
        checkAnswers(root, &context)
        checkLoops(root, &context)
        checkRelayLoops(root, &context)
        checkTelemetry(root, &context)
        checkTests(root, &context)
        checkAccess(root, &context)
        // In a file with errors most of what seems unused is misspelt elsewhere.
        if !context.problems.contains(where: { $0.severity == .error }) { warnOfUnused(root, &context) }
    }

    private func checkNames(_ root: JSONNode, _ context: inout DecodeContext) {
        if let node = root["pipelines"], node.members?.isEmpty == true {
            context.within("pipelines") { $0.report("no pipeline; at least one is needed", at: node.offset) }
        }
        for pipeline in root["pipelines"]?.members ?? [] {
            if let node = pipeline.node["signals"], node.elements?.isEmpty == true {
                context.within("pipelines", pipeline.name, "signals") { context in
                    context.report("no signal; at least one is needed", at: node.offset)
                }
            }
            for section in ["receivers", "processors", "exporters"] {
                guard let names = pipeline.node[section], let elements = names.elements else { continue }
                context.within("pipelines", pipeline.name, section) { context in
                    if elements.isEmpty && section != "processors" {
                        context.report("no \(section.dropLast()); at least one is needed", at: names.offset)
                    }
                    let declared = root[section]?.members?.map(\.name) ?? []
                    for (index, node) in elements.enumerated() {
                        guard let name = node.string, !name.isEmpty, !declared.contains(name) else { continue }
                        context.within("\(index)") { context in
                            let what = "\(quoted(name)) is no \(section.dropLast()) of this file"
                            context.refuse(unknown: name, at: node.offset, allowed: declared, what: what)
                        }
                    }
                }
            }
        }
    }

    private func checkProcessorOrder(_ root: JSONNode, _ context: inout DecodeContext) {
        for pipeline in root["pipelines"]?.members ?? [] {
            var batches = 0
            var windowed: String?
            for (index, node) in (pipeline.node["processors"]?.elements ?? []).enumerated() {
                guard let name = node.string, let type = root["processors"]?[name]?["type"]?.string else { continue }
                context.within("pipelines", pipeline.name, "processors", "\(index)") { context in
                    switch Catalogue.processors.first(where: { $0.type == type })?.stage {
                    case .batching:
                        batches += 1
                        guard batches > 1 else { return }
                        context.report("\(quoted(name)) is a second \(quoted(type)); one is allowed", at: node.offset)
                    case .windowed:
                        if let windowed {
                            let what = "\(quoted(name)) works on traces, as \(quoted(windowed)) before it does"
                            context.report("\(what); one is allowed", at: node.offset)
                        }
                        windowed = windowed ?? name
                    case .perSpan:
                        guard let windowed, !routesTraces(name) else { return }
                        let order =
                            "it works on single spans and comes before \(quoted(windowed)), which works on traces"
                        context.report("\(quoted(name)) stands too late: \(order)", at: node.offset)
                    case nil:
                        return
                    }
                }
            }
        }
    }

    /// Whether a processor may stand behind a windowed one, because it chooses the route of a whole trace there.
    private func routesTraces(_ name: String) -> Bool {
        processors.first { $0.name == name }?.settings.routing != nil
    }

    /// Cursors and rows of the ledger are named for both.
    private func checkWindowNames(_ root: JSONNode, _ context: inout DecodeContext) {
        for pipeline in pipelines {
            guard let window = window(of: pipeline.value), pipeline.value.exporters.contains(window.name),
                let index = pipeline.value.processors.firstIndex(of: window.name),
                let node = root["pipelines"]?[pipeline.name]?["processors"]?.elements?[index]
            else { continue }
            context.within("pipelines", pipeline.name, "processors", "\(index)") { context in
                let what = "\(quoted(window.name)) is the name of an exporter of the pipeline, too"
                context.report("\(what); allowed: any other name", at: node.offset)
            }
        }
    }

    private func checkFiles(_ root: JSONNode, _ context: inout DecodeContext) {
        var writers: [String: String] = [:]
        for exporter in exporters {
            guard let file = exporter.settings.destination.ownedFile,
                let node = root["exporters"]?[exporter.name]?[file.setting]
            else { continue }
            let path = file.path.absolutePath
            context.within("exporters", exporter.name, file.setting) { context in
                if let other = writers.updateValue(exporter.name, forKey: path) {
                    context.report("/exporters/\(other) writes the same file; each needs its own", at: node.offset)
                }
                if path.hasPrefix(journal.directory.absolutePath + "/") {
                    let what = "the file is inside of the journal's directory, \(journal.directory)"
                    context.report(what, at: node.offset)
                }
            }
        }
    }

    private func checkMemory(_ root: JSONNode, _ context: inout DecodeContext) {
        let room = ByteCount(bytes: memoryLimit.bytes / 4 * 3)
        for receiver in receivers {
            guard let bodyMax = receiver.settings.bodyMax, bodyMax > room else { continue }
            let node = root["receivers"]?[receiver.name]
            context.within("receivers", receiver.name, "max_body") { context in
                let what = "\(bodyMax) is more than receivers may hold at once"
                let allowed = "at most \(room), three quarters of memory_limit (\(memoryLimit))"
                context.report("\(what); allowed: \(allowed)", at: (node?["max_body"] ?? node ?? root).offset)
            }
        }
    }

    private func checkBacklogs(_ root: JSONNode, _ context: inout DecodeContext) {
        for exporter in exporters {
            guard let backlog = exporter.settings.reader.backlog, backlog.maxBytes > journal.maxBytes else { continue }
            let node = root["exporters"]?[exporter.name]?["backlog"]
            context.within("exporters", exporter.name, "backlog") { context in
                let what = "\(backlog.maxBytes) can never wait, because the journal holds less"
                let allowed = "max_bytes of at most that of the journal (\(journal.maxBytes))"
                context.report("\(what); allowed: \(allowed)", at: (node?["max_bytes"] ?? node ?? root).offset)
            }
        }
    }

    private func checkTests(_ root: JSONNode, _ context: inout DecodeContext) {
        let names = root["pipelines"]?.members?.map(\.name) ?? []
        for (index, test) in (root["tests"]?.elements ?? []).enumerated() where test.members != nil {
            context.within("tests", "\(index)") { context in
                guard let node = test["pipeline"] else {
                    guard names.count > 1 else { return }
                    let choice = names.joined(separator: ", ")
                    return context.report("\"pipeline\" is missing; allowed: \(choice)", at: test.offset)
                }
                guard let name = node.string, !name.isEmpty, !names.contains(name) else { return }
                context.within("pipeline") { context in
                    let what = "\(quoted(name)) is no pipeline of this file"
                    context.refuse(unknown: name, at: node.offset, allowed: names, what: what)
                }
            }
        }
    }

    private func warnOfUnused(_ root: JSONNode, _ context: inout DecodeContext) {
        for section in ["receivers", "processors", "exporters"] {
            let nodes = (root["pipelines"]?.members ?? []).flatMap { $0.node[section]?.elements ?? [] }
            var used = nodes.compactMap(\.string)
            if section == "exporters", let telemetry { used.append(telemetry.exporter) }
            for member in root[section]?.members ?? [] where !used.contains(member.name) {
                context.within(section, member.name) { context in
                    context.report("no pipeline uses it", at: member.nameOffset, as: .warning)
                }
            }
        }
    }
}
