//! The sequencer: stamps, ties, day rolls, and an image that goes on as the original.

use model::codec::{Image, ImageReader, ImageWriter};
use model::event::{CashFlow, Funding, Kind as EventKind, MarkPrice, OrderSent, Wake};
use model::instrument::Kind;
use model::num::{Price, Qty, Rate};
use model::order::TimeInForce;
use model::time::SECOND_NS;

use super::*;
use crate::generate::{Generated, START};
use crate::setup::PaperSetup;
use crate::source::Source;
use crate::testing::demo_setup;

fn feed() -> Feed {
    let (mut setup, instruments) = demo_setup(Kind::LinearPerpetual, |_| {});
    setup.accounts[0].balances.push(("USDT".to_owned(), 1_000_000_000));
    setup.paper = PaperSetup::constant(2_000_000, 2_000_000);
    let carries: Vec<_> = setup.instruments.iter().map(|i| i.carries).collect();
    let mut bars = Bars::default();
    for (index, facts) in instruments.iter().enumerate() {
        bars.want(crate::portfolio::instrument_id(index), 7 * SECOND_NS, facts);
    }
    let ids = [InstrumentId(0), InstrumentId(1)];
    let paper = Paper::new(&instruments, &carries, &ids, &setup.paper, &setup.assets);
    let mut feed = Feed::new(&setup, &instruments, bars, paper);
    feed.begin(START);
    feed
}

/// Advances by one thing and returns its records; every so often an order leaves and a timer is
/// set.
fn turn(feed: &mut Feed, source: &mut Generated, message: &mut Message) -> Vec<Event> {
    let next = feed.next(source.peek()).expect("the market is long enough");
    match next {
        Next::Data(_) => {
            source.take(message);
            feed.ingest(message);
        }
        Next::Bar(at) => feed.close_bars(at),
        Next::Paper(at) => {
            if !feed.advance_paper(at) {
                return Vec::new();
            }
        }
        Next::Timer(at) => feed.fire_timer(at),
    }
    let last = *feed.batch().last().expect("a record");
    if last.seq.0.is_multiple_of(5) && last.instrument.0 < 2 {
        let sent = OrderSent {
            order: OrderNo::new(last.seq, 0),
            price: Price(if last.instrument.0 == 0 { 360_000 } else { 260_000 }),
            qty: Qty(60),
            side: Side::Buy,
            tif: TimeInForce::Ioc,
            reduces: false,
            ..OrderSent::default()
        };
        feed.request(&Event::new(last.seq, last.ts, last.instrument, &sent));
        let wake = Wake { due: last.ts.plus(3 * SECOND_NS) };
        feed.request(&Event::new(last.seq, last.ts, NO_INSTRUMENT, &wake));
    }
    feed.batch().to_vec()
}

fn image(feed: &Feed) -> Vec<u8> {
    let mut out = ImageWriter::default();
    feed.save(&mut out);
    out.finish()
}

#[test]
fn an_imaged_feed_goes_on_as_the_original() {
    let (mut original, mut source) = (feed(), Generated::new(3, 3_600));
    let mut message = Message::default();
    for _ in 0..3_000 {
        turn(&mut original, &mut source, &mut message);
    }
    let bytes = image(&original);
    let mut restored = feed();
    let mut reader = ImageReader::new(&bytes);
    restored.load(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(image(&restored), bytes);
    let mut twin = source.clone();
    let (mut other, mut events, mut fills) = (Message::default(), 0, 0);
    while events < 10_000 {
        let told = turn(&mut original, &mut source, &mut message);
        assert_eq!(told, turn(&mut restored, &mut twin, &mut other));
        events += told.len();
        fills += told.iter().filter(|event| matches!(event.body(), Body::Fill(_))).count();
    }
    assert!(fills > 50, "{fills} fills: the venue took part");
    assert_eq!(image(&restored), image(&original));
    let cut = &bytes[..bytes.len() / 2];
    assert!(feed().load(&mut ImageReader::new(cut)).is_err());
}

#[test]
fn records_are_stamped_without_gaps_and_strictly_in_time() {
    let (mut feed, mut source) = (feed(), Generated::new(5, 600));
    let mut message = Message::default();
    let mut last = *feed.batch().last().unwrap();
    for _ in 0..2_000 {
        for event in turn(&mut feed, &mut source, &mut message) {
            let joined = last.flags & FLAG_MORE != 0;
            let step = u64::from(!joined);
            assert_eq!(event.seq.0, last.seq.0 + step, "a second half has its first half's seq");
            assert!(event.ts > last.ts || (joined && event.ts == last.ts));
            last = event;
        }
    }
}

#[test]
fn a_day_rolls_once_before_its_first_record_and_never_back() {
    let mut feed = feed();
    let tomorrow = Date(START.date().0 + 1).start();
    assert!(!feed.roll_before(START.plus(SECOND_NS)), "the first day began with the session");
    assert!(feed.roll_before(tomorrow.plus(5)));
    let roll = feed.batch()[0];
    assert_eq!(
        (roll.ts, roll.body()),
        (tomorrow, Body::DayRoll(DayRoll { date: tomorrow.date() }))
    );
    assert!(!feed.roll_before(tomorrow.plus(6)));
    assert!(!feed.roll_before(START), "a clock that steps back rolls nothing");
    assert!(
        feed.roll_before(tomorrow.plus(4 * model::time::DAY_NS)),
        "down for three days: one roll"
    );
    assert_eq!(feed.batch().len(), 1);
}

#[test]
fn at_equal_times_bars_close_first_then_data_then_reports_then_timers() {
    let mut feed = feed();
    let at = feed.now().plus(10 * SECOND_NS);
    let wake = Event::new(Seq(9), feed.now(), NO_INSTRUMENT, &Wake { due: at });
    feed.request(&wake);
    feed.request(&wake);
    assert_eq!(feed.next(None), Some(Next::Timer(at)), "asked for twice, it fires once");
    assert_eq!(feed.next(Some(at)), Some(Next::Data(at)));
    assert_eq!(feed.next(Some(at.plus(1))), Some(Next::Timer(at)));
    feed.fire_timer(at);
    assert_eq!(feed.next(None), None);
}

#[test]
fn what_accounts_need_is_taken_from_a_source_or_told_as_a_fault() {
    let mark = |mark| Body::MarkPrice(MarkPrice { mark: Price(mark), venue_ts: Nanos(0) });
    let funding = |mark| {
        let (rate, mark) = (Rate(100_000), Price(mark));
        Body::Funding(Funding { rate, mark, ..Funding::default() })
    };
    let rate = |from, rate| {
        let (from, to, rate) = (AssetId(from), AssetId(0), Money(rate));
        Body::FxRate(FxRate { rate, from, to, fixed: false })
    };
    let flow = |account, asset| {
        let (account, asset) = (AccountId(account), AssetId(asset));
        Body::CashFlow(CashFlow { amount: Money(5), account, asset, ..CashFlow::default() })
    };
    let rows = [
        (mark(5), None),
        (mark(0), Some(InputFault::NotPositive)),
        (funding(5), None),
        (funding(0), Some(InputFault::NoMark)),
        (rate(1, 5), None),
        (rate(1, 0), Some(InputFault::NotPositive)),
        (rate(9, 5), Some(InputFault::UnknownAccount)),
        (flow(0, 2), None),
        (flow(1, 2), Some(InputFault::UnknownAccount)),
        (flow(0, 3), Some(InputFault::UnknownAccount)),
    ];
    let mut feed = feed();
    let mut bad = 0;
    for (body, fault) in rows {
        let ts = feed.now().plus(5);
        let updates = vec![(InstrumentId(0), body)];
        feed.ingest(&Message { ts, source: 3, updates });
        let [event] = feed.batch() else { panic!("one record of {body:?}") };
        match fault {
            None => assert_eq!(event.body(), body),
            Some(fault) => {
                bad += 1;
                let expected = BadInput { line: 0, count: 1, source: 3, fault };
                assert_eq!(event.body(), Body::BadInput(expected), "{body:?}");
            }
        }
        assert_eq!((event.flags, feed.counts().bad), (FLAG_LAST, bad));
    }
}

#[test]
fn rates_of_the_configuration_enter_when_the_session_begins() {
    let (mut setup, instruments) = demo_setup(Kind::LinearPerpetual, |_| {});
    let from = RateSource::Fixed(2_000_000_000);
    setup.money.rates.push(RateSetup { asset: "ETH".to_owned(), from });
    let paper = Paper::new(&instruments, &[], &[], &setup.paper, &setup.assets);
    let mut feed = Feed::new(&setup, &instruments, Bars::default(), paper);
    feed.begin(START);
    let rates: Vec<_> = feed.batch().iter().filter(|e| e.kind() == EventKind::FxRate).collect();
    let [rate] = rates.as_slice() else { panic!("one rate") };
    let expected = FxRate { rate: Money::units(2), from: AssetId(2), to: AssetId(0), fixed: true };
    assert_eq!((rate.body(), rate.flags), (Body::FxRate(expected), FLAG_DERIVED));
    assert_eq!(feed.batch().last().map(Event::kind), Some(EventKind::DayRoll));
}
