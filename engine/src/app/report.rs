//! A session's result: as a table for people, as one JSON object for programs.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use engine::session::journaled::Ran;
use engine::session::{Session, Summary};
use engine::setup::Mode;
use engine::topology::Placement;
use model::decimal::format_trimmed;
use model::num::{MONEY_SCALE, Money, RATE_SCALE, Rounding, mul_div};

use super::clock::seconds;
use super::show::out;

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
        let refusals: serde_json::Map<String, Value> =
            summary.refusals.iter().map(|(code, count)| (code.clone(), json!(count))).collect();
        json!({
            "mode": match self.session.setup.mode {
                Mode::Demo => "demo",
                Mode::Backtest => "backtest",
            },
            "run_id": self.session.setup.run_id,
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
            "ignored_signals": summary.ignored,
            "equity_start": summary.equity_start.map(money),
            "equity_end": money(summary.equity_end),
            "max_drawdown": share(summary.max_drawdown),
            "fees": money(summary.fees),
            "reporting": self.session.setup.reporting,
            "book_checks": { "compared": summary.book_checks.0, "unequal": summary.book_checks.1 },
            "decisions_hash": summary.decisions_hash,
            "topology": self.topology(),
            "end": format!("{:?}", summary.end),
            "from_ns": summary.span.0.0,
            "to_ns": summary.span.1.0,
            "seconds": seconds(self.took),
        })
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
        row(
            "messages",
            format!("{} ({} not used)", summary.progress.messages, summary.progress.bad),
        );
        row("events", format!("{} in {} input records", summary.events, summary.inputs));
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
        for (code, count) in &summary.refusals {
            row("", format!("{count:>8}  {code}"));
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
        out("  Paper fills: no market impact, no reaction of others.");
    }
}
