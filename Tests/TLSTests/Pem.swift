import Basics
import Glibc

@testable import TLS

/// Certificates and keys that are nobody's, made by `openssl`.
enum Pem {
    /// Signed by itself; names an address, a DNS name, two URIs and two common names.
    ///
    /// Valid from 2026-11-29 to 2126-11-05.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIB9zCCAZygAwIBAgIUVzWtezoaz8DWhI7Z//rCRktMvPkwCgYIKoZIzj0EAwIw
        JzEOMAwGA1UEAwwFZmlyc3QxFTATBgNVBAMMDGdhdGV3YXkudGVzdDAgFw0yNjEx
        MjkxNDU1NDJaGA8yMTI2MTEwNTE0NTU0MlowJzEOMAwGA1UEAwwFZmlyc3QxFTAT
        BgNVBAMMDGdhdGV3YXkudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAIc
        V2ZN/mejg94gS2fzLpVf94E3sra1j48xR5HxUdQ4ycMpFwbEN/3LZuI55B6FtofZ
        TziWzNXfXLxAMyZRii+jgaMwgaAwHQYDVR0OBBYEFKMSA4I2/W2ePIIFbu/tQSm6
        YPzkMB8GA1UdIwQYMBaAFKMSA4I2/W2ePIIFbu/tQSm6YPzkMA8GA1UdEwEB/wQF
        MAMBAf8wTQYDVR0RBEYwRIEIYUBiLnRlc3SCDGdhdGV3YXkudGVzdIYVc3BpZmZl
        Oi8vdGVzdC9nYXRld2F5hhNzcGlmZmU6Ly90ZXN0L290aGVyMAoGCCqGSM49BAMC
        A0kAMEYCIQCIWqcAkCtIR7BfwZ4pHGymBENDDzBq4fV05AA84FnkEAIhAPOCq7DY
        6PY3uhc4MtnZA8xNU4LV0E7N1kMBJ7mCvE0a
        -----END CERTIFICATE-----
        """

    /// Its key.
    static let key = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIKqS1OSWRL/rWX/BH33CDMvuDCnNeHzrzsE1ZW+Fqg3YoAoGCCqGSM49
        AwEHoUQDQgAEAhxXZk3+Z6OD3iBLZ/MulV/3gTeytrWPjzFHkfFR1DjJwykXBsQ3
        /ctm4jnkHoW2h9lPOJbM1d9cvEAzJlGKLw==
        -----END EC PRIVATE KEY-----
        """

    /// Of no certificate.
    static let otherKey = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIN1K+PTZEBTshb8bKNrcv6GdZuv4l7ieN+0+8hD2C0xsoAoGCCqGSM49
        AwEHoUQDQgAEkuij8o+PcrPj9sXHOmNXitPQUAFlqIJz3qASfpIr9xw9opMm2taw
        P0KVZCL8W75bdl7D+wU6W+/NuAtQotBvtw==
        -----END EC PRIVATE KEY-----
        """

    /// `key` with a passphrase, as OpenSSL wrote it.
    static let encryptedKey = """
        -----BEGIN EC PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-128-CBC,D001D997E179D3F78114F0CE2E00FE40

        B5Qxk7RsuG6T/Q7Y3Oze3mZBVfEgysWzDAsuCA3n5GroMCEqaVaz8C9Adlcf0H1T
        j6ukMbfyBr630EvcHHbBGi7rcX5YWU4LHjJEcKzqRqeNLzTEY+/wdFA/AllpWPwX
        cJPLavvB6hDawPcm13hLzpiqfUmOoCGoBEA2CMxnzOc=
        -----END EC PRIVATE KEY-----
        """

    /// `key` with a passphrase, as PKCS #8.
    static let encryptedKey8 = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjWNXPcgrGa6gICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFtLJ6Sd8xvFOZyU4V1rcmMEgZCb
        0eGGGl/66jjd5JPvVIZm13E5DpDXxyIYYmSPk9JmUv4zLfKr5ZzonAqBqwsqQfok
        zk0MDwpk1aykVV2Iubmop95adOTQ5KU82WUzThQsB+uoO8rs1F10Xpjfp1yvZKEH
        km2epJ216cMrReyJO8BOmKAYrqRIacnya75gXfQWgAKcN0KDfwWNI1l8wvMSGA4=
        -----END ENCRYPTED PRIVATE KEY-----
        """
}

extension ServerTLSSettings {
    /// With a key in a file of its own.
    static let test = ServerTLSSettings(certificate: "cert.pem", key: "key.pem")
}

extension TLSFiles {
    /// What `ServerTLSSettings.test` finds in files with these texts; nil for one that is not there.
    init(certificate: String?, key: String?) {
        self.init(.test) { path in read(path == "cert.pem" ? certificate : key) }
    }
}

/// A file with that text.
func read(_ text: String?) -> Result<[UInt8], FileReadError> {
    text.map { .success(Array($0.utf8)) } ?? .failure(FileReadError(reason: "No such file or directory"))
}
