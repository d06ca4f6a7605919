//! Points, stamps and logs, by a counter that the test moves.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use model::event::{Decision, Event, Signal};
use model::id::{InstrumentId, OrderNo, Seq};
use model::order::Action;
use model::time::Nanos;

use super::log::{Begin, LogThread, read};
use super::meter::{Basis, EXCHANGE_NS};
use super::trail::{MESSAGES, Times, Which};
use super::*;
use crate::sync::Arc;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

fn look() -> u64 {
    NOW.with(Cell::get)
}

fn at(ns: u64) {
    NOW.with(|now| now.set(ns));
}

fn measure(every: u64, collector: Option<Arc<Collector>>) -> Measure {
    Measure { counter: Counter::nanoseconds(look), basis: Basis::Service, every, collector }
}

fn signal(seq: u64, ordinal: u16) -> Event {
    let signal = Signal { ordinal, action: Action::Enter, ..Signal::default() };
    Event::new(Seq(seq), Nanos(1), InstrumentId(0), &signal)
}

fn decision(seq: u64, ordinal: u16) -> Event {
    let decision = Decision { ordinal, ..Decision::default() };
    Event::new(Seq(seq), Nanos(1), InstrumentId(0), &decision)
}

fn counts(sets: &[Set]) -> Vec<(&'static str, u64, u64)> {
    let all = sets.iter().flat_map(|set| set.recorded());
    all.map(|(interval, histogram)| (interval.name(), histogram.len(), histogram.max())).collect()
}

#[test]
fn the_table_has_a_row_for_each_interval_in_order_under_a_name_of_its_own() {
    let mut names: Vec<&str> = Vec::new();
    for (index, row) in INTERVALS.iter().enumerate() {
        assert_eq!(row.interval as usize, index, "{}", row.name);
        assert_eq!(Interval::named(row.name), Some(row.interval));
        assert_eq!(row.interval.name(), row.name);
        assert!(row.from < row.to, "{}", row.name);
        names.push(row.name);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), INTERVALS.len());
    assert_eq!(Interval::named("tick_to_tick"), None);
}

#[test]
fn a_counter_of_any_rate_tells_nanoseconds() {
    let rows = [(1_u64, 1_u64, 1_000_u64, 1_000_u64), (3, 1, 3_000, 1_000), (2_100, 1_000, 21, 10)];
    for (ticks, ns, passed, expected) in rows {
        let counter = Counter::scaled(look, ticks, ns).unwrap();
        assert!(counter.ns(5, 5 + passed).abs_diff(expected) <= 1, "{ticks} ticks in {ns} ns");
        assert!(counter.ticks(expected).abs_diff(passed) <= 3, "{ticks} ticks in {ns} ns");
        assert_eq!(counter.ns(9, 5), 0, "not later");
        assert!(counter.ns(0, u64::MAX) > 0);
    }
    assert!(Counter::scaled(look, 0, 5).is_none());
    assert!(Counter::scaled(look, 5, 0).is_none());
}

#[test]
fn an_order_is_attributed_to_the_message_that_caused_it_and_a_quiet_tick_is_kept_apart() {
    at(1_000);
    let [mut feed, mut strategy, mut risk, mut egress] = measure(1, None).meters();
    let settle = |stages: [&mut Meter; 3]| stages.map(Meter::settle);
    // A quiet tick of 400 ns.
    feed.receive(None, true);
    at(1_100);
    feed.parsed();
    at(1_150);
    feed.sequenced();
    at(1_400);
    settle([&mut strategy, &mut risk, &mut egress]);
    feed.done(true);
    // One that was due at 1,500, came at 2,000 and leads to two signals, of which one leaves.
    at(2_000);
    feed.receive(Some(1_500), true);
    feed.parsed();
    feed.sequenced();
    at(2_300);
    strategy.told(&[signal(9, 0)]);
    at(2_350);
    strategy.told(&[signal(9, 1)]);
    at(2_500);
    risk.told(&[signal(9, 0), decision(9, 0)]);
    at(2_600);
    risk.told(&[decision(9, 1)]);
    at(4_000);
    egress.left(OrderNo::new(Seq(9), 1), 3_000, 3_100);
    settle([&mut strategy, &mut risk, &mut egress]);
    feed.done(false);
    // An order that this message did not ask for: nothing is guessed.
    at(5_000);
    feed.receive(None, false);
    feed.sequenced();
    at(5_700);
    egress.left(OrderNo::new(Seq(9), 0), 5_600, 5_650);
    // Values are kept to three digits: the longest reads 2,501.
    let sets: Vec<_> = [feed, strategy, risk, egress].iter_mut().filter_map(Meter::take).collect();
    assert_eq!(
        counts(&sets),
        [
            ("wire_to_feed", 2, 500),
            ("tick_quiet", 1, 400),
            ("feed", 2, 50),
            ("tick_to_signal", 2, 850),
            ("strategy", 2, 350),
            ("tick_to_decision", 2, 1_100),
            ("risk", 2, 250),
            ("tick_to_intent", 2, 1_500),
            ("tick_to_wire", 2, 2_501),
            ("gate_wait", 1, 500),
            ("signal_to_order", 1, 1_650),
            ("egress", 2, 900),
        ]
    );
    assert_eq!(sets.iter().map(|set| set.lost).sum::<u64>(), 2);
    // That risk passes a signal on does not move its t5.
    assert_eq!(sets[2].get(Interval::RiskStage).unwrap().min(), 200);
}

#[test]
fn one_of_so_many_ticks_is_sampled_and_a_meter_that_is_off_measures_nothing() {
    let [mut feed, ..] = measure(4, None).meters();
    for nth in 1..=100 {
        at(nth * 1_000);
        feed.receive(None, true);
        feed.parsed();
        feed.sequenced();
        at(nth * 1_000 + 10);
        feed.done(nth % 8 != 0);
    }
    let set = feed.take().unwrap();
    assert_eq!(set.get(Interval::WireToFeed).unwrap().len(), 25);
    assert_eq!(set.get(Interval::TickQuiet).unwrap().len(), 13);
    let mut off = Meter::off();
    off.receive(None, true);
    off.sequenced();
    off.told(&[signal(1, 0)]);
    assert_eq!((off.stamp(), off.take().is_none()), (0, true));
}

#[test]
fn what_was_overwritten_is_not_given_to_another() {
    let trail = Trail::new();
    trail.note(1, Times { received: 5, sequenced: 6 });
    assert_eq!(trail.times(1), Some(Times { received: 5, sequenced: 6 }));
    trail.note(1 + MESSAGES as u64, Times::default());
    assert_eq!(trail.times(1), None);
    trail.note_order(Which::Signal, 77, 1, 9);
    assert_eq!(trail.order(Which::Signal, 77, 1), Some(9));
    assert_eq!(trail.order(Which::Signal, 77, 2), None, "of another message");
    assert_eq!(trail.order(Which::Verdict, 77, 1), None);
}

#[test]
fn a_deep_percentile_needs_a_million_samples() {
    let mut set = Set::whole();
    for ns in 1..1_000_000 {
        set.record(Interval::TickQuiet, ns);
    }
    let rows = |set: &Set| Latencies::of([set.clone()], Basis::Service, 1).rows();
    assert_eq!(rows(&set)[0].p99_99, None);
    set.record(Interval::TickQuiet, 100_000_000_000_000);
    let row = rows(&set)[0];
    assert_eq!((row.count, row.max >= set::LATENCY_NS_MAX), (1_000_000, true));
    // Within the three digits that are kept.
    assert!(row.p50.abs_diff(500_000) <= 500, "{row:?}");
    assert!(row.p99_99.unwrap().abs_diff(999_900) <= 1_000, "{row:?}");
}

#[test]
fn a_log_of_each_second_is_read_back_with_what_was_recorded() {
    at(0);
    let collector = Arc::new(Collector::default());
    let counter = Counter::nanoseconds(look);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("latency.hlog");
    let begin = Begin { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(9), at: 0, counter };
    let file = std::fs::File::create(&path).unwrap();
    let log = LogThread::start(file, begin, Arc::clone(&collector)).unwrap();
    let [mut feed, mut strategy, ..] = measure(1, Some(collector)).meters();
    let mut recorded = 0;
    for nth in 0..400_u64 {
        // 100 a second, each 1 us.
        at(1_000 + nth * EXCHANGE_NS / 100);
        feed.receive(None, true);
        feed.parsed();
        feed.sequenced();
        at(look() + 1_000);
        feed.done(true);
        recorded += 1;
        if nth % 100 == 99 {
            // The log's thread has given back what it had: it looks every 50 ms.
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }
    strategy.told(&[signal(1, 0)]);
    let total = log.finish(vec![feed.take().unwrap(), strategy.take().unwrap()]).unwrap();
    assert_eq!(total.get(Interval::TickQuiet).unwrap().len(), recorded);
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("#[StartTime: 9.000") && text.contains("#[BaseTime: 9.000"), "{text}");
    assert!(text.contains("Tag=tick_quiet,"), "{text}");
    let logged = read(&bytes).unwrap();
    let quiet: Vec<_> = logged.iter().filter(|one| one.tag == "tick_quiet").collect();
    assert_eq!(quiet.iter().map(|one| one.histogram.len()).sum::<u64>(), recorded);
    assert!(quiet.len() >= 2, "a line for each second");
    assert!(quiet.iter().all(|one| one.histogram.max().abs_diff(1_000) <= 1));
    assert!(quiet.windows(2).all(|two| two[0].start_ns < two[1].start_ns));
    assert!(quiet[0].length_ns >= EXCHANGE_NS, "{}", quiet[0].length_ns);
    assert!(read(b"1,2,3\n").is_err(), "no log");
}

#[test]
fn the_document_names_every_point_and_interval() {
    let document = include_str!("../../../docs/latency.md");
    for row in INTERVALS {
        assert!(document.contains(&format!("`{}`", row.name)), "{}", row.name);
    }
    for point in 0..=10 {
        assert!(document.contains(&format!("| t{point} |")), "t{point}");
    }
}
