import Basics
import Settings

/// What a client shows one server, made for each connection.
struct NATSIdentity: Sendable {
    /// The members of CONNECT.
    let options: JSON

    /// Why nothing can be shown.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads a file of credentials, and throws where it cannot be used; blocks for the disk.
    static func key(of credentials: NATSCredentials?) throws(Problem) -> NATSKeys {
        guard let credentials else { return NATSKeys() }
        if let seed = credentials.nkey { return NATSKeys(key: NKey(seed: seed.read().text)) }
        guard let path = credentials.file else { return NATSKeys() }
        let bytes: [UInt8]
        do throws(FileReadError) {
            try checkRegularFile(path)
            bytes = try readFile(path, max: .kibibytes(64))
        } catch {
            throw Problem(description: "\(path): \(error.reason)")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let jwt = text.section("NATS USER JWT"),
            let key = text.section("USER NKEY SEED").flatMap({ NKey(seed: $0) })
        else {
            throw Problem(description: "\(path): no file of credentials, with a user's JWT and seed")
        }
        return NATSKeys(jwt: jwt, key: key)
    }

    /// - Parameters:
    ///   - credentials: What the file sets.
    ///   - keys: What was read for them.
    ///   - info: What the server said.
    init(_ credentials: NATSCredentials?, _ keys: NATSKeys, answering info: NATSServerInfo) {
        var options: JSON = [:]
        if let user = credentials?.user { options = options.adding(["user": .text(user)]) }
        if let password = credentials?.password { options = options.adding(["pass": .text(password.read().text)]) }
        if let token = credentials?.token { options = options.adding(["auth_token": .text(token.read().text)]) }
        if let jwt = keys.jwt { options = options.adding(["jwt": .text(jwt)]) }
        if let key = keys.key, let signed = key.sign(info.nonce ?? "") {
            let signature = signed.signature.base64.replacing("+", with: "-").replacing("/", with: "_").replacing(
                "=",
                with: ""
            )
            options = options.adding(["sig": .text(signature)])
            if keys.jwt == nil { options = options.adding(["nkey": .text(signed.publicKey)]) }
        }
        self.options = options
    }
}

/// What credentials were read to.
struct NATSKeys: Sendable {
    var jwt: String?
    var key: NKey?
}

extension String {
    /// The text between a line `-----BEGIN NAME-----` and the next line of dashes.
    fileprivate func section(_ name: String) -> String? {
        var isInside = false
        for line in split(whereSeparator: \.isNewline) {
            if isInside { return line.hasPrefix("-") ? nil : String(line.filter { !$0.isWhitespace }) }
            isInside = line.contains("BEGIN \(name)-")
        }
        return nil
    }
}
