/// What `redact` finds by itself; the raw value is its number as a label.
///
/// In the order in which one wins over those behind it that found the same bytes.
enum Detector: Int, CaseIterable, Sendable {
    case privateKey
    case anthropic, openai
    /// Keys of Groq, xAI, Perplexity, Hugging Face, Replicate, NVIDIA, OpenRouter and LangSmith.
    case llmProvider
    case google
    case awsKeyID
    case awsSecret
    case bedrock, github, gitlab, slack, stripe, databricks, npm, pypi, azure, sendgrid, jwt
    case urlCredentials
    case authorization
    case email, iban, card, ssn
    /// NHS numbers, PESEL and Aadhaar, where the text names them and the check digits are right.
    case nationalID
    case phone
    case ip
    /// A value under a name such as `password` or `api_key` that is too random for a word.
    case secret

    /// Whether it works unless it is switched off.
    var isUsual: Bool { self != .phone && self != .ip }

    /// Its number as a label.
    @inline(__always) var number: Int { rawValue }

    /// Its name in the pipeline file, in metrics and in what comes in the place of a text.
    var name: String { Self.names[rawValue] }

    /// By number.
    static let names = [
        "private_key", "anthropic", "openai", "llm_provider", "google", "aws_key_id", "aws_secret", "bedrock", "github",
        "gitlab", "slack", "stripe", "databricks", "npm", "pypi", "azure", "sendgrid", "jwt", "url_credentials",
        "authorization", "email", "iban", "card", "ssn", "national_id", "phone", "ip", "secret",
    ]

    /// The detector of that name; nil for none.
    init?(named name: String) {
        guard let number = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: number)
    }
}
