//! The one place that reads the clock: for how long a command took and what is measured, never for
//! a decision.

use std::time::{Duration, Instant, SystemTime};

use engine::latency::Counter;
use rustix::time::{ClockId, clock_gettime};

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the program")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since its start.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns a duration in seconds with milliseconds, for results.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Returns the wall clock's time, for the head of a log that people read.
#[expect(clippy::disallowed_methods, reason = "this is where time enters the program")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}

/// What latencies are read from, and why.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// The counter.
    pub(super) counter: Counter,
    /// Its name.
    pub(super) name: &'static str,
    /// Why it was chosen.
    pub(super) why: String,
}

/// What the clock and the processor's counter told at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting(u64, u64);

impl Sighting {
    /// Reads both.
    pub(super) fn now() -> Self {
        both()
    }
}

/// How long, at least, the processor's counter is compared with the clock: two readings of that are
/// a few tens of nanoseconds wide, so the rate is right to 0.01 %, a tenth of what a histogram
/// tells apart.
const CALIBRATION_NS: u64 = 2_000_000;
/// Readings of which the tightest counts.
const TRIES: usize = 5;

/// Chooses what latencies are read from: the processor's time stamp counter, which takes half of
/// the time that the clock takes, where the kernel itself keeps time by it; it compares the
/// counters of all processors for that, and takes another clock when they differ. Elsewhere the
/// system's monotonic clock. `since` is best taken where a command begins: what it does before it
/// measures is the time in which both are compared.
pub(super) fn counter(since: Sighting) -> Chosen {
    match time_stamp_counter(since) {
        Ok(counter) => {
            let why = "constant, nonstop, and the kernel's own clock source".to_owned();
            Chosen { counter, name: "tsc", why }
        }
        Err(why) => {
            Chosen { counter: Counter::nanoseconds(monotonic), name: "CLOCK_MONOTONIC", why }
        }
    }
}

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_arch = "x86_64"))]
fn time_stamp_counter(_: Sighting) -> Result<Counter, String> {
    Err("this processor has no time stamp counter that is read here".to_owned())
}

#[cfg(target_arch = "x86_64")]
fn time_stamp_counter(since: Sighting) -> Result<Counter, String> {
    let told = |path: &str| {
        std::fs::read_to_string(path).map_err(|error| format!("unknown: {path}: {error}"))
    };
    let source =
        told("/sys/devices/system/clocksource/clocksource0/current_clocksource")?.trim().to_owned();
    if source != "tsc" {
        return Err(format!("the kernel's clock source is {source}, not the time stamp counter"));
    }
    let processor = told("/proc/cpuinfo")?;
    let flags = processor.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    for wanted in ["constant_tsc", "nonstop_tsc"] {
        if !flags.split_whitespace().any(|flag| flag == wanted) {
            return Err(format!("the processor does not tell {wanted}"));
        }
    }
    let Sighting(clock_from, from) = since;
    let Sighting(clock_to, to) = loop {
        let now = both();
        if now.0.saturating_sub(clock_from) >= CALIBRATION_NS {
            break now;
        }
    };
    let (ticks, ns) = (to.saturating_sub(from), clock_to.saturating_sub(clock_from));
    Counter::scaled(safe_arch::read_timestamp_counter, ticks, ns)
        .ok_or_else(|| format!("the time stamp counter moved by {ticks} in {ns} ns"))
}

/// Returns the clock, which is all there is here.
#[cfg(not(target_arch = "x86_64"))]
fn both() -> Sighting {
    Sighting(monotonic(), 0)
}

/// Returns the clock and the counter at one moment.
#[cfg(target_arch = "x86_64")]
fn both() -> Sighting {
    let read = || {
        let before = safe_arch::read_timestamp_counter();
        let clock = monotonic();
        let width = safe_arch::read_timestamp_counter().saturating_sub(before);
        (width, Sighting(clock, before.saturating_add(width >> 1)))
    };
    let tightest = (0..TRIES).map(|_| read()).min_by_key(|(width, _)| *width);
    tightest.map_or(Sighting(0, 0), |(_, both)| both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_ticks_with_the_clock() {
        let Chosen { counter, name, why } = counter(Sighting::now());
        let (clock, from) = (monotonic(), counter.now());
        while monotonic().saturating_sub(clock) < 3_000_000 {}
        let took = counter.ns(from, counter.now());
        // No upper bound that a busy host could break: only that it is neither still nor far off.
        assert!(took >= 2_900_000, "{name}, {why}: {took} ns in 3 ms");
    }
}
