//! What an interval log tells: the samples of an interval, over a window before its end.

use hdrhistogram::Histogram;

use super::burn::{self, ALERTS, Alert};
use super::{About, Found, Objective};
use crate::latency::log::Logged;
use crate::latency::set::histogram;

/// An alert, at the paces that a log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub alert: Alert,
    /// Burns over its long and its short window, in thousandths.
    pub burns_milli: (u64, u64),
    /// Whether somebody has to know.
    pub speaks: bool,
}

/// Judges objectives by a log.
#[must_use]
pub fn found(log: &[Logged], objectives: &[Objective]) -> Vec<Found> {
    objectives
        .iter()
        .map(|objective| match (objective.about, samples(log, objective, objective.window_ns)) {
            (About::Interval(_), Some(samples)) => Found::Interval(samples),
            _ => Found::Elsewhere("a journal"),
        })
        .collect()
}

/// Judges the alerts of an objective whose windows a log covers.
#[must_use]
pub fn alarms(log: &[Logged], objective: &Objective, period_ns: u64) -> Vec<Alarm> {
    let length = end(log).saturating_sub(log.iter().map(|one| one.start_ns).min().unwrap_or(0));
    let covered = ALERTS.iter().filter(|alert| alert.window_ns <= length);
    let judged = covered.filter_map(|alert| {
        let burn = |window| burn::of(objective, &samples(log, objective, Some(window))?);
        let (long, short) = (burn(alert.window_ns)?, burn(alert.short_ns())?);
        let speaks = alert.speaks(period_ns, long, short);
        Some(Alarm { alert: *alert, burns_milli: (long, short), speaks })
    });
    judged.collect()
}

fn end(log: &[Logged]) -> u64 {
    log.iter().map(|one| one.start_ns.saturating_add(one.length_ns)).max().unwrap_or(0)
}

/// Returns the samples of an objective's interval in the window before the log's end; an interval
/// of the log that begins before the window and ends in it counts.
fn samples(log: &[Logged], objective: &Objective, window: Option<u64>) -> Option<Histogram<u64>> {
    let About::Interval(interval) = objective.about else { return None };
    let from = window.map_or(0, |window| end(log).saturating_sub(window));
    let mut all = histogram()?;
    for one in log.iter().filter(|one| one.tag == interval.name()) {
        if window.is_none() || one.start_ns.saturating_add(one.length_ns) > from {
            // Of another precision or range it would be a log of another program.
            all.add(&one.histogram).ok();
        }
    }
    Some(all)
}
