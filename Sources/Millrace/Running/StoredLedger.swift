import Configuration

/// The ledger of a process that does not run, from its journal.
func storedLedger(_ file: PipelineFile) async throws -> String {
    throw AdminFailure(reason: "no process answers at \(file.admin.listen), the \"admin\" address of the file")
}
