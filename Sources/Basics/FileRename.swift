import CMachine

/// Renames a file where nothing stands under the new name.
///
/// - Returns: False with `errno` where it fails: `EEXIST` where the new name is taken.
package func renameWithoutReplacing(_ old: String, _ new: String) -> Bool {
    unsafe millrace_rename_without_replacing(old, new) == 0
}
