//! What the venue holds for us, and what it charges: balances, tiers of fees by traded volume, and
//! fees that are paid in an asset of their own.
//!
//! The venue knows its own acts at once, so its balances may be ahead of those that risk has heard
//! of. On cash it refuses what they do not pay for; margin is judged by risk alone.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{CashFlow, Event, Fill};
use model::id::{AccountId, AssetId, InstrumentId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Rate, Rounding, mul_div, pow10, rescale};
use model::order::{FlowReason, Liquidity, Side};
use model::time::{Date, Nanos};

use super::market::Market;
use super::order::{Order, Place as Whereabouts};
use crate::market::Market as Marked;
use crate::portfolio::asset_id;
use crate::setup::{FeeTier, RateSource, Setup, SetupError};

/// Days whose volume decides on the tier of the day after them.
const DAYS: usize = 30;

/// What an instrument trades on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    account: AccountId,
    cash: bool,
    base: AssetId,
    quote: AssetId,
    instrument: Instrument,
    tiers: Vec<FeeTier>,
    /// Which of the volumes its fills add to.
    volume: usize,
    discount: Option<Discount>,
}

/// A fee in an asset of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Discount {
    asset: AssetId,
    worth: Worth,
}

/// What one unit of that asset is worth in the quote asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// A rate in 1e-9.
    Fixed(i128),
    /// The mark of this one of the watched markets.
    Mark(usize),
}

/// Own traded volume in one quote asset of an account, day by day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Volume {
    account: AccountId,
    quote: AssetId,
    day: Date,
    /// Of this day.
    today: i128,
    /// Of the days before it, the last first.
    before: [i128; DAYS],
}

/// Balances, volumes and prices of fees. Empty where the venue was told of no accounts: then
/// nothing is judged, and fees are those of the instruments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Till {
    /// By instrument id.
    places: Vec<Option<Place>>,
    assets: usize,
    /// By account, then asset.
    totals: Vec<i128>,
    volumes: Vec<Volume>,
    /// Markets whose marks value fees.
    watched: Vec<(InstrumentId, Instrument, Marked)>,
}

impl Till {
    /// Returns what a setup opens with.
    pub(super) fn new(setup: &Setup, instruments: &[Instrument]) -> Self {
        let mut till = Self {
            assets: setup.assets.len(),
            totals: vec![0; setup.accounts.len().saturating_mul(setup.assets.len())],
            ..Self::default()
        };
        for (account, opened) in (0_u16..).zip(&setup.accounts) {
            for (asset, amount) in &opened.balances {
                till.add(AccountId(account), asset_id(&setup.assets, asset), *amount);
            }
        }
        for (instrument, described) in instruments.iter().zip(&setup.instruments) {
            let place = till.place(setup, instruments, instrument, &described.fee_tiers);
            till.places.push(place);
        }
        till
    }

    fn place(
        &mut self,
        setup: &Setup,
        instruments: &[Instrument],
        instrument: &Instrument,
        tiers: &[FeeTier],
    ) -> Option<Place> {
        let venue = instrument.symbol.venue.as_deref().unwrap_or("");
        let linear = instrument.kind == Kind::LinearPerpetual;
        let own = |account: &crate::setup::AccountSetup| {
            account.venue == venue && account.linear == linear
        };
        let account = AccountId(u16::try_from(setup.accounts.iter().position(own)?).ok()?);
        let quote = asset_id(&setup.assets, &instrument.settle);
        let known = |volume: &Volume| (volume.account, volume.quote) == (account, quote);
        let volume = self.volumes.iter().position(known).unwrap_or_else(|| {
            let (day, today, before) = (Date(i32::MIN), 0, [0; DAYS]);
            self.volumes.push(Volume { account, quote, day, today, before });
            self.volumes.len().saturating_sub(1)
        });
        let discount = discount(setup, instruments, instrument).ok().flatten();
        let discount = discount.map(|(asset, worth)| {
            let worth = match worth {
                Named::Fixed(rate) => Worth::Fixed(rate),
                Named::Mark(id) => Worth::Mark(self.watch(setup, instruments, id)),
            };
            Discount { asset, worth }
        });
        let base = asset_id(&setup.assets, &instrument.symbol.base);
        let (instrument, tiers) = (instrument.clone(), tiers.to_vec());
        Some(Place { account, cash: !linear, base, quote, instrument, tiers, volume, discount })
    }

    /// Returns which of the watched markets an instrument is.
    fn watch(&mut self, setup: &Setup, instruments: &[Instrument], id: InstrumentId) -> usize {
        let known = self.watched.iter().position(|(watched, ..)| *watched == id);
        known.unwrap_or_else(|| {
            let carried = crate::portfolio::at(&setup.instruments, id).map(|one| one.carries);
            if let Some(instrument) = crate::portfolio::at(instruments, id) {
                let market = Marked::new(carried.unwrap_or_default());
                self.watched.push((id, instrument.clone(), market));
            }
            self.watched.len().saturating_sub(1)
        })
    }

    /// Tells whether marks value fees.
    #[inline]
    pub(super) fn watches(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Lets a market event move the marks that value fees.
    #[inline(never)]
    pub(super) fn see(&mut self, event: &Event) {
        let own = self.watched.iter_mut().find(|(id, ..)| *id == event.instrument);
        if let Some((_, instrument, market)) = own {
            market.apply(event, instrument);
        }
    }

    fn of(&self, instrument: InstrumentId) -> Option<&Place> {
        crate::portfolio::at(&self.places, instrument)?.as_ref()
    }

    fn row(&self, account: AccountId, asset: AssetId) -> Option<usize> {
        let asset = usize::from(asset.0);
        let start = usize::from(account.0).checked_mul(self.assets)?;
        (asset < self.assets).then_some(start.checked_add(asset)?)
    }

    fn add(&mut self, account: AccountId, asset: AssetId, amount: i128) {
        let row = self.row(account, asset).and_then(|at| self.totals.get_mut(at));
        if let Some(total) = row {
            *total = total.saturating_add(amount);
        }
    }

    /// Returns what is there of an asset and held by no working order.
    fn free(&self, account: AccountId, asset: AssetId, orders: &[Order]) -> i128 {
        let total = self.row(account, asset).and_then(|at| self.totals.get(at)).copied();
        let held = orders.iter().filter(|order| order.place == Whereabouts::Working).fold(
            0_i128,
            |sum, order| match self.hold(order) {
                Some(hold) if (hold.0, hold.1) == (account, asset) => sum.saturating_add(hold.2),
                Some(_) | None => sum,
            },
        );
        total.unwrap_or(0).saturating_sub(held)
    }

    /// Returns what an order on a cash account holds: what its rest may cost, or sells.
    fn hold(&self, order: &Order) -> Option<(AccountId, AssetId, i128)> {
        let place = self.of(order.instrument).filter(|place| place.cash)?;
        let facts = &place.instrument;
        let (asset, amount) = match order.side {
            Side::Sell => (place.base, facts.qty_as_money(order.left)?),
            Side::Buy => {
                let decimals = facts.price_scale.decimals();
                let (price, qty) = (i128::from(order.limit.0), i128::from(order.left.0));
                let value = facts.notional(price, decimals, qty, Rounding::Ceil)?;
                let fee = match facts.fee_asset {
                    FeeAsset::Received | FeeAsset::Asset(_) => Money::ZERO,
                    FeeAsset::Quote => value.times_rate(facts.fee_taker, Rounding::Ceil)?,
                };
                (place.quote, value.checked_add(fee)?)
            }
        };
        Some((place.account, asset, amount.0))
    }

    /// Tells whether what is free pays for an order that arrives.
    pub(super) fn pays_for(&self, order: &Order, orders: &[Order]) -> bool {
        let Some((account, asset, amount)) = self.hold(order) else { return true };
        amount <= self.free(account, asset, orders)
    }

    /// Returns maker and taker rate of the tier that the days before this one have earned.
    fn rates(&self, place: &Place, now: Nanos) -> (Rate, Rate) {
        let own = (place.instrument.fee_maker, place.instrument.fee_taker);
        if place.tiers.is_empty() {
            return own;
        }
        let earned = self.volumes.get(place.volume).map_or(0, |volume| volume.before(now.date()));
        let tier = place.tiers.iter().rev().find(|tier| tier.volume_from <= earned);
        tier.map_or(own, |tier| (Rate(tier.maker), Rate(tier.taker)))
    }

    /// Returns the fee of a fill and its asset: by the day's tier, in the asset of its own while
    /// what is free of that suffices, else as the instrument has it. `None` when it does not fit.
    pub(super) fn fee(
        &self,
        market: &Market,
        (side, price, qty): (Side, i64, i64),
        liquidity: Liquidity,
        now: Nanos,
        orders: &[Order],
    ) -> Option<(i64, AssetId)> {
        let fees = market.fees()?;
        let Some(place) = self.of(market.id) else {
            return fees.of(side, price, qty, liquidity);
        };
        let (maker, taker) = self.rates(place, now);
        let rate = if liquidity == Liquidity::Maker { maker } else { taker };
        let plain = fees.at(rate, side, price, qty);
        // A liquidation is charged in what the position is settled in.
        let discount = place.discount.filter(|_| liquidity != Liquidity::Liquidation);
        let other = discount.and_then(|discount| {
            let fee = self.discounted(place, discount, rate, (price, qty))?;
            let free = self.free(place.account, discount.asset, orders);
            (i128::from(fee) <= free).then_some((fee, discount.asset))
        });
        other.or(plain)
    }

    /// Returns a fee in the asset of its own, rounded up; `None` while its worth is not known. A
    /// rebate is paid as the instrument has it.
    fn discounted(
        &self,
        place: &Place,
        discount: Discount,
        rate: Rate,
        (price, qty): (i64, i64),
    ) -> Option<i64> {
        let facts = &place.instrument;
        let (worth, one) = match discount.worth {
            Worth::Fixed(rate) => (rate, pow10(MONEY_SCALE)?),
            Worth::Mark(at) => {
                let (_, priced, market) = self.watched.get(at)?;
                (market.last_mark()?, pow10(priced.mark_decimals())?)
            }
        };
        let (price, qty) = (i128::from(price), i128::from(qty));
        let value = facts.notional(price, facts.price_scale.decimals(), qty, Rounding::Ceil)?;
        let fee = value.times_rate(rate, Rounding::Ceil).filter(|fee| fee.0 > 0)?;
        let amount = mul_div(fee.0, one, worth, Rounding::Ceil)?;
        let decimals = facts.fee_scale.decimals();
        let units = rescale(amount, MONEY_SCALE, decimals, Rounding::Ceil)?;
        i64::try_from(rescale(units, decimals, MONEY_SCALE, Rounding::Ceil)?).ok()
    }

    /// Takes in what a fill moves.
    pub(super) fn filled(&mut self, instrument: InstrumentId, fill: &Fill, now: Nanos) {
        let Some(place) = self.of(instrument) else { return };
        let (account, base, quote) = (place.account, place.base, place.quote);
        let facts = &place.instrument;
        let rounding = if fill.side == Side::Buy { Rounding::Ceil } else { Rounding::Floor };
        let (price, qty) = (i128::from(fill.price.0), i128::from(fill.qty.0));
        let value = facts.notional(price, facts.price_scale.decimals(), qty, rounding);
        let (value, moved) = (value.unwrap_or_default(), facts.qty_as_money(fill.qty));
        let (cash, sign, volume) = (place.cash, i128::from(fill.side.sign()), place.volume);
        if cash {
            let moved = moved.unwrap_or_default().0.saturating_mul(sign);
            self.add(account, base, moved);
            self.add(account, quote, value.0.saturating_mul(sign).saturating_neg());
        }
        self.add(account, fill.fee_asset, i128::from(fill.fee).saturating_neg());
        if let Some(volume) = self.volumes.get_mut(volume) {
            volume.add(now.date(), value.0);
        }
    }

    /// Takes in money that comes or goes without a trade. An adjustment sets our books right by
    /// those of the venue, not the other way round.
    pub(super) fn flow(&mut self, flow: &CashFlow) {
        if flow.reason == FlowReason::Adjustment {
            return;
        }
        self.add(flow.account, flow.asset, flow.amount.0);
    }
}

impl Volume {
    /// Moves on to a day.
    fn turn(&mut self, day: Date) {
        let passed = i64::from(day.0).saturating_sub(i64::from(self.day.0));
        for _ in 0..passed.clamp(0, i64::try_from(DAYS).unwrap_or(i64::MAX).saturating_add(1)) {
            self.before.rotate_right(1);
            if let Some(last) = self.before.first_mut() {
                *last = std::mem::take(&mut self.today);
            }
        }
        self.day = self.day.max(day);
    }

    fn add(&mut self, day: Date, value: i128) {
        self.turn(day);
        self.today = self.today.saturating_add(value);
    }

    /// Returns the volume of the days before one.
    fn before(&self, day: Date) -> i128 {
        let mut turned = self.clone();
        turned.turn(day);
        turned.before.iter().fold(0, |sum, value| sum.saturating_add(*value))
    }
}

/// What an asset of fees is worth, by the setup.
enum Named {
    Fixed(i128),
    Mark(InstrumentId),
}

/// Returns the asset that an instrument's fees are paid in, if it is one of its own, and what says
/// its worth in the instrument's quote asset.
fn discount(
    setup: &Setup,
    instruments: &[Instrument],
    instrument: &Instrument,
) -> Result<Option<(AssetId, Named)>, SetupError> {
    let FeeAsset::Asset(name) = &instrument.fee_asset else { return Ok(None) };
    let stated = setup.money.rates.iter().find(|stated| stated.asset == *name);
    let worth = match stated.map(|stated| stated.from) {
        _ if *name == instrument.settle => Some(Named::Fixed(1_000_000_000)),
        Some(RateSource::Fixed(rate)) if instrument.settle == setup.reporting => {
            Some(Named::Fixed(rate))
        }
        Some(RateSource::Via(id)) => {
            let id = InstrumentId(id);
            let fits =
                |one: &&Instrument| one.symbol.base == *name && one.settle == instrument.settle;
            crate::portfolio::at(instruments, id).filter(fits).map(|_| Named::Mark(id))
        }
        Some(RateSource::Fixed(_) | RateSource::Recorded) | None => None,
    };
    match worth {
        Some(worth) => Ok(Some((asset_id(&setup.assets, name), worth))),
        None => Err(SetupError::Rate {
            asset: name.clone(),
            reporting: instrument.settle.clone(),
            why: format!(
                "fees of {} are paid in it, and neither the mark of an instrument of both, nor a \
                 fixed rate says how many",
                instrument.symbol
            ),
        }),
    }
}

/// Checks that fees can be computed: an asset of their own has a worth, and tiers get cheaper with
/// volume.
///
/// # Errors
/// [`SetupError`] naming the instrument and what is missing.
pub fn check(setup: &Setup, instruments: &[Instrument]) -> Result<(), SetupError> {
    for (instrument, described) in instruments.iter().zip(&setup.instruments) {
        let traded =
            |id: &u32| crate::portfolio::at(instruments, InstrumentId(*id)) == Some(instrument);
        if setup.traded.iter().any(traded) {
            discount(setup, instruments, instrument)?;
        }
        let (mut volume, mut rates) = (0, (described.fee_maker, described.fee_taker));
        for tier in &described.fee_tiers {
            if tier.volume_from <= volume || tier.maker > rates.0 || tier.taker > rates.1 {
                return Err(SetupError::Instrument(format!(
                    "{}: a tier of fees begins at more volume than the one before it, and costs \
                     no more",
                    described.symbol
                )));
            }
            (volume, rates) = (tier.volume_from, (tier.maker, tier.taker));
        }
    }
    Ok(())
}

impl Image for Till {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.totals.len());
        for total in &self.totals {
            out.put(*total);
        }
        out.put_len(self.volumes.len());
        for volume in &self.volumes {
            out.put(volume.day.0);
            out.put(volume.today);
            for value in &volume.before {
                out.put(*value);
            }
        }
        for (_, _, market) in &self.watched {
            market.save(out);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.totals.len())? != self.totals.len() {
            return Err(ImageError::Range);
        }
        for total in &mut self.totals {
            *total = from.take()?;
        }
        if from.take_len(self.volumes.len())? != self.volumes.len() {
            return Err(ImageError::Range);
        }
        for volume in &mut self.volumes {
            volume.day = Date(from.take()?);
            volume.today = from.take()?;
            for value in &mut volume.before {
                *value = from.take()?;
            }
        }
        for (_, _, market) in &mut self.watched {
            market.load(from)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_thirty_days_decides_on_the_day_after_them() {
        let (account, quote) = (AccountId(0), AssetId(0));
        let (day, today, before) = (Date(i32::MIN), 0, [0; DAYS]);
        let mut volume = Volume { account, quote, day, today, before };
        assert_eq!(volume.before(Date(100)), 0);
        volume.add(Date(100), 5);
        volume.add(Date(100), 2);
        volume.add(Date(103), 10);
        assert_eq!(volume.before(Date(103)), 7, "today's own does not count");
        assert_eq!(volume.before(Date(104)), 17);
        assert_eq!(volume.before(Date(130)), 17, "thirty days after the first");
        assert_eq!(volume.before(Date(131)), 10);
        assert_eq!(volume.before(Date(133)), 10);
        assert_eq!(volume.before(Date(134)), 0);
        volume.add(Date(102), 1);
        assert_eq!(volume.before(Date(104)), 18, "time never goes back");
    }
}
