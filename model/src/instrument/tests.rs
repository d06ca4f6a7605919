//! Rounding to tick and lot against exact rationals, and what is refused.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;

fn instrument(tick: i64, lot: i64) -> Instrument {
    Instrument {
        symbol: Symbol::parse("binance:BTC_USDT").unwrap(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Spot,
        settle: "USDT".to_owned(),
        price_scale: Scale::new(2).unwrap(),
        qty_scale: Scale::new(8).unwrap(),
        tick: Price(tick),
        lot: Qty(lot),
        qty_min: Qty(lot),
        qty_max: Qty(9_000_000_000),
        notional_min: Money::units(5),
        fee_maker: Rate(1_000_000),
        fee_taker: Rate(1_000_000),
        fee_asset: FeeAsset::Received,
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(0),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 60_000_000_000,
        mark_liquidation: false,
        leverage_max: 1,
        maintenance: Rate(0),
    }
}

#[test]
fn prices_and_quantities_round_in_the_orders_favour() {
    let item = instrument(5, 1_000);
    let found = |price| [Side::Buy, Side::Sell].map(|side| item.round_to_tick(price, side));
    for (price, buy, sell) in
        [(100, 100, 100), (101, 100, 105), (104, 100, 105), (-1, -5, 0), (-5, -5, -5), (0, 0, 0)]
    {
        assert_eq!(found(price), [Some(Price(buy)), Some(Price(sell))], "{price}");
    }
    assert_eq!(found(i128::MAX), [None, None]);
    assert_eq!(found(i64::MAX.into()), [Some(Price(i64::MAX - 2)), None]);
    for (qty, floor) in [(0, 0), (999, 0), (1_000, 1_000), (1_999, 1_000), (-1, 0), (i128::MIN, 0)]
    {
        assert_eq!(item.floor_lot(qty), Qty(floor), "{qty}");
    }
    // What no order can hold ends at the largest order.
    assert_eq!(item.floor_lot(i128::MAX), Qty(9_000_000_000));
    assert_eq!(instrument(5, 7_000).floor_lot(i128::MAX), Qty(8_999_998_000));
}

#[test]
fn figures_that_cannot_be_traded_with_are_named() {
    assert_eq!(instrument(1, 1).check(), None);
    let wrong = |change: &dyn Fn(&mut Instrument)| {
        let mut item = instrument(1, 1);
        change(&mut item);
        item.check().unwrap()
    };
    assert_eq!(
        wrong(&|item| item.tick = Price(0)),
        "binance:BTC_USDT: tick and lot must be positive"
    );
    assert_eq!(
        wrong(&|item| item.lot = Qty(-1)),
        "binance:BTC_USDT: tick and lot must be positive"
    );
    let text = wrong(&|item| item.qty_scale = Scale::new(10).unwrap());
    assert_eq!(text, "binance:BTC_USDT: quantities have at most 9 decimals");
    let text = wrong(&|item| item.qty_max = Qty(0));
    assert_eq!(text, "binance:BTC_USDT: the quantity range is empty");
    let text = wrong(&|item| item.leverage_max = 0);
    assert_eq!(text, "binance:BTC_USDT: max_leverage must be at least 1");
}

#[test]
fn values_are_price_times_quantity() {
    let item = instrument(1, 1);
    // 61837.63 at two decimals, 0.5 at eight.
    let value = item.notional(6_183_763, 2, 50_000_000, Rounding::Floor);
    assert_eq!(value, Some(Money(30_918_815_000_000)));
    assert_eq!(item.qty_as_money(Qty(50_000_000)), Some(Money(500_000_000)));
    assert_eq!(item.mark_decimals(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rounding_is_exact(
        price in any::<i64>(), qty in any::<i64>(), tick in 1_i64..100_000, lot in 1_i64..100_000,
    ) {
        let item = instrument(tick, lot);
        let steps = |value: i64, step: i64| BigRational::new(value.into(), step.into());
        let at = |steps: BigRational| {
            i64::try_from(steps.to_integer() * BigInt::from(tick)).ok().map(Price)
        };
        let (down, up) = (at(steps(price, tick).floor()), at(steps(price, tick).ceil()));
        prop_assert_eq!(item.round_to_tick(price.into(), Side::Buy), down);
        prop_assert_eq!(item.round_to_tick(price.into(), Side::Sell), up);
        let whole = steps(qty.max(0), lot).floor().to_integer() * BigInt::from(lot);
        prop_assert_eq!(BigInt::from(item.floor_lot(qty.into()).0), whole);
    }
}
