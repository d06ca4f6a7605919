//! A record as people and programs read it: amounts as decimal texts, times, ids and counts as
//! integers, and with each code the rule that it stands for.
//!
//! What a number means depends on the run: prices and quantities have the scale of their
//! instrument, and the two sides of a limit have the unit of the rule that compared them. Both are
//! in the journal's first records.

use serde_json::{Map, Value, json};

use super::message::{Template, templates};
use dsl::span::Source as RulesText;
use dsl::typed::{Expr, ExprKind, Let, Measure, Program, RiskBlock, Unit};
use engine::program::{self, Rule};
use engine::replay::Origin;
use engine::session::Session;
use engine::setup::{InstrumentSetup, Setup};
use engine::tape::{Part, header};
use model::decimal::format_trimmed;
use model::event::{Body, Decision, Event};
use model::id::NO_INSTRUMENT;
use model::num::MONEY_SCALE;
use model::order::{Action, Cause};
use model::reject::{Code, Reject};
use model::time::Date;

/// Keys of every record: a field of the payload that is called alike gets another name.
const RECORD_KEYS: [&str; 5] = ["seq", "ts", "kind", "lane", "symbol"];
/// Keys that tell what a code stands for.
const RULE_KEYS: [&str; 3] = ["rule", "file", "line"];

/// What a run's numbers mean.
#[derive(Debug, Default)]
pub(in crate::app) struct Words {
    /// Instruments by id.
    pub(in crate::app) instruments: Vec<InstrumentSetup>,
    /// Rules by number; empty if they cannot be loaded.
    rules: Vec<Named>,
}

/// A rule, and in what its two sides are shown.
#[derive(Debug)]
struct Named {
    rule: Rule,
    shown: Option<Shown>,
    message: Option<Template>,
}

/// How the sides of a comparison are journaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Money and shares, in units of 1e-9.
    Billionths,
    /// Mantissas at the instrument's price scale.
    Price,
    /// Mantissas at the instrument's quantity scale.
    Qty,
    /// Counts, moments and words.
    Whole,
    /// Nanoseconds.
    Duration,
}

/// A field of a payload.
struct Field {
    /// As the payload calls it.
    name: &'static str,
    /// As it is printed.
    key: String,
    value: Value,
}

/// What the code in a record stands for.
struct Spoken<'a> {
    /// The name of the field that holds it.
    field: &'static str,
    /// Its name; empty for no code.
    name: String,
    rule: Option<&'a Named>,
    /// In what the sides of one of the engine's own checks are shown.
    built_in: Option<Shown>,
    /// Whether there are values with it: an approval compares none.
    compares: bool,
}

impl Words {
    /// Returns the words of a journal, or those of any run if it does not say.
    pub(in crate::app) fn of(dir: &std::path::Path) -> Self {
        Origin::begin(dir).map_or_else(|_| Self::default(), |o| Self::new(&o.setup, o.texts))
    }

    /// Returns the words of a run under these rules.
    pub(in crate::app) fn new(setup: &Setup, texts: Vec<RulesText>) -> Self {
        let rules = named(setup, texts).unwrap_or_default();
        Self { instruments: setup.instruments.clone(), rules }
    }

    /// Returns the instrument that an event is about.
    pub(in crate::app) fn symbol(&self, event: &Event) -> Option<&str> {
        self.instrument(event).map(|instrument| instrument.symbol.as_str())
    }

    fn instrument(&self, event: &Event) -> Option<&InstrumentSetup> {
        if event.instrument == NO_INSTRUMENT {
            return None;
        }
        self.instruments.get(usize::try_from(event.instrument.0).ok()?)
    }

    /// Returns a side of a code's rule as people read it, where it is a duration.
    pub(in crate::app) fn duration(&self, code: Code, raw: i64) -> Option<String> {
        let rule = code.rule_index().and_then(|index| self.rules.get(usize::from(index)));
        rule?.shown.filter(|shown| *shown == Shown::Duration)?.text(raw, None)
    }

    /// Returns an event as the object that `--json` prints.
    pub(in crate::app) fn object(&self, event: &Event) -> Value {
        let mut object = Map::new();
        object.insert("seq".to_owned(), json!(event.seq.0));
        object.insert("ts".to_owned(), json!(event.ts.0));
        object.insert("kind".to_owned(), json!(event.kind().name()));
        object.insert("lane".to_owned(), json!(format!("{:?}", event.kind().lane())));
        object.insert("symbol".to_owned(), json!(self.symbol(event)));
        if let Some(spoken) = self.spoken(event) {
            let rule = spoken.rule.map(|named| &named.rule);
            let name = Some(spoken.name).filter(|name| !name.is_empty());
            object.insert("rule".to_owned(), json!(name));
            object.insert("file".to_owned(), json!(rule.map(|rule| &rule.file)));
            object.insert("line".to_owned(), json!(rule.map(|rule| rule.line)));
        }
        for field in self.fields(event) {
            object.insert(field.key, field.value);
        }
        if let Some(message) = self.message(event) {
            object.insert("message".to_owned(), json!(message));
        }
        Value::Object(object)
    }

    /// Returns the payload of an event as ` field=value ...`.
    pub(in crate::app) fn payload(&self, event: &Event) -> String {
        let spoken = self.spoken(event);
        let mut text = String::new();
        for Field { name, key, value } in self.fields(event) {
            if value.is_null() {
                continue;
            }
            text.push_str(&format!(" {key}={}", word(&value)));
            let Some(spoken) = spoken.as_ref().filter(|spoken| spoken.field == name) else {
                continue;
            };
            match spoken.rule.map(|named| &named.rule) {
                Some(Rule { file, line, .. }) => {
                    text.push_str(&format!(" ({} {file}:{line})", spoken.name));
                }
                None if !spoken.name.is_empty() => text.push_str(&format!(" ({})", spoken.name)),
                None => {}
            }
        }
        if let Some(message) = self.message(event) {
            text.push_str(&format!(" \"{message}\""));
        }
        text
    }

    /// Returns the message of the rule that spoke, with what was compared.
    fn message(&self, event: &Event) -> Option<String> {
        let template = self.spoken(event)?.rule?.message.as_ref()?;
        let fields = self.fields(event);
        let side = |name: &str| {
            let found = fields.iter().find(|field| field.name == name && !field.value.is_null());
            found.map_or_else(|| "?".to_owned(), |field| word(&field.value))
        };
        Some(template.fill(&side("observed"), &side("limit")))
    }

    /// Returns the part of a record in which it differs from another; `nothing` if there is none.
    pub(in crate::app) fn part(&self, event: Option<&Event>, part: Part) -> String {
        let Some(event) = event else { return "nothing".to_owned() };
        let value = match part {
            Part::Whole => None,
            Part::Header(name) => {
                let found = header(event).into_iter().find(|(known, _)| *known == name);
                found.map(|(_, number)| number.to_string())
            }
            Part::Payload(name) => {
                let found = self.fields(event).into_iter().find(|field| field.name == name);
                found.map(|field| word(&field.value))
            }
        };
        value.unwrap_or_else(|| format!("{}{}", event.kind().name(), self.payload(event)))
    }

    fn fields(&self, event: &Event) -> Vec<Field> {
        let instrument = self.instrument(event);
        let spoken = self.spoken(event);
        let mut fields = Vec::new();
        event.body().describe(&mut |name, value| {
            let is_taken =
                RECORD_KEYS.contains(&name) || (spoken.is_some() && RULE_KEYS.contains(&name));
            let mut key = name.to_owned();
            if is_taken {
                key = format!("{}_{name}", first_word(event.kind().name()));
            }
            let mut value = plain(name, value, instrument);
            if let Some(spoken) = &spoken
                && matches!(name, "observed" | "limit")
            {
                match spoken.side(&value, instrument) {
                    Some(shown) => value = shown,
                    None => key.push_str("_raw"),
                }
            }
            fields.push(Field { name, key, value });
        });
        fields
    }

    fn spoken(&self, event: &Event) -> Option<Spoken<'_>> {
        let (field, code, compares) = match event.body() {
            // Some of the engine's own checks compare nothing, and what is not known has no sides.
            Body::Decision(Decision { code, cause, observed, limit, .. }) => {
                let known = cause == Cause::Known || (observed, limit) != (0, 0);
                let compares = code.rule_index().is_some() || of_built_in(code).is_some();
                ("code", code, known && compares)
            }
            Body::LatchChanged(changed) => ("code", changed.code, true),
            Body::Alert(alert) => ("code", alert.code, alert.cause == Cause::Known),
            Body::OrderDone(done) => ("code", done.code, false),
            // What a strategy withdraws it withdraws by no rule.
            Body::Signal(signal)
                if matches!(signal.action, Action::CancelEntries | Action::CancelExit) =>
            {
                ("rule", Code::NONE, false)
            }
            Body::Signal(signal) => ("rule", Code::rule(signal.rule), false),
            _ => return None,
        };
        let rule = code.rule_index().and_then(|index| self.rules.get(usize::from(index)));
        let name = match rule {
            Some(named) => named.rule.code.clone(),
            None => code.builtin_name().unwrap_or_default().to_owned(),
        };
        Some(Spoken { field, name, rule, built_in: of_built_in(code), compares })
    }
}

impl Spoken<'_> {
    /// Returns a side of the comparison in the unit of its rule: null if nothing was compared, and
    /// nothing if the unit is not known.
    fn side(&self, raw: &Value, instrument: Option<&InstrumentSetup>) -> Option<Value> {
        if !self.compares {
            return Some(Value::Null);
        }
        let shown = match self.rule {
            Some(named) => named.shown,
            None => Some(self.built_in?),
        };
        let Some(shown) = shown else { return Some(Value::Null) };
        if matches!(shown, Shown::Whole | Shown::Duration) {
            return Some(raw.clone());
        }
        Some(json!(shown.text(raw.as_i64()?, instrument)?))
    }
}

impl Shown {
    /// Returns a side as people read it; nothing for that of an instrument that is not known.
    fn text(self, raw: i64, instrument: Option<&InstrumentSetup>) -> Option<String> {
        let decimals = match self {
            Self::Whole => return Some(raw.to_string()),
            Self::Duration => return Some(format!("{}s", format_trimmed(raw.into(), MONEY_SCALE))),
            Self::Billionths => MONEY_SCALE,
            Self::Price => instrument?.price_scale,
            Self::Qty => instrument?.qty_scale,
        };
        Some(format_trimmed(raw.into(), decimals))
    }
}

/// Returns a side of the comparison of a rule of a block as people read it; nothing for a code that
/// is none of it, and for one that compares nothing.
pub(in crate::app) fn side_of(
    block: &RiskBlock,
    code: &str,
    raw: i64,
    instrument: Option<&InstrumentSetup>,
) -> Option<String> {
    let latches = block.latches.iter().map(|one| &one.rule);
    let caps = block.caps.iter().map(|one| &one.rule);
    let checks = block.checks.iter().map(|one| &one.rule);
    let cooldowns = block.cooldowns.iter().map(|one| &one.rule);
    let throttles = block.throttles.iter().map(|one| &one.rule);
    let mut rules = latches.chain(caps).chain(checks).chain(cooldowns).chain(throttles);
    let place = rules.position(|rule| rule.code == code)?;
    of_block(block).get(place).copied()??.text(raw, instrument)
}

/// Returns the rules by number, as the run had them.
fn named(setup: &Setup, texts: Vec<RulesText>) -> Option<Vec<Named>> {
    let checked = program::load(texts).ok()?;
    let rules = Session::build(setup.clone(), &checked).ok()?.bound.rules;
    let shown = shown(&checked.program);
    let messages = templates(&checked.program, &checked.sources);
    let named = |((rule, shown), message)| Named { rule, shown, message };
    // Strategies come behind all risk blocks and compare nothing.
    Some(
        rules
            .into_iter()
            .zip(shown.into_iter().chain(std::iter::repeat(None)))
            .zip(messages.into_iter().chain(std::iter::repeat_with(|| None)))
            .map(named)
            .collect(),
    )
}

/// Returns how the sides of the risk rules are journaled, in the order of the rule table.
fn shown(program: &Program) -> Vec<Option<Shown>> {
    program.risk.iter().flat_map(of_block).collect()
}

/// Returns how the sides of the rules of a block are journaled, in the order of the rule table.
fn of_block(block: &RiskBlock) -> Vec<Option<Shown>> {
    let mut all = Vec::new();
    all.extend(block.latches.iter().map(|latch| of_condition(&latch.when, &block.lets)));
    all.extend(block.caps.iter().map(|cap| {
        Some(match cap.measure {
            Measure::Qty => Shown::Qty,
            Measure::Notional | Measure::Value | Measure::Risk => Shown::Billionths,
        })
    }));
    all.extend(block.checks.iter().map(|check| of_condition(&check.condition, &block.lets)));
    // How long ago the event of a cooldown is, and what a throttle counts.
    all.extend(std::iter::repeat_n(Some(Shown::Duration), block.cooldowns.len()));
    all.extend(std::iter::repeat_n(Some(Shown::Whole), block.throttles.len()));
    all
}

/// Returns how the sides of one of the engine's own checks are journaled; none for one that
/// compares nothing.
fn of_built_in(code: Code) -> Option<Shown> {
    let compared = [
        (Reject::OffTick, Shown::Price),
        (Reject::OffLot, Shown::Qty),
        (Reject::BelowMinQty, Shown::Qty),
        (Reject::AboveMaxQty, Shown::Qty),
        (Reject::BelowMinNotional, Shown::Billionths),
        (Reject::NoBalance, Shown::Billionths),
        (Reject::TooManyOpen, Shown::Whole),
    ];
    compared.into_iter().find(|(reject, _)| Code::from(*reject) == code).map(|(_, shown)| shown)
}

/// Only a comparison has sides, by itself or under a name.
fn of_condition(condition: &Expr, lets: &[Let]) -> Option<Shown> {
    match &condition.kind {
        ExprKind::Compare(_, left, _) => Some(match left.unit {
            Unit::Num | Unit::Money(_) => Shown::Billionths,
            Unit::Price => Shown::Price,
            Unit::Qty => Shown::Qty,
            Unit::Duration => Shown::Duration,
            Unit::Int | Unit::Bool | Unit::Time | Unit::Word(_) => Shown::Whole,
        }),
        // A name stands for an earlier one only, so this ends.
        ExprKind::Let(index) => of_condition(&lets.get(*index)?.value, lets),
        _ => None,
    }
}

/// Returns a field by its own type, which its text names: `Price(10100)`.
fn plain(name: &str, value: &dyn std::fmt::Debug, instrument: Option<&InstrumentSetup>) -> Value {
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

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns `account` of `AccountOpened`.
fn first_word(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters.take_while(|letter| !letter.is_ascii_uppercase())).collect()
}
