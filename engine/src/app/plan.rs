//! A session as it was asked for, by options or by a configuration, and the setup that it makes.
//!
//! Every command that runs a session goes this one way: [`Wanted`] says what is wanted,
//! [`Wanted::setup`] holds it against the data and the rules.

use std::path::{Path, PathBuf};

use engine::portfolio::instrument_id;
use engine::program::{Checked, candidates};
use engine::session::journaled::{JournalSpec, is_taken};
use engine::session::run_id;
use engine::setup::{
    AccountSetup, Carried, InstrumentSetup, Mode, PaperSetup, SEMANTICS, Setup, SourceSetup,
};
use engine::topology::{Placement, available_cores, place};
use journal::SinkKind;
use model::decimal::parse_mantissa;
use model::instrument::{Instrument, Kind};
use model::num::{MONEY_SCALE, Money};
use model::order::AccountKind;
use model::symbol::{Symbol, is_asset};

use super::cli::RunArgs;
use super::config::Loaded;
use super::data::Request;
use super::exit::Failure;
use super::latency::Wish;
use super::pace::Speed;

/// Rates, capitals, and what is protected.
mod money;

pub(super) use money::{MoneyWanted, RateWanted};

/// Who asked: whose words a refusal uses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// The options of a command.
    Options,
    /// A configuration.
    Config(&'a Loaded),
}

/// Where messages come from.
#[derive(Debug)]
pub(super) enum Market {
    /// Recorded data, or a journal.
    Recorded(Request),
    /// The built-in market for so many seconds, with what is stated of its instruments.
    Generated(u64, Request),
}

/// Where and how to journal.
#[derive(Clone, Debug)]
pub(super) struct Journaling {
    /// A folder, or `none`; nothing: a new one below the data folder.
    pub(super) dir: Option<String>,
    /// How bytes reach the disk.
    pub(super) sink: SinkKind,
    /// Size of a segment.
    pub(super) segment_mib: u64,
    /// Whether finished segments are synced.
    pub(super) sync: bool,
}

/// A session as it was asked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Who asked.
    pub(super) asked: Asked<'a>,
    /// The first line of the report, if it has one of its own.
    pub(super) heading: Option<&'static str>,
    /// The journal of a killed session to go on with, whose own setup and rules count then.
    pub(super) resume: Option<PathBuf>,
    /// What the session is for.
    pub(super) mode: Mode,
    /// Seed of everything that is drawn.
    pub(super) seed: u64,
    /// Where messages come from.
    pub(super) market: Market,
    /// Operators may reach it while it runs, and the level that its folder keeps is its own.
    pub(super) is_attended: bool,
    /// How fast they are let in.
    pub(super) speed: Speed,
    /// Files of rules; empty: what ships.
    pub(super) rules: Vec<PathBuf>,
    /// Reporting asset.
    pub(super) reporting: String,
    /// What the accounts must be; none: what the traded instruments need.
    pub(super) kind: Option<AccountKind>,
    /// Opening balances of each account in 1e-9; empty: the default.
    pub(super) balances: Vec<(String, i128)>,
    /// Rates, what strategies may use, what is protected.
    pub(super) money: MoneyWanted,
    /// Instruments that may be traded; empty: all that the rules name.
    pub(super) symbols: Vec<Symbol>,
    /// The simulated venue's constants.
    pub(super) paper: PaperSetup,
    /// Where and how to journal.
    pub(super) journal: Journaling,
    /// What runs where.
    pub(super) placement: Placement,
    /// What is measured.
    pub(super) measured: Wish,
    /// Hash of the effective configuration, where there is one.
    pub(super) config: Option<String>,
}

/// Opening balance of an account of which nothing is said, in the reporting asset.
pub(super) const BALANCE: Money = Money::units(10_000);

impl Asked<'_> {
    /// Refuses what an option or a key asks for.
    fn refuse(self, option: &str, key: &str, message: &str) -> Failure {
        match self {
            Self::Options => Failure::usage(format!("{option}{message}")),
            Self::Config(loaded) => loaded.refuse(key, message.trim_start_matches([':', ' '])),
        }
    }
}

impl Wanted<'_> {
    /// Makes the setup of the data's instruments and sources.
    ///
    /// # Errors
    /// [`Failure`] naming what does not fit.
    pub(super) fn setup(
        &self,
        found: &[(Instrument, Carried)],
        sources: Vec<SourceSetup>,
        checked: &Checked,
    ) -> Result<Setup, Failure> {
        if !is_asset(&self.reporting) {
            return Err(Failure::usage(format!(
                "--reporting {}: an asset is written in capitals, e.g. USDT",
                self.reporting
            )));
        }
        let instruments: Vec<Instrument> = found.iter().map(|(i, _)| i.clone()).collect();
        let traded = self.traded(&instruments, checked)?;
        let accounts = self.accounts(&instruments, &traded)?;
        let held: Vec<&str> = accounts
            .iter()
            .flat_map(|account| account.balances.iter())
            .map(|(asset, _)| asset.as_str())
            .collect();
        let assets = self.assets(&instruments, &held);
        let money = self.money(&instruments, checked)?;
        let described = (0_u32..).zip(found).map(|(id, (one, carries))| {
            let tiers = if traded.contains(&id) { self.money.tiers.clone() } else { Vec::new() };
            InstrumentSetup { fee_tiers: tiers, ..InstrumentSetup::of(one, *carries) }
        });
        let mut setup = Setup {
            semantics: SEMANTICS,
            mode: self.mode,
            run_id: String::new(),
            config: self.config.clone(),
            seed: self.seed,
            reporting: self.reporting.clone(),
            assets,
            instruments: described.collect(),
            accounts,
            sources,
            paper: self.paper.clone(),
            traded,
            money,
        };
        setup.run_id = format!("{:032x}", run_id(&setup, &checked.sources).0);
        Ok(setup)
    }

    /// Returns the instruments that strategies name, within those that may be traded.
    fn traded(&self, instruments: &[Instrument], checked: &Checked) -> Result<Vec<u32>, Failure> {
        let names = |list: &[Instrument]| {
            list.iter().map(|i| i.symbol.to_string()).collect::<Vec<_>>().join(", ")
        };
        let refuse = |symbol: &Symbol, why: String| {
            self.asked.refuse(&format!("--symbol {symbol}"), "data.symbols", &why)
        };
        let all: Vec<u32> = (0..instruments.len()).map(|index| instrument_id(index).0).collect();
        let mut allowed = Vec::new();
        for symbol in &self.symbols {
            let fitting = candidates(symbol, instruments, &all);
            match fitting.as_slice() {
                [] => {
                    let there = names(instruments);
                    return Err(refuse(
                        symbol,
                        format!(": the data has no such instrument; it has {there}"),
                    ));
                }
                [one] => allowed.push(one.0),
                many => {
                    let listed: Vec<String> = many
                        .iter()
                        .filter_map(|id| engine::portfolio::at(instruments, *id))
                        .map(|i| i.symbol.to_string())
                        .collect();
                    let listed = listed.join(" or ");
                    return Err(refuse(
                        symbol,
                        format!(" is ambiguous: it may be {listed}; write the full name"),
                    ));
                }
            }
        }
        if self.symbols.is_empty() {
            allowed = all;
        }
        let mut traded = Vec::new();
        for strategy in &checked.program.strategies {
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
        if checked.program.strategies.is_empty() {
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
        let mut balances = self.balances.clone();
        if balances.is_empty() {
            balances.push((self.reporting.clone(), BALANCE.0));
        }
        let mut accounts: Vec<AccountSetup> = Vec::new();
        for id in traded {
            let id = model::id::InstrumentId(*id);
            let Some(instrument) = engine::portfolio::at(instruments, id) else { continue };
            let Instrument { symbol, settle, .. } = instrument;
            if *settle != self.reporting && !self.has_rate(settle) {
                let message = match self.asked {
                    Asked::Options => format!(
                        "{symbol} is settled in {settle}, and the session counts in {0}: rename \
                         it with --settle {settle}={0}, or count in it with --reporting",
                        self.reporting
                    ),
                    Asked::Config(_) => format!(
                        "{symbol} is settled in {settle}, and the session counts in {}: state \
                         what one {settle} is worth as rates.{settle}.via or rates.{settle}.fixed",
                        self.reporting
                    ),
                };
                let key = "account.reporting";
                return Err(self.asked.refuse("", key, &message));
            }
            let venue = symbol.venue.clone().unwrap_or_default();
            let linear = instrument.kind == Kind::LinearPerpetual;
            let kind = if linear { AccountKind::Linear } else { AccountKind::Cash };
            if self.kind.is_some_and(|wanted| wanted != kind) {
                let what = if linear { "a perpetual: it needs" } else { "spot: it needs" };
                let kind = if linear { "linear" } else { "cash" };
                let message = format!(
                    "{symbol} is {what} an account of kind {kind}; write that, or trade other \
                     instruments"
                );
                return Err(self.asked.refuse("", "account.paper.kind", &message));
            }
            if accounts.iter().any(|known| known.venue == venue && known.linear == linear) {
                continue;
            }
            let kind = if linear { "linear" } else { "cash" };
            let name = format!("paper {venue} {kind}");
            let (balances, protect) = (balances.clone(), self.money.protect.clone());
            accounts.push(AccountSetup { name, venue, linear, balances, protect });
        }
        for account in &accounts {
            self.counted(account, instruments, traded)?;
        }
        Ok(accounts)
    }

    /// Refuses to hold what nothing values: an asset that is neither the reporting asset, nor the
    /// base of what this account trades, and has no rate.
    fn counted(
        &self,
        account: &AccountSetup,
        instruments: &[Instrument],
        traded: &[u32],
    ) -> Result<(), Failure> {
        let valued = |asset: &str| {
            let mut ids = traded.iter().map(|id| model::id::InstrumentId(*id));
            ids.any(|id| {
                engine::portfolio::at(instruments, id).is_some_and(|one| {
                    one.kind == Kind::Spot
                        && one.symbol.base == asset
                        && one.symbol.venue.as_deref().unwrap_or_default() == account.venue
                })
            })
        };
        for (asset, _) in &account.balances {
            let known = *asset == self.reporting || self.has_rate(asset);
            if !known && (account.linear || !valued(asset)) {
                let message = format!(
                    "account `{}` holds {asset}, which nothing it trades values in {}: hold what \
                     it trades, or state what one {asset} is worth as rates.{asset}",
                    account.name, self.reporting
                );
                let key = format!("account.paper.balances.{asset}");
                return Err(self.asked.refuse("", &key, &message));
            }
        }
        Ok(())
    }
}

/// Reads `--capital`: the opening balance in the reporting asset.
///
/// # Errors
/// [`Failure::Usage`] for what is no amount.
pub(super) fn capital(text: &str) -> Result<i128, Failure> {
    let amount = parse_mantissa(text.replace('_', "").as_bytes(), MONEY_SCALE).ok();
    amount.filter(|amount| *amount >= 0).map(i128::from).ok_or_else(|| {
        let most = i64::MAX / 10_i64.pow(u32::from(MONEY_SCALE));
        Failure::usage(format!(
            "--capital {text}: write an amount from 0 to {most} with at most {MONEY_SCALE} \
             decimals, e.g. 10000"
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

impl Journaling {
    /// Returns what the options say.
    pub(super) fn of(run: &RunArgs) -> Self {
        Self {
            dir: run.journal.clone(),
            sink: if run.sink == "pwrite" { SinkKind::Pwrite } else { SinkKind::Mmap },
            segment_mib: run.segment_mib,
            // What an option starts can be run again from its inputs: nothing waits for the disk.
            sync: false,
        }
    }

    /// Says where and how to journal; `None` when journaling is off.
    ///
    /// # Errors
    /// [`Failure`] for a folder that already holds something, or a bad segment size.
    pub(super) fn spec(
        &self,
        asked: Asked<'_>,
        setup: &Setup,
        data_dir: &Path,
    ) -> Result<Option<JournalSpec>, Failure> {
        let dir = match self.dir.as_deref() {
            Some("none") => return Ok(None),
            Some(dir) => {
                let dir = PathBuf::from(dir);
                if is_taken(&dir) {
                    let option = format!("--journal {}", dir.display());
                    let message = ": the folder is not empty; a journal is never overwritten";
                    return Err(asked.refuse(&option, "journal.dir", message));
                }
                dir
            }
            None => free_dir(setup, data_dir),
        };
        let segment_bytes = self
            .segment_mib
            .checked_mul(1 << 20)
            .filter(|bytes| bytes.is_power_of_two() && *bytes <= 1 << 30);
        let segment_bytes = segment_bytes.ok_or_else(|| {
            Failure::usage(format!(
                "--segment-mib {}: write a power of two from 1 to 1024",
                self.segment_mib
            ))
        })?;
        let (sink, sync, build_hash) = (self.sink, self.sync, build_hash());
        Ok(Some(JournalSpec { dir, segment_bytes, sink, sync, build_hash }))
    }
}
/// Returns the identity of this build: name and version. What decides otherwise has another
/// `semantics` number.
pub(super) fn build_hash() -> [u8; 32] {
    let build = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    *blake3::hash(build.as_bytes()).as_bytes()
}

/// Returns a folder for the run's journal that is not taken.
fn free_dir(setup: &Setup, data_dir: &Path) -> PathBuf {
    let mode = setup.mode.name();
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
