//! What the journal thread tells the stages: how many execution records are written, and whether
//! the journal is whole.
//!
//! Guarantees: whoever sees a count sees the records' bytes handed to the file; once lost, the
//! journal stays lost, and nobody waits for a thread that is gone.

use crossbeam_utils::CachePadded;

use crate::idle::{Doorbell, Idler, Wait};
use crate::sync::{Arc, AtomicU8, AtomicU64, Ordering};

/// The journal thread writes, or will.
const WRITING: u8 = 0;
/// The journal is sealed.
const SEALED: u8 = 1;
/// A write failed or the thread died.
const LOST: u8 = 2;

#[derive(Debug)]
struct Shared {
    /// Execution records written. Beside nothing else: it changes while the state is polled.
    written: CachePadded<AtomicU64>,
    state: AtomicU8,
}

/// The journal thread's side.
#[derive(Debug)]
pub(super) struct Progress {
    shared: Arc<Shared>,
    gate: Doorbell,
    written: u64,
}

/// Where the egress waits until what it is about to send is in the journal. One thread's.
#[derive(Debug)]
pub struct Gate {
    /// `None` when journaling is off.
    link: Option<Link>,
}

/// The gate's ends of the connection.
#[derive(Debug)]
struct Link {
    shared: Arc<Shared>,
    idler: Idler,
    /// Wakes the journal thread, which may nap on what is waited for.
    journal: Doorbell,
}

/// Tells whether the journal is whole.
#[derive(Clone, Debug)]
pub struct Health {
    shared: Arc<Shared>,
}

/// The journal cannot prove what was decided: nothing may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot send an order whose intent is not in the journal, which is lost; stop the session and \
     recover the journal"
)]
pub struct JournalLost;

/// Returns the thread's side, and the two that the stages get; the gate waits by `wait` and wakes
/// the thread by `journal`.
pub(super) fn connect(wait: Wait, journal: &Doorbell) -> (Progress, Gate, Health) {
    let written = CachePadded::new(AtomicU64::new(0));
    let shared = Arc::new(Shared { written, state: AtomicU8::new(WRITING) });
    let (idler, bell) = Idler::new(wait);
    let link = Link { shared: Arc::clone(&shared), idler, journal: journal.clone() };
    let gate = Gate { link: Some(link) };
    let health = Health { shared: Arc::clone(&shared) };
    (Progress { shared, gate: bell, written: 0 }, gate, health)
}

impl Progress {
    /// Notes that `more` records of the execution lane were handed to the file.
    #[inline]
    pub(super) fn publish(&mut self, more: u64) {
        self.written = self.written.saturating_add(more);
        // ORDERING: Release, after the records' own Release or system call; partner: the load in
        // `Gate::wait_written`.
        self.shared.written.store(self.written, Ordering::Release);
        self.gate.ring();
    }

    /// Notes that nothing more will be written.
    pub(super) fn fail(&self) {
        self.end(LOST);
    }

    /// Notes that the journal is complete.
    pub(super) fn seal(self) {
        self.end(SEALED);
    }

    fn end(&self, state: u8) {
        // ORDERING: Release; partner: the loads in `Shared::state`.
        self.shared.state.store(state, Ordering::Release);
        self.gate.ring();
    }
}

impl Drop for Progress {
    /// Whatever ends the thread before the seal has lost the journal.
    fn drop(&mut self) {
        if self.shared.state() == WRITING {
            self.fail();
        }
    }
}

impl Shared {
    fn state(&self) -> u8 {
        // ORDERING: Acquire; partner: the store in `Progress::end`.
        self.state.load(Ordering::Acquire)
    }
}

impl Gate {
    /// Returns a gate that is always open: journaling is off.
    #[must_use]
    pub fn off() -> Self {
        Self { link: None }
    }

    /// Waits until `count` records of the execution lane are written.
    ///
    /// # Errors
    /// [`JournalLost`] when a write failed or the thread died, whether or not these were written,
    /// and when the journal was sealed without them.
    pub fn wait_written(&mut self, count: u64) -> Result<(), JournalLost> {
        let Some(Link { shared, idler, journal }) = &mut self.link else {
            return Ok(());
        };
        // ORDERING: Acquire; partner: the store in `Progress::publish`.
        let is_written = || shared.written.load(Ordering::Acquire) >= count;
        if !is_written() {
            journal.ring();
        }
        loop {
            // In this order: after the end of the thread the count is final.
            let state = shared.state();
            let written = is_written();
            if state == LOST || (state == SEALED && !written) {
                return Err(JournalLost);
            }
            if written {
                idler.busy();
                return Ok(());
            }
            idler.idle(|| is_written() || shared.state() != WRITING);
        }
    }

    /// Returns true when the journal is lost: the session must stop.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.shared.state() == LOST)
    }
}

impl Health {
    /// Returns true when the journal is lost: the session must stop.
    #[inline]
    #[must_use]
    pub fn failed(&self) -> bool {
        self.shared.state() == LOST
    }
}

#[cfg(all(loom, test))]
mod handshake;
