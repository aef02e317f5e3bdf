import Basics
import Settings

/// The `sigv4` object of an exporter: keys that its requests are signed with (AWS Signature Version 4).
package struct SigV4Settings: SecretHolder {
    var region = ""
    /// As AWS names it, such as `xray`.
    var service = ""
    /// Names the secret key; read again with it, because both change together.
    var accessKeyID = Secret("")
    var secretAccessKey = Secret("")
    /// Of temporary keys; nil for those that stay.
    var sessionToken: Secret?

    func read() -> SigV4Settings {
        var read = self
        read.accessKeyID = accessKeyID.read()
        read.secretAccessKey = secretAccessKey.read()
        read.sessionToken = sessionToken?.read()
        return read
    }

    /// What no answer may bring into logs and dead letters.
    var hidden: [String] { [secretAccessKey.text] + (sessionToken.map { [$0.text] } ?? []) }
}

extension Shape<SigV4Settings> {
    static let sigv4 = Shape(
        "Signs requests for AWS (Signature Version 4).",
        Settings(),
        [
            Field("region", \.region, .scopeWord, "Such as `eu-west-1`.", required: true),
            Field("service", \.service, .scopeWord, "Such as `xray`, `logs` or `sagemaker-mlflow`.", required: true),
            Field("access_key_id", \.accessKeyID, .secret, "The key's name.", required: true),
            Field("secret_access_key", \.secretAccessKey, .secret, "Signs, and is never sent.", required: true),
            Field("session_token", optional: \.sessionToken, .secret, "Goes with temporary keys."),
        ]
    )
}

extension Kind<String> {
    /// A part of what a signature is good for.
    fileprivate static let scopeWord = Kind.parsed(
        #"a word of small letters, digits and "-""#,
        brief: "word",
        schema: ["type": "string", "pattern": #"^[a-z0-9-]+$|\$\{"#],
        parse: { text in
            let isWord = text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            }
            return isWord && !text.isEmpty ? text : nil
        },
        format: { $0 }
    )
}
