//! Each rule of the simulator as a small hand-made market: what happens, and what is reported.
//!
//! A script has one line for each event, a moment in nanoseconds first:
//! `level bid PRICE QTY`, `clear`, `quote BID QTY ASK QTY`, `trade PRICE QTY TAKER`,
//! `bar OPEN HIGH LOW CLOSE VOLUME [LENGTH]`, `state gap`, `cancel NO`,
//! `buy NO gtc|ioc|fok QTY PRICE [reduces] [exit] [post_only] [other]`, `stop NO TRIGGER SIDE`,
//! `move NO TRIGGER SIDE`, `unstop NO`; `other` is of another strategy. Prices are in cents with a
//! tick of 10, quantities have a lot of 1. An order travels 10 ns, a report 5 ns; the number of a
//! stop has an `s`.

use model::book::Book;
use model::event::{
    Bar, BarExtra, Body, BookClear, BookLevel, CancelSent, Event, FeedState, OrderSent, Payload,
    Quote, StopSent, Trade,
};
use model::id::{AssetId, InstrumentId, OrderNo, Seq, StrategyId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::{DoneReason, FeedStatus, Liquidity, Side, TimeInForce};
use model::symbol::Symbol;
use model::time::Nanos;

use super::*;
use crate::limits::OPEN_ORDERS_MAX;

mod bars;
mod books;
mod desk;
#[expect(clippy::arithmetic_side_effects, reason = "figures of tests are small, and checked")]
mod random;
mod stops;

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
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(10_000_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10_000_000_000,
        mark_liquidation: false,
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
        Self::with(instruments, carries, &PaperSetup::constant(latencies.0, latencies.1))
    }

    fn with(instruments: &[Instrument], carries: &[Carried], constants: &PaperSetup) -> Self {
        let traded: Vec<_> = (0..).map(InstrumentId).take(instruments.len()).collect();
        let books = instruments.iter().map(|_| Book::new()).collect();
        let paper = Paper::new(instruments, carries, &traded, constants, &assets());
        Self { paper, books, reports: Vec::new(), seq: 0 }
    }

    fn stamp<P: Payload>(&mut self, ts: i64, instrument: u32, payload: &P) -> Event {
        self.seq = self.seq.saturating_add(1);
        Event::new(Seq(self.seq), Nanos(ts), InstrumentId(instrument), payload)
    }

    /// Advances all that is due before `ts`: at one moment the market comes first, as feed has it.
    fn settle(&mut self, ts: i64) {
        while let Some(due) = self.paper.next_due().filter(|due| due.0 < ts) {
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
            "unstop" => self.send(ts, 0, &CancelSent { order: order_no(number(2)).stop() }),
            word @ ("stop" | "move") => {
                let (order, trigger) = (order_no(number(2)).stop(), price(3));
                let (strategy, side, moves) = (StrategyId(0), side(words[4]), word == "move");
                self.send(ts, 0, &StopSent { order, trigger, strategy, side, moves });
            }
            word => {
                let order = order_no(number(2));
                let tif = match words[3] {
                    "gtc" => TimeInForce::Gtc,
                    "ioc" => TimeInForce::Ioc,
                    "fok" => TimeInForce::Fok,
                    other => panic!("`{other}` is no time in force"),
                };
                let (qty, price, side) = (qty(4), price(5), side(word));
                let has = |option| words.iter().skip(6).any(|word| *word == option);
                let (reduces, post_only) = (has("reduces"), has("post_only"));
                let strategy = StrategyId(u16::from(has("other")));
                let exit = has("exit");
                let terms = OrderSent { order, price, qty, side, tif, ..OrderSent::default() };
                let sent = OrderSent { reduces, exit, post_only, strategy, ..terms };
                self.send(ts, 0, &sent);
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
    let no =
        |order: OrderNo| format!("{}{}", if order.is_stop() { "s" } else { "" }, order.seq().0);
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
    check_with(instrument, carries, &PaperSetup::constant(ORDER_NS, RESPONSE_NS), script, expected);
}

/// As [`check_on`], with other constants of the venue.
fn check_with(
    instrument: Instrument,
    carries: Carried,
    constants: &PaperSetup,
    script: &str,
    expected: &str,
) {
    let mut rig = Rig::with(&[instrument], &[carries], constants);
    lines(script).for_each(|line| rig.line(line));
    rig.settle(i64::MAX);
    let found: Vec<String> = rig.reports.iter().map(|(ts, _, body)| text(*ts, body)).collect();
    assert_eq!(found, lines(expected).collect::<Vec<_>>(), "{script}");
}

fn check(carries: Carried, script: &str, expected: &str) {
    check_on(instrument(), carries, script, expected);
}
