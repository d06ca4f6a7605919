//! The unit algebra: what may be compared, added, multiplied and divided, and what comes out.
//!
//! Pure functions over [`crate::typed::Unit`]; messages are the caller's. An integer may stand
//! wherever a number may. Two different named assets never meet; an asset that is known only after
//! binding (the reporting asset, the quote asset, what the order pays with) is accepted here, and
//! the binder verifies it.

use crate::schema::{FieldInfo, Type};
use crate::typed::{Asset, Unit};

/// Why two units do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// They mean different things.
    Units,
    /// Money of two different assets.
    Assets(String, String),
}

/// Returns the common unit of two values that are compared, added or chosen between.
pub(crate) fn same(a: &Unit, b: &Unit) -> Result<Unit, Misfit> {
    match (a, b) {
        (Unit::Money(x), Unit::Money(y)) => Ok(Unit::Money(same_asset(x, y)?)),
        (Unit::Int, Unit::Num) | (Unit::Num, Unit::Int) => Ok(Unit::Num),
        _ if a == b => Ok(a.clone()),
        _ => Err(Misfit::Units),
    }
}

/// The named asset says more than one that is known only after binding.
fn same_asset(a: &Asset, b: &Asset) -> Result<Asset, Misfit> {
    match (a, b) {
        (Asset::Named(x), Asset::Named(y)) if x != y => Err(Misfit::Assets(x.clone(), y.clone())),
        (Asset::Named(_), _) => Ok(a.clone()),
        (_, Asset::Named(_)) => Ok(b.clone()),
        _ => Ok(a.clone()),
    }
}

/// Returns the unit of a sum or difference.
pub(crate) fn sum(a: &Unit, b: &Unit, minus: bool) -> Result<Unit, Misfit> {
    match (a, b) {
        (Unit::Time, Unit::Time) if minus => Ok(Unit::Duration),
        (Unit::Time, Unit::Duration) => Ok(Unit::Time),
        (Unit::Duration, Unit::Time) if !minus => Ok(Unit::Time),
        _ if is_number(a) && is_number(b) => same(a, b),
        _ => Err(Misfit::Units),
    }
}

/// Returns the unit of a product.
pub(crate) fn product(a: &Unit, b: &Unit) -> Result<Unit, Misfit> {
    match (a, b) {
        (Unit::Price, Unit::Qty) | (Unit::Qty, Unit::Price) => Ok(Unit::Money(Asset::Quote)),
        (Unit::Int, Unit::Int) => Ok(Unit::Int),
        (Unit::Num | Unit::Int, Unit::Num | Unit::Int) => Ok(Unit::Num),
        (Unit::Num | Unit::Int, x) | (x, Unit::Num | Unit::Int) if is_number(x) => Ok(x.clone()),
        _ => Err(Misfit::Units),
    }
}

/// Returns the unit of a quotient.
pub(crate) fn quotient(a: &Unit, b: &Unit) -> Result<Unit, Misfit> {
    match (a, b) {
        (Unit::Money(asset), Unit::Price) => {
            same_asset(asset, &Asset::Quote)?;
            Ok(Unit::Qty)
        }
        (Unit::Money(asset), Unit::Qty) => {
            same_asset(asset, &Asset::Quote)?;
            Ok(Unit::Price)
        }
        (Unit::Num | Unit::Int, Unit::Num | Unit::Int) => Ok(Unit::Num),
        (x, Unit::Num | Unit::Int) if is_number(x) => Ok(x.clone()),
        _ if is_number(a) => same(a, b).map(|_| Unit::Num),
        _ => Err(Misfit::Units),
    }
}

/// Tells whether values of a unit can be added to each other.
pub(crate) fn is_number(unit: &Unit) -> bool {
    match unit {
        Unit::Int | Unit::Num | Unit::Price | Unit::Qty | Unit::Money(_) | Unit::Duration => true,
        Unit::Bool | Unit::Time | Unit::Word(_) => false,
    }
}

/// Returns the unit in words.
pub(crate) fn describe(unit: &Unit) -> String {
    let plain = match unit {
        Unit::Int => "an integer",
        Unit::Num => "a number",
        Unit::Bool => "a truth",
        Unit::Price => "price",
        Unit::Qty => "quantity",
        Unit::Duration => "duration",
        Unit::Time => "time",
        Unit::Word(_) => "a word",
        Unit::Money(_) => "money",
    };
    plain.to_owned()
}

/// Returns the unit in words, with what is known of the asset.
pub(crate) fn describe_fully(unit: &Unit) -> String {
    match unit {
        Unit::Money(Asset::Named(asset)) => format!("money ({asset})"),
        Unit::Money(Asset::Reporting) => "money (reporting asset)".to_owned(),
        Unit::Money(Asset::Quote) => "money (quote asset)".to_owned(),
        Unit::Money(Asset::Pays) => "money (asset that the order pays with)".to_owned(),
        Unit::Int
        | Unit::Num
        | Unit::Bool
        | Unit::Price
        | Unit::Qty
        | Unit::Duration
        | Unit::Time
        | Unit::Word(_) => describe(unit),
    }
}

/// Returns the unit of a field that takes no argument; none for assets and for named amounts.
pub(crate) fn of_field(info: &FieldInfo) -> Option<Unit> {
    Some(match info.ty {
        Type::Int => Unit::Int,
        Type::Share => Unit::Num,
        Type::Bool => Unit::Bool,
        Type::Price | Type::Mark | Type::PriceRatio => Unit::Price,
        Type::Qty => Unit::Qty,
        Type::Reporting => Unit::Money(Asset::Reporting),
        Type::Quote => Unit::Money(Asset::Quote),
        Type::Pays => Unit::Money(Asset::Pays),
        Type::Duration => Unit::Duration,
        Type::Time => Unit::Time,
        Type::Word(list) => Unit::Word(list),
        Type::Named | Type::Worth | Type::Asset => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algebra_is_the_one_of_the_document() {
        let quote = Unit::Money(Asset::Quote);
        let usdt = Unit::Money(Asset::Named("USDT".to_owned()));
        let eur = Unit::Money(Asset::Named("EUR".to_owned()));
        assert_eq!(product(&Unit::Price, &Unit::Qty), Ok(quote.clone()));
        assert_eq!(quotient(&usdt, &Unit::Price), Ok(Unit::Qty));
        assert_eq!(quotient(&quote, &Unit::Qty), Ok(Unit::Price));
        assert_eq!(quotient(&Unit::Price, &Unit::Price), Ok(Unit::Num));
        assert_eq!(product(&Unit::Num, &usdt), Ok(usdt.clone()));
        assert_eq!(sum(&Unit::Time, &Unit::Time, true), Ok(Unit::Duration));
        assert_eq!(same(&quote, &usdt), Ok(usdt.clone()));
        assert!(matches!(same(&usdt, &eur), Err(Misfit::Assets(..))));
        for (a, b) in [(&Unit::Price, &Unit::Price), (&Unit::Time, &Unit::Num), (&usdt, &quote)] {
            assert!(product(a, b).is_err());
        }
        assert!(sum(&Unit::Time, &Unit::Time, false).is_err());
        assert!(quotient(&Unit::Num, &Unit::Price).is_err());
        assert!(sum(&Unit::Bool, &Unit::Bool, false).is_err());
    }
}
