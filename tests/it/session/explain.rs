//! Refusals explained: all of them, from what was decided, and the terms add up to the limit.

use std::collections::BTreeMap;

use engine::explain::{Explanation, explain};
use journal::SinkKind;
use model::decimal::parse_mantissa;
use model::event::{Body, Event};
use model::order::{Cause, Verdict};

use super::lab::{defaults, events, fused, generated, journaled};

/// Returns a term's number in units of 1e-9.
fn term(found: &Explanation, name: &str) -> i128 {
    let term = found.terms.iter().find(|term| term.name == name);
    let term = term.unwrap_or_else(|| panic!("no {name} in {found:?}"));
    let number = term.value.split([' ', '%']).next().unwrap();
    i128::from(parse_mantissa(number.as_bytes(), 9).unwrap())
}

/// What a share of money is worth; a share of 30 % is 30 in units of 1e-9.
fn share(percent: i128, of: i128) -> i128 {
    percent * of / 100_000_000_000
}

#[test]
fn every_refusal_of_a_session_is_explained_and_its_terms_make_its_limit() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("run");
    let (session, mut market) = generated(2, 900, defaults());
    journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    let refused =
        |event: &Event| matches!(event.body(), Body::Decision(d) if d.verdict == Verdict::Deny);
    let journaled: Vec<Event> = events(&dir).into_iter().filter(refused).collect();
    let mut explained = Vec::new();
    let mut judged = BTreeMap::new();
    explain(
        &dir,
        |_, _| true,
        |found| {
            explained.push(found.event);
            check(found, &mut judged);
            true
        },
    )
    .unwrap();
    assert_eq!(explained, journaled, "each refusal, in order");
    assert!(explained.len() > 100, "{} refusals", explained.len());
    println!("{judged:?}");
    for code in ["MAX_SYMBOL_EXPOSURE", "PRICE_COLLAR", "BELOW_MIN", "FAR_AWAY"] {
        assert!(judged.contains_key(code), "no {code} in {judged:?}");
    }
}

/// Asserts that a refusal's terms are those that its values are made of.
#[track_caller]
fn check(found: &Explanation, judged: &mut BTreeMap<String, u32>) {
    let (value, limit) = (i128::from(found.decision.observed), i128::from(found.decision.limit));
    assert!(found.rule.is_none() || !found.terms.is_empty(), "{found:?}");
    if found.decision.cause != Cause::Known {
        let unknown = found.terms.iter().any(|term| term.value.starts_with("unknown"));
        assert!(unknown, "nothing unknown in {found:?}");
        return;
    }
    match found.code.as_str() {
        "MAX_SYMBOL_EXPOSURE" => {
            let whole = share(term(found, "max_symbol_exposure"), term(found, "account.equity"));
            let room = whole - term(found, "symbol.exposure");
            assert!((limit - room.max(0)).abs() <= 1, "{room} for {limit} in {found:?}");
            assert!(value > limit, "{found:?}");
        }
        "MAX_EXPOSURE" => {
            let whole = share(term(found, "max_exposure"), term(found, "account.equity"));
            let room = whole - term(found, "account.exposure");
            assert!((limit - room.max(0)).abs() <= 1, "{room} for {limit} in {found:?}");
        }
        "BELOW_MIN" => {
            assert!(value < limit && (term(found, "order.value") - value).abs() <= 1, "{found:?}");
            assert_eq!(term(found, "min_order"), limit, "{found:?}");
        }
        "PRICE_COLLAR" | "FAR_AWAY" => {
            assert!(value > limit, "{found:?}");
            assert!(term(found, "order.price") > 0 && term(found, "market.mid") > 0, "{found:?}");
        }
        "BELOW_MIN_QTY" => assert!(value < limit, "{found:?}"),
        "NO_BALANCE" => {
            assert!(value > limit, "{found:?}");
        }
        _ => {}
    }
    *judged.entry(found.code.clone()).or_default() += 1;
}
