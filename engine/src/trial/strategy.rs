//! Runs one test of a strategy: made bars and books into the strategy stage of a session.
//!
//! What the strategy asks for is not judged and not filled: a test of a strategy says what it
//! signals, and `filled` says what became of it. `feed bars` gives closed bars to a strategy that
//! wakes on bars, trades at each close to all that do not wake on the book, and to all a touch a
//! tick wide on both sides of each close, unless the test gives a touch of its own. An expectation
//! looks at everything since the one before.

use dsl::ast::{Bars, Expect, Expr, Name, TestKind};
use dsl::typed::Trigger;
use dsl::value::Truth;
use model::decimal::format_trimmed;
use model::event::{
    Bar, BarExtra, Body, BookClear, BookLevel, DayRoll, Event, FeedState, Fill, Kind, OrderDone,
    Payload, Quote, SessionStart, Signal, Timer, Trade,
};
use model::id::{AssetId, InstrumentId, NO_INSTRUMENT, OrderNo, Seq};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, div_round, mul_div, pow10};
use model::order::{DoneReason, FeedStatus, Liquidity, Side};
use model::reject::Code;
use model::time::{Nanos, SECOND_NS};

use super::given::{mantissa, number};
use super::stage::World;
use super::{Found, Tried, Wanted};
use crate::portfolio::instrument_id;
use crate::portfolio::position::Position;
use crate::stage::{Out, Stage};
use crate::strategy::Strategy;

/// Time between two made touches or trades: no conflation is longer in what ships.
const STEP_NS: i64 = SECOND_NS;

/// A signal that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    signal: Signal,
    order: OrderNo,
    instrument: InstrumentId,
    /// Bars fed until then.
    bars: u64,
    /// It has been filled whole by the test.
    ended: bool,
}

/// A test while it runs.
pub(super) struct Drill<'a> {
    world: &'a World,
    stage: Strategy,
    trigger: Trigger,
    seq: u64,
    now: Nanos,
    out: Out,
    bars: u64,
    seen: Vec<Seen>,
    /// How many of them earlier expectations have looked at.
    looked: usize,
    /// The next stimulus begins what the next expectation looks at.
    asked: bool,
    /// The test has given a touch: it stands, and none is made for closes that are fed.
    touched: bool,
    /// Rules that fired, and those that did not.
    pub(super) tried: Tried,
}

impl<'a> Drill<'a> {
    /// Begins a test in its world; nothing when the strategy does not run there.
    pub(super) fn new(world: &'a World) -> Option<Self> {
        let first = world.bound.instances.first()?;
        let mut drill = Self {
            stage: Strategy::new(&world.setup, &world.instruments, &world.bound),
            trigger: first.code.trigger(),
            world,
            seq: 0,
            now: world.begin,
            out: Out::new(),
            bars: 0,
            seen: Vec::new(),
            looked: 0,
            asked: false,
            touched: false,
            tried: Tried::default(),
        };
        drill.send(NO_INSTRUMENT, &SessionStart::default());
        drill.send(NO_INSTRUMENT, &DayRoll { date: world.begin.date() });
        for (place, _) in (0..).zip(&world.instruments) {
            let synced = FeedState { status: FeedStatus::Synced, ..FeedState::default() };
            drill.send(instrument_id(place), &synced);
        }
        Some(drill)
    }

    fn send<P: Payload>(&mut self, instrument: InstrumentId, payload: &P) {
        self.seq = self.seq.saturating_add(1);
        let event = Event::new(Seq(self.seq), self.now, instrument, payload);
        self.out.clear();
        self.stage.step(&event, &mut self.out);
        for event in self.out.events() {
            if let Body::Signal(signal) = event.body()
                && signal.action.asks_for_order()
            {
                self.tried.spoke.insert(signal.rule);
                self.seen.push(Seen {
                    signal,
                    order: OrderNo::new(event.seq, signal.ordinal),
                    instrument: event.instrument,
                    bars: self.bars,
                    ended: false,
                });
            }
        }
        if self.is_trigger(P::KIND) {
            let first = self.world.bound.instances.first().map(|first| first.instrument);
            self.note(if instrument == NO_INSTRUMENT {
                first.unwrap_or(instrument)
            } else {
                instrument
            });
        }
    }

    fn is_trigger(&self, kind: Kind) -> bool {
        match self.trigger {
            Trigger::Bar(_) => kind == Kind::Bar,
            Trigger::Book(_) => kind == Kind::Quote,
            Trigger::Trade => kind == Kind::Trade,
            Trigger::Timer(_) => kind == Kind::Timer,
        }
    }

    /// Notes what the rules said on a trigger. An enter or exit has spoken when it has asked for
    /// an order: one that meets a position it cannot change says nothing.
    fn note(&mut self, instrument: InstrumentId) {
        for (number, said, cancels) in self.stage.said(instrument) {
            match said {
                Truth::True if cancels => {
                    self.tried.spoke.insert(number);
                }
                Truth::False => {
                    self.tried.silent.insert(number);
                }
                Truth::True | Truth::Unknown(_) => {}
            }
        }
    }

    /// Runs one statement. Returns what was expected and found, where that differs.
    pub(super) fn step(&mut self, kind: &TestKind) -> Result<Option<(Wanted, Found)>, String> {
        if !matches!(kind, TestKind::Expect(_)) && std::mem::take(&mut self.asked) {
            self.looked = self.seen.len();
        }
        match kind {
            TestKind::Given { group, of, facts } => {
                let of = of.as_ref().map(|of| of.text.as_str());
                self.given(&group.text, of, facts)?;
            }
            TestKind::FeedBars(bars) => {
                for one in bars {
                    self.feed(one)?;
                }
            }
            TestKind::Filled { buy, qty, symbol, price, .. } => {
                self.filled(*buy, qty, symbol, price)?;
            }
            TestKind::Advance(length) => self.advance(*length),
            TestKind::Expect(expect) => {
                self.asked = true;
                return self.expect(expect);
            }
            TestKind::Submit { .. } => {
                return Err("`submit` is for tests of risk blocks".to_owned());
            }
            TestKind::FeedFile(_) => {
                return Err("`feed \"file\"` does not run in this version; write bars".to_owned());
            }
        }
        Ok(None)
    }

    /// Lets time pass, and with it the timers of a strategy that wakes on them.
    fn advance(&mut self, length: i64) {
        let end = self.now.plus(length);
        while let Trigger::Timer(length_ns) = self.trigger {
            let due = self.now.floor_to(length_ns).plus(length_ns);
            if due > end {
                break;
            }
            self.now = due;
            self.send(NO_INSTRUMENT, &Timer { due });
        }
        self.now = end;
    }

    fn instrument(&self, name: &str) -> Result<(InstrumentId, &'a Instrument), String> {
        let place = self.world.place(name).ok_or_else(|| format!("no instrument {name}"))?;
        let facts = self.world.instruments.get(place).ok_or("no such instrument")?;
        Ok((instrument_id(place), facts))
    }

    /// The market of `feed bars`: the first that the test or the strategy names.
    fn fed(&self) -> Result<(InstrumentId, &'a Instrument), String> {
        let first = self.world.bound.instances.first().ok_or("the strategy runs nowhere")?;
        let place = usize::try_from(first.instrument.0).unwrap_or(usize::MAX);
        let facts = self.world.instruments.get(place).ok_or("no such instrument")?;
        Ok((first.instrument, facts))
    }

    fn given(
        &mut self,
        group: &str,
        of: Option<&str>,
        facts: &[(Name, Expr)],
    ) -> Result<(), String> {
        let Some(of) = of.filter(|_| group != "instrument" && group != "strategy") else {
            return Ok(());
        };
        let (id, instrument) = self.instrument(of)?;
        let given = |name: &str, decimals: u8| -> Result<Option<i128>, String> {
            let found = facts.iter().find(|(known, _)| known.text == name);
            let written = found.and_then(|(_, value)| number(value));
            written.map(|written| mantissa(written, decimals)).transpose()
        };
        match group {
            "position" => {
                let qty = given("qty", MONEY_SCALE)?.unwrap_or(0);
                let price = given("avg_price", MONEY_SCALE)?.unwrap_or(0);
                let basis = mul_div(qty.saturating_abs(), price, 1_000_000_000, Rounding::Ceil);
                let basis = Money(basis.ok_or("the position is too large")?);
                let position = Position { qty: Money(qty), basis, since: self.now };
                self.stage.adopt(id, position);
            }
            "market" | "book" => {
                let scale = (instrument.price_scale.decimals(), instrument.qty_scale.decimals());
                if let Some(last) = given("last", scale.0)? {
                    let price = Price(word(last)?);
                    self.send(id, &Trade { price, qty: instrument.lot, ..Trade::default() });
                }
                let (bid, ask) = (given("bid", scale.0)?, given("ask", scale.0)?);
                if bid.is_some() || ask.is_some() {
                    let deep = pow10(scale.1).unwrap_or(1).saturating_mul(1_000);
                    let qty = |name: &str, stands: bool| -> Result<Qty, String> {
                        let least = if stands { deep } else { 0 };
                        Ok(Qty(word(given(name, scale.1)?.unwrap_or(least))?))
                    };
                    let touch = Quote {
                        bid: Price(word(bid.unwrap_or(0))?),
                        ask: Price(word(ask.unwrap_or(0))?),
                        bid_qty: qty("bid_qty", bid.is_some())?,
                        ask_qty: qty("ask_qty", ask.is_some())?,
                        update_id: 0,
                    };
                    self.touched = true;
                    self.touch(id, &touch);
                    self.now = self.now.plus(STEP_NS);
                }
            }
            _ => return Err(format!("`given {group}` says nothing to a strategy")),
        }
        Ok(())
    }

    /// Sends a book of one level a side, and its touch.
    fn touch(&mut self, id: InstrumentId, touch: &Quote) {
        self.send(id, &BookClear::default());
        let sides = [(Side::Buy, touch.bid, touch.bid_qty), (Side::Sell, touch.ask, touch.ask_qty)];
        for (side, price, qty) in sides {
            if qty.0 > 0 {
                self.send(id, &BookLevel { price, qty, side, ..BookLevel::default() });
            }
        }
        self.send(id, touch);
    }

    /// Feeds closes: one, one several times, or a ramp whose last is `to`.
    fn feed(&mut self, bars: &Bars) -> Result<(), String> {
        let (id, instrument) = self.fed()?;
        let price = instrument.price_scale.decimals();
        let from = written(&bars.from, price)?;
        let to = bars.to.as_ref().map(|to| written(to, price)).transpose()?;
        let volume = match &bars.volume {
            Some(volume) => written(volume, instrument.qty_scale.decimals())?,
            None => pow10(instrument.qty_scale.decimals()).unwrap_or(1),
        };
        let times = bars.times.unwrap_or(1);
        for nth in 1..=times {
            let close = match to {
                None => from,
                Some(to) => {
                    // The start of a ramp is the close before it.
                    let way = to.saturating_sub(from).saturating_mul(i128::from(nth));
                    let step = div_round(way, i128::from(times), Rounding::HalfEven);
                    from.saturating_add(step.unwrap_or(0))
                }
            };
            let tick = i128::from(instrument.tick.0);
            let ticks = div_round(close, tick, Rounding::HalfEven).unwrap_or(0);
            let close = Price(word(ticks.saturating_mul(tick))?);
            self.one(id, instrument, close, Qty(word(volume)?));
        }
        Ok(())
    }

    /// Feeds one close: what wakes the strategy, and around it the touch that a market would have
    /// then, unless the test has given one.
    fn one(&mut self, id: InstrumentId, instrument: &Instrument, close: Price, volume: Qty) {
        self.bars = self.bars.saturating_add(1);
        let tick = instrument.tick.0;
        let touch = Quote {
            bid: Price(close.0.saturating_sub(tick)),
            ask: Price(close.0.saturating_add(tick)),
            bid_qty: volume,
            ask_qty: volume,
            update_id: 0,
        };
        if let Trigger::Bar(length_ns) = self.trigger {
            let start = self.now.floor_to(length_ns);
            self.now = start.plus(length_ns);
            self.surround(id, &touch);
            if volume.0 > 0 {
                // The source carries trades, and the last of a bar is its close.
                self.send(id, &Trade { price: close, qty: volume, ..Trade::default() });
            }
            self.send(id, &BarExtra { start, length_ns, ..BarExtra::default() });
            let (open, high, low) = (close, close, close);
            self.send(id, &Bar { open, high, low, close, volume });
            return;
        }
        match self.trigger {
            Trigger::Book(_) => self.touch(id, &touch),
            Trigger::Timer(length_ns) => {
                self.surround(id, &touch);
                self.send(id, &Trade { price: close, qty: volume, ..Trade::default() });
                return self.advance(length_ns);
            }
            Trigger::Trade | Trigger::Bar(_) => {
                self.surround(id, &touch);
                self.send(id, &Trade { price: close, qty: volume, ..Trade::default() });
            }
        }
        self.now = self.now.plus(STEP_NS);
    }

    /// Sends the touch around a close, where the source carries one and the test has not said
    /// where it stands.
    fn surround(&mut self, id: InstrumentId, touch: &Quote) {
        let place = usize::try_from(id.0).unwrap_or(usize::MAX);
        let carries = self.world.setup.instruments.get(place).map(|i| i.carries);
        if !self.touched && carries.is_some_and(|carries| carries.quotes) {
            self.touch(id, touch);
        }
    }

    /// Fills the last order of a side that has not ended.
    fn filled(&mut self, buy: bool, qty: &Name, symbol: &Name, price: &Name) -> Result<(), String> {
        let (id, instrument) = self.instrument(&symbol.text)?;
        let side = if buy { Side::Buy } else { Side::Sell };
        let qty = Qty(word(written(qty, instrument.qty_scale.decimals())?)?);
        let price = Price(word(written(price, instrument.price_scale.decimals())?)?);
        let mut open = self.seen.iter_mut().rev();
        let order =
            open.find(|seen| !seen.ended && seen.instrument == id && seen.signal.side == side);
        let Some(seen) = order else {
            return Err(format!("no order of the strategy to {} is open", side.word()));
        };
        let order = seen.order;
        seen.ended = true;
        let (fee_asset, liquidity) = (AssetId(0), Liquidity::Taker);
        self.send(id, &Fill { order, price, qty, fee: 0, trade: 0, fee_asset, side, liquidity });
        let (code, reason) = (Code::NONE, DoneReason::Filled);
        self.send(id, &OrderDone { order, filled: qty, code, reason });
        Ok(())
    }

    fn expect(&self, expect: &Expect) -> Result<Option<(Wanted, Found)>, String> {
        let seen = self.seen.get(self.looked..).unwrap_or_default();
        let holds = match expect {
            Expect::NoSignal => seen.is_empty(),
            Expect::Signal { long, code, at } => seen.iter().any(|seen| {
                self.names(seen, &code.text)
                    && self.is_long(seen) == *long
                    && at.is_none_or(|at| at == seen.bars)
            }),
            Expect::Quote { code, bid, ask } => {
                let leg = |side: Side, price: &Option<Name>| -> Result<bool, String> {
                    let mut legs = seen.iter().rev().filter(|seen| seen.signal.side == side);
                    let Some(price) = price else { return Ok(true) };
                    let leg = legs.find(|seen| self.names(seen, &code.text));
                    let (_, instrument) = self.fed()?;
                    let wanted = written(price, instrument.price_scale.decimals())?;
                    Ok(leg.is_some_and(|leg| i128::from(leg.signal.price.0) == wanted))
                };
                seen.iter().any(|seen| self.names(seen, &code.text))
                    && leg(Side::Buy, bid)?
                    && leg(Side::Sell, ask)?
            }
            Expect::Deny(_) | Expect::Approve { .. } | Expect::State(_) => {
                return Err("a strategy is not judged: expect a signal, or a quote".to_owned());
            }
        };
        if holds {
            return Ok(None);
        }
        let text = seen.iter().map(|seen| self.shown(seen)).collect::<Vec<_>>();
        let text = if text.is_empty() { "no signal".to_owned() } else { text.join(", ") };
        Ok(Some((Wanted(wanted(expect)), Found { text, verdict: None })))
    }

    /// Tells whether a signal is of a rule with this code.
    fn names(&self, seen: &Seen, code: &str) -> bool {
        let rule = self.world.bound.rules.get(usize::from(seen.signal.rule));
        rule.is_some_and(|rule| rule.code == code)
    }

    /// An exit is named by the position that it closes.
    fn is_long(&self, seen: &Seen) -> bool {
        let buys = seen.signal.side == Side::Buy;
        buys != (seen.signal.action == model::order::Action::Exit)
    }

    fn shown(&self, seen: &Seen) -> String {
        let rule = self.world.bound.rules.get(usize::from(seen.signal.rule));
        let code = rule.map_or("", |rule| rule.code.as_str());
        let decimals = self.fed().map_or(0, |(_, facts)| facts.price_scale.decimals());
        let price = format_trimmed(i128::from(seen.signal.price.0), decimals);
        if seen.signal.action == model::order::Action::Quote {
            let leg = if seen.signal.side == Side::Buy { "bid" } else { "ask" };
            return format!("quote {code} {leg} {price}");
        }
        let side = if self.is_long(seen) { "long" } else { "short" };
        format!("signal {side} {code} at bars {}", seen.bars)
    }
}

fn wanted(expect: &Expect) -> String {
    match expect {
        Expect::NoSignal => "no signal".to_owned(),
        Expect::Signal { long, code, at } => {
            let at = at.map(|at| format!(" at bars {at}")).unwrap_or_default();
            format!("signal {} {}{at}", if *long { "long" } else { "short" }, code.text)
        }
        Expect::Quote { code, bid, ask } => {
            let leg = |word: &str, price: &Option<Name>| {
                price.as_ref().map(|price| format!(" {word} {}", price.text)).unwrap_or_default()
            };
            format!("quote {}{}{}", code.text, leg("bid", bid), leg("ask", ask))
        }
        Expect::Deny(_) | Expect::Approve { .. } | Expect::State(_) => String::new(),
    }
}

/// Returns a written number at some decimals.
fn written(name: &Name, decimals: u8) -> Result<i128, String> {
    let clean: String = name.text.chars().filter(|c| *c != '_').collect();
    let mantissa = model::decimal::parse_mantissa(clean.as_bytes(), decimals);
    mantissa.map(i128::from).map_err(|error| format!("{}: {error}", name.text))
}

fn word(number: i128) -> Result<i64, String> {
    i64::try_from(number).map_err(|_| format!("{number} is too large"))
}
