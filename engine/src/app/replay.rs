//! `engine replay`: a journal's decisions computed again and compared.

use serde_json::json;

use engine::replay::replay;

use super::cli::{Cli, ReplayArgs};
use super::clock::{Clock, seconds};
use super::exit::{Failure, Finding};
use super::plan::placement;
use super::rules;
use super::show::out;
use super::watch::Watch;

/// Runs the command: exit code 0 when all records are equal, 1 when one is not or none was
/// compared.
///
/// # Errors
/// [`Failure`] when the journal cannot be replayed.
pub(super) fn run(cli: &Cli, args: &ReplayArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let texts = if args.rules.is_empty() { None } else { Some(rules::sources(&args.rules)?) };
    let placement = placement(args.topology, args.wait)?;
    let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
    let replayed = replay(&args.dir, texts, &placement, &mut watch);
    watch.done();
    let replayed = replayed?;
    let summary = &replayed.summary;
    let equal = replayed.difference.is_none();
    let took = seconds(clock.elapsed());
    if cli.json {
        let difference = replayed.difference.as_ref().map(|difference| {
            json!({
                "seq": difference.seq,
                "field": difference.field,
                "journaled": difference.journaled,
                "recomputed": difference.recomputed,
            })
        });
        let object = json!({
            "records": replayed.records,
            "compared": replayed.compared,
            "decisions": summary.decisions,
            "approvals": summary.approvals,
            "fills": summary.fills,
            "refusal_codes": summary.refusals.len(),
            "decisions_hash": summary.decisions_hash,
            "equal": equal,
            "first_difference": difference,
            "topology": if placement.split { "split" } else { "fused" },
            "seconds": took,
        });
        out(&object.to_string());
    } else {
        out(&format!("Replay of {}", args.dir.display()));
        out(&format!(
            "  compared          {} of {} records; {} verdicts, {} approvals, {} fills, \
             {} refusal codes",
            replayed.compared,
            replayed.records,
            summary.decisions,
            summary.approvals,
            summary.fills,
            summary.refusals.len()
        ));
        out(&format!("  decisions hash    {}", summary.decisions_hash));
        match &replayed.difference {
            None => out("  equal             every record is the same"),
            Some(difference) => {
                out(&format!("  first difference  seq {}, {}", difference.seq, difference.field));
                out(&format!("    journaled       {}", difference.journaled));
                out(&format!("    recomputed      {}", difference.recomputed));
            }
        }
        out(&format!("  took              {took:.3} s"));
        if summary.decisions == 0 {
            out("  No verdict was compared: this proves nothing.");
        }
    }
    let proved = equal && summary.decisions > 0;
    Ok(if proved { Finding::Nothing } else { Finding::Something })
}
