//! Progress, and the signals that end a session.
//!
//! SIGINT and SIGTERM set a flag; the session looks at it between messages, cancels what is open
//! and seals its journal. SIGXFSZ is caught by every command, so that the write beyond the system's
//! limit returns an error, which names the file, instead of killing the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use engine::session::Control;
use engine::source::Progress;
use model::time::Nanos;

use super::exit::Failure;

/// Watches a session for the user.
#[derive(Debug)]
pub(super) struct Watch {
    asked: Arc<AtomicBool>,
    bar: ProgressBar,
}

impl Watch {
    /// Begins to watch; `shown` draws progress where stderr is a terminal.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the system lets no signal be caught.
    pub(super) fn new(shown: bool) -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&asked))
                .map_err(|error| Failure::Internal(error.into()))?;
        }
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Ok(Self { asked, bar })
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
    fn stop(&mut self) -> bool {
        // ORDERING: Relaxed: the flag carries no other data.
        self.asked.load(Ordering::Relaxed)
    }

    fn progress(&mut self, progress: &Progress, now: Nanos) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_length(progress.bytes_total.max(progress.bytes));
        self.bar.set_position(progress.bytes);
        self.bar.set_message(format!("{} messages, market time {now}", progress.messages));
    }
}
