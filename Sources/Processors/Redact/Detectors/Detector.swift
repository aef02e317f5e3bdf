/// What `redact` finds by itself; the raw value is its name in the pipeline file, in metrics and in what comes in the place of a
/// text.
///
/// In the order in which one wins over those behind it that found the same bytes.
enum Detector: String, CaseIterable, Sendable {
    case privateKey = "private_key"
    case anthropic, openai
    /// Keys of Groq, xAI, Perplexity, Hugging Face, Replicate, NVIDIA, OpenRouter and LangSmith.
    case llmProvider = "llm_provider"
    case google
    case awsKeyID = "aws_key_id"
    case awsSecret = "aws_secret"
    case bedrock, github, gitlab, slack, stripe, databricks, npm, pypi, azure, sendgrid, jwt
    case urlCredentials = "url_credentials"
    case authorization
    case email, iban, card, ssn
    /// NHS numbers, PESEL and Aadhaar, where the text names them and the check digits are right.
    case nationalID = "national_id"
    case phone
    case ip
    /// A value under a name such as `password` or `api_key` that is too random for a word.
    case secret

    /// Whether it works unless it is switched off.
    var isUsual: Bool { self != .phone && self != .ip }

    /// Its position, which is also its number as a label.
    var number: Int { Self.numbers[self] ?? 0 }

    private static let numbers = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}
