//! All figures of docs/performance.md: measured, beside their goals, as a table or as one JSON
//! object.
//!
//! Build the engine first, of the same profile: `cargo build --release -p engine -p bench`. A
//! figure that cannot be measured here (no recorded data, one processor) is named with the reason
//! on stderr and left out. The exit code says nothing about goals: a shared machine is no judge.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what this prints")]

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use serde_json::json;

use bench::backtest::{Backtest, Figures};
use bench::compare::{Compared, Spread};
use bench::host::{self, Host};
use bench::table::{self, Goal, Row, Unit};
use bench::{appending, hop, limits, memory, open_loop, parsing, session};
use engine::open_loop::Arrivals;

/// Where the recorded data lies when nothing else is said: beside the checkout.
const DATA_DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// The capture below the data folder.
const CAPTURE: &str = "raw_ws/merged_binance_4feeds_20240808_09.tsv.zst";
/// Random worlds that rules and hand must judge alike.
const CHECKED: usize = 100_000;
/// Passes of the memory figure.
const PASSES: usize = 20;

/// Measures what docs/performance.md states.
#[derive(Debug, Parser)]
#[command(name = "figures")]
struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The program; default: beside this one.
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
    /// Folder of recorded data.
    #[arg(long, env = "SLUICE_DATA", default_value = DATA_DEFAULT)]
    data: PathBuf,
    /// Folder for journals, on the disk that is to be measured; default: the system's.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Measure only these.
    #[arg(long, num_args = 1.., value_parser = GROUPS)]
    only: Vec<String>,
    /// Rounds of each comparison.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of each run on a schedule.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How the messages of those runs come.
    #[arg(long, value_enum, default_value = "even")]
    arrivals: Arriving,
}

/// How messages come.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Arriving {
    /// At even distances.
    Even,
    /// As a Poisson process.
    Poisson,
}

const GROUPS: [&str; 7] = ["backtest", "memory", "hop", "limits", "journal", "parts", "open_loop"];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let host = Host::read();
    let scratch = match &args.scratch {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    }?;
    let mut rows = Vec::new();
    for group in GROUPS {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == group) {
            continue;
        }
        eprintln!("measuring {group} ...");
        let measured = match group {
            "backtest" => backtest(&args, scratch.path()),
            "memory" => resident(&args, scratch.path()),
            "hop" => hops(args.rounds),
            "limits" => rules(args.rounds),
            "journal" => journal(&args, scratch.path()),
            "open_loop" => scheduled(&args, scratch.path()),
            _ => parts(args.rounds),
        };
        match measured {
            Ok(found) => rows.extend(found),
            Err(error) => eprintln!("{group} is left out: {error:#}"),
        }
    }
    if args.json {
        let rows: Vec<_> =
            rows.iter().map(|row| json!({ "figure": row, "met": row.met() })).collect();
        println!("{}", json!({ "host": host, "rounds": args.rounds, "figures": rows }));
        return Ok(());
    }
    println!(
        "{}, {} processors, kernel {}, governor {}, virtual {}, load {}, {} build",
        host.cpu, host.cores, host.kernel, host.governor, host.is_virtual, host.load, host.profile
    );
    let [figure, measured, spread, goal, share] = ["figure", "median", "spread", "goal", "of goal"];
    println!("{figure:<52} {measured:>12}  {spread:<26} {goal:<22} {share:>7}");
    for row in &rows {
        println!("{}", row.line());
    }
    Ok(())
}

fn row(name: impl Into<String>, unit: Unit, measured: Spread, goal: Goal) -> Row {
    Row { name: name.into(), unit, measured, goal }
}

/// Returns how often a second something happens that takes so long for `count`.
fn rate(count: u64, took_ns: Spread) -> Spread {
    let of = |ns: u64| {
        let a_second = u128::from(count) * 1_000_000_000;
        u64::try_from(a_second.checked_div(u128::from(ns)).unwrap_or(0)).unwrap_or(u64::MAX)
    };
    let Spread { median, min, max, count } = took_ns;
    Spread { median: of(median), min: of(max), max: of(min), count }
}

fn program(args: &Args, scratch: &Path) -> anyhow::Result<Backtest> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("engine"));
    let engine = args.engine.clone().or_else(beside).context("no place to look for `engine`")?;
    ensure!(engine.is_file(), "{} is not built; cargo build --release -p engine", engine.display());
    let data = args.data.join(CAPTURE);
    ensure!(data.is_file(), "there is no {}; set SLUICE_DATA", data.display());
    Ok(Backtest { engine, data, scratch: scratch.to_owned() })
}

fn backtest(args: &Args, scratch: &Path) -> anyhow::Result<Vec<Row>> {
    let Figures {
        messages,
        inputs,
        decisions_hash,
        wall,
        decompressed,
        beside,
        processor_off,
        processor_on,
        on_one_core,
        journal_bytes,
    } = program(args, scratch)?.measure(args.rounds)?;
    eprintln!("{messages} messages, {inputs} inputs, decisions {decisions_hash}");
    let million = Goal::AtLeast(1_000_000);
    let mut rows = vec![
        row("backtest, one core: messages", Unit::PerSecond, rate(messages, wall.base), million),
        row("  by its processor time", Unit::PerSecond, rate(messages, processor_off), Goal::None),
        row("  events", Unit::PerSecond, rate(inputs, wall.base), Goal::None),
        row("  whole process", Unit::Nanoseconds, wall.base, Goal::None),
        row("  zstd alone", Unit::Nanoseconds, decompressed.base, Goal::None),
        row("  whole process to zstd alone", Unit::Ratio, decompressed.ratio_milli, Goal::None),
    ];
    if let Some(Compared { ratio_milli, .. }) = beside {
        rows.push(row("  beside another one, to one alone", Unit::Ratio, ratio_milli, Goal::None));
    }
    rows.extend([
        row(
            "backtest, journal: time to that without",
            Unit::Ratio,
            wall.ratio_milli,
            Goal::AtMost(1_300),
        ),
        row("  messages", Unit::PerSecond, rate(messages, wall.ours), Goal::None),
        row("  events", Unit::PerSecond, rate(inputs, wall.ours), Goal::None),
        row("  whole process", Unit::Nanoseconds, wall.ours, Goal::None),
        row("  its processor time, all threads", Unit::Nanoseconds, processor_on, Goal::None),
        row("  whole process on one core", Unit::Nanoseconds, on_one_core, Goal::None),
        row("  journal", Unit::Kib, Spread::of(&[journal_bytes / 1_024]), Goal::None),
    ]);
    Ok(rows)
}

fn resident(args: &Args, scratch: &Path) -> anyhow::Result<Vec<Row>> {
    let program = program(args, scratch)?;
    let dir = program.scratch.join("memory");
    program.run(Some(&dir), &host::cores())?;
    let resident = memory::passes(&dir, PASSES)?;
    std::fs::remove_dir_all(&dir)?;
    eprintln!("resident after each pass, KiB: {resident:?}");
    let [_, second, .., last] = resident[..] else { anyhow::bail!("too few passes") };
    let grown = last.saturating_sub(second);
    let name = format!("resident memory: pass {PASSES} above pass 2");
    Ok(vec![
        row(name, Unit::Kib, Spread::of(&[grown]), Goal::AtMost(1_024)),
        row("  resident after each pass", Unit::Kib, Spread::of(&resident), Goal::None),
    ])
}

fn hops(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let hop = hop::measure(rounds, 10_000)?;
    let Compared { ours, base, ratio_milli } = hop.compared;
    Ok(vec![
        row(
            "ring hop, one way, to a bare round trip",
            Unit::Ratio,
            ratio_milli,
            Goal::AtMost(1_000),
        ),
        row("  ring hop, one way", Unit::Picoseconds, ours, Goal::None),
        row("  ring hop, one way, p99", Unit::Picoseconds, hop.hop_p99, Goal::None),
        row("  ring hop, one way, 4,096 slots", Unit::Picoseconds, hop.large, Goal::None),
        row("  ring without a lane, one way", Unit::Picoseconds, hop.ring, Goal::None),
        row("  bare cache-line round trip", Unit::Picoseconds, base, Goal::None),
        row("  bare cache-line round trip, p99", Unit::Picoseconds, hop.bare_p99, Goal::None),
        row("  hop to bare, both in a tight loop", Unit::Ratio, hop.tight.ratio_milli, Goal::None),
        row("  ring hop, one way, tight loop", Unit::Picoseconds, hop.tight.ours, Goal::None),
        row("  bare round trip, tight loop", Unit::Picoseconds, hop.tight.base, Goal::None),
    ])
}

fn rules(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let mut bound = limits::Limits::bind()?;
    let hash = limits::check(&mut bound, CHECKED)?;
    eprintln!("{CHECKED} random worlds judged alike, hash {hash}");
    let Compared { ours, base, ratio_milli } = limits::compare(rounds.max(11), 100)?;
    Ok(vec![
        row(
            "limits block to the hand-written twin",
            Unit::Ratio,
            ratio_milli,
            Goal::AtMost(10_000),
        ),
        row(format!("  limits block, {} steps", bound.ops()), Unit::Picoseconds, ours, Goal::None),
        row("  hand-written twin", Unit::Picoseconds, base, Goal::None),
    ])
}

fn journal(args: &Args, scratch: &Path) -> anyhow::Result<Vec<Row>> {
    let hash = appending::check(scratch, appending::EVENTS)?;
    eprintln!("{} events read back, hash {hash}", appending::EVENTS);
    let Compared { ours, base, ratio_milli } = appending::compare(scratch, args.rounds.max(11))?;
    let sustained = appending::sustained(scratch, args.rounds, 4)?;
    Ok(vec![
        row(
            "journal append to a plain copy, 64 bytes",
            Unit::Ratio,
            ratio_milli,
            Goal::AtMost(3_000),
        ),
        row("  append", Unit::Picoseconds, ours, Goal::None),
        row("  plain copy into a prefaulted mapping", Unit::Picoseconds, base, Goal::None),
        row("  append over 4 segments, each synced", Unit::Picoseconds, sustained, Goal::None),
    ])
}

/// What the backtest consists of, each by itself.
fn parts(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let workload = session::Workload::new(100_000)?;
    let summary = workload.check()?;
    eprintln!("session of {} decisions, {}", summary.decisions, summary.decisions_hash);
    let mut parse = parsing::workload(None, 100_000)?;
    let (payloads, hash) = parse.check()?;
    eprintln!("{payloads} payloads parsed, hash {hash}");
    let (mut of_session, mut of_parse) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let clock = bench::clock::Clock::start();
        std::hint::black_box(workload.run()?);
        of_session.push(clock.elapsed_ns());
        let mut stream = parse.stream()?;
        let clock = bench::clock::Clock::start();
        std::hint::black_box(parse.read(&mut stream, |body| {
            std::hint::black_box(body);
        }));
        of_parse.push(clock.elapsed_ns());
    }
    let picos = |took: &[u64]| {
        let each: Vec<u64> = took.iter().map(|ns| ns / 100).collect();
        Spread::of(&each)
    };
    Ok(vec![
        row(
            "a generated message through all stages",
            Unit::Picoseconds,
            picos(&of_session),
            Goal::None,
        ),
        row(
            "a made-up message parsed to payloads",
            Unit::Picoseconds,
            picos(&of_parse),
            Goal::None,
        ),
    ])
}

/// The generated market on a schedule, by rate, without and with a journal.
fn scheduled(args: &Args, scratch: &Path) -> anyhow::Result<Vec<Row>> {
    let one = |number: u64| Spread::of(&[number]);
    let mut rows = vec![row(
        "idle thread: longest gap in a second",
        Unit::Picoseconds,
        one(open_loop::hiccup_ns(1_000).saturating_mul(1_000)),
        Goal::None,
    )];
    let (arrivals, how) = match args.arrivals {
        Arriving::Even => (Arrivals::Even, ""),
        Arriving::Poisson => (Arrivals::Poisson { seed: 1 }, "Poisson, "),
    };
    for rate in open_loop::RATES {
        for journaled in [false, true] {
            let dir = scratch.join(format!("open-loop-{rate}"));
            let journal = journaled.then_some(dir.as_path());
            let found = open_loop::run((rate, args.seconds), arrivals, journal)?;
            if journaled {
                std::fs::remove_dir_all(&dir)?;
            }
            let with = if journaled { "journal" } else { "no journal" };
            // Below it the latencies are those of a queue that grows.
            let least = rate.saturating_mul(999) / 1_000;
            rows.push(row(
                format!("open loop, {how}{} messages/s, {with}", table::grouped(rate)),
                Unit::PerSecond,
                one(found.achieved.rate_milli / 1_000),
                Goal::AtLeast(least),
            ));
            let intent = found.tick_to_intent;
            let quiet = found.tick_quiet;
            let shown = [
                ("  tick to intent, p50", Some(intent.p50)),
                ("  tick to intent, p90", Some(intent.p90)),
                ("  tick to intent, p99", Some(intent.p99)),
                ("  tick to intent, p99.9", Some(intent.p99_9)),
                ("  tick to intent, p99.99", intent.p99_99),
                ("  tick to intent, max", Some(intent.max)),
                ("  quiet tick, p50", Some(quiet.p50)),
                ("  quiet tick, p99", Some(quiet.p99)),
                ("  quiet tick, p99.9", Some(quiet.p99_9)),
                ("  quiet tick, p99.99", quiet.p99_99),
                ("  quiet tick, max", Some(quiet.max)),
            ];
            for (name, ns) in shown {
                let Some(ns) = ns else { continue };
                rows.push(row(name, Unit::Picoseconds, one(ns.saturating_mul(1_000)), Goal::None));
            }
            rows.push(row("  orders", Unit::Count, one(intent.count), Goal::None));
        }
    }
    Ok(rows)
}
