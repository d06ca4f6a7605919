//! The file of objectives: TOML, checked as a whole, every fault told with its line.

use serde::Deserialize;
use toml::Spanned;

use crate::latency::{INTERVALS, Interval};
use model::decimal::parse_mantissa;
use model::num::RATE_SCALE;

/// What an objective is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A percentile of an interval.
    Interval(Interval),
    /// Share of the seconds in which orders could have been sent.
    Uptime,
    /// Venue rejects over intents.
    ErrorRate,
}

/// One objective, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// Its name, for people.
    pub name: String,
    /// What it is about.
    pub about: About,
    /// Of an interval: the percentile as written, and in thousandths of a percent.
    pub percentile_text: String,
    /// See `percentile_text`.
    pub percentile_milli: u64,
    /// The target: nanoseconds of an interval, a share in 1e-9 of a measure.
    pub target: i128,
    /// The target as written.
    pub target_text: String,
    /// The window before the end of the input in nanoseconds; none for all of it.
    pub window_ns: Option<u64>,
    /// The window as written.
    pub window_text: String,
    /// Samples that a verdict needs at least.
    pub count: u64,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objectives {
    /// The period of the budgets in nanoseconds.
    pub period_ns: u64,
    /// In order.
    pub all: Vec<Objective>,
}

/// Why a file cannot be used: every fault at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ObjectivesError(pub Vec<String>);

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    period: Option<Spanned<String>>,
    #[serde(default)]
    objective: Vec<Spanned<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    interval: Option<String>,
    measure: Option<String>,
    percentile: Option<toml::Value>,
    target: String,
    window: String,
    count: u64,
}

/// The period of the budgets, unless the file says otherwise.
const PERIOD: &str = "30d";
/// Measures, by name.
const MEASURES: [(&str, About); 2] = [("uptime", About::Uptime), ("error_rate", About::ErrorRate)];
/// Units of durations.
const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads a file's text.
///
/// # Errors
/// [`ObjectivesError`] with every fault, each with its line.
pub fn load(text: &str) -> Result<Objectives, ObjectivesError> {
    let written: Written =
        toml::from_str(text).map_err(|error| ObjectivesError(vec![error.to_string()]))?;
    let line = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1)
    };
    let mut faults = Vec::new();
    let period_at = written.period.as_ref().map_or(0, |period| period.span().start);
    let period = written.period.map_or_else(|| PERIOD.to_owned(), Spanned::into_inner);
    let period_ns = duration(&period).unwrap_or_else(|why| {
        faults.push(format!("line {}: period: {why}", line(period_at)));
        0
    });
    let mut all: Vec<Objective> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for row in written.objective {
        let at = line(row.span().start);
        let row = row.into_inner();
        let name = row.name.clone();
        let mut fault = |why: String| faults.push(format!("line {at}: objective `{name}`: {why}"));
        if names.contains(&name) {
            fault("another one has this name".to_owned());
        }
        all.extend(checked(row, &mut fault));
        names.push(name);
    }
    if all.is_empty() && faults.is_empty() {
        faults.push("there is no [[objective]] in it".to_owned());
    }
    if faults.is_empty() { Ok(Objectives { period_ns, all }) } else { Err(ObjectivesError(faults)) }
}

fn checked(row: Row, fault: &mut dyn FnMut(String)) -> Option<Objective> {
    let about = match about(&row) {
        Ok(about) => Some(about),
        Err(why) => {
            fault(why);
            None
        }
    };
    let is_measure = row.measure.is_some();
    let target =
        if is_measure { share(&row.target) } else { duration(&row.target).map(Into::into) };
    let target = target.map_err(|why| fault(format!("target: {why}"))).ok();
    let window_ns = match row.window.as_str() {
        "all" => Some(None),
        text => {
            duration(text).map(Some).map_err(|why| fault(format!("window: {why}, or all"))).ok()
        }
    };
    let percentile = match (&row.percentile, is_measure) {
        (None, true) => Some((String::new(), 0)),
        (Some(_), true) => {
            fault("percentile: a measure has none".to_owned());
            None
        }
        (None, false) => {
            fault("percentile: say which, e.g. 99".to_owned());
            None
        }
        (Some(value), false) => percentile(value).map_err(&mut *fault).ok(),
    };
    if row.count == 0 {
        fault("count: a verdict needs at least one sample".to_owned());
    }
    let (percentile_text, percentile_milli) = percentile?;
    Some(Objective {
        name: row.name,
        about: about?,
        percentile_text,
        percentile_milli,
        target: target?,
        target_text: row.target,
        window_ns: window_ns?,
        window_text: row.window,
        count: row.count,
    })
}

fn about(row: &Row) -> Result<About, String> {
    match (&row.interval, &row.measure) {
        (Some(name), None) => Interval::named(name).map(About::Interval).ok_or_else(|| {
            let known: Vec<&str> = INTERVALS.iter().map(|row| row.name).collect();
            format!("no interval is called `{name}`; there are {}", known.join(", "))
        }),
        (None, Some(name)) => {
            let found = MEASURES.iter().find(|(known, _)| known == name);
            found.map(|(_, about)| *about).ok_or_else(|| {
                let known: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
                format!("no measure is called `{name}`; there are {}", known.join(", "))
            })
        }
        _ => Err("name either an interval or a measure".to_owned()),
    }
}

/// Reads a duration such as `500ms`.
fn duration(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number: Option<u64> = digits.replace('_', "").parse().ok();
    let ns = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    ns.filter(|ns| *ns > 0)
        .ok_or_else(|| format!("`{text}` is no duration; write one such as 500ms, 10us or 1h"))
}

/// Reads a share such as `99.5%` as units of 1e-9.
fn share(text: &str) -> Result<i128, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| parse_mantissa(number.as_bytes(), RATE_SCALE.saturating_sub(2)).ok());
    let in_range = number.filter(|share| (0..=1_000_000_000).contains(share));
    in_range.map(i128::from).ok_or_else(|| format!("`{text}` is no share; write one such as 0.5%"))
}

/// Reads a percentile: above 0 and below 100, at most three decimals.
fn percentile(value: &toml::Value) -> Result<(String, u64), String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let milli = parse_mantissa(text.as_bytes(), 3).ok().and_then(|m| u64::try_from(m).ok());
    match milli.filter(|milli| (1..100_000).contains(milli)) {
        Some(milli) => Ok((text, milli)),
        None => Err(format!("percentile: `{text}` is not above 0 and below 100, e.g. 99.9")),
    }
}

impl Objective {
    /// Returns the percentile as histograms take it.
    #[must_use]
    pub fn percentile(&self) -> f64 {
        // It was read as a decimal number before.
        self.percentile_text.parse().unwrap_or(100.0)
    }
}
