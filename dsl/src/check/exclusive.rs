//! Whether two updates of one state can happen at once.
//!
//! Two writers of one event are an error unless their conditions provably exclude each other. The
//! proof is by pairs: one conjunct of the one must contradict one of the other. What it does not
//! see is refused, never allowed.

use std::cmp::Ordering;

use crate::typed::{Compare, Expr, ExprKind, StateUpdate};

use super::params::order;

/// A conjunct, or its negation.
#[derive(Clone, Copy)]
struct Claim<'a> {
    expr: &'a Expr,
    holds: bool,
}

/// Tells whether the conditions of two updates exclude each other.
pub(super) fn exclusive(a: &StateUpdate, b: &StateUpdate) -> bool {
    let (a, b) = (claims(a), claims(b));
    a.iter().any(|left| b.iter().any(|right| contradict(*left, *right)))
}

/// Everything that must hold for an update to happen.
fn claims(update: &StateUpdate) -> Vec<Claim<'_>> {
    let mut open: Vec<Claim<'_>> = Vec::new();
    open.extend(update.when.as_ref().map(|expr| Claim { expr, holds: true }));
    open.extend(update.unless.as_ref().map(|expr| Claim { expr, holds: false }));
    let mut found = Vec::new();
    while let Some(Claim { expr, holds }) = open.pop() {
        if let ExprKind::Not(inner) = &expr.kind {
            open.push(Claim { expr: inner, holds: !holds });
        } else if let (ExprKind::And(left, right), true) | (ExprKind::Or(left, right), false) =
            (&expr.kind, holds)
        {
            open.push(Claim { expr: left, holds });
            open.push(Claim { expr: right, holds });
        } else {
            found.push(Claim { expr, holds });
        }
    }
    found
}

fn contradict(a: Claim<'_>, b: Claim<'_>) -> bool {
    if a.expr == b.expr {
        return a.holds != b.holds;
    }
    match (comparison(a), comparison(b)) {
        (Some((op, left, right)), Some((other, x, y))) => {
            if left == x {
                disjoint(op, right, other, y)
            } else if left == y {
                disjoint(op, right, turned(other), x)
            } else if right == x {
                disjoint(turned(op), left, other, y)
            } else {
                right == y && disjoint(turned(op), left, turned(other), x)
            }
        }
        _ => false,
    }
}

/// A claim as a comparison that holds.
fn comparison(claim: Claim<'_>) -> Option<(Compare, &Expr, &Expr)> {
    let ExprKind::Compare(op, left, right) = &claim.expr.kind else { return None };
    let op = match (op, claim.holds) {
        (op, true) => *op,
        (Compare::Less, false) => Compare::GreaterEq,
        (Compare::LessEq, false) => Compare::Greater,
        (Compare::Greater, false) => Compare::LessEq,
        (Compare::GreaterEq, false) => Compare::Less,
        (Compare::Equal, false) => Compare::NotEqual,
        (Compare::NotEqual, false) => Compare::Equal,
    };
    Some((op, left, right))
}

fn turned(op: Compare) -> Compare {
    match op {
        Compare::Less => Compare::Greater,
        Compare::LessEq => Compare::GreaterEq,
        Compare::Greater => Compare::Less,
        Compare::GreaterEq => Compare::LessEq,
        Compare::Equal | Compare::NotEqual => op,
    }
}

/// Tells whether no value is both `op a` and `other b`.
fn disjoint(op: Compare, a: &Expr, other: Compare, b: &Expr) -> bool {
    let between = if a == b { Some(Ordering::Equal) } else { word_order(a, b).or(order(a, b)) };
    let Some(between) = between else { return false };
    let below = |op| matches!(op, Compare::Less | Compare::LessEq | Compare::Equal);
    let above = |op| matches!(op, Compare::Greater | Compare::GreaterEq | Compare::Equal);
    let strict = |op| matches!(op, Compare::Less | Compare::Greater);
    match between {
        // At one bound: both sides keep it out, or they say the opposite of it.
        Ordering::Equal => {
            let apart = (below(op) && above(other) || above(op) && below(other))
                && (strict(op) || strict(other));
            let unequal = matches!(
                (op, other),
                (Compare::Equal, Compare::NotEqual) | (Compare::NotEqual, Compare::Equal)
            );
            apart || unequal
        }
        Ordering::Less => below(op) && above(other),
        Ordering::Greater => above(op) && below(other),
    }
}

/// Words have no order, but two of them are two values.
fn word_order(a: &Expr, b: &Expr) -> Option<Ordering> {
    match (&a.kind, &b.kind) {
        (ExprKind::Word(x), ExprKind::Word(y)) => Some(x.cmp(y)),
        _ => None,
    }
}
