import Basics
import NIOSSL
import Settings
import Testing

@testable import TLS

@Suite struct ServerCertificateTests {
    struct Row: Sendable {
        let certificate: String?
        let key: String?
        let problem: String

        init(_ certificate: String?, _ key: String?, _ problem: String) {
            (self.certificate, self.key, self.problem) = (certificate, key, problem)
        }
    }

    private static let now = UnixTime(nanoseconds: 1_900_000_000_000_000_000)

    private func problems(
        _ settings: ServerTLSSettings,
        _ files: [String: String],
        at now: UnixTime = now
    ) -> [TLSProblem] {
        settings.problems(at: now) { read(files[$0]) }
    }

    @Test(arguments: [
        Row(nil, Pem.key, "certificate: cert.pem cannot be read: No such file or directory"),
        Row("", Pem.key, "certificate: cert.pem is empty"),
        Row("hello", Pem.key, "certificate: cert.pem holds no certificate, or a damaged one"),
        Row(
            String(Pem.certificate.dropLast(60)),
            Pem.key,
            "certificate: cert.pem holds no certificate, or a damaged one"
        ),
        Row(Pem.certificate, nil, "key: key.pem cannot be read: No such file or directory"),
        Row(Pem.certificate, Pem.certificate, "key: key.pem holds no private key, or a damaged one"),
        Row(Pem.certificate, Pem.encryptedKey, "key: key.pem holds an encrypted key"),
        Row(Pem.certificate, Pem.encryptedKey8, "key: key.pem holds an encrypted key"),
        Row(Pem.certificate, Pem.otherKey, "key: key.pem is not the key of the certificate in cert.pem"),
    ])
    func `what cannot be served is told with its file and what is allowed`(row: Row) {
        let files = ["cert.pem": row.certificate, "key.pem": row.key].compactMapValues { $0 }
        let found = problems(.test, files)
        #expect(found.map { "\($0.setting): \($0.message.prefix { $0 != ";" })" } == [row.problem])
        #expect(found.allSatisfy { $0.message.contains("; allowed: ") && $0.severity == .error })
    }

    @Test func `every file that is wrong is told of`() {
        let settings = ServerTLSSettings(certificate: "cert.pem", key: "key.pem", clientCA: "ca.pem")
        #expect(problems(settings, [:]).map(\.setting) == ["certificate", "key", "client_ca"])
    }

    @Test func `one file may hold both`() throws {
        let settings = ServerTLSSettings(certificate: "both.pem")
        #expect(problems(settings, ["both.pem": Pem.key + "\n" + Pem.certificate]).isEmpty)
        #expect(problems(settings, ["both.pem": Pem.certificate]).map(\.setting) == ["key"])
        #expect(problems(settings, [:]).map(\.setting) == ["certificate"])
    }

    @Test func `an expired certificate is a warning`() {
        let later = UnixTime(nanoseconds: 5_000_000_000_000_000_000)
        let found = problems(.test, ["cert.pem": Pem.certificate, "key.pem": Pem.key], at: later)
        #expect(found.map(\.severity) == [.warning])
        #expect(found.first?.message == "cert.pem expired on 2126-11-05T14:55:42Z: clients refuse it")
    }

    @Test func `the pin is the one that OpenSSL computes`() throws {
        let served = try ServerCertificate(TLSFiles(certificate: Pem.certificate, key: Pem.key), .test)
        #expect(served.publicKeyPin == "sha256//IoNkDPHh/5wt0fsTfOgfh6DhOX/PTzLeSymLNTbd3lc=")
    }

    struct ValidityRow: Sendable {
        let days: (from: Int, until: Int)
        let now: Int
        let state: CertificateValidity.State
    }

    @Test(arguments: [
        ValidityRow(days: (0, 365), now: 100, state: .valid),
        ValidityRow(days: (0, 365), now: 334, state: .valid),
        ValidityRow(days: (0, 365), now: 335, state: .ending),
        ValidityRow(days: (0, 365), now: 365, state: .expired),
        ValidityRow(days: (10, 365), now: 9, state: .early),
        // A certificate that is renewed each week is no news for three quarters of it.
        ValidityRow(days: (0, 8), now: 5, state: .valid),
        ValidityRow(days: (0, 8), now: 6, state: .ending),
    ])
    func `the end is told of thirty days before, or a quarter of the whole time`(row: ValidityRow) {
        let day = 86400
        let validity = CertificateValidity(from: row.days.from * day, until: row.days.until * day)
        #expect(validity.state(at: UnixTime(nanoseconds: UInt64(row.now * day) * 1_000_000_000)) == row.state)
    }
}
