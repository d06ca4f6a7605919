//! `engine replay`: a journal's decisions computed again and compared.

use serde_json::{Value, json};

use dsl::span::Source as RulesText;
use engine::replay::{Origin, Replayed, replay};
use engine::tape::Difference;
use engine::topology::Placement;

use super::cli::{Cli, ReplayArgs};
use super::clock::{Clock, seconds};
use super::exit::{Failure, Finding};
use super::journal::record::Words;
use super::plan::{build_hash, placement};
use super::rules;
use super::show::{note, out};
use super::watch::Watch;

/// Runs the command: exit code 0 when all records are equal, 1 when one is not, none was compared
/// or the replay was interrupted.
///
/// # Errors
/// [`Failure`] when the journal cannot be replayed.
pub(super) fn run(cli: &Cli, args: &ReplayArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let texts = if args.rules.is_empty() { None } else { Some(rules::sources(&args.rules)?) };
    let placement = placement(args.topology, args.wait)?;
    let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
    let replayed = replay(&args.dir, texts.clone(), &placement, &mut watch);
    watch.done();
    let told = Told {
        args,
        placement: &placement,
        replayed: &replayed?,
        texts,
        took: seconds(clock.elapsed()),
    };
    if cli.json {
        out(&told.object().to_string());
    } else {
        told.print();
    }
    told.warn();
    let proved = told.equal() == Some(true) && told.replayed.summary.decisions > 0;
    Ok(if proved { Finding::Nothing } else { Finding::Something })
}

/// A replay, ready to be told.
struct Told<'a> {
    args: &'a ReplayArgs,
    placement: &'a Placement,
    replayed: &'a Replayed,
    /// The rules in place of the journal's own.
    texts: Option<Vec<RulesText>>,
    took: f64,
}

impl Told<'_> {
    /// Returns the verdict; a replay that was broken off before any difference has none.
    fn equal(&self) -> Option<bool> {
        match self.replayed.difference {
            Some(_) => Some(false),
            None if self.replayed.interrupted => None,
            None => Some(true),
        }
    }

    /// Returns the two sides of a difference as the dump shows records.
    fn sides(&self, difference: &Difference) -> [String; 2] {
        let Difference { journaled, recomputed, part, .. } = difference;
        let Ok(origin) = Origin::begin(&self.args.dir) else {
            let words = Words::default();
            return [journaled, recomputed].map(|event| words.part(event.as_ref(), *part));
        };
        // Under other rules the same code stands for another rule.
        let others = self.texts.clone().unwrap_or_else(|| origin.texts.clone());
        let theirs = Words::new(&origin.setup, origin.texts);
        let ours = Words::new(&origin.setup, others);
        [theirs.part(journaled.as_ref(), *part), ours.part(recomputed.as_ref(), *part)]
    }

    fn object(&self) -> Value {
        let Replayed { summary, difference, torn, .. } = self.replayed;
        let difference = difference.as_ref().map(|difference| {
            let [journaled, recomputed] = self.sides(difference);
            json!({
                "seq": difference.seq,
                "field": difference.field,
                "journaled": journaled,
                "recomputed": recomputed,
            })
        });
        json!({
            "records": self.replayed.records,
            "compared": self.replayed.compared,
            "decisions": summary.decisions,
            "approvals": summary.approvals,
            "fills": summary.fills,
            "refusal_codes": summary.refusals.len(),
            "decisions_hash": summary.decisions_hash,
            "equal": self.equal(),
            "interrupted": self.replayed.interrupted,
            "torn": torn.is_some(),
            "torn_at": torn.map(|tear| tear.at),
            "orphans": torn.map(|tear| tear.orphans),
            "first_difference": difference,
            "topology": if self.placement.split { "split" } else { "fused" },
            "seconds": self.took,
        })
    }

    fn print(&self) {
        let Replayed { summary, compared, records, .. } = self.replayed;
        out(&format!("Replay of {}", self.args.dir.display()));
        out(&format!(
            "  compared          {compared} of {records} records; {} verdicts, {} approvals, {} \
             fills, {} refusal codes",
            summary.decisions,
            summary.approvals,
            summary.fills,
            summary.refusals.len()
        ));
        out(&format!("  decisions hash    {}", summary.decisions_hash));
        match &self.replayed.difference {
            None if self.replayed.interrupted => out("  interrupted       equal so far"),
            None => out("  equal             every record is the same"),
            Some(difference) => {
                let [journaled, recomputed] = self.sides(difference);
                out(&format!("  first difference  seq {}, {}", difference.seq, difference.field));
                out(&format!("    journaled       {journaled}"));
                out(&format!("    recomputed      {recomputed}"));
            }
        }
        if let Some(text) = self.torn() {
            out(&format!("  torn              {text}"));
        }
        out(&format!("  took              {:.3} s", self.took));
        if summary.decisions == 0 {
            out("  No verdict was compared: this proves nothing.");
        }
    }

    /// Returns what a crash took.
    fn torn(&self) -> Option<String> {
        self.replayed.torn.map(|tear| tear.to_string())
    }

    /// Says on stderr what makes the verdict less than one on the whole journal.
    fn warn(&self) {
        let (dir, Replayed { compared, records, .. }) = (self.args.dir.display(), self.replayed);
        if self.replayed.interrupted {
            let so_far = match &self.replayed.difference {
                None => "equal so far; run it again for a verdict".to_owned(),
                Some(found) => format!("a difference at seq {}, {}", found.seq, found.field),
            };
            note(&format!("interrupted: {compared} of {records} records compared, {so_far}"));
        }
        if self.replayed.build_hash != build_hash() {
            note(&format!(
                "warning: journal {dir} was written by another build of the program; its meaning \
                 of decisions is the same"
            ));
        }
        if let Some(text) = self.torn() {
            note(&format!(
                "warning: journal {dir} is torn {text}; the replay is of what stands before it"
            ));
        }
    }
}
