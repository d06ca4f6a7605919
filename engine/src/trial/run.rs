//! Runs one test: events into the risk stage of a session, one statement after the other.

use dsl::ast::{Again, Expect, Expr, Name, Test, TestKind};
use dsl::check::testing::{Fact, fact};
use dsl::schema::Field;
use dsl::value::Value;
use model::decimal::format_trimmed;
use model::event::{
    AccountOpened, Body, BookClear, BookLevel, DayRoll, Decision, Event, FeedState, Fill,
    OrderDone, Payload, Quote, SessionStart, Signal, SignalTerms, Timer, Trade,
};
use model::id::{AccountId, AssetId, InstrumentId, NO_INSTRUMENT, OrderNo, Seq, StrategyId};
use model::instrument::{Instrument, Kind};
use model::num::{Money, Price, Qty, Rounding};
use model::order::{
    AccountKind, Action, DoneReason, FeedStatus, Liquidity, Side, TimeInForce, Verdict,
};
use model::reject::Code;
use model::time::Nanos;

use super::given::{Stated, mantissa, number};
use super::stage::{OPENING, World};
use super::{Found, Tried, Wanted};
use crate::portfolio::open::OpenOrder;
use crate::portfolio::position::Position;
use crate::portfolio::{asset_id, at, instrument_id};
use crate::risk::{Risk, Standing};
use crate::stage::{Out, Stage};

/// Quantity of a quote that says none: a thousand units.
const DEEP: i64 = 1_000;

/// A test while it runs.
pub(super) struct Run<'a> {
    world: &'a World,
    risk: Risk<Stated>,
    stated: Stated,
    /// Given since the last event: stated together before the next.
    is_restated: bool,
    seq: u64,
    now: Nanos,
    /// When the stage wants to be woken.
    timer: Option<Nanos>,
    out: Out,
    /// The last verdict, and the event that asked for it.
    last: Option<(Decision, InstrumentId)>,
    /// Approved orders that are open: what fills are of.
    open: Vec<(OrderNo, InstrumentId, Side, Qty)>,
    /// Rules that spoke against an order, and that let one pass.
    pub(super) tried: Tried,
}

impl<'a> Run<'a> {
    /// Begins a test in its world.
    pub(super) fn new(world: &'a World, test: &Test) -> Result<Self, String> {
        let mut stated = Stated::default();
        // What a test need not say: the table of `engine rules explain defaults`.
        for (field, value) in defaults() {
            stated.set(field, value);
        }
        let risk = Risk::with_given(&world.setup, &world.instruments, &world.bound, stated.clone());
        let mut run = Self {
            world,
            risk,
            stated,
            is_restated: true,
            seq: 0,
            now: world.begin,
            timer: None,
            out: Out::new(),
            last: None,
            open: Vec::new(),
            tried: Tried::default(),
        };
        run.begin(test)?;
        Ok(run)
    }

    fn send<P: Payload>(&mut self, instrument: InstrumentId, payload: &P) {
        self.seq = self.seq.saturating_add(1);
        let event = Event::new(Seq(self.seq), self.now, instrument, payload);
        self.out.clear();
        if self.is_restated {
            self.is_restated = false;
            self.risk.restate(self.stated.clone());
        }
        self.risk.step(&event, &mut self.out);
        self.look();
    }

    /// Takes what the stage put out: timers, verdicts, warnings.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a test looks at these only")]
    fn look(&mut self) {
        for event in self.out.events() {
            match event.body() {
                Body::Wake(wake) => self.timer = Some(wake.due),
                Body::Decision(decision) => self.last = Some((decision, event.instrument)),
                Body::Alert(alert) => self.tried.spoke.extend(alert.code.rule_index()),
                Body::LatchChanged(changed) => {
                    let binds = changed.state == model::order::LatchState::Armed;
                    self.tried.spoke.extend(changed.code.rule_index().filter(|_| binds));
                }
                Body::DecisionRules(rules) => {
                    let words = [rules.rules_0, rules.rules_1, rules.rules_2, rules.rules_3];
                    let approved =
                        self.last.is_some_and(|(last, _)| last.verdict == Verdict::Approve);
                    for number in 0..self.world.bound.rules.len() {
                        let word = words.get(number >> 6).copied().unwrap_or(0);
                        let spoke = word & (1 << (number & 63)) != 0;
                        let Ok(number) = u16::try_from(number) else { continue };
                        if spoke {
                            self.tried.spoke.insert(number);
                        } else if approved {
                            self.tried.silent.insert(number);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Opens the accounts as given: what is held is in the balance, or is the position.
    fn begin(&mut self, test: &Test) -> Result<(), String> {
        self.send(NO_INSTRUMENT, &SessionStart::default());
        let linear = self.world.instruments.iter().any(|i| i.kind == Kind::LinearPerpetual);
        let account = AccountId(u16::from(linear));
        let kind = if linear { AccountKind::Linear } else { AccountKind::Cash };
        let total = Money(self.world.opening);
        let opened = AccountOpened { total, account, asset: AssetId(0), kind };
        self.send(NO_INSTRUMENT, &opened);
        let mut held = Vec::new();
        for (group, of, facts) in super::stage::all_given(test) {
            let place = of.filter(|_| group == "position").and_then(|of| self.world.place(of));
            let Some(place) = place else { continue };
            held.push((place, facts));
        }
        for (place, facts) in held {
            self.hold(place, facts, account)?;
        }
        self.send(NO_INSTRUMENT, &DayRoll { date: self.world.begin.date() });
        Ok(())
    }

    /// Puts a given position where it is held.
    fn hold(
        &mut self,
        place: usize,
        facts: &[(Name, Expr)],
        account: AccountId,
    ) -> Result<(), String> {
        let given = |name: &str| {
            let found = facts.iter().find(|(known, _)| known.text == name);
            found.and_then(|(_, value)| number(value))
        };
        let world = self.world;
        let (Some(qty), Some(facts)) = (given("qty"), world.instruments.get(place)) else {
            return Ok(());
        };
        let qty = mantissa(qty, model::num::MONEY_SCALE)?;
        if facts.kind == Kind::Spot {
            let asset = asset_id(&world.setup.assets, &facts.symbol.base);
            let total = Money(qty.max(0));
            self.send(
                NO_INSTRUMENT,
                &AccountOpened { total, account, asset, kind: AccountKind::Cash },
            );
            return Ok(());
        }
        let price = given("avg_price").map(|price| mantissa(price, model::num::MONEY_SCALE));
        let price = price.transpose()?.unwrap_or(0);
        let one = 1_000_000_000;
        let basis = model::num::mul_div(qty.saturating_abs(), price, one, Rounding::Ceil);
        let basis = Money(basis.ok_or("the position is too large")?);
        let position = Position { qty: Money(qty), basis, since: self.now };
        self.risk.adopt(instrument_id(place), position);
        Ok(())
    }

    /// Runs one statement. Returns what was expected and found, where that differs.
    pub(super) fn step(&mut self, kind: &TestKind) -> Result<Option<(Wanted, Found)>, String> {
        match kind {
            TestKind::Given { group, of, facts } => {
                let of = of.as_ref().map(|of| of.text.as_str());
                self.given(&group.text, of, facts)?;
            }
            TestKind::Submit { buy, qty, symbol, price, stop, again } => {
                for nth in 0..again.times {
                    self.pass(*again, nth);
                    self.submit(*buy, qty, symbol, price.as_ref(), stop.as_ref())?;
                }
            }
            TestKind::Filled { buy, qty, symbol, price, again } => {
                for nth in 0..again.times {
                    self.pass(*again, nth);
                    self.filled(*buy, qty, symbol, price)?;
                }
            }
            TestKind::Advance(length) => self.advance(*length),
            TestKind::Expect(expect) => return self.expect(expect),
            TestKind::FeedFile(_) | TestKind::FeedBars(_) => {
                return Err("`feed` is for tests of strategies".to_owned());
            }
        }
        Ok(None)
    }

    fn instrument(&self, name: &str) -> Result<(InstrumentId, &'a Instrument), String> {
        let place = self.world.place(name).ok_or_else(|| format!("no instrument {name}"))?;
        let facts = self.world.instruments.get(place).ok_or("no such instrument")?;
        Ok((instrument_id(place), facts))
    }

    fn given(
        &mut self,
        group: &str,
        of: Option<&str>,
        facts: &[(Name, Expr)],
    ) -> Result<(), String> {
        let instrument = match of {
            Some(name) if group != "strategy" => Some(self.instrument(name)?),
            _ => None,
        };
        let assets = &self.world.setup.assets;
        let asset = |name: &str| {
            let at = assets.iter().position(|known| known == name)?;
            u16::try_from(at).ok().map(AssetId)
        };
        for (name, value) in facts {
            if let Some(Fact::Field(info)) = fact(group, &name.text) {
                self.stated.state(info, instrument, value, asset)?;
                self.is_restated = true;
            }
        }
        if let (Some((id, facts_of)), "market" | "book") = (instrument, group) {
            self.quote(id, facts_of, facts)?;
        }
        Ok(())
    }

    /// Sends the market as given: best prices, and the last trade.
    fn quote(
        &mut self,
        id: InstrumentId,
        instrument: &Instrument,
        facts: &[(Name, Expr)],
    ) -> Result<(), String> {
        let price = instrument.price_scale.decimals();
        let qty = instrument.qty_scale.decimals();
        let given = |name: &str, decimals: u8| -> Result<Option<i64>, String> {
            let found = facts.iter().find(|(known, _)| known.text == name);
            let Some(number) = found.and_then(|(_, value)| number(value)) else { return Ok(None) };
            let mantissa = mantissa(number, decimals)?;
            i64::try_from(mantissa).map(Some).map_err(|_| format!("{name} is too large"))
        };
        self.send(id, &FeedState { status: FeedStatus::Synced, ..FeedState::default() });
        if let Some(last) = given("last", price)? {
            let trade = Trade { price: Price(last), qty: instrument.lot, ..Trade::default() };
            self.send(id, &trade);
        }
        let (bid, ask) = (given("bid", price)?, given("ask", price)?);
        if bid.is_none() && ask.is_none() {
            return Ok(());
        }
        let deep = 10_i64.saturating_pow(u32::from(qty)).saturating_mul(DEEP);
        let quote = Quote {
            bid: Price(bid.unwrap_or(0)),
            ask: Price(ask.unwrap_or(0)),
            bid_qty: Qty(given("bid_qty", qty)?.unwrap_or(if bid.is_some() { deep } else { 0 })),
            ask_qty: Qty(given("ask_qty", qty)?.unwrap_or(if ask.is_some() { deep } else { 0 })),
            update_id: 0,
        };
        self.send(id, &quote);
        // The book is what is given of it: one level a side.
        self.send(id, &BookClear::default());
        let levels =
            [(Side::Buy, quote.bid, quote.bid_qty), (Side::Sell, quote.ask, quote.ask_qty)];
        for (side, price, qty) in levels {
            let level = BookLevel { price, qty, side, ..BookLevel::default() };
            self.send(id, &level);
        }
        Ok(())
    }

    fn submit(
        &mut self,
        buy: bool,
        qty: &Name,
        symbol: &Name,
        price: Option<&Name>,
        stop: Option<&Name>,
    ) -> Result<(), String> {
        let (id, instrument) = self.instrument(&symbol.text)?;
        let side = if buy { Side::Buy } else { Side::Sell };
        let qty = written(qty, instrument.qty_scale.decimals())?;
        let read = |name: &Name| written(name, instrument.price_scale.decimals());
        let limit = match price {
            Some(price) => Some(Price(read(price)?)),
            None => self.risk.protected_price(id, side),
        };
        let strategy = StrategyId(self.world.strategy);
        if let Some(stop) = stop.map(read).transpose()?.map(Price) {
            let terms = SignalTerms { stop, stopped: true, strategy, ..SignalTerms::default() };
            self.send(id, &terms);
        }
        self.last = None;
        let signal = Signal {
            price: limit.unwrap_or_default(),
            qty: Qty(qty),
            ttl_ns: 0,
            strategy,
            rule: 0,
            ordinal: 0,
            action: Action::Enter,
            side,
            tif: if price.is_some() { TimeInForce::Gtc } else { TimeInForce::Ioc },
            priced: limit.is_some(),
            protected: price.is_none(),
            post_only: false,
        };
        self.send(id, &signal);
        if let Some((decision, _)) = self.last
            && decision.verdict == Verdict::Approve
        {
            self.open.push((OrderNo::new(Seq(self.seq), 0), id, side, decision.qty));
        }
        Ok(())
    }

    /// A fill of the block's strategy: of its open order on that side, or of one that nothing asked
    /// about.
    fn filled(&mut self, buy: bool, qty: &Name, symbol: &Name, price: &Name) -> Result<(), String> {
        let (id, instrument) = self.instrument(&symbol.text)?;
        let side = if buy { Side::Buy } else { Side::Sell };
        let qty = Qty(written(qty, instrument.qty_scale.decimals())?);
        let price = Price(written(price, instrument.price_scale.decimals())?);
        let fits = |open: &&(OrderNo, InstrumentId, Side, Qty)| {
            (open.1, open.2) == (id, side) && open.3 >= qty
        };
        let order = match self.open.iter().find(fits) {
            Some((order, ..)) => *order,
            None => {
                let order = OrderNo::new(Seq(self.seq.saturating_add(1)), 0);
                let strategy = StrategyId(self.world.strategy);
                let remaining = qty;
                let open = OpenOrder {
                    order,
                    instrument: id,
                    strategy,
                    side,
                    price,
                    remaining,
                    ..OpenOrder::default()
                };
                if !self.risk.admit(open) {
                    return Err("the table of open orders is full".to_owned());
                }
                self.open.push((order, id, side, qty));
                order
            }
        };
        let value = instrument.notional(
            i128::from(price.0),
            instrument.price_scale.decimals(),
            i128::from(qty.0),
            Rounding::Ceil,
        );
        let fee = value.and_then(|value| value.times_rate(instrument.fee_taker, Rounding::Ceil));
        let fee = fee.map_or(0, Money::saturating_i64);
        let fee_asset = asset_id(&self.world.setup.assets, &instrument.settle);
        let liquidity = Liquidity::Taker;
        self.send(id, &Fill { order, price, qty, fee, trade: 0, fee_asset, side, liquidity });
        let left = self.open.iter_mut().find(|open| open.0 == order);
        let left = left.map(|open| {
            open.3 = Qty(open.3.0.saturating_sub(qty.0));
            open.3
        });
        if left.is_some_and(|left| left.0 <= 0) {
            self.open.retain(|open| open.0 != order);
            let reason = DoneReason::Filled;
            self.send(id, &OrderDone { order, filled: qty, code: Code::NONE, reason });
        }
        Ok(())
    }

    /// Lets the time between two repetitions pass.
    fn pass(&mut self, again: Again, nth: u64) {
        if nth > 0 && again.every_ns > 0 {
            self.advance(again.every_ns);
        }
    }

    /// Lets time pass: timers fire when they are due, and days begin.
    fn advance(&mut self, length: i64) {
        let end = self.now.plus(length);
        loop {
            let midnight = Nanos(self.now.date().start().0.saturating_add(DAY_NS));
            let due = self.timer.filter(|due| *due <= end);
            let next = due.into_iter().chain((midnight <= end).then_some(midnight)).min();
            let Some(next) = next else { break };
            self.now = next.max(self.now);
            if due.is_some_and(|due| due <= next) {
                self.timer = None;
                self.send(NO_INSTRUMENT, &Timer { due: next });
            } else {
                self.send(NO_INSTRUMENT, &DayRoll { date: next.date() });
            }
        }
        self.now = end;
    }

    fn expect(&mut self, expect: &Expect) -> Result<Option<(Wanted, Found)>, String> {
        let (wanted, holds) = match expect {
            Expect::State(word) => {
                let found = self.state();
                let wanted = format!("state {}", word.text);
                let differs = (word.text != found).then(|| {
                    (Wanted(wanted), Found { text: format!("state {found}"), verdict: None })
                });
                return Ok(differs);
            }
            Expect::Deny(code) => {
                let holds = self.last.is_some_and(|(last, _)| {
                    last.verdict == Verdict::Deny && self.code(last.code) == code.text
                });
                (format!("deny {}", code.text), holds)
            }
            Expect::Approve { qty, with } => {
                let mut wanted = "approve".to_owned();
                if let Some(qty) = qty {
                    wanted.push_str(&format!(" qty {}", qty.text));
                }
                if let Some(with) = with {
                    wanted.push_str(&format!(" with {}", with.text));
                }
                (wanted, self.is_approved(qty.as_ref(), with.as_ref())?)
            }
            Expect::NoSignal | Expect::Signal { .. } | Expect::Quote { .. } => {
                return Err("a risk block gives no signal".to_owned());
            }
        };
        Ok((!holds).then(|| (Wanted(wanted), self.found())))
    }

    fn is_approved(&self, qty: Option<&Name>, with: Option<&Name>) -> Result<bool, String> {
        let Some((last, id)) = self.last else { return Ok(false) };
        let facts = at(&self.world.instruments, id).ok_or("no such instrument")?;
        let qty = qty.map(|qty| written(qty, facts.qty_scale.decimals())).transpose()?;
        let code = self.code(last.code);
        Ok(last.verdict == Verdict::Approve
            && qty.is_none_or(|qty| last.qty.0 == qty)
            && with.is_none_or(|with| code == with.text)
            && (with.is_some() || qty.is_none() || code.is_empty()))
    }

    fn state(&mut self) -> &'static str {
        match self.risk.standing_now() {
            Standing::Running => "running",
            Standing::ReduceOnly => "reduce_only",
            Standing::Halted => "halted",
        }
    }

    fn code(&self, code: Code) -> String {
        self.world.bound.code_name(code)
    }

    /// What was found, in the words of a test.
    fn found(&self) -> Found {
        let Some((last, id)) = self.last else {
            return Found { text: "no order was submitted".to_owned(), verdict: None };
        };
        let decimals = at(&self.world.instruments, id).map_or(0, |i| i.qty_scale.decimals());
        let code = self.code(last.code);
        let text = match last.verdict {
            Verdict::Deny => format!("deny {code}"),
            Verdict::Approve => {
                let with = if code.is_empty() { String::new() } else { format!(" with {code}") };
                format!("approve qty {}{with}", format_trimmed(last.qty.0.into(), decimals))
            }
        };
        let event = Event::new(Seq(self.seq), self.now, id, &last);
        Found { text, verdict: Some(event) }
    }
}

const DAY_NS: i64 = 86_400_000_000_000;

/// Reads a number of a test at the scale of its instrument.
fn written(name: &Name, decimals: u8) -> Result<i64, String> {
    let clean: String = name.text.chars().filter(|c| *c != '_').collect();
    model::decimal::parse_mantissa(clean.as_bytes(), decimals)
        .map_err(|error| format!("{}: {error}", name.text))
}

/// Facts of every test that it need not give: a healthy venue, and nothing done yet.
pub(super) fn defaults() -> Vec<(Field, Value)> {
    vec![
        (Field::FeedAge, Value::known(0)),
        (Field::FeedSynced, Value::TRUE),
        (Field::VenueAcceptsOrders, Value::TRUE),
        (Field::ControlLevel, Value::known(0)),
        (Field::ControlBy, Value::known(0)),
        (Field::AccountDayLoss, Value::known(0)),
        (Field::AccountDayDrawdown, Value::known(0)),
        (Field::AccountDrawdown, Value::known(0)),
        (Field::StrategyCapital, Value::known(OPENING)),
        (Field::StrategyExposure, Value::known(0)),
        (Field::StrategyPosition, Value::known(0)),
        (Field::StrategyDayLoss, Value::known(0)),
        (Field::StrategyDrawdown, Value::known(0)),
        (Field::StrategyOpenOrders, Value::known(0)),
        (Field::StrategyOrderToTrade, Value::known(0)),
    ]
}
