//! What an order loses at its stop: the measure of a `risk` cap.
//!
//! `qty * |price - stop|`, and the taker fee at both. An order without a stop has no known loss.

use model::instrument::Instrument;
use model::num::{Money, Price, Qty, Rounding, mul_div, pow10};

/// Returns the loss of a quantity, rounded up; `None` when it does not fit.
pub(super) fn loss(qty: Qty, price: Price, stop: Price, instrument: &Instrument) -> Option<Money> {
    let unit = unit(price, stop, instrument)?;
    mul_div(i128::from(qty.0), unit, scale(instrument)?, Rounding::Ceil).map(Money)
}

/// Returns the largest quantity whose loss is within a bound, rounded down to the lot.
pub(super) fn largest(
    bound: i128,
    price: Price,
    stop: Price,
    instrument: &Instrument,
) -> Option<Qty> {
    let unit = unit(price, stop, instrument)?;
    if unit == 0 {
        // Nothing is lost, whatever the quantity.
        return Some(instrument.floor_lot(i128::from(i64::MAX)));
    }
    let qty = mul_div(bound, scale(instrument)?, unit, Rounding::Floor)?;
    Some(instrument.floor_lot(qty))
}

/// Returns the loss of one unit in units of 1e-9 of a price mantissa; a rebate is no gain.
fn unit(price: Price, stop: Price, instrument: &Instrument) -> Option<i128> {
    let (price, stop) = (i128::from(price.0), i128::from(stop.0));
    let fall = price.checked_sub(stop)?.checked_abs()?.checked_mul(1_000_000_000)?;
    let fees = price.checked_add(stop)?.checked_mul(i128::from(instrument.fee_taker.0))?;
    fall.checked_add(fees.max(0))
}

/// Quantity and price mantissas to units of 1e-9 that `unit` holds already.
fn scale(instrument: &Instrument) -> Option<i128> {
    let decimals =
        instrument.qty_scale.decimals().checked_add(instrument.price_scale.decimals())?;
    pow10(decimals)
}

#[cfg(test)]
mod tests {
    use model::instrument::Kind;
    use model::num::Rate;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::demo_setup;

    fn instrument(fee: i64) -> Instrument {
        let (_, mut instruments) = demo_setup(Kind::Spot, |one| one.fee_taker = Rate(fee));
        instruments.remove(0)
    }

    #[test]
    fn half_a_percent_of_ten_thousand_is_risked() {
        let free = instrument(0);
        let one = |price: i64| Price(price * 10_i64.pow(u32::from(free.price_scale.decimals())));
        let (price, stop) = (one(35_000), one(34_000));
        let lots = largest(50_000_000_000, price, stop, &free).unwrap();
        assert_eq!(loss(lots, price, stop, &free), Some(Money::units(50)));
        assert_eq!(largest(0, price, stop, &free), Some(Qty(0)));
        assert!(largest(1, price, price, &free).unwrap() > lots);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 500,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_largest_quantity_is_within_the_bound_and_one_lot_more_is_not(
            bound in 0_i128..10_000_000_000_000,
            price in 1_i64..10_000_000,
            stop in 1_i64..10_000_000,
            fee in 0_i64..10_000_000,
        ) {
            prop_assume!(price != stop);
            let instrument = instrument(fee);
            let (price, stop) = (Price(price), Price(stop));
            let qty = largest(bound, price, stop, &instrument).unwrap();
            prop_assert!(loss(qty, price, stop, &instrument).unwrap().0 <= bound);
            let more = Qty(qty.0 + instrument.lot.0);
            prop_assert!(loss(more, price, stop, &instrument).unwrap().0 > bound);
        }
    }
}
