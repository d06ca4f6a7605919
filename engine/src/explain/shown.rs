//! Values as rules write them: with their unit, at their own decimals.

use dsl::schema::Type;
use dsl::typed::{Asset, Unit};
use dsl::value::Value;
use model::decimal::format_trimmed;
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Rounding, mul_div};
use model::time::Nanos;

use crate::risk::explain::Read;

/// What the words for a value need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) reporting: &'a str,
    pub(super) instrument: Option<&'a Instrument>,
}

impl Words<'_> {
    /// Returns the value of an expression.
    pub(super) fn value(
        &self,
        unit: &Unit,
        percent: bool,
        (value, decimals): (Value, u8),
    ) -> String {
        let Some(number) = value.number() else { return unknown(value) };
        let plain = format_trimmed(number, decimals);
        match unit {
            // Two digits less, and a sign: 0.05 is 5%.
            Unit::Num if percent => {
                let whole = format_trimmed(number, decimals.saturating_sub(2));
                format!("{whole}%")
            }
            Unit::Int | Unit::Num | Unit::Price | Unit::Qty => plain,
            Unit::Bool => (number != 0).to_string(),
            Unit::Money(asset) => match asset {
                Asset::Named(name) => format!("{plain} {name}"),
                Asset::Reporting => format!("{plain} {}", self.reporting),
                Asset::Quote => format!("{plain} {}", self.quote()),
                Asset::Pays => plain,
            },
            Unit::Duration => format!("{}s", format_trimmed(number, MONEY_SCALE)),
            Unit::Time => moment(number),
            Unit::Word(words) => word(words, number),
        }
    }

    /// Returns the value of a field.
    pub(super) fn field(&self, ty: Type, read: &Read) -> String {
        let Some(number) = read.over.number() else { return unknown(read.over) };
        let decimals = |decimals| format_trimmed(number, decimals);
        let price = self.instrument.map_or(0, |i| i.price_scale.decimals());
        match ty {
            Type::Int => number.to_string(),
            Type::Bool => (number != 0).to_string(),
            Type::Price => decimals(price),
            Type::Mark => decimals(price.saturating_add(1)),
            Type::Qty => decimals(self.instrument.map_or(0, |i| i.qty_scale.decimals())),
            Type::Share => match ratio(number, read.under, 100_000_000) {
                // A share in percent with six decimals.
                Some(share) => format!("{}%", format_trimmed(share, 6)),
                None => unknown(read.under),
            },
            Type::PriceRatio => match ratio(number, read.under, 1_000_000_000) {
                Some(price) => format_trimmed(price, MONEY_SCALE),
                None => unknown(read.under),
            },
            Type::Reporting | Type::Worth => {
                format!("{} {}", decimals(MONEY_SCALE), self.reporting)
            }
            Type::Quote => format!("{} {}", decimals(MONEY_SCALE), self.quote()),
            // The asset stands in the name.
            Type::Pays | Type::Named => decimals(MONEY_SCALE),
            Type::Asset => String::new(),
            Type::Duration => format!("{}s", decimals(MONEY_SCALE)),
            Type::Time => moment(number),
            Type::Word(words) => word(words, number),
        }
    }

    fn quote(&self) -> &str {
        self.instrument.map_or("", |instrument| instrument.symbol.quote.as_str())
    }
}

fn moment(number: i128) -> String {
    Nanos(i64::try_from(number).unwrap_or(i64::MAX)).to_string()
}

fn word(words: &[&str], number: i128) -> String {
    let word = usize::try_from(number).ok().and_then(|index| words.get(index));
    (*word.unwrap_or(&"")).to_owned()
}

/// Returns a ratio in units of one over `parts`, rounded down.
fn ratio(over: i128, under: Value, parts: i128) -> Option<i128> {
    mul_div(over, parts, under.number().filter(|under| *under != 0)?, Rounding::Floor)
}

/// Says that a value is unknown, and why.
pub(super) fn unknown(value: Value) -> String {
    format!("unknown ({:?})", value.cause())
}
