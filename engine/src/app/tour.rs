//! The demonstration that runs without arguments: a session on the generated market in its own
//! process, followed through its journal, killed, brought back, and replayed.
//!
//! ```text
//! this process   follows the journals, shows the screen, ticks off what it has seen
//!                    |  SIGKILL at 1,300 s         reads          reads
//! child 1   ==session==X  journal "killed" ----------^              ^
//! child 2                 ==the same session goes on==journal "resumed"
//! children 3, 4                                        replay fused, replay split
//! ```
//!
//! Nothing is shown because the script says so: each act is ticked off when the journal shows that
//! it happened, and one that did not is a finding.

use std::path::PathBuf;
use std::time::Duration;

use engine::generate::START;
use engine::replay::ReplayError;
use engine::replica::Replica;
use journal::ReadError;
use model::id::Seq;
use model::time::{Nanos, SECOND_NS};
use serde_json::Value;

use super::cli::{Cli, DemoArgs};
use super::clock::Clock;
use super::exit::{Failure, Finding};
use super::journal::record::Words;
use super::quote::quoted;
use super::show;
use super::watch::Watch;

/// What is to be seen, and what was.
mod acts;
/// The engine as a process of its own.
mod child;
/// What people see of it.
mod screen;

use acts::{Act, Acts};
use child::Child;
use screen::Screen;

/// Market seconds of the demonstration, over its midnight.
const SECONDS: &str = "1800";
/// Pace: 36 seconds of wall time, so that all of it ends within 45.
const SPEED: &str = "50";
/// When the first process is killed: behind the crash at 1,170 s, before midnight at 1,440 s.
const KILL_AT: Nanos = Nanos(START.0.saturating_add(1_300 * SECOND_NS));
/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often a journal that is about to begin is looked for.
const BEGIN_LOOK: Duration = Duration::from_millis(5);
/// LIMIT: longest wait for a journal of a process that lives.
const BEGIN_MAX: Duration = Duration::from_secs(60);

/// A demonstration under way.
struct Tour<'a> {
    cli: &'a Cli,
    seed: u64,
    dir: PathBuf,
    watch: Watch,
    acts: Acts,
    screen: Screen,
}

/// How a followed process ended.
enum Followed {
    /// By itself.
    Ended,
    /// At the moment to kill it.
    Due,
    /// The user has asked to end.
    Stopped,
}

/// Runs the demonstration.
///
/// # Errors
/// [`Failure`] when a process cannot be run, or a journal cannot be read.
pub(super) fn run(cli: &Cli, args: &DemoArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let mut tour = Tour {
        cli,
        seed: args.seed,
        dir: free_dir(cli, args.seed)?,
        watch: Watch::new(false)?,
        acts: Acts::default(),
        screen: Screen::new(args.seed, !cli.no_progress),
    };
    let finding = tour.play()?;
    show::out(&format!("\nAll of it took {:.1} s.", super::clock::seconds(clock.elapsed())));
    Ok(finding)
}

impl Tour<'_> {
    fn play(&mut self) -> Result<Finding, Failure> {
        let (killed, resumed) = (self.dir.join("killed"), self.dir.join("resumed"));
        let seed = self.seed.to_string();
        let first = self.session(&killed, &["--seed", &seed])?;
        let (first, replica, how) = self.follow(first, &killed, Some(KILL_AT))?;
        match how {
            Followed::Due => {}
            Followed::Ended | Followed::Stopped => return self.stopped(first),
        }
        drop(replica);
        let pid = first.id();
        first.kill()?;
        self.screen.say(&format!("the engine (process {pid}) was killed by SIGKILL"));

        let whole = Clock::start();
        let killed_name = killed.display().to_string();
        let mut second = self.session(&resumed, &["--resume", &killed_name])?;
        let after = self.begun(&mut second, &resumed)?;
        let took = whole.elapsed();
        self.compare(&killed, &after, pid, took)?;
        let (second, _, how) = self.follow_on(second, after, &resumed, None)?;
        if matches!(how, Followed::Stopped) {
            return self.stopped(second);
        }
        let report = second.finish()?;
        self.replay(&resumed)?;
        self.screen.done();
        // The hints at its end are the session's own.
        let report = report.split("\nTry next:").next().unwrap_or_default().trim_end();
        show::out("\nThe session that went on, as it told itself:");
        show::out(report);
        self.close(&resumed)
    }

    /// Starts the engine as a process of its own.
    fn session(&self, journal: &std::path::Path, from: &[&str]) -> Result<Child, Failure> {
        let mut args = vec!["--no-progress", "demo", "--seconds", SECONDS, "--speed", SPEED];
        args.extend_from_slice(from);
        let (journal, log) = (journal.display().to_string(), journal.with_extension("hlog"));
        let log = log.display().to_string();
        // Small segments: who follows looks through what is left of one.
        args.extend_from_slice(&["--segment-mib", "1", "--journal", &journal]);
        args.extend_from_slice(&["--latency-log", &log]);
        Child::start(&self.cli.data_dir, &args)
    }

    /// Waits for the journal of a process.
    fn begun(&self, child: &mut Child, dir: &std::path::Path) -> Result<Replica, Failure> {
        let clock = Clock::start();
        loop {
            let ended = child.has_ended()?;
            match Replica::open(dir) {
                Ok(Some(replica)) => return Ok(replica),
                Ok(None) => {}
                // It is about to begin: its first records are not all there.
                Err(
                    ReplayError::Read(ReadError::NoJournal { .. } | ReadError::Disk(_))
                    | ReplayError::NoMetadata,
                ) => {}
                Err(error) => return Err(error.into()),
            }
            if ended || clock.elapsed() > BEGIN_MAX {
                let told = child.told();
                return Err(Failure::Internal(anyhow::anyhow!(
                    "the demonstration's session has written no journal in {}: {told}",
                    dir.display()
                )));
            }
            std::thread::park_timeout(BEGIN_LOOK);
        }
    }

    fn follow(
        &mut self,
        mut child: Child,
        dir: &std::path::Path,
        until: Option<Nanos>,
    ) -> Result<(Child, Replica, Followed), Failure> {
        let replica = self.begun(&mut child, dir)?;
        self.follow_on(child, replica, dir, until)
    }

    /// Follows a process until it ends, or market time reaches `until`.
    fn follow_on(
        &mut self,
        mut child: Child,
        mut replica: Replica,
        dir: &std::path::Path,
        until: Option<Nanos>,
    ) -> Result<(Child, Replica, Followed), Failure> {
        let words = Words::of(dir);
        let log = dir.with_extension("hlog");
        let asked = self.watch.signals();
        loop {
            // Asked before the journal is read: what was written until its end is read then.
            let ended = child.has_ended()?;
            let strategies = replica.session().bound.strategies.clone();
            let Self { acts, screen, .. } = self;
            replica.follow(Seq(u64::MAX), |event| {
                let object = words.object(event);
                if let Some(told) = acts.see(event, &object, &strategies) {
                    screen.act(&told);
                }
                screen.see(event, &object);
            })?;
            let glance = replica.glance();
            self.screen.draw(&glance, replica.session(), &self.acts, &log);
            if ended {
                return Ok((child, replica, Followed::Ended));
            }
            if asked.is_asked() {
                return Ok((child, replica, Followed::Stopped));
            }
            if until.is_some_and(|until| glance.ts >= until) {
                return Ok((child, replica, Followed::Due));
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Compares the state that a resumed process goes on from with what the killed one's journal
    /// gives when it is computed here.
    fn compare(
        &mut self,
        killed: &std::path::Path,
        after: &Replica,
        pid: u32,
        took: Duration,
    ) -> Result<(), Failure> {
        let Some(mut before) = Replica::open(killed)? else {
            return Err(Failure::Internal(anyhow::anyhow!("{}: no session", killed.display())));
        };
        let seq = after.glance().seq;
        before.follow(seq, |_| {})?;
        before.count_anew();
        let (was, is) = (before.glance(), after.glance());
        let equal = before.image() == after.image()
            && was.holdings == is.holdings
            && was.orders == is.orders
            && was.latches == is.latches;
        if !equal {
            self.acts.fail(Act::Resume, "the resumed session stands elsewhere than the killed one");
            return Ok(());
        }
        let evidence = format!(
            "killed process {pid}; back in {:.1} s at seq {}: {} positions, {} open orders, {} \
             latches, {} bytes of state, all equal",
            super::clock::seconds(took),
            seq.0,
            was.holdings.len(),
            was.orders.len(),
            was.latches.len(),
            before.image().len()
        );
        self.screen.act(&self.acts.done(Act::Resume, &evidence));
        Ok(())
    }

    /// Computes every decision again, on one thread and on one a stage.
    fn replay(&mut self, dir: &std::path::Path) -> Result<(), Failure> {
        let name = dir.display().to_string();
        let mut hashes = Vec::new();
        for topology in ["fused", "split"] {
            self.screen.say(&format!("replaying, {topology}"));
            let args = ["--json", "--no-progress", "replay", &name, "--topology", topology];
            let told = Child::start(&self.cli.data_dir, &args)?.finish()?;
            let object: Value = serde_json::from_str(&told).unwrap_or(Value::Null);
            let hash = object["decisions_hash"].as_str().unwrap_or_default().to_owned();
            if object["equal"] != Value::Bool(true) || hash.is_empty() {
                let what = format!("the {topology} replay differs: {told}");
                self.acts.fail(Act::Replay, &what);
                return Ok(());
            }
            let decisions = object["decisions"].as_u64().unwrap_or(0);
            hashes.push((topology, decisions, hash));
        }
        match hashes.as_slice() {
            [(_, count, fused), (_, _, split)] if fused == split => {
                let hash: String = fused.chars().take(16).collect();
                let evidence = format!("{count} decisions, hash {hash}, fused and split");
                self.screen.act(&self.acts.done(Act::Replay, &evidence));
            }
            _ => self.acts.fail(Act::Replay, "fused and split have different hashes"),
        }
        Ok(())
    }

    /// Ends early: the process ends in order.
    fn stopped(&mut self, child: Child) -> Result<Finding, Failure> {
        let told = child.end()?;
        self.screen.done();
        show::out(told.trim_end());
        show::out(&format!(
            "The demonstration was stopped; what it wrote is in {}",
            quoted(self.dir.as_os_str())
        ));
        Ok(Finding::Nothing)
    }

    fn close(&self, dir: &std::path::Path) -> Result<Finding, Failure> {
        show::out("\nWhat was shown, each by what the journals hold:");
        self.acts.lines().iter().for_each(|line| show::out(line));
        let (program, dir) = (show::program(), quoted(dir.as_os_str()));
        show::out("\nTry next:");
        for (what, why) in [
            (format!("journal dump {dir} --explain --limit 5"), "why orders were refused"),
            (format!("replay {dir}"), "compute every decision again and compare"),
            ("backtest --help".to_owned(), "your own data"),
        ] {
            show::out(&format!("  # {why}\n  {program} {what}"));
        }
        Ok(if self.acts.all() { Finding::Nothing } else { Finding::Something })
    }
}

/// Returns a new folder for the journals.
fn free_dir(cli: &Cli, seed: u64) -> Result<PathBuf, Failure> {
    let journals = cli.data_dir.join("journal");
    let mut nth = 1_u32;
    loop {
        let suffix = if nth == 1 { String::new() } else { format!("-{nth}") };
        let dir = journals.join(format!("tour-{seed}{suffix}"));
        if !dir.exists() {
            std::fs::create_dir_all(&dir).map_err(|error| {
                Failure::usage(format!("cannot make {} for the journals: {error}", dir.display()))
            })?;
            return Ok(dir);
        }
        nth = nth.saturating_add(1);
    }
}
