import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// A `redact` processor with these settings, which must be right.
func redact(_ settings: String = "{}") throws -> Redact {
    var context = DecodeContext()
    let read = RedactSettings.shape.read(try JSONNode(parsing: Array(settings.utf8)), &context)
    #expect(context.problems.map(\.message) == [])
    return try #require(try read?.makeProcessor(named: "redact") as? Redact)
}

extension Redact {
    /// What a text becomes as the value of an attribute, and by what.
    func become(_ text: String, key: String = "text") throws -> (text: String, by: Set<String>) {
        var span = TestSpan()
        span.attributes = [(key, .string(text))]
        var done = try work([span])
        process(&done)
        let attribute = try #require(done.batch.spans[0].attributes.first)
        guard case .string(let range) = done.batch.value(of: attribute) else { return ("", []) }
        return (done.batch.text(range), done.detectors)
    }
}

extension SpanWork {
    /// The detectors that found something.
    var detectors: Set<String> {
        Set(tally.entries.compactMap { if case .redacted(let detector, _) = $0.kind { detector } else { nil } })
    }

    /// The places where something was found.
    var places: Set<String> {
        Set(tally.entries.compactMap { if case .redacted(_, let place) = $0.kind { place.rawValue } else { nil } })
    }
}

/// Secrets that nobody has, put together when a test runs so that no scanner of repositories takes them for real ones.
enum FakeSecrets {
    /// `count` letters of an alphabet, the same each time.
    static func letters(_ count: Int, of alphabet: String = mixed, seed: UInt64 = 1) -> String {
        var generator = SeededGenerator(seed: seed)
        let all = Array(alphabet)
        return String((0..<count).map { _ in all.randomElement(using: &generator) ?? "a" })
    }

    static let mixed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    static let hexadecimal = "0123456789abcdef"
    static let base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

    /// A token of GitHub with its checksum.
    static func github(_ kind: String = "p") -> String {
        let random = letters(30, seed: 7)
        var crc: UInt32 = .max
        for byte in random.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        let alphabet = Array("0123456789" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz")
        var (rest, digits) = (Int(~crc), "")
        for _ in 0..<6 {
            digits = String(alphabet[rest % 62]) + digits
            rest /= 62
        }
        return "gh" + kind + "_" + random + digits
    }

    static func webToken() -> String {
        let header = Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8).base64.filter { $0 != "=" }
        return header + "." + letters(60, seed: 2) + "." + letters(43, seed: 3)
    }

    /// An encrypted token with a key that both sides have.
    static func keylessToken() -> String {
        let header = Array(#"{"alg":"dir","enc":"A256GCM"}"#.utf8).base64.filter { $0 != "=" }
        return header + ".." + letters(16) + "." + letters(80, seed: 3) + "." + letters(22, seed: 4)
    }

    static func privateKey(_ end: String = "\n") -> String {
        let dashes = "-----"
        let lines = (0..<4).map { letters(64, seed: 30 + $0) }.joined(separator: end)
        return dashes + "BEGIN RSA PRIVATE" + " KEY" + dashes + end + lines + end + dashes + "END RSA PRIVATE" + " KEY"
            + dashes
    }

    /// By detector; each stands alone in a text.
    static let all: [(detector: String, secret: String)] = [
        ("anthropic", "sk" + "-ant-api03-" + letters(93) + "AA"),
        ("anthropic", "sk" + "-ant-admin01-" + letters(93) + "AA"),
        ("anthropic", "sk" + "-ant-oat01-" + letters(93) + "AA"),
        ("openai", "sk" + "-proj-" + letters(74) + "T3Blbk" + "FJ" + letters(74)),
        ("openai", "sk" + "-svcacct-" + letters(20) + "T3Blbk" + "FJ" + letters(20)),
        ("openai", "sk" + "-" + letters(20) + "T3Blbk" + "FJ" + letters(20)),
        ("llm_provider", "gsk" + "_" + letters(52)),
        ("llm_provider", "xai" + "-" + letters(80)),
        ("llm_provider", "pplx" + "-" + letters(48)),
        ("llm_provider", "hf" + "_" + letters(34, of: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ")),
        ("llm_provider", "r8" + "_" + letters(37)),
        ("llm_provider", "nvapi" + "-" + letters(64)),
        ("llm_provider", "sk" + "-or-v1-" + letters(64, of: hexadecimal)),
        ("llm_provider", "lsv2" + "_pt_" + letters(32, of: hexadecimal) + "_" + letters(10, of: hexadecimal)),
        ("google", "AI" + "za" + letters(35)),
        ("aws_key_id", "AK" + "IA" + letters(16, of: base32)),
        ("aws_key_id", "AS" + "IA" + letters(16, of: base32)),
        ("bedrock", "AB" + "SK" + letters(128)),
        ("github", github()), ("github", github("s")),
        // Expired samples that were published beside the format, for what checks its code.
        ("github", "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"),
        ("github", "gh" + "p_adE7dp8rHP6gUTuPwxLTZjZdtya3sV" + "0UQzQM"),
        ("github", "github" + "_pat_" + letters(22) + "_" + letters(59)),
        ("gitlab", "glpat" + "-" + letters(20)),
        ("gitlab", "glpat" + "-" + letters(27) + ".01." + letters(9, of: hexadecimal)),
        ("gitlab", "glpat" + "-" + letters(27) + "." + letters(9, of: hexadecimal)),
        ("slack", "xox" + "b-" + letters(12, of: "0123456789") + "-" + letters(24)),
        ("stripe", "sk" + "_live_" + letters(24)), ("stripe", "rk" + "_test_" + letters(24)),
        ("databricks", "da" + "pi" + letters(32, of: hexadecimal)),
        ("npm", "npm" + "_" + letters(36)), ("pypi", "pypi" + "-AgEIcHlwaS5vcmc" + letters(80)),
        ("azure", "abc8" + "Q~" + letters(34)),
        ("sendgrid", "SG" + "." + letters(22) + "." + letters(43, seed: 5)),
        ("jwt", webToken()), ("jwt", keylessToken()), ("private_key", privateKey()),
        ("email", "ada.lovelace+notes@mail.example.org"),
        ("card", "4111" + "111111111111"), ("card", "5500-0000-0000-0004"), ("card", "3782 822463 10005"),
        ("iban", "DE89 3704 0044 0532 0130 00"), ("iban", "GB82WEST12345698765432"), ("ssn", "536-90-4399"),
        ("card", "4111\u{A0}1111\u{A0}1111\u{A0}1111"), ("card", "4111\u{202F}1111\u{202F}1111\u{202F}1111"),
        ("card", "4111\u{2011}1111\u{2011}1111\u{2011}1111"), ("ssn", "536\u{2011}90\u{2011}4399"),
        ("iban", "DE89\u{A0}3704\u{A0}0044\u{A0}0532\u{A0}0130\u{A0}00"),
    ]

    /// In a text that says what they are: what is left of it follows.
    static let inContext: [(detector: String, text: String, left: String)] = [
        ("aws_secret", "AWS_SECRET_ACCESS_KEY=" + letters(40, seed: 12), "AWS_SECRET_ACCESS_KEY=[redacted:aws_secret]"),
        (
            "slack", "https://hooks.slack.com/services/T" + letters(9) + "/B" + letters(9) + "/" + letters(24),
            "https://hooks.slack.com/services/[redacted:slack]"
        ),
        (
            "url_credentials", "postgres://shop:" + "hun@ter2@db.local:5432/till",
            "postgres://[redacted:url_credentials]@db.local:5432/till"
        ),
        ("authorization", "Authorization: Bearer " + letters(30), "Authorization: Bearer [redacted:authorization]"),
        (
            "authorization", "curl -H 'authorization: Basic " + Array("ada:pw".utf8).base64 + "'",
            "curl -H 'authorization: Basic [redacted:authorization]'"
        ),
        (
            "secret", "the password is here: password = \"" + letters(16) + "\", keep it",
            "the password is here: password = \"[redacted:secret]\", keep it"
        ),
        ("secret", "export API_KEY=" + letters(24) + " && run", "export API_KEY=[redacted:secret] && run"),
        ("national_id", "my NHS number is 943 476 5919.", "my NHS number is [redacted:national_id]."),
        ("national_id", "PESEL: 44051401359", "PESEL: [redacted:national_id]"),
        ("national_id", #"{"nhs_number":"943 476 5919"}"#, #"{"nhs_number":"[redacted:national_id]"}"#),
        (
            "national_id", #"{"pesel":44051401359,"n":44051401359}"#,
            #"{"pesel":"[redacted:national_id]","n":44051401359}"#
        ),
        address("admin:%40dm1nPa55word"), address("admin:$uper5ecretPa55"), address("app:Xk9&mQ2;vL7z"),
        address("app:Xk9(mQ2)vL7z"), address("aws:" + letters(1500)),
        ("npm", #"C:\keys\npm_"# + letters(36), #"C:\keys\[redacted:npm]"#),
        ("stripe", #"C:\keys\rk_"# + "live_" + letters(24), #"C:\keys\[redacted:stripe]"#),
        ("jwt", "https://host.local/login/" + webToken(), "https://host.local/login/[redacted:jwt]"),
        ("jwt", "a%20" + webToken(), "a%20[redacted:jwt]"), ("jwt", "ghs_12_" + webToken(), "ghs_12_[redacted:jwt]"),
        named("**Password:** "), named("**Password**: "), named("- **API key**: `", "`"), named("_secret_: "),
        named("*Token:* *", "*"), named("My API key: "), named("\"password\": \"", "\""),
        named("'pwd': '", "(x)'", "'"),
        ("secret", "password: Tr0ub4dor&3, yes", "password: [redacted:secret], yes"),
        ("secret", "pwd=hunter22&next=1", "pwd=[redacted:secret]&next=1"),
        ("secret", #"{"passwd":"Tr0ub4dor&3"}"#, #"{"passwd":"[redacted:secret]"}"#),
        ("secret", #"{"passwd":"$uperS3cret!Pa55word"}"#, #"{"passwd":"[redacted:secret]"}"#),
        ("secret", #"{"passwd":" Xk9mQ2vL7zRt4Wq8\n"}"#, #"{"passwd":" [redacted:secret]\n"}"#),
        ("secret", #"{"X-Api-Key":["\#(letters(24))"],"n":["x"]}"#, #"{"X-Api-Key":["[redacted:secret]"],"n":["x"]}"#),
        (
            "authorization", #"{"Authorization":["Token \#(letters(24))"]}"#,
            #"{"Authorization":["Token [redacted:authorization]"]}"#
        ),
        (
            "authorization", #"curl -H 'Authorization: Digest user="ada", response="6629fae4"' x"#,
            "curl -H 'Authorization: Digest [redacted:authorization]' x"
        ),
        (
            "authorization", "Authorization: Bearer " + letters(4000) + " end",
            "Authorization: Bearer [redacted:authorization] end"
        ),
        mail("", "-thanks"), mail("", ".pdf"), mail("", ".2024"), mail("//"), mail("", ".*"), mail("", "(work)"),
        ("email", "o'brien@b.example", "[redacted:email]"), ("email", "'o'brien@b.example'", "'[redacted:email]'"),
        ("email", "?mail=ada%40b.example&q", "?mail=[redacted:email]&q"),
        ("email", String(repeating: "a1.", count: 40) + "b@b.example", "[redacted:email]"),
        ("google", "_AI" + "za" + letters(35) + "_", "_[redacted:google]_"),
        ("google", "AI" + "za" + letters(35) + "--", "[redacted:google]--"),
        ("aws_key_id", "_AK" + "IA" + letters(16, of: base32) + "_", "_[redacted:aws_key_id]_"),
        ("card", "4111" + "111111111111.Thanks", "[redacted:card].Thanks"),
        ("iban", "DE89370400440532013000EUR", "[redacted:iban]EUR"),
        ("iban", "IBAN-DE89370400440532013000", "IBAN-[redacted:iban]"),
        ("card", "card_4111" + "111111111111", "card_[redacted:card]"),
        ("card", "VISA-4111-1111-1111-1111", "VISA-[redacted:card]"),
        ("secret", "_pwd: hunter2x9Q!", "_pwd: [redacted:secret]"),
        ("secret", "SMTP_PASS=hunter2x9Q!", "SMTP_PASS=[redacted:secret]"),
        ("secret", #"{"user":"a","pass":"hunter2x9Q!"}"#, #"{"user":"a","pass":"[redacted:secret]"}"#),
        ("secret", #"{"dbPass":"hunter2x9Q!"}"#, #"{"dbPass":"[redacted:secret]"}"#),
        (
            "secret", #"{"access_tokens":["\#(letters(24))"]}"#, #"{"access_tokens":["[redacted:secret]"]}"#
        ),
        (
            "secret", #"[{"name":"X-Api-Key","value":"\#(letters(24))"},{"name":"n","value":"\#(letters(24))"}]"#,
            #"[{"name":"X-Api-Key","value":"[redacted:secret]"},{"name":"n","value":"\#(letters(24))"}]"#
        ),
        (
            "secret", #"{"secret":{"ref":{"value":"x"},"value":"\#(letters(24))"},"value":"\#(letters(24))"}"#,
            #"{"secret":{"ref":{"value":"x"},"value":"[redacted:secret]"},"value":"\#(letters(24))"}"#
        ),
    ]

    private static func address(_ user: String) -> (String, String, String) {
        ("url_credentials", "postgres://\(user)@db.local/x", "postgres://[redacted:url_credentials]@db.local/x")
    }

    /// A secret behind what names it.
    private static func named(_ before: String, _ after: String = "", _ left: String? = nil) -> (String, String, String)
    {
        ("secret", before + letters(16) + after, before + "[redacted:secret]" + (left ?? after))
    }

    private static func mail(_ before: String, _ after: String = "") -> (String, String, String) {
        ("email", before + "ada@example.org" + after, before + "[redacted:email]" + after)
    }

    /// Things that look like secrets and are none.
    static let nearMisses = [
        "sk" + "-ant-api03-" + letters(93) + "AB", "sk" + "-ant-api03-" + letters(80) + "AA",
        "sk" + "-proj-" + letters(156), "task" + "-" + letters(48), "gsk" + "_" + letters(51), "hf" + "_" + letters(34),
        "AI" + "za" + letters(34), "AK" + "IA" + letters(15, of: base32) + "1",
        "x" + "AK" + "IA" + letters(16, of: base32),
        "gh" + "p_" + letters(36, seed: 9), "glpat" + "-" + letters(19),
        "da" + "pi" + letters(31, of: hexadecimal) + "g",
        "npm" + "_" + letters(30), "SG" + "." + letters(22) + "." + letters(30),
        "ey" + "J" + letters(30) + "." + letters(30),
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
        "git@github.com:owner/name.git", "icon@2x.png", "npm install left-pad@1.3.0", "@app.route('/x')",
        "ssh://git@host.example.org/x",
        "4111" + "111111111112", "1234567890123452", "0.4111111111111111", "id4111111111111111",
        "span_4111" + "111111111111", "1732999999000000000",
        "DE89 3704 0044 0532 0130 01", "000-12-3456", "666-12-3456", "900-12-3456", "123-00-3456", "123-45-0000",
        "123-45-67890",
        "call +49 30 901820", "10.0.0.1", "943 476 5919", "Basic information about tokens",
        "Bearer authentication is used",
        "password: correcthorse", "token = tokenizer.encode", "max_tokens: 4096", "secret: ${VAULT_SECRET_0123456789}",
        "http://localhost:8080/a:b@c", "https://host/path?user=a:b@c.d", "550e8400-e29b-41d4-a716-446655440000",
        "postgres://${USER}:${PASSWORD}@db/x", "postgres://%s:%s@db/x", "http://[user:password@]host",
        "password = base64.b64encode(bytes)",
        "session_token=r2_creds.session_token,", "postgres://app:***@db/x",
        "postgres://{user}:{password}@db/x", "postgres://app:$DB_PASSWORD@db/x", "password: $DB_PASSWORD_2",
        #"{"password":"<your-passw0rd-here>"}"#, #"{"password":"%(passw0rd_of)s"}"#, #"{"password":"{{ PASSW0RD }}"}"#,
        "### Authorization: determines permissions", "Authorization: Required permissions are read and write",
        "- **Authorization**: Role-based policies", "Authorization: Basic authentication is used",
        "startActivity(Intent(this@MainActivity.applicationContext))", "attn = q@k.transpose(-2,-1)",
        "y = x@self.weight",
        "EAN 4006381000093", "4111" + "111111111111.pdf", #"{"id":44051401359}"#, #"{"date":"2026-11-30"}"#,
        "sk" + "-ant-oat01-" + letters(60), "glpat" + "-" + letters(27) + ".01." + letters(8, of: hexadecimal),
        "ey" + "JhbGciOiJkaXIifQ..and so on", "order_4111" + "111111111111", "id-4111-1111-1111-1111",
        "bypass=aB3dE6gH9jK2mN5p", "first pass: gpt-4o-2026-05-13", #"{"tokens":["aB3dE6gH9jK2mN5p"]}"#,
        "primary key: aB3dE6gH9jK2mN5p", "a@1.2.3-rc.1", "jquery@3.7.min.js", "x%40y",
        "https://hooks.slack.com/docs", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ]
}
