//! Refusals explained: all of them, from what was decided, and the terms add up to the limit.

use std::collections::BTreeMap;

use engine::explain::{Explanation, explain};
use journal::SinkKind;
use model::decimal::parse_mantissa;
use model::event::{Body, Event};
use model::order::{Cause, Verdict};

use dsl::span::Source;

use super::lab::{defaults, events, fused, generated, journaled, shipped};

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
            assert!((room - term(found, "symbol_room")).abs() <= 1, "{room} in {found:?}");
            assert!(value > limit, "{found:?}");
        }
        "MAX_EXPOSURE" => {
            let whole = share(term(found, "max_exposure"), term(found, "account.equity"));
            let room = whole - term(found, "account.exposure");
            assert!((limit - room.max(0)).abs() <= 1, "{room} for {limit} in {found:?}");
            assert!((room - term(found, "room")).abs() <= 1, "{room} in {found:?}");
        }
        "BELOW_MIN" => {
            assert!(value < limit && (term(found, "order.value") - value).abs() <= 1, "{found:?}");
            assert_eq!(term(found, "min_order"), limit, "{found:?}");
        }
        "PRICE_COLLAR" | "FAR_AWAY" => {
            assert!(value > limit, "{found:?}");
            assert!(term(found, "order.price") > 0 && term(found, "market.mid") > 0, "{found:?}");
            let aggression = term(found, "aggression");
            let turned = if found.code == "FAR_AWAY" { -aggression } else { aggression };
            assert!((turned - value).abs() <= 1, "{aggression} in {found:?}");
        }
        "BELOW_MIN_QTY" => assert!(value < limit, "{found:?}"),
        "NO_BALANCE" => {
            assert!(value > limit, "{found:?}");
        }
        _ => {}
    }
    *judged.entry(found.code.clone()).or_default() += 1;
}

/// One rule of each kind, over all that a rule can name.
const KINDS: &str = "rules 1
risk kinds hard {
  applies to all
  param most    : percent  = 4%  in 1%..50%
  param pause   : duration = 3s  in 1s..1m
  param orders_ : int      = 4   in 1..100
  param losses  : int      = 3   in 1..100 { ETH_USDT.PERP = 2 }

  state losers : int = 0 reset daily
  update losers = losers + 1 on closed when closed.pnl < 0 USDT
  update losers = 0          on latch TIRED ends

  let fair = market.mid ?? market.last
  let paid = if order.is_buy then (order.price - fair) / fair else (fair - order.price) / fair
  let room = most * account.equity - symbol.exposure

  halt BUSY for 5s when count(fills, 20s) >= 4
    message \"{count(fills, 20s)} fills\"
  reduce_only TIRED for 5s when losers >= losses
    message \"{losers} losers of {losses}\"

  cap ROOM value to max(room, 0 USDT) unless order.reduces

  require NEAR paid <= 20bps unless order.reduces
    message \"price {order.price} pays {paid} beyond {fair}\"
  deny CROWDED when count(orders, 5s) >= 3 unless order.reduces

  cooldown REST pause after fill by symbol unless order.reduces
  throttle PACE orders to orders_ per 10s unless order.reduces
}
invariant none for kinds { prove order.approved implies order.value >= 0 USDT }
test \"t\" for kinds { expect state running }";

#[test]
fn each_kind_of_refusal_is_told_with_the_values_that_decided() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("run");
    let kinds = Source { name: "kinds.rules".to_owned(), text: KINDS.to_owned() };
    let (session, mut market) = generated(2, 900, vec![shipped("crossover.rules"), kinds]);
    journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    let one = |number: i128| number / 1_000_000_000;
    explain(
        &dir,
        |_, _| true,
        |found| {
            *told.entry(found.code.clone()).or_default() += 1;
            let decision = &found.decision;
            let (value, limit) = (i128::from(decision.observed), i128::from(decision.limit));
            let text = found.message.clone().unwrap_or_default();
            assert!(!text.contains('{'), "{found:?}");
            match found.code.as_str() {
                "BUSY" => {
                    let count = one(term(found, "count(fills, 20s)"));
                    assert_eq!(text, format!("{count} fills"));
                    assert_eq!((count, limit), (value, 4), "{found:?}");
                }
                "TIRED" => {
                    let losers = one(term(found, "losers"));
                    assert_eq!(text, format!("{losers} losers of {limit}"), "{found:?}");
                    assert_eq!((losers, one(term(found, "losses"))), (value, limit), "{found:?}");
                    let own = if found.event.instrument.0 == 1 { 2 } else { 3 };
                    assert_eq!(limit, own, "{found:?}");
                }
                "ROOM" => {
                    let room = term(found, "room");
                    assert!((limit - room.max(0)).abs() <= 1, "{found:?}");
                    assert!((term(found, "order.value") - value).abs() <= 1, "{found:?}");
                }
                "NEAR" => {
                    let paid = term(found, "paid");
                    assert!((paid - value).abs() <= 1, "{found:?}");
                    let price = found.terms.iter().find(|term| term.name == "order.price").unwrap();
                    assert!(text.starts_with(&format!("price {} pays 0.", price.value)), "{text}");
                }
                "CROWDED" => {
                    assert_eq!((one(term(found, "count(orders, 5s)")), limit), (value, 3));
                }
                "REST" => {
                    assert_eq!(found.terms[0].value, "3s", "{found:?}");
                    assert_eq!(limit, 3_000_000_000, "{found:?}");
                }
                "PACE" => {
                    assert_eq!((one(term(found, "orders_")), limit), (4, 4), "{found:?}");
                    assert!(value >= limit, "{found:?}");
                }
                _ => {}
            }
            true
        },
    )
    .unwrap();
    println!("{told:?}");
    for code in ["BUSY", "TIRED", "ROOM", "NEAR", "CROWDED", "REST", "PACE"] {
        assert!(told.contains_key(code), "no {code} in {told:?}");
    }
}
