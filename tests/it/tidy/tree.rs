//! The tree as files: everything but what is built, written by runs, or kept by git.

use std::path::{Path, PathBuf};

/// Folders that are no part of the tree, wherever they are.
const SKIPPED: [&str; 3] = ["target", ".git", "sluice-data"];

/// A file of the tree.
pub(super) struct File {
    /// Path from the workspace's root, with `/`.
    pub(super) path: String,
    /// Its text; empty when it is none.
    pub(super) text: String,
    /// Its length.
    pub(super) bytes: usize,
}

impl File {
    /// Returns a file that is not there, for a check to be tried on.
    pub(super) fn made(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), bytes: text.len() }
    }

    /// Tells whether the name ends so.
    pub(super) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
    }
}

/// Returns all files, sorted by path.
pub(super) fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(tests::root(), &mut found);
    found.sort();
    let files: Vec<File> = found.iter().map(|path| read(path)).collect();
    assert!(files.len() > 150, "only {} files: this is not the tree", files.len());
    files
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn read(path: &Path) -> File {
    let bytes = std::fs::read(path).unwrap();
    let inside = path.strip_prefix(tests::root()).unwrap();
    File {
        path: inside.to_str().unwrap().to_owned(),
        bytes: bytes.len(),
        text: String::from_utf8(bytes).unwrap_or_default(),
    }
}

/// Runs a check over the tree and fails with every finding.
#[track_caller]
pub(super) fn clean(check: impl Fn(&File) -> Vec<String>) {
    let files = files();
    let found: Vec<String> = files.iter().flat_map(check).collect();
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

/// Shows that a check finds something, and only there.
#[track_caller]
pub(super) fn sees(check: impl Fn(&File) -> Vec<String>, path: &str, bad: &str, good: &str) {
    let found = check(&File::made(path, bad));
    assert_eq!(found.len(), 1, "in `{bad}`: {found:?}");
    assert!(found[0].starts_with(path), "says not where: {found:?}");
    assert_eq!(check(&File::made(path, good)), [""; 0], "in `{good}`");
}
