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
//! a name and a reason.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use model::event::{Body, ClearStep, Command, LevelStep, Note};
use model::id::{InstrumentId, NO_INSTRUMENT, Seq};
use model::order::{Step, Via};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clear::Clear;
use super::cli::Cli;
use super::exit::{Failure, Finding};
use super::show;

/// LIMIT: bytes of name and reason together: what six notes hold.
const TEXT_BYTES_MAX: usize = 240;
/// How often the folder is looked at, and a command that waits looks for its answer.
const LOOK: Duration = Duration::from_millis(20);
/// LIMIT: looks for an answer: ten seconds. A session looks at its orders at each event.
const LOOKS_MAX: u32 = 500;
/// LIMIT: bytes of one order on the socket: its texts, escaped, and the rest of it.
const LINE_BYTES_MAX: u64 = 4_096;
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

/// Orders on their way to the session, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Something waits: looked at before each event.
    pending: AtomicBool,
    queue: Mutex<Queue>,
    /// SIGUSR1 came.
    pub(super) signalled: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Asked, Via)>,
    /// Orders that the session has taken, in order: their steps come back in it.
    taken: VecDeque<Asked>,
    /// How many were answered, and the last answer.
    answered: u64,
    given: u64,
    last: Value,
    /// The level in force, and whose it is.
    level: u8,
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

impl Orders {
    /// Tells whether an order waits. Costs next to nothing.
    pub(super) fn is_pending(&self) -> bool {
        // ORDERING: Relaxed: the flags carry no data; the queue has its own lock.
        self.pending.load(Ordering::Relaxed) || self.signalled.load(Ordering::Relaxed)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        act(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an order; returns how many were given until then, itself included.
    fn give(&self, order: Asked, via: Via) -> u64 {
        let nth = self.with(|queue| {
            queue.waiting.push_back((order, via));
            queue.given = queue.given.saturating_add(1);
            queue.given
        });
        // ORDERING: Relaxed: as above.
        self.pending.store(true, Ordering::Relaxed);
        nth
    }

    /// Takes the next order as records for the session.
    pub(super) fn take(&self) -> Option<Vec<(InstrumentId, Body)>> {
        if self.signalled.swap(false, Ordering::Relaxed) {
            let reason = "SIGUSR1".to_owned();
            self.raise(
                Order { level: engine::levels::HALT, by: String::new(), reason },
                Via::Signal,
            );
        }
        self.with(|queue| {
            let next = queue.waiting.pop_front();
            // ORDERING: Relaxed: as above; it is stored under the lock of the queue.
            self.pending.store(!queue.waiting.is_empty(), Ordering::Relaxed);
            let (order, via) = next?;
            let records = match &order {
                Asked::Level(order) => records(order, via),
                Asked::Clear(clear) => clear.records(),
            };
            queue.taken.push_back(order);
            Some(records)
        })
    }

    /// Raises the level; what is already as high stays.
    fn raise(&self, order: Order, via: Via) {
        let higher = self.with(|queue| {
            let levels = queue.waiting.iter().filter_map(|(asked, _)| match asked {
                Asked::Level(order) => Some(order.level),
                Asked::Clear(_) => None,
            });
            order.level > queue.level.max(levels.max().unwrap_or(0))
        });
        if higher {
            self.give(Asked::Level(order), via);
        }
    }

    /// Notes what the session says that clearing a latch has come to.
    pub(super) fn cleared(&self, seq: Seq, step: &ClearStep) {
        self.with(|queue| {
            let Some(Asked::Clear(clear)) = queue.taken.pop_front() else { return };
            queue.answered = queue.answered.saturating_add(1);
            queue.last = clear.answer(seq, step);
        });
    }

    /// Notes what the session says that it reached, and returns that in words. What is in force is
    /// kept before who asked is answered: a session that is killed then has it all the same.
    pub(super) fn reached(
        &self,
        seq: Seq,
        step: &LevelStep,
        keep: impl FnOnce(&Kept),
    ) -> Option<String> {
        if step.step != Step::Set {
            return None;
        }
        self.with(|queue| {
            // What a rule has raised answers nobody.
            let order = if step.via == Via::Rule {
                let reason = "a rule, then flatten".to_owned();
                Order { level: step.level, by: String::new(), reason }
            } else {
                let Asked::Level(order) = queue.taken.pop_front()? else { return None };
                queue.answered = queue.answered.saturating_add(1);
                if step.level != order.level {
                    queue.level = step.level;
                    queue.last = json!({ "error": unsigned(step.level) });
                    return None;
                }
                queue.last = json!({
                    "level": step.level, "by": order.by, "seq": seq.0, "open_orders": step.open,
                    "positions": step.held,
                });
                order
            };
            queue.level = step.level;
            let Order { by, reason, .. } = order;
            let word = LEVELS.get(usize::from(step.level)).copied().unwrap_or_default();
            let line = format!(
                "level {} ({word}) from seq {} on, by {}: {}",
                step.level,
                seq.0,
                if by.is_empty() { "the engine" } else { &by },
                if reason.is_empty() { "no reason given" } else { &reason },
            );
            keep(&Kept { level: step.level, by, reason });
            Some(line)
        })
    }
}

/// The level that a data folder keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    level: u8,
    by: String,
    reason: String,
}

impl Kept {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("level.json")
    }

    /// Reads what is kept; a folder without it is at level 0.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it cannot be read: an unknown level is not taken for none.
    fn read(data_dir: &Path) -> Result<Self, Failure> {
        let path = Self::path(data_dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Failure::usage(format!("read {}: {error}", path.display())));
            }
        };
        let sound = serde_json::from_str(&text).map_err(|error| error.to_string());
        let sound = sound.and_then(|kept: Self| match kept.level {
            0..=engine::levels::FLATTEN => Ok(kept),
            other => Err(format!("there is no level {other}")),
        });
        sound.map_err(|error| {
            Failure::usage(format!(
                "{} does not say which level is in force: {error}; state it with `engine level N \
                 --by NAME --reason TEXT` after you have moved the file away",
                path.display()
            ))
        })
    }

    /// Keeps it: whole or not at all.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the disk refuses.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), Failure> {
        let path = Self::path(data_dir);
        let new = path.with_extension("new");
        let text = serde_json::to_string(self).unwrap_or_default();
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(data_dir)?;
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(data_dir)?.sync_all()
        };
        let written = write();
        written.map_err(|error| {
            Failure::Internal(anyhow::anyhow!("keep the level in {}: {error}", path.display()))
        })
    }
}

/// The thread that listens for orders while a session runs.
#[derive(Debug)]
pub(super) struct Listener {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: Option<PathBuf>,
}

impl Listener {
    /// Begins to listen, and gives the session the level that the folder keeps, if that is higher
    /// than the one it stands at.
    ///
    /// # Errors
    /// [`Failure`] when that level cannot be read.
    pub(super) fn start(
        data_dir: &Path,
        orders: &Arc<Orders>,
        in_force: u8,
    ) -> Result<Self, Failure> {
        let Kept { level, by, reason } = Kept::read(data_dir)?;
        orders.with(|queue| queue.level = in_force);
        if level < in_force {
            // It was killed before it kept that, or was lowered while nothing ran to hear it.
            show::note(&format!(
                "note: the session goes on at level {in_force}, where its journal ends; lower it \
                 with `engine level {level} --by NAME --reason TEXT`"
            ));
            let reason = "it stood there when its journal ended".to_owned();
            Kept { level: in_force, by: String::new(), reason }.write(data_dir)?;
        } else if level > in_force {
            let word = LEVELS.get(usize::from(level)).copied().unwrap_or_default();
            let (who, why) = (if by.is_empty() { "the engine" } else { &by }, &reason);
            show::note(&format!(
                "note: the session starts at level {level} ({word}), set by {who}: {why}; lower it \
                 with `engine level 0 --by NAME --reason TEXT`"
            ));
            orders.give(Asked::Level(Order { level, by, reason }), Via::Stored);
        }
        let path = data_dir.join("control.sock");
        let listener = std::fs::create_dir_all(data_dir).and_then(|()| listen(&path));
        let (listener, socket) = match listener {
            Ok(listener) => (Some(listener), Some(path)),
            Err(error) => {
                show::note(&format!(
                    "warning: `engine level` cannot reach this session: {}: {error}; a file {} and \
                     SIGUSR1 do",
                    path.display(),
                    data_dir.join("KILL").display()
                ));
                (None, None)
            }
        };
        let ended = Arc::new(AtomicBool::new(false));
        let (own, orders, kill) = (Arc::clone(&ended), Arc::clone(orders), data_dir.join("KILL"));
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                // ORDERING: Relaxed: the flag carries no other data.
                while !own.load(Ordering::Relaxed) {
                    if kill.exists() {
                        let reason = "the file KILL".to_owned();
                        let level = engine::levels::HALT;
                        orders.raise(Order { level, by: String::new(), reason }, Via::File);
                    }
                    let stream = listener.as_ref().and_then(|one| one.accept().ok());
                    match stream {
                        Some((stream, _)) => answer(&stream, &orders, &kill),
                        None => std::thread::park_timeout(LOOK),
                    }
                }
            })
            .map_err(|error| Failure::Internal(error.into()))?;
        Ok(Self { ended, thread: Some(thread), socket })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // ORDERING: Relaxed: the flag carries no other data.
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
        if let Some(socket) = &self.socket {
            drop(std::fs::remove_file(socket));
        }
    }
}

/// Opens the socket; one that nobody answers at is left from a session that was killed.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    if path.exists() {
        if UnixStream::connect(path).is_ok() {
            let text = "another session runs in this folder";
            return Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, text));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Reads one order, gives it to the session, and answers with what the session says.
fn answer(stream: &UnixStream, orders: &Orders, kill: &Path) {
    let told = (|| -> Result<Value, String> {
        stream.set_nonblocking(false).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).map_err(|error| error.to_string())?;
        let mut line = String::new();
        let bounded = stream.take(LINE_BYTES_MAX);
        BufReader::new(bounded).read_line(&mut line).map_err(|error| error.to_string())?;
        let asked: Asked = serde_json::from_str(&line)
            .map_err(|error| format!("this is no order that the session knows: {error}"))?;
        match &asked {
            Asked::Level(order) => {
                check(order, orders.with(|queue| queue.level))?;
                if order.level < engine::levels::HALT && kill.exists() {
                    return Err(format!("remove {} first: it raises the level", kill.display()));
                }
            }
            Asked::Clear(clear) => clear.check()?,
        }
        let nth = orders.give(asked, Via::Command);
        for _ in 0..LOOKS_MAX {
            let answer = orders.with(|queue| (queue.answered >= nth).then(|| queue.last.clone()));
            if let Some(answer) = answer {
                return Ok(answer);
            }
            std::thread::park_timeout(LOOK);
        }
        Err("the session has not taken the order yet; it does with its next event".to_owned())
    })();
    let text = told.unwrap_or_else(|error| json!({ "error": error })).to_string();
    let mut to = stream;
    drop(writeln!(to, "{text}"));
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
    tell(cli, &answer, "the session that runs here");
    Ok(Finding::Nothing)
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
    let kept = Kept::read(&cli.data_dir)?;
    check(&order, kept.level).map_err(Failure::usage)?;
    let Order { level, by, reason } = order;
    let kept = Kept { level, by, reason };
    kept.write(&cli.data_dir)?;
    let answer = json!({
        "level": kept.level, "by": kept.by, "seq": null, "open_orders": null, "positions": null,
    });
    tell(cli, &answer, "no session runs here; the next one starts at it");
    Ok(Finding::Nothing)
}

fn tell(cli: &Cli, answer: &Value, whose: &str) {
    if cli.json {
        show::out(&answer.to_string());
        return;
    }
    let level = answer.get("level").and_then(Value::as_u64).unwrap_or(0);
    let word = usize::try_from(level).ok().and_then(|at| LEVELS.get(at)).copied();
    show::out(&format!("level {level} ({}): {whose}", word.unwrap_or_default()));
    let number = |name: &str| answer.get(name).and_then(Value::as_u64);
    if let (Some(seq), Some(open), Some(held)) =
        (number("seq"), number("open_orders"), number("positions"))
    {
        show::out(&format!("  from seq {seq} on; {open} open orders, {held} positions then"));
    }
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

    #[test]
    fn a_raise_that_is_in_force_is_not_given_again() {
        let orders = Orders::default();
        orders.raise(order(2, "", "KILL"), Via::File);
        orders.raise(order(2, "", "KILL"), Via::File);
        assert!(orders.is_pending() && orders.take().is_some());
        let step = LevelStep { level: 2, ..LevelStep::default() };
        let mut kept = None;
        assert!(orders.reached(Seq(9), &step, |what| kept = Some(what.clone())).is_some());
        assert_eq!(kept.map(|kept| (kept.level, kept.reason)), Some((2, "KILL".to_owned())));
        orders.raise(order(2, "", "KILL"), Via::File);
        assert!(orders.take().is_none() && !orders.is_pending());
    }
}
