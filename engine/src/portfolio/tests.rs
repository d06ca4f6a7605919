//! The worked examples of the accounts' contract, and what a fill does to every figure.

use model::event::{Bar, BarExtra, FeedState, Fill, Funding};
use model::id::{Seq, StrategyId};
use model::instrument::FeeAsset;
use model::num::{Rate, Scale};
use model::order::{FeedStatus, Liquidity, Side};
use model::symbol::Symbol;
use model::time::SECOND_NS;

use super::*;
use crate::setup::{
    AccountSetup, Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS,
};

const UNIT: i128 = 1_000_000_000;
const ID: InstrumentId = InstrumentId(0);

fn instrument(kind: Kind) -> Instrument {
    let mut symbol = Symbol::parse("venue:BTC_USDT").unwrap();
    let linear = kind == Kind::LinearPerpetual;
    symbol.kind = linear.then_some(kind);
    Instrument {
        symbol,
        venue_symbol: "BTCUSDT".to_owned(),
        kind,
        settle: "USDT".to_owned(),
        price_scale: Scale::new(2).unwrap(),
        qty_scale: Scale::new(4).unwrap(),
        tick: Price(1),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000_000),
        notional_min: Money::units(5),
        fee_maker: Rate(200_000),
        fee_taker: Rate(500_000),
        fee_asset: if linear { FeeAsset::Quote } else { FeeAsset::Received },
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(100_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10 * SECOND_NS,
        mark_liquidation: false,
        leverage_max: if linear { 3 } else { 1 },
        maintenance: Rate(5_000_000),
    }
}

/// A portfolio of one instrument, with the market's last close as its mark.
struct Desk {
    instruments: Vec<Instrument>,
    markets: Vec<Market>,
    portfolio: Portfolio,
    orders: u16,
}

impl Desk {
    fn new(kind: Kind, balances: &[(&str, i128)]) -> Self {
        let instruments = vec![instrument(kind)];
        let carries = Carried { bar_ns: 60 * SECOND_NS, ..Carried::default() };
        let setup = Setup {
            semantics: SEMANTICS,
            mode: Mode::Backtest,
            run_id: String::new(),
            config: None,
            seed: 0,
            reporting: "USDT".to_owned(),
            assets: ["USDT", "BTC"].map(str::to_owned).to_vec(),
            instruments: vec![InstrumentSetup::of(&instruments[0], carries)],
            accounts: vec![AccountSetup {
                name: "paper".to_owned(),
                venue: "venue".to_owned(),
                linear: kind == Kind::LinearPerpetual,
                balances: Vec::new(),
                protect: Vec::new(),
            }],
            sources: Vec::new(),
            paper: PaperSetup::constant(0, 0),
            traded: vec![0],
            money: MoneySetup::plain(),
        };
        let mut portfolio = Portfolio::new(&setup, &instruments, &Owners::default());
        for (asset, total) in balances {
            portfolio.open_account(&AccountOpened {
                total: Money(*total),
                account: AccountId(0),
                asset: asset_id(&setup.assets, asset),
                kind: setup.accounts[0].kind(),
            });
        }
        Self { instruments, markets: vec![Market::new(carries)], portfolio, orders: 0 }
    }

    /// Sets the mark, in whole units of the quote asset.
    fn mark(&mut self, whole: i64) {
        let price = Price(whole * 100);
        let state = FeedState { status: FeedStatus::Synced, ..FeedState::default() };
        let start = Nanos(0);
        let extra =
            BarExtra { start, length_ns: 60 * SECOND_NS, trades: 1, quote_volume: Money(0) };
        let bar = Bar { open: price, high: price, low: price, close: price, volume: Qty(1) };
        let now = Nanos(60 * SECOND_NS);
        let synced = model::event::Event::new(Seq(1), now, ID, &state);
        let extra = model::event::Event::new(Seq(2), now, ID, &extra);
        let bar = model::event::Event::new(Seq(2), now, ID, &bar);
        for event in [synced, extra, bar] {
            self.markets[0].apply(&event, &self.instruments[0]);
        }
    }

    fn view(&self) -> View<'_> {
        let now = Nanos(60 * SECOND_NS);
        View { instruments: &self.instruments, markets: &self.markets, now }
    }

    fn order(&mut self, side: Side, qty: i64, price: i64) -> OpenOrder {
        self.orders += 1;
        OpenOrder {
            order: OrderNo::new(Seq(9), self.orders),
            instrument: ID,
            side,
            price: Price(price * 100),
            remaining: Qty(qty),
            ..OpenOrder::default()
        }
    }

    fn open(&mut self, side: Side, qty: i64, price: i64) -> OrderNo {
        let mut order = self.order(side, qty, price);
        order.reduces = self.portfolio.reduces(ID, side, order.remaining, &self.instruments);
        let locks = self.portfolio.locks(&order, &self.view()).unwrap();
        assert!(self.portfolio.approve(order, locks, Money::ZERO));
        order.order
    }

    fn fill(&mut self, order: OrderNo, side: Side, qty: i64, price: i64, fee: i64, asset: u16) {
        let fill = Fill {
            order,
            price: Price(price * 100),
            qty: Qty(qty),
            fee,
            trade: 1,
            fee_asset: AssetId(asset),
            side,
            liquidity: Liquidity::Taker,
        };
        let facts = self.instruments[0].clone();
        let Self { portfolio, instruments, markets, .. } = self;
        let view = View { instruments, markets, now: Nanos(60 * SECOND_NS) };
        portfolio.fill(ID, &fill, &facts, &view).expect("an open order");
    }

    fn exposure(&self) -> i128 {
        self.portfolio.exposure_of(ID, None, &self.view()).unwrap().0 / UNIT
    }
}

/// Position in lots, open orders as side, lots and price, exposure, and why.
type Row = (i64, &'static [(Side, i64, i64)], i128, &'static str);

#[test]
fn exposure_is_the_table_of_the_contract() {
    // Lots of 0.0001, at a mark of 100.
    let rows: [Row; 5] = [
        (0, &[(Side::Buy, 10_000, 99), (Side::Sell, 10_000, 101)], 101, "both sides once"),
        (10_000, &[(Side::Sell, 30_000, 100)], 200, "it can become short 2"),
        (10_000, &[(Side::Sell, 15_000, 100)], 100, "short 0.5 is less than long 1"),
        (10_000, &[(Side::Sell, 10_000, 60)], 100, "a low limit does not make it small"),
        (10_000, &[(Side::Buy, 10_000, 90)], 200, "an open order counts"),
    ];
    for (held, orders, expected, why) in rows {
        let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 10_000 * UNIT)]);
        desk.mark(100);
        if held > 0 {
            let order = desk.open(Side::Buy, held, 100);
            desk.fill(order, Side::Buy, held, 100, 0, 0);
            desk.portfolio.done(order);
        }
        for (side, qty, price) in orders {
            desk.open(*side, *qty, *price);
        }
        assert_eq!(desk.exposure(), expected, "{why}");
    }
}

#[test]
fn an_order_never_raises_exposure_by_more_than_its_notional() {
    for held in [-20_000_i64, 0, 7_000] {
        for side in [Side::Buy, Side::Sell] {
            for (qty, price) in [(1_i64, 1_i64), (30_000, 140), (9_999, 60)] {
                let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 10_000 * UNIT)]);
                desk.mark(100);
                if held != 0 {
                    let side = if held > 0 { Side::Buy } else { Side::Sell };
                    let order = desk.open(side, held.abs(), 100);
                    desk.fill(order, side, held.abs(), 100, 0, 0);
                    desk.portfolio.done(order);
                }
                desk.open(Side::Sell, 4_000, 101);
                let extra = desk.order(side, qty, price);
                let before = desk.portfolio.exposure(None, &desk.view()).unwrap();
                let after = desk.portfolio.exposure(Some(&extra), &desk.view()).unwrap();
                let value = extra.value(&desk.instruments[0], 100_000).unwrap();
                assert!(after.0 <= before.0 + value.0, "{held} {side:?} {qty} {price}");
            }
        }
    }
}

#[test]
fn an_order_reduces_by_the_resulting_position_with_all_open_orders() {
    let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 10_000 * UNIT)]);
    desk.mark(100);
    let reduces =
        |desk: &Desk, side, qty| desk.portfolio.reduces(ID, side, Qty(qty), &desk.instruments);
    assert!(!reduces(&desk, Side::Sell, 1), "flat: nothing reduces");
    let order = desk.open(Side::Buy, 10_000, 100);
    desk.fill(order, Side::Buy, 10_000, 100, 0, 0);
    desk.portfolio.done(order);
    assert!(reduces(&desk, Side::Sell, 10_000));
    assert!(!reduces(&desk, Side::Sell, 10_001), "it would pass zero");
    assert!(!reduces(&desk, Side::Buy, 1));
    desk.open(Side::Sell, 4_000, 101);
    assert!(reduces(&desk, Side::Sell, 6_000));
    assert!(!reduces(&desk, Side::Sell, 6_001), "with the open sell it would pass zero");
}

#[test]
fn a_linear_round_trip_moves_the_wallet_by_profit_less_fees() {
    let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 1_000 * UNIT)]);
    desk.mark(5_000);
    let buy = desk.open(Side::Buy, 5_000, 5_000);
    desk.fill(buy, Side::Buy, 5_000, 5_000, 1_250_000_000, 0);
    desk.portfolio.done(buy);
    assert_eq!(desk.portfolio.equity(&desk.view()), Some(Money(998_750_000_000)));
    desk.mark(5_100);
    assert_eq!(desk.portfolio.unrealised(ID, &desk.view()), Some(Money::units(50)));
    assert_eq!(desk.portfolio.equity(&desk.view()), Some(Money(1_048_750_000_000)));
    // Selling 0.2 of 0.5 at 5,200 realises 40; the rest keeps its part of the cost.
    let sell = desk.open(Side::Sell, 2_000, 5_100);
    desk.fill(sell, Side::Sell, 2_000, 5_200, 0, 0);
    desk.portfolio.done(sell);
    let position = desk.portfolio.position(ID);
    assert_eq!(position.basis, Money::units(1_500));
    assert_eq!(desk.portfolio.balances().total(AccountId(0), AssetId(0)), Money(1_038_750_000_000));
    assert_eq!(desk.portfolio.fees(), Money(1_250_000_000));
}

#[test]
fn a_position_can_turn_over_in_one_fill() {
    let mut position = Position::default();
    position.trade(Money(UNIT), Money::units(100), Nanos(5)).unwrap();
    let realised = position.trade(Money(-3 * UNIT), Money::units(330), Nanos(9)).unwrap();
    assert_eq!(realised, Money::units(10), "one of three was closing");
    assert_eq!((position.qty, position.basis), (Money(-2 * UNIT), Money::units(220)));
    assert_eq!(position.since, Nanos(9));
    let realised = position.trade(Money(2 * UNIT), Money::units(200), Nanos(11)).unwrap();
    assert_eq!(realised, Money::units(20), "a short gains when it is bought back lower");
    assert!(position.is_flat() && position.basis == Money::ZERO);
}

#[test]
fn rounding_of_the_cost_goes_against_us_and_loses_nothing() {
    let mut position = Position::default();
    position.trade(Money(3), Money(10), Nanos(0)).unwrap();
    let first = position.trade(Money(-1), Money(3), Nanos(0)).unwrap();
    assert_eq!((first, position.basis), (Money(-1), Money(6)), "10 / 3 rounds up to 4");
    let rest = position.trade(Money(-2), Money(7), Nanos(0)).unwrap();
    assert_eq!(rest, Money(1));
    assert!(position.is_flat() && position.basis == Money::ZERO);
}

#[test]
fn cash_locks_what_an_order_may_cost_and_releases_it() {
    let mut desk = Desk::new(Kind::Spot, &[("USDT", 1_000 * UNIT)]);
    desk.mark(100);
    let balances = |desk: &Desk, asset: u16| {
        let balances = desk.portfolio.balances();
        let (account, asset) = (AccountId(0), AssetId(asset));
        (balances.total(account, asset).0 / UNIT, balances.locked(account, asset).0 / UNIT)
    };
    let buy = desk.open(Side::Buy, 40_000, 100);
    assert_eq!(balances(&desk, 0), (1_000, 400));
    // A quarter fills below the limit; the fee is taken from the base that it brings.
    desk.fill(buy, Side::Buy, 10_000, 90, 1_000_000, 1);
    assert_eq!(balances(&desk, 0), (910, 300));
    assert_eq!(desk.portfolio.balances().total(AccountId(0), AssetId(1)), Money(999_000_000));
    assert_eq!(desk.portfolio.position(ID).qty, Money(999_000_000), "the position is the balance");
    assert_eq!(desk.portfolio.position(ID).basis, Money::units(90));
    desk.portfolio.done(buy);
    assert_eq!(balances(&desk, 0), (910, 0));
    // Equity: cash and the coins at the mark, rounded down.
    assert_eq!(desk.portfolio.equity(&desk.view()), Some(Money(1_009_900_000_000)));
    let sell = desk.open(Side::Sell, 9_990, 100);
    assert_eq!(
        desk.portfolio.free(AccountId(0), AssetId(1), &desk.view()),
        Some(Money::ZERO),
        "a sell locks what it sells"
    );
    desk.portfolio.done(sell);
}

#[test]
fn unrealised_profit_buys_nothing() {
    let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 1_000 * UNIT)]);
    desk.mark(1_000);
    let buy = desk.open(Side::Buy, 10_000, 1_000);
    desk.fill(buy, Side::Buy, 10_000, 1_000, 0, 0);
    desk.portfolio.done(buy);
    desk.mark(1_300);
    let free = desk.portfolio.free(AccountId(0), AssetId(0), &desk.view()).unwrap();
    // 1,000 of wallet less a third of 1,300; the 300 of profit is not in it. Rounded against us.
    assert_eq!(free, Money(566_666_666_666));
}

#[test]
fn a_fill_releases_its_part_of_the_fee_that_the_order_holds() {
    let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 1_000 * UNIT)]);
    desk.mark(100);
    let order = desk.order(Side::Buy, 50_000, 100);
    let locks = desk.portfolio.locks(&order, &desk.view()).unwrap();
    assert!(desk.portfolio.approve(order, locks, Money(50 * UNIT)));
    desk.fill(order.order, Side::Buy, 49_000, 100, 0, 0);
    assert_eq!(desk.portfolio.open().get(order.order).unwrap().fee_held, Money(UNIT));
}

#[test]
fn measures_are_the_worked_example() {
    let mut measures = Measures::default();
    for equity in [10_000, 10_400, 9_880] {
        measures.observe(Some(Money::units(equity)));
    }
    assert_eq!(measures.day_loss(), Some((Money::units(120), Money::units(10_000))));
    assert_eq!(measures.day_drawdown(), Some((Money::units(520), Money::units(10_400))));
    assert_eq!(measures.worst(), (Money::units(520), Money::units(10_400)));
    measures.observe(None);
    assert_eq!(measures.day_loss(), None, "unknown equity makes every measure unknown");
    let (open, known) = measures.roll(None, false);
    assert_eq!((open, known), (Money::units(9_880), false), "the last known equity stands in");
    measures.observe(Some(Money::units(9_900)));
    assert_eq!(measures.day_loss(), Some((Money::ZERO, Money::units(9_880))));
    assert_eq!(measures.drawdown(), Some((Money::units(500), Money::units(10_400))));
}

#[test]
fn equity_is_unknown_without_the_mark_of_something_held() {
    let mut desk = Desk::new(Kind::Spot, &[("USDT", UNIT), ("BTC", UNIT)]);
    assert_eq!(desk.portfolio.equity(&desk.view()), None);
    assert_eq!(desk.portfolio.exposure(None, &desk.view()), None);
    desk.mark(100);
    let view = View { instruments: &desk.instruments, markets: &desk.markets, now: Nanos(0) };
    assert_eq!(desk.portfolio.observe(&view), Some(Money::units(101)));
    assert_eq!(desk.portfolio.position(ID).basis, Money::units(100), "it enters at that mark");
}

/// The part of the second ledger does not fit, and that of the first had been booked already.
#[test]
fn a_funding_that_does_not_fit_changes_nothing() {
    let mut desk = Desk::new(Kind::LinearPerpetual, &[("USDT", 100_000_000 * UNIT)]);
    let pairs = (0..3).map(|strategy| (StrategyId(strategy), ID)).collect();
    let strategies = ["a", "b", "c"].map(str::to_owned).to_vec();
    desk.portfolio.ledgers = Ledgers::new(&Owners { strategies, pairs }, 1);
    desk.mark(100);
    // Together one is held, and two of the ledgers are large.
    for (strategy, side, lots) in
        [(0, Side::Buy, 10_000), (1, Side::Buy, 100_000_000), (2, Side::Sell, 100_000_000)]
    {
        let mut order = desk.order(side, lots, 100);
        order.strategy = StrategyId(strategy);
        let locks = desk.portfolio.locks(&order, &desk.view()).unwrap();
        assert!(desk.portfolio.approve(order, locks, Money::ZERO));
        desk.fill(order.order, side, lots, 100, 0, 0);
    }
    let facts = desk.instruments[0].clone();
    let view =
        View { instruments: &desk.instruments, markets: &desk.markets, now: Nanos(60 * SECOND_NS) };
    let funding = Funding { mark: Price(i64::MAX), rate: Rate(i64::MAX), ..Funding::default() };
    let mut after = desk.portfolio.clone();
    assert_eq!(after.fund(ID, &funding, &facts, &view), None);
    assert_eq!(after, desk.portfolio);
    let small = Funding { mark: Price(100_000), rate: Rate(1_000_000), ..funding };
    assert!(after.fund(ID, &small, &facts, &view).is_some());
    assert_ne!(after, desk.portfolio);
}

/// What a fee in kind leaves is dust: the next round trip begins over it, at its own moment.
#[test]
fn a_round_trip_over_dust_lasts_from_its_own_beginning() {
    let strategies = vec!["a".to_owned()];
    let owners = Owners { strategies, pairs: vec![(StrategyId(0), ID)] };
    let mut row = Ledgers::new(&owners, 1).rows[1];
    let mut trade = |delta: i128, value: i128, flat: bool, now: i64| {
        let before = row.position;
        let (delta, value) = (Money(delta * UNIT / 1_000), Money(value * UNIT));
        row.trade(delta, value, Money::ZERO, Nanos(now)).unwrap();
        row.settle(flat, &before, Nanos(now))
            .map(|closed| (closed.pnl.0 / UNIT, closed.duration_ns))
    };
    assert_eq!(trade(1_000, 100, false, 10), None);
    assert_eq!(trade(-999, 109, true, 20), Some((9, 10)), "99.9 were the cost");
    assert_eq!(trade(1_000, 100, false, 50), None);
    assert_eq!(trade(-1_000, 101, true, 70), Some((1, 20)), "100 of 100.1 were the cost");
}
