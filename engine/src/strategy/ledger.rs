//! What a fill does to a strategy's own ledger, and what its rules may read of that.

use model::event::Fill;
use model::id::AssetId;
use model::instrument::{Instrument, Kind};
use model::num::{Money, Price, Qty, Rounding};
use model::order::{Liquidity, Side};
use model::time::Nanos;

use super::instance::Instance;
use crate::market::Market;

/// The assets that fees and profits are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Assets {
    pub(super) base: AssetId,
    pub(super) quote: AssetId,
    pub(super) reporting: AssetId,
}

/// A fill, as rules read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillView {
    pub(super) price: Price,
    pub(super) qty: Qty,
    /// In the reporting asset, where that is known.
    pub(super) fee: Option<Money>,
    /// Net of the fee; none when it opens.
    pub(super) pnl: Option<Money>,
    pub(super) liquidity: Liquidity,
    pub(super) opens: bool,
}

/// A round trip that has become flat, as rules read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedView {
    /// Net of fees.
    pub(super) pnl: Option<Money>,
    pub(super) duration_ns: i64,
}

/// What a fill has done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booked {
    pub(super) fill: FillView,
    /// The round trip that it ended.
    pub(super) closed: Option<ClosedView>,
}

impl Instance {
    /// Books a fill in the ledger. On spot a fee in the base leaves that much less of it.
    pub(super) fn fill(
        &mut self,
        fill: &Fill,
        instrument: &Instrument,
        market: &Market,
        now: Nanos,
    ) -> Option<Booked> {
        let qty = instrument.qty_as_money(fill.qty)?;
        let rounding = match fill.side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let value = worth(fill, i128::from(fill.qty.0), instrument, rounding)?;
        let in_base = instrument.kind == Kind::Spot && fill.fee_asset == self.assets.base;
        let fee = if in_base && fill.side == Side::Buy { i128::from(fill.fee) } else { 0 };
        let received = qty.0.saturating_sub(fee);
        let delta = Money(received.saturating_mul(i128::from(fill.side.sign())));
        // A ledger that does not fit its range is left as it was; risk's own books refuse first.
        let before = self.ledger;
        let mut ledger = before;
        // Dust is no position: one that grows from it begins now.
        let was_flat = self.is_flat(instrument, market);
        if was_flat {
            ledger.since = now;
        }
        let realised = ledger.trade(delta, value, now)?;
        self.ledger = ledger;
        if let Some(exit) = self.exit.as_mut().filter(|exit| exit.order == Some(fill.order)) {
            exit.left = exit.left.map(|left| Qty(left.0.saturating_sub(fill.qty.0).max(0)));
        }
        let turned = !was_flat && ledger.qty.0 != 0 && (ledger.qty.0 < 0) != (before.qty.0 < 0);
        let opens =
            was_flat || turned || ledger.qty.0.saturating_abs() > before.qty.0.saturating_abs();
        let cost = self.fee_in_quote(fill, in_base);
        let net = cost.and_then(|cost| realised.checked_sub(cost));
        if was_flat {
            self.trip = Some(Money::ZERO);
        }
        self.trip = self.trip.zip(net).and_then(|(trip, net)| trip.checked_add(net));
        let flat = self.is_flat(instrument, market);
        let in_reporting = self.assets.quote == self.assets.reporting;
        let closed = (!was_flat && (flat || turned)).then(|| ClosedView {
            pnl: self.trip.filter(|_| in_reporting),
            duration_ns: now.since(before.since),
        });
        if turned {
            self.trip = Some(Money::ZERO);
        }
        let fee = if fill.fee_asset == self.assets.reporting {
            Some(Money(i128::from(fill.fee)))
        } else {
            cost.filter(|_| in_reporting)
        };
        let pnl = net.filter(|_| in_reporting && !opens);
        let Fill { price, qty, liquidity, .. } = *fill;
        Some(Booked { fill: FillView { price, qty, fee, pnl, liquidity, opens }, closed })
    }

    /// Returns what a fee takes from the round trip, in the quote asset. One in the base that was
    /// taken from what was bought is in the cost of the rest already.
    fn fee_in_quote(&self, fill: &Fill, in_base: bool) -> Option<Money> {
        if fill.fee_asset == self.assets.quote {
            return Some(Money(i128::from(fill.fee)));
        }
        if fill.fee == 0 || in_base && fill.side == Side::Buy {
            return Some(Money::ZERO);
        }
        None
    }
}

fn worth(fill: &Fill, qty: i128, instrument: &Instrument, rounding: Rounding) -> Option<Money> {
    let decimals = instrument.price_scale.decimals();
    instrument.notional(i128::from(fill.price.0), decimals, qty, rounding)
}
