//! Progress, and the signals that end a session.
//!
//! SIGINT and SIGTERM set a flag; the session looks at it between events, cancels what is open and
//! seals its journal. SIGXFSZ is caught by every command, so that the write beyond the system's
//! limit returns an error, which names the file, instead of killing the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};

use engine::session::Control;
use engine::source::Progress;
use model::event::{ClearStep, LevelStep};
use model::id::Seq;
use model::time::Nanos;

use super::exit::Failure;
use super::level::Orders;
use super::show;

/// What reaches a session from outside, as flags that any thread may set.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The session is to end.
    asked: Arc<AtomicBool>,
    /// There may be something to look at: a source has waited.
    look: AtomicBool,
}

impl Signals {
    /// Returns true when the session is to end.
    pub(super) fn is_asked(&self) -> bool {
        // ORDERING: Relaxed: the flag carries no other data.
        self.asked.load(Ordering::Relaxed)
    }

    /// Has the session look up: who waits has time for that.
    pub(super) fn look(&self) {
        // ORDERING: Relaxed: the flag carries no other data.
        self.look.store(true, Ordering::Relaxed);
    }
}

/// Watches a session for the user.
#[derive(Debug)]
pub(super) struct Watch {
    signals: Arc<Signals>,
    /// Orders of operators, and the folder that keeps the level; none for what is no session.
    orders: Option<(Arc<Orders>, PathBuf)>,
    bar: ProgressBar,
}

impl Watch {
    /// Begins to watch; `shown` draws progress where stderr is a terminal.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system lets no signal be caught.
    pub(super) fn new(shown: bool) -> Result<Self, Failure> {
        let signals = Arc::new(Signals::default());
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&signals.asked))
                .map_err(|error| Failure::Internal(error.into()))?;
        }
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Ok(Self { signals, orders: None, bar })
    }

    /// Lets operators reach the session: SIGUSR1 raises its level to 2, and what it reaches is kept
    /// in the data folder.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system lets no signal be caught.
    pub(super) fn take_orders(
        &mut self,
        orders: &Arc<Orders>,
        data_dir: &Path,
    ) -> Result<(), Failure> {
        signal_hook::flag::register(SIGUSR1, Arc::clone(&orders.signalled))
            .map_err(|error| Failure::Internal(error.into()))?;
        self.orders = Some((Arc::clone(orders), data_dir.to_owned()));
        Ok(())
    }

    /// Returns what is signalled to the session, for its source.
    pub(super) fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// Clears the progress from the screen.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

/// Lets a write beyond the system's limit return its error instead of killing the process. Where
/// that cannot be had, the signal kills, which is no success either.
pub(super) fn allow_failed_writes() {
    // Nobody reads this flag: the error of the write says it all.
    drop(signal_hook::flag::register(SIGXFSZ, Arc::default()));
}

impl Control for Watch {
    fn is_called(&self) -> bool {
        // ORDERING: Relaxed: the flags carry no other data.
        self.signals.is_asked() || self.signals.look.load(Ordering::Relaxed)
    }

    fn stop(&mut self) -> bool {
        self.signals.is_asked()
    }

    fn level(&mut self, seq: Seq, step: &LevelStep) {
        let Some((orders, data_dir)) = &self.orders else { return };
        let line = orders.reached(seq, step, |kept| {
            if let Err(failure) = kept.write(data_dir) {
                show::failure(&failure, false);
            }
        });
        if let Some(line) = line {
            show::note(&format!("note: {line}"));
        }
    }

    fn cleared(&mut self, seq: Seq, step: &ClearStep) {
        if let Some((orders, _)) = &self.orders {
            orders.cleared(seq, step);
        }
    }

    fn progress(&mut self, progress: &Progress, now: Nanos) {
        // ORDERING: Relaxed: as above; a look that is lost comes again with the next wait.
        self.signals.look.store(false, Ordering::Relaxed);
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_length(progress.bytes_total.max(progress.bytes));
        self.bar.set_position(progress.bytes);
        self.bar.set_message(format!("{} messages, market time {now}", progress.messages));
    }
}
