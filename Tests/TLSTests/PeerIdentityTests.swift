import NIOSSL
import Testing

@testable import TLS

@Suite struct PeerIdentityTests {
    private func names(_ uris: [String], _ dnsNames: [String], _ commonNames: [String]) -> CertificateNames {
        let bytes = { (names: [String]) in names.map { Array($0.utf8) } }
        return CertificateNames(uris: bytes(uris), dnsNames: bytes(dnsNames), commonNames: bytes(commonNames))
    }

    @Test func `the first URI counts, else the first DNS name, else the last common name`() {
        #expect(names(["spiffe://a", "spiffe://b"], ["d"], ["c"]).identity == "spiffe://a")
        #expect(names([], ["d", "e"], ["c"]).identity == "d")
        #expect(names([], [], ["b", "c"]).identity == "c")
        #expect(names([], [], []).identity == nil)
    }

    @Test(arguments: ["", "team\0.evil", "team\nadmin", String(repeating: "n", count: 257)])
    func `a name that is none takes no other name's place, nor gives it up`(name: String) {
        #expect(names([name], ["d"], ["c"]).identity == nil)
        #expect(names([], [name], ["c"]).identity == nil)
        #expect(names([], [], [name]).identity == nil)
    }

    @Test func `a name that is not UTF-8 is none`() {
        #expect(CertificateNames(dnsNames: [[0x61, 0xFF]]).identity == nil)
    }

    @Test func `names are read from a certificate, addresses are not`() throws {
        let certificate = try #require(try NIOSSLCertificate.fromPEMBytes(Array(Pem.certificate.utf8)).first)
        let names = CertificateNames(certificate)
        let text = { (names: [[UInt8]]) in names.map { String(decoding: $0, as: UTF8.self) } }
        #expect(text(names.uris) == ["spiffe://test/gateway", "spiffe://test/other"])
        #expect(text(names.dnsNames) == ["gateway.test"])
        #expect(text(names.commonNames) == ["first", "gateway.test"])
        #expect(names.identity == "spiffe://test/gateway")
    }
}
