//! What a test states: facts in place of the session's, at the scale in which they are answered.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a given value is one of a few forms of an expression"
)]

use dsl::ast::{Expr, ExprKind, Literal, Number};
use dsl::evaluate::{Input, Part};
use dsl::schema::{Field, FieldInfo, Type};
use dsl::value::Value;
use model::id::{AssetId, InstrumentId};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, pow10};

use crate::risk::given::Given;

/// One stated fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fact {
    field: Field,
    /// Whose; none: everyone's.
    instrument: Option<InstrumentId>,
    /// Of which asset, for `account.free` and its like.
    asset: Option<AssetId>,
    /// The value; of shares and price ratios the part above.
    value: Value,
    /// The part below.
    under: Value,
}

/// All stated facts; a later one of the same thing replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub(super) struct Stated {
    facts: Vec<Fact>,
}

impl Stated {
    /// States a field with a value of the engine's own form.
    pub(super) fn set(&mut self, field: Field, value: Value) {
        self.put(Fact { field, instrument: None, asset: None, value, under: Value::TRUE });
    }

    /// States a field as written.
    ///
    /// # Errors
    /// Why the value cannot be one of this instrument.
    pub(super) fn state(
        &mut self,
        info: &FieldInfo,
        of: Option<(InstrumentId, &Instrument)>,
        written: &Expr,
        asset: impl Fn(&str) -> Option<AssetId>,
    ) -> Result<(), String> {
        let decimals = match info.ty {
            Type::Price => of.map_or(0, |(_, facts)| facts.price_scale.decimals()),
            Type::Mark => of.map_or(0, |(_, facts)| facts.mark_decimals()),
            Type::Qty => of.map_or(0, |(_, facts)| facts.qty_scale.decimals()),
            Type::Int | Type::Bool | Type::Duration | Type::Time | Type::Word(_) => 0,
            Type::Share
            | Type::PriceRatio
            | Type::Reporting
            | Type::Quote
            | Type::Pays
            | Type::Named
            | Type::Worth
            | Type::Asset => MONEY_SCALE,
        };
        let (value, named) = value(written, decimals, info.ty)?;
        let one = pow10(MONEY_SCALE).unwrap_or(1);
        let asset = match (info.ty, named) {
            (Type::Named, Some(name)) => {
                Some(asset(name).ok_or_else(|| format!("{name} is no asset of this test"))?)
            }
            _ => None,
        };
        self.put(Fact {
            field: info.field,
            instrument: of.map(|(id, _)| id),
            asset,
            value,
            under: if value.is_na() { value } else { Value::known(one) },
        });
        Ok(())
    }

    fn put(&mut self, fact: Fact) {
        let same = |known: &Fact| {
            (known.field, known.instrument, known.asset)
                == (fact.field, fact.instrument, fact.asset)
        };
        self.facts.retain(|known| !same(known));
        self.facts.push(fact);
    }
}

impl Given for Stated {
    const STATES: bool = true;

    fn read(&self, input: &Input, instrument: InstrumentId) -> Option<Value> {
        let fits = |fact: &&Fact| {
            fact.field == input.field
                && fact.instrument.is_none_or(|only| only == instrument)
                && fact.asset.is_none_or(|only| input.asset == Some(only))
        };
        // The last word stands, and what is said of one instrument before what is said of all.
        let fact = self.facts.iter().rev().filter(fits).max_by_key(|fact| fact.instrument)?;
        let ratio = matches!(fact.field.info().ty, Type::Share | Type::PriceRatio);
        Some(if ratio && input.part == Part::Under { fact.under } else { fact.value })
    }
}

/// Returns a written value at some decimals, and the asset that it names.
fn value(written: &Expr, decimals: u8, ty: Type) -> Result<(Value, Option<&str>), String> {
    Ok(match &written.kind {
        ExprKind::Neg(inner) => {
            let (value, asset) = value(inner, decimals, ty)?;
            (value.number().map_or(value, |number| Value::known(number.saturating_neg())), asset)
        }
        ExprKind::Literal(Literal::Na) => (Value::MISSING, None),
        ExprKind::Literal(Literal::Number(number) | Literal::Percent(number)) => {
            (Value::known(mantissa(*number, decimals)?), None)
        }
        ExprKind::Literal(Literal::Amount(number, asset)) => {
            (Value::known(mantissa(*number, decimals)?), Some(asset.text.as_str()))
        }
        ExprKind::Literal(Literal::Duration(ns) | Literal::Instant(ns)) => {
            (Value::known(i128::from(*ns)), None)
        }
        ExprKind::Literal(Literal::Bool(truth)) => (Value::bool(*truth), None),
        ExprKind::Path(_) => {
            let word = word(written).unwrap_or("");
            let Type::Word(list) = ty else { return Err(format!("`{word}` is no value")) };
            let index = list.iter().position(|known| *known == word);
            let index = index.and_then(|index| i128::try_from(index).ok());
            (Value::known(index.ok_or_else(|| format!("`{word}` is no word of this field"))?), None)
        }
        _ => return Err("a fact is given as a literal".to_owned()),
    })
}

/// Returns a number at some decimals.
///
/// # Errors
/// When it has more.
pub(super) fn mantissa(number: Number, decimals: u8) -> Result<i128, String> {
    let shift = decimals.checked_sub(number.decimals);
    let scaled = shift.and_then(pow10).and_then(|power| number.mantissa.checked_mul(power));
    scaled.ok_or_else(|| {
        let text = model::decimal::format_trimmed(number.mantissa, number.decimals);
        format!("{text} has more than {decimals} decimals")
    })
}

/// Returns the number that an expression is, for settings.
pub(super) fn number(written: &Expr) -> Option<Number> {
    match &written.kind {
        ExprKind::Literal(
            Literal::Number(number) | Literal::Percent(number) | Literal::Amount(number, _),
        ) => Some(*number),
        ExprKind::Neg(inner) => {
            let inner = number(inner)?;
            Some(Number { mantissa: inner.mantissa.saturating_neg(), ..inner })
        }
        _ => None,
    }
}

/// Returns the word that an expression is.
pub(super) fn word(written: &Expr) -> Option<&str> {
    let ExprKind::Path(segments) = &written.kind else { return None };
    segments.first().map(|only| only.name.text.as_str())
}
