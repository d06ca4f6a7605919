//! Open orders as risk counts them: approved and without a terminal outcome.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{AssetId, InstrumentId, OrderNo, StrategyId};
use model::instrument::Instrument;
use model::num::{Money, Price, Qty, Rounding, mul_div};
use model::order::Side;

use super::price_at_mark_scale;
use crate::limits::OPEN_ORDERS_MAX;

/// One open order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number.
    pub order: OrderNo,
    /// Its instrument.
    pub instrument: InstrumentId,
    /// Its strategy.
    pub strategy: StrategyId,
    /// Its side.
    pub side: Side,
    /// Limit price, or the bound of `at_market`.
    pub price: Price,
    /// Quantity that may still fill.
    pub remaining: Qty,
    /// True when it reduced the position at its approval.
    pub reduces: bool,
    /// Asset that it locks.
    pub lock_asset: AssetId,
    /// Amount that it locks on a cash account.
    pub locked: Money,
    /// Taker fee that it holds on a linear account.
    pub fee_held: Money,
}

/// The open orders, by number. Room for [`OPEN_ORDERS_MAX`] is taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOrders {
    orders: Vec<OpenOrder>,
}

impl OpenOrder {
    /// Returns `remaining * max(limit, mark)`, rounded up: what the order may add.
    #[must_use]
    pub fn value(&self, facts: &Instrument, mark: i128) -> Option<Money> {
        let price = price_at_mark_scale(self.price).max(mark);
        let qty = i128::from(self.remaining.0);
        facts.notional(price, facts.mark_decimals(), qty, Rounding::Ceil)
    }

    /// Returns `remaining * limit`, rounded up: what a cash buy must be able to pay.
    #[must_use]
    pub fn value_at_limit(&self, facts: &Instrument) -> Option<Money> {
        let decimals = facts.price_scale.decimals();
        let qty = i128::from(self.remaining.0);
        facts.notional(i128::from(self.price.0), decimals, qty, Rounding::Ceil)
    }

    /// Returns the part of the lock that a fill of `qty` releases; the last fill releases all.
    #[must_use]
    pub fn release(&self, qty: Qty) -> Money {
        if qty >= self.remaining {
            return self.locked;
        }
        let part = mul_div(
            self.locked.0,
            i128::from(qty.0),
            i128::from(self.remaining.0),
            Rounding::Floor,
        );
        Money(part.unwrap_or(0))
    }
}

impl Default for OpenOrders {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOrders {
    /// Returns no orders, with room for all.
    #[must_use]
    pub fn new() -> Self {
        Self { orders: Vec::with_capacity(OPEN_ORDERS_MAX) }
    }

    fn find(&self, order: OrderNo) -> Result<usize, usize> {
        self.orders.binary_search_by_key(&order, |open| open.order)
    }

    /// Returns an order.
    #[must_use]
    pub fn get(&self, order: OrderNo) -> Option<OpenOrder> {
        self.find(order).ok().and_then(|at| self.orders.get(at)).copied()
    }

    /// Adds an order. Returns false when there is no room, or the number is taken.
    pub fn insert(&mut self, order: OpenOrder) -> bool {
        match self.find(order.order) {
            Err(at) if self.orders.len() < OPEN_ORDERS_MAX => {
                self.orders.insert(at, order);
                true
            }
            _ => false,
        }
    }

    /// Takes a fill off an order's remaining quantity, its lock and, in proportion, the fee that it
    /// holds. `None` when it is not open.
    pub fn reduce(&mut self, order: OrderNo, qty: Qty, release: Money) -> Option<()> {
        let at = self.find(order).ok()?;
        let open = self.orders.get_mut(at)?;
        let (before, left) = (open.remaining.0, open.remaining.0.checked_sub(qty.0)?.max(0));
        let held = mul_div(open.fee_held.0, left.into(), before.max(1).into(), Rounding::Ceil)?;
        open.fee_held = Money(held);
        open.remaining = Qty(left);
        open.locked = open.locked.checked_sub(release)?;
        Some(())
    }

    /// Removes an order.
    pub fn remove(&mut self, order: OrderNo) -> Option<OpenOrder> {
        self.find(order).ok().map(|at| self.orders.remove(at))
    }

    /// Returns all orders, by number.
    pub fn iter(&self) -> impl Iterator<Item = &OpenOrder> {
        self.orders.iter()
    }

    /// Tells whether an instrument has open orders.
    #[inline]
    #[must_use]
    pub fn any_of(&self, instrument: InstrumentId) -> bool {
        self.orders.iter().any(|order| order.instrument == instrument)
    }

    /// Returns the number of open orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Tells whether an order of this side and price would trade with an own open order.
    #[must_use]
    pub fn crosses(&self, instrument: InstrumentId, side: Side, price: Price) -> bool {
        self.orders.iter().any(|open| {
            open.instrument == instrument
                && open.side != side
                && match side {
                    Side::Buy => open.price <= price,
                    Side::Sell => open.price >= price,
                }
        })
    }
}

impl Image for OpenOrders {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.orders.len());
        for open in &self.orders {
            out.put(open.order);
            out.put(open.instrument.0);
            out.put(open.strategy);
            out.put(open.side);
            out.put(open.price);
            out.put(open.remaining);
            out.put(open.reduces);
            out.put(open.lock_asset);
            out.put(open.locked);
            out.put(open.fee_held);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.orders.clear();
        for _ in 0..from.take_len(OPEN_ORDERS_MAX)? {
            self.orders.push(OpenOrder {
                order: from.take()?,
                instrument: InstrumentId(from.take()?),
                strategy: from.take()?,
                side: from.take()?,
                price: from.take()?,
                remaining: from.take()?,
                reduces: from.take()?,
                lock_asset: from.take()?,
                locked: from.take()?,
                fee_held: from.take()?,
            });
        }
        Ok(())
    }
}
