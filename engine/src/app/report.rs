//! A session's result: as a table for people, as one JSON object for programs.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use engine::session::journaled::Ran;
use engine::session::{Latched, Refused, Session, Summary};
use engine::setup::Mode;
use engine::topology::Placement;
use model::decimal::format_trimmed;
use model::num::{MONEY_SCALE, Money, RATE_SCALE, Rounding, mul_div};

use super::clock::seconds;
use super::latency::Measured;
use super::quote::quoted;
use super::show::{out, program};

/// A finished session, ready to be told.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The session.
    pub(super) session: &'a Session,
    /// What it left.
    pub(super) ran: &'a Ran,
    /// Where it was journaled.
    pub(super) journal: Option<&'a Path>,
    /// What ran where.
    pub(super) placement: &'a Placement,
    /// What was measured of it.
    pub(super) latency: Option<&'a Measured>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Returns money as a decimal text.
pub(super) fn money(amount: Money) -> String {
    format_trimmed(amount.0, MONEY_SCALE)
}

/// Returns the worst fall as a share, rounded up.
fn share(worst: (Money, Money)) -> String {
    let (fall, peak) = worst;
    let one = 1_000_000_000_i128;
    let share = mul_div(fall.0, one, peak.0.max(1), Rounding::Ceil).unwrap_or(0);
    format_trimmed(share, RATE_SCALE)
}

/// Returns an armed latch as JSON.
fn latch(latched: &Latched) -> Value {
    json!({
        "code": latched.code,
        "rule": latched.place,
        "symbol": latched.symbol,
        "seq": latched.armed.seq.0,
        "ts": latched.armed.ts.0,
        "equity": latched.armed.equity.map(money),
    })
}

/// Returns an armed latch as a line: its code, when, at what equity, and its rule.
fn latch_line(latched: &Latched, asset: &str) -> String {
    let Latched { code, place, symbol, armed } = latched;
    let equity = armed.equity.map_or_else(|| "unknown".to_owned(), money);
    let symbol = symbol.as_ref().map(|symbol| format!(" of {symbol}")).unwrap_or_default();
    let place = place.as_deref().unwrap_or("");
    let (ts, seq) = (armed.ts, armed.seq.0);
    format!("{code}{symbol} at {ts}, seq {seq}, equity {equity} {asset}  {place}")
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Report<'_> {
    fn summary(&self) -> &Summary {
        &self.ran.summary
    }

    fn topology(&self) -> &'static str {
        if self.placement.split { "split" } else { "fused" }
    }

    /// Returns the object that `--json` prints.
    pub(super) fn json(&self) -> Value {
        let summary = self.summary();
        let mut refusals = serde_json::Map::new();
        for refused in &summary.refusals {
            // Rules of two blocks may share a code.
            let known = refusals.get(&refused.code).and_then(Value::as_u64).unwrap_or(0);
            refusals.insert(refused.code.clone(), json!(known.saturating_add(refused.count)));
        }
        json!({
            "mode": self.session.setup.mode.name(),
            "run_id": self.session.setup.run_id,
            "resumed": self.session.snapshot().map(|from| json!({
                "run_id": format!("{:032x}", from.parent.0),
                "seq": from.seq.0,
                "ts": from.ts.0,
            })),
            "journal": self.journal.map(|path| path.display().to_string()),
            "journal_records": self.ran.sealed.as_ref().map(|sealed| sealed.records),
            "messages": summary.progress.messages,
            "bad_messages": summary.progress.bad,
            "inputs": summary.inputs,
            "events": summary.events,
            "decisions": summary.decisions,
            "approvals": summary.approvals,
            "cuts": summary.cuts,
            "orders": summary.orders,
            "cancels": summary.cancels,
            "fills": summary.fills,
            "refusals": refusals,
            "latches": summary.latches.iter().map(latch).collect::<Vec<_>>(),
            "latch_count": summary.latch_count,
            "ignored_signals": summary.ignored,
            "equity_start": summary.equity_start.map(money),
            "equity_end": money(summary.equity_end),
            "max_drawdown": share(summary.max_drawdown),
            "fees": money(summary.fees),
            "funding": money(summary.funding),
            "reporting": self.session.setup.reporting,
            "book_checks": { "compared": summary.book_checks.0, "unequal": summary.book_checks.1 },
            "decisions_hash": summary.decisions_hash,
            "topology": self.topology(),
            "topology_note": self.placement.note,
            "latency": self.latency.map(Measured::json),
            "latency_context": self.latency.map(Measured::context),
            "end": format!("{:?}", summary.end),
            "from_ns": summary.span.0.0,
            "to_ns": summary.span.1.0,
            "seconds": seconds(self.took),
        })
    }

    /// Prints where the session began and what came in.
    fn print_inputs(&self) {
        let summary = self.summary();
        let row = |name: &str, text: String| out(&format!("  {name:<18}{text}"));
        if let Some(from) = self.session.snapshot() {
            let (seq, parent) = (from.seq.0, from.parent.0);
            row("went on", format!("from seq {seq} of run {parent:032x}, killed then"));
        }
        row(
            "messages",
            format!("{} ({} not used)", summary.progress.messages, summary.progress.bad),
        );
        row("events", format!("{} in {} input records", summary.events, summary.inputs));
    }

    /// Prints the result for people.
    pub(super) fn print(&self) {
        let summary = self.summary();
        let asset = &self.session.setup.reporting;
        let row = |name: &str, text: String| out(&format!("  {name:<18}{text}"));
        out(&format!(
            "{} of {}, {} to {}",
            match self.session.setup.mode {
                Mode::Demo => "Demo",
                Mode::Backtest => "Backtest",
            },
            self.session.traded_names().join(", "),
            summary.span.0,
            summary.span.1
        ));
        self.print_inputs();
        row(
            "verdicts",
            format!(
                "{}: {} approved ({} of them cut), {} refused",
                summary.decisions,
                summary.approvals,
                summary.cuts,
                summary.decisions.saturating_sub(summary.approvals)
            ),
        );
        for Refused { code, place, count } in &summary.refusals {
            let place = place.as_deref().unwrap_or("the engine's own check");
            row("", format!("{count:>8}  {code:<22}{place}"));
        }
        for (nth, latched) in summary.latches.iter().enumerate() {
            row(if nth == 0 { "latches armed" } else { "" }, latch_line(latched, asset));
        }
        let untold = summary.latch_count.saturating_sub(to_u64(summary.latches.len()));
        if untold > 0 {
            let more = self.journal.map_or_else(String::new, |dir| {
                let (program, dir) = (program(), quoted(dir.as_os_str()));
                format!(": {program} journal dump {dir} --kind LatchChanged")
            });
            row("", format!("and {untold} more{more}"));
        }
        row(
            "orders",
            format!("{}, {} fills, {} cancels", summary.orders, summary.fills, summary.cancels),
        );
        let start = summary.equity_start.map_or_else(|| "unknown".to_owned(), money);
        row("equity", format!("{start} to {} {asset}", money(summary.equity_end)));
        row("worst drawdown", format!("{} of the peak", share(summary.max_drawdown)));
        row("fees", format!("{} {asset}", money(summary.fees)));
        let (compared, unequal) = summary.book_checks;
        if compared > 0 {
            row("book checks", format!("{compared} best prices compared, {unequal} unequal"));
        }
        row("decisions hash", summary.decisions_hash.clone());
        row("topology", self.topology().to_owned());
        if let Some(note) = &self.placement.note {
            row("", note.clone());
        }
        row("took", format!("{:.3} s", seconds(self.took)));
        if let Some(path) = self.journal {
            let records = self.ran.sealed.as_ref().map_or(0, |sealed| sealed.records);
            row("journal", format!("{} ({records} records, sealed)", path.display()));
        }
        for line in self.latency.map(|l| l.lines(self.topology())).unwrap_or_default() {
            out(&format!("  {line}"));
        }
        out("  Paper fills: no market impact, no reaction of others.");
    }
}
