//! A session's setup from data, rules and options.

use std::path::{Path, PathBuf};

use engine::portfolio::instrument_id;
use engine::program::{Checked, candidates};
use engine::session::journaled::{JournalSpec, is_taken};
use engine::session::run_id;
use engine::setup::{
    AccountSetup, Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup,
    SourceSetup,
};
use engine::topology::{Placement, available_cores, place};
use journal::SinkKind;
use model::decimal::parse_mantissa;
use model::instrument::{Instrument, Kind};
use model::num::MONEY_SCALE;
use model::symbol::{Symbol, is_asset};

use super::cli::RunArgs;
use super::exit::Failure;

/// What a setup is made from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// What the session is for.
    pub(super) mode: Mode,
    /// Seed of everything that is drawn.
    pub(super) seed: u64,
    /// Reporting asset.
    pub(super) reporting: &'a str,
    /// Opening balance of each account, decimal text.
    pub(super) capital: &'a str,
    /// Instruments that may be traded; empty: all that the rules name.
    pub(super) symbols: &'a [Symbol],
    /// Instruments of the data.
    pub(super) instruments: &'a [(Instrument, Carried)],
    /// Sources of the data.
    pub(super) sources: Vec<SourceSetup>,
    /// The rules.
    pub(super) checked: &'a Checked,
    /// How the session is run.
    pub(super) run: &'a RunArgs,
}

impl Plan<'_> {
    /// Makes the setup.
    ///
    /// # Errors
    /// [`Failure::Usage`] naming what does not fit.
    pub(super) fn setup(self) -> Result<Setup, Failure> {
        if !is_asset(self.reporting) {
            return Err(Failure::usage(format!(
                "--reporting {}: an asset is written in capitals, e.g. USDT",
                self.reporting
            )));
        }
        let instruments: Vec<Instrument> =
            self.instruments.iter().map(|(i, _)| i.clone()).collect();
        let traded = self.traded(&instruments)?;
        let accounts = self.accounts(&instruments, &traded)?;
        let mut assets = vec![self.reporting.to_owned()];
        for instrument in &instruments {
            for asset in [&instrument.symbol.base, &instrument.symbol.quote, &instrument.settle] {
                if !assets.contains(asset) {
                    assets.push(asset.clone());
                }
            }
        }
        let paper = PaperSetup {
            order_latency_ns: duration("--order-latency", &self.run.order_latency)?,
            response_latency_ns: duration("--response-latency", &self.run.response_latency)?,
        };
        let mut setup = Setup {
            semantics: SEMANTICS,
            mode: self.mode,
            run_id: String::new(),
            seed: self.seed,
            reporting: self.reporting.to_owned(),
            assets,
            instruments: self
                .instruments
                .iter()
                .map(|(instrument, carries)| InstrumentSetup::of(instrument, *carries))
                .collect(),
            accounts,
            sources: self.sources,
            paper,
            traded,
            money: MoneySetup::plain(),
        };
        setup.run_id = format!("{:032x}", run_id(&setup, &self.checked.sources).0);
        Ok(setup)
    }

    /// Returns the instruments that strategies name, within what `--symbol` allows.
    fn traded(&self, instruments: &[Instrument]) -> Result<Vec<u32>, Failure> {
        let names = |list: &[Instrument]| {
            list.iter().map(|i| i.symbol.to_string()).collect::<Vec<_>>().join(", ")
        };
        let all: Vec<u32> = (0..instruments.len()).map(|index| instrument_id(index).0).collect();
        let mut allowed = Vec::new();
        for symbol in self.symbols {
            let fitting = candidates(symbol, instruments, &all);
            match fitting.as_slice() {
                [] => {
                    return Err(Failure::usage(format!(
                        "--symbol {symbol}: the data has no such instrument; it has {}",
                        names(instruments)
                    )));
                }
                [one] => allowed.push(one.0),
                many => {
                    let listed: Vec<String> = many
                        .iter()
                        .filter_map(|id| engine::portfolio::at(instruments, *id))
                        .map(|i| i.symbol.to_string())
                        .collect();
                    return Err(Failure::usage(format!(
                        "--symbol {symbol} is ambiguous: it may be {}; write the full name",
                        listed.join(" or ")
                    )));
                }
            }
        }
        if self.symbols.is_empty() {
            allowed = all;
        }
        let mut traded = Vec::new();
        for strategy in &self.checked.program.strategies {
            let mut any = false;
            for (symbol, _) in &strategy.symbols {
                for id in candidates(symbol, instruments, &allowed) {
                    any = true;
                    traded.push(id.0);
                }
            }
            if !any {
                return Err(Failure::usage(format!(
                    "strategy {}: none of its symbols is in the data, which has {}; name the \
                     instrument with --data FILE=SYMBOL, or give other rules with --rules",
                    strategy.name,
                    names(instruments)
                )));
            }
        }
        if self.checked.program.strategies.is_empty() {
            traded = allowed;
        }
        traded.sort_unstable();
        traded.dedup();
        Ok(traded)
    }

    /// Opens one paper account for each venue and kind that is traded.
    fn accounts(
        &self,
        instruments: &[Instrument],
        traded: &[u32],
    ) -> Result<Vec<AccountSetup>, Failure> {
        let capital = parse_mantissa(self.capital.replace('_', "").as_bytes(), MONEY_SCALE)
            .ok()
            .filter(|amount| *amount >= 0)
            .ok_or_else(|| {
                let most = i64::MAX / 10_i64.pow(u32::from(MONEY_SCALE));
                Failure::usage(format!(
                    "--capital {}: write an amount from 0 to {most} with at most {MONEY_SCALE} \
                     decimals, e.g. 10000",
                    self.capital
                ))
            })?;
        let mut accounts: Vec<AccountSetup> = Vec::new();
        for id in traded {
            let id = model::id::InstrumentId(*id);
            let Some(instrument) = engine::portfolio::at(instruments, id) else { continue };
            if instrument.settle != self.reporting {
                return Err(Failure::usage(format!(
                    "{} is settled in {}, and the session counts in {}: rename it with --settle \
                     {}={}, or count in it with --reporting",
                    instrument.symbol,
                    instrument.settle,
                    self.reporting,
                    instrument.settle,
                    self.reporting
                )));
            }
            let venue = instrument.symbol.venue.clone().unwrap_or_default();
            let linear = instrument.kind == Kind::LinearPerpetual;
            if accounts.iter().any(|known| known.venue == venue && known.linear == linear) {
                continue;
            }
            let kind = if linear { "linear" } else { "cash" };
            accounts.push(AccountSetup {
                name: format!("paper {venue} {kind}"),
                venue,
                linear,
                balances: vec![(self.reporting.to_owned(), i128::from(capital))],
                protect: Vec::new(),
            });
        }
        Ok(accounts)
    }
}

/// Reads a duration such as `2ms`.
fn duration(option: &str, text: &str) -> Result<i64, Failure> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let factor = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => 0,
    };
    let number: Option<i64> = digits.parse().ok();
    number
        .filter(|number| *number >= 0 && factor > 0)
        .and_then(|number| number.checked_mul(factor))
        .filter(|ns| *ns <= 60_000_000_000)
        .ok_or_else(|| {
            Failure::usage(format!(
                "{option} {text}: write a duration up to 60s, e.g. 2ms or 500us"
            ))
        })
}

/// Decides what runs where on this host.
///
/// # Errors
/// [`Failure::Usage`] when the host cannot grant it.
pub(super) fn placement(
    topology: engine::topology::Topology,
    wait: Option<engine::idle::Wait>,
) -> Result<Placement, Failure> {
    place(topology, wait, &available_cores()).map_err(|error| Failure::Usage(error.into()))
}

/// Says where and how to journal; `None` when journaling is off.
///
/// # Errors
/// [`Failure::Usage`] for a folder that already holds something, or a bad segment size.
pub(super) fn journal_spec(
    run: &RunArgs,
    setup: &Setup,
    data_dir: &Path,
) -> Result<Option<JournalSpec>, Failure> {
    let dir = match run.journal.as_deref() {
        Some("none") => return Ok(None),
        Some(dir) => {
            let dir = PathBuf::from(dir);
            if is_taken(&dir) {
                return Err(Failure::usage(format!(
                    "--journal {}: the folder is not empty; a journal is never overwritten",
                    dir.display()
                )));
            }
            dir
        }
        None => free_dir(setup, data_dir),
    };
    let segment_bytes = run
        .segment_mib
        .checked_mul(1 << 20)
        .filter(|bytes| bytes.is_power_of_two() && *bytes <= 1 << 30);
    let segment_bytes = segment_bytes.ok_or_else(|| {
        Failure::usage(format!(
            "--segment-mib {}: write a power of two from 1 to 1024",
            run.segment_mib
        ))
    })?;
    let sink = if run.sink == "pwrite" { SinkKind::Pwrite } else { SinkKind::Mmap };
    let build_hash = build_hash();
    // Both modes of this version can be run again from their inputs, so nothing waits for the disk.
    Ok(Some(JournalSpec { dir, segment_bytes, sink, sync: false, build_hash }))
}

/// Returns the identity of this build: name and version. What decides otherwise has another
/// `semantics` number.
pub(super) fn build_hash() -> [u8; 32] {
    let build = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    *blake3::hash(build.as_bytes()).as_bytes()
}

/// Returns a folder for the run's journal that is not taken.
fn free_dir(setup: &Setup, data_dir: &Path) -> PathBuf {
    let mode = match setup.mode {
        Mode::Demo => "demo",
        Mode::Backtest => "backtest",
    };
    let name: String = setup.run_id.chars().take(8).collect();
    let journals = data_dir.join("journal");
    let mut nth = 1_u32;
    loop {
        let suffix = if nth == 1 { String::new() } else { format!("-{nth}") };
        let dir = journals.join(format!("{mode}-{name}{suffix}"));
        if !is_taken(&dir) {
            return dir;
        }
        nth = nth.saturating_add(1);
    }
}
