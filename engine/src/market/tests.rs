//! Marks by the contract: sources, width, age.

use model::event::{FeedState, MarkPrice, Payload, Trade};
use model::id::{InstrumentId, Seq};
use model::instrument::{FeeAsset, Kind};
use model::num::{Money, Rate, Scale};
use model::symbol::Symbol;
use model::time::SECOND_NS;

use super::*;

fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::parse("venue:BTC_USDT").unwrap(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Spot,
        settle: "USDT".to_owned(),
        price_scale: Scale::new(1).unwrap(),
        qty_scale: Scale::new(3).unwrap(),
        tick: Price(5),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000),
        notional_min: Money::ZERO,
        fee_maker: Rate(0),
        fee_taker: Rate(0),
        fee_asset: FeeAsset::Quote,
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(100_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10 * SECOND_NS,
        mark_liquidation: false,
        leverage_max: 1,
        maintenance: Rate(0),
    }
}

struct Feed {
    market: Market,
    instrument: Instrument,
}

impl Feed {
    fn new(carries: Carried) -> Self {
        let mut feed = Self { market: Market::new(carries), instrument: instrument() };
        feed.send(0, &FeedState { status: FeedStatus::Synced, ..FeedState::default() });
        feed
    }

    fn send<P: Payload>(&mut self, second: i64, payload: &P) -> bool {
        let event = Event::new(Seq(1), at(second), InstrumentId(0), payload);
        self.market.apply(&event, &self.instrument)
    }

    fn quote(&mut self, second: i64, bid: i64, ask: i64) -> bool {
        let (bid, ask) = (Price(bid), Price(ask));
        self.send(second, &Quote { bid, ask, bid_qty: Qty(1), ask_qty: Qty(1), update_id: 0 })
    }
}

fn at(second: i64) -> Nanos {
    Nanos(1_000 * SECOND_NS + second * SECOND_NS)
}

const QUOTES: Carried = Carried { quotes: true, book: false, trades: true, bar_ns: 0 };
const BARS: Carried = Carried { quotes: false, book: false, trades: false, bar_ns: 60 * SECOND_NS };

#[test]
fn a_mark_is_the_middle_at_one_decimal_more() {
    let mut feed = Feed::new(QUOTES);
    assert!(feed.quote(1, 1_000, 1_005));
    assert_eq!(feed.market.mark(at(1)), Some(10_025));
    assert!(!feed.quote(2, 1_000, 1_005), "the same prices move no mark");
    assert_eq!(feed.market.mark(at(9_999)), Some(10_025), "a quiet market is no stale mark");
}

#[test]
fn a_wide_crossed_or_one_sided_market_keeps_the_last_good_mark_for_a_while() {
    for (bid, ask, bid_qty) in [(1_000, 1_100, 1), (1_010, 1_000, 1), (1_000, 1_005, 0)] {
        let mut feed = Feed::new(QUOTES);
        feed.quote(1, 1_000, 1_005);
        let (bid, ask) = (Price(bid), Price(ask));
        let quote = Quote { bid, ask, bid_qty: Qty(bid_qty), ask_qty: Qty(1), update_id: 0 };
        feed.send(5, &quote);
        assert_eq!(feed.market.mark(at(15)), Some(10_025), "still within ten seconds");
        assert_eq!(feed.market.mark(at(16)), None, "then it is unknown");
        assert_eq!(feed.market.last_mark(), Some(10_025));
        feed.quote(20, 1_000, 1_005);
        assert_eq!(feed.market.mark(at(900)), Some(10_025), "good again");
    }
}

#[test]
fn a_feed_that_is_not_synced_has_no_touch_and_its_mark_ages() {
    let mut feed = Feed::new(QUOTES);
    feed.quote(1, 1_000, 1_005);
    feed.send(2, &FeedState { status: FeedStatus::Gap, ..FeedState::default() });
    assert_eq!((feed.market.mid(), feed.market.touch()), (None, None));
    assert_eq!(feed.market.mark(at(12)), Some(10_025));
    assert_eq!(feed.market.mark(at(13)), None);
}

#[test]
fn a_bar_is_a_mark_until_two_more_should_have_come() {
    let mut feed = Feed::new(BARS);
    let extra = BarExtra { start: at(0), length_ns: 60 * SECOND_NS, ..BarExtra::default() };
    feed.send(60, &extra);
    let close = Price(995);
    assert!(feed.send(60, &Bar { open: close, high: close, low: close, close, volume: Qty(1) }));
    assert_eq!(feed.market.mark(at(180)), Some(9_950));
    assert_eq!(feed.market.mark(at(181)), None);
    assert_eq!(feed.market.age_ns(at(61)), Some(SECOND_NS), "age counts from the bar's end");
}

#[test]
fn trades_mark_only_where_there_are_no_quotes() {
    let trade = Trade { price: Price(1_000), qty: Qty(1), ..Trade::default() };
    let mut feed = Feed::new(QUOTES);
    assert!(!feed.send(1, &trade));
    assert_eq!(feed.market.mark(at(1)), None);
    let mut feed = Feed::new(Carried { quotes: false, ..QUOTES });
    assert!(feed.send(1, &trade));
    assert_eq!(feed.market.mark(at(1)), Some(10_000));
}

#[test]
fn a_protected_price_is_the_touch_moved_against_us_and_on_the_tick() {
    let mut feed = Feed::new(QUOTES);
    feed.quote(1, 100_000, 100_005);
    let price = |side| {
        let mark = feed.market.mark(at(1));
        feed.market.protected_price(&feed.instrument, side, 5_000_000, mark).map(|p| p.0)
    };
    // 10,000.5 * 1.005 = 10,050.5025; 10,000.0 * 0.995 = 9,950.0. Ticks of 0.5.
    assert_eq!(price(Side::Buy), Some(100_505));
    assert_eq!(price(Side::Sell), Some(99_500));
    let empty = Feed::new(QUOTES);
    assert_eq!(empty.market.protected_price(&empty.instrument, Side::Buy, 0, None), None);
}

#[test]
fn an_image_restores_the_market() {
    let mut feed = Feed::new(QUOTES);
    feed.quote(1, 1_000, 1_005);
    feed.send(2, &Trade { price: Price(1_000), qty: Qty(1), ..Trade::default() });
    let mut out = ImageWriter::default();
    feed.market.save(&mut out);
    let bytes = out.finish();
    let mut restored = Market::new(QUOTES);
    let mut reader = ImageReader::new(&bytes);
    restored.load(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(restored, feed.market);
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(Market::new(QUOTES).load(&mut ImageReader::new(cut)), Err(ImageError::Short));
}

/// Best prices and quantities of a quote, or the state that the feed says.
#[derive(Clone, Copy, Debug)]
enum Said {
    Quote(i64, i64, i64, i64),
    Feed(FeedStatus),
}

const SAID: [Said; 8] = [
    Said::Quote(1_000, 1_005, 1, 1),
    Said::Quote(1_000, 1_005, 7, 3),
    Said::Quote(1_000, 1_005, 0, 1),
    Said::Quote(1_000, 1_005, 1, 0),
    Said::Quote(1_000, 1_010, 1, 1),
    Said::Quote(1_000, 2_000, 1, 1),
    Said::Feed(FeedStatus::Gap),
    Said::Feed(FeedStatus::Synced),
];

/// The mark by the contract, from all that was said: the middle of a good touch, else the last one
/// for ten seconds after the first moment without.
fn by_contract(said: &[Said]) -> Option<(i128, Option<i64>)> {
    let (mut touch, mut synced) = (None, true);
    let mut mark: Option<(i128, Option<i64>)> = None;
    for (second, said) in (1..).zip(said) {
        match *said {
            Said::Quote(bid, ask, bid_qty, ask_qty) => touch = Some((bid, ask, bid_qty, ask_qty)),
            Said::Feed(status) => synced = status == FeedStatus::Synced,
        }
        let good = touch.filter(|(bid, ask, bid_qty, ask_qty)| {
            synced && *bid_qty > 0 && *ask_qty > 0 && (ask - bid) * 200 <= ask + bid
        });
        mark = match (good, mark) {
            (Some((bid, ask, ..)), _) => Some((i128::from(bid + ask) * 5, None)),
            (None, Some((value, None))) => Some((value, Some(second + 10))),
            (None, before) => before,
        };
    }
    mark
}

#[test]
fn a_mark_is_renewed_by_whatever_changes_it() {
    let quotes = Carried { quotes: true, ..Carried::default() };
    for code in 0..SAID.len().pow(5) {
        let said: Vec<Said> =
            (0..5).map(|place| SAID[code / SAID.len().pow(place) % SAID.len()]).collect();
        let mut feed = Feed::new(quotes);
        let mut before = None;
        for (second, one) in (1..).zip(&said) {
            let changed = match *one {
                Said::Quote(bid, ask, bid_qty, ask_qty) => {
                    let (bid, ask) = (Price(bid), Price(ask));
                    let (bid_qty, ask_qty) = (Qty(bid_qty), Qty(ask_qty));
                    feed.send(second, &Quote { bid, ask, bid_qty, ask_qty, update_id: 0 })
                }
                Said::Feed(status) => {
                    feed.send(second, &FeedState { status, ..FeedState::default() })
                }
            };
            let so_far = usize::try_from(second).unwrap();
            let mark = by_contract(&said[..so_far]);
            assert_eq!(changed, mark != before, "{second} of {said:?}");
            for moment in [second, second + 9, second + 11, 1_000_000] {
                let lives = |end: Option<i64>| end.is_none_or(|end| moment <= end);
                let value = mark.filter(|(_, end)| lives(*end)).map(|(value, _)| value);
                assert_eq!(feed.market.mark(at(moment)), value, "{second} of {said:?}");
            }
            before = mark;
        }
    }
}

#[test]
fn the_mark_that_a_venue_publishes_goes_first_while_it_is_fresh() {
    let mut feed = Feed::new(QUOTES);
    feed.quote(1, 1_000, 1_005);
    let published = MarkPrice { mark: Price(10_100), venue_ts: Nanos(0) };
    assert!(feed.send(5, &published));
    assert_eq!(feed.market.mark(at(5)), Some(10_100));
    assert!(!feed.send(6, &published), "the same mark again moves nothing");
    assert!(!feed.quote(7, 990, 995), "what is not in force moves nothing");
    assert_eq!(feed.market.mark(at(16)), Some(10_100));
    assert_eq!(feed.market.mark(at(17)), Some(9_925), "then prices mark again");
    assert!(feed.quote(17, 990, 995), "the first event behind it tells");
    assert!(!feed.quote(18, 990, 995));
}

#[test]
fn a_published_mark_is_remembered_when_nothing_else_is_known() {
    let mut feed = Feed::new(QUOTES);
    feed.send(5, &MarkPrice { mark: Price(10_100), venue_ts: Nanos(0) });
    assert!(feed.send(16, &FeedState { status: FeedStatus::Gap, ..FeedState::default() }));
    assert_eq!(feed.market.mark(at(16)), None);
    assert_eq!(feed.market.last_mark(), Some(10_100));
}

#[test]
fn by_liquidation_longs_are_worth_the_bid_and_shorts_the_ask() {
    let mut feed = Feed::new(QUOTES);
    feed.instrument.mark_liquidation = true;
    feed.quote(1, 1_000, 1_005);
    let held = |feed: &Feed, short| feed.market.mark_held(at(1), short);
    assert_eq!((held(&feed, false), held(&feed, true)), (Some(10_000), Some(10_050)));
    assert_eq!(feed.market.mark(at(1)), Some(10_025), "orders are valued at the middle");
    feed.send(1, &MarkPrice { mark: Price(10_010), venue_ts: Nanos(0) });
    assert_eq!((held(&feed, false), held(&feed, true)), (Some(10_010), Some(10_010)));
}

#[test]
fn a_rate_outlives_the_mark_that_it_is_made_from() {
    let mut feed = Feed::new(QUOTES);
    feed.quote(1, 1_000, 1_005);
    feed.send(2, &FeedState { status: FeedStatus::Gap, ..FeedState::default() });
    let rate =
        |second| feed.market.mark_for_rate(at(second), 60 * SECOND_NS, &feed.instrument.clone());
    assert_eq!((feed.market.mark(at(13)), rate(62)), (None, Some(10_025)));
    assert_eq!(rate(63), None);
}
