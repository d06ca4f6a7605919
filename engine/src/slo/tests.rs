//! Objectives, verdicts and burn rates.

use proptest::prelude::*;

use super::burn::{ALERTS, Urgency};
use super::*;
use crate::latency::Interval;
use crate::latency::log::Logged;
use crate::latency::set::histogram;

const SIGNAL: &str = r#"
    [[objective]]
    name = "signal p95"
    interval = "tick_to_signal"
    percentile = 95
    target = "100us"
    window = "10s"
    count = 100
"#;

fn signal() -> Objective {
    load(SIGNAL).unwrap().all.remove(0)
}

fn samples(ns: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut made = histogram().unwrap();
    ns.into_iter().for_each(|ns| made.saturating_record(ns));
    made
}

#[test]
fn the_objectives_that_ship_are_read() {
    let shipped = load(include_str!("../../../deploy/objectives.toml")).unwrap();
    assert_eq!(shipped.period_ns, 30 * 24 * 3_600_000_000_000);
    let names: Vec<&str> = shipped.all.iter().map(|one| one.name.as_str()).collect();
    for expected in [
        "uptime",
        "error rate",
        "execution p99",
        "market data delay p95",
        "signal p95",
        "signal to order p95",
        "tick to decision p99",
    ] {
        assert!(names.contains(&expected), "no {expected} in {names:?}");
    }
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_line() {
    let text = r#"
period = "a month"
[[objective]]
name = "one"
interval = "tick_to_tick"
percentile = 100
target = "5"
window = "soon"
count = 0
[[objective]]
name = "one"
measure = "sleep"
percentile = 99
target = "500ms"
window = "all"
count = 1
[[objective]]
name = "three"
interval = "order_ack"
measure = "uptime"
target = "101%"
window = "1h"
count = 1
"#;
    let ObjectivesError(faults) = load(text).unwrap_err();
    let told = faults.join("\n");
    for expected in [
        "line 2: period: `a month` is no duration",
        "line 3: objective `one`: no interval is called `tick_to_tick`; there are feed_delay, ",
        "target: `5` is no duration",
        "window: `soon` is no duration",
        "percentile: `100` is not above 0 and below 100",
        "count: a verdict needs at least one sample",
        "line 10: objective `one`: another one has this name",
        "no measure is called `sleep`; there are uptime, error_rate",
        "percentile: a measure has none",
        "target: `500ms` is no share",
        "line 17: objective `three`: name either an interval or a measure",
        "target: `101%` is no share",
    ] {
        assert!(told.contains(expected), "no `{expected}` in\n{told}");
    }
    assert!(load("").unwrap_err().to_string().contains("no [[objective]]"));
    assert!(load("objectives = 1").unwrap_err().to_string().contains("unknown field"));
}

#[test]
fn an_interval_is_judged_by_its_percentile_and_too_few_samples_are_no_verdict() {
    let objective = signal();
    let judge = |of: Histogram<u64>| objective.judge(&Found::Interval(of));
    let met = judge(samples((0..1_000).map(|nth| if nth < 960 { 50_000 } else { 900_000 })));
    assert_eq!((met.met, met.count, met.why), (Some(true), 1_000, None));
    assert_eq!(met.burn_milli, Some(800), "4 % missed where 5 % may");
    let missed = judge(samples((0..1_000).map(|nth| if nth < 900 { 50_000 } else { 900_000 })));
    assert_eq!((missed.met, missed.burn_milli), (Some(false), Some(2_000)));
    assert!(missed.actual.unwrap().abs_diff(900_000) < 1_000);
    let few = judge(samples((0..99).map(|_| 5)));
    assert_eq!((few.met, few.count, few.burn_milli), (None, 99, None));
    assert_eq!(few.why.unwrap(), "99 samples, 100 are needed");
    let none = judge(samples([]));
    assert_eq!((none.met, none.actual), (None, None));
}

#[test]
fn measures_are_judged_against_us() {
    let text = r#"
        [[objective]]
        name = "up"
        measure = "uptime"
        target = "99.5%"
        window = "all"
        count = 60
        [[objective]]
        name = "errors"
        measure = "error_rate"
        target = "1%"
        window = "1h"
        count = 3
    "#;
    let objectives = load(text).unwrap().all;
    let rows = [
        (0, 995, 1_000, Some(true)),
        (0, 994, 1_000, Some(false)),
        (0, 59, 59, None),
        (1, 1, 100, Some(true)),
        (1, 1, 99, Some(false)),
        (1, 0, 3, Some(true)),
        (1, 0, 2, None),
        (1, 0, 0, None),
    ];
    for (index, part, whole, met) in rows {
        let judged = objectives[index].judge(&Found::Share { part, whole });
        assert_eq!(judged.met, met, "{part} of {whole}: {judged:?}");
    }
    let elsewhere = objectives[0].judge(&Found::Elsewhere("a journal"));
    assert_eq!((elsewhere.met, elsewhere.count), (None, 0));
    assert_eq!(elsewhere.why.unwrap(), "a journal tells it, and this is none");
}

#[test]
fn burn_factors_follow_from_the_period() {
    let month = 30 * 24 * 3_600_000_000_000;
    let told: Vec<_> =
        ALERTS.iter().map(|alert| (alert.urgency, alert.factor_milli(month))).collect();
    assert_eq!(
        told,
        [(Urgency::Page, 14_400), (Urgency::Page, 6_000), (Urgency::Ticket, 1_000)],
        "30 days: 14.4, 6 and 1"
    );
    let shorts: Vec<u64> = ALERTS.iter().map(|a| a.short_ns() / 60_000_000_000).collect();
    assert_eq!(shorts, [5, 30, 360], "minutes");
    let week = month / 30 * 7;
    assert_eq!(ALERTS[0].factor_milli(week), 3_360);
    assert!(ALERTS[0].speaks(month, 14_400, 20_000) && !ALERTS[0].speaks(month, 14_400, 14_399));
}

proptest! {
    /// A budget that burns at the factor for the whole window has lost the alert's share of it.
    #[test]
    fn a_factor_is_what_the_alert_says(days in 7_u64..400) {
        let period = days * 24 * 3_600_000_000_000;
        for alert in ALERTS {
            let gone = u128::from(alert.factor_milli(period)) * u128::from(alert.window_ns);
            let share = gone / u128::from(period);
            prop_assert!(share.abs_diff(u128::from(alert.share_milli)) <= 1, "{alert:?}");
        }
    }
}

/// A second of a log.
fn second(at: u64, ns: u64, count: usize) -> Logged {
    Logged {
        tag: Interval::TickToSignal.name().to_owned(),
        start_ns: at * 1_000_000_000,
        length_ns: 1_000_000_000,
        histogram: samples(std::iter::repeat_n(ns, count)),
    }
}

#[test]
fn a_window_is_the_end_of_a_log() {
    // Twenty bad seconds, then ten good ones.
    let log: Vec<Logged> =
        (0..30).map(|at| second(at, if at < 20 { 900_000 } else { 50_000 }, 50)).collect();
    let mut objective = signal();
    let judge = |objective: &Objective| {
        let found = logged::found(&log, std::slice::from_ref(objective));
        objective.judge(&found[0])
    };
    assert_eq!((judge(&objective).met, judge(&objective).count), (Some(true), 500));
    objective.window_ns = Some(11_000_000_000);
    assert_eq!((judge(&objective).met, judge(&objective).count), (Some(false), 550));
    objective.window_ns = None;
    assert_eq!(judge(&objective).count, 1_500);
    objective.about = About::Uptime;
    assert!(judge(&objective).why.unwrap().contains("a journal"));
    assert!(logged::alarms(&log, &signal(), 1).is_empty(), "no window of an alert is covered");
}

#[test]
fn an_alert_speaks_while_both_of_its_windows_burn() {
    let month = 30 * 24 * 3_600_000_000_000;
    let hour = |bad_from: u64, bad_to: u64| -> Vec<Logged> {
        let minute = |at: u64| {
            let ns = if (bad_from..bad_to).contains(&at) { 900_000 } else { 50_000 };
            Logged { length_ns: 60_000_000_000, ..second(at * 60, ns, 100) }
        };
        (0..61).map(minute).collect()
    };
    let speaks = |log: &[Logged]| logged::alarms(log, &signal(), month)[0].speaks;
    // 5 % may miss: all of them is a burn of 20, and 14.4 is needed over an hour and five minutes.
    assert!(speaks(&hour(0, 61)));
    assert!(!speaks(&hour(0, 55)), "it is over");
    assert!(!speaks(&hour(30, 61)), "it is new");
}
