//! Sizes that are shares of a strategy's capital become quantities here: strategies are blind for
//! capital.
//!
//! A weight is a target: the order is the difference between `share * capital / price` and the
//! strategy's own position, either way, rounded down to the lot. A risk is a loss: the quantity
//! whose loss at the stop, taker fees both ways included, is `share * capital`.

use model::event::{Event, Signal, SignalTerms};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Money, Price, Qty, Rate, Rounding, mul_div, pow10};
use model::order::{Side, SizeKind};
use model::reject::Reject;

use super::given::Given;
use super::{Risk, loss};
use crate::portfolio::{as_qty, at};

/// What a strategy has: its capital in the quote asset, and its own signed position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means {
    pub(super) capital: Money,
    pub(super) position: Qty,
}

impl<G: Given> Risk<G> {
    /// Returns what a strategy has; a size that is a share of what is not known is refused.
    fn means(&self, event: &Event, signal: &Signal) -> Option<Means> {
        let (id, strategy, view) = (event.instrument, signal.strategy, self.view());
        let capital = self.portfolio.strategy_capital(strategy, &view)?;
        let capital = Money(self.portfolio.bound_in_quote(id, capital.0, &view)?);
        let held = self.portfolio.strategy_position(strategy, id);
        let position = as_qty(held, at(&self.instruments, id)?);
        Some(Means { capital, position })
    }

    /// Returns the signal with the quantity that its size comes to; a weight may turn its side.
    pub(super) fn resolved(
        &self,
        event: &Event,
        signal: &Signal,
        terms: Option<&SignalTerms>,
    ) -> Result<Signal, Reject> {
        let Some(terms) = terms.filter(|terms| terms.size != SizeKind::Qty) else {
            return Ok(*signal);
        };
        let instrument = at(&self.instruments, event.instrument).ok_or(Reject::NoPrice)?;
        let means = self.means(event, signal).ok_or(Reject::NoCapital)?;
        let share = Rate(terms.share);
        if terms.size == SizeKind::Risk {
            let qty = at_risk(share, means, signal.price, terms.stop, instrument);
            return Ok(Signal { qty: qty.ok_or(Reject::Overflow)?, ..*signal });
        }
        let (side, qty) = weighed(share, means, signal, instrument).ok_or(Reject::Overflow)?;
        let mut order = Signal { side, qty, ..*signal };
        if side != signal.side && signal.protected {
            // The bound of an order at the market lies on the other side.
            let market = at(&self.markets, event.instrument).ok_or(Reject::NoPrice)?;
            let band = i128::from(instrument.protect.0);
            let price = market.protected_price(instrument, side, band, market.mark(self.now));
            order.priced = price.is_some();
            order.price = price.unwrap_or_default();
        }
        Ok(order)
    }
}

/// Returns the order that brings a position to a share of the capital, on the signal's side of
/// flat.
fn weighed(
    share: Rate,
    means: Means,
    signal: &Signal,
    instrument: &Instrument,
) -> Option<(Side, Qty)> {
    let decimals =
        instrument.price_scale.decimals().checked_add(instrument.qty_scale.decimals())?;
    let worth = means.capital.times_rate(share, Rounding::Floor)?;
    let unit = i128::from(signal.price.0).checked_mul(pow10(MONEY_SCALE)?)?;
    if unit <= 0 {
        return None;
    }
    let size = mul_div(worth.0, pow10(decimals)?, unit, Rounding::Floor)?;
    let target = size.checked_mul(i128::from(signal.side.sign()))?;
    let short = target.checked_sub(i128::from(means.position.0))?;
    let side = if short < 0 { Side::Sell } else { Side::Buy };
    Some((side, instrument.floor_lot(short.checked_abs()?)))
}

/// Returns the quantity that loses a share of the capital at its stop.
fn at_risk(
    share: Rate,
    means: Means,
    price: Price,
    stop: Price,
    instrument: &Instrument,
) -> Option<Qty> {
    let bound = means.capital.times_rate(share, Rounding::Floor)?;
    loss::largest(bound.0, price, stop, instrument)
}

#[cfg(test)]
mod tests {
    use model::instrument::Kind;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::demo_setup;

    fn instrument() -> Instrument {
        let (_, mut instruments) = demo_setup(Kind::LinearPerpetual, |one| one.fee_taker = Rate(0));
        instruments.remove(0)
    }

    fn signal(side: Side, price: i64) -> Signal {
        Signal { side, price: Price(price), ..Signal::default() }
    }

    fn means(capital: i64, position: i64) -> Means {
        Means { capital: Money::units(capital), position: Qty(position) }
    }

    #[test]
    fn a_weight_is_the_difference_to_the_position_either_way() {
        // Prices in tenths, quantities in thousandths: 20 % of 35,000 at 35,000 is 0.2.
        let of = |side, position| {
            let share = Rate(200_000_000);
            weighed(share, means(35_000, position), &signal(side, 350_000), &instrument()).unwrap()
        };
        assert_eq!(of(Side::Buy, 0), (Side::Buy, Qty(200)));
        assert_eq!(of(Side::Buy, 150), (Side::Buy, Qty(50)));
        assert_eq!(of(Side::Buy, 320), (Side::Sell, Qty(120)), "more is held than it is to be");
        assert_eq!(of(Side::Buy, -100), (Side::Buy, Qty(300)));
        assert_eq!(of(Side::Sell, 0), (Side::Sell, Qty(200)));
        assert_eq!(of(Side::Sell, -250), (Side::Buy, Qty(50)));
        assert_eq!(of(Side::Buy, 200).1, Qty(0), "nothing to do");
    }

    #[test]
    fn a_risk_loses_its_share_at_the_stop() {
        // 1 % of 10,000 is 100; each unit loses 500.
        let qty = at_risk(
            Rate(10_000_000),
            means(10_000, 0),
            Price(350_000),
            Price(345_000),
            &instrument(),
        );
        assert_eq!(qty, Some(Qty(200)));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_lot_more_would_pass_the_target(
            share in 0_i64..1_000_000_000,
            capital in 1_i64..1_000_000,
            price in 1_i64..1_000_000,
            position in -1_000_000_i64..1_000_000,
        ) {
            let instrument = instrument();
            let signal = signal(Side::Buy, price);
            let Some((side, qty)) =
                weighed(Rate(share), means(capital, position), &signal, &instrument)
            else { return Ok(()) };
            let after = i128::from(position) + i128::from(side.sign()) * i128::from(qty.0);
            // Worth of the position in the quote asset at 1e-9: tenths and thousandths are 1e-4.
            let worth = |qty: i128| qty * i128::from(price) * 100_000;
            let target = i128::from(capital) * i128::from(share);
            let lot = i128::from(instrument.lot.0);
            match side {
                Side::Buy => {
                    prop_assert!(worth(after) <= target);
                    prop_assert!(worth(after + lot + 1) > target);
                }
                // Rounded down to the lot, so at most one is left too many.
                Side::Sell => prop_assert!(worth(after - lot - 1) <= target),
            }
        }
    }
}
