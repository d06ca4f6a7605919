//! Commands and their options, as users type them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use engine::idle::Wait;
use engine::topology::Topology;

use super::pace::Speed;
use super::{clear, config, level, run};

/// A trading engine for one host: recorded or generated markets through strategies, risk and a
/// simulated venue; every event journaled; every session replayed to the same bytes.
#[derive(Debug, Parser)]
#[command(
    name = "engine",
    version,
    after_help = "\
Examples:
  engine                                  the demo: a generated market, paper money
  engine backtest --data FILE.log.zst     recorded data through the shipped rules
  engine run --config sluice.toml         a session as configured
  engine replay DIR                       compute a journal's decisions again and compare
  engine rules check rules/limits.rules   check a file of rules

Exit codes: 0 fine, 1 a finding, 2 wrong usage or configuration, 3 corrupt data, 70 a defect
or a failed disk.
Nothing ever leaves this machine: orders go to the simulated venue only."
)]
pub(super) struct Cli {
    /// What to do; without a command, the demo.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Print one JSON object on stdout; progress and messages go to stderr.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Show no progress.
    #[arg(long, global = true)]
    pub(super) no_progress: bool,
    /// Folder for everything that a command writes.
    #[arg(long, global = true, env = "SLUICE_DATA_DIR", default_value = "sluice-data")]
    pub(super) data_dir: PathBuf,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a paper session on the built-in market. Without options but --seed: a demonstration, in
    /// which the engine is also killed, brought back and replayed.
    #[command(after_help = "\
Examples:
  engine demo --seed 7                            the demonstration, 45 seconds
  engine demo --seed 7 --speed max                one session, as fast as it goes
  engine demo --seed 7 --seconds 600
  engine demo --resume sluice-data/journal/DIR    go on with a session that was killed")]
    Demo(DemoArgs),
    /// Run recorded data through strategies, risk and the simulated venue.
    #[command(after_help = "\
Examples:
  engine backtest --data merged.tsv.zst
  engine backtest --data bars.csv.zst=BTC_USDT.PERP --rules rules/crash.rules --json
  engine backtest --data a.log.zst --data b.log.zst --journal none --topology fused
  engine backtest --data sluice-data/journal/DIR --rules stricter.rules")]
    Backtest(BacktestArgs),
    /// Run a session as configured, at the pace of its data.
    #[command(after_help = "\
Examples:
  engine run --config sluice.toml
  engine run --config sluice.toml --speed max --set data.seed=7
  engine run --config sluice.toml --check     is everything there, and does it fit?")]
    Run(run::Arguments),
    /// Set the kill switch of the session that runs in the data folder, or of the next one.
    #[command(after_help = "\
Examples:
  engine level 2                                 halt: nobody need be named to raise
  engine level 3 --by ann --reason 'venue down'  flatten: every position is closed
  engine level 0 --by ann --reason 'checked'     run again: who lowers says who and why

Raised to 2 as well by a file KILL in the data folder, and by SIGUSR1 to the process.")]
    Level(level::Arguments),
    /// End a latch of the session that runs in the data folder.
    #[command(after_help = "\
Examples:
  engine clear FEED_LOST --by ann --reason 'line changed'
  engine clear DAY_LOSS --by ann --reason 'seen, small' --allow 12%   true still: a new limit
  engine clear DAY_LOSS --by ann --reason 'seen, small' --allow '500 USDT'

The allowance holds for the rest of the day or week that the measure is of, else until changed.")]
    Clear(clear::Arguments),
    /// Work with configurations.
    #[command(after_help = "\
Examples:
  engine config default > sluice.toml
  engine config check --config sluice.toml
  engine config show --config sluice.toml --origin")]
    Config(config::Arguments),
    /// Compute a journal's decisions again and compare them record by record.
    #[command(after_help = "\
Examples:
  engine replay sluice-data/journal/DIR
  engine replay DIR --topology split --json
  engine replay DIR --rules stricter.rules    where would other rules have decided otherwise?")]
    Replay(ReplayArgs),
    /// Work with files of rules.
    #[command(after_help = "Example:\n  engine rules check rules/limits.rules")]
    Rules(RulesArgs),
    /// Look into a journal.
    #[command(after_help = "\
Examples:
  engine journal info DIR
  engine journal verify DIR --json
  engine journal dump DIR --kind Fill --limit 20")]
    Journal(JournalArgs),
    /// Judge an interval log or a journal by objectives.
    #[command(after_help = "\
Examples:
  engine backtest --data FILE --latency-log latency.hlog
  engine slo latency.hlog --objectives deploy/objectives.toml
  engine slo sluice-data/journal/DIR --objectives deploy/objectives.toml --strict --json")]
    Slo(SloArgs),
}

/// Options of `slo`.
#[derive(Args, Debug)]
pub(super) struct SloArgs {
    /// An interval log (HDR, V2), or a journal's folder.
    #[arg(value_name = "INPUT")]
    pub(super) input: PathBuf,
    /// The objectives, TOML.
    #[arg(long, value_name = "FILE")]
    pub(super) objectives: PathBuf,
    /// An objective without a verdict is a finding too.
    #[arg(long)]
    pub(super) strict: bool,
}

/// Options of `demo`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct DemoArgs {
    /// Seed of the market.
    #[arg(long, default_value_t = DEMO_SEED)]
    pub(super) seed: u64,
    /// Length of the session in market seconds.
    #[arg(long, default_value_t = DEMO_SECONDS)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: u64,
    /// Pace of the market: real, max, or so many times as fast as real; default: max.
    #[arg(long, value_name = "N|max|real")]
    pub(super) speed: Option<Speed>,
    /// Rules to run instead of the shipped ones.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
    /// Go on with the killed session of this journal, in a journal of its own; --seconds must be as
    /// it was.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rules", "seed"])]
    pub(super) resume: Option<PathBuf>,
    /// How the session is run.
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// A run over recorded data is as long as it takes, so what takes least is the default: a run of
/// records in one call, without a fault or a zeroed page each 4 KiB.
const DEFAULT_SINK: &str = "pwrite";

const DEMO_SEED: u64 = 1;
const DEMO_SECONDS: u64 = 1_800;

impl Default for DemoArgs {
    fn default() -> Self {
        let run = RunArgs {
            journal: None,
            topology: Topology::Auto,
            wait: None,
            sink: DEFAULT_SINK.to_owned(),
            segment_mib: DEFAULT_SEGMENT_MIB,
            order_latency: DEFAULT_LATENCY.to_owned(),
            response_latency: DEFAULT_LATENCY.to_owned(),
            latency: "sampled".to_owned(),
            latency_log: None,
            queue: DEFAULT_QUEUE.to_owned(),
            bar_fill: DEFAULT_BAR_FILL.to_owned(),
        };
        let (seed, seconds) = (DEMO_SEED, DEMO_SECONDS);
        Self { seed, seconds, speed: None, rules: Vec::new(), resume: None, run }
    }
}

impl DemoArgs {
    /// Tells whether the whole demonstration is wanted: no option but its seed. Any other option is
    /// one of a single session.
    pub(super) fn is_tour(&self) -> bool {
        *self == Self { seed: self.seed, ..Self::default() }
    }
}

/// Options of `backtest`.
#[derive(Args, Debug)]
pub(super) struct BacktestArgs {
    /// Recorded data: a raw capture, L2, trades or klines CSV; plain, .zst or .gz. FILE=SYMBOL says
    /// which instrument it is of. Or the folder of one journal: its market data once more.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE[=SYMBOL]")]
    pub(super) data: Vec<String>,
    /// Instruments to trade; default: all that the rules name.
    #[arg(long, num_args = 1.., value_name = "SYMBOL")]
    pub(super) symbol: Vec<String>,
    /// State or override facts, e.g. 'BTC_USDT.PERP,tick=0.5,lot=0.0001,max_leverage=3'.
    #[arg(long, num_args = 1.., value_name = "SPEC")]
    pub(super) instrument: Vec<String>,
    /// A table of instruments beside the embedded one.
    #[arg(long, value_name = "FILE")]
    pub(super) instruments: Option<PathBuf>,
    /// Rename a settlement asset, e.g. USD=USDT.
    #[arg(long, num_args = 1.., value_name = "FROM=TO")]
    pub(super) settle: Vec<String>,
    /// Files of rules; default: the shipped limits and crossover.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
    /// Opening balance of each paper account, in the reporting asset.
    #[arg(long, default_value = "10000", value_name = "AMOUNT")]
    pub(super) capital: String,
    /// Reporting asset.
    #[arg(long, default_value = "USDT", value_name = "ASSET")]
    pub(super) reporting: String,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// How the session is run.
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// How a session is run.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct RunArgs {
    /// Where to journal, or `none`; default: a new folder below the data folder.
    #[arg(long, value_name = "DIR|none")]
    pub(super) journal: Option<String>,
    /// One thread a stage (split), one for all (fused), or by the host (auto).
    #[arg(long, default_value = "auto", value_name = "split|fused|auto")]
    pub(super) topology: Topology,
    /// How stage threads wait: spin, spin-yield, spin-park or sleep:N, with N from 1 to 500
    /// microseconds.
    #[arg(long, value_name = "STRATEGY")]
    pub(super) wait: Option<Wait>,
    /// How the journal reaches the disk: in runs by system calls, or by stores into a mapping.
    #[arg(long, default_value = DEFAULT_SINK, value_parser = ["pwrite", "mmap"])]
    pub(super) sink: String,
    /// Size of a journal segment in MiB, a power of two.
    #[arg(long, default_value_t = DEFAULT_SEGMENT_MIB, value_name = "MIB")]
    pub(super) segment_mib: u64,
    /// From a decision to its arrival at the simulated venue: a duration, or a histogram to draw
    /// from, whose lines have nanoseconds and a count.
    #[arg(long, default_value = DEFAULT_LATENCY, value_name = "DURATION|hist:FILE[,seed=N]")]
    pub(super) order_latency: String,
    /// From the simulated venue's act to our record of it.
    #[arg(long, default_value = DEFAULT_LATENCY, value_name = "DURATION|hist:FILE[,seed=N]")]
    pub(super) response_latency: String,
    /// What is measured of the session itself: orders and a sample of the other ticks, every tick,
    /// or nothing.
    #[arg(long, default_value = "sampled", value_parser = ["sampled", "whole", "off"])]
    pub(super) latency: String,
    /// Write the latencies of each second into a new file, as an HDR histogram log (V2).
    #[arg(long, value_name = "FILE")]
    pub(super) latency_log: Option<PathBuf>,
    /// How a resting order moves forward in its queue: by trades, and by cancels only when the
    /// level falls below what is ahead; or by the power model of cancels too.
    #[arg(long, default_value = DEFAULT_QUEUE, value_parser = ["trades", "prob"])]
    pub(super) queue: String,
    /// Where the data has bars only: at which price of the next bar orders at the market fill.
    #[arg(long, default_value = DEFAULT_BAR_FILL, value_parser = ["open", "close"])]
    pub(super) bar_fill: String,
}

const DEFAULT_SEGMENT_MIB: u64 = engine::session::journaled::SEGMENT_BYTES >> 20;
const DEFAULT_LATENCY: &str = "2ms";
const DEFAULT_QUEUE: &str = "trades";
const DEFAULT_BAR_FILL: &str = "open";

/// Options of `replay`.
#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// The journal's folder.
    pub(super) dir: PathBuf,
    /// Other rules in place of the journal's own.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
    /// One thread a stage (split), one for all (fused), or by the host (auto).
    #[arg(long, default_value = "auto", value_name = "split|fused|auto")]
    pub(super) topology: Topology,
    /// How stage threads wait: spin, spin-yield, spin-park or sleep:N, with N from 1 to 500
    /// microseconds.
    #[arg(long, value_name = "STRATEGY")]
    pub(super) wait: Option<Wait>,
}

/// `engine rules`.
#[derive(Args, Debug)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) command: RulesCommand,
}

/// What can be done with files of rules.
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Check names, units and meaning; print every finding.
    #[command(after_help = "\
Examples:
  engine rules check rules/*.rules
  engine rules check rules/momentum.rules rules/limits.rules --symbol binance:BTC_USDT")]
    Check {
        /// The files, checked together.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Also bind them to this instrument of the table, as a session that trades it would.
        #[arg(long, value_name = "SYMBOL")]
        symbol: Vec<String>,
    },
    /// Run the tests in files of rules, and print which rules they try. Exit code 1 when one fails.
    #[command(after_help = "\
Examples:
  engine rules test rules/limits.rules
  engine rules test rules/limits.rules --coverage 100  also fail where a rule is not tried")]
    Test {
        /// The files, checked together.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Fail when less of the rules is tried both ways, in percent.
        #[arg(long, value_name = "PERCENT")]
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        coverage: Option<u8>,
    },
    /// Explain the code of a finding.
    #[command(after_help = "Example:\n  engine rules explain R0203")]
    Explain {
        /// The code, as findings show it.
        code: String,
    },
}

/// `engine journal`.
#[derive(Args, Debug)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    pub(super) command: JournalCommand,
}

/// What can be done with a journal.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// What a journal holds: run, segments, counts.
    #[command(after_help = "Example:\n  engine journal info DIR")]
    Info {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// Check every record, checksum and hash. Exit code 0 clean, 1 torn, 3 corrupt.
    #[command(after_help = "Example:\n  engine journal verify DIR --json")]
    Verify {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// Print records, one a line.
    #[command(after_help = "\
Examples:
  engine journal dump DIR --kind Decision --limit 20
  engine journal dump DIR --from 1000 --to 1010 --json
  engine journal dump DIR --explain --code NO_BALANCE    why, and from which values")]
    Dump(DumpArgs),
}

/// Options of `journal dump`.
#[derive(Args, Debug)]
pub(super) struct DumpArgs {
    /// The journal's folder.
    pub(super) dir: PathBuf,
    /// First seq.
    #[arg(long, default_value_t = 0)]
    pub(super) from: u64,
    /// Last seq.
    #[arg(long, default_value_t = u64::MAX)]
    pub(super) to: u64,
    /// Only these kinds, e.g. Decision.
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Vec<String>,
    /// Only this instrument.
    #[arg(long, value_name = "SYMBOL")]
    pub(super) symbol: Option<String>,
    /// Each refusal with its rule, the values that it compared, and the terms they were made of:
    /// the stages are run again over the journal for it.
    #[arg(long)]
    pub(super) explain: bool,
    /// Only refusals of these codes.
    #[arg(long, value_name = "CODE")]
    pub(super) code: Vec<String>,
    /// At most so many records.
    #[arg(long, default_value_t = u64::MAX)]
    pub(super) limit: u64,
}
