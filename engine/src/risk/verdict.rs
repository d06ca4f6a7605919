//! The verdict on one order: latches, caps, checks, then the engine's own.
//!
//! The phases run in that order; a refusal for certain ends them with its phase, and all that spoke
//! until then are recorded. The code shown is the first by: known before unknown, kind of rule,
//! block name, order in the file. A cap that leaves less than the venue's minimum refuses under its
//! own code, before the checks run.

use dsl::evaluate::{CapBound, Input, Outcome, Part};
use dsl::schema::Field;
use dsl::typed::{Effect, Measure};
use model::event::{Decision, DecisionRules, Event, Signal};
use model::id::{InstrumentId, OrderNo};
use model::instrument::{Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, mul_div, pow10};
use model::order::{Action, Cause, Verdict};
use model::reject::{Code, Reject};
use model::time::Nanos;

use super::Risk;
use super::facts::{OrderView, RiskFacts};
use super::given::Given;
use super::latch::Standing;
use super::loss;
use super::rate::{Against, Rates, Whose};
use crate::levels::{self, REDUCE, RUN};
use crate::limits::OPEN_ORDERS_MAX;
use crate::market::Market;
use crate::portfolio::open::OpenOrder;
use crate::portfolio::{Portfolio, View, at, price_at_mark_scale};
use crate::stage::Out;

/// A reason to refuse, in the order of precedence of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refusal {
    unknown: bool,
    kind: u8,
    block: usize,
    code: Code,
    cause: Cause,
    values: (i64, i64),
}

/// Rank of a kind of rule in the primary code.
const RANK_HALT: u8 = 0;
const RANK_REDUCE_ONLY: u8 = 1;
const RANK_CAP: u8 = 2;
const RANK_CHECK: u8 = 3;
const RANK_COOLDOWN: u8 = 4;
const RANK_THROTTLE: u8 = 5;
const RANK_BUILT_IN: u8 = 6;

/// What is found while an order passes through the phases.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) order: OrderView,
    asked: Qty,
    first: Option<Refusal>,
    spoke: [u64; 4],
    /// The smallest cap that cut the order.
    cut: Option<Refusal>,
}

impl Judgement {
    fn refuse(&mut self, refusal: Refusal) {
        self.speak(refusal.code);
        if self.first.is_none_or(|first| refusal < first) {
            self.first = Some(refusal);
        }
    }

    /// Adds a rule to the set of those that spoke.
    fn speak(&mut self, code: Code) {
        let Some(index) = code.rule_index() else { return };
        if let Some(word) = self.spoke.get_mut(usize::from(index >> 6)) {
            *word |= 1 << (index & 63);
        }
    }

    fn refused_for_certain(&self) -> bool {
        self.first.is_some_and(|refusal| !refusal.unknown)
    }
}

impl<G: Given> Risk<G> {
    /// Judges a signal and writes the verdict; an approved order counts from here on.
    /// `stop` is where its loss is to be cut, `refused` why its size is not known.
    pub(super) fn judge(
        &mut self,
        event: &Event,
        signal: &Signal,
        (stop, refused): (Option<Price>, Option<Reject>),
        out: &mut Out,
    ) {
        let id = event.instrument;
        self.changed(event, out);
        let Some(mut judgement) = self.begin(event, signal) else { return };
        judgement.order.stop = stop;
        if let Some(reject) = refused {
            let values = self.built_in_values(reject, id, signal, &judgement);
            judgement.refuse(built_in(reject, values));
        }
        let OrderView { is_engine, open, .. } = judgement.order;
        let level = self.outside.level(id);
        if let Some(reject) = levels::refuses(level, open.reduces, is_engine) {
            judgement.refuse(by_level(reject, level));
        }
        // The engine's own exits skip latches, cooldowns and throttles, and nothing else.
        if !is_engine {
            self.judge_latches(id, &mut judgement);
        }
        if !judgement.refused_for_certain() {
            self.judge_caps(id, &mut judgement);
        }
        if !judgement.refused_for_certain() {
            self.judge_checks(id, &mut judgement);
        }
        if !is_engine && self.memories.any() && !judgement.refused_for_certain() {
            self.judge_rates(id, &mut judgement);
        }
        let mut locks = None;
        if judgement.first.is_none() {
            match self.judge_built_in(id, signal, &judgement) {
                Ok(found) => locks = Some(found),
                Err(reject) => {
                    let values = self.built_in_values(reject, id, signal, &judgement);
                    judgement.refuse(built_in(reject, values));
                }
            }
        }
        if let (None, Some((asset, amount, fee))) = (judgement.first, locks) {
            let open = judgement.order.open;
            if self.portfolio.approve(open, (asset, amount), fee) {
                if is_engine {
                    self.outside.levels.opened(open.order);
                }
                self.decide(event, signal, &judgement, out);
                if self.portfolio.balances().locked(self.portfolio.account(id), asset).0 != 0 {
                    self.balance_changed(event, self.portfolio.account(id), asset, out);
                }
                if self.memories.any() {
                    self.approved(event, &judgement.order, out);
                }
                return;
            }
            let values = self.built_in_values(Reject::TooManyOpen, id, signal, &judgement);
            judgement.refuse(built_in(Reject::TooManyOpen, values));
        }
        self.decide(event, signal, &judgement, out);
    }

    pub(super) fn begin(&self, event: &Event, signal: &Signal) -> Option<Judgement> {
        let id = event.instrument;
        let instrument = at(&self.instruments, id)?;
        let market = at(&self.markets, id)?;
        let asked = instrument.floor_lot(i128::from(signal.qty.0));
        let open = OpenOrder {
            order: OrderNo::new(event.seq, signal.ordinal),
            instrument: id,
            strategy: signal.strategy,
            side: signal.side,
            price: signal.price,
            ..OpenOrder::default()
        };
        let order = OrderView {
            open,
            price: signal.priced.then_some(signal.price),
            closes: false,
            protected: signal.protected,
            crosses: self.portfolio.open().crosses(id, signal.side, signal.price),
            stop: None,
            tif: signal.tif,
            ttl_ns: signal.ttl_ns,
            is_engine: signal.action == Action::Flatten,
        };
        let view = self.view();
        let order = sized(order, asked, &self.portfolio, &view, instrument, market);
        Some(Judgement { order, asked, first: None, spoke: [0; 4], cut: None })
    }

    fn judge_latches(&self, id: InstrumentId, judgement: &mut Judgement) {
        let reduces = judgement.order.open.reduces;
        let strategy = judgement.order.open.strategy;
        for (nth, slot) in self.latches.slots().iter().enumerate() {
            if slot.effect == Effect::Warn || !slot.applies_to(strategy) {
                continue;
            }
            let (unknown, cause) = match self.latches.standing(nth, id, &self.blocks) {
                Standing::Clear => continue,
                Standing::Acts => (false, Cause::Known),
                Standing::Unknown(cause) => (true, cause),
            };
            // A latched halt refuses exits too; an unknown one does not trap a position.
            if reduces && (unknown || slot.effect == Effect::ReduceOnly) {
                continue;
            }
            judgement.refuse(Refusal {
                unknown,
                kind: match slot.effect {
                    Effect::Halt => RANK_HALT,
                    Effect::ReduceOnly | Effect::Warn => RANK_REDUCE_ONLY,
                },
                block: slot.block,
                code: slot.code,
                cause,
                values: self.latches.values(nth, &self.blocks).unwrap_or_default(),
            });
        }
    }

    /// Runs the caps: the order's quantity becomes the smallest that they leave.
    pub(super) fn judge_caps(&mut self, id: InstrumentId, judgement: &mut Judgement) {
        let Self { blocks, portfolio, instruments, markets, memories, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let (Some(instrument), Some(market)) = (at(instruments, id), at(markets, id)) else {
            return;
        };
        let order = judgement.order;
        let world = (&*portfolio, view, &*outside);
        let mut facts = RiskFacts::new(world, (id, instrument, market), Some(&order));
        let mut smallest: Option<(Qty, Refusal)> = None;
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        for (block, registers) in blocks.get_mut(index).into_iter().flatten() {
            if !applies(block, judgement) {
                continue;
            }
            facts.memory = memories.of(block.block);
            block.code.run_caps(&facts, registers);
            for (nth, cap) in block.code.caps().iter().enumerate() {
                let offset = block.code.latches().len().saturating_add(nth);
                let mut refusal = Refusal {
                    unknown: false,
                    kind: RANK_CAP,
                    block: block.block,
                    code: rule_code(block.rule_base, offset),
                    cause: Cause::Known,
                    values: (0, 0),
                };
                let bound = match block.code.cap(nth, registers) {
                    CapBound::Exempt => continue,
                    CapBound::Bound(bound) => bound,
                    CapBound::Unknown(_) if order.open.reduces => continue,
                    CapBound::Unknown(cause) => {
                        refusal.unknown = true;
                        refusal.cause = cause;
                        judgement.refuse(refusal);
                        continue;
                    }
                };
                let quoted = in_quote(cap.measure, bound, id, portfolio, &view);
                let found = quoted.and_then(|quoted| {
                    largest(cap.measure, quoted, &order, instrument, market, &view)
                });
                match found {
                    Some((qty, observed)) => {
                        let observed = reported(cap.measure, observed, id, portfolio, &view);
                        refusal.values = (observed, Money(bound).saturating_i64());
                        let better =
                            smallest.is_none_or(|(least, seen)| (qty, refusal) < (least, seen));
                        if qty < judgement.asked && better {
                            smallest = Some((qty, refusal));
                        }
                    }
                    None if order.open.reduces => {}
                    None => {
                        refusal.unknown = true;
                        refusal.cause = Cause::Missing;
                        judgement.refuse(refusal);
                    }
                }
            }
        }
        if let Some(smallest) = smallest {
            cut_to(smallest, judgement, portfolio, &view, (instrument, market));
        }
    }

    /// Runs denies and requires on the final quantity. One that would have passed on the quantity
    /// asked for is told under the cap's code.
    fn judge_checks(&mut self, id: InstrumentId, judgement: &mut Judgement) {
        let Self { blocks, portfolio, instruments, markets, memories, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let (Some(instrument), Some(market)) = (at(instruments, id), at(markets, id)) else {
            return;
        };
        let order = judgement.order;
        let uncut = sized(order, judgement.asked, portfolio, &view, instrument, market);
        let world = (&*portfolio, view, &*outside);
        let mut facts = RiskFacts::new(world, (id, instrument, market), Some(&order));
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        for (block, registers) in blocks.get_mut(index).into_iter().flatten() {
            if !applies(block, judgement) {
                continue;
            }
            facts.memory = memories.of(block.block);
            let whole = RiskFacts { order: Some(&uncut), ..facts };
            block.code.run_checks(&facts, registers);
            let base = block.code.latches().len().saturating_add(block.code.caps().len());
            for nth in 0..block.code.checks() {
                let Outcome::Refuse(cause) = block.code.check(nth, registers) else { continue };
                let mut refusal = Refusal {
                    unknown: cause != Cause::Known,
                    kind: RANK_CHECK,
                    block: block.block,
                    code: rule_code(block.rule_base, base.saturating_add(nth)),
                    cause,
                    values: block.code.check_values(nth, registers).unwrap_or_default(),
                };
                if let Some(cut) = judgement.cut {
                    judgement.speak(refusal.code);
                    block.code.run_checks(&whole, registers);
                    if block.code.check(nth, registers) == Outcome::Pass {
                        refusal = cut;
                    }
                    block.code.run_checks(&facts, registers);
                }
                judgement.refuse(refusal);
            }
        }
    }

    /// Runs cooldowns and throttles. Nothing is counted yet: only an order that has passed
    /// everything is.
    fn judge_rates(&mut self, id: InstrumentId, judgement: &mut Judgement) {
        let Self { blocks, portfolio, instruments, markets, memories, outside, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let (Some(instrument), Some(market)) = (at(instruments, id), at(markets, id)) else {
            return;
        };
        let order = judgement.order;
        let whose = Whose { instrument: id, strategy: order.open.strategy, side: order.open.side };
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        for (block, registers) in blocks.get_mut(index).into_iter().flatten() {
            let code = &block.code;
            let has_rates = !code.cooldowns().is_empty() || !code.throttles().is_empty();
            let Some((rates, keys)) = memories.rates(block.block).filter(|_| has_rates) else {
                continue;
            };
            if !applies(block, judgement) {
                continue;
            }
            let world = (&*portfolio, view, &*outside);
            let mut facts = RiskFacts::new(world, (id, instrument, market), Some(&order));
            facts.memory = memories.of(block.block);
            code.run_rates(&facts, registers);
            let before = code.latches().len().saturating_add(code.caps().len());
            let base = before.saturating_add(code.checks());
            let refusal = |kind, offset, against: Against| Refusal {
                unknown: against.cause != Cause::Known,
                kind,
                block: block.block,
                code: rule_code(block.rule_base, offset),
                cause: against.cause,
                values: against.values,
            };
            for (nth, cooldown) in code.cooldowns().iter().enumerate() {
                let (length, exempt) = code.cooldown(nth, registers);
                let key = Rates::key(cooldown.by, keys, &whose);
                let against = rates.cooling(nth, length, key, view.now).filter(|_| !exempt);
                if let Some(against) = against {
                    judgement.refuse(refusal(RANK_COOLDOWN, base.saturating_add(nth), against));
                }
            }
            let base = base.saturating_add(code.cooldowns().len());
            for (nth, throttle) in code.throttles().iter().enumerate() {
                let limit = code.throttle(nth, registers);
                let key = Rates::key(throttle.by, keys, &whose);
                if let Some(against) = rates.throttled(nth, throttle.flow, &limit, key, view.now) {
                    judgement.refuse(refusal(RANK_THROTTLE, base.saturating_add(nth), against));
                }
            }
        }
    }

    /// The engine's own checks, whatever the rules say. Returns what approval locks and the fee
    /// that it holds.
    fn judge_built_in(
        &self,
        id: InstrumentId,
        signal: &Signal,
        judgement: &Judgement,
    ) -> Result<(model::id::AssetId, Money, Money), Reject> {
        let order = &judgement.order;
        let open = &order.open;
        let instrument = at(&self.instruments, id).ok_or(Reject::NoPrice)?;
        if self.closing {
            return Err(Reject::Closing);
        }
        if self.unbooked {
            return Err(Reject::Unbooked);
        }
        if order.price.is_none() || signal.price.0 <= 0 {
            return Err(Reject::NoPrice);
        }
        if signal.price.0.checked_rem(instrument.tick.0) != Some(0) {
            return Err(Reject::OffTick);
        }
        if open.remaining.0.checked_rem(instrument.lot.0) != Some(0) {
            return Err(Reject::OffLot);
        }
        if let Some(reject) = below_minimum(open.remaining, order, instrument) {
            return Err(reject);
        }
        if open.remaining > instrument.qty_max {
            return Err(Reject::AboveMaxQty);
        }
        if !open.reduces {
            self.may_increase(open)?;
        }
        self.recheck_caps(id, judgement)?;
        let view = self.view();
        let account = self.portfolio.account(id);
        let market = at(&self.markets, id).ok_or(Reject::NoPrice)?;
        let (asset, amount) = self.portfolio.locks(open, &view).ok_or(Reject::NoPrice)?;
        // A test may state what is free.
        let input = Input { field: Field::AccountFree, part: Part::Whole, asset: Some(asset) };
        let free = match self.outside.given.read(&input, id) {
            Some(stated) => stated.number().map(Money),
            None => self.portfolio.free(account, asset, &view),
        };
        let free = match free {
            Some(free) => free,
            None if open.reduces => amount,
            None => return Err(Reject::NoPrice),
        };
        if amount > free {
            return Err(Reject::NoBalance);
        }
        let fee = match (instrument.kind, open.reduces, market.mark(self.now)) {
            (Kind::LinearPerpetual, false, Some(mark)) => open
                .value(instrument, mark)
                .and_then(|value| value.times_rate(instrument.fee_taker, Rounding::Ceil))
                .ok_or(Reject::Overflow)?,
            _ => Money::ZERO,
        };
        Ok((asset, amount, fee))
    }

    /// What stands in the way of all that increases: figures that are not known, what the venue had
    /// to close, the instrument's leverage.
    fn may_increase(&self, open: &OpenOrder) -> Result<(), Reject> {
        if self.liquidated {
            return Err(Reject::Liquidated);
        }
        if self.doubtful {
            return Err(Reject::Doubtful);
        }
        if self.portfolio.measures().equity().is_none() {
            return Err(Reject::Warmup);
        }
        // Without a mark nothing says what the order would be worth, or cost.
        let market = at(&self.markets, open.instrument).ok_or(Reject::NoPrice)?;
        market.mark(self.now).ok_or(Reject::NoPrice)?;
        match self.portfolio.over_leverage(open, &self.view()) {
            Some(false) => Ok(()),
            Some(true) => Err(Reject::Leverage),
            None => Err(Reject::NoPrice),
        }
    }

    /// Returns what one of the engine's own checks observed and its limit, in the unit of what it
    /// compares; zeros where it compares nothing.
    fn built_in_values(
        &self,
        reject: Reject,
        id: InstrumentId,
        signal: &Signal,
        judgement: &Judgement,
    ) -> (i64, i64) {
        let Some(instrument) = at(&self.instruments, id) else { return (0, 0) };
        let open = &judgement.order.open;
        match reject {
            Reject::OffTick => (signal.price.0, instrument.tick.0),
            Reject::OffLot => (open.remaining.0, instrument.lot.0),
            Reject::BelowMinQty => (open.remaining.0, instrument.qty_min.0),
            Reject::AboveMaxQty => (open.remaining.0, instrument.qty_max.0),
            Reject::BelowMinNotional => {
                let value = instrument.notional(
                    i128::from(open.price.0),
                    instrument.price_scale.decimals(),
                    i128::from(open.remaining.0),
                    Rounding::Floor,
                );
                let value = value.map_or(0, Money::saturating_i64);
                (value, instrument.notional_min.saturating_i64())
            }
            Reject::NoBalance => {
                let view = self.view();
                let locks = self.portfolio.locks(open, &view);
                let free = locks.and_then(|(asset, _)| {
                    self.portfolio.free(self.portfolio.account(id), asset, &view)
                });
                let amount = locks.map_or(0, |(_, amount)| amount.saturating_i64());
                (amount, free.map_or(0, Money::saturating_i64))
            }
            Reject::TooManyOpen => {
                let most = i64::try_from(OPEN_ORDERS_MAX).unwrap_or(i64::MAX);
                (most.saturating_add(1), most)
            }
            Reject::LevelReduce | Reject::LevelHalt => {
                by_level(reject, self.outside.level(id)).values
            }
            Reject::NoPrice
            | Reject::Warmup
            | Reject::CapRecheck
            | Reject::Overflow
            | Reject::Closing
            | Reject::PostOnly
            | Reject::ReduceOnly
            | Reject::Leverage
            | Reject::Liquidated
            | Reject::Doubtful
            | Reject::NoCapital
            | Reject::Unbooked => (0, 0),
        }
    }

    /// Verifies every cap by multiplication: the final quantity must be within it.
    pub(super) fn recheck_caps(
        &self,
        id: InstrumentId,
        judgement: &Judgement,
    ) -> Result<(), Reject> {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        let market = at(&self.markets, id).ok_or(Reject::NoPrice)?;
        let instrument = at(&self.instruments, id).ok_or(Reject::NoPrice)?;
        for (block, registers) in self.blocks.get(index).into_iter().flatten() {
            if !applies(block, judgement) {
                continue;
            }
            for (nth, cap) in block.code.caps().iter().enumerate() {
                let CapBound::Bound(bound) = block.code.cap(nth, registers) else { continue };
                let open = &judgement.order.open;
                let view = self.view();
                let bound = match in_quote(cap.measure, bound, id, &self.portfolio, &view) {
                    Some(bound) => bound,
                    None if open.reduces => continue,
                    None => return Err(Reject::NoPrice),
                };
                let measured = match cap.measure {
                    Measure::Qty => Some(i128::from(open.remaining.0)),
                    Measure::Notional | Measure::Value => {
                        let mark = mark_for(open, market, self.now).ok_or(Reject::NoPrice)?;
                        open.value(instrument, mark).map(|value| value.0)
                    }
                    Measure::Risk => {
                        let order = &judgement.order;
                        let known = order.price.zip(order.stop);
                        let loss = known.and_then(|(price, stop)| {
                            loss::loss(open.remaining, price, stop, instrument)
                        });
                        loss.map(|loss| loss.0)
                    }
                };
                if measured.is_none_or(|measured| measured > bound) {
                    return Err(Reject::CapRecheck);
                }
            }
        }
        Ok(())
    }

    fn decide(&self, event: &Event, signal: &Signal, judgement: &Judgement, out: &mut Out) {
        let open = &judgement.order.open;
        let shown = judgement.first.or(judgement.cut);
        let (verdict, qty) = match judgement.first {
            None => (Verdict::Approve, open.remaining),
            Some(_) => (Verdict::Deny, Qty(0)),
        };
        let (observed, limit) = shown.map(|refusal| refusal.values).unwrap_or_default();
        let decision = Decision {
            qty,
            observed,
            limit,
            strategy: signal.strategy,
            ordinal: signal.ordinal,
            code: shown.map_or(Code::NONE, |refusal| refusal.code),
            verdict,
            cause: shown.map_or(Cause::Known, |refusal| refusal.cause),
            reduces: open.reduces,
        };
        let [rules_0, rules_1, rules_2, rules_3] = judgement.spoke;
        let rules = DecisionRules { rules_0, rules_1, rules_2, rules_3, program: self.program };
        Self::emit(event, event.instrument, &decision, out);
        Self::emit(event, event.instrument, &rules, out);
    }
}

/// Cuts an order to what the smallest cap leaves; what is too little for the venue is refused.
fn cut_to(
    (qty, refusal): (Qty, Refusal),
    judgement: &mut Judgement,
    portfolio: &Portfolio,
    view: &View<'_>,
    (instrument, market): (&Instrument, &Market),
) {
    let cut = sized(judgement.order, qty, portfolio, view, instrument, market);
    judgement.cut = Some(refusal);
    judgement.speak(refusal.code);
    if below_minimum(qty, &cut, instrument).is_some() {
        // What is refused is the order as it was asked: a quantity of nothing would reduce.
        judgement.refuse(refusal);
    } else {
        judgement.order = cut;
    }
}

fn built_in(reject: Reject, values: (i64, i64)) -> Refusal {
    Refusal {
        unknown: false,
        kind: RANK_BUILT_IN,
        block: usize::MAX,
        code: Code::from(reject),
        cause: Cause::Known,
        values,
    }
}

/// The level comes before every rule but those that read it: they say more. Observed is the level,
/// the limit the highest at which the order would pass.
fn by_level(reject: Reject, level: u8) -> Refusal {
    let halts = reject == Reject::LevelHalt;
    let (kind, most) = if halts { (RANK_HALT, REDUCE) } else { (RANK_REDUCE_ONLY, RUN) };
    Refusal { kind, ..built_in(reject, (i64::from(level), i64::from(most))) }
}

fn rule_code(base: u16, offset: usize) -> Code {
    Code::rule(base.saturating_add(u16::try_from(offset).unwrap_or(u16::MAX)))
}

fn applies(block: &crate::program::BoundRisk, judgement: &Judgement) -> bool {
    let strategy = judgement.order.open.strategy;
    block.strategies.as_ref().is_none_or(|names| names.contains(&strategy))
}

/// Returns an order at a quantity, with what depends on that.
fn sized(
    order: OrderView,
    qty: Qty,
    portfolio: &Portfolio,
    view: &View<'_>,
    facts: &Instrument,
    market: &Market,
) -> OrderView {
    let OpenOrder { instrument, side, .. } = order.open;
    let reduces = portfolio.reduces(instrument, side, qty, view.instruments);
    let held = portfolio.position(instrument).qty;
    let closes = reduces && closes(held, qty, facts, market);
    OrderView { open: OpenOrder { remaining: qty, reduces, ..order.open }, closes, ..order }
}

/// Tells whether a reducing order leaves less than a lot, or dust at the last mark ever seen.
fn closes(held: Money, qty: Qty, facts: &Instrument, market: &Market) -> bool {
    let sold = facts.qty_as_money(qty).map_or(0, |amount| amount.0);
    let left = held.0.saturating_abs().saturating_sub(sold);
    let lot = facts.qty_as_money(facts.lot).map_or(0, |amount| amount.0);
    if left < lot {
        return true;
    }
    let one = pow10(facts.mark_decimals()).unwrap_or(1);
    let value = market.last_mark().and_then(|mark| mul_div(left, mark, one, Rounding::Ceil));
    value.is_some_and(|value| value < facts.notional_min.0)
}

/// Returns the largest quantity within a cap's bound, and what the cap measures of the order as
/// asked; `None` when the measure is unknown.
fn largest(
    measure: Measure,
    bound: i128,
    order: &OrderView,
    instrument: &Instrument,
    market: &Market,
    view: &View<'_>,
) -> Option<(Qty, i64)> {
    let open = &order.open;
    if measure == Measure::Qty {
        return Some((instrument.floor_lot(bound), open.remaining.0));
    }
    if measure == Measure::Risk {
        let (price, stop) = order.price.zip(order.stop)?;
        let observed = loss::loss(open.remaining, price, stop, instrument)?.saturating_i64();
        return Some((loss::largest(bound, price, stop, instrument)?, observed));
    }
    let mark = mark_for(open, market, view.now)?;
    order.price?;
    let price = price_at_mark_scale(open.price).max(mark);
    let decimals = instrument.mark_decimals().checked_add(instrument.qty_scale.decimals())?;
    // qty = bound / price, with bound at 1e-9 and price at the mark's scale.
    let qty =
        mul_div(bound, pow10(decimals)?, price.checked_mul(pow10(MONEY_SCALE)?)?, Rounding::Floor)?;
    let observed = open.value(instrument, mark)?.saturating_i64();
    Some((instrument.floor_lot(qty), observed))
}

/// Returns a cap's bound in the instrument's quote asset, in which its orders are measured; `None`
/// while the rate is unknown.
fn in_quote(
    measure: Measure,
    bound: i128,
    id: InstrumentId,
    portfolio: &Portfolio,
    view: &View<'_>,
) -> Option<i128> {
    match measure {
        Measure::Qty | Measure::Notional => Some(bound),
        Measure::Value | Measure::Risk => portfolio.bound_in_quote(id, bound, view),
    }
}

/// Returns what a cap measured in the unit of its bound, to be shown.
fn reported(
    measure: Measure,
    observed: i64,
    id: InstrumentId,
    portfolio: &Portfolio,
    view: &View<'_>,
) -> i64 {
    let amount = Money(i128::from(observed));
    match measure {
        Measure::Qty | Measure::Notional => observed,
        Measure::Value | Measure::Risk => {
            portfolio.in_reporting(id, amount, view).unwrap_or(amount).saturating_i64()
        }
    }
}

/// Returns the mark that an order is valued at; the price of one that reduces stands in for a mark
/// that is unknown.
fn mark_for(open: &OpenOrder, market: &Market, now: Nanos) -> Option<i128> {
    market.mark(now).or_else(|| open.reduces.then(|| price_at_mark_scale(open.price)))
}

/// Returns why a quantity is below what the venue takes; venues take any reducing quantity of a
/// perpetual.
fn below_minimum(qty: Qty, order: &OrderView, instrument: &Instrument) -> Option<Reject> {
    if qty < instrument.qty_min || qty.0 <= 0 {
        return Some(Reject::BelowMinQty);
    }
    let exempt = instrument.kind == Kind::LinearPerpetual && order.open.reduces;
    let value = instrument.notional(
        i128::from(order.open.price.0),
        instrument.price_scale.decimals(),
        i128::from(qty.0),
        Rounding::Floor,
    );
    let enough = value.is_some_and(|value| value >= instrument.notional_min);
    (!enough && !exempt).then_some(Reject::BelowMinNotional)
}
