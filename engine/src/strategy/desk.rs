//! Where signals are made: entries, the exit target and the order that works for it.
//!
//! `enter` opens from flat. `exit` is a target of flat, or of a part less, that is worked until it
//! is reached, one order at a time: its order waits for the end of what would trade against it, and
//! what a cap or the market left of it is worked on again.

use dsl::evaluate::{OrderTerms, SizeTerms};
use dsl::value::Value;
use model::event::{Event, Payload, Signal, SignalTerms};
use model::id::OrderNo;
use model::instrument::{Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, mul_div, pow10};
use model::order::{Action, Side, SizeKind, TimeInForce};

use super::instance::{Entry, ExitTarget, Instance};
use crate::market::Market;
use crate::stage::Out;

/// What sending a signal needs.
pub(super) struct Desk<'a> {
    pub(super) instrument: &'a Instrument,
    pub(super) market: &'a Market,
    pub(super) event: &'a Event,
    pub(super) ordinal: &'a mut u16,
    pub(super) out: &'a mut Out,
}

impl Desk<'_> {
    /// Sends a signal, what it says beyond its fields in front of it.
    pub(super) fn send(&mut self, signal: Signal, terms: Option<SignalTerms>) -> OrderNo {
        let order = OrderNo::new(self.event.seq, *self.ordinal);
        *self.ordinal = self.ordinal.saturating_add(1);
        let ordinal = order.ordinal();
        if let Some(terms) = terms {
            self.tell(&SignalTerms { ordinal, ..terms });
        }
        self.tell(&Signal { ordinal, ..signal });
        order
    }

    pub(super) fn tell<P: Payload>(&mut self, payload: &P) {
        let Event { seq, ts, instrument, .. } = *self.event;
        self.out.push(Event::new(seq, ts, instrument, payload));
    }

    /// Opens from flat. An opposite position is closed first.
    pub(super) fn enter(&mut self, instance: &mut Instance, rule: usize) -> bool {
        let Some(code) = instance.code.rules().get(rule) else { return false };
        let (long, short_needs_margin) = (code.long, code.where_shortable);
        let side = if long { Side::Buy } else { Side::Sell };
        let cash = self.instrument.kind == Kind::Spot;
        if instance.enter.is_some() || (cash && !long && short_needs_margin) {
            return false;
        }
        let flat = instance.is_flat(self.instrument, self.market);
        let held_long = instance.ledger.qty.0 > 0;
        let terms = instance.code.order(rule, side, &instance.registers);
        // A weight is a target: its order is the difference to what is held, either way.
        let target = matches!(terms.size, Some(SizeTerms::Weight(_)));
        if !flat && held_long == long && !target {
            return false;
        }
        let Some(mut signal) = self.terms(instance, rule, side, &terms) else { return false };
        let Some(qty) = self.size(&terms, &signal) else { return false };
        let Ok(more) = more_terms(instance, &terms) else { return false };
        if flat || target {
            self.give_up_exit(instance);
        } else if instance.exit.is_none_or(|exit| exit.is_done()) {
            self.aim(instance, ExitTarget::at_market(rule, side.opposite()));
        }
        signal.qty = qty;
        signal.action = Action::Enter;
        instance.enter = Some(Entry { order: self.send(signal, more), side, withdrawn: false });
        true
    }

    /// Makes flat the target, or changes the price of the working exit.
    pub(super) fn exit(&mut self, instance: &mut Instance, rule: usize) -> bool {
        let Some(code) = instance.code.rules().get(rule) else { return false };
        let long = code.long;
        let closes = if long { Side::Buy } else { Side::Sell };
        // What would still open what this rule closes goes first, also while nothing is held yet.
        // Its cancel is on its way, and until then it may fill: the target waits for its end.
        let opens = instance.enter.filter(|entry| entry.side == closes);
        let withdrawn = opens.is_some_and(|entry| !entry.withdrawn);
        if withdrawn {
            self.withdraw_entry(instance);
        }
        let flat = instance.is_flat(self.instrument, self.market);
        let held = !flat && (instance.ledger.qty.0 > 0) == long;
        if !held && opens.is_none() {
            return false;
        }
        if held {
            self.withdraw_legs(instance, Some(closes));
        }
        if let Some(working) = instance.exit.as_mut().filter(|exit| !exit.is_done())
            && working.closes.is_some_and(|side| side != closes)
        {
            // The other side is being closed: what is held in the end is closed too.
            working.closes = None;
            return withdrawn;
        }
        let side = closes.opposite();
        let terms = instance.code.order(rule, side, &instance.registers);
        let Some(signal) = self.terms(instance, rule, side, &terms) else { return withdrawn };
        if let Some(working) = instance.exit.as_mut().filter(|exit| !exit.is_done()) {
            let moved = working.price.is_some() && terms.price.is_some();
            if working.order.is_some() && moved && working.price != Some(signal.price) {
                working.price = Some(signal.price);
                self.cancel(instance, Action::CancelExit);
                return true;
            }
            return withdrawn;
        }
        let left = match terms.size {
            None => None,
            Some(_) => match self.size(&terms, &signal) {
                Some(qty) => Some(qty),
                None => return withdrawn,
            },
        };
        let limit = terms.price.is_some().then_some(signal.price);
        let target = ExitTarget {
            rule: u16::try_from(rule).unwrap_or(u16::MAX),
            price: limit,
            protect: terms.protect.and_then(|band| band.number()),
            ttl_ns: signal.ttl_ns,
            tif: signal.tif,
            closes: Some(closes),
            left,
            order: None,
            due: false,
        };
        if instance.enter.is_some_and(|entry| !entry.withdrawn) {
            self.withdraw_entry(instance);
        }
        self.aim(instance, target);
        true
    }

    /// Cancels the working entry, once.
    pub(super) fn withdraw_entry(&mut self, instance: &mut Instance) {
        self.cancel(instance, Action::CancelEntries);
        if let Some(entry) = &mut instance.enter {
            entry.withdrawn = true;
        }
    }

    /// Sets a new exit target. Its order waits for the end of the one that still works.
    fn aim(&mut self, instance: &mut Instance, target: ExitTarget) {
        let order = instance.exit.and_then(|exit| exit.order);
        instance.exit = Some(ExitTarget { order, ..target });
        if order.is_none() {
            self.work_exit(instance);
        }
    }

    /// The strategy enters again: the exit target is gone. An order that still works for it (what
    /// was left is dust) is cancelled, and is the strategy's own until its end: it may fill.
    fn give_up_exit(&mut self, instance: &mut Instance) {
        match &mut instance.exit {
            Some(exit) if exit.order.is_some() => {
                exit.left = Some(Qty(0));
                self.cancel(instance, Action::CancelExit);
            }
            _ => instance.exit = None,
        }
    }

    fn cancel(&mut self, instance: &Instance, action: Action) {
        self.tell(&Signal { strategy: instance.strategy, action, ..Signal::default() });
    }

    /// `cancel`: withdraws the entry and all quotes. An exit works on: nobody is trapped.
    pub(super) fn withdraw_all(&mut self, instance: &mut Instance) {
        if instance.enter.is_some_and(|entry| !entry.withdrawn) {
            self.withdraw_entry(instance);
        }
        self.withdraw_legs(instance, None);
    }

    /// Sends the order of an exit target for what is left of it.
    pub(super) fn work_exit(&mut self, instance: &mut Instance) {
        let Some(target) = instance.exit else { return };
        let held = if instance.ledger.qty.0 < 0 { Side::Sell } else { Side::Buy };
        let flat = instance.is_flat(self.instrument, self.market);
        // The position has turned since: what the target was meant for is closed.
        if !flat && target.closes.is_some_and(|closes| closes != held) {
            instance.exit = None;
            return;
        }
        // An entry that still adds to the position, or may still open one, goes first: its cancel
        // is on its way, and the exit follows on its end. Both at once would trade with each other.
        let opens = |entry: Entry| if flat { entry.withdrawn } else { entry.side == held };
        if instance.enter.is_some_and(opens) || (!flat && instance.quotes_on(held)) {
            return;
        }
        let whole = instance.closable(self.instrument);
        let qty = target.left.map_or(whole, |left| left.min(whole));
        if flat || qty.0 <= 0 {
            instance.exit = None;
            return;
        }
        let side = held.opposite();
        let at_market = target.price.is_none();
        let price = target.price.or_else(|| {
            let band = target.protect.unwrap_or(i128::from(self.instrument.protect.0));
            let mark = self.market.last_mark();
            self.market.protected_price(self.instrument, side, band, mark)
        });
        let signal = Signal {
            price: price.unwrap_or_default(),
            qty,
            ttl_ns: target.ttl_ns,
            strategy: instance.strategy,
            rule: instance.rule_base.saturating_add(target.rule),
            ordinal: 0,
            action: Action::Exit,
            side,
            tif: if at_market { TimeInForce::Ioc } else { target.tif },
            priced: price.is_some(),
            protected: at_market,
            post_only: false,
        };
        let order = self.send(signal, None);
        if let Some(target) = &mut instance.exit {
            target.order = Some(order);
            target.due = false;
        }
    }

    /// Returns a signal with a rule's price, life and place; `None` when a stated term is unknown.
    fn terms(
        &self,
        instance: &Instance,
        rule: usize,
        side: Side,
        terms: &OrderTerms,
    ) -> Option<Signal> {
        let code = instance.code.rules().get(rule)?;
        let band = match terms.protect {
            Some(band) => band.number()?,
            None => i128::from(self.instrument.protect.0),
        };
        let price = match terms.price {
            Some(price) => Some(Price(i64::try_from(price.number()?).ok()?)),
            None => {
                // An exit is not trapped by a feed that has gone silent: the last mark ever seen
                // prices it. An entry needs one that still stands.
                let mark = if code.exit {
                    self.market.last_mark()
                } else {
                    self.market.mark(self.event.ts)
                };
                self.market.protected_price(self.instrument, side, band, mark)
            }
        };
        let ttl_ns = i64::try_from(terms.ttl_ns.number()?).ok()?;
        // Zero stands for no time to live, so an expression that comes to that asks for nothing.
        if code.has_ttl && ttl_ns <= 0 {
            return None;
        }
        let at_market = terms.price.is_none();
        Some(Signal {
            price: price.unwrap_or_default(),
            qty: Qty(0),
            ttl_ns,
            strategy: instance.strategy,
            rule: instance.rule_base.saturating_add(u16::try_from(rule).unwrap_or(u16::MAX)),
            ordinal: 0,
            action: if code.exit { Action::Exit } else { Action::Enter },
            side,
            tif: if at_market && code.tif == TimeInForce::Gtc {
                TimeInForce::Ioc
            } else {
                code.tif
            },
            priced: price.is_some(),
            protected: at_market,
            post_only: code.post_only,
        })
    }

    /// Returns the quantity a rule asks for, rounded down to the lot; `None` when it is unknown.
    pub(super) fn size(&self, terms: &OrderTerms, signal: &Signal) -> Option<Qty> {
        match terms.size? {
            // Risk finds the quantity: only it knows the capital.
            SizeTerms::Weight(share) | SizeTerms::Risk(share) => share.number().map(|_| Qty(0)),
            SizeTerms::Qty(qty) => Some(self.instrument.floor_lot(qty.number()?)),
            SizeTerms::Money(amount) => {
                let decimals = self
                    .instrument
                    .price_scale
                    .decimals()
                    .checked_add(self.instrument.qty_scale.decimals())?;
                let price = i128::from(signal.price.0).checked_mul(pow10(MONEY_SCALE)?)?;
                let Money(amount) = Money(amount.number()?);
                let qty = mul_div(amount, pow10(decimals)?, price, Rounding::Floor)?;
                Some(self.instrument.floor_lot(qty))
            }
        }
    }
}

/// A stated term is not known.
struct Unknown;

/// Returns what a signal says beyond its fields, if anything.
fn more_terms(instance: &Instance, terms: &OrderTerms) -> Result<Option<SignalTerms>, Unknown> {
    let word =
        |value: Value| value.number().and_then(|number| i64::try_from(number).ok()).ok_or(Unknown);
    let (size, share) = match terms.size {
        Some(SizeTerms::Weight(share)) => (SizeKind::Weight, word(share)?),
        Some(SizeTerms::Risk(share)) => (SizeKind::Risk, word(share)?),
        Some(SizeTerms::Qty(_) | SizeTerms::Money(_)) | None => (SizeKind::Qty, 0),
    };
    let stop = terms.stop.map(word).transpose()?;
    if stop.is_some_and(|stop| stop <= 0) {
        return Err(Unknown);
    }
    let strength = terms.strength.map(word).transpose()?;
    let says_more = size != SizeKind::Qty || stop.is_some() || strength.is_some();
    Ok(says_more.then_some(SignalTerms {
        stop: Price(stop.unwrap_or(0)),
        share,
        strength: strength.unwrap_or(0),
        strategy: instance.strategy,
        ordinal: 0,
        size,
        stopped: stop.is_some(),
        strong: strength.is_some(),
    }))
}
