//! Replay detects what it is for: a decision that was not made so, nothing decided, other
//! semantics.

use std::path::{Path, PathBuf};

use dsl::span::Source as RulesText;
use engine::session::{Control, ToTheEnd};
use engine::setup::SEMANTICS;
use engine::source::Progress;
use engine::tape::Difference;
use journal::{Options, Reader, RecordHeader, SinkKind, Writer};
use model::codec::{decode, encode};
use model::decimal::format_trimmed;
use model::event::{Body, Event, FLAG_LAST, Kind};
use model::num::Qty;
use model::time::Nanos;

use super::lab::{defaults, events, fused, generated, journaled, replayed, split};

/// Runs a small session and returns its journal.
fn journal_of(scratch: &Path, texts: Vec<RulesText>) -> PathBuf {
    let dir = scratch.join("run");
    let (session, mut market) = generated(3, 200, texts);
    journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    dir
}

/// Writes a journal anew, through the journal's own interface: every record as `change` leaves it,
/// under other semantics if told.
fn rewrite(from: &Path, to: &Path, semantics: u32, mut change: impl FnMut(&mut Vec<u8>, u16)) {
    let mut reader = Reader::open(from).unwrap();
    let mut identity = *reader.identity();
    identity.semantics = semantics;
    let sink = SinkKind::Pwrite;
    let options = Options { segment_bytes: 16 << 20, sink, sync: false, identity };
    let (mut writer, keeper) = Writer::create(to, &options).unwrap();
    drop(keeper);
    while let Some(record) = reader.next().unwrap() {
        if record.header.lane == journal::LANE_CONTROL {
            continue;
        }
        let mut payload = record.payload.to_vec();
        change(&mut payload, record.header.kind);
        writer.append_blob(record.header, &payload).unwrap();
    }
    writer.seal().unwrap();
}

fn replay_by_program(scratch: &Path, dir: &Path, more: &[&str]) -> tests::program::Ran {
    let dir = dir.display().to_string();
    let mut arguments = vec!["--json", "replay", &dir];
    arguments.extend(more);
    tests::program::run(scratch, &arguments)
}

#[test]
fn a_changed_quantity_of_one_decision_is_named_with_both_values() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let forged = scratch.path().join("forged");
    let mut found: Option<(u64, Qty, Qty)> = None;
    let mut approvals = 0;
    rewrite(&dir, &forged, SEMANTICS, |payload, _| {
        let Ok(event) = decode(payload) else { return };
        let Body::Decision(mut decision) = event.body() else { return };
        approvals += u32::from(decision.qty.0 > 0);
        // Not the first: what is before it must still be found equal.
        if approvals == 3 && found.is_none() {
            let honest = decision.qty;
            decision.qty = Qty(honest.0 ^ 1);
            let lie = Event::new(event.seq, event.ts, event.instrument, &decision);
            payload.copy_from_slice(&encode(&lie.with_flags(event.flags)));
            found = Some((event.seq.0, decision.qty, honest));
        }
    });
    let (seq, lie, honest) = found.expect("three approvals");
    for placement in [fused(), split()] {
        let difference = replayed(&forged, &placement).difference.expect("a difference");
        assert_eq!(difference.seq, seq);
        assert_eq!(difference.field, "Risk Decision.qty");
        let quantity = |event: Option<Event>| match event.map(|event| event.body()) {
            Some(Body::Decision(decision)) => decision.qty,
            other => panic!("no verdict: {other:?}"),
        };
        assert_eq!(quantity(difference.journaled), lie);
        assert_eq!(quantity(difference.recomputed), honest);
    }
    let ran = replay_by_program(scratch.path(), &forged, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let json = ran.json();
    assert_eq!(json["equal"], false);
    assert_eq!(json["first_difference"]["seq"], seq);
    assert_eq!(json["first_difference"]["field"], "Risk Decision.qty");
    // Quantities of both instruments have three decimals.
    let shown = |qty: Qty| format_trimmed(qty.0.into(), 3);
    assert_eq!(json["first_difference"]["journaled"], shown(lie));
    assert_eq!(json["first_difference"]["recomputed"], shown(honest));
}

#[test]
fn any_changed_byte_of_a_decision_is_a_difference_or_no_event() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    // The payload of a verdict: quantity, observed, limit, strategy, ordinal, code, words.
    for byte in (24..64).step_by(7) {
        let forged = scratch.path().join(format!("forged{byte}"));
        let mut done = false;
        rewrite(&dir, &forged, SEMANTICS, |payload, kind| {
            if !done && kind == Kind::Decision as u16 {
                payload[byte] ^= 1;
                done = true;
            }
        });
        let outcome = engine::replay::replay(&forged, None, &fused(), &mut ToTheEnd);
        match outcome {
            Ok(replayed) => assert!(replayed.difference.is_some(), "byte {byte}"),
            Err(refused) => assert!(refused.to_string().contains("seq"), "{refused}"),
        }
    }
}

/// A record that is altered, and the field in which the replay must find it.
struct Row {
    kind: Kind,
    field: &'static str,
    alter: fn(&mut Event),
}

/// Alters the payload of an event, by its type.
macro_rules! payload {
    ($kind:ident, $field:ident, $payload:ident => $alter:expr) => {
        Row {
            kind: Kind::$kind,
            field: stringify!($field),
            alter: |event| {
                let Body::$kind(mut $payload) = event.body() else { panic!("{event:?}") };
                $alter;
                let altered = Event::new(event.seq, event.ts, event.instrument, &$payload);
                *event = altered.with_flags(event.flags);
            },
        }
    };
}

fn header(kind: Kind, field: &'static str, alter: fn(&mut Event)) -> Row {
    Row { kind, field, alter }
}

/// All that is computed again is compared: each lane, each part of a record.
fn rows() -> Vec<Row> {
    vec![
        // The input lane: what feed and the simulated venue derive.
        payload!(Fill, order, fill => fill.order = Default::default()),
        payload!(Fill, price, fill => fill.price.0 += 1),
        payload!(Fill, qty, fill => fill.qty.0 += 1),
        payload!(Fill, fee, fill => fill.fee += 1),
        payload!(OrderAck, order, ack => ack.order = Default::default()),
        payload!(OrderDone, filled, done => done.filled.0 += 1),
        payload!(OrderDone, code, done => done.code.0 ^= 1),
        payload!(Timer, due, timer => timer.due.0 += 1),
        payload!(DayRoll, date, day => day.date.0 += 1),
        // The lane of the strategies.
        payload!(Signal, price, signal => signal.price.0 += 1),
        payload!(Signal, ttl_ns, signal => signal.ttl_ns += 1),
        payload!(Signal, ordinal, signal => signal.ordinal += 1),
        // The last eight bytes of a payload.
        payload!(Signal, protected, signal => signal.protected ^= true),
        payload!(Decision, reduces, decision => decision.reduces ^= true),
        payload!(DecisionRules, program, rules => rules.program ^= 1 << 63),
        payload!(OrderIntent, reduces, intent => intent.reduces ^= true),
        // The lanes behind risk.
        payload!(OrderIntent, expires, intent => intent.expires.0 += 1),
        payload!(OrderSent, qty, sent => sent.qty.0 += 1),
        payload!(RiskState, equity, state => state.equity.0 += 1),
        payload!(BalanceChanged, locked, balance => balance.locked.0 += 1),
        // The header, in each lane.
        header(Kind::Fill, "ts", |event| event.ts.0 += 1),
        header(Kind::Fill, "instrument", |event| event.instrument.0 ^= 1),
        header(Kind::OrderAck, "flags", |event| event.flags ^= FLAG_LAST),
        header(Kind::Signal, "ts", |event| event.ts.0 += 1),
        header(Kind::Signal, "instrument", |event| event.instrument.0 ^= 1),
        header(Kind::Signal, "flags", |event| event.flags ^= FLAG_LAST),
        header(Kind::Decision, "ts", |event| event.ts.0 -= 1),
        header(Kind::DecisionRules, "instrument", |event| event.instrument.0 ^= 1),
        header(Kind::Decision, "flags", |event| event.flags ^= FLAG_LAST),
        header(Kind::OrderIntent, "ts", |event| event.ts.0 += 1),
        header(Kind::OrderSent, "instrument", |event| event.instrument.0 ^= 1),
        header(Kind::OrderSent, "flags", |event| event.flags ^= FLAG_LAST),
    ]
}

#[test]
fn an_altered_field_of_any_lane_is_a_difference_in_that_field() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let all = events(&dir);
    for (nth, Row { kind, field, alter }) in rows().into_iter().enumerate() {
        let what = format!("{}.{field}", kind.name());
        // Each record has its own seq or place: one in the midst, so that equal ones stand before.
        let count = all.iter().filter(|event| event.kind() == kind).count();
        assert!(count > 0, "no {} in the session", kind.name());
        let (mut seen, mut altered) = (0, None);
        let forged = scratch.path().join(format!("forged{nth}"));
        rewrite(&dir, &forged, SEMANTICS, |payload, _| {
            for bytes in payload.chunks_mut(model::event::EVENT_BYTES) {
                let Ok(mut event) = decode(bytes) else { return };
                if event.kind() != kind {
                    continue;
                }
                if seen == count / 2 {
                    alter(&mut event);
                    bytes.copy_from_slice(&encode(&event));
                    altered = Some(event);
                }
                seen += 1;
            }
        });
        let altered = altered.expect("an altered record");
        let placement = if nth.is_multiple_of(4) { split() } else { fused() };
        let difference = replayed(&forged, &placement).difference.expect(&what);
        assert_eq!(difference.seq, altered.seq.0, "{what}");
        let lane = kind.lane();
        assert_eq!(difference.field, format!("{lane:?} {what}"));
        assert_eq!(difference.journaled, Some(altered), "{what}");
    }
}

/// Stops a replay at the first question, as a signal would.
struct AtOnce;

impl Control for AtOnce {
    fn stop(&mut self) -> bool {
        true
    }

    fn progress(&mut self, _: &Progress, _: Nanos) {}
}

#[test]
fn a_replay_that_is_broken_off_has_compared_what_it_compared_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let whole = replayed(&dir, &fused());
    assert!(!whole.interrupted);
    for placement in [fused(), split()] {
        let broken = engine::replay::replay(&dir, None, &placement, &mut AtOnce).unwrap();
        assert!(broken.interrupted);
        assert_eq!(broken.difference, None);
        assert!(broken.compared > 100 && broken.compared < whole.compared, "{}", broken.compared);
        assert_eq!(broken.records, whole.records);
    }
}

#[test]
fn a_difference_found_before_a_replay_is_broken_off_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    for (kind, differs) in [(Kind::DayRoll, true), (Kind::SessionEnd, false)] {
        let forged = scratch.path().join(kind.name());
        rewrite(&dir, &forged, SEMANTICS, |payload, of| {
            if of != kind as u16 {
                return;
            }
            let mut event = decode(payload).unwrap();
            event.ts.0 += 1;
            payload.copy_from_slice(&encode(&event));
        });
        let broken = engine::replay::replay(&forged, None, &fused(), &mut AtOnce).unwrap();
        assert!(broken.interrupted);
        assert_eq!(broken.difference.is_some(), differs, "{:?}", broken.difference);
        assert!(replayed(&forged, &fused()).difference.is_some());
    }
}

/// Replays a journal without some records, sealed anew; returns the difference and the seq of the
/// first that was left out.
fn without(left_out: impl Fn(&RecordHeader, u64) -> bool) -> (Difference, u64) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let forged = scratch.path().join("forged");
    let mut reader = Reader::open(&dir).unwrap();
    let options = Options {
        segment_bytes: 16 << 20,
        sink: SinkKind::Pwrite,
        sync: false,
        identity: *reader.identity(),
    };
    let (mut writer, _keeper) = Writer::create(&forged, &options).unwrap();
    let mut gone = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        if left_out(&record.header, gone.len() as u64) {
            gone.push(record.header.seq);
        } else if record.header.lane != journal::LANE_CONTROL {
            writer.append_blob(record.header, record.payload).unwrap();
        }
    }
    writer.seal().unwrap();
    (replayed(&forged, &fused()).difference.expect("a difference"), gone[0])
}

#[test]
fn a_record_too_few_is_a_difference() {
    let intent = Kind::OrderIntent as u16;
    let (difference, seq) = without(|header, gone| header.kind == intent && gone == 0);
    assert_eq!(difference.seq, seq);
    // The next record of the lane stands in its place; what is missing is computed.
    assert_eq!(difference.field, "Execution CancelIntent.kind");
    assert!(difference.recomputed.is_some_and(|e| e.kind() == Kind::OrderIntent && e.seq.0 == seq));
}

#[test]
fn a_lane_that_ends_too_early_differs_at_its_first_missing_record() {
    let (difference, seq) = without(|header, _| header.lane == journal::LANE_EXECUTION);
    assert_eq!((difference.seq, difference.journaled), (seq, None));
    assert_eq!(difference.field, "Execution OrderIntent");
    assert!(difference.recomputed.is_some_and(|event| event.kind() == Kind::OrderIntent));
}

#[test]
fn a_replay_that_compared_no_verdict_is_a_finding() {
    let scratch = tempfile::tempdir().unwrap();
    let idle = RulesText {
        name: "idle.rules".to_owned(),
        text: "rules 1
               strategy idle {
                 on trade of BTC_USDT.PERP
                 enter long NEVER when market.last > 10_000_000 ticks size 100 USDT at_market
               }"
        .to_owned(),
    };
    let dir = journal_of(scratch.path(), vec![super::lab::shipped("limits.rules"), idle]);
    assert_eq!(replayed(&dir, &fused()).difference, None);
    let ran = replay_by_program(scratch.path(), &dir, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.json()["decisions"], 0);
    assert_eq!(ran.json()["equal"], true);
}

#[test]
fn a_journal_of_other_semantics_is_refused_by_both_numbers() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let other = scratch.path().join("other");
    rewrite(&dir, &other, SEMANTICS + 1, |_, _| {});
    let ran = replay_by_program(scratch.path(), &other, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains(&format!("semantics {}", SEMANTICS + 1)), "{said}");
    assert!(said.contains(&format!("this program has {SEMANTICS}")), "{said}");
}

#[test]
fn an_honest_copy_replays_equal() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = journal_of(scratch.path(), defaults());
    let copy = scratch.path().join("copy");
    rewrite(&dir, &copy, SEMANTICS, |_, _| {});
    assert_eq!(replayed(&copy, &fused()).difference, None);
    let ran = replay_by_program(scratch.path(), &copy, &[]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("written by another build"), "this test is no program: {ran:?}");
}
