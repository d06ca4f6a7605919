//! How a thread waits when its ring has nothing for it, and how the other end wakes it.
//!
//! A thread that waits owns an `Idler`; whoever may end its wait holds the `Doorbell`. Only
//! `Wait::SpinPark` sleeps until it is woken, by this handshake:
//!
//! ```text
//! waiter                        ringer
//! parked = true                 publish
//! fence(SeqCst)        (A)      fence(SeqCst)        (B)
//! look again                    parked?
//! park, unless there is work    unpark, if so
//! ```
//!
//! Guarantees: of two fences one is first in the single order of all SeqCst fences. If A is first,
//! the ringer sees `parked` and unparks; if B is first, the waiter sees what was published and does
//! not park. So no wake is lost; one too many costs a look. Without the fences both sides may read
//! the old value, and the thread sleeps for good: the loom model finds that.
//!
//! Ringing costs the ringer: the fence waits until all it has stored is in its cache, which takes
//! as long as fetching those lines from the other processor. So one that publishes all the time and
//! waits for nothing may leave the bell alone where the waiter *naps*: it sleeps for a stated time
//! at most. Whoever does wait for it rings.
//!
//! Never allocates after `Idler::new`. Called by [`crate::lane`] and [`crate::recorder`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicBool, Ordering, Parker, Unparker, fence, spin_loop, yield_now};

/// Pauses before a thread yields or parks: a few microseconds, about what waking it costs, so a
/// wait that ends soon is met awake and a longer one wastes at most as much again. None in a model,
/// where a pause is a step to explore and nothing else.
const PAUSES: u32 = if cfg!(loom) { 0 } else { 128 };

/// LIMIT: longest sleep between two looks, half a millisecond. In lock step each message waits for
/// the sleeps of several stages, and a session looks for Ctrl-C once in many messages: measured, it
/// ended some 2,000 sleeps behind it, after 20 s with 10 ms each and after 1 s with this. People
/// take a program that needs more than two for one that hangs.
pub const SLEEP_MICROS_MAX: u32 = 500;

/// What a thread does when it finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Pauses and looks again: for a core of its own. Written `spin`.
    Spin,
    /// Pauses, then lets others run between looks. Written `spin-yield`.
    SpinYield,
    /// Pauses, then sleeps until it is woken. Written `spin-park`.
    SpinPark,
    /// Sleeps this many microseconds between looks: for cold threads. Written `sleep:N`.
    SleepMicros(u32),
}

/// Text that names no wait strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot wait by `{0}`; use spin, spin-yield, spin-park or sleep:N with N from 1 to \
     {SLEEP_MICROS_MAX} microseconds"
)]
pub struct UnknownWait(pub String);

/// The waiting side: one a thread.
#[derive(Debug)]
pub struct Idler {
    wait: Wait,
    /// Looks in a row that found nothing.
    misses: u32,
    /// Only for a strategy that parks.
    bed: Option<Bed>,
    /// Longest sleep in one go; none is for good.
    nap: Option<Duration>,
}

/// The waking side; any number of clones may ring.
#[derive(Clone, Debug)]
pub struct Doorbell {
    /// `None` when the waiter never sleeps for good: ringing is then free.
    rope: Option<Rope>,
}

#[derive(Debug)]
struct Bed {
    parker: Parker,
    parked: Parked,
}

#[derive(Clone, Debug)]
struct Rope {
    unparker: Unparker,
    parked: Parked,
}

/// True while the waiter is about to park or parked. Read by every ringer at every publication, so
/// it has a cache line of its own.
type Parked = Arc<CachePadded<AtomicBool>>;

impl Idler {
    /// Returns a waiter and what wakes it.
    #[must_use]
    pub fn new(wait: Wait) -> (Self, Doorbell) {
        let (bed, rope) = if wait == Wait::SpinPark {
            let (parker, parked) = (Parker::new(), Parked::default());
            let rope = Rope { unparker: parker.unparker().clone(), parked: Arc::clone(&parked) };
            (Some(Bed { parker, parked }), Some(rope))
        } else {
            (None, None)
        };
        (Self { wait, misses: 0, bed, nap: None }, Doorbell { rope })
    }

    /// Returns a waiter that sleeps no longer than `nap` in one go, and what wakes it: what was
    /// published and not rung for is seen then.
    #[must_use]
    pub fn napping(wait: Wait, nap: Duration) -> (Self, Doorbell) {
        let (idler, bell) = Self::new(wait);
        (Self { nap: Some(nap), ..idler }, bell)
    }

    /// Waits once after a look that found nothing; the caller looks again afterwards, whatever
    /// ended the wait. `ready` is that look: it must see everything a ringer publishes.
    #[inline]
    pub fn idle(&mut self, ready: impl FnOnce() -> bool) {
        let pausing = self.misses < PAUSES;
        self.misses = self.misses.saturating_add(1);
        match self.wait {
            Wait::Spin => spin_loop(),
            Wait::SpinYield | Wait::SpinPark if pausing => spin_loop(),
            Wait::SpinYield => yield_now(),
            Wait::SpinPark => self.park(ready),
            Wait::SleepMicros(micros) => sleep(micros),
        }
    }

    /// Notes that something was found: the next wait begins with pauses again.
    #[inline]
    pub fn busy(&mut self) {
        self.misses = 0;
    }

    #[cold]
    fn park(&self, ready: impl FnOnce() -> bool) {
        let Some(Bed { parker, parked }) = &self.bed else {
            return;
        };
        // ORDERING: Relaxed, because the fence orders it before the look; partner: the load in
        // `Doorbell::ring`.
        parked.store(true, Ordering::Relaxed);
        // ORDERING: fence A of the module header; partner: fence B in `Doorbell::ring`.
        fence(Ordering::SeqCst);
        if !ready() {
            match self.nap {
                Some(nap) => parker.park_timeout(nap),
                None => parker.park(),
            }
        }
        // ORDERING: Relaxed: a ringer that still reads `true` leaves a token, and the next park
        // returns at once.
        parked.store(false, Ordering::Relaxed);
    }
}

impl Doorbell {
    /// Wakes the waiter if it sleeps. Called after something was published: once a batch, less
    /// often where the waiter naps.
    #[inline]
    pub fn ring(&self) {
        let Some(Rope { unparker, parked }) = &self.rope else {
            return;
        };
        // ORDERING: fence B of the module header; partner: fence A in `Idler::park`.
        fence(Ordering::SeqCst);
        // ORDERING: Relaxed, because the fence orders it behind the publication; partner: the store
        // in `Idler::park`.
        if parked.load(Ordering::Relaxed) {
            unparker.unpark();
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spin => write!(out, "spin"),
            Self::SpinYield => write!(out, "spin-yield"),
            Self::SpinPark => write!(out, "spin-park"),
            Self::SleepMicros(micros) => write!(out, "sleep:{micros}"),
        }
    }
}

impl FromStr for Wait {
    type Err = UnknownWait;

    fn from_str(text: &str) -> Result<Self, UnknownWait> {
        let micros = || {
            let micros = text.strip_prefix("sleep:")?.parse().ok()?;
            (1..=SLEEP_MICROS_MAX).contains(&micros).then_some(Self::SleepMicros(micros))
        };
        match text {
            "spin" => Ok(Self::Spin),
            "spin-yield" => Ok(Self::SpinYield),
            "spin-park" => Ok(Self::SpinPark),
            _ => micros().ok_or_else(|| UnknownWait(text.to_owned())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where threads may sleep")]
fn sleep(micros: u32) {
    std::thread::sleep(Duration::from_micros(u64::from(micros)));
}

#[cfg(all(loom, test))]
pub(crate) mod handshake;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
