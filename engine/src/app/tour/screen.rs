//! What people see of the demonstration: one screen that is drawn anew where stdout is a terminal,
//! plain lines elsewhere.

use std::path::Path;
use std::time::Duration;

use console::{Term, measure_text_width, truncate_str};
use engine::generate::START;
use engine::latency::log;
use engine::portfolio::at;
use engine::replica::{Glance, Holding};
use engine::session::Session;
use model::decimal::format_trimmed;
use model::event::Event;
use model::id::InstrumentId;
use model::num::{Money, Rounding, mul_div};
use model::order::FeedStatus;
use serde_json::Value;

use super::acts::{Acts, clock, is_refusal, rule, text};
use crate::app::clock::Clock;
use crate::app::latency::micros;
use crate::app::show;

/// News that stay on the screen.
const NEWS: usize = 4;
/// How often a line of state is printed where there is no screen.
const LINE_EVERY: Duration = Duration::from_secs(4);
/// A whole in units of 1e-9 of a percent.
const ONE_PERCENTS: i128 = 100_000_000_000;
/// LIMIT: widest line; on a narrower terminal lines are cut there.
const WIDTH_MAX: usize = 118;
/// How often the log of latencies is read again: it has one entry a second.
const LATENCY_EVERY: Duration = Duration::from_secs(1);

/// The screen.
#[derive(Debug)]
pub(super) struct Screen {
    seed: u64,
    /// The terminal, unless plain lines are wanted.
    term: Option<Term>,
    /// Lines that stand on it and are to be replaced.
    drawn: usize,
    news: Vec<String>,
    refusal: String,
    since_line: Option<Clock>,
    since_latency: Option<Clock>,
    latency: String,
}

impl Screen {
    /// Returns a screen; `live` draws it where stdout is a terminal.
    pub(super) fn new(seed: u64, live: bool) -> Self {
        let term = Term::stdout();
        let term = (live && term.is_term()).then_some(term);
        if term.is_none() {
            show::out("Paper money on a generated market: no network, nothing at risk.");
        }
        Self {
            seed,
            term,
            drawn: 0,
            news: Vec::new(),
            refusal: String::new(),
            since_line: None,
            since_latency: None,
            latency: String::new(),
        }
    }

    /// Tells that an act is complete, where no screen shows all of them.
    pub(super) fn act(&mut self, text: &str) {
        if self.term.is_none() {
            show::out(text);
        }
    }

    /// Tells something that has happened beside the acts.
    pub(super) fn say(&mut self, text: &str) {
        if self.term.is_none() {
            show::out(text);
        }
        self.news.push(text.to_owned());
        let over = self.news.len().saturating_sub(NEWS);
        self.news.drain(..over);
    }

    /// Takes notice of an event.
    pub(super) fn see(&mut self, event: &Event, object: &Value) {
        if is_refusal(event) {
            let (value, limit) = (text(object, "observed"), text(object, "limit"));
            let values = match (value.is_empty(), limit.is_empty()) {
                (false, false) => format!(": {value}, limit {limit}"),
                _ => String::new(),
            };
            self.refusal = format!(
                "{} {} refused by {}{values}",
                clock(event),
                text(object, "symbol"),
                rule(object)
            );
        }
    }

    /// Draws the state.
    pub(super) fn draw(&mut self, glance: &Glance, session: &Session, acts: &Acts, log: &Path) {
        let stale = |since: Option<Clock>, every| since.is_none_or(|s| s.elapsed() >= every);
        if stale(self.since_latency, LATENCY_EVERY) {
            self.since_latency = Some(Clock::start());
            if let Some(told) = latency(log) {
                self.latency = told;
            }
        }
        if self.term.is_some() {
            let lines = self.lines(glance, session, acts);
            self.replace(&lines);
        } else if stale(self.since_line, LINE_EVERY) && glance.ts > START {
            self.since_line = Some(Clock::start());
            show::out(&self.line(glance, session));
        }
    }

    /// Leaves what is drawn where it stands.
    pub(super) fn done(&mut self) {
        self.drawn = 0;
    }

    fn replace(&mut self, lines: &[String]) {
        let Some(term) = &self.term else { return };
        let width = usize::from(term.size().1).clamp(20, WIDTH_MAX);
        // A terminal that takes nothing shows nothing; the result is printed behind it anyway.
        term.clear_last_lines(self.drawn).ok();
        for line in lines {
            let line = match measure_text_width(line) > width {
                true => truncate_str(line, width, "..").into_owned(),
                false => line.clone(),
            };
            term.write_line(&line).ok();
        }
        self.drawn = lines.len();
    }

    /// The state as one line.
    fn line(&self, glance: &Glance, session: &Session) -> String {
        let [decisions, approvals, _] = glance.verdicts;
        format!(
            "{} equity {}, {} positions, {} open orders, {} fills, {} of {decisions} refused{}",
            time(glance),
            equity(glance, session),
            glance.holdings.len(),
            glance.orders.len(),
            glance.fills,
            decisions.saturating_sub(approvals),
            match self.latency.is_empty() {
                true => String::new(),
                false => format!("; {}", self.latency),
            }
        )
    }

    /// The state as a screen.
    fn lines(&self, glance: &Glance, session: &Session, acts: &Acts) -> Vec<String> {
        let row = |name: &str, text: String| format!("{name:<11}{text}");
        let [decisions, approvals, cuts] = glance.verdicts;
        let mut lines = vec![
            format!(
                "Sluice: paper money on a generated market, seed {}; nothing at risk",
                self.seed
            ),
            row("time", time(glance)),
            row("equity", equity(glance, session)),
        ];
        let held: Vec<String> = glance.holdings.iter().map(|h| holding(h, session)).collect();
        lines.push(row("positions", or_none(&held)));
        lines.push(row(
            "orders",
            format!(
                "{} open, {approvals} approved ({cuts} cut), {} fills",
                glance.orders.len(),
                glance.fills
            ),
        ));
        let code = |code| session.bound.code_name(code);
        let refused: Vec<String> =
            glance.refusals.iter().take(5).map(|(c, n)| format!("{n} {}", code(*c))).collect();
        let count = decisions.saturating_sub(approvals);
        lines.push(row("refused", format!("{count}: {}", or_none(&refused))));
        lines.push(row("", self.refusal.clone()));
        let latches: Vec<String> = glance.latches.iter().map(|(c, _)| code(*c)).collect();
        lines.push(row("latches", or_none(&latches)));
        lines.push(row("feeds", feeds(glance, session)));
        lines.push(row("latency", self.latency.clone()));
        lines.push(String::new());
        lines.extend(acts.lines());
        lines.extend(self.news.iter().cloned());
        lines
    }
}

fn or_none(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn time(glance: &Glance) -> String {
    glance.ts.to_string().get(..19).unwrap_or_default().to_owned()
}

/// Returns an amount with two decimals, rounded down.
fn cents(amount: Money) -> String {
    let cents = amount.0.div_euclid(10_000_000);
    let sign = if cents < 0 { "-" } else { "" };
    let all = cents.unsigned_abs();
    let (whole, part) = (all.checked_div(100), all.checked_rem(100));
    format!("{sign}{}.{:02}", whole.unwrap_or(0), part.unwrap_or(0))
}

fn equity(glance: &Glance, session: &Session) -> String {
    let asset = &session.setup.reporting;
    let Some(equity) = glance.equity else {
        return "unknown: something held has no price".to_owned();
    };
    let since = glance.start.map_or_else(String::new, |start| {
        let change = equity.0.saturating_sub(start.0);
        format!(" ({}{})", if change < 0 { "" } else { "+" }, cents(Money(change)))
    });
    let drawdown = glance
        .day_drawdown
        .and_then(|(fall, base)| mul_div(fall.0, ONE_PERCENTS, base.0.max(1), Rounding::Ceil));
    let drawdown = drawdown
        .map_or_else(String::new, |d| format!(", {} % below the day's high", cents(Money(d))));
    let exposure = glance.exposure.map_or_else(String::new, |e| format!(", exposure {}", cents(e)));
    format!("{} {asset}{since}{drawdown}{exposure}", cents(equity))
}

fn holding(holding: &Holding, session: &Session) -> String {
    let name = symbol(session, holding.instrument);
    let gain = holding.unrealised.map_or_else(String::new, |gain| format!(" ({})", cents(gain)));
    format!("{} {name}{gain}", format_trimmed(holding.position.qty.0, 9))
}

fn symbol(session: &Session, id: InstrumentId) -> String {
    let found = at(&session.instruments, id).map(|instrument| instrument.symbol.to_string());
    let name = found.unwrap_or_default();
    name.strip_prefix("demo:").map_or(name.clone(), str::to_owned)
}

fn feeds(glance: &Glance, session: &Session) -> String {
    let whole = glance.feeds.iter().filter(|feed| **feed == FeedStatus::Synced).count();
    let mut texts = vec![format!("{whole} of {} synced", glance.feeds.len())];
    for (index, feed) in glance.feeds.iter().enumerate() {
        if *feed != FeedStatus::Synced {
            let id = engine::portfolio::instrument_id(index);
            texts.push(format!("{} {feed:?}", symbol(session, id)));
        }
    }
    texts.join(", ")
}

/// Returns what the log of latencies says of its last second.
fn latency(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    // The last line may be half written.
    let end = bytes.iter().rposition(|byte| *byte == b'\n')?;
    let logged = log::read(bytes.get(..=end)?).ok()?;
    let told = |tag: &str| {
        let last = logged.iter().rev().find(|one| one.tag == tag)?;
        let at = |percentile| micros(last.histogram.value_at_percentile(percentile));
        Some(format!("{tag} {} us, p99 {} us", at(50.0), at(99.0)))
    };
    let both: Vec<String> = ["tick_to_wire", "tick_quiet"].iter().filter_map(|t| told(t)).collect();
    (!both.is_empty()).then(|| both.join("; "))
}
