//! What the kill switch does in risk: the level is set, what is open is cancelled, positions are
//! closed, and each step is told with its proof.

use model::event::{CancelAll, Command, Event, Flatten, LevelStep, OrderDone};
use model::id::{ALL_STRATEGIES, InstrumentId, NO_INSTRUMENT, OrderNo, StrategyId};
use model::num::{Money, Qty};
use model::order::{Side, Step, Via};
use model::reject::{Code, Reject};

use super::Risk;
use super::given::Given;
use crate::levels::{self, BACKOFF_NS, HALT, Taken};
use crate::portfolio::{as_qty, at, instrument_id};
use crate::stage::Out;

impl<G: Given> Risk<G> {
    /// Sets the level. From halt on, everything that is open is cancelled at once.
    pub(super) fn command(&mut self, event: &Event, command: &Command, out: &mut Out) {
        let before = self.outside.levels.level();
        match self.outside.levels.set(command, self.now) {
            Taken::Set => self.tell_step(event, Step::Set, out),
            Taken::Asked => {
                let by = (command.by, command.via);
                self.tell_step_by(event, (Step::Asked, by), out);
                return;
            }
            Taken::Refused => {
                self.tell_step(event, Step::Set, out);
                return;
            }
        }
        if command.level >= HALT {
            let code = Code::from(Reject::LevelHalt);
            let all = CancelAll { code, strategy: ALL_STRATEGIES };
            Self::emit(event, NO_INSTRUMENT, &all, out);
        }
        self.latches(event, None, out);
        if command.level < before {
            self.latches.end_of_level(&mut |transition| transition.tell(event, out));
            self.reset_by_ends(event, out);
        }
        self.reach(event, out);
    }

    /// Raises the level for the engine itself; one that is as high stays.
    pub(super) fn raise(&mut self, event: &Event, level: u8, via: Via, out: &mut Out) {
        if level > self.outside.levels.level() {
            self.command(event, &Command { text: 0, by: 0, level, via }, out);
        }
    }

    /// Tells what the kill switch has reached, if that is more than before.
    pub(super) fn reach(&mut self, event: &Event, out: &mut Out) {
        if self.outside.levels.level() < HALT {
            return;
        }
        while let Some(step) = self.outside.levels.reach(self.portfolio.open().len(), self.held()) {
            self.tell_step(event, step, out);
        }
    }

    /// Tells a step of the level in force.
    fn tell_step(&self, event: &Event, step: Step, out: &mut Out) {
        let levels = &self.outside.levels;
        self.tell_step_by(event, (step, (levels.by(), levels.via())), out);
    }

    fn tell_step_by(&self, event: &Event, (step, (by, via)): (Step, (u16, Via)), out: &mut Out) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (open, held) = (count(self.portfolio.open().len()), count(self.held()));
        let level = self.outside.levels.level();
        Self::emit(event, NO_INSTRUMENT, &LevelStep { open, held, by, level, step, via }, out);
    }

    /// Returns the number of positions that are more than dust.
    fn held(&self) -> usize {
        let ids = (0..self.instruments.len()).map(instrument_id);
        ids.filter(|id| self.is_held(*id)).count()
    }

    fn is_held(&self, id: InstrumentId) -> bool {
        self.portfolio.is_first(id)
            && !self.portfolio.is_dust(&self.portfolio.position(id), id, &self.view())
    }

    /// Closes a piece of the position that an event's instrument trades: one order at a time, which
    /// shrinks the account's position, for the strategy whose fills it is, else for nobody. Caps
    /// slice it as any order.
    #[inline]
    pub(super) fn close_position(&mut self, event: &Event, out: &mut Out) {
        if self.outside.levels.is_closing() {
            self.try_exit(event, out);
        }
    }

    #[cold]
    fn try_exit(&mut self, event: &Event, out: &mut Out) {
        let id = event.instrument;
        // What has become dust by its price alone is flat too.
        self.reach(event, out);
        let works =
            |open: &OrderNo| open.is_engine() && self.portfolio.share_position(id, of(*open));
        if !self.outside.levels.may_exit(id, self.now)
            || self.portfolio.open().iter().any(|open| works(&open.order))
        {
            return;
        }
        let (Some(instrument), Some(market)) = (at(&self.instruments, id), at(&self.markets, id))
        else {
            return;
        };
        let Some((strategy, held)) = self.next_exit(id) else { return };
        let side = if held.0 < 0 { Side::Buy } else { Side::Sell };
        let size = as_qty(Money(held.0.saturating_abs()), instrument);
        let qty = instrument.floor_lot(i128::from(size.0)).min(instrument.qty_max);
        let band = i128::from(instrument.flatten_band.0);
        let price = market.protected_price(instrument, side, band, market.last_mark());
        let ordinal = OrderNo::engine(event.seq, id).ordinal();
        let exit = Flatten { price: price.unwrap_or_default(), qty, strategy, ordinal, side };
        self.outside.levels.wait(id, self.now.plus(BACKOFF_NS));
        Self::emit(event, id, &exit, out);
        self.judge(event, &levels::signal(&exit), (None, None), out);
    }

    /// Returns whose position of an instrument is to be closed next, and how much of it. Ledgers
    /// that oppose the account's position are no part of it.
    fn next_exit(&self, id: InstrumentId) -> Option<(StrategyId, Money)> {
        let position = self.portfolio.position(id);
        let view = self.view();
        if self.portfolio.is_dust(&position, id, &view) {
            return None;
        }
        let (long, mut owned) = (position.qty.0 > 0, 0_i128);
        for row in self.portfolio.ledgers().rows() {
            let of_it = self.portfolio.share_position(id, row.instrument);
            let Some(strategy) = row.strategy.filter(|_| of_it) else { continue };
            // Dust goes with what is nobody's.
            if self.portfolio.is_dust(&row.position, row.instrument, &view)
                || (row.position.qty.0 > 0) != long
            {
                continue;
            }
            if row.instrument == id {
                let most = position.qty.0.saturating_abs();
                let part = row.position.qty.0.clamp(most.saturating_neg(), most);
                return Some((strategy, Money(part)));
            }
            owned = owned.saturating_add(row.position.qty.0);
        }
        // What strategies hold by another instrument goes by that one.
        let left = position.qty.0.saturating_sub(owned);
        let elsewhere = owned != 0 && (left == 0 || (left > 0) != long);
        let unit = at(&self.instruments, id)?;
        let size = as_qty(Money(left.saturating_abs()), unit);
        let whole = unit.floor_lot(i128::from(size.0)) > Qty(0);
        (!elsewhere && whole).then_some((ALL_STRATEGIES, Money(left)))
    }

    /// An exit of the engine's own has ended: the next piece may go at once, or after a while where
    /// this one found nothing.
    pub(super) fn exit_ended(&mut self, event: &Event, done: &OrderDone) {
        self.outside.levels.ended(done.order);
        let fruitless = done.code.0 != 0 || done.filled.0 == 0;
        let until = if fruitless { self.now.plus(BACKOFF_NS) } else { self.now };
        self.outside.levels.wait(event.instrument, until);
    }
}

/// Returns the instrument of an exit of the engine's own.
fn of(order: OrderNo) -> InstrumentId {
    order.engine_instrument()
}
