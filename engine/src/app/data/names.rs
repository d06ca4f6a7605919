//! Names of files and instruments as people read them.

use std::path::Path;

use model::symbol::Symbol;

/// Returns the name of a file without its folders.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Returns names in one line; those of an empty list as `none`.
pub(super) fn list<'a>(symbols: impl Iterator<Item = &'a Symbol>) -> String {
    let names: Vec<String> = symbols.map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
