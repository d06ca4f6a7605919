//! What the risk stage lets happen to the memories of its blocks, and what follows from that.

use dsl::typed::Occasion;
use model::event::{Event, Fill, LatchChanged, OrderDone};
use model::id::NO_INSTRUMENT;
use model::order::{LatchState, Via};

use super::facts::OrderView;
use super::given::Given;
use super::latch::{Transition, World};
use super::memory::{Happening, Moment, Reached, of_end};
use super::rate::Whose;
use super::{Risk, View};
use crate::levels::FLATTEN;
use crate::portfolio::fill::FillOutcome;
use crate::portfolio::open::OpenOrder;
use crate::stage::Out;

impl<G: Given> Risk<G> {
    /// An order was approved: it is counted, and states may change.
    pub(super) fn approved(&mut self, event: &Event, order: &OrderView, out: &mut Out) {
        let OpenOrder { instrument, strategy, side, .. } = order.open;
        let whose = Whose { instrument, strategy, side };
        let (on, moment) = (Occasion::Order, Moment::default());
        self.happen(event, &Happening { on, whose, order: Some(order), moment }, out);
        if self.memories.latched {
            self.latches(event, None, out);
        }
    }

    /// A fill was booked; perhaps a round trip ends with it. The latches are judged by the caller.
    pub(super) fn filled(
        &mut self,
        event: &Event,
        fill: &Fill,
        outcome: &FillOutcome,
        out: &mut Out,
    ) {
        let FillOutcome { strategy, closed, .. } = *outcome;
        let whose = Whose { instrument: event.instrument, strategy, side: fill.side };
        let moment = Moment { fill: Some((*fill, *outcome)), closed: None };
        self.happen(event, &Happening { on: Occasion::Fill, whose, order: None, moment }, out);
        if closed.is_some() {
            let moment = Moment { fill: None, closed };
            let happening = Happening { on: Occasion::Closed, whose, order: None, moment };
            self.happen(event, &happening, out);
        }
    }

    /// An open order has ended: a cancel is a message, a reject is counted.
    pub(super) fn ended(
        &mut self,
        event: &Event,
        done: &OrderDone,
        order: &OpenOrder,
        out: &mut Out,
    ) {
        let Some((on, _)) = of_end(done.reason) else { return };
        let OpenOrder { instrument, strategy, side, .. } = *order;
        let whose = Whose { instrument, strategy, side };
        let moment = Moment::default();
        self.happen(event, &Happening { on, whose, order: None, moment }, out);
    }

    /// A timer came: states may change by time.
    pub(super) fn timed(&mut self) {
        let Self { memories, blocks, portfolio, instruments, markets, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        memories.happen_everywhere(blocks, (portfolio, &view, outside), Occasion::Timer);
    }

    fn happen(&mut self, event: &Event, happening: &Happening<'_>, out: &mut Out) {
        let Self { memories, blocks, portfolio, instruments, markets, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let mut told = false;
        memories.happen(blocks, (portfolio, &view, outside), happening, &mut |reached| {
            told = true;
            tell(event, reached, out);
        });
        if told {
            self.set_alarm(event, out);
        }
    }

    /// Ends the latches of throttles that are over; `day` when a trading day begins.
    pub(super) fn end_throttles(&mut self, event: &Event, day: bool, out: &mut Out) {
        let Self { memories, blocks, portfolio, instruments, markets, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        // At most as many end as there are; the rest of a set that is too small ends at the next
        // event.
        let mut ended = [None; 16];
        let mut slots = ended.iter_mut();
        memories.end(*now, day, &mut |reached| {
            tell(event, reached, out);
            if let Some(slot) = slots.next() {
                *slot = Some(reached.code);
            }
        });
        for code in ended.into_iter().flatten() {
            memories.latch_ended(blocks, (portfolio, &view, outside), (code, None));
        }
    }

    /// Lets the ends of latches reset states; latches whose states were reset are judged again.
    pub(super) fn reset_by_ends(&mut self, event: &Event, out: &mut Out) {
        let Self {
            latches, blocks, portfolio, instruments, markets, now, memories, outside, ..
        } = self;
        let view = View { instruments, markets, now: *now };
        let (mut changed, mut flattens) = (false, false);
        while let Some((number, code, instrument)) = latches.next_ended() {
            if memories.latch_ended(blocks, (portfolio, &view, outside), (code, instrument)) {
                latches.renew(number);
                changed = true;
            }
        }
        if changed {
            let world = World { portfolio, view, memories, outside };
            latches.evaluate(blocks, &world, None, &mut |transition: Transition<'_>| {
                transition.tell(event, out);
                flattens |= transition.flattens();
            });
            // One that ends again at once has a condition that its own end does not clear.
            while latches.next_ended().is_some() {}
        }
        if flattens {
            self.raise(event, FLATTEN, Via::Rule, out);
        }
    }
}

/// Writes the record of a throttle's latch.
pub(super) fn tell(event: &Event, reached: Reached, out: &mut Out) {
    let Reached { code, armed, values: (observed, limit), until } = reached;
    let state = if armed { LatchState::Armed } else { LatchState::Ended };
    let record = LatchChanged { observed, limit, until, code, state };
    out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &record));
}
