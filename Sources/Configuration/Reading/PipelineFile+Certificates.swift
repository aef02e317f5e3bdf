import Basics
import Receivers
import Settings
import TLS

// Whether the certificates and keys of servers can be served.

extension PipelineFile {
    /// Reports what keeps the files of each `tls` from being served, and certificates that have expired or soon will.
    func checkCertificates(_ root: JSONNode, _ environment: Environment, _ context: inout DecodeContext) {
        for receiver in receivers {
            guard let tls = receiver.settings.tls, let node = root["receivers"]?[receiver.name]?["tls"] else {
                continue
            }
            context.within("receivers", receiver.name, "tls") { check(tls, node, environment, &$0) }
        }
        guard let tls = admin.tls, let node = root["admin"]?["tls"] else { return }
        context.within("admin", "tls") { check(tls, node, environment, &$0) }
    }

    private func check(
        _ tls: ServerTLSSettings,
        _ node: JSONNode,
        _ environment: Environment,
        _ context: inout DecodeContext
    ) {
        for problem in tls.problems(at: WallClock.system.now(), read: environment.withoutPipes.file) {
            context.within(problem.setting) { context in
                context.report(problem.message, at: (node[problem.setting] ?? node).offset, as: problem.severity)
            }
        }
    }
}
