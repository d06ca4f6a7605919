//! What happens to the accounts beside orders: fills, flows, funding, rates, and a liquidation.
//!
//! What could not be booked makes what is held unknown: an unknown position refuses every order, an
//! unknown payment the increasing ones, until a person has set the balance right.

use model::event::{
    AccountOpened, BadInput, BalanceChanged, CashFlow, Event, Fill, Funding, FxRate, LatchChanged,
    Liquidate, OrderDone, PositionChanged, Realised,
};
use model::id::{AccountId, AssetId, InstrumentId, NO_INSTRUMENT};
use model::num::Money;
use model::order::{AccountKind, DoneReason, FlowReason, InputFault, LatchState, Liquidity};
use model::reject::{Code, Reject};
use model::time::Nanos;

use super::Risk;
use super::given::Given;
use crate::portfolio::{View, as_qty, at};
use crate::stage::Out;

impl<G: Given> Risk<G> {
    /// Equity is first looked at when all accounts are open: at the first day's roll.
    pub(super) fn account_opened(&mut self, event: &Event, opened: &AccountOpened, out: &mut Out) {
        self.portfolio.open_account(opened);
        self.balance_changed(event, opened.account, opened.asset, out);
    }

    pub(super) fn balance_changed(
        &self,
        event: &Event,
        account: AccountId,
        asset: AssetId,
        out: &mut Out,
    ) {
        let balances = self.portfolio.balances();
        let record = BalanceChanged {
            total: balances.total(account, asset),
            locked: balances.locked(account, asset),
            account,
            asset,
        };
        Self::emit(event, NO_INSTRUMENT, &record, out);
    }

    pub(super) fn fill(&mut self, event: &Event, fill: &Fill, out: &mut Out) {
        let id = event.instrument;
        let Self { instruments, markets, portfolio, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let Some(facts) = at(instruments, id) else { return };
        let booked = if fill.liquidity == Liquidity::Liquidation {
            let realised = portfolio.liquidated(id, fill, facts, &view);
            realised.map(|profit| (profit, None))
        } else {
            let outcome = portfolio.fill(id, fill, facts, &view);
            outcome.map(|outcome| (outcome.realised, Some(outcome)))
        };
        let Some((profit, outcome)) = booked else {
            self.lost_count(event, out);
            return;
        };
        let (base, quote) = portfolio.assets(id);
        let account = portfolio.account(id);
        let position = portfolio.position(id);
        let changed =
            PositionChanged { qty: as_qty(position.qty, facts), basis: position.basis, account };
        Self::emit(event, id, &changed, out);
        let fee = Money(i128::from(fill.fee));
        let strategy = outcome.map_or(model::id::ALL_STRATEGIES, |outcome| outcome.strategy);
        let realised = Realised { profit, fee, fee_asset: fill.fee_asset, strategy };
        Self::emit(event, id, &realised, out);
        self.balance_changed(event, account, quote, out);
        let cash = self.portfolio.kind(account) == AccountKind::Cash;
        if cash {
            self.balance_changed(event, account, base, out);
        }
        if fill.fee_asset != quote && !(cash && fill.fee_asset == base) {
            self.balance_changed(event, account, fill.fee_asset, out);
        }
        if let Some(outcome) = outcome.filter(|_| self.memories.any()) {
            self.filled(event, fill, &outcome, out);
        }
        self.changed(event, out);
    }

    pub(super) fn order_done(&mut self, event: &Event, done: &OrderDone, out: &mut Out) {
        if done.order.is_engine() {
            self.exit_ended(event, done);
        }
        if let Some(ended) = self.portfolio.done(done.order) {
            if done.reason == DoneReason::Cancelled {
                self.portfolio.cancelled(ended.strategy);
            }
            if ended.locked != Money::ZERO {
                let account = self.portfolio.account(ended.instrument);
                self.balance_changed(event, account, ended.lock_asset, out);
            }
            if self.memories.any() {
                self.ended(event, done, &ended, out);
            }
            self.changed(event, out);
        }
        self.reach(event, out);
    }

    /// Books money that came or went. One that takes what is not there cannot be true: what is held
    /// is then not known.
    pub(super) fn cash_flow(&mut self, event: &Event, flow: &CashFlow, out: &mut Out) {
        let view = View { instruments: &self.instruments, markets: &self.markets, now: self.now };
        if !self.portfolio.flow(flow, &view) {
            self.doubt(event, true, out);
            return;
        }
        if flow.reason == FlowReason::Adjustment {
            // A person has set right what was not known.
            self.doubt(event, false, out);
        }
        self.balance_changed(event, flow.account, flow.asset, out);
        self.changed(event, out);
    }

    pub(super) fn funding(&mut self, event: &Event, funding: &Funding, out: &mut Out) {
        let id = event.instrument;
        let Self { instruments, markets, portfolio, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let Some(facts) = at(instruments, id) else { return };
        match portfolio.fund(id, funding, facts, &view) {
            None => self.doubt(event, true, out),
            Some(Money::ZERO) => {}
            Some(_) => {
                let (account, quote) = (portfolio.account(id), portfolio.assets(id).1);
                self.balance_changed(event, account, quote, out);
                self.changed(event, out);
            }
        }
    }

    /// A funding of something held that does not say by which mark: what was paid is unknown.
    pub(super) fn bad_input(&mut self, event: &Event, bad: &BadInput, out: &mut Out) {
        let held = !self.portfolio.position(event.instrument).is_flat();
        if bad.fault == InputFault::NoMark && held {
            self.doubt(event, true, out);
        }
    }

    /// A payment is not known any more, or is known again; each is told once.
    fn doubt(&mut self, event: &Event, doubtful: bool, out: &mut Out) {
        if self.doubtful != doubtful {
            self.doubtful = doubtful;
            let state = if doubtful { LatchState::Armed } else { LatchState::Ended };
            Self::tell_built_in(event, Reject::Doubtful, state, out);
        }
    }

    /// A fill could not be booked: from here on nothing is known of what is held, and nothing is
    /// approved. Told once.
    pub(super) fn lost_count(&mut self, event: &Event, out: &mut Out) {
        if !self.unbooked {
            self.unbooked = true;
            Self::tell_built_in(event, Reject::Unbooked, LatchState::Armed, out);
        }
    }

    /// Writes the record of a latch of the engine's own that compares nothing.
    fn tell_built_in(event: &Event, reject: Reject, state: LatchState, out: &mut Out) {
        let code = Code::from(reject);
        let record = LatchChanged { observed: 0, limit: 0, until: Nanos(0), code, state };
        Self::emit(event, NO_INSTRUMENT, &record, out);
    }

    pub(super) fn fx_rate(&mut self, event: &Event, rate: &FxRate, out: &mut Out) {
        self.portfolio.record_rate(rate, self.now);
        self.changed(event, out);
    }

    /// Has the simulated venue close the positions of an account whose margin no longer holds them.
    ///
    /// From here on only orders that reduce pass: what level 2 of the kill switch will say stands
    /// here until there are levels.
    pub(super) fn liquidate_underwater(&mut self, event: &Event, out: &mut Out) {
        let view = View { instruments: &self.instruments, markets: &self.markets, now: self.now };
        let Some(pool) = self.portfolio.underwater(&view) else {
            self.liquidating = false;
            return;
        };
        if self.liquidating {
            return;
        }
        self.liquidating = true;
        self.liquidated = true;
        let (balance, maintenance) = self.portfolio.standing(pool, &view).unwrap_or_default();
        let record = LatchChanged {
            observed: balance.saturating_i64(),
            limit: maintenance.saturating_i64(),
            until: Nanos(0),
            code: Code::from(Reject::Liquidated),
            state: LatchState::Armed,
        };
        Self::emit(event, NO_INSTRUMENT, &record, out);
        let instruments = &self.instruments;
        self.portfolio.to_liquidate(pool, &view, &mut |id: InstrumentId, held, price| {
            let Some(facts) = at(instruments, id) else { return };
            let liquidate = Liquidate { qty: as_qty(held, facts), price };
            Self::emit(event, id, &liquidate, out);
        });
        let measures = self.portfolio.measures();
        let (equity, last) = (measures.equity(), measures.last());
        self.tell_state(event, equity.unwrap_or(last), equity.is_some(), out);
    }
}
