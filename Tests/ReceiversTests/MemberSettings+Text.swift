import Basics

@testable import Receivers

extension MemberSettings {
    /// A member of the pipeline file whose secret stands there.
    init(name: String, secret: String, experiments: [String]? = nil) {
        self.init(name: name, secret: Secret(secret), experiments: experiments)
    }
}
