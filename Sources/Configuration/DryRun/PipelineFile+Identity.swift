package import Pipeline
import Receivers
import Settings

/// A name that no client of a pipeline can have.
package struct DryRunIdentityError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

extension PipelineFile {
    /// Names of members that a message lists, at most.
    private static let namesMax = 20

    /// Who sends to a pipeline under that name, with the experiments that bind the member; blocks for files of members.
    ///
    /// Where none of its receivers has `auth`, it is the name in a certificate, which may be any.
    package func identity(
        named name: String,
        sendingTo pipeline: String,
        environment: Environment = .process
    ) throws(DryRunIdentityError) -> Identity {
        let names = pipelines.first { $0.name == pipeline }?.value.receivers ?? []
        let auths = receivers.filter { names.contains($0.name) }.compactMap(\.settings.auth)
        guard !auths.isEmpty else { return Identity(name) }
        let lists = auths.map { MemberList($0, read: environment.withoutPipes.file) }
        if let problem = lists.flatMap(\.problems).first { throw DryRunIdentityError(description: problem.message) }
        for list in lists {
            if let identity = list.identity(named: name) { return identity }
        }
        let known = lists.flatMap(\.names)
        let listed = known.prefix(Self.namesMax).joined(separator: ", ") + (known.count > Self.namesMax ? ", …" : "")
        throw DryRunIdentityError(
            description: "\(quoted(name)) is no member that sends to pipeline \(pipeline); allowed: \(listed)"
        )
    }
}
