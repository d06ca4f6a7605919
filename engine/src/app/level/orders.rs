//! Orders on their way to the session, and what became of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use model::event::{Body, ClearStep, LevelStep};
use model::id::{InstrumentId, Seq};
use model::order::{Step, Via};
use serde_json::{Value, json};

use super::kept::Kept;
use super::{Asked, Order, records, unsigned, word};

/// Orders on their way to the session, and what became of them.
#[derive(Debug, Default)]
pub(in super::super) struct Orders {
    /// Something waits: looked at before each event.
    pending: AtomicBool,
    queue: Mutex<Queue>,
    /// SIGUSR1 came.
    pub(in super::super) signalled: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Asked, Via)>,
    /// Orders that the session has taken, in order: their steps come back in it.
    taken: VecDeque<Asked>,
    /// How many were answered, and the last answer.
    pub(super) answered: u64,
    given: u64,
    pub(super) last: Value,
    /// The level in force, and whose it is.
    pub(super) level: u8,
}

impl Orders {
    /// Tells whether an order waits. Costs next to nothing.
    pub(in super::super) fn is_pending(&self) -> bool {
        // ORDERING: Relaxed: the flags carry no data; the queue has its own lock.
        self.pending.load(Ordering::Relaxed) || self.signalled.load(Ordering::Relaxed)
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        act(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an order; returns how many were given until then, itself included.
    pub(super) fn give(&self, order: Asked, via: Via) -> u64 {
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
    pub(in super::super) fn take(&self) -> Option<Vec<(InstrumentId, Body)>> {
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
    pub(super) fn raise(&self, order: Order, via: Via) {
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
    pub(in super::super) fn cleared(&self, seq: Seq, step: &ClearStep) {
        self.with(|queue| {
            let Some(Asked::Clear(clear)) = queue.taken.pop_front() else { return };
            queue.answered = queue.answered.saturating_add(1);
            queue.last = clear.answer(seq, step);
        });
    }

    /// Notes what the session says that it reached, and returns that in words. What is in force is
    /// kept before who asked is answered: a session that is killed then has it all the same.
    pub(in super::super) fn reached(
        &self,
        seq: Seq,
        step: &LevelStep,
        keep: impl FnOnce(&Kept),
    ) -> Option<String> {
        match step.step {
            Step::Set => self.set(seq, step, keep),
            Step::Asked => self.with(|queue| {
                let Asked::Level(Order { level, by, reason }) = queue.taken.pop_front()? else {
                    return None;
                };
                queue.answered = queue.answered.saturating_add(1);
                queue.last = json!({
                    "level": step.level, "asked": level, "by": by, "seq": seq.0,
                    "open_orders": step.open, "positions": step.held,
                });
                Some(format!(
                    "level {} ({}) stays: {by} asks for {level}, and another person has to as \
                     well: {reason}",
                    step.level,
                    word(step.level)
                ))
            }),
            Step::NoneOpen | Step::Flat => None,
        }
    }

    fn set(&self, seq: Seq, step: &LevelStep, keep: impl FnOnce(&Kept)) -> Option<String> {
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
                    "level": step.level, "asked": null, "by": order.by, "seq": seq.0,
                    "open_orders": step.open, "positions": step.held,
                });
                order
            };
            queue.level = step.level;
            let Order { by, reason, .. } = &order;
            let line = format!(
                "level {} ({}) from seq {} on, by {}: {}",
                step.level,
                word(step.level),
                seq.0,
                if by.is_empty() { "the engine" } else { by },
                if reason.is_empty() { "no reason given" } else { reason },
            );
            keep(&Kept::of(order));
            Some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(level: u8, by: &str, reason: &str) -> Order {
        Order { level, by: by.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn a_raise_that_is_in_force_is_not_given_again() {
        let orders = Orders::default();
        orders.raise(order(2, "", "KILL"), Via::File);
        orders.raise(order(2, "", "KILL"), Via::File);
        assert!(orders.is_pending() && orders.take().is_some());
        let step = LevelStep { level: 2, ..LevelStep::default() };
        let mut kept: Option<Kept> = None;
        assert!(orders.reached(Seq(9), &step, |what| kept = Some(what.clone())).is_some());
        assert_eq!(kept.map(|kept| (kept.level, kept.reason)), Some((2, "KILL".to_owned())));
        orders.raise(order(2, "", "KILL"), Via::File);
        assert!(orders.take().is_none() && !orders.is_pending());
    }
}
