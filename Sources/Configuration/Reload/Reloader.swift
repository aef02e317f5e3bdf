package import Admin
import Basics
package import Logging
import Settings

/// Reads the pipeline file of the running process again, runs its tests, and has the assembly take it: one file after the other.
///
/// A file with anything wrong changes nothing; what is wrong is logged, answered, and shown in `/metrics`.
package actor Reloader {
    private let assembly: Assembly
    /// Nil where the process runs with the built-in file.
    private let path: String?
    private let environment: Environment
    private let logger: Logger
    private let onTaken: @Sendable (PipelineFile) -> Void
    /// Reads and builds, which waits for the disk.
    private let thread = SerialThread(name: "millrace-reload")
    private var last: Task<ReloadAnswer, Never>?

    /// - Parameters:
    ///   - assembly: What takes the file.
    ///   - path: The file; nil for the built-in one, which does not change.
    ///   - environment: Where `${env:…}` and `${file:…}` get their values.
    ///   - logger: Told what becomes of the file.
    ///   - onTaken: Called with each file that is taken.
    package init(
        _ assembly: Assembly,
        path: String?,
        environment: Environment = .process,
        logger: Logger,
        onTaken: @escaping @Sendable (PipelineFile) -> Void
    ) {
        self.onTaken = onTaken
        self.assembly = assembly
        self.path = path
        self.environment = environment
        self.logger = logger
    }

    deinit {
        thread.stop()
    }

    /// Takes the file as it is now, after those that were asked for before.
    ///
    /// - Parameter request: What whoever asks means.
    /// - Returns: What became of it.
    package func reload(_ request: ReloadRequest = ReloadRequest()) async -> ReloadAnswer {
        let task = Task { [last] in
            _ = await last?.value
            return await self.carryOut(request)
        }
        last = task
        return await task.value
    }

    private func carryOut(_ request: ReloadRequest) async -> ReloadAnswer {
        let answer: ReloadAnswer
        do throws(PipelineFileError) {
            let file = try await file(meaning: request.file)
            try await assembly.take(file, abandoning: request.abandoning, building: thread)
            onTaken(file)
            answer = ReloadAnswer(digest: file.source.digest, warnings: file.warnings)
        } catch {
            answer = ReloadAnswer(problems: error.lines)
        }
        assembly.noteReload(answer)
        log(answer)
        return answer
    }

    /// The file, checked, its tests passed.
    private func file(meaning other: String?) async throws(PipelineFileError) -> PipelineFile {
        guard let path else {
            let what = "the process runs with the built-in pipeline file, which does not change"
            throw PipelineFileError(lines: ["\(what); start it with --config FILE"])
        }
        if let other, !Self.isSame(other, path) {
            let what = "the process runs with \(path.absolutePath), and takes no other file without a restart"
            throw PipelineFileError(lines: ["\(other): \(what)"])
        }
        let environment = environment
        let result = await thread.run { () -> Result<PipelineFile, PipelineFileError> in
            Result { () throws(PipelineFileError) in
                do throws(FileReadError) {
                    try checkRegularFile(path)
                } catch {
                    throw PipelineFileError(lines: ["\(path): \(error.reason)"])
                }
                let file = try PipelineFile.load(path, environment: environment, checkingFiles: true)
                try file.passTests(besides: path)
                return file
            }
        }
        return try result.get()
    }

    /// Whether two paths lead to one file.
    private static func isSame(_ path: String, _ other: String) -> Bool {
        guard let status = FileStatus(path), let otherStatus = FileStatus(other) else {
            return path.absolutePath == other.absolutePath
        }
        return status.identity == otherStatus.identity
    }

    private func log(_ answer: ReloadAnswer) {
        for warning in answer.warnings { logger.warning("\(warning)") }
        guard !answer.problems.isEmpty else {
            return logger.notice("the pipeline file is taken", metadata: ["hash": "\(answer.digest)"])
        }
        for problem in answer.problems {
            logger.error("the pipeline file is not taken, nothing has changed", metadata: ["problem": "\(problem)"])
        }
    }
}

extension PipelineFile {
    /// Runs the tests that stand in the file.
    ///
    /// - Parameter path: Where it lies.
    /// - Throws: What is not as they expect.
    fileprivate func passTests(besides path: String) throws(PipelineFileError) {
        var lines: [String] = []
        for (index, test) in tests.enumerated() {
            let failures: [String]
            do {
                failures = try run(test, besides: path).failures
            } catch {
                failures = ["\(error)"]
            }
            guard !failures.isEmpty else { continue }
            let what = "the test \(quoted(test.name)) fails: \(failures.joined(separator: "; "))"
            lines.append(source.line(at: ["tests", "\(index)"], what))
        }
        if !lines.isEmpty { throw PipelineFileError(lines: lines) }
    }
}
