//! Steps, and the engine's portfolio that they drive.

use engine::market::Market;
use engine::portfolio::ledger::Owners;
use engine::portfolio::open::OpenOrder;
use engine::portfolio::{Portfolio, View};
use engine::setup::{
    AccountSetup, Capital, CapitalSetup, Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup,
    RateSetup, RateSource, SEMANTICS, Setup,
};
use model::decimal::{format_trimmed, parse_mantissa};
use model::event::{
    AccountOpened, CashFlow, Event, FeedState, Fill, Funding, FxRate, MarkPrice, Payload, Trade,
};
use model::id::{AccountId, AssetId, InstrumentId, OrderNo, Seq, StrategyId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::{FeedStatus, FlowReason, Liquidity, Side};
use model::symbol::Symbol;
use model::time::{Date, Nanos, SECOND_NS};

/// Names of assets, by id; the first is the reporting one.
pub(super) const ASSETS: [&str; 6] = ["USDT", "USD", "USDC", "BTC", "ETH", "BNB"];
/// Names of accounts, by id.
pub(super) const ACCOUNTS: [&str; 2] = ["cash", "linear"];
/// A Tuesday.
pub(super) const FIRST_DAY: i32 = 20_459;
/// What is never sold, of BTC.
pub(super) const PROTECTED_BTC: i128 = 50_000_000;
/// What the first strategy may use.
pub(super) const CAPITAL_S1: i128 = 2_000_000_000_000;
/// The part of equity that the second may use.
pub(super) const SHARE_S2: i64 = 100_000_000;
/// Maintenance margin.
pub(super) const MAINTENANCE: i64 = 5_000_000;

/// One instrument of the world.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) linear: bool,
    pub(super) traded: bool,
    pub(super) price_decimals: u8,
    pub(super) qty_decimals: u8,
}

const fn spec(name: &'static str, linear: bool, traded: bool, decimals: (u8, u8)) -> Spec {
    Spec { name, linear, traded, price_decimals: decimals.0, qty_decimals: decimals.1 }
}

/// Instruments, by id.
pub(super) const INSTRUMENTS: [Spec; 7] = [
    spec("BTC_USDT", false, true, (2, 5)),
    spec("ETH_USDT", false, true, (2, 4)),
    spec("BTC_USD", false, true, (2, 5)),
    spec("USDT_USD", false, false, (4, 2)),
    spec("BTC_USDT.PERP", true, true, (1, 3)),
    spec("ETH_USDC.PERP", true, true, (1, 3)),
    spec("BNB_USDT", false, false, (2, 3)),
];

/// Returns base and quote of an instrument as places in [`ASSETS`].
pub(super) fn assets_of(instrument: usize) -> (usize, usize) {
    let name = INSTRUMENTS[instrument].name.trim_end_matches(".PERP");
    let (base, quote) = name.split_once('_').unwrap();
    let place = |name| ASSETS.iter().position(|asset| *asset == name).unwrap();
    (place(base), place(quote))
}

/// Returns a decimal text in units of 1e-9.
pub(super) fn nano(text: &str) -> i128 {
    mantissa(text, 9).unwrap().into()
}

fn mantissa(text: &str, decimals: u8) -> Option<i64> {
    parse_mantissa(text.replace(',', "").as_bytes(), decimals).ok()
}

/// One thing that happens. Prices and quantities are mantissas, amounts in units of 1e-9.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Open {
        account: usize,
        asset: usize,
        amount: i128,
    },
    Mark {
        instrument: usize,
        price: i64,
    },
    Publish {
        instrument: usize,
        mark: i64,
    },
    Gap {
        instrument: usize,
    },
    Sync {
        instrument: usize,
    },
    Rate {
        asset: usize,
        rate: i128,
    },
    Fill {
        strategy: u16,
        instrument: usize,
        buy: bool,
        qty: i64,
        price: i64,
        fee: i64,
        fee_asset: usize,
    },
    Flow {
        account: usize,
        asset: usize,
        amount: i128,
        reason: u8,
    },
    Funding {
        instrument: usize,
        rate: i64,
        mark: i64,
    },
    Liquidate {
        instrument: usize,
        fee: i64,
    },
    Day {
        date: i32,
    },
    Wait {
        seconds: i64,
    },
}

impl Step {
    /// Reads a step as `docs/accounts.md` writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let place = |names: &[&str], word: &str| names.iter().position(|name| *name == word);
        let instrument = |word: &str| INSTRUMENTS.iter().position(|spec| spec.name == word);
        let price = |at: usize, text: &str| mantissa(text, INSTRUMENTS[at].price_decimals);
        Some(match words.as_slice() {
            ["open", account, amount, asset] => Self::Open {
                account: place(&ACCOUNTS, account)?,
                asset: place(&ASSETS, asset)?,
                amount: mantissa(amount, 9)?.into(),
            },
            ["mark", name, text] => {
                let instrument = instrument(name)?;
                Self::Mark { instrument, price: price(instrument, text)? }
            }
            ["publish", name, text] => {
                let instrument = instrument(name)?;
                let mark = mantissa(text, INSTRUMENTS[instrument].price_decimals + 1)?;
                Self::Publish { instrument, mark }
            }
            ["gap", name] => Self::Gap { instrument: instrument(name)? },
            ["sync", name] => Self::Sync { instrument: instrument(name)? },
            ["rate", asset, rate] => {
                Self::Rate { asset: place(&ASSETS, asset)?, rate: mantissa(rate, 9)?.into() }
            }
            [strategy, side, qty, name, "at", text, "fee", fee, asset] => {
                let instrument = instrument(name)?;
                Self::Fill {
                    strategy: u16::try_from(place(&["s1", "s2"], strategy)?).ok()?,
                    instrument,
                    buy: place(&["sells", "buys"], side)? == 1,
                    qty: mantissa(qty, INSTRUMENTS[instrument].qty_decimals)?,
                    price: price(instrument, text)?,
                    fee: mantissa(fee, 9)?,
                    fee_asset: place(&ASSETS, asset)?,
                }
            }
            ["flow", account, amount, asset, reason] => {
                let reasons = ["deposit", "withdrawal", "transfer", "conversion", "adjustment"];
                Self::Flow {
                    account: place(&ACCOUNTS, account)?,
                    asset: place(&ASSETS, asset)?,
                    amount: mantissa(amount, 9)?.into(),
                    reason: u8::try_from(place(&reasons, reason)?).ok()?,
                }
            }
            ["funding", name, rate, "at", text] => {
                let instrument = instrument(name)?;
                let mark = mantissa(text, INSTRUMENTS[instrument].price_decimals + 1)?;
                Self::Funding { instrument, rate: mantissa(rate.strip_suffix('%')?, 7)?, mark }
            }
            ["liquidate", name, "fee", fee, _] => {
                Self::Liquidate { instrument: instrument(name)?, fee: mantissa(fee, 9)? }
            }
            ["day", date] => {
                let start = Nanos::parse(&format!("{date}T00:00:00Z"))?;
                Self::Day { date: start.date().0 }
            }
            ["wait", seconds] => Self::Wait { seconds: seconds.strip_suffix('s')?.parse().ok()? },
            _ => return None,
        })
    }
}

/// The engine's side.
pub(super) struct World {
    instruments: Vec<Instrument>,
    markets: Vec<Market>,
    portfolio: Portfolio,
    now: Nanos,
    events: u64,
    /// The first day was opened: all accounts are.
    begun: bool,
}

fn instrument(spec: &Spec) -> Instrument {
    let symbol = Symbol::parse(&format!("v:{}", spec.name)).unwrap();
    let perpetual = spec.linear;
    Instrument {
        venue_symbol: spec.name.to_owned(),
        kind: if perpetual { Kind::LinearPerpetual } else { Kind::Spot },
        settle: symbol.quote.clone(),
        symbol,
        price_scale: Scale::new(spec.price_decimals).unwrap(),
        qty_scale: Scale::new(spec.qty_decimals).unwrap(),
        tick: Price(1),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(i64::MAX),
        notional_min: Money::ZERO,
        fee_maker: Rate(0),
        fee_taker: Rate(0),
        fee_asset: if perpetual { FeeAsset::Quote } else { FeeAsset::Received },
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(0),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(0),
        mark_spread_max: Rate(0),
        mark_age_max_ns: 10 * SECOND_NS,
        mark_liquidation: false,
        leverage_max: 3,
        maintenance: Rate(MAINTENANCE),
    }
}

fn setup(instruments: &[Instrument], carries: Carried) -> Setup {
    let account = |name: &str, linear, protect| AccountSetup {
        name: name.to_owned(),
        venue: "v".to_owned(),
        linear,
        balances: Vec::new(),
        protect,
    };
    let rate = |asset: &str, from| RateSetup { asset: asset.to_owned(), from };
    let capital = |name: &str, capital| CapitalSetup { strategy: name.to_owned(), capital };
    Setup {
        semantics: SEMANTICS,
        mode: Mode::Backtest,
        run_id: String::new(),
        seed: 0,
        reporting: ASSETS[0].to_owned(),
        assets: ASSETS.map(str::to_owned).to_vec(),
        instruments: instruments.iter().map(|i| InstrumentSetup::of(i, carries)).collect(),
        accounts: vec![
            account("cash", false, vec![("BTC".to_owned(), PROTECTED_BTC)]),
            account("linear", true, Vec::new()),
        ],
        sources: Vec::new(),
        config: None,
        paper: PaperSetup::constant(0, 0),
        traded: (0_u32..).zip(&INSTRUMENTS).filter(|(_, i)| i.traded).map(|(id, _)| id).collect(),
        money: MoneySetup {
            rates: vec![
                rate("USD", RateSource::Via(3)),
                rate("USDC", RateSource::Recorded),
                rate("BNB", RateSource::Via(6)),
            ],
            rate_age_max_ns: 60 * SECOND_NS,
            capitals: vec![
                capital("s1", Capital::Amount(CAPITAL_S1)),
                capital("s2", Capital::Share(SHARE_S2)),
            ],
            day: Default::default(),
        },
    }
}

impl World {
    pub(super) fn new() -> Self {
        let instruments: Vec<Instrument> = INSTRUMENTS.iter().map(instrument).collect();
        let carries = Carried { trades: true, ..Carried::default() };
        let setup = setup(&instruments, carries);
        engine::portfolio::rates::check(&setup, &instruments).expect("every asset has a rate");
        let pairs = (0..2_u16).flat_map(|strategy| {
            setup.traded.iter().map(move |id| (StrategyId(strategy), InstrumentId(*id)))
        });
        let owners =
            Owners { strategies: vec!["s1".to_owned(), "s2".to_owned()], pairs: pairs.collect() };
        let portfolio = Portfolio::new(&setup, &instruments, &owners);
        let markets = instruments.iter().map(|_| Market::new(carries)).collect();
        let now = Date(FIRST_DAY).start();
        let mut world = Self { instruments, markets, portfolio, now, events: 0, begun: false };
        for instrument in 0..INSTRUMENTS.len() {
            world.feed(instrument, FeedStatus::Synced);
        }
        world
    }

    fn apply<P: Payload>(&mut self, instrument: usize, payload: &P) {
        self.events += 1;
        let id = InstrumentId(u32::try_from(instrument).unwrap());
        let event = Event::new(Seq(self.events), self.now, id, payload);
        self.markets[instrument].apply(&event, &self.instruments[instrument]);
    }

    fn feed(&mut self, instrument: usize, status: FeedStatus) {
        self.apply(instrument, &FeedState { status, ..FeedState::default() });
    }

    /// Returns an instrument whose feed is broken.
    pub(super) fn broken(&self) -> Option<usize> {
        self.markets.iter().position(|market| market.feed() != FeedStatus::Synced)
    }

    /// Returns what a cash position holds, in lots, never negative.
    pub(super) fn held_lots(&self, instrument: usize) -> i64 {
        let held = self.portfolio.position(InstrumentId(u32::try_from(instrument).unwrap()));
        engine::portfolio::as_qty(held.qty, &self.instruments[instrument]).0.max(0)
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.now = self.now.plus(SECOND_NS);
        if matches!(step, Step::Open { .. }) {
            return self.book(step);
        }
        if !std::mem::replace(&mut self.begun, true) {
            let Self { portfolio, instruments, markets, now, .. } = self;
            portfolio.roll(Date(FIRST_DAY), &View { instruments, markets, now: *now });
        }
        match *step {
            Step::Mark { instrument, price } => {
                self.apply(instrument, &Trade { price: Price(price), ..Trade::default() });
            }
            Step::Publish { instrument, mark } => {
                self.apply(instrument, &MarkPrice { mark: Price(mark), venue_ts: Nanos(0) });
            }
            Step::Gap { instrument } => self.feed(instrument, FeedStatus::Gap),
            Step::Sync { instrument } => self.feed(instrument, FeedStatus::Synced),
            Step::Wait { seconds } => self.now = self.now.plus(seconds * SECOND_NS),
            Step::Day { date } => {
                self.now = self.now.max(Date(date).start());
                let Self { portfolio, instruments, markets, now, .. } = self;
                portfolio.roll(Date(date), &View { instruments, markets, now: *now });
            }
            Step::Open { .. }
            | Step::Rate { .. }
            | Step::Fill { .. }
            | Step::Flow { .. }
            | Step::Funding { .. }
            | Step::Liquidate { .. } => self.book(step),
        }
        let Self { portfolio, instruments, markets, now, .. } = self;
        portfolio.observe(&View { instruments, markets, now: *now });
    }

    fn book(&mut self, step: &Step) {
        let Self { portfolio, instruments, markets, now, .. } = self;
        let view = View { instruments, markets, now: *now };
        let account_id = |at: usize| AccountId(u16::try_from(at).unwrap());
        let asset_id = |at: usize| AssetId(u16::try_from(at).unwrap());
        let id = |at: usize| InstrumentId(u32::try_from(at).unwrap());
        match *step {
            Step::Open { account, asset, amount } => portfolio.open_account(&AccountOpened {
                total: Money(amount),
                account: account_id(account),
                asset: asset_id(asset),
                kind: portfolio.kind(account_id(account)),
            }),
            Step::Rate { asset, rate } => {
                let (from, to) = (asset_id(asset), AssetId(0));
                portfolio.record_rate(&FxRate { rate: Money(rate), from, to, fixed: false }, *now);
            }
            Step::Flow { account, asset, amount, reason } => {
                let reasons = [
                    FlowReason::Deposit,
                    FlowReason::Withdrawal,
                    FlowReason::Transfer,
                    FlowReason::Conversion,
                    FlowReason::Adjustment,
                ];
                let (account, asset) = (account_id(account), asset_id(asset));
                let reason = reasons[usize::from(reason)];
                let flow = CashFlow { amount: Money(amount), account, asset, by: 0, reason };
                portfolio.flow(&flow, &view);
            }
            Step::Funding { instrument, rate, mark } => {
                let funding = Funding { rate: Rate(rate), mark: Price(mark), ..Funding::default() };
                portfolio
                    .fund(id(instrument), &funding, &instruments[instrument], &view)
                    .expect("a funding");
            }
            Step::Fill { .. } => self.fill(step),
            Step::Liquidate { instrument, fee } => self.liquidate(instrument, fee),
            _ => {}
        }
    }

    fn fill(&mut self, step: &Step) {
        let Step::Fill { strategy, instrument, buy, qty, price, fee, fee_asset } = *step else {
            return;
        };
        let Self { portfolio, instruments, markets, now, events, .. } = self;
        let view = View { instruments, markets, now: *now };
        let id = InstrumentId(u32::try_from(instrument).unwrap());
        let asset_id = |at: usize| AssetId(u16::try_from(at).unwrap());
        *events += 1;
        let order = OrderNo::new(Seq(*events), 0);
        let side = if buy { Side::Buy } else { Side::Sell };
        let (qty, price) = (Qty(qty), Price(price));
        let open = OpenOrder {
            order,
            instrument: id,
            strategy: StrategyId(strategy),
            side,
            price,
            remaining: qty,
            ..OpenOrder::default()
        };
        let locks = if INSTRUMENTS[instrument].linear {
            (AssetId(0), Money::ZERO)
        } else {
            portfolio.locks(&open, &view).unwrap()
        };
        assert!(portfolio.approve(open, locks, Money::ZERO));
        let (fee_asset, liquidity) = (asset_id(fee_asset), Liquidity::Taker);
        let fill = Fill { order, price, qty, fee, trade: 1, fee_asset, side, liquidity };
        let booked = portfolio.fill(id, &fill, &instruments[instrument], &view);
        // A fee in an asset that never had a price cannot be booked, nor this fill.
        assert!(booked.is_some() || portfolio.rates().last_rate(fee_asset, &view).is_none());
        portfolio.done(order);
    }

    fn liquidate(&mut self, instrument: usize, fee: i64) {
        let Self { portfolio, instruments, markets, now, events, .. } = self;
        let view = View { instruments, markets, now: *now };
        let id = InstrumentId(u32::try_from(instrument).unwrap());
        let asset_id = |at: usize| AssetId(u16::try_from(at).unwrap());
        let facts = &instruments[instrument];
        let held = portfolio.position(id).qty;
        let qty = engine::portfolio::as_qty(held, facts).0;
        let mark = markets[instrument].last_mark();
        let Some(mark) = mark.filter(|_| qty != 0) else { return };
        let side = if qty < 0 { Side::Buy } else { Side::Sell };
        let fill = Fill {
            order: OrderNo::new(Seq(*events), u16::MAX),
            price: Price(i64::try_from(mark / 10).unwrap()),
            qty: Qty(qty.abs()),
            fee,
            trade: 1,
            fee_asset: asset_id(assets_of(instrument).1),
            side,
            liquidity: Liquidity::Liquidation,
        };
        portfolio.liquidated(id, &fill, facts, &view).expect("booked");
    }

    /// Returns every figure by name, as text; `na` where it is unknown.
    pub(super) fn figures(&self) -> Vec<(String, String)> {
        let view = View { instruments: &self.instruments, markets: &self.markets, now: self.now };
        let portfolio = &self.portfolio;
        let mut told: Vec<(String, String)> = Vec::new();
        let mut money = |name: String, amount: Option<Money>| {
            told.push((name, amount.map_or("na".into(), |amount| format_trimmed(amount.0, 9))));
        };
        for (account, account_name) in (0_u16..).zip(ACCOUNTS) {
            for (asset, asset_name) in (0_u16..).zip(ASSETS) {
                let total = portfolio.balances().total(AccountId(account), AssetId(asset));
                money(format!("{account_name} {asset_name}"), Some(total));
            }
        }
        let measures = portfolio.measures();
        money("equity".into(), measures.equity());
        money("exposure".into(), portfolio.exposure(None, &view));
        for (asset, asset_name) in (0_u16..).zip(ASSETS) {
            let net = portfolio.net_exposure(AssetId(asset), &view);
            money(format!("net {asset_name}"), net);
        }
        money("fees".into(), Some(portfolio.fees()));
        money("funding".into(), Some(portfolio.funding()));
        for (id, name) in [(StrategyId(0), "s1"), (StrategyId(1), "s2")] {
            money(format!("capital {name}"), portfolio.strategy_capital(id, &view));
        }
        for (id, spec) in (0_u32..).map(InstrumentId).zip(&INSTRUMENTS).filter(|(_, i)| i.traded) {
            let (name, held) = (spec.name, portfolio.position(id));
            money(format!("position {name}"), Some(held.qty));
            money(format!("basis {name}"), Some(held.basis));
            for (strategy, owner) in
                [(Some(StrategyId(0)), "s1"), (Some(StrategyId(1)), "s2"), (None, "nobody")]
            {
                let rows = portfolio.ledgers().rows().iter();
                let row = rows.clone().find(|row| row.strategy == strategy && row.instrument == id);
                let row = row.unwrap();
                money(format!("{owner} {name}"), Some(row.position.qty));
                money(format!("{owner} basis {name}"), Some(row.position.basis));
                money(format!("{owner} net {name}"), Some(row.net()));
            }
        }
        let mut share = |name: String, share: Option<(Money, Money)>| {
            let text = |amount: Money| format_trimmed(amount.0, 9);
            told.push((
                name,
                share.map_or("na".into(), |(over, under)| {
                    format!("{} of {}", text(over), text(under))
                }),
            ));
        };
        share("day_loss".into(), measures.day_loss());
        share("day_drawdown".into(), measures.day_drawdown());
        share("week_loss".into(), measures.week_loss());
        share("drawdown".into(), measures.drawdown());
        for (id, name) in [(StrategyId(0), "s1"), (StrategyId(1), "s2")] {
            let measures = portfolio.strategy_measures(id).unwrap();
            share(format!("day_loss {name}"), measures.day_loss());
            share(format!("drawdown {name}"), measures.drawdown());
        }
        for (id, spec) in (0_u32..).map(InstrumentId).zip(&INSTRUMENTS).filter(|(_, i)| i.traded) {
            share(format!("day_loss {}", spec.name), portfolio.symbol_day_loss(id, &view));
            if spec.linear {
                share(format!("margin_ratio {}", spec.name), portfolio.margin_ratio(id, &view));
            }
        }
        for (id, spec) in (0_u32..).map(InstrumentId).zip(&INSTRUMENTS).filter(|(_, i)| i.linear) {
            let price = portfolio.liq_price(id, &view);
            let text = price.map(|price| format_trimmed(price, spec.price_decimals + 1));
            told.push((format!("liq_price {}", spec.name), text.unwrap_or_else(|| "na".into())));
        }
        told
    }
}
