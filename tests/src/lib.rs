//! What the integration tests share: where things lie, how the program is run, what it printed.
//!
//! The program is built once a test run, with the profile of the tests themselves, so that a test
//! never meets a stale one. Every failure in here is a test's failure and panics with its story.
//! Called by the tests of `it/` only.

use std::path::{Path, PathBuf};

/// The program as a child process.
pub mod program;

/// Returns the workspace's root.
///
/// # Panics
/// Never: the folder of this crate has a parent.
#[must_use]
pub fn root() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    assert!(folder.is_some(), "the folder of this crate lies in the workspace");
    folder.unwrap_or(Path::new(""))
}

/// Returns a file of the recorded data: below `SLUICE_DATA`, else beside the workspace.
///
/// `None` where the data is not there: the caller returns early, for a clone without the data must
/// stay green.
///
/// # Panics
/// If it is not there although `SLUICE_REQUIRE_DATA=1` says that it must be.
#[must_use]
pub fn recorded(name: &str) -> Option<PathBuf> {
    let folder = variable("SLUICE_DATA").unwrap_or_else(|| "../shared/data".to_owned());
    let path = root().join(folder).join(name);
    if path.is_file() {
        return Some(path);
    }
    assert!(!requires_data(), "no recorded file {}, and SLUICE_REQUIRE_DATA=1", path.display());
    None
}

/// Returns true when a test that lacks its data, or a program that reads it, must fail.
#[must_use]
pub fn requires_data() -> bool {
    variable("SLUICE_REQUIRE_DATA").is_some_and(|value| value == "1")
}

/// Returns true when expected files are to be written instead of compared.
#[must_use]
pub fn updates() -> bool {
    variable("UPDATE").is_some_and(|value| value == "1")
}

#[expect(clippy::disallowed_methods, reason = "this is where the suite reads its configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
