import Basics
package import Settings

/// Which web pages may send from browsers (`cors`).
package struct CORSSettings: Sendable {
    /// Origins and globs of origins; `null` for pages without one, `*` for every origin.
    package var origins: [String] = []
    /// Names of headers that pages may set, in lower case, besides those that the receiver reads or keeps.
    package var headers: [String] = []
    /// How long a browser need not ask again whether a page may send.
    package var maxAge = Duration.seconds(3600)

    package init() {}
}

extension CORSSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Web pages that may send from browsers; requests of others, known by their `Origin`, are answered 403.",
        CORSSettings(),
        [
            Field(
                "origins",
                \.origins,
                .list(of: .webOrigin),
                "Origins of pages, such as `https://app.example.com` and `http://localhost:5173`, or globs, such as `https://*.example.com`, whose `*` stands for any text; `null` for sandboxed frames and files; `*` for every origin but `null`.",
                required: true
            ),
            Field(
                "headers",
                \.headers,
                .list(of: .headerName),
                "Headers that pages may set, besides `content-type`, `content-encoding`, `authorization`, `x-mlflow-experiment-id` and what `forward_headers` names."
            ),
            Field(
                "max_age",
                \.maxAge,
                .duration(.zero ... .seconds(24 * 3600)),
                "Time for which browsers remember what they may send; Chromium takes two hours at most."
            ),
        ],
        check: { cors, group, context in
            if let node = group["origins"], node.elements?.isEmpty == true {
                context.report("no origin; leave \"cors\" out to allow none", at: node.offset)
            }
            if cors.headers.contains("*"), let node = group["headers"] {
                context.report("found \"*\"; allowed: names of headers, each written out", at: node.offset)
            }
        }
    )
}

extension Kind<String> {
    private static let originForm =
        #"scheme://host[:port] in lower case without default port, path or slash at the end, such as "https://app.example.com" or "https://*.example.com"; "null"; "*""#

    /// An origin of web pages, or a glob of such.
    fileprivate static let webOrigin = Kind(
        allowed: originForm,
        brief: "origin",
        schema: ["type": "string", "pattern": #"^[a-z][a-z0-9+.-]*://[^/A-Z]+$|^null$|^\*$|\$\{"#],
        read: { node, context in
            guard let text = node.string, ["null", "*"].contains(text) || WebOrigin(text, asPattern: true) != nil else {
                context.refuse(node, allowed: originForm, instead: node.string.flatMap(WebOrigin.nearest))
                return nil
            }
            if WebOrigin(text, asPattern: true)?.hasForeignHosts == true {
                let allowed =
                    #"wildcards before the last two parts of a host, as in "https://*.example.com" or "https://pr-*.example.com"; "https://*""#
                context.report("\(quoted(text)) matches hosts of others, too; allowed: \(allowed)", at: node.offset)
            }
            return text
        },
        write: { .text($0) }
    )
}
