import Basics
import Processors
import Receivers
import Settings
import TLS

// Who may send: files of members, and what makes `auth` worth less than it seems.

extension PipelineFile {
    /// Reads files of members, so that what is wrong in them is told before anything starts.
    func checkMembers(_ root: JSONNode, _ environment: Environment, _ context: inout DecodeContext) {
        for receiver in receivers {
            guard let auth = receiver.settings.auth, let node = root["receivers"]?[receiver.name]?["auth"] else {
                continue
            }
            let group = Group(offset: node.offset, members: node.members ?? [])
            context.within("receivers", receiver.name, "auth") { context in
                let members = MemberList(auth, read: environment.withoutPipes.file)
                members.report(in: group, &context)
                members.warn(in: group, &context)
            }
        }
    }

    /// Warns of secrets that cross networks in plain text, and of processors that wait for names which nobody gives.
    func checkAccess(_ root: JSONNode, _ context: inout DecodeContext) {
        for receiver in receivers {
            guard receiver.settings.auth != nil, receiver.settings.tls == nil,
                let address = receiver.settings.address, !address.isLocal,
                let node = root["receivers"]?[receiver.name]?["auth"]
            else { continue }
            context.within("receivers", receiver.name, "auth") { context in
                let what = "clients send their secrets to \(address) in plain text, because the receiver has no tls"
                context.report(what, at: node.offset, as: .warning)
            }
        }
        for pipeline in pipelines { checkIdentity(pipeline, root, &context) }
        checkTenants(root, &context)
    }

    /// Warns of pipelines that pass on to MLflow where clients say that it should keep their traces.
    private func checkTenants(_ root: JSONNode, _ context: inout DecodeContext) {
        for pipeline in pipelines {
            let authenticates = receivers.contains {
                pipeline.value.receivers.contains($0.name) && $0.settings.auth != nil
            }
            let isMapped = processors.contains {
                pipeline.value.processors.contains($0.name) && $0.type == "mlflow_map"
            }
            let isForMLflow = exporters.contains { pipeline.value.exporters.contains($0.name) && $0.type == "mlflow" }
            guard authenticates, isForMLflow, !isMapped, let node = root["pipelines"]?[pipeline.name] else { continue }
            context.within("pipelines", pipeline.name) { context in
                let what = "without mlflow_map members may point their traces at whatever MLflow's server can read"
                context.report(what, at: node.offset, as: .warning)
            }
        }
    }

    private func checkIdentity(
        _ pipeline: Named<PipelineSettings>,
        _ root: JSONNode,
        _ context: inout DecodeContext
    ) {
        let sources = receivers.filter { pipeline.value.receivers.contains($0.name) }
        // One that could not be read may have it.
        guard sources.count == Set(pipeline.value.receivers).count,
            !sources.contains(where: { $0.settings.auth != nil || $0.settings.tls?.clientCA != nil })
        else { return }
        let nodes = root["pipelines"]?[pipeline.name]?["processors"]?.elements ?? []
        for (index, node) in nodes.enumerated() {
            guard processors.contains(where: { $0.name == node.string && $0.settings.readsIdentity }) else { continue }
            context.within("pipelines", pipeline.name, "processors", "\(index)") { context in
                let what = "\(quoted(node.string ?? "")) looks for who sends, which nothing tells"
                context.report(
                    "\(what): no receiver of the pipeline has auth, or tls with client_ca",
                    at: node.offset,
                    as: .warning
                )
            }
        }
    }
}
