import Glibc

/// Writes a file beside the one at `path`, readable by this user alone, and puts it in its place; blocks for the disk.
///
/// Whenever the process ends, one of both is there whole. Where `isSynced`, the new one is there after a loss of power, too.
package func replaceFile(_ path: String, with bytes: [UInt8], isSynced: Bool) throws(FileReadError) {
    let temporary = "\(path).new"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .ofSystem() }
    let isWritten = unsafe write(descriptor, bytes, bytes.count) == bytes.count && (!isSynced || fsync(descriptor) == 0)
    let failure = FileReadError.ofSystem()
    close(descriptor)
    guard isWritten else { throw failure }
    guard rename(temporary, path) == 0 else { throw .ofSystem() }
    guard isSynced else { return }
    let folder = open(path.lastIndex(of: "/").map { String(path[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
}
