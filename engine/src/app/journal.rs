//! `engine journal`: what a journal holds, whether it is whole, and its records as text.

use std::path::Path;

use serde_json::{Map, Value, json};

use engine::replay::Origin;
use engine::setup::InstrumentSetup;
use engine::tape::{KIND_RULES_LOADED, KIND_RUN_METADATA};
use journal::{Reader, Verdict, info, verify};
use model::codec::decode;
use model::decimal::format_trimmed;
use model::event::{EVENT_BYTES, Event, KINDS};
use model::id::NO_INSTRUMENT;
use model::num::MONEY_SCALE;
use model::symbol::Symbol;
use model::time::{Date, Nanos};

use super::cli::{Cli, DumpArgs, JournalArgs, JournalCommand};
use super::exit::{Failure, Finding};
use super::show::{self, out};

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

fn show_info(cli: &Cli, dir: &Path) -> Result<Finding, Failure> {
    let info = info(dir)?;
    let identity = &info.identity;
    let run = format!("{:032x}", identity.run_id);
    let origin = Origin::read(dir).ok();
    let setup = origin.as_ref().map(|origin| &origin.setup);
    let instruments: Vec<&str> = setup
        .map(|s| s.instruments.iter().map(|i| i.symbol.as_str()).collect())
        .unwrap_or_default();
    let rules: Vec<&str> = origin
        .as_ref()
        .map(|o| o.texts.iter().map(|t| t.name.as_str()).collect())
        .unwrap_or_default();
    if cli.json {
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
        let object = json!({
            "dir": dir.display().to_string(),
            "run_id": run,
            "semantics": identity.semantics,
            "rules_hash": hex(&identity.rules_hash),
            "records": info.records,
            "sealed": info.sealed,
            "instruments": instruments,
            "rules": rules,
            "segments": segments,
        });
        out(&object.to_string());
        return Ok(Finding::Nothing);
    }
    out(&format!("Journal {}", dir.display()));
    out(&format!("  run         {run}, semantics {}", identity.semantics));
    out(&format!("  rules       {} ({})", rules.join(", "), hex(&identity.rules_hash)));
    out(&format!("  instruments {}", instruments.join(", ")));
    let state = if info.sealed { "sealed" } else { "not sealed: the session was killed, or runs" };
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
    Ok(Finding::Nothing)
}

fn show_verify(cli: &Cli, dir: &Path) -> Result<Finding, Failure> {
    let report = verify(dir)?;
    let (word, at) = match report.verdict {
        Verdict::Clean => ("clean", None),
        Verdict::Torn { at } => ("torn", Some(at)),
        Verdict::Corrupt { at } => ("corrupt", Some(at)),
    };
    if cli.json {
        let object = json!({
            "verdict": word,
            "records": report.records,
            "last_seq": report.last_seq,
            "at": at,
            "segment": report.segment.as_ref().map(|path| path.display().to_string()),
            "sealed": report.sealed,
            "orphans": report.orphans,
            "detail": report.detail,
        });
        out(&object.to_string());
    } else {
        out(&format!("Journal {}: {word}", dir.display()));
        out(&format!("  records   {}, last seq {}", report.records, report.last_seq));
        if let Some(at) = at {
            out(&format!("  at        byte {at}, {}", report.detail));
        }
        if !report.sealed {
            out("  sealed    no: the session was killed, or runs");
        }
    }
    match report.verdict {
        Verdict::Clean => Ok(Finding::Nothing),
        Verdict::Torn { .. } => Ok(Finding::Something),
        Verdict::Corrupt { at } => {
            let (dir, detail) = (dir.display(), &report.detail);
            show::note(&format!("error: journal {dir} is corrupt at byte {at}: {detail}"));
            Ok(Finding::Damage)
        }
    }
}

/// What is dumped.
struct Filter<'a> {
    args: &'a DumpArgs,
    instruments: Vec<InstrumentSetup>,
    wanted: Option<u32>,
}

fn dump(cli: &Cli, args: &DumpArgs) -> Result<Finding, Failure> {
    for kind in &args.kind {
        let known = KINDS.iter().any(|k| k.name().eq_ignore_ascii_case(kind))
            || ["RunMetadata", "RulesLoaded"].iter().any(|k| k.eq_ignore_ascii_case(kind));
        if !known {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
            return Err(Failure::usage(format!("--kind {kind}: kinds are {}", names.join(", "))));
        }
    }
    let instruments =
        Origin::read(&args.dir).map(|origin| origin.setup.instruments).unwrap_or_default();
    let wanted = match &args.symbol {
        None => None,
        Some(text) => Some(instrument(text, &instruments)?),
    };
    let filter = Filter { args, instruments, wanted };
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
        if header.kind == KIND_RUN_METADATA || header.kind == KIND_RULES_LOADED {
            let name = if header.kind == KIND_RUN_METADATA { "RunMetadata" } else { "RulesLoaded" };
            if filter.kind(name) && filter.wanted.is_none() {
                let text = String::from_utf8_lossy(record.payload);
                print_text(cli, header.seq, header.ts_ns, name, &text);
                printed = printed.saturating_add(1);
            }
            continue;
        }
        for bytes in record.payload.chunks(EVENT_BYTES) {
            // The journal's own control records are no events.
            let Ok(event) = decode(bytes) else { continue };
            if filter.event(&event) {
                filter.print(cli, &event);
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

/// Returns a field as people and programs read it: amounts as decimal texts, times, ids and counts
/// as integers, words as they are. The field's own text says what it is: `Price(10100)`.
fn field(name: &str, value: &dyn std::fmt::Debug, instrument: Option<&InstrumentSetup>) -> Value {
    let text = format!("{value:?}");
    let (kind, inner) =
        text.strip_suffix(')').and_then(|text| text.split_once('(')).unwrap_or(("", &text));
    let Ok(number) = inner.parse::<i128>() else {
        return inner.parse::<bool>().map_or_else(|_| json!(text), Value::Bool);
    };
    let decimals = match (kind, name) {
        ("Money", _) | ("", "fee") => Some(MONEY_SCALE),
        ("Price", _) => instrument.map(|instrument| instrument.price_scale),
        ("Qty", _) => instrument.map(|instrument| instrument.qty_scale),
        ("Date", _) => {
            return i32::try_from(number).map_or(Value::Null, |days| json!(Date(days).to_string()));
        }
        _ => None,
    };
    match decimals {
        Some(decimals) => json!(format_trimmed(number, decimals)),
        None => u64::try_from(number)
            .map(Value::from)
            .or_else(|_| i64::try_from(number).map(Value::from))
            .unwrap_or_else(|_| json!(number.to_string())),
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

impl Filter<'_> {
    fn kind(&self, name: &str) -> bool {
        self.args.kind.is_empty()
            || self.args.kind.iter().any(|kind| kind.eq_ignore_ascii_case(name))
    }

    fn event(&self, event: &Event) -> bool {
        self.kind(event.kind().name())
            && self.wanted.is_none_or(|wanted| event.instrument.0 == wanted)
    }

    fn instrument(&self, event: &Event) -> Option<&InstrumentSetup> {
        if event.instrument == NO_INSTRUMENT {
            return None;
        }
        let index = usize::try_from(event.instrument.0).ok()?;
        self.instruments.get(index)
    }

    fn print(&self, cli: &Cli, event: &Event) {
        let instrument = self.instrument(event);
        let symbol = instrument.map(|instrument| instrument.symbol.as_str());
        if cli.json {
            let mut object = Map::new();
            object.insert("seq".to_owned(), json!(event.seq.0));
            object.insert("ts".to_owned(), json!(event.ts.0));
            object.insert("kind".to_owned(), json!(event.kind().name()));
            object.insert("lane".to_owned(), json!(format!("{:?}", event.kind().lane())));
            object.insert("symbol".to_owned(), json!(symbol));
            event.body().describe(&mut |name, value| {
                object.insert(name.to_owned(), field(name, value, instrument));
            });
            out(&Value::Object(object).to_string());
        } else {
            let mut text = String::new();
            event.body().describe(&mut |name, value| {
                let value = field(name, value, instrument);
                let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.push_str(&format!(" {name}={word}"));
            });
            let name = event.kind().name();
            let symbol = symbol.unwrap_or("");
            out(&format!("{:>10}  {}  {name:<16}{symbol}{text}", event.seq.0, event.ts));
        }
    }
}
