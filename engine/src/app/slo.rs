//! `engine slo`: what was measured against what was promised.

use std::path::Path;

use serde_json::{Value, json};

use engine::latency::log::{Logged, read};
use engine::slo::burn::Urgency;
use engine::slo::file::Objectives;
use engine::slo::logged::Alarm;
use engine::slo::{About, Judged, Objective, journaled, load, logged};
use model::decimal::format_trimmed;
use model::num::RATE_SCALE;

use super::cli::{Cli, SloArgs};
use super::exit::{Failure, Finding};
use super::latency::micros;
use super::regular;
use super::show::out;

/// An objective with its verdict and its alerts.
struct Told<'a> {
    objective: &'a Objective,
    judged: Judged,
    alarms: Vec<Alarm>,
}

/// Runs the command: exit code 1 when an objective is missed, with `--strict` also when one has no
/// verdict.
///
/// # Errors
/// [`Failure`] when the input or the objectives cannot be read.
pub(super) fn run(cli: &Cli, args: &SloArgs) -> Result<Finding, Failure> {
    let text = text(&args.objectives)?;
    let Objectives { period_ns, all } = load(&text).map_err(|error| {
        Failure::usage(format!("--objectives {}: {error}", args.objectives.display()))
    })?;
    let mut log: Vec<Logged> = Vec::new();
    let found = if args.input.is_dir() {
        journaled::found(&args.input, &all)?
    } else {
        log = interval_log(&args.input)?;
        logged::found(&log, &all)
    };
    let told: Vec<Told<'_>> = all
        .iter()
        .zip(&found)
        .map(|(objective, found)| Told {
            objective,
            judged: objective.judge(found),
            alarms: logged::alarms(&log, objective, period_ns),
        })
        .collect();
    if cli.json {
        let objectives: Vec<Value> = told.iter().map(Told::object).collect();
        out(&json!({ "input": args.input.display().to_string(), "objectives": objectives })
            .to_string());
    } else {
        out(&format!("Objectives of {}", args.input.display()));
        told.iter().for_each(Told::print);
    }
    let missed = told.iter().any(|told| told.judged.met == Some(false));
    let unjudged = told.iter().any(|told| told.judged.met.is_none());
    Ok(if missed || (args.strict && unjudged) { Finding::Something } else { Finding::Nothing })
}

/// LIMIT: bytes of a file of objectives, and of an interval log: a month of seconds.
const OBJECTIVES_BYTES_MAX: usize = 1 << 20;
const LOG_BYTES_MAX: usize = 4 << 30;

fn text(path: &Path) -> Result<String, Failure> {
    let wrong = |what: String| {
        Failure::usage(format!("--objectives {}: {what}; name a TOML file", path.display()))
    };
    let bytes =
        regular::read(path, OBJECTIVES_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() > OBJECTIVES_BYTES_MAX {
        return Err(wrong(format!("it is larger than {OBJECTIVES_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))
}

fn interval_log(path: &Path) -> Result<Vec<Logged>, Failure> {
    let bytes = regular::read(path, LOG_BYTES_MAX).map_err(|error| {
        Failure::usage(format!(
            "{}: {error}; name an interval log (--latency-log of a session) or a journal's folder",
            path.display()
        ))
    })?;
    read(&bytes).map_err(|error| {
        Failure::Corrupt(anyhow::Error::new(error).context(path.display().to_string()))
    })
}

impl Told<'_> {
    /// Returns a figure in the unit of the objective.
    fn figure(&self, figure: i128) -> Value {
        match self.objective.about {
            About::Interval(_) => json!(u64::try_from(figure).unwrap_or(u64::MAX)),
            About::Uptime | About::ErrorRate => json!(format_trimmed(figure, RATE_SCALE)),
        }
    }

    fn about(&self) -> String {
        match self.objective.about {
            About::Interval(interval) => {
                format!("{} p{}", interval.name(), self.objective.percentile_text)
            }
            About::Uptime => "uptime".to_owned(),
            About::ErrorRate => "error_rate".to_owned(),
        }
    }

    fn object(&self) -> Value {
        let Self { objective, judged, alarms } = self;
        let alarms: Vec<Value> = alarms
            .iter()
            .map(|alarm| {
                json!({
                    "urgency": urgency(alarm.alert.urgency),
                    "window_ns": alarm.alert.window_ns,
                    "burn_milli": alarm.burns_milli.0,
                    "short_burn_milli": alarm.burns_milli.1,
                    "speaks": alarm.speaks,
                })
            })
            .collect();
        json!({
            "name": objective.name,
            "about": self.about(),
            "target": self.figure(objective.target),
            "actual": judged.actual.map(|actual| self.figure(actual)),
            "met": judged.met,
            "window": objective.window_text,
            "count": judged.count,
            "count_min": objective.count,
            "burn_milli": judged.burn_milli,
            "alerts": alarms,
            "why": judged.why,
        })
    }

    fn print(&self) {
        let Self { objective, judged, alarms } = self;
        let verdict = match judged.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "no verdict",
        };
        let actual = match (objective.about, judged.actual) {
            (_, None) => "-".to_owned(),
            (About::Interval(_), Some(ns)) => {
                format!("{} us", micros(u64::try_from(ns).unwrap_or(u64::MAX)))
            }
            (About::Uptime | About::ErrorRate, Some(share)) => {
                format!("{} %", format_trimmed(share, RATE_SCALE.saturating_sub(2)))
            }
        };
        let sign = if objective.about == About::Uptime { ">=" } else { "<=" };
        out(&format!(
            "  {verdict:<11} {:<24} {actual:>14}  {sign} {:<8} {}, window {}, {} samples",
            objective.name,
            objective.target_text,
            self.about(),
            objective.window_text,
            judged.count,
        ));
        if let Some(why) = &judged.why {
            out(&format!("  {:<11} {why}", ""));
        }
        for alarm in alarms.iter().filter(|alarm| alarm.speaks) {
            let (long, short) = alarm.burns_milli;
            out(&format!(
                "  {:<11} the budget burns {} times too fast, {} over the short window",
                urgency(alarm.alert.urgency),
                format_trimmed(long.into(), 3),
                format_trimmed(short.into(), 3),
            ));
        }
    }
}

fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Page => "page",
        Urgency::Ticket => "ticket",
    }
}
