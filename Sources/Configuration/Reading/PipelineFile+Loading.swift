import Basics
import Settings

/// A pipeline file that cannot be used.
package struct PipelineFileError: Error, Sendable {
    /// One line for each problem, warnings included, in the order of the file.
    package let lines: [String]
}

extension PipelineFile {
    /// Reads and checks a pipeline file; blocks.
    ///
    /// With `checkingFiles` the certificates, keys and files of members that servers need are read, too: whoever serves must be
    /// able to read them, others need not.
    ///
    /// - Throws: Every problem of the file, or the one that kept it from being read.
    package static func load(
        _ path: String,
        environment: Environment = .process,
        checkingFiles: Bool = false
    ) throws(PipelineFileError) -> PipelineFile {
        let text: [UInt8]
        do {
            text = try environment.file(path).get()
        } catch {
            throw PipelineFileError(lines: ["\(path): cannot be read: \(error.reason)"])
        }
        return try PipelineFile(
            text: text,
            name: path,
            environment: environment,
            checkingFiles: checkingFiles
        )
    }

    /// Checks the text of a pipeline file; `name` stands in messages for the file.
    ///
    /// - Throws: Every problem of the text.
    package init(
        text: [UInt8],
        name: String,
        environment: Environment = .process,
        checkingFiles: Bool = false
    ) throws(PipelineFileError) {
        let source = SourceText(name: name, bytes: text)
        var context = DecodeContext()
        var root = JSONNode(.null)
        let file = Self.read(text, environment, checkingFiles, &context, &root)
        let problems = context.problems.sorted { $0.offset < $1.offset }
        guard let file, !problems.contains(where: { $0.severity == .error }) else {
            throw PipelineFileError(lines: problems.map(source.line))
        }
        self = file
        self.source = PipelineFileSource(text: source, root: root, digest: SHA256.hash(text).hexadecimal)
        warnings = problems.map(source.line)
    }

    private static func read(
        _ text: [UInt8],
        _ environment: Environment,
        _ checksFiles: Bool,
        _ context: inout DecodeContext,
        _ root: inout JSONNode
    ) -> PipelineFile? {
        do {
            let written = try JSONNode(parsing: text)
            var substitution = Substitution(environment: environment)
            root = substitution.apply(to: Preset.expand(written, environment, &context), &context)
            context.files = substitution.files
            let file = shape.read(root, &context, partly: true)
            file?.check(against: root, &context)
            if checksFiles {
                file?.checkCertificates(root, environment, &context)
                file?.checkOutgoingTLS(root, environment, &context)
                file?.checkMembers(root, environment, &context)
            }
            return file
        } catch {
            context.report("no valid JSON: \(error.reason)", at: error.offset)
            return nil
        }
    }

    /// The whole file with defaults filled in and secrets masked, as JSON ended by a line break.
    package var printed: String { Self.shape.write(self).indentedText() + "\n" }
}
