//! The thread that listens for orders while a session runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::order::Via;
use serde_json::{Value, json};

use super::kept::Kept;
use super::orders::Orders;
use super::{Asked, Order, check, word};
use crate::app::exit::Failure;
use crate::app::show;

/// How often the folder is looked at, and a command that waits looks for its answer.
const LOOK: Duration = Duration::from_millis(20);
/// LIMIT: looks for an answer: ten seconds. A session looks at its orders at each event.
const LOOKS_MAX: u32 = 500;
/// LIMIT: bytes of one order on the socket: its texts, escaped, and the rest of it.
const LINE_BYTES_MAX: u64 = 4_096;

/// The thread that listens for orders while a session runs.
#[derive(Debug)]
pub(in super::super) struct Listener {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: Option<PathBuf>,
}

impl Listener {
    /// Begins to listen, and gives the session the level that the folder keeps, if that is higher
    /// than the one that is `in_force` in it. Where it `takes_two` people to lower the level, what
    /// one has lowered while no session ran is not lower.
    ///
    /// # Errors
    /// [`Failure`] when that level cannot be read.
    pub(in super::super) fn start(
        data_dir: &Path,
        orders: &Arc<Orders>,
        (in_force, takes_two): (u8, bool),
    ) -> Result<Self, Failure> {
        let kept = Kept::read(data_dir)?;
        let level = kept.start(takes_two);
        orders.with(|queue| queue.level = in_force);
        if level < in_force {
            // It was killed before it kept that, or was lowered while nothing ran to hear it.
            show::note(&format!(
                "note: the session goes on at level {in_force}, where its journal ends; lower it \
                 with `engine level {level} --by NAME --reason TEXT`"
            ));
            let reason = "it stood there when its journal ended".to_owned();
            Kept::of(Order { level: in_force, by: String::new(), reason }).write(data_dir)?;
        } else if level > in_force {
            let (by, reason) = if kept.level < level {
                let reason =
                    format!("{} alone lowered it to {}: {}", kept.by, kept.level, kept.reason);
                (String::new(), reason)
            } else {
                (kept.by, kept.reason)
            };
            show::note(&format!(
                "note: the session starts at level {level} ({}), set by {}: {reason}; lower it \
                 with `engine level 0 --by NAME --reason TEXT`",
                word(level),
                if by.is_empty() { "the engine" } else { &by },
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
