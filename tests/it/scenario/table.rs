//! The text of scenarios: what a table says, as a session and its source.

use dsl::span::Source as RulesText;
use engine::program;
use engine::session::Session;
use engine::setup::paper::{BarFill, LatencySetup, PaperSetup, QueueSetup};
use engine::setup::{
    AccountSetup, Carried, DaySetup, FeeTier, InstrumentSetup, Mode, MoneySetup, RateSetup,
    RateSource, SEMANTICS, Setup, SourceSetup,
};
use engine::source::{Message, Progress, Source};
use model::decimal::parse_mantissa;
use model::event::{
    Bar, BarExtra, Body, BookClear, BookLevel, CashFlow, FeedState, Funding, MarkPrice, OrderAsked,
    Quote, Trade,
};
use model::id::{AssetId, InstrumentId, StrategyId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::{Action, FeedStatus, FlowReason, Side, TimeInForce};
use model::symbol::Symbol;
use model::time::Nanos;

/// 2026-01-05T00:00:00Z, a Monday.
pub(super) const START: i64 = 1_767_571_200_000_000_000;
const MS: i64 = 1_000_000;
const DAY_MS: i64 = 86_400_000;
pub(super) const PRICE_DECIMALS: u8 = 1;
pub(super) const QTY_DECIMALS: u8 = 3;
const MINUTE_NS: i64 = 60_000 * MS;
pub(super) const STRATEGIES: [&str; 3] = ["a", "b", "c"];
/// By id.
const ASSETS: [&str; 3] = ["USDT", "BTC", "BNB"];

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    terms: Terms,
    rules: Vec<String>,
    messages: Vec<Message>,
    /// Names of the orders that are asked for, in order.
    pub(super) orders: Vec<String>,
    pub(super) expected: Vec<String>,
}

/// What a scenario may differ in.
#[derive(Debug)]
struct Terms {
    /// `market book|silent|quotes|trades|bars`: what the data carries; silent is a book without
    /// trades.
    carries: Carried,
    /// `kind spot|linear`.
    linear: bool,
    /// `fees MAKER TAKER quote|received`, in basis points.
    fees: (Rate, Rate, FeeAsset),
    /// `latency ORDER RESPONSE`, in milliseconds; 2 and 1.
    /// `drawn NS:COUNT,...`: the order latency is drawn, with seed 1.
    /// `queue prob`, `fill close`.
    paper: PaperSetup,
    /// `hold AMOUNT ASSET`: opening balances instead of 10,000 USDT.
    balances: Vec<(String, i128)>,
    /// `least AMOUNT`: smallest order value.
    least: Money,
    /// `tier VOLUME MAKER TAKER`: lower fees, in basis points.
    tiers: Vec<FeeTier>,
    /// `day HOURS AHEAD`: days begin at that hour of a clock that is so many hours ahead of UTC.
    day: DaySetup,
    /// `rate AMOUNT ASSET`: what one is worth, fixed.
    rates: Vec<RateSetup>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            carries: Carried { quotes: false, book: true, trades: true, bar_ns: 0 },
            linear: false,
            fees: (Rate(200_000), Rate(500_000), FeeAsset::Quote),
            paper: PaperSetup::constant(2 * MS, MS),
            balances: Vec::new(),
            least: Money::units(5),
            tiers: Vec::new(),
            day: DaySetup::default(),
            rates: Vec::new(),
        }
    }
}

fn number(text: &str, decimals: u8) -> i64 {
    let digits = text.replace('_', "");
    parse_mantissa(digits.as_bytes(), decimals).unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn price(text: &str) -> Price {
    Price(number(text, PRICE_DECIMALS))
}

fn qty(text: &str) -> Qty {
    Qty(number(text, QTY_DECIMALS))
}

fn side(word: &str) -> Side {
    match word {
        "buy" | "bid" => Side::Buy,
        "sell" | "ask" => Side::Sell,
        other => panic!("`{other}` is no side"),
    }
}

/// Reads all tables of a text.
pub(super) fn read(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(name) = line.strip_prefix("scenario ") {
            tables.push(Table {
                name: name.trim().to_owned(),
                terms: Terms::default(),
                rules: Vec::new(),
                messages: Vec::new(),
                orders: Vec::new(),
                expected: Vec::new(),
            });
        } else if !line.is_empty() {
            tables.last_mut().expect("a scenario line first").line(line);
        }
    }
    tables
}

impl Table {
    fn line(&mut self, line: &str) {
        if let Some(expected) = line.strip_prefix("= ") {
            self.expected.push(expected.split_whitespace().collect::<Vec<_>>().join(" "));
        } else if let Some(terms) = line.strip_prefix("setup ") {
            self.terms.read(terms);
        } else if let Some(rule) = line.strip_prefix("rule ") {
            self.rules.push(rule.to_owned());
        } else {
            self.event(line);
        }
    }

    fn event(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (day, ms) = words[0].split_once('+').unwrap_or(("0", words[0]));
        let ms = day.parse::<i64>().expect("a day") * DAY_MS + ms.parse::<i64>().expect("a time");
        let mut updates = Vec::new();
        match words[1] {
            "level" => updates.push(Body::BookLevel(BookLevel {
                side: side(words[2]),
                price: price(words[3]),
                qty: qty(words[4]),
                ..BookLevel::default()
            })),
            "clear" => updates.push(Body::BookClear(BookClear::default())),
            "quote" => updates.push(Body::Quote(Quote {
                bid: price(words[2]),
                bid_qty: qty(words[3]),
                ask: price(words[4]),
                ask_qty: qty(words[5]),
                update_id: 0,
            })),
            "trade" => updates.push(Body::Trade(Trade {
                price: price(words[2]),
                qty: qty(words[3]),
                taker: side(words[4]),
                ..Trade::default()
            })),
            "bar" => {
                let start = Nanos(START + ms * MS - MINUTE_NS);
                let extra = BarExtra { start, length_ns: MINUTE_NS, ..BarExtra::default() };
                updates.push(Body::BarExtra(extra));
                updates.push(Body::Bar(Bar {
                    open: price(words[2]),
                    high: price(words[3]),
                    low: price(words[4]),
                    close: price(words[5]),
                    volume: qty(words[6]),
                }));
            }
            "state" => {
                let synced = words[2] == "synced";
                let status = if synced { FeedStatus::Synced } else { FeedStatus::Gap };
                updates.push(Body::FeedState(FeedState { status, ..FeedState::default() }));
            }
            // The feed says once more that it is synced: time has passed.
            "end" => updates.push(Body::FeedState(FeedState {
                status: FeedStatus::Synced,
                ..FeedState::default()
            })),
            "mark" => updates
                .push(Body::MarkPrice(MarkPrice { mark: mark(words[2]), ..MarkPrice::default() })),
            "funding" => updates.push(Body::Funding(Funding {
                rate: Rate(number(words[2].strip_suffix('%').expect("a share"), 7)),
                mark: mark(words[4]),
                ..Funding::default()
            })),
            "flow" => updates.push(Body::CashFlow(flow(&words))),
            "cancel" => updates.push(Body::OrderAsked(cancel(&words))),
            _ => {
                self.orders.push(words[2].to_owned());
                updates.push(Body::OrderAsked(order(&words)));
            }
        }
        let updates = updates.into_iter().map(|body| (InstrumentId(0), body)).collect();
        self.messages.push(Message { ts: Nanos(START + ms * MS), source: 0, updates });
    }

    /// Returns the session that the table describes.
    pub(super) fn session(&self) -> Session {
        let Terms { carries, linear, balances, paper, tiers, rates, day, .. } = &self.terms;
        let balances = if balances.is_empty() {
            vec![("USDT".to_owned(), 10_000_000_000_000)]
        } else {
            balances.clone()
        };
        let setup = Setup {
            semantics: SEMANTICS,
            mode: Mode::Backtest,
            run_id: format!("{:032x}", 1),
            config: None,
            seed: 0,
            reporting: "USDT".to_owned(),
            assets: ASSETS.map(str::to_owned).to_vec(),
            instruments: vec![InstrumentSetup {
                fee_tiers: tiers.clone(),
                ..InstrumentSetup::of(&self.terms.instrument(), *carries)
            }],
            accounts: vec![AccountSetup {
                name: "paper".to_owned(),
                venue: "x".to_owned(),
                linear: *linear,
                balances,
                protect: Vec::new(),
            }],
            sources: vec![SourceSetup { name: "scenario".to_owned(), hash: String::new() }],
            paper: paper.clone(),
            traded: vec![0],
            money: MoneySetup { rates: rates.clone(), day: day.clone(), ..MoneySetup::plain() },
        };
        let text = self.rules_text();
        let checked = program::load(vec![RulesText { name: "scenario.rules".to_owned(), text }]);
        let checked = checked.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        Session::build(setup, &checked).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Returns the table's risk block, and strategies that fire nothing.
    fn rules_text(&self) -> String {
        let Terms { carries, linear, .. } = &self.terms;
        let symbol = if *linear { "BTC_USDT.PERP" } else { "BTC_USDT" };
        let trigger = if carries.bar_ns > 0 {
            "bar 1m"
        } else if carries.trades {
            "trade"
        } else {
            "book"
        };
        let every = if trigger == "book" { " every 1s" } else { "" };
        let mut text = "rules 1\nrisk limits soft {\n  applies to all\n".to_owned();
        text += "  deny NEVER when false\n";
        for rule in &self.rules {
            text += &format!("  {rule}\n");
        }
        text += "}\n";
        for name in STRATEGIES {
            text += &format!(
                "strategy {name} {{\n  on {trigger} of {symbol}{every}\n  \
                 enter long NEVER when false at_market size 10 USDT\n}}\n"
            );
        }
        text
    }

    /// Returns the table's messages as a source, whose feed is synced first.
    pub(super) fn source(&self) -> Script {
        let ts = self.messages.first().expect("a message").ts;
        let synced = FeedState { status: FeedStatus::Synced, ..FeedState::default() };
        let updates = vec![(InstrumentId(0), Body::FeedState(synced))];
        let mut messages = vec![Message { ts, source: 0, updates }];
        messages.extend(self.messages.iter().cloned());
        Script { messages, at: 0 }
    }
}

/// Returns a price at the scale of marks.
fn mark(text: &str) -> Price {
    Price(number(text, PRICE_DECIMALS + 1))
}

fn flow(words: &[&str]) -> CashFlow {
    let asset = ASSETS.iter().position(|known| *known == words[3]).expect("an asset");
    CashFlow {
        amount: Money(number(words[2], 9).into()),
        asset: AssetId(u16::try_from(asset).unwrap()),
        by: 7,
        reason: match words[4] {
            "deposit" => FlowReason::Deposit,
            "withdrawal" => FlowReason::Withdrawal,
            "adjustment" => FlowReason::Adjustment,
            other => panic!("`{other}` is no reason of a flow"),
        },
        ..CashFlow::default()
    }
}

fn cancel(words: &[&str]) -> OrderAsked {
    let action = match words[2] {
        "entries" => Action::CancelEntries,
        "exits" => Action::CancelExit,
        other => panic!("`{other}` is nothing to cancel"),
    };
    let mut asked = OrderAsked { action, ..OrderAsked::default() };
    options(&mut asked, &words[3..]);
    asked
}

fn order(words: &[&str]) -> OrderAsked {
    assert_eq!(words[4], "at", "{words:?}");
    let mut asked = OrderAsked {
        side: side(words[1]),
        qty: qty(words[3]),
        price: price(words[5]),
        ..OrderAsked::default()
    };
    options(&mut asked, &words[6..]);
    asked
}

fn options(asked: &mut OrderAsked, words: &[&str]) {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "ioc" => asked.tif = TimeInForce::Ioc,
            "fok" => asked.tif = TimeInForce::Fok,
            "post_only" => asked.post_only = true,
            "exit" => asked.action = Action::Exit,
            "ttl" => asked.ttl_ns = number(words.next().expect("a time to live"), 0) * MS,
            "stop" => {
                (asked.stop, asked.stopped) = (price(words.next().expect("a stop")), true);
            }
            "by" => {
                let name = words.next().expect("a strategy");
                let id = STRATEGIES.iter().position(|known| known == name).expect("a strategy");
                asked.strategy = StrategyId(u16::try_from(id).unwrap());
            }
            other => panic!("`{other}` is no option of an order"),
        }
    }
}

impl Terms {
    fn read(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[0] {
            "market" => {
                let none = Carried { quotes: false, book: false, trades: false, bar_ns: 0 };
                self.carries = match words[1] {
                    "book" => Carried { book: true, trades: true, ..none },
                    "silent" => Carried { book: true, ..none },
                    "quotes" => Carried { quotes: true, trades: true, ..none },
                    "trades" => Carried { trades: true, ..none },
                    "bars" => Carried { bar_ns: MINUTE_NS, ..none },
                    other => panic!("`{other}` is no market"),
                };
            }
            "kind" => self.linear = words[1] == "linear",
            "fees" => {
                let rate = |text| Rate(number(text, 5));
                let asset = FeeAsset::parse(words[3]).expect("a fee asset");
                self.fees = (rate(words[1]), rate(words[2]), asset);
            }
            "latency" => {
                let ns = |text| LatencySetup::Constant { ns: number(text, 0) * MS };
                (self.paper.order_latency, self.paper.response_latency) =
                    (ns(words[1]), ns(words[2]));
            }
            "drawn" => {
                let lines = words[1].replace(':', " ").replace(',', "\n");
                let drawn = LatencySetup::histogram("scenario", &lines, 1);
                self.paper.order_latency = drawn.expect("a histogram");
            }
            "queue" => self.paper.queue = QueueSetup::Prob,
            "fill" => self.paper.bar_fill = BarFill::Close,
            "hold" => {
                self.balances.push((words[2].to_owned(), number(words[1], 9).into()));
            }
            "tier" => {
                let rate = |text| number(text, 5);
                self.tiers.push(FeeTier {
                    volume_from: number(words[1], 9).into(),
                    maker: rate(words[2]),
                    taker: rate(words[3]),
                });
            }
            "day" => {
                let hours = |text| number(text, 0) * 3_600_000 * MS;
                let (name, offsets) = (text.to_owned(), vec![(0, hours(words[2]))]);
                self.day = DaySetup { name, start_ns: hours(words[1]), offsets };
            }
            "rate" => self.rates.push(RateSetup {
                asset: words[2].to_owned(),
                from: RateSource::Fixed(number(words[1], 9).into()),
            }),
            "least" => self.least = Money(number(words[1], 9).into()),
            other => panic!("`{other}` is no setup"),
        }
    }

    fn instrument(&self) -> Instrument {
        let symbol = if self.linear { "x:BTC_USDT.PERP" } else { "x:BTC_USDT" };
        let (fee_maker, fee_taker, fee_asset) = self.fees.clone();
        Instrument {
            symbol: Symbol::parse(symbol).unwrap(),
            venue_symbol: "BTCUSDT".to_owned(),
            kind: if self.linear { Kind::LinearPerpetual } else { Kind::Spot },
            settle: "USDT".to_owned(),
            price_scale: Scale::new(PRICE_DECIMALS).unwrap(),
            qty_scale: Scale::new(QTY_DECIMALS).unwrap(),
            tick: Price(1),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: self.least,
            fee_maker,
            fee_taker,
            fee_asset,
            fee_scale: Scale::new(8).unwrap(),
            protect: Rate(5_000_000),
            flatten_band: Rate(20_000_000),
            half_spread: Rate(1_000_000),
            mark_spread_max: Rate(10_000_000),
            mark_age_max_ns: 10_000_000_000,
            mark_liquidation: false,
            leverage_max: if self.linear { 3 } else { 1 },
            maintenance: Rate(if self.linear { 5_000_000 } else { 0 }),
        }
    }
}

/// The messages of a table, one after the other.
#[derive(Debug)]
pub(super) struct Script {
    messages: Vec<Message>,
    at: usize,
}

impl Source for Script {
    fn peek(&mut self) -> Option<Nanos> {
        self.messages.get(self.at).map(|message| message.ts)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        let Some(next) = self.messages.get(self.at) else { return false };
        into.clone_from(next);
        self.at += 1;
        true
    }

    fn progress(&self) -> Progress {
        Progress { messages: u64::try_from(self.at).unwrap(), ..Progress::default() }
    }
}
