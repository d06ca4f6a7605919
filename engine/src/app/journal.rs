//! `engine journal`: what a journal holds, whether it is whole, and its records as text.

use std::path::Path;

use serde_json::{Value, json};

use engine::replay::Origin;
use engine::session::snapshot::Snapshot;
use engine::setup::InstrumentSetup;
use engine::tape::{KIND_RULES_LOADED, KIND_RUN_METADATA, KIND_SNAPSHOT};
use journal::{Info, Reader, Report, Verdict, info, verify};
use model::codec::decode;
use model::event::{EVENT_BYTES, Event, KINDS};
use model::symbol::Symbol;
use model::time::Nanos;

use super::cli::{Cli, DumpArgs, JournalArgs, JournalCommand};
use super::exit::{Failure, Finding};
use super::show::{self, out};
use record::Words;

/// Refusals with the terms that they were made of.
mod explain;
/// Messages of rules, filled in.
mod message;
/// Records as people and programs read them.
pub(super) mod record;

/// Runs `engine journal`.
///
/// # Errors
/// [`Failure`] when the journal cannot be read.
pub(super) fn run(cli: &Cli, args: &JournalArgs) -> Result<Finding, Failure> {
    match &args.command {
        JournalCommand::Info { dir } => show_info(cli, dir),
        JournalCommand::Verify { dir } => show_verify(cli, dir),
        JournalCommand::Dump(args) => dump(cli, args),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a verdict's word, and where it was found.
fn told(verdict: Verdict) -> (&'static str, Option<u64>) {
    match verdict {
        Verdict::Clean => ("clean", None),
        Verdict::Torn { at } => ("torn", Some(at)),
        Verdict::Corrupt { at } => ("corrupt", Some(at)),
    }
}

/// Says on stderr that a journal is corrupt, which is exit code 3.
fn damage(dir: &Path, at: u64, detail: &str) -> Finding {
    show::note(&format!("error: journal {} is corrupt at byte {at}: {detail}", dir.display()));
    Finding::Damage
}

fn show_info(cli: &Cli, dir: &Path) -> Result<Finding, Failure> {
    let info = info(dir)?;
    // What the first records say; a journal of other semantics is described without.
    let origin = Origin::begin(dir).ok();
    let instruments: Vec<&str> = origin
        .as_ref()
        .map(|o| o.setup.instruments.iter().map(|i| i.symbol.as_str()).collect())
        .unwrap_or_default();
    let rules: Vec<&str> = origin
        .as_ref()
        .map(|o| o.texts.iter().map(|t| t.name.as_str()).collect())
        .unwrap_or_default();
    if cli.json {
        let mut object = info_object(dir, &info, &instruments, &rules);
        let config = origin.as_ref().and_then(|origin| origin.setup.config.as_deref());
        if let Some(object) = object.as_object_mut() {
            object.insert("config".to_owned(), json!(config));
        }
        out(&object.to_string());
    } else {
        print_info(dir, &info, &instruments, &rules);
    }
    match info.verdict {
        Verdict::Clean | Verdict::Torn { .. } => Ok(Finding::Nothing),
        Verdict::Corrupt { at } => Ok(damage(dir, at, &info.detail)),
    }
}

fn info_object(dir: &Path, info: &Info, instruments: &[&str], rules: &[&str]) -> Value {
    let identity = &info.identity;
    let segments: Vec<Value> = info
        .segments
        .iter()
        .map(|segment| {
            json!({
                "file": segment.path.display().to_string(),
                "records": segment.records,
                "bytes": segment.bytes,
                "sealed": segment.sealed,
            })
        })
        .collect();
    let (word, at) = told(info.verdict);
    json!({
        "dir": dir.display().to_string(),
        "run_id": format!("{:032x}", identity.run_id),
        "parent_run_id": (identity.parent_run_id != 0)
            .then(|| format!("{:032x}", identity.parent_run_id)),
        "semantics": identity.semantics,
        "rules_hash": hex(&identity.rules_hash),
        "records": info.records,
        "sealed": info.sealed,
        "live": info.live,
        "verdict": word,
        "at": at,
        "segment": info.segment.as_ref().map(|path| path.display().to_string()),
        "detail": info.detail,
        "instruments": instruments,
        "rules": rules,
        "segments": segments,
    })
}

fn print_info(dir: &Path, info: &Info, instruments: &[&str], rules: &[&str]) {
    let identity = &info.identity;
    out(&format!("Journal {}", dir.display()));
    out(&format!("  run         {:032x}, semantics {}", identity.run_id, identity.semantics));
    if identity.parent_run_id != 0 {
        out(&format!("  goes on     from run {:032x}", identity.parent_run_id));
    }
    out(&format!("  rules       {} ({})", rules.join(", "), hex(&identity.rules_hash)));
    out(&format!("  instruments {}", instruments.join(", ")));
    let (word, at) = told(info.verdict);
    let state = match (info.verdict, at) {
        (Verdict::Corrupt { .. } | Verdict::Torn { .. }, Some(_)) => word,
        _ if info.sealed => "sealed",
        _ => unsealed(info.live),
    };
    out(&format!("  records     {} in {} segments, {state}", info.records, info.segments.len()));
    for segment in &info.segments {
        let mark = if segment.sealed { "sealed" } else { "open" };
        out(&format!(
            "    {:<40} {:>10} records {:>12} bytes  {mark}",
            segment.path.display(),
            segment.records,
            segment.bytes
        ));
    }
    if let Some(at) = at {
        out(&format!("  {word:<11} at byte {at}, {}", info.detail));
    }
    out("  Headers and ends only; `engine journal verify` reads and computes everything.");
}

/// Returns why a journal has no end.
fn unsealed(live: bool) -> &'static str {
    if live { "not sealed: a session is writing it" } else { "not sealed: the session was killed" }
}

fn show_verify(cli: &Cli, dir: &Path) -> Result<Finding, Failure> {
    let report = verify(dir)?;
    let Report { verdict, records, last_seq, orphans, sealed, live, .. } = report;
    let (word, at) = told(verdict);
    if cli.json {
        let object = json!({
            "verdict": word,
            "records": records,
            "last_seq": last_seq,
            "at": at,
            "segment": report.segment.as_ref().map(|path| path.display().to_string()),
            "sealed": sealed,
            "live": live,
            "orphans": orphans,
            "detail": report.detail,
        });
        out(&object.to_string());
    } else {
        out(&format!("Journal {}: {word}", dir.display()));
        out(&format!("  records   {records}, last seq {last_seq}"));
        if let Some(at) = at {
            out(&format!("  at        byte {at}, {}", report.detail));
        }
        if !sealed {
            out(&format!("  sealed    {}", unsealed(live)));
        }
    }
    match verdict {
        Verdict::Clean => Ok(Finding::Nothing),
        Verdict::Torn { .. } => Ok(Finding::Something),
        Verdict::Corrupt { at } => Ok(damage(dir, at, &report.detail)),
    }
}

/// What is dumped.
struct Filter<'a> {
    args: &'a DumpArgs,
    wanted: Option<u32>,
}

fn dump(cli: &Cli, args: &DumpArgs) -> Result<Finding, Failure> {
    for kind in &args.kind {
        let known = KINDS.iter().any(|k| k.name().eq_ignore_ascii_case(kind))
            || ["RunMetadata", "RulesLoaded", "Snapshot"]
                .iter()
                .any(|k| k.eq_ignore_ascii_case(kind));
        if !known {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
            return Err(Failure::usage(format!("--kind {kind}: kinds are {}", names.join(", "))));
        }
    }
    let words = Words::of(&args.dir);
    let wanted = match &args.symbol {
        None => None,
        Some(text) => Some(instrument(text, &words.instruments)?),
    };
    if args.explain {
        return explain::run(cli, args, wanted);
    }
    if !args.code.is_empty() {
        return Err(Failure::usage("--code picks refusals: add --explain"));
    }
    let filter = Filter { args, wanted };
    let mut reader = Reader::open(&args.dir)?;
    let mut printed = 0_u64;
    while let Some(record) = reader.next()? {
        let header = record.header;
        if printed >= args.limit || header.seq > args.to {
            break;
        }
        if header.seq < args.from {
            continue;
        }
        if let Some((name, text)) = text(header.kind, record.payload) {
            if filter.kind(name) && filter.wanted.is_none() {
                print_text(cli, header.seq, header.ts_ns, name, &text);
                printed = printed.saturating_add(1);
            }
            continue;
        }
        for bytes in record.payload.chunks(EVENT_BYTES) {
            // The journal's own control records are no events.
            let Ok(event) = decode(bytes) else { continue };
            if filter.event(&event) {
                print_event(cli, &words, &event);
                printed = printed.saturating_add(1);
            }
        }
    }
    Ok(Finding::Nothing)
}

fn instrument(text: &str, instruments: &[InstrumentSetup]) -> Result<u32, Failure> {
    let symbol = Symbol::parse(text).map_err(|error| Failure::Usage(error.into()))?;
    let fits = |known: &InstrumentSetup| {
        Symbol::parse(&known.symbol).is_ok_and(|known| symbol.fits(&known))
    };
    let index = instruments.iter().position(fits).and_then(|at| u32::try_from(at).ok());
    index.ok_or_else(|| {
        let names: Vec<&str> = instruments.iter().map(|one| one.symbol.as_str()).collect();
        Failure::usage(format!("--symbol {text}: the journal has {}", names.join(", ")))
    })
}

/// Returns the name of a record that is no event, and what it says.
fn text(kind: u16, payload: &[u8]) -> Option<(&'static str, String)> {
    let text = || String::from_utf8_lossy(payload).into_owned();
    match kind {
        KIND_RUN_METADATA => Some(("RunMetadata", text())),
        KIND_RULES_LOADED => Some(("RulesLoaded", text())),
        KIND_SNAPSHOT => Some(("Snapshot", snapshot(payload))),
        _ => None,
    }
}

/// Says whose state a snapshot is, and of when.
fn snapshot(payload: &[u8]) -> String {
    match Snapshot::decode(payload) {
        Ok(Snapshot { parent, seq, ts, messages, .. }) => format!(
            "of run {:032x} after seq {}, {ts}, {messages} messages, {} bytes",
            parent.0,
            seq.0,
            payload.len()
        ),
        Err(error) => format!("cannot be read: {error}"),
    }
}

fn print_text(cli: &Cli, seq: u64, ts: i64, kind: &str, text: &str) {
    if cli.json {
        out(&json!({ "seq": seq, "ts": ts, "kind": kind, "text": text }).to_string());
    } else {
        let first = text.lines().next().unwrap_or("");
        out(&format!("{seq:>10}  {}  {kind} {first}", Nanos(ts)));
    }
}

fn print_event(cli: &Cli, words: &Words, event: &Event) {
    if cli.json {
        out(&words.object(event).to_string());
    } else {
        let (name, symbol) = (event.kind().name(), words.symbol(event).unwrap_or(""));
        let payload = words.payload(event);
        out(&format!("{:>10}  {}  {name:<16}{symbol}{payload}", event.seq.0, event.ts));
    }
}

impl Filter<'_> {
    fn kind(&self, name: &str) -> bool {
        self.args.kind.is_empty()
            || self.args.kind.iter().any(|kind| kind.eq_ignore_ascii_case(name))
    }

    fn event(&self, event: &Event) -> bool {
        self.kind(event.kind().name())
            && self.wanted.is_none_or(|wanted| event.instrument.0 == wanted)
    }
}
