//! The kill switch from outside: who may raise it, how it reaches the session, and what is kept.
//!
//! ```text
//! engine level N --by NAME --reason TEXT --socket--> \
//! DATA_DIR/KILL exists ------------------------------> Orders --Note, Command--> feed, journaled
//! SIGUSR1 ------------------------------------------> /            |
//!                                                                  v
//! DATA_DIR/level.json <------------------------- what the session says that it reached
//! ```
//!
//! A command is a message of the source like any other: it enters through feed at an event boundary
//! and is in the journal, so a replay needs nothing of this. The level that is in force is kept in
//! the data folder; a session that starts there starts at it. Raising needs no name; lowering needs
//! a name and a reason, and where a hard block reads the level another person who says the same.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use clap::Args;
use model::event::{Body, Command, Note};
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::order::Via;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clear::Clear;
use super::cli::Cli;
use super::exit::{Failure, Finding};
use super::show;

/// What the data folder keeps.
mod kept;
/// The thread that listens.
mod listener;
/// Orders on their way, and their answers.
mod orders;

use kept::Kept;
pub(super) use listener::Listener;
pub(super) use orders::Orders;

/// LIMIT: bytes of name and reason together: what six notes hold.
const TEXT_BYTES_MAX: usize = 240;
const LEVELS: [&str; 4] = ["run", "reduce", "halt", "flatten"];

/// Options of `level`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// 0 run, 1 reduce (positions may only shrink), 2 halt (no order of a strategy, all are
    /// cancelled), 3 flatten (halt, and every position is closed).
    #[arg(value_parser = clap::value_parser!(u8).range(0..=3))]
    level: u8,
    /// Who asks. Lowering needs it; raising does not.
    #[arg(long, default_value = "", value_name = "NAME")]
    by: String,
    /// Why. Lowering needs it.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

/// What an operator orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Asked {
    /// A level.
    Level(Order),
    /// The end of a latch.
    Clear(Clear),
}

/// A level that an operator sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    level: u8,
    by: String,
    reason: String,
}

/// Returns what a level does, in a word.
fn word(level: u8) -> &'static str {
    LEVELS.get(usize::from(level)).copied().unwrap_or_default()
}

/// Returns the number of an operator: none is 0, which is the engine's own.
pub(super) fn number(name: &str) -> u16 {
    if name.is_empty() {
        return 0;
    }
    let hash = blake3::hash(name.as_bytes());
    let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    u16::from_le_bytes(first).max(1)
}

/// Returns who and why as notes, and their hash: 0 where one of them is not given.
pub(super) fn signed(by: &str, reason: &str) -> (Vec<(InstrumentId, Body)>, u64) {
    let mut records = Vec::new();
    let mut hash = 0;
    if !(by.is_empty() && reason.is_empty()) {
        let text = format!("{by}: {reason}");
        let digest = blake3::hash(text.as_bytes());
        if are_given(by, reason) {
            let first = digest.as_bytes().first_chunk().copied().unwrap_or_default();
            hash = u64::from_le_bytes(first).max(1);
        }
        for part in text.as_bytes().chunks(40) {
            let word = |nth: usize| {
                let mut word = [0; 8];
                let from = part.get(nth.saturating_mul(8)..).unwrap_or_default();
                word.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(word)
            };
            let [text_0, text_1, text_2, text_3, text_4] = [0, 1, 2, 3, 4].map(word);
            let note = Note { text_0, text_1, text_2, text_3, text_4 };
            records.push((NO_INSTRUMENT, Body::Note(note)));
        }
    }
    (records, hash)
}

/// Tells whether both who and why are given.
pub(super) fn are_given(by: &str, reason: &str) -> bool {
    !by.trim().is_empty() && !reason.trim().is_empty()
}

/// Returns an order as what enters the journal: its text in notes, then the command.
fn records(order: &Order, via: Via) -> Vec<(InstrumentId, Body)> {
    let (mut records, text) = signed(&order.by, &order.reason);
    let command = Command { text, by: number(&order.by), level: order.level, via };
    records.push((NO_INSTRUMENT, Body::Command(command)));
    records
}

/// Refuses texts that no record could hold.
pub(super) fn fits(by: &str, reason: &str) -> Result<(), String> {
    let text = by.len().saturating_add(reason.len());
    if text > TEXT_BYTES_MAX {
        return Err(format!("--by and --reason have {text} bytes; the most is {TEXT_BYTES_MAX}"));
    }
    Ok(())
}

/// Refuses to lower a level without a name and a reason.
fn check(order: &Order, level: u8) -> Result<(), String> {
    fits(&order.by, &order.reason)?;
    if order.level > engine::levels::FLATTEN {
        return Err(format!("there is no level {}; the levels are 0 to 3", order.level));
    }
    if order.level < level && !are_given(&order.by, &order.reason) {
        return Err(unsigned(level));
    }
    Ok(())
}

fn unsigned(level: u8) -> String {
    format!("the level is {level}: to lower it, say who and why, with --by NAME --reason TEXT")
}

/// Runs `engine level`.
///
/// # Errors
/// [`Failure::Usage`] when the level may not be set so, or no session answers.
pub(super) fn run(cli: &Cli, args: &Arguments) -> Result<Finding, Failure> {
    let order = Order { level: args.level, by: args.by.clone(), reason: args.reason.clone() };
    check(&order, 0).map_err(Failure::usage)?;
    let Some(answer) = ask(cli, &Asked::Level(order.clone()))? else {
        return unheard(cli, order);
    };
    Ok(tell(cli, &answer, "the session that runs here"))
}

/// Asks the session that runs in the data folder; none where none does.
///
/// # Errors
/// [`Failure::Usage`] when it refuses, or ends before it answers.
pub(super) fn ask(cli: &Cli, asked: &Asked) -> Result<Option<Value>, Failure> {
    let path = cli.data_dir.join("control.sock");
    let Ok(mut stream) = UnixStream::connect(&path) else { return Ok(None) };
    let lost = |error: std::io::Error| {
        Failure::usage(format!("ask the session at {}: {error}", path.display()))
    };
    let text = serde_json::to_string(asked).unwrap_or_default();
    writeln!(stream, "{text}").map_err(lost)?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).map_err(lost)?;
    let answer: Value = serde_json::from_str(&line)
        .map_err(|_| Failure::usage("the session ended before it answered"))?;
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(Failure::usage(error.to_owned()));
    }
    Ok(Some(answer))
}

/// Keeps a level for the next session, where none runs.
fn unheard(cli: &Cli, order: Order) -> Result<Finding, Failure> {
    let before = Kept::read(&cli.data_dir)?;
    check(&order, before.level).map_err(Failure::usage)?;
    let kept = before.then(order);
    kept.write(&cli.data_dir)?;
    let answer = json!({
        "level": kept.level, "asked": null, "by": kept.by, "seq": null, "open_orders": null,
        "positions": null,
    });
    let found = tell(cli, &answer, "no session runs here; the next one starts at it");
    if let (Some(alone), false) = (kept.alone, cli.json) {
        show::out(&format!(
            "  one whose hard rules read the level starts at {alone} ({}), unless another person \
             says the same",
            word(alone)
        ));
    }
    Ok(found)
}

/// Says what a session answered. What waits for another person is a finding.
fn tell(cli: &Cli, answer: &Value, whose: &str) -> Finding {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64);
    let level = |name: &str| number(name).and_then(|level| u8::try_from(level).ok());
    let (now, asked) = (level("level").unwrap_or(0), level("asked"));
    let found = if asked.is_some() { Finding::Something } else { Finding::Nothing };
    if cli.json {
        show::out(&answer.to_string());
        return found;
    }
    if let Some(asked) = asked {
        show::out(&format!(
            "level {now} ({}) stays: hard rules read the level, so to lower it to {asked} takes \
             another person too, within a day, with `engine level {asked} --by NAME --reason \
             TEXT`",
            word(now)
        ));
        return found;
    }
    show::out(&format!("level {now} ({}): {whose}", word(now)));
    if let (Some(seq), Some(open), Some(held)) =
        (number("seq"), number("open_orders"), number("positions"))
    {
        show::out(&format!("  from seq {seq} on; {open} open orders, {held} positions then"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(level: u8, by: &str, reason: &str) -> Order {
        Order { level, by: by.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn who_lowers_says_who_and_why() {
        assert!(check(&order(2, "", ""), 0).is_ok(), "raising needs no name");
        assert!(check(&order(2, "", ""), 2).is_ok());
        for (by, reason) in [("", "x"), ("ann", ""), (" ", "x")] {
            assert!(check(&order(0, by, reason), 2).unwrap_err().contains("who and why"));
        }
        assert!(check(&order(0, "ann", "checked"), 3).is_ok());
        assert!(check(&order(3, "ann", &"x".repeat(240)), 0).unwrap_err().contains("most is 240"));
    }

    #[test]
    fn a_text_is_in_the_notes_before_the_command() {
        let reason = "the venue answers late, and twice with figures that do not add up";
        let records = records(&order(2, "ann", reason), Via::Command);
        let mut text = Vec::new();
        for (_, body) in &records {
            if let Body::Note(note) = body {
                let Note { text_0, text_1, text_2, text_3, text_4 } = *note;
                for word in [text_0, text_1, text_2, text_3, text_4] {
                    text.extend_from_slice(&word.to_le_bytes());
                }
            }
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.trim_end_matches('\0'), format!("ann: {reason}"));
        let Some((_, Body::Command(command))) = records.last() else { panic!("{records:?}") };
        assert_eq!((command.level, command.via), (2, Via::Command));
        assert!(command.by > 0 && command.text > 0);
    }
}
