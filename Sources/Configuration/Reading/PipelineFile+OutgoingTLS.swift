import Basics
import Settings

// What of an exporter's `tls` will keep it from connecting, or has no effect. Warnings, because its files are read with
// each connection, and may come later.

extension PipelineFile {
    /// Warns of files that exporters cannot use, and of settings that do nothing.
    func checkOutgoingTLS(_ root: JSONNode, _ environment: Environment, _ context: inout DecodeContext) {
        for exporter in exporters {
            guard let node = root["exporters"]?[exporter.name], let tls = node["tls"] else { continue }
            context.within("exporters", exporter.name, "tls") { context in
                if node["endpoint"]?.string?.lowercased().hasPrefix("http:") == true {
                    context.report("has no effect: the endpoint is not https", at: tls.offset, as: .warning)
                }
                if let verify = tls["verify"], verify.bool == false {
                    let what = "whoever answers at the address gets the spans, because nothing verifies who it is"
                    context.within("verify") { $0.report(what, at: verify.offset, as: .warning) }
                }
                if tls["key"] != nil, tls["certificate"] == nil {
                    let what = "a key without its certificate is not used; allowed: with \"certificate\""
                    context.report(what, at: tls.offset, as: .warning)
                }
                for file in OutgoingFile.all { file.check(tls, environment.withoutPipes, &context) }
            }
        }
    }
}

/// A PEM file of an exporter's `tls`, and what has to stand in it.
private struct OutgoingFile {
    let setting: String
    let mark: String
    let content: String

    static let all = [
        OutgoingFile(setting: "ca", mark: "CERTIFICATE-----", content: "certificate"),
        OutgoingFile(setting: "certificate", mark: "CERTIFICATE-----", content: "certificate"),
        OutgoingFile(setting: "key", mark: "PRIVATE KEY-----", content: "private key"),
    ]

    func check(_ tls: JSONNode, _ environment: Environment, _ context: inout DecodeContext) {
        guard let node = tls[setting], let path = node.string, let problem = problem(environment.file(path)) else {
            return
        }
        context.within(setting) { context in
            context.report(
                "\(path): \(problem); nothing is delivered until that is mended",
                at: node.offset,
                as: .warning
            )
        }
    }

    private func problem(_ read: Result<[UInt8], FileReadError>) -> String? {
        let text: String
        do throws(FileReadError) {
            text = String(decoding: try read.get(), as: UTF8.self)
        } catch {
            return "cannot be read: \(error.reason)"
        }
        if !text.contains("-----BEGIN ") || !text.contains(mark) { return "holds no \(content) in PEM" }
        let isKey = mark.hasPrefix("PRIVATE")
        return isKey && text.contains("ENCRYPTED") ? "the key is encrypted; allowed: one without a passphrase" : nil
    }
}
