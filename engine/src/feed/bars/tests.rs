//! Bars from trades: boundaries, gaps, several lengths.

use model::num::{Price, Scale};
use model::time::SECOND_NS;

use super::*;
use crate::generate::Generated;

const ID: InstrumentId = InstrumentId(0);

fn bars(lengths: &[i64]) -> Bars {
    let (mut facts, _) = Generated::new(0, 1).instruments().remove(0);
    facts.price_scale = Scale::new(0).unwrap();
    facts.qty_scale = Scale::new(0).unwrap();
    let mut bars = Bars::default();
    for seconds in lengths {
        bars.want(ID, seconds * SECOND_NS, &facts);
    }
    bars
}

fn trade(bars: &mut Bars, second: i64, price: i64) {
    let trade = Trade { price: Price(price), qty: Qty(2), ..Trade::default() };
    bars.trade(ID, Nanos(second * SECOND_NS), &trade);
}

#[test]
fn a_bar_has_the_prices_of_its_trades_and_ends_on_its_boundary() {
    let mut bars = bars(&[7]);
    assert_eq!(bars.next_close(), None);
    for (second, price) in [(15, 10), (16, 14), (20, 9)] {
        trade(&mut bars, second, price);
    }
    let end = Nanos(21 * SECOND_NS);
    assert_eq!(bars.next_close(), Some(end), "sevens of seconds since the epoch");
    assert_eq!(bars.close(Nanos(end.0 - 1)), None);
    let (id, extra, bar) = bars.close(end).unwrap();
    assert_eq!((id, extra.start, extra.length_ns), (ID, Nanos(14 * SECOND_NS), 7 * SECOND_NS));
    assert_eq!((extra.trades, extra.quote_volume), (3, Money::units(66)));
    let prices = [bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0];
    assert_eq!(prices, [10, 14, 9, 9, 6]);
    assert_eq!(bars.close(end), None, "a span without trades makes no bar");
}

#[test]
fn lengths_close_by_themselves_and_a_second_wish_changes_nothing() {
    let mut bars = bars(&[1, 60, 60]);
    trade(&mut bars, 59, 5);
    let at = Nanos(60 * SECOND_NS);
    let closed: Vec<i64> =
        std::iter::from_fn(|| bars.close(at)).map(|(_, extra, _)| extra.length_ns).collect();
    assert_eq!(closed, [SECOND_NS, 60 * SECOND_NS]);
}
