//! The kill switch as risk holds it (accounts.md 14): a level, who set it, and what is reached.
//!
//! Steps of a level come one after the other: it is set and refuses from that seq on, everything
//! that is open is cancelled, none is open any more; and from there on at level 3 the engine's own
//! exits, until every position is dust.
//!
//! 0 run, 1 reduce (nothing may increase a position), 2 halt (no order of a strategy, and all that
//! is open is cancelled), 3 flatten (2, and every position is closed). Enforced whatever the rules
//! say, which read it as `control.level` and `control.by`. Cancels are never refused. Anyone
//! raises; who lowers says who and why, and where a hard block reads the level, another person has
//! to say the same.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Command, Flatten, Signal};
use model::id::{InstrumentId, OrderNo};
use model::order::{Action, Step, TimeInForce, Via};
use model::reject::Reject;
use model::time::Nanos;

use crate::approval::Approval;
use crate::limits::OPEN_ORDERS_MAX;

/// Level at which everything that the rules allow passes.
pub const RUN: u8 = 0;
/// Level at which positions may only shrink.
pub const REDUCE: u8 = 1;
/// Level at which strategies' orders are refused and cancelled.
pub const HALT: u8 = 2;
/// Level at which positions are closed.
pub const FLATTEN: u8 = 3;

/// How long an exit that was refused, or found nothing to trade with, waits before the next one.
pub const BACKOFF_NS: i64 = 1_000_000_000;

/// The level in force and what it has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    level: u8,
    by: u16,
    via: Via,
    reached: Step,
    /// A hard block reads the level: it takes two people to lower it.
    takes_two: bool,
    /// The lower level that one of them has asked for.
    lowering: Approval<u8>,
    /// Open orders that the engine made. Room is taken once.
    own: Vec<OrderNo>,
    /// When the next exit of an instrument may go, by instrument.
    next: Vec<Nanos>,
}

/// What a command has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its level is in force.
    Set,
    /// It is in force once another person asks for it too.
    Asked,
    /// It may not do that: who lowers says who and why.
    Refused,
}

impl Levels {
    /// Returns level 0 of a session with that many instruments. Where a hard block reads the level
    /// it `takes_two` people to lower it.
    #[must_use]
    pub fn new(instruments: usize, takes_two: bool) -> Self {
        Self {
            level: RUN,
            by: 0,
            via: Via::Engine,
            reached: Step::Set,
            takes_two,
            lowering: Approval::default(),
            own: Vec::with_capacity(OPEN_ORDERS_MAX),
            next: vec![Nanos(0); instruments],
        }
    }

    /// Takes a command that comes at `now`.
    pub fn set(&mut self, command: &Command, now: Nanos) -> Taken {
        let &Command { level, by, text, via } = command;
        // What was kept by the session before is no person's word of now.
        let may_lower = by != 0 && text != 0 && via != Via::Stored;
        if level > FLATTEN || (level < self.level && !may_lower) {
            return Taken::Refused;
        }
        if level < self.level && self.takes_two && !self.lowering.agree(level, by, now) {
            return Taken::Asked;
        }
        // What was asked for was about the level before.
        self.lowering.forget();
        (self.level, self.by, self.via) = (level, by, via);
        self.reached = Step::Set;
        self.next.fill(Nanos(0));
        Taken::Set
    }

    /// Returns the level.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Returns who set it; 0 for the engine.
    #[must_use]
    pub fn by(&self) -> u16 {
        self.by
    }

    /// Returns how it came to be set.
    #[must_use]
    pub fn via(&self) -> Via {
        self.via
    }

    /// Tells whether positions are being closed.
    #[inline]
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.level == FLATTEN && self.reached == Step::NoneOpen
    }

    /// Tells whether an exit of an instrument may go now.
    #[must_use]
    pub fn may_exit(&self, instrument: InstrumentId, now: Nanos) -> bool {
        let at = usize::try_from(instrument.0).ok().and_then(|index| self.next.get(index));
        self.is_closing() && at.is_some_and(|at| *at <= now)
    }

    /// Notes when the next exit of an instrument may go.
    pub fn wait(&mut self, instrument: InstrumentId, until: Nanos) {
        let at = usize::try_from(instrument.0).ok().and_then(|index| self.next.get_mut(index));
        if let Some(at) = at {
            *at = until;
        }
    }

    /// Notes an order of the engine's own that is open from here on.
    pub fn opened(&mut self, order: OrderNo) {
        if self.own.len() < OPEN_ORDERS_MAX {
            self.own.push(order);
        }
    }

    /// Notes that an order has ended.
    pub fn ended(&mut self, order: OrderNo) {
        self.own.retain(|own| *own != order);
    }

    /// Returns the next step that is reached now, each once a command: `open` orders are open, and
    /// `held` instruments have more than dust.
    pub fn reach(&mut self, open: usize, held: usize) -> Option<Step> {
        let next = match (self.level, self.reached) {
            (HALT.., Step::Set) if open <= self.own.len() => Step::NoneOpen,
            (FLATTEN.., Step::NoneOpen) if open == 0 && held == 0 => Step::Flat,
            _ => return None,
        };
        self.reached = next;
        Some(next)
    }
}

/// Returns why an order may not pass at a level, if it may not. The engine's own exits always may.
#[must_use]
pub fn refuses(level: u8, reduces: bool, is_engine: bool) -> Option<Reject> {
    match level {
        _ if is_engine => None,
        REDUCE if !reduces => Some(Reject::LevelReduce),
        HALT.. => Some(Reject::LevelHalt),
        _ => None,
    }
}

/// Returns an exit of the engine's own as a signal, which is how orders are judged and sent.
#[must_use]
pub fn signal(exit: &Flatten) -> Signal {
    let Flatten { price, qty, strategy, ordinal, side } = *exit;
    Signal {
        price,
        qty,
        strategy,
        rule: u16::MAX,
        ordinal,
        action: Action::Flatten,
        side,
        tif: TimeInForce::Ioc,
        priced: price.0 > 0,
        protected: true,
        ..Signal::default()
    }
}

impl Image for Levels {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.level);
        out.put(self.by);
        out.put(self.via);
        out.put(self.reached);
        self.lowering.save(out);
        out.put_len(self.own.len());
        for order in &self.own {
            out.put(*order);
        }
        out.put_len(self.next.len());
        for at in &self.next {
            out.put(*at);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.level = from.take()?;
        self.by = from.take()?;
        self.via = from.take()?;
        self.reached = from.take()?;
        self.lowering.load(from)?;
        self.own.clear();
        for _ in 0..from.take_len(OPEN_ORDERS_MAX)? {
            self.own.push(from.take()?);
        }
        if from.take_len(self.next.len())? != self.next.len() {
            return Err(ImageError::Range);
        }
        for at in &mut self.next {
            *at = from.take()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::id::Seq;

    use super::*;

    fn set(levels: &mut Levels, level: u8, by: u16) -> Taken {
        levels.set(&Command { level, by, text: u64::from(by), ..Command::default() }, Nanos(0))
    }

    #[test]
    fn anyone_raises_and_only_a_person_lowers() {
        let mut levels = Levels::new(1, false);
        assert_eq!(set(&mut levels, HALT, 0), Taken::Set);
        assert_eq!(set(&mut levels, 0, 0), Taken::Refused, "the engine lowered a level");
        assert_eq!(set(&mut levels, 4, 7), Taken::Refused, "there is no level 4");
        let unsaid = Command { level: 0, by: 7, ..Command::default() };
        assert_eq!(levels.set(&unsaid, Nanos(0)), Taken::Refused, "lowered without a reason");
        let kept = Command { level: 0, by: 7, text: 7, via: Via::Stored };
        assert_eq!(levels.set(&kept, Nanos(0)), Taken::Refused, "a restart lowered a level");
        assert_eq!((levels.level(), levels.by()), (HALT, 0));
        assert_eq!(set(&mut levels, REDUCE, 7), Taken::Set);
        assert_eq!((levels.level(), levels.by()), (REDUCE, 7));
    }

    #[test]
    fn what_a_hard_block_reads_is_lowered_by_two_people() {
        let mut levels = Levels::new(1, true);
        assert_eq!(set(&mut levels, FLATTEN, 0), Taken::Set, "one raises");
        assert_eq!(set(&mut levels, 0, 7), Taken::Asked);
        assert_eq!(set(&mut levels, 0, 7), Taken::Asked, "the same person twice");
        assert_eq!(set(&mut levels, REDUCE, 8), Taken::Asked, "the other wants another level");
        assert_eq!((levels.level(), levels.by()), (FLATTEN, 0), "nothing has changed");
        assert_eq!(set(&mut levels, REDUCE, 7), Taken::Set);
        assert_eq!((levels.level(), levels.by()), (REDUCE, 7));
        assert_eq!(set(&mut levels, 0, 7), Taken::Asked);
        assert_eq!(set(&mut levels, HALT, 9), Taken::Set);
        assert_eq!(set(&mut levels, 0, 8), Taken::Asked, "raised since: that was before");
    }

    #[test]
    fn each_level_refuses_what_it_is_for() {
        let mut levels = Levels::new(1, false);
        for (level, increases, reduces) in [
            (0, None, None),
            (REDUCE, Some(Reject::LevelReduce), None),
            (HALT, Some(Reject::LevelHalt), Some(Reject::LevelHalt)),
            (FLATTEN, Some(Reject::LevelHalt), Some(Reject::LevelHalt)),
        ] {
            assert_eq!(set(&mut levels, level, 1), Taken::Set);
            assert_eq!(refuses(level, false, false), increases, "level {level}");
            assert_eq!(refuses(level, true, false), reduces, "level {level}");
            assert_eq!(refuses(level, true, true), None, "level {level}");
        }
    }

    #[test]
    fn each_step_is_reached_once_and_in_order() {
        let mut levels = Levels::new(1, false);
        set(&mut levels, FLATTEN, 0);
        assert_eq!(levels.reach(1, 1), None);
        levels.opened(OrderNo::new(Seq(9), 0));
        assert_eq!(levels.reach(2, 1), None, "an order of a strategy is open");
        assert_eq!(levels.reach(1, 1), Some(Step::NoneOpen));
        assert_eq!(levels.reach(1, 0), None);
        levels.ended(OrderNo::new(Seq(9), 0));
        assert_eq!(levels.reach(0, 1), None);
        assert_eq!(levels.reach(0, 0), Some(Step::Flat));
        assert_eq!(levels.reach(0, 0), None);
    }
}
