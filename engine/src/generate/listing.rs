//! The instruments of the generated market.

use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::symbol::Symbol;
use model::time::SECOND_NS;

/// What is traded in one or more markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Coin {
    Btc = 0,
    Eth = 1,
    Sol = 2,
    Xrp = 3,
}

/// One market.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) coin: Coin,
    base: &'static str,
    kind: Kind,
    /// Decimals of the price; the tick is its last digit.
    decimals: u8,
    /// Decimals of quantities; the lot is its last digit.
    qty_decimals: u8,
    /// Half the spread of a quiet market in ticks.
    pub(super) half: i64,
    /// Ticks between two levels of the book.
    pub(super) spacing: i64,
    /// Typical lots at the touch.
    pub(super) lots: u64,
    /// How many of all messages are of it, in parts of the sum of all shares.
    pub(super) share: u64,
}

const fn row(
    coin: Coin,
    base: &'static str,
    kind: Kind,
    (decimals, qty_decimals): (u8, u8),
    (half, spacing): (i64, i64),
    (lots, share): (u64, u64),
) -> Listing {
    Listing { coin, base, kind, decimals, qty_decimals, half, spacing, lots, share }
}

/// All markets, by instrument id.
pub(super) const LISTINGS: [Listing; 6] = {
    use Kind::{LinearPerpetual, Spot};
    [
        row(Coin::Btc, "BTC", LinearPerpetual, (1, 3), (2, 5), (60, 6)),
        row(Coin::Eth, "ETH", LinearPerpetual, (2, 3), (2, 5), (800, 6)),
        row(Coin::Sol, "SOL", LinearPerpetual, (3, 2), (2, 5), (900, 3)),
        row(Coin::Btc, "BTC", Spot, (1, 4), (4, 10), (300, 3)),
        row(Coin::Eth, "ETH", Spot, (2, 4), (3, 10), (4_000, 3)),
        row(Coin::Xrp, "XRP", Spot, (6, 1), (10, 20), (20_000, 3)),
    ]
};

impl Listing {
    /// Returns the price step in 1e-9 of the quote asset.
    pub(super) fn tick_nano(&self) -> i64 {
        let power = 9_u32.saturating_sub(u32::from(self.decimals));
        10_i64.checked_pow(power).unwrap_or(1)
    }

    /// Returns the instrument.
    pub(super) fn instrument(&self) -> Instrument {
        let perpetual = self.kind == Kind::LinearPerpetual;
        let symbol = Symbol {
            venue: Some("demo".to_owned()),
            base: self.base.to_owned(),
            quote: "USDT".to_owned(),
            kind: Some(self.kind),
        };
        Instrument {
            venue_symbol: format!("{}USDT", self.base),
            symbol,
            kind: self.kind,
            settle: "USDT".to_owned(),
            price_scale: Scale::new(self.decimals).unwrap_or_default(),
            qty_scale: Scale::new(self.qty_decimals).unwrap_or_default(),
            tick: Price(1),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Money::units(5),
            fee_maker: Rate(if perpetual { 200_000 } else { 1_000_000 }),
            fee_taker: Rate(if perpetual { 500_000 } else { 1_000_000 }),
            fee_asset: if perpetual { FeeAsset::Quote } else { FeeAsset::Received },
            fee_scale: Scale::new(8).unwrap_or_default(),
            protect: Rate(5_000_000),
            flatten_band: Rate(20_000_000),
            half_spread: Rate(100_000),
            mark_spread_max: Rate(10_000_000),
            mark_age_max_ns: 10 * SECOND_NS,
            mark_liquidation: false,
            leverage_max: if perpetual { 3 } else { 1 },
            maintenance: Rate(if perpetual { 5_000_000 } else { 0 }),
        }
    }
}
