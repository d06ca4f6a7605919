//! Checks `test` items: the block they are for, and that every given fact is one, in its form.
//!
//! Numbers stay as written: their scale is the instrument's, which the test states too.

use crate::ast::{Expr, ExprKind, Literal, Name, Test, TestKind};
use crate::diagnostics::Diagnostic;
use crate::parse::suggest::nearest;
use crate::schema::{FIELDS, Field, FieldInfo, Type};

/// The form of a given value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `3`
    Int,
    /// `5%`, `30bps`, `0.05`
    Share,
    /// `true`
    Bool,
    /// `35_000.5`: a price or a quantity of the symbol.
    Number,
    /// `10 USDT`
    Money,
    /// `2s`
    Duration,
    /// `@2026-01-05T10:00:00Z`
    Time,
    /// One of some words.
    Word(&'static [&'static str]),
}

/// What can be given besides the fields of the schema.
const SETTINGS: [(&str, &str, Form); 22] = [
    ("instrument", "tick", Form::Number),
    ("instrument", "lot", Form::Number),
    ("instrument", "min_qty", Form::Number),
    ("instrument", "max_qty", Form::Number),
    ("instrument", "min_notional", Form::Money),
    ("instrument", "max_leverage", Form::Int),
    ("instrument", "maintenance", Form::Share),
    ("instrument", "maker_fee", Form::Share),
    ("instrument", "taker_fee", Form::Share),
    ("instrument", "protect", Form::Share),
    ("instrument", "flatten_band", Form::Share),
    ("account", "kind", Form::Word(&["cash", "linear"])),
    ("market", "bid", Form::Number),
    ("market", "ask", Form::Number),
    ("market", "bid_qty", Form::Number),
    ("market", "ask_qty", Form::Number),
    ("market", "last", Form::Number),
    // When the test begins.
    ("market", "time", Form::Time),
    ("book", "bid", Form::Number),
    ("book", "ask", Form::Number),
    ("book", "bid_qty", Form::Number),
    ("book", "ask_qty", Form::Number),
];

/// What a given fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Part of the instrument, the account or the market: it is made so.
    Setting(Form),
    /// A field: it is answered so.
    Field(&'static FieldInfo),
}

/// Returns what `field` in a `given group { ... }` is.
#[must_use]
pub fn fact(group: &str, field: &str) -> Option<Fact> {
    let setting = SETTINGS.iter().find(|(of, name, _)| *of == group && *name == field);
    if let Some((_, _, form)) = setting {
        return Some(Fact::Setting(*form));
    }
    Field::named(&format!("{group}.{field}"))
        .filter(|info| form_of(info).is_some())
        .map(Fact::Field)
}

/// Returns the form in which a field is given; none for what is only an argument.
#[must_use]
pub fn form_of(info: &FieldInfo) -> Option<Form> {
    Some(match info.ty {
        Type::Int => Form::Int,
        Type::Share => Form::Share,
        Type::Bool => Form::Bool,
        Type::Price | Type::Mark | Type::PriceRatio | Type::Qty => Form::Number,
        Type::Reporting | Type::Quote | Type::Pays | Type::Named | Type::Worth => Form::Money,
        Type::Duration => Form::Duration,
        Type::Time => Form::Time,
        Type::Word(list) => Form::Word(list),
        Type::Asset => return None,
    })
}

/// Checks one test.
pub(super) fn test(test: &Test, out: &mut Vec<Diagnostic>) {
    let mut expects = false;
    for statement in &test.statements {
        match &statement.kind {
            TestKind::Given { group, facts, .. } => {
                for (name, value) in facts {
                    out.extend(given(group, name, value));
                }
            }
            TestKind::Expect(_) => expects = true,
            TestKind::FeedFile(_)
            | TestKind::FeedBars(_)
            | TestKind::Submit { .. }
            | TestKind::Filled { .. }
            | TestKind::Advance(_) => {}
        }
    }
    if !expects {
        let fault = Diagnostic::warning("R0417", test.title.span, "the test expects nothing");
        out.push(fault.help("add an `expect`"));
    }
}

fn given(group: &Name, name: &Name, value: &Expr) -> Option<Diagnostic> {
    let form = match fact(&group.text, &name.text) {
        Some(Fact::Setting(form)) => Some((form, false)),
        Some(Fact::Field(info)) => form_of(info).map(|form| (form, true)),
        None => None,
    };
    let Some((form, nullable)) = form else {
        let message = format!("`{}.{}` is no fact that can be given", group.text, name.text);
        let fault = Diagnostic::error("R0328", name.span, message);
        let prefix = format!("{}.", group.text);
        let fields = FIELDS.iter().filter_map(|info| info.name.strip_prefix(prefix.as_str()));
        let settings = SETTINGS.iter().filter(|(of, ..)| *of == group.text).map(|(_, n, _)| *n);
        let known: Vec<&str> = settings.chain(fields).collect();
        return Some(match nearest(&name.text, known.iter().copied()) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help(format!("one of: {}", known.join(", "))),
        });
    };
    if fits(value, form, nullable) {
        return None;
    }
    let example = match form {
        Form::Int => "3".to_owned(),
        Form::Share => "5%".to_owned(),
        Form::Bool => "true".to_owned(),
        Form::Number => "35_000.5".to_owned(),
        Form::Money => "10 USDT".to_owned(),
        Form::Duration => "2s".to_owned(),
        Form::Time => "@2026-01-05T10:00:00Z".to_owned(),
        Form::Word(list) => list.join("`, `"),
    };
    let message = format!("`{}` is not given in this form", name.text);
    Some(Diagnostic::error("R0329", value.span, message).help(format!("write `{example}`")))
}

fn fits(value: &Expr, form: Form, nullable: bool) -> bool {
    match (&value.kind, form) {
        (ExprKind::Literal(Literal::Na), _) => nullable,
        (ExprKind::Neg(inner), Form::Int | Form::Share | Form::Number | Form::Money) => {
            fits(inner, form, false)
        }
        (ExprKind::Literal(Literal::Number(number)), Form::Int) => !number.point,
        (ExprKind::Literal(Literal::Number(_)), Form::Number | Form::Share)
        | (ExprKind::Literal(Literal::Percent(_)), Form::Share)
        | (ExprKind::Literal(Literal::Amount(..)), Form::Money)
        | (ExprKind::Literal(Literal::Duration(_)), Form::Duration)
        | (ExprKind::Literal(Literal::Instant(_)), Form::Time)
        | (ExprKind::Literal(Literal::Bool(_)), Form::Bool) => true,
        (ExprKind::Path(segments), Form::Word(list)) => {
            matches!(segments.as_slice(), [only]
                if only.args.is_none() && list.contains(&only.name.text.as_str()))
        }
        _ => false,
    }
}
