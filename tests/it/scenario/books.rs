//! The books of a scenario once more: in rationals, from market data, flows and fills alone.
//!
//! Every record of the risk lane that states a balance, a position, a profit or an equity must be
//! equal to the last 1e-9. Nothing of the engine's arithmetic is used: accounts.md, sections 2, 3,
//! 5, 6, 8, 11 and 17, and the scale of the tables.

use std::collections::BTreeMap;

use engine::session::Session;
use model::event::{BalanceChanged, Body, Event, Fill, PositionChanged, Quote, RiskState};
use model::order::{FeedStatus, Liquidity, Side, Verdict};

use super::table::{PRICE_DECIMALS, QTY_DECIMALS};
use crate::exact::{Exact, abs, down, down_to, scaled, trade, up, up_to, whole, zero};

/// Assets by id, as all tables have them.
const USDT: u16 = 0;
const BTC: u16 = 1;
/// A mark that was published is the mark for so long.
const PUBLISHED_NS: i64 = 10_000_000_000;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compared {
    pub(super) balances: u64,
    pub(super) locks: u64,
    pub(super) positions: u64,
    pub(super) profits: u64,
    pub(super) equities: u64,
    pub(super) fees: u64,
}

impl Compared {
    pub(super) fn add(&mut self, other: &Self) {
        self.balances += other.balances;
        self.locks += other.locks;
        self.positions += other.positions;
        self.profits += other.profits;
        self.equities += other.equities;
        self.fees += other.fees;
    }
}

/// An order from its approval to its end.
struct Open {
    side: Side,
    limit: Exact,
    approved: Exact,
    filled: Exact,
    locked: Exact,
}

struct Books<'a> {
    session: &'a Session,
    name: &'a str,
    linear: bool,
    balances: BTreeMap<u16, Exact>,
    /// What one unit of an asset is worth.
    rates: BTreeMap<u16, Exact>,
    qty: Exact,
    cost: Exact,
    /// What the last fill realised.
    made: Exact,
    mid: Option<Exact>,
    published: Option<(Exact, i64)>,
    signals: BTreeMap<(u64, u16), (Side, Exact)>,
    open: BTreeMap<u64, Open>,
    /// Traded until now, and until the day began.
    volume: (Exact, Exact),
    compared: Compared,
}

/// Follows the events of a table; panics at the first record that says something else.
pub(super) fn check(name: &str, session: &Session, events: &[Event]) -> Compared {
    check_bodies(name, session, events.iter().map(|event| (*event, event.body())))
}

/// As [`check`], with bodies that may differ from those of their events.
pub(super) fn check_bodies(
    name: &str,
    session: &Session,
    events: impl Iterator<Item = (Event, Body)>,
) -> Compared {
    let mut books = Books {
        session,
        name,
        linear: session.setup.instruments[0].perpetual,
        balances: BTreeMap::new(),
        rates: BTreeMap::from([(USDT, whole(1))]),
        qty: zero(),
        cost: zero(),
        made: zero(),
        mid: None,
        published: None,
        signals: BTreeMap::new(),
        open: BTreeMap::new(),
        volume: (zero(), zero()),
        compared: Compared::default(),
    };
    for (event, body) in events {
        books.see(&event, body);
    }
    books.compared
}

fn price(mantissa: i64) -> Exact {
    scaled(mantissa, PRICE_DECIMALS)
}

fn qty(mantissa: i64) -> Exact {
    scaled(mantissa, QTY_DECIMALS)
}

impl Books<'_> {
    fn see(&mut self, event: &Event, body: Body) {
        match body {
            Body::AccountOpened(opened) => self.add(opened.asset.0, &scaled(opened.total.0, 9)),
            Body::FxRate(rate) => {
                self.rates.insert(rate.from.0, scaled(rate.rate.0, 9));
            }
            Body::Quote(quote) => self.quote(&quote),
            Body::Trade(trade) if !self.has_book() => self.mid = Some(price(trade.price.0)),
            Body::Bar(bar) => self.mid = Some(price(bar.close.0)),
            Body::FeedState(state) if state.status != FeedStatus::Synced => {}
            Body::MarkPrice(mark) => {
                let mark = scaled(mark.mark.0, PRICE_DECIMALS + 1);
                self.published = Some((mark, event.ts.0 + PUBLISHED_NS));
            }
            Body::Funding(funding) => {
                let per = scaled(funding.mark.0, PRICE_DECIMALS + 1) * scaled(funding.rate.0, 9);
                let paid = down(&(-&self.qty * per));
                self.add(USDT, &paid);
            }
            Body::CashFlow(flow) => self.flow(flow.asset.0, &scaled(flow.amount.0, 9)),
            Body::DayRoll(_) => self.volume.1 = self.volume.0.clone(),
            Body::Signal(signal) => {
                let terms = (signal.side, price(signal.price.0));
                self.signals.insert((event.seq.0, signal.ordinal), terms);
            }
            Body::Decision(decision) if decision.verdict == Verdict::Approve => {
                let order = model::id::OrderNo::new(event.seq, decision.ordinal);
                let (side, limit) = self.signals[&(event.seq.0, decision.ordinal)].clone();
                let approved = qty(decision.qty.0);
                let locked = self.lock_of(side, &approved, &limit);
                let open = Open { side, limit, approved, filled: zero(), locked };
                self.open.insert(order.raw(), open);
            }
            Body::Fill(fill) => self.fill(event, &fill),
            Body::OrderDone(done) => {
                if let Some(open) = self.open.remove(&done.order.raw()) {
                    assert_eq!(open.filled, qty(done.filled.0), "{}: {event:?}", self.name);
                }
            }
            Body::BalanceChanged(record) => self.check_balance(event, &record),
            Body::PositionChanged(record) => self.check_position(event, &record),
            Body::Realised(record) => {
                assert_eq!(scaled(record.profit.0, 9), self.made, "{}: {event:?}", self.name);
                self.compared.profits += 1;
            }
            Body::RiskState(record) => self.check_equity(event, &record),
            _ => {}
        }
    }

    fn has_book(&self) -> bool {
        let carries = self.session.setup.instruments[0].carries;
        carries.book || carries.quotes
    }

    fn balance(&self, asset: u16) -> Exact {
        self.balances.get(&asset).cloned().unwrap_or_else(zero)
    }

    fn add(&mut self, asset: u16, amount: &Exact) {
        *self.balances.entry(asset).or_insert_with(zero) += amount;
        if asset == BTC && !self.linear {
            self.qty = self.balance(BTC);
        }
    }

    /// What a cash account holds back for an order: accounts.md 2.
    fn lock_of(&self, side: Side, size: &Exact, limit: &Exact) -> Exact {
        if self.linear {
            return zero();
        }
        if side == Side::Sell {
            return size.clone();
        }
        let facts = &self.session.setup.instruments[0];
        let value = size * limit;
        let fee = if facts.fee_asset == "quote" {
            up_to(&(&value * scaled(facts.fee_taker, 9)), 8)
        } else {
            zero()
        };
        up(&(value + fee))
    }

    fn locked(&self, asset: u16) -> Exact {
        let of = |order: &&Open| (if order.side == Side::Buy { USDT } else { BTC }) == asset;
        self.open.values().filter(of).map(|order| order.locked.clone()).sum()
    }

    fn quote(&mut self, quote: &Quote) {
        let (bid, ask) = (price(quote.bid.0), price(quote.ask.0));
        let both = quote.bid_qty.0 > 0 && quote.ask_qty.0 > 0 && bid < ask;
        let mid = (&bid + &ask) / whole(2);
        let most = scaled(self.session.setup.instruments[0].mark_spread_max, 9);
        if both && ask - bid <= &mid * most {
            self.mid = Some(mid);
        }
    }

    /// A cash account takes no flow that it has not: accounts.md 11, and the latch DOUBTFUL.
    fn flow(&mut self, asset: u16, amount: &Exact) {
        let after = self.balance(asset) + amount;
        if !self.linear && *amount < zero() && after < self.locked(asset) {
            return;
        }
        if asset == BTC && !self.linear {
            let mark = self.mid.clone();
            // What comes before there is a mark enters at none.
            let value = mark.map_or_else(zero, |mark| abs(amount) * mark);
            let value = if *amount > zero() { up(&value) } else { down(&value) };
            trade(&mut self.qty, &mut self.cost, amount, &value);
        }
        self.add(asset, amount);
    }

    fn fill(&mut self, event: &Event, fill: &Fill) {
        let (at, size) = (price(fill.price.0), qty(fill.qty.0));
        self.check_fee(event, fill, &at, &size);
        let fee = scaled(fill.fee, 9);
        let buys = fill.side == Side::Buy;
        let value = &at * &size;
        if fill.liquidity == Liquidity::Liquidation {
            assert_eq!(size, abs(&self.qty), "{}: all of it is closed: {event:?}", self.name);
        } else if let Some(order) = self.open.get_mut(&fill.order.raw()) {
            let left = &order.approved - &order.filled;
            assert!(size <= left, "{}: more than was approved: {event:?}", self.name);
            let within = if buys { at <= order.limit } else { at >= order.limit };
            assert!(within, "{}: worse than its limit: {event:?}", self.name);
            let kept =
                if size == left { zero() } else { up(&(&order.locked * (&left - &size) / &left)) };
            order.locked = kept;
            order.filled += &size;
        } else {
            assert!(fill.order.is_stop(), "{}: a fill of no order: {event:?}", self.name);
        }
        self.volume.0 += &value;
        let signed = if buys { size.clone() } else { -size.clone() };
        if self.linear {
            self.made = trade(&mut self.qty, &mut self.cost, &signed, &value);
            let made = self.made.clone();
            self.add(USDT, &made);
        } else {
            // A fee in what a buy receives is never held.
            let kept = if buys && fill.fee_asset.0 == BTC { &size - &fee } else { signed.clone() };
            let counted = if buys { up(&value) } else { down(&value) };
            let mut held = self.qty.clone();
            self.made = trade(&mut held, &mut self.cost, &kept, &counted);
            self.add(BTC, &signed);
            self.add(USDT, &if buys { -counted } else { counted });
        }
        self.add(fill.fee_asset.0, &-fee);
    }

    /// Fee of a fill: accounts.md 3; tiers are granted by what was traded until the day began.
    fn check_fee(&mut self, event: &Event, fill: &Fill, at: &Exact, size: &Exact) {
        let facts = &self.session.setup.instruments[0];
        let (mut maker, mut taker) = (facts.fee_maker, facts.fee_taker);
        for tier in &facts.fee_tiers {
            if self.volume.1 >= scaled(tier.volume_from, 9) {
                (maker, taker) = (tier.maker, tier.taker);
            }
        }
        let rate = if fill.liquidity == Liquidity::Maker { maker } else { taker };
        let value = at * size * scaled(rate, 9);
        let (asset, fee) = match fill.fee_asset.0 {
            USDT => ("what it is worth", value),
            BTC => ("what it brings", size * scaled(rate, 9)),
            other => ("an asset of its own", value / &self.rates[&other]),
        };
        assert_eq!(scaled(fill.fee, 9), up_to(&fee, 8), "{}: in {asset}: {event:?}", self.name);
        self.compared.fees += 1;
    }

    fn check_balance(&mut self, event: &Event, record: &BalanceChanged) {
        let (total, locked) = (self.balance(record.asset.0), self.locked(record.asset.0));
        assert_eq!(scaled(record.total.0, 9), total, "{}: {event:?}", self.name);
        assert_eq!(scaled(record.locked.0, 9), locked, "{}: {event:?}", self.name);
        self.compared.balances += 1;
        self.compared.locks += u64::from(locked > zero());
    }

    fn check_position(&mut self, event: &Event, record: &PositionChanged) {
        let shown = if self.qty < zero() {
            up_to(&self.qty, QTY_DECIMALS)
        } else {
            down_to(&self.qty, QTY_DECIMALS)
        };
        assert_eq!(qty(record.qty.0), shown, "{}: {event:?}", self.name);
        assert_eq!(scaled(record.basis.0, 9), self.cost, "{}: {event:?}", self.name);
        self.compared.positions += 1;
    }

    fn check_equity(&mut self, event: &Event, record: &RiskState) {
        if !record.known {
            return;
        }
        let published = self.published.as_ref().filter(|(_, until)| event.ts.0 <= *until);
        let mark = published.map(|(mark, _)| mark.clone()).or_else(|| self.mid.clone());
        let mut sum = zero();
        for (asset, total) in &self.balances {
            if *asset != BTC || self.linear {
                sum += down(&(total * &self.rates[asset]));
            }
        }
        if self.qty != zero() {
            let worth = &self.qty * mark.expect("a mark of what is held");
            let cost = if self.qty < zero() { -self.cost.clone() } else { self.cost.clone() };
            sum += if self.linear { worth - cost } else { worth };
        }
        assert_eq!(scaled(record.equity.0, 9), down(&sum), "{}: {event:?}", self.name);
        self.compared.equities += 1;
    }
}
