//! What the language has names for: functions, fields that this version does not have yet, and who
//! may read what.

use crate::schema::Scope as Readers;
use crate::typed::{Expr, ExprKind, Function, Indicator};

/// Whose expressions are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A risk block, or an invariant about it.
    Risk,
    /// A strategy.
    Strategy,
}

/// Fields of the language that this version does not answer. A rule that reads one is refused.
const LATER_FIELDS: &str = "order.post_only order.strength \
    venue.symbol_state venue.budget_left venue.circuit";

/// Functions of the language that this version does not compute.
const LATER_FUNCTIONS: &str = "dmi adx fx sqrt last move";

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callable {
    /// Without state.
    Pure(Function),
    /// With state, kept as a series.
    Stateful(Indicator),
    /// A difference or a ratio to an earlier value.
    Past(Past),
}

/// What is made of a value and what it was some steps ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// The difference.
    Change,
    /// The difference as a share of what it was.
    Roc,
}

/// Returns the function with this name.
pub(crate) fn function(name: &str) -> Option<Callable> {
    Some(match name {
        "max" => Callable::Pure(Function::Max),
        "min" => Callable::Pure(Function::Min),
        "abs" => Callable::Pure(Function::Abs),
        "clamp" => Callable::Pure(Function::Clamp),
        "floor" => Callable::Pure(Function::Floor),
        "ceil" => Callable::Pure(Function::Ceil),
        "round" => Callable::Pure(Function::Round),
        "round_down" => Callable::Pure(Function::RoundDown),
        "round_up" => Callable::Pure(Function::RoundUp),
        "round_nearest" => Callable::Pure(Function::RoundNearest),
        "mod" => Callable::Pure(Function::Mod),
        "change" => Callable::Past(Past::Change),
        "roc" => Callable::Past(Past::Roc),
        "wma" => Callable::Stateful(Indicator::Wma),
        "rma" => Callable::Stateful(Indicator::Rma),
        "rsi" => Callable::Stateful(Indicator::Rsi),
        "tr" => Callable::Stateful(Indicator::Tr),
        "atr" => Callable::Stateful(Indicator::Atr),
        "vwap" => Callable::Stateful(Indicator::Vwap),
        "zscore" => Callable::Stateful(Indicator::Zscore),
        "sma" => Callable::Stateful(Indicator::Sma),
        "ema" => Callable::Stateful(Indicator::Ema),
        "highest" => Callable::Stateful(Indicator::Highest),
        "lowest" => Callable::Stateful(Indicator::Lowest),
        "stdev" => Callable::Stateful(Indicator::Stdev),
        "crossover" => Callable::Stateful(Indicator::Crossover),
        "crossunder" => Callable::Stateful(Indicator::Crossunder),
        _ => return None,
    })
}

/// Names of the functions of this version.
pub(crate) const FUNCTIONS: &str = "max min abs clamp floor ceil round round_down round_up \
    round_nearest mod count sum rate change roc sma wma ema rma rsi tr atr vwap highest lowest \
    stdev zscore crossover crossunder macd bollinger";

/// Tells whether a name is one of the functions over windows.
pub(crate) fn is_window(name: &str) -> bool {
    matches!(name, "count" | "sum" | "rate")
}

/// Functions with more than one result, and the names of these.
pub(crate) const PARTED: [(&str, &[&str]); 2] =
    [("macd", &["line", "signal", "hist"]), ("bollinger", &["upper", "middle", "lower"])];

/// Returns the names of a function's results, if it has more than one.
pub(crate) fn parts(name: &str) -> Option<&'static [&'static str]> {
    PARTED.iter().find(|(known, _)| *known == name).map(|(_, parts)| *parts)
}

/// Tells whether a name is one of the language's functions.
pub(crate) fn is_function(name: &str) -> bool {
    function(name).is_some() || parts(name).is_some() || is_window(name) || is_later_function(name)
}

/// Tells whether the language has this function, but not this version.
pub(crate) fn is_later_function(name: &str) -> bool {
    crate::parse::is_in(LATER_FUNCTIONS, name)
}

/// Tells whether the language has this field, but not this version.
pub(crate) fn is_later_field(name: &str) -> bool {
    crate::parse::is_in(LATER_FIELDS, name)
}

/// Tells whether a block may read fields of a scope.
pub(crate) fn is_readable(owner: Owner, readers: Readers) -> bool {
    match readers {
        Readers::Both => true,
        Readers::Risk => owner == Owner::Risk,
        Readers::Strategy => owner == Owner::Strategy,
    }
}

/// Returns the parts of an expression.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Ticks(_)
        | ExprKind::Lots(_)
        | ExprKind::Bool(_)
        | ExprKind::Na
        | ExprKind::Word(_)
        | ExprKind::Field(..)
        | ExprKind::Param(_)
        | ExprKind::Let(_)
        | ExprKind::Series(_)
        | ExprKind::State(_)
        | ExprKind::Window(_)
        | ExprKind::Depth(_) => Vec::new(),
        ExprKind::Neg(a) | ExprKind::Not(a) | ExprKind::IsNa(a) => vec![a],
        ExprKind::Arith(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::And(a, b)
        | ExprKind::Or(a, b)
        | ExprKind::Default(a, b) => vec![a, b],
        ExprKind::If(a, b, c) => vec![a, b, c],
        ExprKind::Call(_, args) => args.iter().collect(),
    }
}

/// Returns the number of nodes of an expression.
pub(crate) fn size(expr: &Expr) -> usize {
    children(expr).into_iter().map(size).fold(1, usize::saturating_add)
}
