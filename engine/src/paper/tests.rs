//! Each rule of the simulator as a small hand-made market: what happens, and what is reported.
//!
//! A script has one line for each event, a moment in nanoseconds first:
//! `level bid PRICE QTY`, `clear`, `quote BID QTY ASK QTY`, `trade PRICE QTY TAKER`,
//! `bar OPEN HIGH LOW CLOSE VOLUME [LENGTH]`, `state gap`, `buy NO gtc QTY PRICE [reduces]`,
//! `cancel NO`. Prices are in cents with a tick of 10, quantities have a lot of 1. An order travels
//! 10 ns, a report 5 ns.

use model::book::Book;
use model::event::{
    Bar, BarExtra, Body, BookClear, BookLevel, CancelSent, Event, FeedState, OrderSent, Payload,
    Quote, Trade,
};
use model::id::{AssetId, InstrumentId, OrderNo, Seq};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::{DoneReason, FeedStatus, Liquidity, Side, TimeInForce};
use model::symbol::Symbol;
use model::time::Nanos;

use super::*;
use crate::limits::OPEN_ORDERS_MAX;

#[expect(clippy::arithmetic_side_effects, reason = "figures of tests are small, and checked")]
mod random;

const ORDER_NS: i64 = 10;
const RESPONSE_NS: i64 = 5;
const BAR_NS: i64 = 60;

const BOOK: Carried = Carried { quotes: false, book: true, trades: true, bar_ns: 0 };
const QUOTES: Carried = Carried { quotes: true, book: false, trades: true, bar_ns: 0 };
const TRADES: Carried = Carried { quotes: false, book: false, trades: true, bar_ns: 0 };
const BARS: Carried = Carried { quotes: false, book: false, trades: false, bar_ns: BAR_NS };

/// Spot, 2 decimals of price with a tick of 0.10, no decimals of quantity, half a spread of 1 %.
fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::parse("binance:BTC_USDT").unwrap(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Spot,
        settle: "USDT".to_owned(),
        price_scale: Scale::new(2).unwrap(),
        qty_scale: Scale::new(0).unwrap(),
        tick: Price(10),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Money(0),
        fee_maker: Rate(200_000),
        fee_taker: Rate(500_000),
        fee_asset: FeeAsset::Received,
        protect: Rate(5_000_000),
        half_spread: Rate(10_000_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10_000_000_000,
        leverage_max: 1,
        maintenance: Rate(0),
    }
}

fn assets() -> Vec<String> {
    ["USDT", "BTC"].map(str::to_owned).to_vec()
}

/// A venue with the feed's side of the contract.
struct Rig {
    paper: Paper,
    books: Vec<Book>,
    reports: Vec<(i64, InstrumentId, Body)>,
    seq: u64,
}

impl Rig {
    fn new(instruments: &[Instrument], carries: &[Carried], latencies: (i64, i64)) -> Self {
        let constants =
            PaperSetup { order_latency_ns: latencies.0, response_latency_ns: latencies.1 };
        let traded: Vec<_> = (0..).map(InstrumentId).take(instruments.len()).collect();
        let books = instruments.iter().map(|_| Book::new()).collect();
        let paper = Paper::new(instruments, carries, &traded, &constants, &assets());
        Self { paper, books, reports: Vec::new(), seq: 0 }
    }

    fn stamp<P: Payload>(&mut self, ts: i64, instrument: u32, payload: &P) -> Event {
        self.seq = self.seq.saturating_add(1);
        Event::new(Seq(self.seq), Nanos(ts), InstrumentId(instrument), payload)
    }

    /// Advances all that is due at or before `ts`.
    fn settle(&mut self, ts: i64) {
        while let Some(due) = self.paper.next_due().filter(|due| due.0 <= ts) {
            if let Some((instrument, body)) = self.paper.advance(&self.books) {
                self.reports.push((due.0, instrument, body));
            }
        }
    }

    fn market<P: Payload>(&mut self, ts: i64, instrument: u32, payload: &P) {
        self.settle(ts);
        let event = self.stamp(ts, instrument, payload);
        let book = &mut self.books[usize::try_from(instrument).unwrap()];
        if let Body::BookLevel(level) = event.body() {
            book.set(level.side, level.price, level.qty);
        } else if let Body::BookClear(_) = event.body() {
            book.clear();
        }
        self.paper.on_market(&event, &self.books);
    }

    fn send<P: Payload>(&mut self, ts: i64, instrument: u32, payload: &P) {
        self.settle(ts);
        let event = self.stamp(ts, instrument, payload);
        self.paper.submit(&event);
    }

    /// Submits an order and advances nothing.
    fn submit_ioc(&mut self, ts: i64, no: i64) {
        let (order, tif) = (order_no(no), TimeInForce::Ioc);
        let sent = OrderSent { order, tif, price: Price(1_000), qty: Qty(5), ..Default::default() };
        let event = self.stamp(ts, 0, &sent);
        self.paper.submit(&event);
    }

    /// Runs one line of a script.
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].replace('_', "").parse::<i64>().unwrap();
        let ts = number(0);
        let (price, qty) = (|at| Price(number(at)), |at| Qty(number(at)));
        match words[1] {
            "level" => {
                let side = if words[2] == "bid" { Side::Buy } else { Side::Sell };
                let level =
                    BookLevel { price: price(3), qty: qty(4), side, ..BookLevel::default() };
                self.market(ts, 0, &level);
            }
            "clear" => self.market(ts, 0, &BookClear::default()),
            "quote" => {
                let (bid, bid_qty) = (price(2), qty(3));
                let (ask, ask_qty) = (price(4), qty(5));
                self.market(ts, 0, &Quote { bid, ask, bid_qty, ask_qty, update_id: 0 });
            }
            "trade" => {
                let taker = side(words[4]);
                let trade = Trade { price: price(2), qty: qty(3), taker, ..Trade::default() };
                self.market(ts, 0, &trade);
            }
            "bar" => {
                let length_ns = if words.len() > 7 { number(7) } else { BAR_NS };
                let extra = BarExtra { length_ns, ..BarExtra::default() };
                self.market(ts, 0, &extra);
                let (open, high, low, close) = (price(2), price(3), price(4), price(5));
                self.market(ts, 0, &Bar { open, high, low, close, volume: qty(6) });
            }
            "state" => {
                let status =
                    if words[2] == "synced" { FeedStatus::Synced } else { FeedStatus::Gap };
                self.market(ts, 0, &FeedState { status, ..FeedState::default() });
            }
            "cancel" => self.send(ts, 0, &CancelSent { order: order_no(number(2)) }),
            word => {
                let order = order_no(number(2));
                let tif = if words[3] == "ioc" { TimeInForce::Ioc } else { TimeInForce::Gtc };
                let (qty, price, reduces) = (qty(4), price(5), words.len() > 6);
                let side = side(word);
                self.send(ts, 0, &OrderSent { order, price, qty, side, tif, reduces });
            }
        }
    }
}

fn side(word: &str) -> Side {
    match word {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        other => panic!("`{other}` is no side"),
    }
}

fn order_no(number: i64) -> OrderNo {
    OrderNo::new(Seq(u64::try_from(number).unwrap()), 0)
}

fn text(ts: i64, body: &Body) -> String {
    let no = |order: OrderNo| order.seq().0;
    if let Body::OrderAck(ack) = body {
        return format!("{ts} ack {}", no(ack.order));
    }
    if let Body::Fill(fill) = body {
        let liquidity = if fill.liquidity == Liquidity::Maker { "maker" } else { "taker" };
        return format!("{ts} fill {} {}@{} {liquidity}", no(fill.order), fill.qty.0, fill.price.0);
    }
    let Body::OrderDone(done) = body else { panic!("{body:?} is no report") };
    let reason = match done.reason {
        DoneReason::Filled => "filled",
        DoneReason::Cancelled => "cancelled",
        DoneReason::Expired => "expired",
        DoneReason::Rejected => done.code.builtin_name().unwrap(),
    };
    format!("{ts} {reason} {} {}", no(done.order), done.filled.0)
}

fn lines(script: &str) -> impl Iterator<Item = &str> {
    script.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Runs a script to its end and compares all reports.
fn check_on(instrument: Instrument, carries: Carried, script: &str, expected: &str) {
    let mut rig = Rig::new(&[instrument], &[carries], (ORDER_NS, RESPONSE_NS));
    lines(script).for_each(|line| rig.line(line));
    rig.settle(i64::MAX);
    let found: Vec<String> = rig.reports.iter().map(|(ts, _, body)| text(*ts, body)).collect();
    assert_eq!(found, lines(expected).collect::<Vec<_>>(), "{script}");
}

fn check(carries: Carried, script: &str, expected: &str) {
    check_on(instrument(), carries, script, expected);
}

#[test]
fn orders_act_and_reports_return_after_their_latencies() {
    // The level comes at the moment of arrival: the order met the market before it.
    check(
        BOOK,
        "1 level ask 1000 5
         20 buy 1 ioc 3 1000
         30 level ask 1000 0
         40 buy 2 ioc 3 1000",
        "35 ack 1
         35 fill 1 3@1000 taker
         35 filled 1 3
         55 ack 2
         55 expired 2 0",
    );
}

#[test]
fn a_taker_walks_displayed_levels_to_its_limit() {
    check(
        BOOK,
        "1 level ask 1000 5
         2 level ask 1010 2
         3 level ask 1030 9
         4 level bid 990 4
         20 buy 1 ioc 10 1020
         21 buy 2 gtc 4 1030
         22 sell 3 ioc 9 900",
        "35 ack 1
         35 fill 1 5@1000 taker
         35 fill 1 2@1010 taker
         35 expired 1 7
         36 ack 2
         36 fill 2 4@1030 taker
         36 filled 2 4
         37 ack 3
         37 fill 3 4@990 taker
         37 expired 3 4",
    );
}

#[test]
fn displayed_quantity_is_consumed_once_until_its_level_is_updated() {
    check(
        BOOK,
        "1 level ask 1000 5
         20 buy 1 ioc 3 1000
         21 buy 2 ioc 3 1000
         50 level ask 1010 5
         60 buy 3 ioc 1 1000
         80 level ask 1000 5
         90 buy 4 ioc 9 1000
         110 clear
         111 level ask 1000 5
         120 buy 5 ioc 4 1000",
        "35 ack 1
         35 fill 1 3@1000 taker
         35 filled 1 3
         36 ack 2
         36 fill 2 2@1000 taker
         36 expired 2 2
         75 ack 3
         75 expired 3 0
         105 ack 4
         105 fill 4 5@1000 taker
         105 expired 4 5
         135 ack 5
         135 fill 5 4@1000 taker
         135 filled 5 4",
    );
}

#[test]
fn a_resting_order_joins_behind_what_is_displayed() {
    // 7 ahead: 4 traded, then the level falls to 2 by cancels, then a trade of 5 leaves 3 for us.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 trade 1000 4 sell
         41 trade 1000 50 buy
         42 level bid 1000 2
         43 level bid 1000 9
         50 trade 1000 5 sell
         60 trade 1000 4 sell
         70 trade 1000 50 sell",
        "35 ack 1
         55 fill 1 3@1000 maker
         65 fill 1 4@1000 maker
         75 fill 1 2@1000 maker
         75 filled 1 9",
    );
}

#[test]
fn an_order_that_betters_the_book_has_nobody_ahead() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level bid 980 7
         3 level ask 1030 7
         20 buy 1 gtc 2 1010
         21 buy 2 gtc 2 990
         22 sell 3 gtc 5 1020
         40 trade 1010 1 sell
         41 trade 1020 3 buy
         42 trade 990 9 sell",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 1 1@1010 maker
         46 fill 3 3@1020 maker
         47 fill 1 1@1010 maker
         47 filled 1 2
         47 fill 2 2@990 maker
         47 filled 2 2",
    );
}

#[test]
fn beyond_what_is_recorded_the_queue_is_unknown_until_it_is_shown() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 2 900
         40 trade 900 50 sell
         41 level bid 900 3
         42 trade 900 4 sell",
        "35 ack 1
         47 fill 1 1@900 maker",
    );
    // A book that lost its place says nothing about queues; a side known to be empty has none.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 2 1000
         40 clear
         41 level bid 1000 5
         42 trade 1000 6 sell
         50 sell 2 gtc 2 1020
         51 sell 3 gtc 2 1010
         70 trade 1010 3 buy",
        "35 ack 1
         47 fill 1 1@1000 maker
         65 ack 2
         66 ack 3
         75 fill 3 2@1010 maker
         75 filled 3 2",
    );
}

#[test]
fn a_trade_through_the_price_fills_up_to_its_quantity_shared_by_price_then_number() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 2 gtc 4 1000
         21 buy 1 gtc 4 1000
         22 buy 3 gtc 4 990
         40 trade 980 9 sell
         50 trade 980 3 buy",
        "35 ack 2
         36 ack 1
         37 ack 3
         45 fill 1 4@1000 maker
         45 filled 1 4
         45 fill 2 4@1000 maker
         45 filled 2 4
         45 fill 3 1@990 maker",
    );
}

#[test]
fn an_update_that_crosses_our_limit_fills_up_to_what_it_shows() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 level ask 990 4
         41 level ask 1000 3
         42 buy 2 ioc 9 1000
         60 level ask 990 1
         61 level ask 980 50",
        "35 ack 1
         45 fill 1 4@1000 maker
         46 fill 1 3@1000 maker
         57 ack 2
         57 expired 2 0
         65 fill 1 1@1000 maker
         66 fill 1 1@1000 maker
         66 filled 1 9",
    );
    // Where the other side has been shown, nobody stands before us any more.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 level ask 1000 4
         50 trade 1000 5 sell",
        "35 ack 1
         45 fill 1 4@1000 maker
         55 fill 1 5@1000 maker
         55 filled 1 9",
    );
}

#[test]
fn quotes_are_a_book_of_one_level() {
    check(
        QUOTES,
        "1 quote 1000 5 1010 5
         20 buy 1 ioc 3 1010
         21 buy 2 ioc 3 1010
         40 quote 1000 4 1010 5
         41 buy 3 ioc 3 1010
         60 quote 1000 4 1010 6
         61 buy 4 ioc 9 1010
         80 quote 1000 4 0 0
         81 buy 5 ioc 9 1010",
        "35 ack 1
         35 fill 1 3@1010 taker
         35 filled 1 3
         36 ack 2
         36 fill 2 2@1010 taker
         36 expired 2 2
         56 ack 3
         56 expired 3 0
         76 ack 4
         76 fill 4 6@1010 taker
         76 expired 4 6
         96 ack 5
         96 expired 5 0",
    );
}

#[test]
fn quotes_keep_the_queue_of_resting_orders() {
    // 1 joins behind 5, 2 is the best, 3 lies below what is shown until the touch falls to it.
    check(
        QUOTES,
        "1 quote 1000 5 1030 5
         20 buy 1 gtc 2 1000
         21 buy 2 gtc 2 1010
         22 buy 3 gtc 2 980
         40 trade 1010 2 sell
         41 trade 1000 6 sell
         42 quote 980 3 1030 5
         43 trade 980 5 sell
         50 sell 4 gtc 3 1040
         70 quote 1040 2 1050 5
         71 quote 1050 9 1060 5",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 2 2@1010 maker
         45 filled 2 2
         46 fill 1 1@1000 maker
         48 fill 1 1@1000 maker
         48 filled 1 2
         48 fill 3 1@980 maker
         65 ack 4
         75 fill 4 2@1040 maker
         76 fill 4 1@1040 maker
         76 filled 4 3",
    );
}

#[test]
fn a_touch_that_leaves_puts_resting_orders_first() {
    check(
        QUOTES,
        "1 quote 1000 5 1030 5
         20 buy 1 gtc 2 990
         40 quote 980 5 1030 5
         41 trade 990 1 sell
         50 buy 2 gtc 2 980
         70 quote 0 0 1030 5
         71 trade 980 2 sell",
        "35 ack 1
         46 fill 1 1@990 maker
         65 ack 2
         76 fill 1 1@990 maker
         76 filled 1 2
         76 fill 2 1@980 maker",
    );
}

#[test]
fn nothing_is_taken_from_a_book_that_the_feed_does_not_vouch_for() {
    check(
        BOOK,
        "1 level ask 1000 5
         2 state gap
         20 buy 1 ioc 3 1000
         40 state synced
         50 buy 2 ioc 3 1000",
        "35 ack 1
         35 expired 1 0
         65 ack 2
         65 fill 2 3@1000 taker
         65 filled 2 3",
    );
}

#[test]
fn by_trades_alone_a_taker_fills_in_the_second_after_its_arrival() {
    // 1 % of 1000 is one tick; of 1001 the price is rounded up to 1020. The limit is 1020.
    check(
        TRADES,
        "1 trade 1000 5 sell
         20 buy 1 ioc 9 1020
         29 trade 1000 5 sell
         30 trade 1000 2 sell
         40 trade 1001 3 buy
         50 trade 1020 3 buy
         60 sell 2 ioc 4 990
         71 trade 1005 4 buy
         1_000_000_029 trade 1000 1 sell
         1_000_000_030 trade 1000 9 sell
         1_000_000_069 trade 1000 2 sell
         1_000_000_070 trade 1000 9 sell",
        "35 ack 1
         35 fill 1 2@1010 taker
         45 fill 1 3@1020 taker
         75 ack 2
         76 fill 1 4@1020 taker
         76 filled 1 9
         1000000034 fill 2 1@990 taker
         1000000035 fill 2 3@990 taker
         1000000035 filled 2 4",
    );
    check(
        TRADES,
        "20 buy 1 ioc 9 1010
         40 trade 1000 2 sell
         1_000_000_030 trade 1000 9 sell",
        "35 ack 1
         45 fill 1 2@1010 taker
         1000000035 expired 1 2",
    );
}

#[test]
fn by_trades_alone_a_limit_needs_a_trade_one_tick_through_it() {
    check(
        TRADES,
        "20 buy 1 gtc 5 1000
         21 buy 2 gtc 5 1010
         22 sell 3 gtc 5 1100
         40 trade 1000 9 sell
         41 trade 995 9 sell
         42 trade 990 2 buy
         43 trade 1110 9 buy",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 2 5@1010 maker
         45 filled 2 5
         47 fill 1 2@1000 maker
         48 fill 3 5@1100 maker
         48 filled 3 5",
    );
}

#[test]
fn at_market_orders_fill_at_the_next_bars_open_against_us_or_expire() {
    check(
        BARS,
        "60 bar 1000 1100 900 1000 500
         61 buy 1 ioc 9 1020
         62 sell 2 ioc 9 990
         63 buy 3 ioc 9 1010
         64 buy 4 ioc 90 1030
         120 bar 1001 1100 900 1000 500
         121 buy 5 ioc 9 1020
         180 bar 1001 1100 900 1000 0",
        "76 ack 1
         77 ack 2
         78 ack 3
         79 ack 4
         125 fill 4 50@1020 taker
         125 expired 4 50
         125 expired 1 0
         125 expired 3 0
         125 expired 2 0
         136 ack 5
         185 expired 5 0",
    );
    check(
        BARS,
        "61 buy 1 ioc 9 1020
         62 sell 2 ioc 9 990
         63 sell 3 ioc 9 1000
         120 bar 1001 1100 900 1000 500",
        "76 ack 1
         77 ack 2
         78 ack 3
         125 fill 1 9@1020 taker
         125 filled 1 9
         125 fill 2 9@990 taker
         125 filled 2 9
         125 expired 3 0",
    );
}

#[test]
fn limits_need_a_bar_one_tick_through_and_get_the_open_if_better() {
    check(
        BARS,
        "61 buy 1 gtc 5 1000
         62 sell 2 gtc 5 1100
         120 bar 1050 1100 1000 1050 500
         180 bar 1050 1110 991 1050 500
         240 bar 1000 1050 990 1050 40
         250 sell 3 gtc 5 1100
         300 bar 1125 1150 1100 1110 500",
        "76 ack 1
         77 ack 2
         185 fill 2 5@1100 maker
         185 filled 2 5
         245 fill 1 4@1000 taker
         265 ack 3
         305 fill 3 5@1120 taker
         305 filled 3 5",
    );
}

#[test]
fn our_fills_are_at_most_a_tenth_of_a_bars_volume_at_market_first() {
    let coarse = Instrument { lot: Qty(3), ..instrument() };
    check_on(
        coarse,
        BARS,
        "61 buy 1 gtc 12 1090
         62 buy 2 gtc 12 1100
         63 sell 3 ioc 6 900
         120 bar 1000 1100 900 1000 199
         180 bar 1000 1100 900 1000 29
         240 bar 1000 1100 900 1000 0
         300 bar 1000 1100 900 1000 999 3600
         360 bar 1000 1100 900 1000 999",
        "76 ack 1
         77 ack 2
         78 ack 3
         125 fill 3 6@990 taker
         125 filled 3 6
         125 fill 2 12@1000 taker
         125 filled 2 12
         365 fill 1 12@1000 taker
         365 filled 1 12",
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
    check_on(linear, BARS, script, &expected.replace("BELOW_MIN_NOTIONAL 5 0", "ack 5"));
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
    rig.settle(1);
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
    rig.settle(2);
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
    rig.settle(1);
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
fn levels_without_a_note_are_not_taken_from() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 0));
    let notes = i64::try_from(book::CONSUMED_MAX).unwrap();
    for step in 0..notes + 2 {
        rig.line(&format!("1 level ask {} 1", 1_000 + 10 * step));
    }
    rig.line(&format!("2 buy 1 ioc {} 900000", notes + 9));
    rig.line("3 level ask 1000 1");
    rig.line("3 buy 2 ioc 2 900000");
    rig.settle(i64::MAX);
    let filled = |(_, _, body): &(i64, InstrumentId, Body)| {
        if let Body::OrderDone(done) = body { Some(done.filled.0) } else { None }
    };
    let filled: Vec<i64> = rig.reports.iter().filter_map(filled).collect();
    assert_eq!(filled, [notes, 1]);
}
