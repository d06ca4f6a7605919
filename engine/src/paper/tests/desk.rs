//! The venue's desk, whatever the market: latencies, cancels, terms, fees, order of what is due,
//! limits of its tables.

use super::*;

#[test]
fn orders_act_and_reports_return_after_their_latencies() {
    // Orders arrive after 10 ns. What the market does at that moment comes before them.
    check(
        BOOK,
        "1 level ask 1000 5
         20 buy 1 ioc 3 1000
         30 level ask 1000 4
         31 level ask 1000 0
         40 buy 2 ioc 3 1000
         50 level ask 1000 2
         51 level ask 1000 9",
        "35 ack 1
         35 fill 1 3@1000 taker
         35 filled 1 3
         55 ack 2
         55 fill 2 2@1000 taker
         55 expired 2 2",
    );
}

#[test]
fn cancels_race_fills() {
    check(
        BOOK,
        "1 level bid 1000 1
         2 level ask 1010 1
         20 buy 1 gtc 9 1000
         21 cancel 1
         22 cancel 1
         25 trade 1000 50 sell
         60 buy 2 gtc 9 1000
         80 cancel 2
         85 trade 1000 4 sell
         100 buy 3 gtc 2 1000
         120 cancel 3
         125 trade 990 4 sell
         150 cancel 3
         151 cancel 77",
        "35 ack 1
         36 cancelled 1 0
         75 ack 2
         90 fill 2 3@1000 maker
         95 cancelled 2 3
         115 ack 3
         130 fill 3 2@1000 maker
         130 filled 3 2",
    );
    check(
        TRADES,
        "20 buy 1 ioc 9 1010
         40 cancel 1
         60 trade 1000 2 sell",
        "35 ack 1
         55 cancelled 1 0",
    );
}

#[test]
fn the_venue_refuses_what_breaks_its_terms() {
    let strict = Instrument {
        lot: Qty(2),
        qty_min: Qty(4),
        qty_max: Qty(20),
        notional_min: Money::units(50),
        ..instrument()
    };
    let script = "20 buy 1 gtc 4 1005
         21 buy 2 gtc 5 1000
         22 buy 3 gtc 2 1000
         23 buy 4 gtc 22 1000
         24 buy 5 gtc 4 1000 reduces
         25 buy 6 gtc 6 1000
         26 buy 7 gtc 4 0
         27 buy 8 gtc -4 1000
         28 buy 9 gtc 4 1000";
    let expected = "35 OFF_TICK 1 0
         36 OFF_LOT 2 0
         37 BELOW_MIN_QTY 3 0
         38 ABOVE_MAX_QTY 4 0
         39 BELOW_MIN_NOTIONAL 5 0
         40 ack 6
         41 OFF_TICK 7 0
         42 BELOW_MIN_QTY 8 0
         43 BELOW_MIN_NOTIONAL 9 0";
    check_on(strict.clone(), BARS, script, expected);
    let linear = Instrument { kind: Kind::LinearPerpetual, ..strict };
    // There the least value is no reason against 5; that nothing is held to reduce is one.
    check_on(linear, BARS, script, &expected.replace("BELOW_MIN_NOTIONAL 5", "REDUCE_ONLY 5"));
}

#[test]
fn orders_that_cannot_be_simulated_are_refused() {
    let buy = "20 buy 1 gtc 4 1000";
    check(Carried::default(), buy, "35 NO_PRICE 1 0");
    let unknown = Instrument { settle: "USDC".to_owned(), ..instrument() };
    check_on(unknown, BOOK, buy, "35 NO_BALANCE 1 0");
    let huge = Instrument { qty_max: Qty(i64::MAX), fee_taker: Rate(900_000_000), ..instrument() };
    let most = "20 buy 1 gtc 9_000_000_000_000 1000
        21 sell 2 gtc 900_000_000 1000
        22 sell 3 gtc 2_000_000_000 1000";
    check_on(huge, BOOK, most, "35 OVERFLOW 1 0\n36 ack 2\n37 OVERFLOW 3 0");
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 0));
    rig.send(1, 7, &OrderSent { order: order_no(1), ..OrderSent::default() });
    rig.settle(2);
    assert_eq!(text(1, &rig.reports[0].2), "1 NO_PRICE 1 0");
}

#[test]
fn a_fee_that_no_record_can_hold_ends_the_order_where_it_happens() {
    // A limit of 1.00 promises a small fee; 900 at 10,000,000 still fit, 3,000 do not.
    let dear = Instrument { qty_max: Qty(i64::MAX), fee_taker: Rate(900_000_000), ..instrument() };
    check_on(
        dear,
        BOOK,
        "1 level bid 1_000_000_000 900
         2 level bid 999_999_990 3_000
         20 sell 1 gtc 5_000 100
         21 cancel 1",
        "35 ack 1
         35 fill 1 900@1000000000 taker
         35 OVERFLOW 1 900",
    );
}

#[test]
fn fees_are_rounded_up_in_the_asset_of_the_fill() {
    let (usdt, btc) = (AssetId(0), AssetId(1));
    let spot = |fee_asset| Instrument {
        fee_asset,
        qty_scale: Scale::new(3).unwrap(),
        fee_maker: Rate(-100_001),
        ..instrument()
    };
    let linear = Instrument { kind: Kind::LinearPerpetual, ..spot(FeeAsset::Received) };
    let [buy, sell] = [Side::Buy, Side::Sell];
    let [maker, taker] = [Liquidity::Maker, Liquidity::Taker];
    // 1.234 at 12.30: 5 bp of the base are 0.000617, of the value 0.00758910; the rebate of
    // 0.0100001 % is 0.00012340123 base or 0.0015178351782 quote, and the venue keeps the fraction.
    let table = [
        (spot(FeeAsset::Received), buy, taker, 617_000, btc),
        (spot(FeeAsset::Received), buy, maker, -123_400, btc),
        (spot(FeeAsset::Received), sell, taker, 7_589_100, usdt),
        (spot(FeeAsset::Received), sell, maker, -1_517_830, usdt),
        (spot(FeeAsset::Quote), buy, taker, 7_589_100, usdt),
        (linear.clone(), buy, taker, 7_589_100, usdt),
        (Instrument { fee_taker: Rate(500_001), ..linear }, buy, taker, 7_589_120, usdt),
    ];
    for (instrument, side, liquidity, fee, asset) in table {
        let fees = fees::Fees::new(&instrument, &assets()).unwrap();
        assert_eq!(fees.of(side, 1_230, 1_234, liquidity), Some((fee, asset)), "{side:?}");
    }
}

#[test]
fn what_is_due_at_the_same_moment_runs_arrivals_first_and_by_creation() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 0));
    rig.line("1 level ask 1000 5");
    rig.line("2 buy 2 ioc 5 1000");
    rig.line("2 buy 1 ioc 5 1000");
    rig.settle(3);
    let found: Vec<String> = rig.reports.iter().map(|(ts, _, body)| text(*ts, body)).collect();
    let expected = ["2 ack 2", "2 fill 2 5@1000 taker", "2 filled 2 5", "2 ack 1", "2 expired 1 0"];
    assert_eq!(found, expected);
    // Two arrivals at the venue before the first report of them.
    rig.submit_ioc(3, 3);
    rig.submit_ioc(3, 4);
    let reports = (0..4).map(|_| rig.paper.advance(&rig.books).is_some());
    assert_eq!(reports.collect::<Vec<_>>(), [false, false, true, true]);
    // The end of a wait comes after an arrival at the same moment and before reports.
    let mut rig = Rig::new(&[instrument()], &[TRADES], (0, 1_000_000_000));
    rig.line("1 buy 1 ioc 5 1000");
    rig.settle(2);
    rig.submit_ioc(1_000_000_001, 2);
    let reports = (0..3).map(|_| rig.paper.advance(&rig.books).is_some());
    assert_eq!(reports.collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_table_of_open_orders_holds_its_limit_and_no_room_is_taken_later() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (ORDER_NS, RESPONSE_NS));
    let rooms = rig.paper.desk.rooms();
    let orders = i64::try_from(OPEN_ORDERS_MAX).unwrap();
    for no in 1..=orders {
        rig.line(&format!("1 buy {no} gtc 100 1000"));
    }
    for no in 1..=orders {
        rig.line(&format!("2 cancel {no}"));
        rig.line(&format!("2 cancel {no}"));
    }
    assert_eq!(rig.paper.open_orders(), OPEN_ORDERS_MAX);
    rig.settle(i64::MAX);
    assert_eq!((rig.paper.open_orders(), rig.paper.desk.rooms()), (0, rooms));
}

#[test]
fn fills_stop_at_their_limit_until_reports_have_left() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 1_000));
    let all = i64::try_from(agenda::FILLS_MAX).unwrap();
    rig.line("1 level bid 990 1");
    rig.line(&format!("1 buy 1 gtc {} 1000", all + 9));
    for _ in 0..all + 5 {
        rig.line("2 trade 990 1 sell");
    }
    rig.line("3 level ask 1000 1");
    rig.line("2000 trade 990 3 sell");
    rig.settle(i64::MAX);
    let fills = rig.reports.iter().filter(|(_, _, body)| matches!(body, Body::Fill(_))).count();
    assert_eq!(fills, agenda::FILLS_MAX + 1);
    assert_eq!(rig.paper.open_orders(), 1);
}

#[test]
fn a_liquidation_ends_all_orders_and_closes_what_was_filled_and_not_reported_too() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 1_000));
    rig.line("1 level bid 990 50");
    rig.line("1 level ask 1000 3");
    rig.line("2 buy 1 ioc 3 1000");
    rig.line("3 buy 2 gtc 10 980");
    rig.settle(5);
    // One on its way, with its cancel behind it.
    rig.line("5 buy 3 gtc 10 970");
    rig.line("5 cancel 3");
    let event = rig.stamp(5, 0, &Liquidate { qty: Qty(4), price: Price(960) });
    rig.paper.liquidate(&event, &Liquidate { qty: Qty(4), price: Price(960) });
    rig.settle(i64::MAX);
    let closed = rig.reports.iter().find_map(|(_, _, body)| match body {
        Body::Fill(fill) if fill.liquidity == Liquidity::Liquidation => Some(*fill),
        _ => None,
    });
    let closed = closed.expect("it is closed");
    assert_eq!((closed.side, closed.qty, closed.price), (Side::Sell, Qty(7), Price(960)));
    let ended = rig.reports.iter().filter(|(_, _, body)| match body {
        Body::OrderDone(done) => done.reason == DoneReason::Cancelled,
        _ => false,
    });
    assert_eq!(ended.count(), 2);
    assert_eq!((rig.paper.open_orders(), rig.paper.next_due()), (0, None));
}
