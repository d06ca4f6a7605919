//! The program `engine` as a user runs it: a whole process over a recorded capture.
//!
//! Timed from its start to its end, so finding out what the file is, decompression, parsing, the
//! stages, the simulated venue, the hashes and the result are all in it. Processor time is the
//! kernel's account of the process and its threads: on a machine that others use too it says what
//! the wall clock cannot.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

use crate::clock::Clock;
use crate::compare::{Compared, Spread, in_turns, ratio_milli};
use crate::host;

/// Bytes that are decompressed at a time, as many as the program takes.
const BUFFER_BYTES: usize = 512 << 10;

/// What is run over what.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// The program.
    pub engine: PathBuf,
    /// The capture.
    pub data: PathBuf,
    /// An empty folder for journals.
    pub scratch: PathBuf,
}

/// One finished process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// From start to end.
    pub wall_ns: u64,
    /// Processor time of all its threads, in the program and in the kernel.
    pub processor_ns: u64,
    /// What it printed.
    pub result: Value,
}

/// Runs without a journal on one processor, and with one on all.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// Messages of a run.
    pub messages: u64,
    /// Records of its input lane.
    pub inputs: u64,
    /// Hash of its decisions, the same in every run.
    pub decisions_hash: String,
    /// Nanoseconds with a journal (ours) beside those without (base).
    pub wall: Compared,
    /// Nanoseconds without a journal (ours) beside those that zstd alone needs for the file (base):
    /// how fast the host was meanwhile.
    pub decompressed: Compared,
    /// Nanoseconds without a journal while another such run has the other processors (ours) beside
    /// those alone (base): what it costs here that they are busy, whatever with. None where there
    /// are no others.
    pub beside: Option<Compared>,
    /// Processor nanoseconds without a journal.
    pub processor_off: Spread,
    /// Processor nanoseconds with a journal.
    pub processor_on: Spread,
    /// Nanoseconds with a journal on the one processor.
    pub on_one_core: Spread,
    /// Bytes of the journal of one run.
    pub journal_bytes: u64,
}

impl Backtest {
    /// Runs once; `journal` is made and left, `cores` are those that the process may use.
    ///
    /// # Errors
    /// The program fails or prints something else than its result.
    pub fn run(&self, journal: Option<&Path>, cores: &[usize]) -> anyhow::Result<Ran> {
        let mut command = self.command(journal);
        command.stderr(Stdio::piped());
        let before = processor_ns()?;
        let (output, wall_ns) = host::on(cores, || {
            let clock = Clock::start();
            (command.output(), clock.elapsed_ns())
        })?;
        let processor_ns = processor_ns()?.saturating_sub(before);
        let output = output.with_context(|| format!("run {}", self.engine.display()))?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {told}", self.engine.display());
        let result = serde_json::from_slice(&output.stdout).context("read the engine's result")?;
        Ok(Ran { wall_ns, processor_ns, result })
    }

    fn command(&self, journal: Option<&Path>) -> Command {
        let mut command = Command::new(&self.engine);
        command.args(["backtest", "--json", "--no-progress", "--topology", "fused", "--data"]);
        command.arg(&self.data).arg("--journal");
        match journal {
            Some(dir) => command.arg(dir),
            None => command.arg("none"),
        };
        command.stdin(Stdio::null());
        command
    }

    /// Runs once without a journal, while another such process has the processors `others`.
    ///
    /// # Errors
    /// As of [`Backtest::run`], of either.
    fn run_beside(&self, cores: &[usize], others: &[usize]) -> anyhow::Result<Ran> {
        let mut command = self.command(None);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut other = host::on(others, || command.spawn())??;
        let ran = self.run(None, cores);
        ensure!(other.wait()?.success(), "{} failed beside another", self.engine.display());
        ran
    }

    /// Returns the folder of a journal that does not exist.
    ///
    /// # Errors
    /// The one that does exist cannot be removed.
    fn fresh(&self) -> anyhow::Result<PathBuf> {
        let dir = self.scratch.join("backtest");
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        Ok(dir)
    }

    /// Decompresses the capture on those processors and does nothing with it.
    ///
    /// # Errors
    /// It cannot be read.
    fn decompress_ns(&self, cores: &[usize]) -> anyhow::Result<u64> {
        host::on(cores, || {
            let clock = Clock::start();
            let mut text = zstd::stream::read::Decoder::new(File::open(&self.data)?)?;
            let mut buffer = vec![0; BUFFER_BYTES];
            while text.read(&mut buffer)? > 0 {
                black_box(&mut buffer);
            }
            Ok(clock.elapsed_ns())
        })?
    }

    /// Measures all figures, `rounds` runs of each kind.
    ///
    /// # Errors
    /// A run fails, or two runs decide differently.
    pub fn measure(&self, rounds: usize) -> anyhow::Result<Figures> {
        let all = host::cores();
        let one = all.last().copied().map(|core| [core]).context("no processor to run on")?;
        let first = self.run(None, &one)?;
        let count = |name: &str| first.result[name].as_u64().with_context(|| format!("no {name}"));
        let hash = first.result["decisions_hash"].as_str().context("no hash")?.to_owned();
        let same = |ran: &Ran| {
            ensure!(ran.result["decisions_hash"] == hash.as_str(), "two runs decide differently");
            Ok(())
        };
        let (mut of_off, mut of_on) = (Vec::new(), Vec::new());
        let (mut plain, mut share) = (Vec::new(), Vec::new());
        let wall = in_turns(
            rounds,
            || {
                let ran = self.run(Some(&self.fresh()?), &all)?;
                same(&ran)?;
                of_on.push(ran.processor_ns);
                anyhow::Ok(ran.wall_ns)
            },
            || {
                let ran = self.run(None, &one)?;
                same(&ran)?;
                of_off.push(ran.processor_ns);
                let alone = self.decompress_ns(&one)?;
                share.push(ratio_milli(ran.wall_ns, alone));
                plain.push(alone);
                Ok(ran.wall_ns)
            },
        )?;
        let others: Vec<usize> = all.iter().copied().filter(|core| !one.contains(core)).collect();
        let wall_of = |ran: anyhow::Result<Ran>| {
            let ran = ran?;
            same(&ran)?;
            anyhow::Ok(ran.wall_ns)
        };
        let beside = match others.as_slice() {
            [] => None,
            others => Some(in_turns(
                rounds,
                || wall_of(self.run_beside(&one, others)),
                || wall_of(self.run(None, &one)),
            )?),
        };
        let mut on_one_core = Vec::new();
        let mut journal_bytes = 0;
        for _ in 0..rounds {
            let dir = self.fresh()?;
            let ran = self.run(Some(&dir), &one)?;
            same(&ran)?;
            on_one_core.push(ran.wall_ns);
            journal_bytes = bytes_of(&dir)?;
        }
        std::fs::remove_dir_all(self.fresh()?).ok();
        Ok(Figures {
            messages: count("messages")?,
            inputs: count("inputs")?,
            decisions_hash: hash.clone(),
            wall,
            decompressed: Compared {
                ours: wall.base,
                base: Spread::of(&plain),
                ratio_milli: Spread::of(&share),
            },
            beside,
            processor_off: Spread::of(&of_off),
            processor_on: Spread::of(&of_on),
            on_one_core: Spread::of(&on_one_core),
            journal_bytes,
        })
    }
}

fn bytes_of(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in dir.read_dir()? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Returns the processor time of all child processes that have ended.
fn processor_ns() -> anyhow::Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let [user, system] = [usage.user_time(), usage.system_time()];
    let ns = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_usec()).unwrap_or(0) * 1_000
    };
    Ok(ns(user) + ns(system))
}
