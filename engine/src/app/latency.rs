//! What a command measures of its session, and how it tells it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use engine::latency::log::{Begin, LogError, LogThread};
use engine::latency::meter::Basis;
use engine::latency::{Collector, Latencies, Measure, Row};
use engine::session::Session;
use engine::session::journaled::{JournalSpec, Ran};
use journal::SinkKind;

use super::cli::RunArgs;
use super::clock::{self, Chosen, Sighting};
use super::exit::Failure;
use super::host;

/// Of so many ticks one is stamped at every point, in a run at full speed: all of them would cost
/// each message four readings of the counter.
const SAMPLED: u64 = 16;

/// What is to be measured, as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// `sampled`, `whole` or `off`.
    pub(super) how: String,
    /// Where to write each second's latencies.
    pub(super) log: Option<PathBuf>,
    /// The clocks where the command began.
    since: Sighting,
}

impl Wish {
    /// Returns what the options say.
    pub(super) fn of(run: &RunArgs) -> Self {
        Self::new(&run.latency, run.latency_log.as_ref())
    }

    /// Returns what is wished from here on.
    pub(super) fn new(how: &str, log: Option<&PathBuf>) -> Self {
        Self { how: how.to_owned(), log: log.cloned(), since: Sighting::now() }
    }
}

/// A session's measurement, from before it runs to after it.
#[derive(Debug)]
pub(super) struct Measuring {
    chosen: Chosen,
    every: u64,
    journal: &'static str,
    /// Asked before threads are pinned: one that is may run on one processor.
    host: String,
    log: Option<(LogThread, PathBuf)>,
}

/// What was measured, and where.
#[derive(Debug)]
pub(super) struct Measured {
    latencies: Latencies,
    chosen: Chosen,
    journal: &'static str,
    host: String,
}

impl Measuring {
    /// Begins to measure a session, unless the options say otherwise.
    ///
    /// # Errors
    /// [`Failure`] when the log cannot be written.
    pub(super) fn start(
        wish: &Wish,
        spec: Option<&JournalSpec>,
        session: &mut Session,
    ) -> Result<Option<Self>, Failure> {
        let every = match wish.how.as_str() {
            "off" if wish.log.is_some() => {
                return Err(Failure::usage(
                    "--latency-log needs a measurement; leave out --latency off".to_owned(),
                ));
            }
            "off" => return Ok(None),
            "whole" => 1,
            _ => SAMPLED,
        };
        let chosen = clock::counter(wish.since);
        let mut collector = None;
        let mut log = None;
        if let Some(path) = &wish.log {
            let file = File::create_new(path).map_err(|error| {
                Failure::usage(format!(
                    "--latency-log {}: {error}; name a file that does not exist yet",
                    path.display()
                ))
            })?;
            let into = Arc::new(Collector::default());
            let begin =
                Begin { wall: clock::wall(), at: chosen.counter.now(), counter: chosen.counter };
            let thread = LogThread::start(file, begin, Arc::clone(&into)).map_err(internal)?;
            log = Some((thread, path.clone()));
            collector = Some(into);
        }
        let counter = chosen.counter;
        session.measure = Some(Measure { counter, basis: Basis::Service, every, collector });
        let journal = match spec {
            None => "none",
            Some(spec) => match (spec.sink, spec.sync) {
                (SinkKind::Pwrite, false) => "pwrite, not synced",
                (SinkKind::Pwrite, true) => "pwrite, synced",
                (SinkKind::Mmap, false) => "mmap, not synced",
                (SinkKind::Mmap, true) => "mmap, synced",
            },
        };
        Ok(Some(Self { chosen, every, journal, host: host::line(), log }))
    }

    /// Ends the measurement of a session that has run.
    ///
    /// # Errors
    /// [`Failure`] when the log could not be written.
    pub(super) fn finish(self, ran: &mut Ran) -> Result<Measured, Failure> {
        let Self { chosen, every, journal, host, log } = self;
        let sets = ran.finished.stations.take_latencies();
        let latencies = match log {
            None => Latencies::of(sets, Basis::Service, every),
            Some((thread, path)) => {
                let set = thread.finish(sets).map_err(|error| {
                    let error = anyhow::Error::new(error);
                    Failure::Internal(error.context(path.display().to_string()))
                })?;
                Latencies { set, basis: Basis::Service, every }
            }
        };
        Ok(Measured { latencies, chosen, journal, host })
    }
}

fn internal(error: LogError) -> Failure {
    Failure::Internal(error.into())
}

impl Measured {
    /// Returns each interval that was measured, by name, in nanoseconds.
    pub(super) fn json(&self) -> Value {
        let rows = self.latencies.rows();
        rows.iter().map(|row| (row.interval.name().to_owned(), interval(row))).collect()
    }

    /// Returns what a reader must know of these figures.
    pub(super) fn context(&self) -> Value {
        json!({
            "host": self.host,
            "journal": self.journal,
            "basis": self.latencies.basis.name(),
            "sampled_every": self.latencies.every,
            "clock": self.chosen.name,
            "clock_reason": self.chosen.why,
            "backwards": self.latencies.set.backwards,
            "lost": self.latencies.set.lost,
        })
    }

    /// Returns the table for people.
    pub(super) fn lines(&self, topology: &str) -> Vec<String> {
        let Self { latencies, chosen, journal, host } = self;
        let rows = latencies.rows();
        if rows.is_empty() {
            return Vec::new();
        }
        let basis = match latencies.basis {
            Basis::Service => "service time, without what waited before",
            Basis::Intended => "from the intended time",
        };
        let sampled = match latencies.every {
            1 => "every tick".to_owned(),
            every => format!("every order, 1 of {every} other ticks"),
        };
        let mut lines = vec![
            format!("Latency in microseconds, {basis}; {sampled}"),
            format!("  host      {host}"),
            format!("  run       {topology}, journal: {journal}"),
            format!("  clock     {}: {}", chosen.name, chosen.why),
        ];
        let [p50, p90, p99, p99_9, p99_99, max, count] =
            ["p50", "p90", "p99", "p99.9", "p99.99", "max", "count"];
        lines.push(format!(
            "  {:<17}{p50:>10}{p90:>10}{p99:>10}{p99_9:>10}{p99_99:>10}{max:>12}{count:>11}",
            "interval"
        ));
        for row in &rows {
            let Row { p50, p90, p99, p99_9, max, .. } = *row;
            let [p50, p90, p99, p99_9, max] = [p50, p90, p99, p99_9, max].map(micros);
            let p99_99 = row.p99_99.map_or_else(|| "-".to_owned(), micros);
            let (name, count) = (row.interval.name(), row.count);
            lines.push(format!(
                "  {name:<17}{p50:>10}{p90:>10}{p99:>10}{p99_9:>10}{p99_99:>10}{max:>12}{count:>11}"
            ));
        }
        let (backwards, lost) = (latencies.set.backwards, latencies.set.lost);
        if backwards > 0 || lost > 0 {
            lines.push(format!(
                "  {backwards} intervals ran backwards, {lost} stamps of orders were lost: the \
                 figures leave out or flatten these"
            ));
        }
        lines
    }
}

fn interval(row: &Row) -> Value {
    json!({
        "p50": row.p50,
        "p90": row.p90,
        "p99": row.p99,
        "p99_9": row.p99_9,
        "p99_99": row.p99_99,
        "max": row.max,
        "count": row.count,
    })
}

/// Returns nanoseconds as microseconds with two decimals, rounded down.
pub(super) fn micros(ns: u64) -> String {
    let hundredths = ns.checked_div(10).unwrap_or(0);
    let (whole, part) = (hundredths.checked_div(100), hundredths.checked_rem(100));
    format!("{}.{:02}", whole.unwrap_or(0), part.unwrap_or(0))
}
