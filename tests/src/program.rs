//! The program as a child process: built on first use, run to its end or signalled on the way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// LIMIT: looks at a child before it counts as hanging. One look yields and asks the kernel, some
/// microseconds: minutes in all, for machines that are busy with other things.
const LOOKS_MAX: u64 = 60_000_000;

/// What a command left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed as its result.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Ran {
    /// Returns the one JSON object on stdout.
    ///
    /// # Panics
    /// If stdout is anything else.
    #[must_use]
    pub fn json(&self) -> Value {
        let object: Result<Value, _> = serde_json::from_str(&self.stdout);
        let value = object.unwrap_or(Value::Null);
        assert!(value.is_object(), "not one JSON object: {self:?}");
        value
    }

    /// Returns the JSON objects on stdout, one a line.
    ///
    /// # Panics
    /// If a line is anything else.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        let line = |line: &str| {
            let object: Result<Value, _> = serde_json::from_str(line);
            let value = object.unwrap_or(Value::Null);
            assert!(value.is_object(), "not a JSON object: {line}");
            value
        };
        self.stdout.lines().map(line).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Returns the program, built by the same cargo, into the same folder, with the same profile.
///
/// # Panics
/// If it does not build.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

/// Builds the program: this test lies at `<target>/<profile>/deps/it-<hash>`.
fn build() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let output = own.ancestors().nth(2).unwrap_or(Path::new("")).to_owned();
    let name = output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // Cargo's folder of the profiles `dev` and `test` is `debug`; the other ones are called alike.
    let profile = if name == "debug" { "test" } else { name };
    let target = output.parent().unwrap_or(Path::new(""));
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "engine", "--bin", "engine"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(crate::root())
        .status();
    assert!(
        built.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build the program with profile {profile} in {}: {built:?}",
        target.display()
    );
    output.join("engine")
}

/// Returns the program as a command in a folder, with no terminal and no foreign configuration.
#[must_use]
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).current_dir(folder);
    command.env_remove("SLUICE_DATA_DIR").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output();
    assert!(output.is_ok(), "cannot run {arguments:?}: {output:?}");
    output.map(Ran::from).unwrap_or(Ran {
        code: None,
        stdout: String::new(),
        stderr: String::new(),
    })
}

/// Starts the program; its output is read by [`finish`].
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = command(folder, arguments);
    let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    match started {
        Ok(child) => child,
        Err(error) => unreachable_start(arguments, &error),
    }
}

#[expect(clippy::panic, reason = "a child that does not start is a test that fails")]
fn unreachable_start(arguments: &[&str], error: &std::io::Error) -> ! {
    panic!("cannot start {arguments:?}: {error}")
}

/// Looks at a running child until `seen`, without sleeping.
///
/// # Panics
/// If the child ends before, or [`LOOKS_MAX`] looks were not enough: then it is killed.
pub fn until(child: &mut Child, what: &str, mut seen: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if seen() {
            return;
        }
        let ended = child.try_wait().ok().flatten();
        assert!(ended.is_none(), "the child has ended before {what}: {ended:?}");
        std::thread::yield_now();
    }
    drop(child.kill());
    assert!(seen(), "the child never came to {what}");
}

/// Waits for a child's end, without sleeping, and returns what it left. Its output must fit the
/// pipe: some kilobytes.
///
/// # Panics
/// If [`LOOKS_MAX`] looks were not enough: then it is killed.
#[must_use]
pub fn finish(mut child: Child) -> Ran {
    let mut ended = false;
    for _ in 0..LOOKS_MAX {
        ended = child.try_wait().is_ok_and(|status| status.is_some());
        if ended {
            break;
        }
        std::thread::yield_now();
    }
    if !ended {
        drop(child.kill());
    }
    let output = child.wait_with_output();
    assert!(ended, "the child did not end: {output:?}");
    output.map(Ran::from).unwrap_or(Ran {
        code: None,
        stdout: String::new(),
        stderr: String::new(),
    })
}
