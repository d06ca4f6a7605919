//! The sequencer: stamps, ties, day rolls, and an image that goes on as the original.

use model::codec::{Image, ImageReader, ImageWriter};
use model::event::{OrderSent, Wake};
use model::instrument::Kind;
use model::num::{Price, Qty};
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
    setup.paper = PaperSetup { order_latency_ns: 2_000_000, response_latency_ns: 2_000_000 };
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
    if last.seq.0.is_multiple_of(50) && last.instrument != NO_INSTRUMENT {
        let sent = OrderSent {
            order: OrderNo::new(last.seq, 0),
            price: Price(if last.instrument.0 == 0 { 360_000 } else { 260_000 }),
            qty: Qty(60),
            side: Side::Buy,
            tif: TimeInForce::Ioc,
            reduces: false,
            post_only: false,
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
    let tomorrow = START.plus(model::time::DAY_NS);
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
