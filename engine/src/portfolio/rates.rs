//! What one unit of an asset is worth in the reporting asset: accounts.md 4.
//!
//! A rate is a ratio of two integers, multiplied along its path, so that an inverted price loses
//! nothing; money is rounded once, when it is converted. A rate that is missing or stale is
//! unknown. What must be booked whatever is known now (a fee, a fill) asks for the last one.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::FxRate;
use model::id::{AssetId, InstrumentId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Rounding, mul_div, pow10};
use model::time::Nanos;

use super::{View, asset_id, at};
use crate::setup::{RateSource, Setup, SetupError};

/// LIMIT: instruments on the way from an asset to the reporting asset.
const STEPS_MAX: usize = 8;
/// Terms of a ratio above it are made smaller by what they share.
const TERM_MAX: i128 = 1_000_000_000_000_000_000;

/// Where the rate of one asset comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// It is the reporting asset.
    Reporting,
    /// Nothing is said of it.
    Nowhere,
    /// The mark of an instrument, which leads on to its other asset.
    Via { instrument: InstrumentId, inverted: bool, to: AssetId },
    /// Records.
    Recorded,
}

/// The last record of a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Record {
    rate: Money,
    to: AssetId,
    at: Nanos,
    fixed: bool,
}

/// The rates of all assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    from: Vec<From>,
    records: Vec<Record>,
    age_max_ns: i64,
}

/// Units of the reporting asset for units of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator, positive.
    pub over: i128,
    /// Denominator, positive.
    pub under: i128,
}

impl Ratio {
    /// One for one.
    pub const ONE: Self = Self { over: 1, under: 1 };

    fn times(self, over: i128, under: i128) -> Option<Self> {
        let product =
            Self { over: self.over.checked_mul(over)?, under: self.under.checked_mul(under)? };
        Some(product.reduced())
    }

    /// Returns the same ratio in smaller terms where they have become large.
    fn reduced(self) -> Self {
        if self.over <= TERM_MAX && self.under <= TERM_MAX {
            return self;
        }
        let (mut a, mut b) = (self.over, self.under);
        while b != 0 {
            (a, b) = (b, a.checked_rem(b).unwrap_or(0));
        }
        let part = |term: i128| term.checked_div(a).unwrap_or(term);
        Self { over: part(self.over), under: part(self.under) }
    }

    /// Returns an amount of the other asset in the reporting asset.
    #[must_use]
    pub fn of(self, amount: Money, rounding: Rounding) -> Option<Money> {
        if self == Self::ONE {
            return Some(amount);
        }
        mul_div(amount.0, self.over, self.under, rounding).map(Money)
    }
}

impl Rates {
    /// Returns the sources of a setup; records come with their events.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument]) -> Self {
        let asset = |name: &str| asset_id(&setup.assets, name);
        let from = setup.assets.iter().map(|name| {
            if *name == setup.reporting {
                return From::Reporting;
            }
            let stated = setup.money.rates.iter().find(|stated| stated.asset == *name);
            match stated.map(|stated| stated.from) {
                None => From::Nowhere,
                Some(RateSource::Fixed(_) | RateSource::Recorded) => From::Recorded,
                Some(RateSource::Via(id)) => {
                    let instrument = InstrumentId(id);
                    let Some(facts) = at(instruments, instrument) else { return From::Nowhere };
                    let quote = &facts.settle;
                    let inverted = quote == name;
                    let other = if inverted { &facts.symbol.base } else { quote };
                    From::Via { instrument, inverted, to: asset(other) }
                }
            }
        });
        let from: Vec<From> = from.collect();
        Self {
            records: vec![Record::default(); from.len()],
            from,
            age_max_ns: setup.money.rate_age_max_ns,
        }
    }

    /// Takes a rate.
    pub fn record(&mut self, rate: &FxRate, now: Nanos) {
        if let Some(record) = self.records.get_mut(usize::from(rate.from.0)) {
            *record = Record { rate: rate.rate, to: rate.to, at: now, fixed: rate.fixed };
        }
    }

    /// Returns the rate of an asset; `None` while a part of its path is missing or stale.
    #[inline]
    #[must_use]
    pub fn rate(&self, asset: AssetId, view: &View<'_>) -> Option<Ratio> {
        if self.is_reporting(asset) {
            return Some(Ratio::ONE);
        }
        self.walk(asset, view, false)
    }

    /// Returns the last rate that was known, however old.
    #[must_use]
    pub fn last_rate(&self, asset: AssetId, view: &View<'_>) -> Option<Ratio> {
        self.walk(asset, view, true)
    }

    #[inline]
    fn is_reporting(&self, asset: AssetId) -> bool {
        self.from.get(usize::from(asset.0)) == Some(&From::Reporting)
    }

    fn walk(&self, asset: AssetId, view: &View<'_>, any_age: bool) -> Option<Ratio> {
        let (mut ratio, mut asset) = (Ratio::ONE, asset);
        for _ in 0..=STEPS_MAX {
            match *self.from.get(usize::from(asset.0))? {
                From::Reporting => return Some(ratio),
                From::Nowhere => return None,
                From::Via { instrument, inverted, to } => {
                    let facts = at(view.instruments, instrument)?;
                    let market = at(view.markets, instrument)?;
                    let fresh = market.mark_for_rate(view.now, self.age_max_ns, facts);
                    let mark = if any_age { fresh.or_else(|| market.last_mark()) } else { fresh }?;
                    let one = pow10(facts.mark_decimals())?;
                    let (over, under) = if inverted { (one, mark) } else { (mark, one) };
                    ratio = ratio.times(over, under)?;
                    asset = to;
                }
                From::Recorded => {
                    let record = self.records.get(usize::from(asset.0))?;
                    let age = view.now.since(record.at);
                    let known = record.fixed || any_age || age <= self.age_max_ns;
                    if record.rate.0 <= 0 || !known {
                        return None;
                    }
                    ratio = ratio.times(record.rate.0, pow10(MONEY_SCALE)?)?;
                    asset = record.to;
                }
            }
        }
        None
    }

    /// Calls `see` with each instrument on the path of an asset.
    pub(super) fn path(&self, asset: AssetId, see: &mut dyn FnMut(InstrumentId)) {
        let mut asset = asset;
        for _ in 0..=STEPS_MAX {
            match self.from.get(usize::from(asset.0)) {
                Some(From::Via { instrument, to, .. }) => {
                    see(*instrument);
                    asset = *to;
                }
                Some(From::Recorded) => {
                    let record = self.records.get(usize::from(asset.0)).copied();
                    let Some(record) = record.filter(|record| record.rate.0 > 0) else { return };
                    asset = record.to;
                }
                Some(From::Reporting | From::Nowhere) | None => return,
            }
        }
    }
}

/// Checks that every asset that is held, quoted, settled or paid as a fee leads to the reporting
/// asset.
///
/// # Errors
/// [`SetupError::Rate`] naming the asset, why it needs a rate, and what is missing.
pub fn check(setup: &Setup, instruments: &[Instrument]) -> Result<(), SetupError> {
    let refuse = |asset: &str, why: String| {
        let (asset, reporting) = (asset.to_owned(), setup.reporting.clone());
        Err(SetupError::Rate { asset, reporting, why })
    };
    for stated in &setup.money.rates {
        if !setup.assets.contains(&stated.asset) {
            return refuse(&stated.asset, "the session has no such asset".to_owned());
        }
        match stated.from {
            RateSource::Fixed(rate) if rate <= 0 => {
                return refuse(&stated.asset, "its fixed rate is not positive".to_owned());
            }
            RateSource::Via(id) => {
                let known = at(instruments, InstrumentId(id));
                let fits = |facts: &Instrument| {
                    [&facts.symbol.base, &facts.settle].contains(&&stated.asset)
                };
                if !known.is_some_and(fits) {
                    let name =
                        known.map_or_else(|| "an instrument".into(), |i| i.symbol.to_string());
                    return refuse(
                        &stated.asset,
                        format!("{name} has it as neither base nor quote"),
                    );
                }
            }
            RateSource::Fixed(_) | RateSource::Recorded => {}
        }
    }
    let rates = Rates::new(setup, instruments);
    for (asset, why) in needed(setup, instruments) {
        let mut here = asset_id(&setup.assets, &asset);
        let mut steps = 0_usize;
        loop {
            let name = setup.assets.get(usize::from(here.0)).cloned().unwrap_or_default();
            match rates.from.get(usize::from(here.0)) {
                Some(From::Reporting | From::Recorded) => break,
                Some(From::Via { to, .. }) if steps < STEPS_MAX => here = *to,
                Some(From::Via { .. }) => {
                    return refuse(&asset, format!("{why}, and its path leads round in a circle"));
                }
                Some(From::Nowhere) | None if name == asset => {
                    return refuse(&asset, format!("{why}, and no rate of it is stated"));
                }
                Some(From::Nowhere) | None => {
                    return refuse(
                        &asset,
                        format!("{why}; its path ends at {name}, of which no rate is stated"),
                    );
                }
            }
            steps = steps.saturating_add(1);
        }
    }
    Ok(())
}

/// Returns the assets that need a rate, each with the reason.
fn needed(setup: &Setup, instruments: &[Instrument]) -> Vec<(String, String)> {
    let mut needed: Vec<(String, String)> = Vec::new();
    let mut traded = Vec::new();
    for id in &setup.traded {
        let Some(facts) = at(instruments, InstrumentId(*id)) else { continue };
        traded.push(facts);
        let quote = &facts.settle;
        needed.push((quote.clone(), format!("{} is counted in {quote}", facts.symbol)));
        if let FeeAsset::Asset(name) = &facts.fee_asset {
            needed.push((name.clone(), format!("fees of {} are paid in {name}", facts.symbol)));
        }
    }
    for account in &setup.accounts {
        for (asset, amount) in &account.balances {
            let is_position = |facts: &&Instrument| {
                !account.linear
                    && facts.kind == Kind::Spot
                    && facts.symbol.venue.as_deref() == Some(account.venue.as_str())
                    && facts.symbol.base == *asset
            };
            if *amount != 0 && !traded.iter().any(is_position) {
                needed.push((asset.clone(), format!("account {} holds {asset}", account.name)));
            }
        }
    }
    needed
}

impl Image for Rates {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.records.len());
        for record in &self.records {
            out.put(record.rate);
            out.put(record.to);
            out.put(record.at);
            out.put(record.fixed);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.records.len())? != self.records.len() {
            return Err(ImageError::Range);
        }
        for record in &mut self.records {
            *record = Record {
                rate: from.take()?,
                to: from.take()?,
                at: from.take()?,
                fixed: from.take()?,
            };
        }
        Ok(())
    }
}
