//! Everything a session is made of, as data: from it the stages are built, live and in replay
//! alike.
//!
//! The setup is the run's first record (RunMetadata, as JSON) and the rule texts are the next ones,
//! so a journal holds all that replay needs. Money, prices and quantities are integers.

use serde::{Deserialize, Serialize};

use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::AccountKind;
use model::symbol::Symbol;
use model::time::SECOND_NS;

/// When a trading day begins.
pub mod day;
/// The simulated venue's constants.
pub mod paper;

pub use day::DaySetup;
pub use paper::PaperSetup;

/// Raised whenever the same inputs may decide differently. Replay of another number refuses.
pub const SEMANTICS: u32 = 8;

/// How long a rate outlives its source unless told otherwise.
pub const RATE_AGE_MAX_NS: i64 = 60 * SECOND_NS;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The built-in market generator with the paper simulator.
    Demo,
    /// Recorded files with the paper simulator.
    Backtest,
}

impl Mode {
    /// Returns its name, as configurations, results and folders have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Backtest => "backtest",
        }
    }
}

/// A session as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Number of the meaning of decisions: [`SEMANTICS`] of the program that wrote it.
    pub semantics: u32,
    /// What the session is for.
    pub mode: Mode,
    /// Identity of the run, 32 hexadecimal digits.
    pub run_id: String,
    /// BLAKE3 of the effective configuration in hexadecimal, where the session has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The one asset that equity and limits are counted in.
    pub reporting: String,
    /// Assets by id.
    pub assets: Vec<String>,
    /// Instruments by id.
    pub instruments: Vec<InstrumentSetup>,
    /// Accounts by id.
    pub accounts: Vec<AccountSetup>,
    /// Sources by index.
    pub sources: Vec<SourceSetup>,
    /// The paper simulator's constants.
    pub paper: PaperSetup,
    /// Strategies' instruments that are traded, by instrument id; others are watched.
    pub traded: Vec<u32>,
    /// Rates of other assets, and what strategies may use.
    pub money: MoneySetup,
}

/// What makes one sum of several assets, and how it is shared out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoneySetup {
    /// Where the rate of each asset comes from; the reporting asset has none.
    pub rates: Vec<RateSetup>,
    /// How long a rate outlives its source, nanoseconds; of bars it is two of their lengths.
    pub rate_age_max_ns: i64,
    /// What strategies may use; the rest of the equity at start is shared by those not named.
    pub capitals: Vec<CapitalSetup>,
    /// When a trading day begins.
    #[serde(default, skip_serializing_if = "DaySetup::is_utc")]
    pub day: DaySetup,
}

/// Where the rate of an asset comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSetup {
    /// The asset.
    pub asset: String,
    /// The source of its rate.
    pub from: RateSource,
}

/// The source of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateSource {
    /// The mark of an instrument that has the asset as its base or quote, by id; the other of the
    /// two leads on, until the reporting asset is reached.
    Via(u32),
    /// A fixed worth of one unit in the reporting asset, 1e-9.
    Fixed(i128),
    /// `FxRate` records of a source.
    Recorded,
}

/// What a strategy may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapitalSetup {
    /// Name of the strategy.
    pub strategy: String,
    /// How much.
    pub capital: Capital,
}

/// An amount, or a share of the equity at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capital {
    /// In the reporting asset, 1e-9.
    Amount(i128),
    /// Of the equity at start, 1e-9.
    Share(i64),
}

/// Rates of an own traded volume: a venue grants better ones to those who trade more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeTier {
    /// Volume of 30 days from which on it is granted, 1e-9 of the quote asset.
    pub volume_from: i128,
    /// Fee share of makers, 1e-9; negative for a rebate.
    pub maker: i64,
    /// Fee share of takers, 1e-9.
    pub taker: i64,
}

/// An instrument with what its sources carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSetup {
    /// Full name.
    pub symbol: String,
    /// The venue's own name.
    pub venue_symbol: String,
    /// True for a linear perpetual, false for spot.
    pub perpetual: bool,
    /// Settlement asset.
    pub settle: String,
    /// Decimals of prices.
    pub price_scale: u8,
    /// Decimals of quantities.
    pub qty_scale: u8,
    /// Price step, mantissa.
    pub tick: i64,
    /// Quantity step, mantissa.
    pub lot: i64,
    /// Smallest order quantity, mantissa.
    pub qty_min: i64,
    /// Largest order quantity, mantissa.
    pub qty_max: i64,
    /// Smallest order value, 1e-9 of the quote asset.
    pub notional_min: i128,
    /// Fee share of makers, 1e-9.
    pub fee_maker: i64,
    /// Fee share of takers, 1e-9.
    pub fee_taker: i64,
    /// Asset of the fee: `received`, `quote`, or `asset:BNB`.
    pub fee_asset: String,
    /// Decimals to which the venue rounds fees up.
    pub fee_decimals: u8,
    /// Tiers above the one configured, by volume; empty where the rates stay as they are.
    pub fee_tiers: Vec<FeeTier>,
    /// Band of `at_market`, 1e-9.
    pub protect: i64,
    /// Band of the engine's own exits, 1e-9.
    #[serde(default = "flatten_band")]
    pub flatten_band: i64,
    /// Assumed half spread of bars and trades, 1e-9.
    pub half_spread: i64,
    /// Widest spread whose middle is a mark, 1e-9.
    pub mark_spread_max: i64,
    /// Life of a mark without its source, nanoseconds.
    pub mark_age_max_ns: i64,
    /// True when longs are valued at the bid and shorts at the ask.
    pub mark_liquidation: bool,
    /// Largest leverage.
    pub leverage_max: u32,
    /// Maintenance margin share, 1e-9.
    pub maintenance: i64,
    /// What the data of this instrument carries.
    pub carries: Carried,
}

/// What the data of an instrument carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Best prices as a stream of their own.
    pub quotes: bool,
    /// Book levels.
    pub book: bool,
    /// Trades.
    pub trades: bool,
    /// Length of closed bars in nanoseconds, 0 when there are none.
    pub bar_ns: i64,
}

/// An account with its opening balances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSetup {
    /// Name, for people.
    pub name: String,
    /// Venue whose instruments it holds.
    pub venue: String,
    /// True for a linear (margin) account, false for cash.
    pub linear: bool,
    /// Opening balances: asset and amount in 1e-9.
    pub balances: Vec<(String, i128)>,
    /// What is never sold and in no figure: asset and amount in 1e-9.
    pub protect: Vec<(String, i128)>,
}

/// A source, for people and for fault records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSetup {
    /// File name without its folders, `journal` and the name of its folder, or the generator's
    /// name.
    pub name: String,
    /// BLAKE3 of the file as it lies on disk, in hexadecimal, of a journal that of the hashes of
    /// its segments; empty for a generator.
    pub hash: String,
}

/// A setup that does not describe a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A figure of an instrument cannot be traded with.
    #[error("{0}")]
    Instrument(String),
    /// What is held cannot be valued.
    #[error(
        "{asset} has no rate in {reporting}: {why}; state it as [rates] {asset} = {{ via = \
         \"an instrument of it\" }} or {{ fixed = \"1\" }}"
    )]
    Rate {
        /// The asset.
        asset: String,
        /// The reporting asset.
        reporting: String,
        /// Why it is needed, and what is missing.
        why: String,
    },
    /// More is allocated to strategies than there is.
    #[error("strategies are allocated {stated}, and {there}: allocate less")]
    Capital {
        /// What is allocated.
        stated: String,
        /// What there is.
        there: String,
    },
    /// A table passes its limit.
    #[error("{what}: {count} passes the limit of {limit}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl InstrumentSetup {
    /// Returns the record of an instrument.
    #[must_use]
    pub fn of(instrument: &Instrument, carries: Carried) -> Self {
        Self {
            symbol: instrument.symbol.to_string(),
            venue_symbol: instrument.venue_symbol.clone(),
            perpetual: instrument.kind == Kind::LinearPerpetual,
            settle: instrument.settle.clone(),
            price_scale: instrument.price_scale.decimals(),
            qty_scale: instrument.qty_scale.decimals(),
            tick: instrument.tick.0,
            lot: instrument.lot.0,
            qty_min: instrument.qty_min.0,
            qty_max: instrument.qty_max.0,
            notional_min: instrument.notional_min.0,
            fee_maker: instrument.fee_maker.0,
            fee_taker: instrument.fee_taker.0,
            fee_asset: instrument.fee_asset.to_string(),
            fee_decimals: instrument.fee_scale.decimals(),
            fee_tiers: Vec::new(),
            protect: instrument.protect.0,
            flatten_band: instrument.flatten_band.0,
            half_spread: instrument.half_spread.0,
            mark_spread_max: instrument.mark_spread_max.0,
            mark_age_max_ns: instrument.mark_age_max_ns,
            mark_liquidation: instrument.mark_liquidation,
            leverage_max: instrument.leverage_max,
            maintenance: instrument.maintenance.0,
            carries,
        }
    }

    /// Returns the instrument.
    ///
    /// # Errors
    /// [`SetupError::Instrument`] when the figures cannot be traded with.
    pub fn instrument(&self) -> Result<Instrument, SetupError> {
        let refuse = |why: String| SetupError::Instrument(why);
        let scale = |decimals: u8| {
            Scale::new(decimals)
                .ok_or_else(|| refuse(format!("{}: scale {decimals} is too large", self.symbol)))
        };
        let symbol = Symbol::parse(&self.symbol).map_err(|error| refuse(error.to_string()))?;
        let instrument = Instrument {
            symbol,
            venue_symbol: self.venue_symbol.clone(),
            kind: if self.perpetual { Kind::LinearPerpetual } else { Kind::Spot },
            settle: self.settle.clone(),
            price_scale: scale(self.price_scale)?,
            qty_scale: scale(self.qty_scale)?,
            tick: Price(self.tick),
            lot: Qty(self.lot),
            qty_min: Qty(self.qty_min),
            qty_max: Qty(self.qty_max),
            notional_min: Money(self.notional_min),
            fee_maker: Rate(self.fee_maker),
            fee_taker: Rate(self.fee_taker),
            fee_asset: FeeAsset::parse(&self.fee_asset).ok_or_else(|| {
                refuse(format!("{}: there is no fee asset `{}`", self.symbol, self.fee_asset))
            })?,
            fee_scale: scale(self.fee_decimals)?,
            protect: Rate(self.protect),
            flatten_band: Rate(self.flatten_band),
            half_spread: Rate(self.half_spread),
            mark_spread_max: Rate(self.mark_spread_max),
            mark_age_max_ns: self.mark_age_max_ns,
            mark_liquidation: self.mark_liquidation,
            leverage_max: self.leverage_max,
            maintenance: Rate(self.maintenance),
        };
        match instrument.check() {
            Some(why) => Err(refuse(why)),
            None => Ok(instrument),
        }
    }
}

impl MoneySetup {
    /// Returns the setup of a session that knows the reporting asset only and has not shared out
    /// its equity.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            rates: Vec::new(),
            rate_age_max_ns: RATE_AGE_MAX_NS,
            capitals: Vec::new(),
            day: DaySetup::default(),
        }
    }
}

impl AccountSetup {
    /// Returns the kind of the account.
    #[must_use]
    pub fn kind(&self) -> AccountKind {
        if self.linear { AccountKind::Linear } else { AccountKind::Cash }
    }
}

/// Journals from before the fact was there were made with this one.
fn flatten_band() -> i64 {
    20_000_000
}
