//! The engine as a process of its own: started, killed, ended in order, and what it told.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use crate::app::exit::Failure;

/// A process of this program. It is killed when it is dropped before its end: no demonstration
/// leaves anything running.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    /// What reads its stdout and stderr, so that a full pipe never stops it.
    readers: Option<[JoinHandle<String>; 2]>,
    ended: bool,
}

impl Child {
    /// Starts this program with these arguments.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system starts none.
    pub(super) fn start(data_dir: &Path, args: &[&str]) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(internal)?;
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data_dir).args(args.iter().map(OsStr::new));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.spawn().map_err(internal)?;
        // From here on its fate is this value's.
        let mut child = Self { process, readers: None, ended: false };
        let (out, err) = (child.process.stdout.take(), child.process.stderr.take());
        child.readers = Some([reader("stdout", out)?, reader("stderr", err)?]);
        Ok(child)
    }

    /// Returns its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns true once it has ended.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system does not say.
    pub(super) fn has_ended(&mut self) -> Result<bool, Failure> {
        self.ended |= self.process.try_wait().map_err(internal)?.is_some();
        Ok(self.ended)
    }

    /// Kills it: it gets no chance to write anything more.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system refuses.
    pub(super) fn kill(mut self) -> Result<(), Failure> {
        self.process.kill().map_err(internal)?;
        self.process.wait().map_err(internal)?;
        self.ended = true;
        Ok(())
    }

    /// Asks it to end in order, waits, and returns what it told.
    ///
    /// # Errors
    /// As of [`Child::finish`].
    pub(super) fn end(mut self) -> Result<String, Failure> {
        if !self.has_ended()?
            && let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw)
        {
            // It may have ended meanwhile, which is what was asked for.
            kill_process(pid, Signal::TERM).ok();
        }
        self.finish()
    }

    /// Waits for its end and returns what it told on stdout.
    ///
    /// # Errors
    /// [`Failure::Internal`] when it failed, with what it said.
    pub(super) fn finish(mut self) -> Result<String, Failure> {
        let status = self.process.wait().map_err(internal)?;
        self.ended = true;
        let [out, err] = self.readers.take().map(join).unwrap_or_default();
        if status.success() {
            return Ok(out);
        }
        let program = self.process.id();
        Err(Failure::Internal(anyhow::anyhow!(
            "the demonstration's process {program} failed ({status}): {}",
            err.trim_end()
        )))
    }

    /// Returns what a process that has ended said on stderr; nothing of one that lives.
    pub(super) fn told(&mut self) -> String {
        if !self.ended {
            return "it lives, and is slow; try again when the host is less busy".to_owned();
        }
        let [_, err] = self.readers.take().map(join).unwrap_or_default();
        err.trim_end().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.process.kill().ok();
            self.process.wait().ok();
        }
    }
}

fn join(readers: [JoinHandle<String>; 2]) -> [String; 2] {
    readers.map(|reader| reader.join().unwrap_or_default())
}

fn reader(
    name: &str,
    pipe: Option<impl Read + Send + 'static>,
) -> Result<JoinHandle<String>, Failure> {
    let read = move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What a killed process left half said is as good as nothing.
            pipe.read_to_end(&mut bytes).ok();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(read).map_err(internal)
}

fn internal(error: std::io::Error) -> Failure {
    Failure::Internal(anyhow::Error::new(error).context("run the engine as a process of its own"))
}
