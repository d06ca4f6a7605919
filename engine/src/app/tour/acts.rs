//! What is to be seen in the demonstration, in its order, and the evidence of what was.

use std::collections::BTreeSet;

use model::event::{Body, Event, Kind};
use model::id::InstrumentId;
use model::order::{Action, FeedStatus, LatchState, Verdict};
use model::reject::Code;
use serde_json::Value;

/// An act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Two strategies trade.
    Trade,
    /// A cap cuts an order.
    Cap,
    /// A feed misses a message; what would trade on it is refused until a snapshot has come.
    Gap,
    /// Prices crash, and a latch arms.
    Latch,
    /// A stop-loss passes under the latch.
    Stop,
    /// The engine is killed, and goes on where it stood.
    Resume,
    /// A new day ends the latch of the day.
    Day,
    /// Replay decides the same.
    Replay,
}

/// All of them, in order, with what each claims.
const ACTS: [(Act, &str); 8] = [
    (Act::Trade, "two strategies trade"),
    (Act::Cap, "a cap cuts an order"),
    (Act::Gap, "a feed gap: refused until it is whole again"),
    (Act::Latch, "a crash: the day's drawdown latches"),
    (Act::Stop, "a stop-loss passes under the latch"),
    (Act::Resume, "killed by SIGKILL, back where it stood"),
    (Act::Day, "a new day ends the day's latch"),
    (Act::Replay, "replay decides the same, in both topologies"),
];

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Acts {
    seen: [Option<String>; ACTS.len()],
    failed: Vec<String>,
    traded: BTreeSet<u16>,
    /// The signal whose verdict comes next, as an object.
    signal: Option<(Action, Value)>,
    /// A feed that is not whole: since when, and how many orders were refused for it.
    gap: Option<Gap>,
    armed: Vec<(Code, InstrumentId)>,
}

#[derive(Debug)]
struct Gap {
    instrument: InstrumentId,
    object: Value,
    since: Event,
    refused: u64,
    by: String,
}

impl Acts {
    /// Takes notice of an event; returns a line when an act is complete by it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others show nothing of the script")]
    pub(super) fn see(
        &mut self,
        event: &Event,
        object: &Value,
        strategies: &[String],
    ) -> Option<String> {
        match event.body() {
            Body::Signal(signal) => {
                self.signal = Some((signal.action, object.clone()));
                None
            }
            Body::Decision(decision) if decision.verdict == Verdict::Approve => {
                let name = strategies.get(usize::from(decision.strategy.0));
                self.approved(event, object, decision.strategy.0, name.map_or("", |n| n.as_str()))
            }
            Body::Decision(_) => {
                if let Some(gap) = &mut self.gap
                    && gap.instrument == event.instrument
                    && text(object, "rule") == "FEED_READY"
                {
                    gap.refused = gap.refused.saturating_add(1);
                    gap.by = rule(object);
                }
                None
            }
            Body::FeedState(state) => self.feed(event, object, state.status),
            Body::LatchChanged(changed) => self.latch(event, object, (changed.code, changed.state)),
            _ => None,
        }
    }

    fn approved(
        &mut self,
        event: &Event,
        object: &Value,
        strategy: u16,
        name: &str,
    ) -> Option<String> {
        let (action, signal) = self.signal.clone()?;
        let symbol = text(object, "symbol");
        let (side, asked, passed) =
            (text(&signal, "side"), text(&signal, "qty"), text(object, "qty"));
        let order = format!("{} {passed} {symbol}", side.to_lowercase());
        if !self.armed.is_empty() && action == Action::Exit && text(&signal, "rule") == "HOLD_STOP"
        {
            let evidence = format!("{} of `{name}`: {order}, approved", rule(&signal));
            return self.once(Act::Stop, event, &evidence);
        }
        if !text(object, "rule").is_empty() && asked != passed {
            let evidence = format!("{}: asked {asked}, passed {order}", rule(object));
            return self.once(Act::Cap, event, &evidence);
        }
        self.traded.insert(strategy);
        if self.traded.len() > 1 {
            let evidence = format!("the second, `{name}`, by {}: {order}", rule(&signal));
            return self.once(Act::Trade, event, &evidence);
        }
        None
    }

    fn feed(&mut self, event: &Event, object: &Value, status: FeedStatus) -> Option<String> {
        match status {
            FeedStatus::Gap => {
                self.gap = Some(Gap {
                    instrument: event.instrument,
                    object: object.clone(),
                    since: *event,
                    refused: 0,
                    by: String::new(),
                });
                None
            }
            FeedStatus::Synced => {
                let gap = self.gap.take_if(|gap| gap.instrument == event.instrument)?;
                if gap.refused == 0 {
                    return None;
                }
                let seconds = event.ts.since(gap.since.ts).checked_div(1_000_000_000).unwrap_or(0);
                let evidence = format!(
                    "{}: update {} was due and {} came; {} refused meanwhile, the last by {}; \
                     whole again after {seconds} s",
                    text(object, "symbol"),
                    text(&gap.object, "expected"),
                    text(&gap.object, "received"),
                    gap.refused,
                    gap.by,
                );
                self.once(Act::Gap, event, &evidence)
            }
            FeedStatus::Resync | FeedStatus::Stale => None,
        }
    }

    fn latch(
        &mut self,
        event: &Event,
        object: &Value,
        (code, state): (Code, LatchState),
    ) -> Option<String> {
        let latch = (code, event.instrument);
        let was = self.armed.contains(&latch);
        self.armed.retain(|known| *known != latch);
        match state {
            LatchState::Armed => {
                self.armed.push(latch);
                let (value, limit) = (text(object, "observed"), text(object, "limit"));
                let evidence = format!("{}: {value}, limit {limit}", rule(object));
                self.once(Act::Latch, event, &evidence)
            }
            LatchState::Ended if was => {
                let evidence = format!("{} ended with the day", rule(object));
                self.once(Act::Day, event, &evidence)
            }
            LatchState::Ended | LatchState::Waiting => None,
        }
    }

    fn once(&mut self, act: Act, event: &Event, evidence: &str) -> Option<String> {
        let known = ACTS.iter().position(|(one, _)| *one == act)?;
        if self.seen.get(known).is_some_and(Option::is_some) {
            return None;
        }
        Some(self.done(act, &format!("{} {evidence}", clock(event))))
    }

    /// Notes that an act is complete, and returns the line that tells it.
    pub(super) fn done(&mut self, act: Act, evidence: &str) -> String {
        let nth = ACTS.iter().position(|(one, _)| *one == act).unwrap_or(0);
        if let Some(seen) = self.seen.get_mut(nth) {
            *seen = Some(evidence.to_owned());
        }
        let claim = ACTS.get(nth).map_or("", |(_, claim)| *claim);
        format!("[{}/{}] {claim}: {evidence}", nth.saturating_add(1), ACTS.len())
    }

    /// Notes that an act has failed.
    pub(super) fn fail(&mut self, act: Act, why: &str) {
        let claim = ACTS.iter().find(|(one, _)| *one == act).map_or("", |(_, claim)| *claim);
        self.failed.push(format!("{claim}: {why}"));
    }

    /// Tells whether all was seen.
    pub(super) fn all(&self) -> bool {
        self.failed.is_empty() && self.seen.iter().all(Option::is_some)
    }

    /// Returns a line for each act.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |((_, claim), seen): (&(Act, &str), &Option<String>)| match seen {
            Some(evidence) => format!("  [x] {claim}: {evidence}"),
            None => format!("  [ ] {claim}"),
        };
        let failed = self.failed.iter().map(|why| format!("  failed: {why}"));
        ACTS.iter().zip(&self.seen).map(line).chain(failed).collect()
    }
}

/// Returns a field of an object as text; empty for none.
pub(super) fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.strip_prefix("demo:").unwrap_or(text).to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Returns the rule that an object names, with its place.
pub(super) fn rule(object: &Value) -> String {
    let name = text(object, "rule");
    match (text(object, "file"), text(object, "line")) {
        (file, line) if !file.is_empty() => {
            format!("{name} ({}:{line})", file.trim_start_matches("<shipped>/"))
        }
        _ => name,
    }
}

/// Returns an event's time of day.
pub(super) fn clock(event: &Event) -> String {
    let text = event.ts.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// Tells whether an event is a refusal.
pub(super) fn is_refusal(event: &Event) -> bool {
    event.kind() == Kind::Decision
        && matches!(event.body(), Body::Decision(decision) if decision.verdict == Verdict::Deny)
}
