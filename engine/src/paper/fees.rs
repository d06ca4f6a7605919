//! What a fill costs, and in which asset. Pure; rounded against us at the venue's fee scale.

use model::id::AssetId;
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, RATE_SCALE, Rate, Rounding, rescale};
use model::order::{Liquidity, Side};

/// The fee schedule of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees {
    maker: Rate,
    taker: Rate,
    /// True when a buy pays in the base it receives.
    received: bool,
    base: AssetId,
    /// The settlement asset: what a sell brings, and what a linear contract pays in.
    quote: AssetId,
    price_decimals: u8,
    qty_decimals: u8,
    /// Decimals that fees are rounded up to.
    fee_decimals: u8,
}

impl Fees {
    /// Returns the schedule; `None` when the session does not know an asset that a fee would be in.
    pub(super) fn new(instrument: &Instrument, assets: &[String]) -> Option<Self> {
        let id = |name: &str| {
            let at = assets.iter().position(|asset| asset == name)?;
            u16::try_from(at).ok().map(AssetId)
        };
        let received = instrument.kind == Kind::Spot
            && match instrument.fee_asset {
                // Where the asset of its own does not suffice.
                FeeAsset::Received | FeeAsset::Asset(_) => true,
                FeeAsset::Quote => false,
            };
        let quote = id(&instrument.settle)?;
        Some(Self {
            maker: instrument.fee_maker,
            taker: instrument.fee_taker,
            received,
            base: if received { id(&instrument.symbol.base)? } else { quote },
            quote,
            price_decimals: instrument.price_scale.decimals(),
            qty_decimals: instrument.qty_scale.decimals(),
            fee_decimals: instrument.fee_scale.decimals(),
        })
    }

    /// Tells whether a fee in this asset leaves less of the base that a fill brings.
    pub(super) fn takes_base(&self, side: Side, asset: AssetId) -> bool {
        self.received && side == Side::Buy && asset == self.base
    }

    /// Returns the fee of a fill in units of 1e-9 of its asset, and the asset. `None` when the
    /// amount does not fit the field of a fill.
    pub(super) fn of(
        &self,
        side: Side,
        price: i64,
        qty: i64,
        liquidity: Liquidity,
    ) -> Option<(i64, AssetId)> {
        let rate = match liquidity {
            Liquidity::Maker => self.maker,
            Liquidity::Taker | Liquidity::Liquidation => self.taker,
        };
        self.at(rate, side, price, qty)
    }

    /// Returns the fee of a fill at a rate, as [`Fees::of`].
    pub(super) fn at(
        &self,
        rate: Rate,
        side: Side,
        price: i64,
        qty: i64,
    ) -> Option<(i64, AssetId)> {
        let share = i128::from(qty).checked_mul(i128::from(rate.0))?;
        let decimals = self.qty_decimals.checked_add(RATE_SCALE)?;
        let (exact, decimals, asset) = if self.received && side == Side::Buy {
            (share, decimals, self.base)
        } else {
            let value = share.checked_mul(i128::from(price))?;
            (value, decimals.checked_add(self.price_decimals)?, self.quote)
        };
        // Up, also for a rebate: the venue never pays the fraction.
        let units = rescale(exact, decimals, self.fee_decimals, Rounding::Ceil)?;
        let nano = rescale(units, self.fee_decimals, MONEY_SCALE, Rounding::Ceil)?;
        let fee = i64::try_from(nano).ok()?;
        Some((fee, asset))
    }
}
