//! `engine journal dump --explain`: each refusal with the terms that it was made of.

use serde_json::{Map, Value, json};

use engine::explain::{Explanation, Term, explain};
use engine::replay::Origin;
use model::event::{Body, Event};
use model::reject::Code;

use super::record::Words;
use crate::app::cli::{Cli, DumpArgs};
use crate::app::exit::{Failure, Finding};
use crate::app::show::out;

/// Prints the refusals that the options pick.
///
/// # Errors
/// [`Failure`] when the journal cannot be read, or a code is none of it.
pub(super) fn run(cli: &Cli, args: &DumpArgs, wanted: Option<u32>) -> Result<Finding, Failure> {
    if !args.kind.is_empty() {
        return Err(Failure::usage("--explain is of refusals: leave out --kind"));
    }
    let codes = codes(args)?;
    let words = Words::of(&args.dir);
    let mut left = args.limit;
    if left == 0 {
        return Ok(Finding::Nothing);
    }
    explain(
        &args.dir,
        |_, code| codes.as_ref().is_none_or(|codes| codes.contains(&code)),
        |found| {
            let seq = found.event.seq.0;
            let here = wanted.is_none_or(|wanted| found.event.instrument.0 == wanted);
            if seq >= args.from && seq <= args.to && here {
                print(cli, &words, found);
                left = left.saturating_sub(1);
            }
            left > 0 && seq <= args.to
        },
    )?;
    Ok(Finding::Nothing)
}

/// Returns the codes that the user names; all, if none is named.
fn codes(args: &DumpArgs) -> Result<Option<Vec<Code>>, Failure> {
    if args.code.is_empty() {
        return Ok(None);
    }
    let origin = Origin::begin(&args.dir)?;
    let rules = origin.session()?.bound.rules;
    let numbered =
        rules.iter().zip(0_u16..).map(|(rule, index)| (rule.code.clone(), Code::rule(index)));
    let built_in = model::reject::REJECTS.iter();
    let built_in = built_in.map(|(reject, name, _)| ((*name).to_owned(), Code::from(*reject)));
    let known: Vec<(String, Code)> = built_in.chain(numbered).collect();
    let mut codes = Vec::new();
    for wanted in &args.code {
        let before = codes.len();
        codes.extend(known.iter().filter(|(name, _)| name == wanted).map(|(_, code)| *code));
        if codes.len() == before {
            let mut names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            names.dedup();
            let names = names.join(", ");
            return Err(Failure::usage(format!(
                "--code {wanted}: the journal's codes are {names}"
            )));
        }
    }
    Ok(Some(codes))
}

/// Returns the fields of a record, in the units of its run.
fn fields(words: &Words, event: &Event) -> Map<String, Value> {
    match words.object(event) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn object(Term { name, value, written }: &Term) -> Value {
    let written = (!written.is_empty()).then_some(written);
    json!({ "name": name, "value": value, "written": written })
}

fn print(cli: &Cli, words: &Words, found: &Explanation) {
    let verdict = fields(words, &found.event);
    let asked = Event::new(found.event.seq, found.event.ts, found.event.instrument, &found.signal);
    let asked = fields(words, &asked);
    let text = |fields: &Map<String, Value>, key: &str| match fields.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let rule = found.rule.as_ref();
    if cli.json {
        let terms: Vec<Value> = found.terms.iter().map(object).collect();
        let object = json!({
            "seq": found.event.seq.0,
            "ts": found.event.ts.0,
            "order": order(found),
            "strategy": found.strategy,
            "symbol": words.symbol(&found.event),
            "side": text(&asked, "side"),
            "qty": text(&asked, "qty"),
            "price": text(&asked, "price"),
            "code": found.code,
            "file": rule.map(|rule| &rule.file),
            "line": rule.map(|rule| rule.line),
            "value": verdict.get("observed"),
            "limit": verdict.get("limit"),
            "cause": format!("{:?}", found.decision.cause),
            "condition": found.condition,
            "message": found.message,
            "terms": terms,
        });
        out(&object.to_string());
        return;
    }
    let symbol = words.symbol(&found.event).unwrap_or("");
    let show = |fields: &Map<String, Value>, key: &str| text(fields, key).unwrap_or_default();
    out(&format!(
        "{:>10}  {}  order {} of {}: {} {} {symbol} at {}",
        found.event.seq.0,
        found.event.ts,
        order(found),
        found.strategy,
        show(&asked, "side"),
        show(&asked, "qty"),
        show(&asked, "price"),
    ));
    let place = match rule {
        Some(rule) => format!("{}:{}", rule.file, rule.line),
        None => "the engine's own check".to_owned(),
    };
    let code = found.decision.code;
    let side = |key: &str| {
        let ns = verdict.get(key).and_then(Value::as_i64);
        ns.and_then(|ns| words.duration(code, ns)).or_else(|| text(&verdict, key))
    };
    let values = match (side("observed"), side("limit")) {
        (Some(value), Some(limit)) => format!(": value {value}, limit {limit}"),
        _ => String::new(),
    };
    let cause = match found.decision.cause {
        model::order::Cause::Known => String::new(),
        cause => format!(" (unknown: {cause:?})"),
    };
    out(&format!("{:>12}{} {place}{values}{cause}", "", found.code));
    if !found.condition.is_empty() {
        out(&format!("{:>12}{}", "", found.condition));
    }
    if let Some(message) = &found.message {
        out(&format!("{:>12}\"{message}\"", ""));
    }
    terms(found);
}

fn terms(found: &Explanation) {
    for Term { name, value, written } in &found.terms {
        let of = if written.is_empty() { String::new() } else { format!(" ({written})") };
        out(&format!("{:>14}{name} = {value}{of}", ""));
    }
}

/// Returns the number of an order as people say it: its seq and ordinal.
fn order(found: &Explanation) -> String {
    debug_assert!(matches!(found.event.body(), Body::Decision(_)));
    format!("{}.{}", found.order.seq().0, found.order.ordinal())
}
