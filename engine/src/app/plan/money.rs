//! What is wanted of money: rates, what strategies may use, what is protected.

use engine::program::{Checked, candidates};
use engine::session::SessionError;
use engine::setup::{
    CapitalSetup, DaySetup, FeeTier, MoneySetup, RATE_AGE_MAX_NS, RateSetup, RateSource, SetupError,
};
use model::decimal::format_trimmed;
use model::instrument::{FeeAsset, Instrument};
use model::num::RATE_SCALE;
use model::symbol::Symbol;

use super::{Failure, Wanted, instrument_id};

/// What is wanted of money.
#[derive(Clone, Debug)]
pub(in crate::app) struct MoneyWanted {
    /// Where the rates of assets come from.
    pub(in crate::app) rates: Vec<(String, RateWanted)>,
    /// How long a rate outlives its source, nanoseconds.
    pub(in crate::app) rate_age_max_ns: i64,
    /// What strategies may use.
    pub(in crate::app) capitals: Vec<CapitalSetup>,
    /// What of the opening balances of each account is set apart, 1e-9.
    pub(in crate::app) protect: Vec<(String, i128)>,
    /// Fees by volume, of all that is traded.
    pub(in crate::app) tiers: Vec<FeeTier>,
    /// When a trading day begins.
    pub(in crate::app) day: DaySetup,
}

/// Where the rate of an asset comes from.
#[derive(Clone, Debug)]
pub(in crate::app) enum RateWanted {
    /// The mark of an instrument.
    Via(Symbol),
    /// Stated, 1e-9 of the reporting asset.
    Fixed(i128),
}

impl MoneyWanted {
    /// Returns what is wanted where nothing is said.
    pub(in crate::app) fn plain() -> Self {
        Self {
            rates: Vec::new(),
            rate_age_max_ns: RATE_AGE_MAX_NS,
            capitals: Vec::new(),
            protect: Vec::new(),
            tiers: Vec::new(),
            day: DaySetup::default(),
        }
    }
}

impl Wanted<'_> {
    /// Tells whether a rate of an asset is stated.
    pub(super) fn has_rate(&self, asset: &str) -> bool {
        self.money.rates.iter().any(|(known, _)| known == asset)
    }

    /// Returns the assets of a session: the reporting one, those of its instruments and their fees,
    /// and what is held.
    pub(super) fn assets(&self, instruments: &[Instrument], held: &[&str]) -> Vec<String> {
        let mut assets = vec![self.reporting.clone()];
        let named = instruments.iter().flat_map(|one| {
            let discount = match &one.fee_asset {
                FeeAsset::Asset(name) => Some(name.as_str()),
                FeeAsset::Received | FeeAsset::Quote => None,
            };
            let own = [&one.symbol.base, &one.symbol.quote, &one.settle].map(String::as_str);
            own.into_iter().chain(discount)
        });
        for asset in named.chain(held.iter().copied()) {
            if !assets.iter().any(|known| known == asset) {
                assets.push(asset.to_owned());
            }
        }
        assets
    }

    /// Makes the setup of rates and capitals.
    ///
    /// # Errors
    /// [`Failure`] naming a rate whose instrument is not in the data, or a strategy that the rules
    /// do not have.
    pub(super) fn money(
        &self,
        instruments: &[Instrument],
        checked: &Checked,
    ) -> Result<MoneySetup, Failure> {
        let mut rates = Vec::new();
        for (asset, wanted) in &self.money.rates {
            let from = match wanted {
                RateWanted::Fixed(rate) => RateSource::Fixed(*rate),
                RateWanted::Via(symbol) => RateSource::Via(self.via(asset, symbol, instruments)?),
            };
            rates.push(RateSetup { asset: asset.clone(), from });
        }
        let known: Vec<&str> =
            checked.program.strategies.iter().map(|one| one.name.as_str()).collect();
        for CapitalSetup { strategy, .. } in &self.money.capitals {
            if !known.contains(&strategy.as_str()) {
                let message = format!(
                    "the rules have no strategy `{strategy}`; they have {}",
                    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                );
                return Err(self.asked.refuse("", &format!("strategy.{strategy}"), &message));
            }
        }
        let (rate_age_max_ns, capitals) = (self.money.rate_age_max_ns, self.money.capitals.clone());
        Ok(MoneySetup { rates, rate_age_max_ns, capitals, day: self.money.day.clone() })
    }

    /// Returns the instrument whose mark is a rate.
    fn via(
        &self,
        asset: &str,
        symbol: &Symbol,
        instruments: &[Instrument],
    ) -> Result<u32, Failure> {
        let all: Vec<u32> = (0..instruments.len()).map(|index| instrument_id(index).0).collect();
        let names = |ids: &mut dyn Iterator<Item = model::id::InstrumentId>| {
            let found = ids.filter_map(|id| engine::portfolio::at(instruments, id));
            found.map(|one| one.symbol.to_string()).collect::<Vec<_>>().join(", ")
        };
        let fitting = candidates(symbol, instruments, &all);
        let message = match fitting.as_slice() {
            [one] => return Ok(one.0),
            [] => format!(
                "the data has no instrument {symbol}; it has {}",
                names(&mut (0..instruments.len()).map(instrument_id))
            ),
            many => {
                format!("{symbol} may be {}; write the full name", names(&mut many.iter().copied()))
            }
        };
        Err(self.asked.refuse("", &format!("rates.{asset}.via"), &message))
    }

    /// Returns a failure of a session that could not be built, under the line that asked for it.
    pub(in crate::app) fn not_built(&self, error: SessionError) -> Failure {
        let key = match &error {
            SessionError::Setup(SetupError::Rate { asset, .. }) if self.has_rate(asset) => {
                format!("rates.{asset}")
            }
            SessionError::Setup(SetupError::Capital { .. }) => "strategy".to_owned(),
            _ => return Failure::from(error),
        };
        self.asked.refuse("", &key, &error.to_string())
    }

    /// Returns a line for each rate that is fixed: it is true by being said only.
    pub(in crate::app) fn fixed_rates(setup: &engine::setup::Setup) -> Vec<String> {
        let line = |stated: &RateSetup| match stated.from {
            RateSource::Fixed(rate) => Some(format!(
                "note: one {} counts as {} {}, a fixed rate",
                stated.asset,
                format_trimmed(rate, RATE_SCALE),
                setup.reporting
            )),
            RateSource::Via(_) | RateSource::Recorded => None,
        };
        setup.money.rates.iter().filter_map(line).collect()
    }
}
