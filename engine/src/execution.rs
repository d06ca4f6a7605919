//! The execution stage: turns approved signals into orders, and knows which of them are open.
//!
//! It makes intents and cancel intents; the gate lets them out once they are in the journal. It
//! also carries refusals to feed, asks feed for the timer that it and risk need, and keeps the
//! protective stops of what orders with one have opened.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{
    Body, CancelIntent, Decision, Event, OrderDone, OrderIntent, Signal, SignalTerms, Wake,
};
use model::id::{ALL_STRATEGIES, InstrumentId, NO_INSTRUMENT, OrderNo, StrategyId};
use model::num::Price;
use model::order::{Action, CancelReason, Side, Verdict};
use model::reject::{Code, Reject};
use model::time::Nanos;

use crate::alarm::Alarm;
use crate::levels;
use crate::limits::OPEN_ORDERS_MAX;
use crate::stage::{Out, Stage};

/// Protective stops.
mod guards;

use guards::Guards;

/// An order that has no terminal outcome yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Working {
    order: OrderNo,
    instrument: InstrumentId,
    strategy: StrategyId,
    side: Side,
    role: Role,
    /// When it is to be cancelled; 0 for never.
    expires: Nanos,
    /// A cancel is on its way.
    cancelling: bool,
}

/// What an order is for: which cancels of its strategy mean it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Entry,
    Exit,
    /// A leg of a quote: its rule and side.
    Quote(u16, Side),
}

impl Role {
    fn of(signal: &Signal) -> Self {
        match signal.action {
            Action::Exit | Action::CancelExit | Action::Flatten => Self::Exit,
            Action::Quote | Action::CancelQuote => Self::Quote(signal.rule, signal.side),
            Action::Enter | Action::CancelEntries => Self::Entry,
        }
    }

    fn save(self, out: &mut ImageWriter) {
        out.put(self == Self::Exit);
        let leg = match self {
            Self::Quote(rule, side) => Some((rule, side)),
            Self::Entry | Self::Exit => None,
        };
        out.put_option(leg.map(|(rule, _)| rule));
        out.put(leg.map(|(_, side)| side).unwrap_or_default());
    }

    fn load(from: &mut ImageReader<'_>) -> Result<Self, ImageError> {
        let exit: bool = from.take()?;
        let (rule, side) = (from.take_option()?, from.take()?);
        Ok(match rule {
            Some(rule) => Self::Quote(rule, side),
            None if exit => Self::Exit,
            None => Self::Entry,
        })
    }
}

/// The stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Open orders, by number. Room is taken once.
    working: Vec<Working>,
    /// What the next signal says beyond its fields.
    terms: Option<SignalTerms>,
    /// The signal whose verdict comes next.
    pending: Option<(Event, Signal)>,
    guards: Guards,
    decisions: u64,
    closing: bool,
    /// When risk wants to be woken.
    risk_due: Option<Nanos>,
    alarm: Alarm,
}

/// Version of the state image.
const IMAGE_VERSION: u32 = 4;

impl Default for Execution {
    fn default() -> Self {
        Self::new()
    }
}

impl Execution {
    /// Builds the stage.
    #[must_use]
    pub fn new() -> Self {
        Self {
            working: Vec::with_capacity(OPEN_ORDERS_MAX),
            terms: None,
            pending: None,
            guards: Guards::new(),
            decisions: 0,
            closing: false,
            risk_due: None,
            alarm: Alarm::default(),
        }
    }

    /// Returns the number of open orders.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.working.len()
    }

    /// Returns the number of protective stops.
    #[must_use]
    pub fn stops(&self) -> usize {
        self.guards.len()
    }

    fn signal(&mut self, event: &Event, signal: &Signal, out: &mut Out) {
        match signal.action {
            Action::Enter | Action::Exit | Action::Quote | Action::Flatten => {
                self.pending = Some((*event, *signal));
            }
            Action::CancelEntries | Action::CancelExit | Action::CancelQuote => {
                let (instrument, strategy) = (event.instrument, signal.strategy);
                let meant = Role::of(signal);
                self.cancel(event, CancelReason::Strategy, out, |order| {
                    order.instrument == instrument
                        && order.strategy == strategy
                        && order.role == meant
                });
            }
        }
    }

    fn decision(&mut self, event: &Event, decision: &Decision, out: &mut Out) {
        self.decisions = self.decisions.saturating_add(1);
        let Some((asked, signal)) = self.pending.take() else { return };
        let order = OrderNo::new(asked.seq, signal.ordinal);
        let stop = self.stop_of(&signal);
        if decision.verdict == Verdict::Deny {
            // Feed tells the strategy, whose signal would otherwise stay without an answer.
            out.push(*event);
            return;
        }
        if stop.is_some() && !self.guards.has_room(event.instrument, signal.strategy, signal.side) {
            // An order whose stop nobody keeps does not leave: it ends as one that was refused.
            let refused =
                Decision { verdict: Verdict::Deny, code: Reject::TooManyOpen.into(), ..*decision };
            out.push(Event::new(event.seq, event.ts, event.instrument, &refused));
            return;
        }
        let expires = match signal.ttl_ns {
            0 => Nanos(0),
            ttl => event.ts.plus(ttl),
        };
        let working = Working {
            order,
            instrument: event.instrument,
            strategy: signal.strategy,
            side: signal.side,
            role: Role::of(&signal),
            expires,
            cancelling: false,
        };
        let place = self.working.binary_search_by_key(&order, |open| open.order);
        if let Err(at) = place {
            // Risk refuses above the same limit, so there is room.
            self.working.insert(at, working);
        }
        let intent = OrderIntent {
            order,
            price: signal.price,
            qty: decision.qty,
            expires,
            strategy: signal.strategy,
            side: signal.side,
            tif: signal.tif,
            reduces: decision.reduces,
            post_only: signal.post_only,
            exit: signal.action == Action::Exit,
        };
        out.push(Event::new(event.seq, event.ts, event.instrument, &intent));
        if let Some(stop) = stop {
            self.guards.guard(event, (order, signal.side), signal.strategy, stop, out);
        }
        if expires != Nanos(0) {
            self.set_alarm(event, out);
        }
    }

    /// Returns the stop of a signal that opens, if it has one.
    fn stop_of(&mut self, signal: &Signal) -> Option<Price> {
        let terms = self.terms.take()?;
        let own = (terms.strategy, terms.ordinal) == (signal.strategy, signal.ordinal);
        let opens = signal.action != Action::Exit;
        (own && opens && terms.stopped).then_some(terms.stop)
    }

    /// Asks for a timer at the first moment at which an order expires or risk is due.
    fn set_alarm(&mut self, event: &Event, out: &mut Out) {
        let living = self.working.iter().filter(|open| !open.cancelling);
        let expiries = living.map(|open| open.expires).filter(|at| *at != Nanos(0));
        if let Some(due) = self.alarm.set(expiries.chain(self.risk_due).min()) {
            out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &Wake { due }));
        }
    }

    fn timer(&mut self, event: &Event, out: &mut Out) {
        let now = event.ts;
        self.alarm.came(now);
        self.risk_due = self.risk_due.filter(|due| *due > now);
        self.cancel(event, CancelReason::Ttl, out, |order| {
            order.expires != Nanos(0) && order.expires <= now
        });
        self.set_alarm(event, out);
    }

    fn cancel(
        &mut self,
        event: &Event,
        reason: CancelReason,
        out: &mut Out,
        picked: impl Fn(&Working) -> bool,
    ) {
        for order in &mut self.working {
            if !order.cancelling && picked(order) {
                order.cancelling = true;
                let intent = CancelIntent { order: order.order, reason };
                out.push(Event::new(event.seq, event.ts, order.instrument, &intent));
            }
        }
    }

    fn ended(&mut self, event: &Event, done: &OrderDone, out: &mut Out) {
        if let Ok(at) = self.working.binary_search_by_key(&done.order, |open| open.order) {
            self.working.remove(at);
        }
        if done.order.is_stop() {
            let working = &self.working;
            let opens = |strategy, instrument, side| {
                working.iter().any(|order| {
                    (order.strategy, order.instrument, order.side) == (strategy, instrument, side)
                })
            };
            self.guards.ended(event, done, opens, out);
        }
    }

    /// Cancels all that rests: the session ends.
    fn close(&mut self, event: &Event, out: &mut Out) {
        self.closing = true;
        self.cancel(event, CancelReason::Shutdown, out, |_| true);
        self.cancel_stops(event, CancelReason::Shutdown, out);
    }

    fn cancel_stops(&mut self, event: &Event, reason: CancelReason, out: &mut Out) {
        self.guards.cancel_all(|instrument, order| {
            let intent = CancelIntent { order, reason };
            out.push(Event::new(event.seq, event.ts, instrument, &intent));
        });
    }
}

impl Stage for Execution {
    fn step(&mut self, event: &Event, out: &mut Out) {
        match event.body() {
            Body::Signal(signal) => self.signal(event, &signal, out),
            Body::Flatten(exit) => self.signal(event, &levels::signal(&exit), out),
            Body::Decision(decision) => self.decision(event, &decision, out),
            Body::SignalTerms(terms) => self.terms = Some(terms),
            Body::OrderDone(done) => self.ended(event, &done, out),
            Body::CancelAll(all) => {
                let (instrument, strategy) = (event.instrument, all.strategy);
                let halted = all.code == Code::from(Reject::LevelHalt);
                let reason = if halted { CancelReason::Level } else { CancelReason::Latch };
                self.cancel(event, reason, out, |order| {
                    (instrument == NO_INSTRUMENT || order.instrument == instrument)
                        && (strategy == ALL_STRATEGIES || order.strategy == strategy)
                });
                if halted {
                    self.cancel_stops(event, reason, out);
                }
            }
            Body::Wake(wake) => {
                self.risk_due = Some(wake.due);
                self.set_alarm(event, out);
            }
            // Feed is told what the kill switch has reached: who asked waits for that.
            Body::Settled(_) | Body::Liquidate(_) | Body::LevelStep(_) | Body::ClearStep(_) => {
                out.push(*event);
            }
            Body::Timer(_) => self.timer(event, out),
            Body::SessionEnd(_) => self.close(event, out),
            Body::Trade(_)
            | Body::Quote(_)
            | Body::BookLevel(_)
            | Body::BookClear(_)
            | Body::Bar(_)
            | Body::BarExtra(_)
            | Body::FeedState(_)
            | Body::BadInput(_)
            | Body::DayRoll(_)
            | Body::SessionStart(_)
            | Body::AccountOpened(_)
            | Body::MarkPrice(_)
            | Body::Funding(_)
            | Body::FxRate(_)
            | Body::CashFlow(_)
            | Body::Command(_)
            | Body::LatchCleared(_)
            | Body::Note(_)
            | Body::OrderAck(_)
            | Body::Fill(_)
            | Body::DecisionRules(_)
            | Body::LatchChanged(_)
            | Body::Alert(_)
            | Body::RiskState(_)
            | Body::BalanceChanged(_)
            | Body::PositionChanged(_)
            | Body::Realised(_)
            | Body::OrderAsked(_)
            | Body::OrderIntent(_)
            | Body::CancelIntent(_)
            | Body::OrderSent(_)
            | Body::StopIntent(_)
            | Body::StopSent(_)
            | Body::CancelSent(_) => {}
        }
    }
}

impl Image for Execution {
    fn save(&self, out: &mut ImageWriter) {
        out.put(IMAGE_VERSION);
        out.put(self.decisions);
        out.put(self.closing);
        out.put_option(self.risk_due);
        self.alarm.save(out);
        self.guards.save(out);
        out.put_len(self.working.len());
        for order in &self.working {
            out.put(order.order);
            out.put(order.instrument.0);
            out.put(order.strategy);
            out.put(order.side);
            order.role.save(out);
            out.put(order.expires);
            out.put(order.cancelling);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(IMAGE_VERSION)?;
        self.pending = None;
        self.decisions = from.take()?;
        self.closing = from.take()?;
        self.risk_due = from.take_option()?;
        self.alarm.load(from)?;
        self.terms = None;
        self.guards.load(from)?;
        self.working.clear();
        for _ in 0..from.take_len(OPEN_ORDERS_MAX)? {
            self.working.push(Working {
                order: from.take()?,
                instrument: InstrumentId(from.take()?),
                strategy: from.take()?,
                side: from.take()?,
                role: Role::load(from)?,
                expires: from.take()?,
                cancelling: from.take()?,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
