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

/// Returns the first few of many names in one line, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let (shown, rest) = names.split_at_checked(SHOWN).unwrap_or((names, &[]));
    let shown = shown.join(", ");
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}
