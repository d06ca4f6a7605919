//! Instruments: their scales, limits, fees and the defaults that paper trading needs.

use crate::num::{MONEY_SCALE, Money, Price, Qty, Rate, Rounding, Scale, div_round};
use crate::order::{AccountKind, Side};
use crate::symbol::{Symbol, is_asset};

pub use crate::symbol::Kind;

/// Decimals to which venues round fees up unless told otherwise.
pub const FEE_DECIMALS: u8 = 8;

/// In which asset a fee is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeeAsset {
    /// In what the fill brings: base on a buy, quote on a sell. The default of spot venues.
    Received,
    /// In the quote (settlement) asset.
    Quote,
    /// In an asset of its own, at a discount, while its free balance suffices; else received.
    Asset(String),
}

impl FeeAsset {
    /// Reads the word of a setup: `received`, `quote`, or `asset:` and a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "received" => Some(Self::Received),
            "quote" => Some(Self::Quote),
            _ => {
                let name = text.strip_prefix("asset:").filter(|name| is_asset(name))?;
                Some(Self::Asset(name.to_owned()))
            }
        }
    }
}

impl std::fmt::Display for FeeAsset {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Received => out.write_str("received"),
            Self::Quote => out.write_str("quote"),
            Self::Asset(name) => write!(out, "asset:{name}"),
        }
    }
}

/// Everything that is known of an instrument. Prices and quantities are mantissas at the scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Full name: venue always, kind stated for a perpetual only.
    pub symbol: Symbol,
    /// The venue's own name, as its frames carry it.
    pub venue_symbol: String,
    /// Kind of contract.
    pub kind: Kind,
    /// Asset that profit and margin are in; the quote asset unless renamed (`--settle`).
    pub settle: String,
    /// Decimals of prices.
    pub price_scale: Scale,
    /// Decimals of quantities.
    pub qty_scale: Scale,
    /// Price step, positive.
    pub tick: Price,
    /// Quantity step, positive.
    pub lot: Qty,
    /// Smallest order quantity.
    pub qty_min: Qty,
    /// Largest order quantity.
    pub qty_max: Qty,
    /// Smallest order value in the quote asset.
    pub notional_min: Money,
    /// Fee share of fills that rested.
    pub fee_maker: Rate,
    /// Fee share of fills that took.
    pub fee_taker: Rate,
    /// Asset of the fee.
    pub fee_asset: FeeAsset,
    /// Decimals to which the venue rounds fees up, at most nine.
    pub fee_scale: Scale,
    /// How far an `at_market` order may go beyond the touch.
    pub protect: Rate,
    /// How far the engine's own exits at level 3 of the kill switch may go beyond the touch.
    pub flatten_band: Rate,
    /// Half of the spread assumed where data has none (bars and trades only).
    pub half_spread: Rate,
    /// Widest spread whose middle is a mark.
    pub mark_spread_max: Rate,
    /// How long a mark outlives its source, in nanoseconds.
    pub mark_age_max_ns: i64,
    /// Longs are valued at the bid and shorts at the ask, instead of both at the middle.
    pub mark_liquidation: bool,
    /// Largest leverage of a perpetual; 1 on spot.
    pub leverage_max: u32,
    /// Maintenance margin as a share of the position's value; 0 on spot.
    pub maintenance: Rate,
}

impl Instrument {
    /// Returns the kind of account that holds this instrument.
    #[must_use]
    pub fn account_kind(&self) -> AccountKind {
        match self.kind {
            Kind::Spot => AccountKind::Cash,
            Kind::LinearPerpetual => AccountKind::Linear,
        }
    }

    /// Returns decimals of marks: one more than of prices, so that half a tick is exact.
    #[must_use]
    pub fn mark_decimals(&self) -> u8 {
        self.price_scale.decimals().saturating_add(1)
    }

    /// Returns the quantity rounded down to the lot; negative quantities become zero.
    #[must_use]
    pub fn floor_lot(&self, qty: i128) -> Qty {
        let lot = i128::from(self.lot.0.max(1));
        let whole = qty.max(0).checked_div(lot).unwrap_or(0).saturating_mul(lot);
        Qty(i64::try_from(whole).unwrap_or_else(|_| {
            self.qty_max.0.checked_div(self.lot.0.max(1)).unwrap_or(0).saturating_mul(self.lot.0)
        }))
    }

    /// Returns the price rounded to the tick in the order's favour: down for a buy, up for a sell.
    #[must_use]
    pub fn round_to_tick(&self, price: i128, side: Side) -> Option<Price> {
        let tick = i128::from(self.tick.0.max(1));
        let rounding = match side {
            Side::Buy => Rounding::Floor,
            Side::Sell => Rounding::Ceil,
        };
        let steps = div_round(price, tick, rounding)?;
        i64::try_from(steps.checked_mul(tick)?).ok().map(Price)
    }

    /// Returns `price * qty` in the quote asset, rounded as told. `price` is a mantissa at
    /// `price_decimals`, `qty` one at the instrument's quantity scale.
    #[must_use]
    pub fn notional(
        &self,
        price: i128,
        price_decimals: u8,
        qty: i128,
        rounding: Rounding,
    ) -> Option<Money> {
        crate::num::notional(price, price_decimals, qty, self.qty_scale.decimals(), rounding)
    }

    /// Returns a quantity as an amount of the base asset, in money's unit. Exact: quantity scales
    /// above nine decimals are refused by [`Instrument::check`] on spot.
    #[must_use]
    pub fn qty_as_money(&self, qty: Qty) -> Option<Money> {
        crate::num::rescale(
            i128::from(qty.0),
            self.qty_scale.decimals(),
            MONEY_SCALE,
            Rounding::Floor,
        )
        .map(Money)
    }

    /// Returns what is wrong with the figures, in words; `None` when they can be traded with.
    #[must_use]
    pub fn check(&self) -> Option<String> {
        let name = &self.symbol;
        if self.tick.0 <= 0 || self.lot.0 <= 0 {
            return Some(format!("{name}: tick and lot must be positive"));
        }
        if self.qty_scale.decimals() > MONEY_SCALE {
            return Some(format!("{name}: quantities have at most {MONEY_SCALE} decimals"));
        }
        if self.qty_min.0 < 0 || self.qty_max < self.qty_min {
            return Some(format!("{name}: the quantity range is empty"));
        }
        if self.fee_scale.decimals() > MONEY_SCALE {
            return Some(format!("{name}: fees have at most {MONEY_SCALE} decimals"));
        }
        if self.leverage_max == 0 {
            return Some(format!("{name}: max_leverage must be at least 1"));
        }
        None
    }
}

#[cfg(test)]
mod tests;
