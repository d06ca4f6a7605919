//! Scenarios: a market and orders in; verdicts, reports and balances out. One table each, in
//! `tests/scenarios`, run in four ways that must agree: the stages stepped by hand, all on one
//! thread, one thread each, and as replays of the journals just written.
//!
//! A file holds tables and comments; `#` begins a comment. A table:
//!
//! ```text
//! scenario WORDS                 its name
//!   setup KEY VALUE ...          what differs from the defaults, see `table::Terms`
//!   rule TEXT                    a line of the risk block
//!   MS EVENT ...                 in, milliseconds after 2026-01-05T00:00:00Z; or `DAY+MS`
//!   = MS REPORT ...              out, all of them, in order
//!   = WHAT ...                   after the last: balances, positions, the day's loss
//! ```
//!
//! Events: `level bid|ask PRICE QTY`, `clear`, `quote BID QTY ASK QTY`, `trade PRICE QTY TAKER`,
//! `bar OPEN HIGH LOW CLOSE VOLUME`, `state synced|gap`, `end` (time passes), `mark PRICE` (as the
//! venue publishes it), `funding RATE at PRICE`, `flow AMOUNT ASSET REASON`,
//! `buy|sell NAME QTY at PRICE [ioc|fok] [post_only] [ttl MS] [stop PRICE] [exit] [by STRATEGY]`,
//! `cancel entries|exits [by STRATEGY]`. Strategies are `a`, the default, `b` and `c`: they fire
//! nothing themselves.
//!
//! Reports: `approve NAME QTY [CODE]`, `refuse NAME CODE`, `send NAME`, `cancel NAME` (both leave
//! the gate), `ack NAME`, `fill NAME QTY at PRICE maker|taker fee AMOUNT ASSET`, `filled|cancelled|
//! expired NAME QTY`, `rejected NAME CODE`, `latch CODE armed|ended`, `day equity AMOUNT`, with
//! `unknown` behind it where it is the last one known. The stop of NAME is `NAME.stop`, one that
//! took its place has a `'` more; the order by which the venue liquidates is `venue`.

use std::fmt::Write;

use model::event::{BalanceChanged, Body, Event, PositionChanged, Realised, RiskState};
use model::num::{Money, Qty};

use crate::session::lab::{assert_replays, assert_same_decisions, events, fused, journaled, split};

mod books;
mod down;
mod report;
mod stepper;
mod table;

use books::Compared;
use table::Table;

/// All tables of a file run in all ways, and come to what they say.
#[track_caller]
fn check(file: &str) {
    let path = tests::root().join("tests/scenarios").join(file);
    let text = std::fs::read_to_string(&path).expect("a file of scenarios");
    if tests::updates() {
        std::fs::write(&path, renewed(&text)).expect("write a file of scenarios");
    } else {
        check_text(&path, &text);
    }
}

/// Returns a file whose tables expect what came out. A table that expects nothing yet has a line
/// `= ?` where its reports are to stand.
fn renewed(text: &str) -> String {
    let mut found = table::read(text).into_iter().map(|table| run(&table).0);
    let (mut out, mut lines) = (String::new(), None);
    for line in text.lines() {
        if line.trim_start().starts_with("scenario ") {
            lines = found.next();
        }
        if !line.trim_start().starts_with("= ") {
            writeln!(out, "{line}").unwrap();
            continue;
        }
        // The first of the expected lines is where all of what was found goes.
        for told in lines.take().unwrap_or_default() {
            writeln!(out, "  = {told}").unwrap();
        }
    }
    out
}

#[track_caller]
fn check_text(path: &std::path::Path, text: &str) {
    let tables = table::read(text);
    assert!(!tables.is_empty(), "{} holds no scenario", path.display());
    let (mut wrong, mut compared) = (String::new(), Compared::default());
    for table in &tables {
        let (found, records) = run(table);
        compared.add(&records);
        if found != table.expected {
            writeln!(wrong, "scenario {}\n", table.name).unwrap();
            for line in &found {
                let mark = if table.expected.contains(line) { ' ' } else { '+' };
                writeln!(wrong, "{mark} = {line}").unwrap();
            }
            for line in table.expected.iter().filter(|line| !found.contains(line)) {
                writeln!(wrong, "- = {line}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{wrong}", path.display());
    println!("{}: {} tables, {compared:?}", path.display(), tables.len());
    assert!(compared.balances > 0 && compared.positions > 0, "{compared:?}");
}

/// Runs a table in all ways; returns what came out, which was the same in each, and how much of it
/// the books of rationals compared.
fn run(table: &Table) -> (Vec<String>, Compared) {
    let session = table.session();
    let stepped = stepper::run(&session, &mut table.source());
    let scratch = tempfile::tempdir().unwrap();
    let (one, many) = (scratch.path().join("fused"), scratch.path().join("split"));
    let sink = journal::SinkKind::Pwrite;
    let ran = journaled(&session, &mut table.source(), &one, sink, &fused());
    let hash = ran.summary.decisions_hash;
    let threads = journaled(&session, &mut table.source(), &many, sink, &split());
    assert_eq!(threads.summary.decisions_hash, hash, "{}: split", table.name);
    assert!(assert_same_decisions(&one, &many) > 0, "{}: nothing was decided", table.name);
    assert_replays(&one, &split(), &hash);
    assert_replays(&many, &fused(), &hash);
    let journaled = events(&one);
    assert_eq!(report::by_lane(&stepped), report::by_lane(&journaled), "{}: stepped", table.name);
    let compared = books::check(&table.name, &session, &journaled);
    (report::lines(table, &session, &journaled), compared)
}

#[test]
fn orders_that_take() {
    check("taking.txt");
}

#[test]
fn orders_that_rest() {
    check("resting.txt");
}

#[test]
fn trades_alone_and_bars_alone() {
    check("trades_and_bars.txt");
}

#[test]
fn stops() {
    check("stops.txt");
}

#[test]
fn money_and_limits() {
    check("money.txt");
}

#[test]
fn days_that_begin() {
    check("days.txt");
}

#[test]
fn fees_and_what_pays_for_orders() {
    check("fees.txt");
}

#[test]
fn contracts_and_their_margin() {
    check("contracts.txt");
}

/// The worked examples of docs/paper-fills.md are scenarios too.
#[test]
fn examples_of_the_document() {
    let path = tests::root().join("docs/paper-fills.md");
    let text = std::fs::read_to_string(&path).expect("the document");
    let mut inside = false;
    let mut tables = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```scenario";
        } else if inside {
            writeln!(tables, "{line}").unwrap();
        }
    }
    check_text(&path, &tables);
}

#[test]
fn a_file_is_renewed_by_what_came_out() {
    let sound = "# a market\nscenario one\n  0 level ask 100.1 5\n  0 level bid 100.0 5\n  \
                 1 buy x 1 at 100.1 ioc\n  9 end\n  = 1 approve x 1.000\n  = 4 ack x\n  \
                 = 4 fill x 1.000 at 100.1 taker fee 0.05005 USDT\n  = 4 filled x 1.000\n  \
                 = balance 9899.84995 USDT\n  = balance 1 BTC\n  = position 1.000\n\n\
                 scenario two\n  0 clear\n  9 end\n";
    let stale = sound.replace("fill x 1.000", "fill x 2.000").replace("  = balance 1 BTC\n", "");
    assert_eq!(renewed(&stale), sound);
    assert_eq!(renewed(sound), sound);
}

/// The books of rationals find a record that is wrong by the last 1e-9, of each kind that they
/// compare.
#[test]
fn a_false_record_of_money_is_found() {
    let text = "scenario false
                  setup kind linear
                  0 level ask 100.1 5
                  0 level bid 100.0 5
                  1 buy x 1 at 100.1 ioc
                  9 sell y 1 at 100.0 ioc exit
                  1+0 end";
    let table = table::read(text).remove(0);
    let session = table.session();
    let told = stepper::run(&session, &mut table.source());
    let compared = books::check(&table.name, &session, &told);
    assert!(compared.balances > 2 && compared.equities > 0, "{compared:?}");
    let falsified: [fn(Body) -> Option<Body>; 6] = [
        |body| match body {
            Body::BalanceChanged(it) => {
                Some(Body::BalanceChanged(BalanceChanged { total: more(it.total), ..it }))
            }
            _ => None,
        },
        |body| match body {
            Body::BalanceChanged(it) => {
                Some(Body::BalanceChanged(BalanceChanged { locked: more(it.locked), ..it }))
            }
            _ => None,
        },
        |body| match body {
            Body::PositionChanged(it) => {
                Some(Body::PositionChanged(PositionChanged { qty: Qty(it.qty.0 + 1), ..it }))
            }
            _ => None,
        },
        |body| match body {
            Body::PositionChanged(it) => {
                Some(Body::PositionChanged(PositionChanged { basis: more(it.basis), ..it }))
            }
            _ => None,
        },
        |body| match body {
            Body::Realised(it) => Some(Body::Realised(Realised { profit: more(it.profit), ..it })),
            _ => None,
        },
        |body| match body {
            Body::RiskState(it) if it.known => {
                Some(Body::RiskState(RiskState { equity: more(it.equity), ..it }))
            }
            _ => None,
        },
    ];
    for (nth, falsify) in falsified.iter().enumerate() {
        let at = told.iter().position(|event| falsify(event.body()).is_some()).expect("a record");
        let bodies = told.iter().map(Event::body).enumerate();
        let bodies = bodies.map(|(index, body)| {
            let body = if index == at { falsify(body).unwrap() } else { body };
            (told[index], body)
        });
        let bodies: Vec<(Event, Body)> = bodies.collect();
        let check = || books::check_bodies(&table.name, &session, bodies.iter().copied());
        assert!(std::panic::catch_unwind(check).is_err(), "falsehood {nth} was not found");
    }
}

fn more(amount: Money) -> Money {
    Money(amount.0 + 1)
}

/// A wrong expectation is found: the check can fail.
#[test]
#[should_panic(expected = "+ = 4 fill x 1.000 at 100.1 taker fee 0.05005 USDT")]
fn a_wrong_expectation_is_told() {
    check_text(
        std::path::Path::new("wrong"),
        "scenario wrong
           0 level ask 100.1 5
           0 level bid 100.0 5
           1 buy x 1 at 100.1 ioc
           9 end
           = 4 fill x 2.000 at 100.1 taker fee 0.05005 USDT",
    );
}
