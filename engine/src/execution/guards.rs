//! The protective stops that execution keeps: one for a strategy, instrument and side.
//!
//! A stop begins with the first order that has one and rests with the venue until its position is
//! flat; orders that follow move its trigger. The venue knows how much it protects: what the
//! strategy's own fills hold there.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::{Event, OrderDone, StopIntent};
use model::id::{InstrumentId, OrderNo, StrategyId};
use model::num::Price;
use model::order::{DoneReason, Side};

use crate::limits::STOPS_MAX;
use crate::stage::Out;

/// Ordinal of a stop that takes the place of one that left something: no order has so many before
/// it in its seq.
const RENEWED_ORDINAL: u16 = 0x7FFF;

/// One stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Guard {
    instrument: InstrumentId,
    strategy: StrategyId,
    /// Side of the order that it becomes.
    side: Side,
    stop: OrderNo,
    trigger: Price,
    /// A cancel is on its way.
    cancelling: bool,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guards {
    guards: Vec<Guard>,
}

impl Guard {
    fn tell(&self, event: &Event, moves: bool, out: &mut Out) {
        let Self { stop: order, trigger, strategy, side, .. } = *self;
        let intent = StopIntent { order, trigger, strategy, side, moves };
        out.push(Event::new(event.seq, event.ts, self.instrument, &intent));
    }
}

impl Guards {
    pub(super) fn new() -> Self {
        Self { guards: Vec::with_capacity(STOPS_MAX) }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.guards.len()
    }

    fn find(&self, instrument: InstrumentId, strategy: StrategyId, side: Side) -> Option<usize> {
        self.guards
            .iter()
            .position(|g| (g.instrument, g.strategy, g.side) == (instrument, strategy, side))
    }

    /// Tells whether an order of this side, which opens, can be guarded.
    pub(super) fn has_room(&self, of: InstrumentId, strategy: StrategyId, opens: Side) -> bool {
        self.guards.len() < STOPS_MAX || self.find(of, strategy, opens.opposite()).is_some()
    }

    /// Guards what an order opens: sends a stop, or moves the one that is there.
    pub(super) fn guard(
        &mut self,
        event: &Event,
        (order, opens): (OrderNo, Side),
        strategy: StrategyId,
        trigger: Price,
        out: &mut Out,
    ) {
        let (instrument, side) = (event.instrument, opens.opposite());
        if let Some(at) = self.find(instrument, strategy, side) {
            let Some(guard) = self.guards.get_mut(at) else { return };
            if guard.trigger != trigger {
                guard.trigger = trigger;
                guard.tell(event, true, out);
            }
            return;
        }
        let stop = order.stop();
        let guard = Guard { instrument, strategy, side, stop, trigger, cancelling: false };
        guard.tell(event, false, out);
        self.guards.push(guard);
    }

    /// Takes the end of a stop. `opens` tells whether an order of a strategy, instrument and side
    /// is still open. What a triggered stop left is guarded anew, and so is what an order on its
    /// way may still open.
    pub(super) fn ended(
        &mut self,
        event: &Event,
        done: &OrderDone,
        opens: impl Fn(StrategyId, InstrumentId, Side) -> bool,
        out: &mut Out,
    ) {
        let Some(at) = self.guards.iter().position(|guard| guard.stop == done.order) else {
            return;
        };
        let Some(guard) = self.guards.get_mut(at) else { return };
        let left = done.reason == DoneReason::Expired;
        let opening = opens(guard.strategy, guard.instrument, guard.side.opposite());
        if (left || opening) && !guard.cancelling {
            guard.stop = OrderNo::new(event.seq, RENEWED_ORDINAL).stop();
            guard.tell(event, false, out);
        } else {
            self.guards.remove(at);
        }
    }

    /// Calls `cancel` with the instrument and number of each stop, once.
    pub(super) fn cancel_all(&mut self, mut cancel: impl FnMut(InstrumentId, OrderNo)) {
        for guard in self.guards.iter_mut().filter(|guard| !guard.cancelling) {
            guard.cancelling = true;
            cancel(guard.instrument, guard.stop);
        }
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.guards.len());
        for guard in &self.guards {
            out.put(guard.instrument.0);
            out.put(guard.strategy);
            out.put(guard.side);
            out.put(guard.stop);
            out.put(guard.trigger);
            out.put(guard.cancelling);
        }
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.guards.clear();
        for _ in 0..from.take_len(STOPS_MAX)? {
            self.guards.push(Guard {
                instrument: InstrumentId(from.take()?),
                strategy: from.take()?,
                side: from.take()?,
                stop: from.take()?,
                trigger: from.take()?,
                cancelling: from.take()?,
            });
        }
        Ok(())
    }
}
