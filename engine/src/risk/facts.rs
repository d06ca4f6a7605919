//! How risk rules read the world: one answer for each field of the schema.

use dsl::evaluate::{Facts, Input, Part, Recall};
use dsl::memory::{Memory, OrderKey};
use dsl::schema::Field;
use dsl::value::Value;
use model::id::{AssetId, InstrumentId, StrategyId};
use model::instrument::{Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, pow10};
use model::order::{Side, TimeInForce};

use super::given::{Given, Outside};
use super::loss::loss;
use super::memory::{Moment, recall};
use crate::facts::{market, money, position};
use crate::market::Market;
use crate::portfolio::measure::{Measures, Share};
use crate::portfolio::open::OpenOrder;
use crate::portfolio::{Portfolio, View};

/// The order at hand, as far as it is known in the phase that asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderView {
    /// The order as it would be open.
    pub(super) open: OpenOrder,
    /// Limit or bound; none when no price is known.
    pub(super) price: Option<Price>,
    /// Does it close the position but for dust.
    pub(super) closes: bool,
    /// `at_market`.
    pub(super) protected: bool,
    /// Would it trade with an own open order.
    pub(super) crosses: bool,
    /// Where its loss is to be cut, if it says.
    pub(super) stop: Option<Price>,
    /// Time in force.
    pub(super) tif: TimeInForce,
    /// Time to live, 0 for none.
    pub(super) ttl_ns: i64,
    /// Made by the engine itself.
    pub(super) is_engine: bool,
}

impl OrderView {
    /// Returns what makes another order the same.
    pub(super) fn key(&self) -> OrderKey {
        let OpenOrder { instrument, strategy, side, price, remaining, .. } = self.open;
        OrderKey { instrument, strategy, side, price, qty: remaining }
    }
}

/// The world at one moment, for one instrument, perhaps with an order at hand.
#[derive(Debug)]
pub(super) struct RiskFacts<'a, G> {
    pub(super) portfolio: &'a Portfolio,
    pub(super) view: View<'a>,
    pub(super) id: InstrumentId,
    pub(super) instrument: &'a Instrument,
    pub(super) market: &'a Market,
    /// Whose order it is, or whose block: none where there is no one.
    pub(super) strategy: Option<StrategyId>,
    pub(super) order: Option<&'a OrderView>,
    /// What the block at hand remembers.
    pub(super) memory: Option<&'a Memory>,
    /// The fill or the round trip at hand.
    pub(super) moment: Option<&'a Moment>,
    /// What comes from beside the market and the portfolio.
    pub(super) outside: &'a Outside<G>,
}

impl<'a, G> RiskFacts<'a, G> {
    /// Returns the world of one instrument, before any block has looked at it.
    #[inline(always)]
    pub(super) fn new(
        (portfolio, view, outside): (&'a Portfolio, View<'a>, &'a Outside<G>),
        (id, instrument, market): (InstrumentId, &'a Instrument, &'a Market),
        order: Option<&'a OrderView>,
    ) -> Self {
        let (memory, moment) = (None, None);
        let strategy = order.map(|order| order.open.strategy);
        Self { portfolio, view, id, instrument, market, strategy, order, memory, moment, outside }
    }
}

impl<G> Clone for RiskFacts<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<G> Copy for RiskFacts<'_, G> {}

fn share(share: Share, part: Part) -> Value {
    let picked = share.map(|(over, under)| match part {
        Part::Over | Part::Whole => over,
        Part::Under => under,
    });
    money(picked)
}

/// Returns a signed amount of base at the instrument's quantity scale.
fn qty(amount: i128, instrument: &Instrument) -> Value {
    let decimals = instrument.qty_scale.decimals();
    let step = pow10(MONEY_SCALE.saturating_sub(decimals)).unwrap_or(1);
    Value::of(amount.checked_div(step))
}

impl<G: Given> RiskFacts<'_, G> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`read` names every field and calls this for three"
    )]
    fn account(&self, field: Field, asset: Option<AssetId>) -> Value {
        let account = self.portfolio.account(self.id);
        let asset = asset.unwrap_or_else(|| self.pays());
        let balances = self.portfolio.balances();
        match field {
            Field::AccountLocked => Value::known(balances.locked(account, asset).0),
            Field::AccountTotal => Value::known(balances.total(account, asset).0),
            _ => money(self.portfolio.free(account, asset, &self.view)),
        }
    }

    /// Returns the asset that approving the order at hand would lock.
    fn pays(&self) -> AssetId {
        let (base, quote) = self.portfolio.assets(self.id);
        let spot = self.instrument.kind == Kind::Spot;
        let sells = self.order.is_some_and(|order| order.open.side == Side::Sell);
        if spot && sells { base } else { quote }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`read` names every field and calls this for the order"
    )]
    fn order(&self, field: Field) -> Value {
        let Some(order) = self.order else { return Value::MISSING };
        let open = &order.open;
        match field {
            Field::OrderIsBuy => Value::bool(open.side == Side::Buy),
            Field::OrderReduces => Value::bool(open.reduces),
            Field::OrderCloses => Value::bool(order.closes),
            Field::OrderIsProtected => Value::bool(order.protected),
            Field::OrderCrossesOwn => Value::bool(order.crosses),
            Field::OrderQty => Value::known(i128::from(open.remaining.0)),
            Field::OrderPrice => Value::of(order.price.map(|price| i128::from(price.0))),
            Field::OrderNotional => money(self.order_value(order)),
            Field::OrderValue => money(self.reporting(self.order_value(order))),
            Field::OrderLocks => {
                money(self.portfolio.locks(open, &self.view).map(|(_, amount)| amount))
            }
            Field::OrderStop => Value::of(order.stop.map(|stop| i128::from(stop.0))),
            Field::OrderRisk => {
                let known = order.price.zip(order.stop);
                let instrument = self.instrument;
                let lost =
                    known.and_then(|(price, stop)| loss(open.remaining, price, stop, instrument));
                money(self.reporting(lost))
            }
            Field::OrderTif => Value::known(order.tif as i128),
            Field::OrderTtl if order.ttl_ns == 0 => Value::MISSING,
            Field::OrderTtl => Value::known(i128::from(order.ttl_ns)),
            Field::OrderIsEngine => Value::bool(order.is_engine),
            // `approved` is for proofs.
            _ => Value::FALSE,
        }
    }

    /// Returns what a test states; nothing in a session. It names assets, so what the order pays
    /// with is named first.
    #[inline(always)]
    fn stated(&self, input: &Input) -> Option<Value> {
        if !G::STATES {
            return None;
        }
        let named = input.field.info().ty.takes_asset() && input.asset.is_none();
        let asset = if named { Some(self.pays()) } else { input.asset };
        self.outside.given.read(&Input { asset, ..*input }, self.id)
    }

    /// Answers for the fill or the round trip at hand.
    fn moment(&self, field: Field) -> Value {
        let fill = self.moment.and_then(|moment| moment.fill);
        let closed = self.moment.and_then(|moment| moment.closed);
        match (field, fill, closed) {
            (Field::FillPrice, Some((fill, _)), _) => Value::known(i128::from(fill.price.0)),
            (Field::FillQty, Some((fill, _)), _) => Value::known(i128::from(fill.qty.0)),
            (Field::FillFee, Some((_, outcome)), _) => money(Some(outcome.fee)),
            (Field::FillPnl, Some((_, outcome)), _) => money(outcome.pnl),
            (Field::FillLiquidity, Some((fill, _)), _) => Value::known(fill.liquidity as i128),
            (Field::FillOpens, Some((_, outcome)), _) => Value::bool(outcome.opens),
            (Field::ClosedPnl, _, Some(closed)) => money(Some(closed.pnl)),
            (Field::ClosedDuration, _, Some(closed)) => {
                Value::known(i128::from(closed.duration_ns))
            }
            _ => Value::MISSING,
        }
    }

    /// Returns quantity times the larger of price and mark; at its price alone when the mark is
    /// unknown and the order reduces.
    fn order_value(&self, order: &OrderView) -> Option<Money> {
        let value = match self.market.mark(self.view.now) {
            Some(mark) => order.open.value(self.instrument, mark),
            None if order.open.reduces => order.open.value_at_limit(self.instrument),
            None => None,
        };
        value.filter(|_| order.price.is_some())
    }

    /// Returns an amount in the instrument's quote asset in the reporting asset.
    fn reporting(&self, amount: Option<Money>) -> Option<Money> {
        self.portfolio.in_reporting(self.id, amount?, &self.view)
    }

    /// Answers `strategy.*`: of the order's strategy, or of the one that the block applies to.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`read` names every field and calls this for those of strategies"
    )]
    fn strategy(&self, field: Field, part: Part) -> Value {
        let Some(strategy) = self.strategy else { return Value::MISSING };
        let (portfolio, view) = (self.portfolio, &self.view);
        let measures = portfolio.strategy_measures(strategy);
        match field {
            Field::StrategyCapital => money(portfolio.strategy_capital(strategy, view)),
            Field::StrategyExposure => money(portfolio.strategy_exposure(strategy, view)),
            Field::StrategyPosition => {
                qty(portfolio.strategy_position(strategy, self.id).0, self.instrument)
            }
            Field::StrategyDayLoss => share(measures.and_then(Measures::day_loss), part),
            Field::StrategyDrawdown => share(measures.and_then(Measures::drawdown), part),
            Field::StrategyOpenOrders => {
                let own = portfolio.open().iter().filter(|order| order.strategy == strategy);
                Value::known(i128::try_from(own.count()).unwrap_or(i128::MAX))
            }
            _ => share(portfolio.order_to_trade(strategy), part),
        }
    }
}

impl<G: Given> Facts for RiskFacts<'_, G> {
    #[expect(clippy::too_many_lines, reason = "it names every field of the schema once")]
    fn read(&self, input: &Input) -> Value {
        if let Some(stated) = self.stated(input) {
            return stated;
        }
        let Input { field, part, asset } = *input;
        let measures = self.portfolio.measures();
        match field {
            Field::AccountEquity => money(measures.equity()),
            Field::AccountDayLoss => share(measures.day_loss(), part),
            Field::AccountDayDrawdown => share(measures.day_drawdown(), part),
            Field::AccountDrawdown => share(measures.drawdown(), part),
            Field::AccountWeekLoss => share(measures.week_loss(), part),
            Field::AccountMarginRatio => {
                share(self.portfolio.margin_ratio(self.id, &self.view), part)
            }
            Field::AccountExposure => money(self.portfolio.exposure(None, &self.view)),
            Field::AccountExposureAfter => {
                let order = self.order.map(|order| &order.open);
                money(self.portfolio.exposure(order, &self.view))
            }
            Field::AccountNetExposure => {
                let asset = asset.unwrap_or_else(|| self.pays());
                money(self.portfolio.net_exposure(asset, &self.view))
            }
            Field::AccountFree | Field::AccountLocked | Field::AccountTotal => {
                self.account(field, asset)
            }
            Field::SymbolExposure => money(self.portfolio.exposure_of(self.id, None, &self.view)),
            Field::SymbolDayLoss => {
                share(self.portfolio.symbol_day_loss(self.id, &self.view), part)
            }
            Field::PositionLiqPrice => Value::of(self.portfolio.liq_price(self.id, &self.view)),
            Field::PositionLiqDistance => {
                share(self.portfolio.liq_distance(self.id, &self.view), part)
            }
            Field::StrategyCapital
            | Field::StrategyExposure
            | Field::StrategyPosition
            | Field::StrategyDayLoss
            | Field::StrategyDrawdown
            | Field::StrategyOpenOrders
            | Field::StrategyOrderToTrade => self.strategy(field, part),
            Field::SymbolOpenBuys | Field::SymbolOpenSells => {
                let side = if field == Field::SymbolOpenBuys { Side::Buy } else { Side::Sell };
                let open = self.portfolio.open_base(self.id, side, self.view.instruments);
                qty(open, self.instrument)
            }
            Field::PositionQty
            | Field::PositionNotional
            | Field::PositionPnl
            | Field::PositionAvgPrice
            | Field::PositionAge => {
                let held = self.portfolio.position(self.id);
                let mark = self.market.mark_held(self.view.now, held.qty.0 < 0);
                position(&held, self.instrument, mark, (field, part), self.view.now)
                    .unwrap_or(Value::MISSING)
            }
            Field::MarketMid
            | Field::MarketLast
            | Field::MarketMark
            | Field::MarketSpread
            | Field::QuoteAge
            | Field::BookBid
            | Field::BookAsk
            | Field::BookBidQty
            | Field::BookAskQty
            | Field::BookBidDepth
            | Field::BookAskDepth
            | Field::BookDepth
            | Field::Now
            | Field::FeedSynced
            | Field::FeedState
            | Field::FeedAge => {
                market(self.market, field, part, self.view.now).unwrap_or(Value::MISSING)
            }
            // The paper venue always takes orders: that is an input of a later version, when venues
            // can change it.
            Field::VenueAcceptsOrders => Value::TRUE,
            Field::ControlLevel => Value::known(i128::from(self.outside.levels.level())),
            Field::ControlBy => Value::known(i128::from(self.outside.levels.by())),
            Field::QuoteBid
            | Field::QuoteAsk
            | Field::FillPrice
            | Field::FillQty
            | Field::FillFee
            | Field::FillPnl
            | Field::FillLiquidity
            | Field::FillOpens
            | Field::ClosedPnl
            | Field::ClosedDuration => self.moment(field),
            Field::BarOpen
            | Field::BarHigh
            | Field::BarLow
            | Field::BarClose
            | Field::BarVolume
            | Field::BarTime => Value::MISSING,
            Field::OrderIsBuy
            | Field::OrderReduces
            | Field::OrderCloses
            | Field::OrderIsProtected
            | Field::OrderIsEngine
            | Field::OrderCrossesOwn
            | Field::OrderQty
            | Field::OrderPrice
            | Field::OrderNotional
            | Field::OrderValue
            | Field::OrderLocks
            | Field::OrderPays
            | Field::OrderStop
            | Field::OrderRisk
            | Field::OrderTif
            | Field::OrderTtl
            | Field::OrderApproved => self.order(field),
        }
    }

    fn recall(&self, what: Recall) -> Value {
        if let Recall::Depth(depth) = what {
            let side = self.order.map(|order| order.open.side);
            return crate::facts::depth(self.market, depth, side);
        }
        let place = usize::try_from(self.id.0).unwrap_or(usize::MAX);
        let key = self.order.map(OrderView::key);
        recall(self.memory, what, place, self.view.now, key.as_ref())
    }
}

/// Tells whether a field belongs to the instrument at hand, or to its account, rather than to the
/// whole session.
pub(super) fn is_of_instrument(field: Field) -> bool {
    is_in(field, &["symbol.", "position.", "market.", "book.", "quote.", "feed.", "venue."])
        || is_in(field, &["account.free", "account.locked", "account.total"])
        || matches!(field, Field::AccountMarginRatio | Field::StrategyPosition)
}

/// Tells whether an event of the instrument's market alone can change a field.
pub(super) fn is_of_market(field: Field) -> bool {
    is_in(field, &["market.", "book.", "quote.", "feed."]) || field == Field::Now
}

fn is_in(field: Field, groups: &[&str]) -> bool {
    groups.iter().any(|group| field.info().name.starts_with(group))
}
