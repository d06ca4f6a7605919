//! The shipped limits (`rules/limits.rules`, block `core`) for one instrument: run by the rules
//! program, and by hand.
//!
//! Both read the same world and fill the same answers: five latches, three caps, eight
//! checks. Before anything is timed they are compared on random worlds, unknown and extreme values
//! among them. The hand-written one trusts that numbers are within their ranges (the rules program
//! tests every fact it reads) and has parameters as constants: what a person would write who wants
//! it fast and never wants to change it.

use std::hint::black_box;

use anyhow::{Context, ensure};

use dsl::compile::{Binding, Carries, bind_risk};
use dsl::evaluate::{CapBound, Facts, Input, Outcome, Part, Registers, RiskCode};
use dsl::schema::Field;
use dsl::span::Source;
use dsl::value::{Truth, Value};
use model::id::AssetId;
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::Cause;
use model::symbol::Symbol;

use crate::clock::Clock;
use crate::compare::{Compared, in_turns};
use crate::random::Random;

/// The limits by hand.
mod twin;

pub use twin::judge as judge_by_hand;

/// The rules that are timed.
pub const RULES: &str = include_str!("../../rules/limits.rules");
/// Worlds that a timed pass runs over: 512 KiB, which no branch predictor learns by heart.
pub const WORLDS: usize = 2_048;

/// What the rules read, as the portfolio and the market know it: an unknown is `None`. Money in
/// 1e-9, prices at one decimal, middles at two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Kill switch.
    pub level: i64,
    /// Fall and what it is a share of.
    pub day_loss: Option<(i128, i128)>,
    /// Fall and what it is a share of.
    pub drawdown: Option<(i128, i128)>,
    /// Fall and what it is a share of.
    pub day_drawdown: Option<(i128, i128)>,
    /// Account value.
    pub equity: Option<i128>,
    /// All positions and orders.
    pub exposure: Option<i128>,
    /// Those of the instrument.
    pub symbol_exposure: Option<i128>,
    /// The order buys.
    pub is_buy: bool,
    /// The order reduces.
    pub reduces: bool,
    /// The order carries its own bound.
    pub protected: bool,
    /// The order would meet an own one.
    pub crosses: bool,
    /// Limit of the order.
    pub price: Option<i64>,
    /// Its value.
    pub value: Option<i128>,
    /// What it would lock.
    pub locks: Option<i128>,
    /// What is free of that.
    pub free: Option<i128>,
    /// Middle of the best prices.
    pub mid: Option<i64>,
    /// Last trade.
    pub last: Option<i64>,
    /// Every stream is intact.
    pub synced: bool,
    /// An order could be sent.
    pub accepts: bool,
    /// Nanoseconds since the last message.
    pub age_ns: Option<i64>,
}

/// What the limits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Conditions of the latches.
    pub latches: [Truth; 5],
    /// Bounds of the caps.
    pub caps: [CapBound; 3],
    /// Denies and requires.
    pub checks: [Outcome; 8],
}

/// The block, bound, with its scratch memory.
#[derive(Debug)]
pub struct Limits {
    code: RiskCode,
    registers: Registers,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            latches: [Truth::Unknown(Cause::Missing); 5],
            caps: [CapBound::Unknown(Cause::Missing); 3],
            checks: [Outcome::Refuse(Cause::Missing); 8],
        }
    }
}

#[inline(always)]
fn narrow(number: Option<i64>) -> Value {
    Value::of(number.map(i128::from))
}

#[inline(always)]
fn share(share: Option<(i128, i128)>, part: Part) -> Value {
    Value::of(share.map(|(over, under)| if part == Part::Under { under } else { over }))
}

impl Facts for World {
    #[inline(always)]
    #[expect(clippy::too_many_lines, reason = "it names every field of the schema once")]
    fn read(&self, input: &Input) -> Value {
        let Input { field, part, .. } = *input;
        match field {
            Field::ControlLevel => Value::known(i128::from(self.level)),
            Field::AccountDayLoss => share(self.day_loss, part),
            Field::AccountDrawdown => share(self.drawdown, part),
            Field::AccountDayDrawdown => share(self.day_drawdown, part),
            Field::AccountEquity => Value::of(self.equity),
            Field::AccountExposure => Value::of(self.exposure),
            Field::SymbolExposure => Value::of(self.symbol_exposure),
            Field::OrderIsBuy => Value::bool(self.is_buy),
            Field::OrderReduces => Value::bool(self.reduces),
            Field::OrderIsProtected => Value::bool(self.protected),
            Field::OrderCrossesOwn => Value::bool(self.crosses),
            Field::OrderPrice => narrow(self.price),
            Field::OrderValue => Value::of(self.value),
            Field::OrderLocks => Value::of(self.locks),
            Field::AccountFree => Value::of(self.free),
            Field::MarketMid => narrow(self.mid),
            Field::MarketLast => narrow(self.last),
            Field::FeedSynced => Value::bool(self.synced),
            Field::VenueAcceptsOrders => Value::bool(self.accepts),
            Field::FeedAge => narrow(self.age_ns),
            // Named one by one, as in the engine: a rest of fields would be one test more a fact.
            Field::AccountExposureAfter
            | Field::AccountNetExposure
            | Field::AccountLocked
            | Field::AccountTotal
            | Field::AccountWeekLoss
            | Field::AccountMarginRatio
            | Field::SymbolDayLoss
            | Field::PositionLiqPrice
            | Field::PositionLiqDistance
            | Field::StrategyCapital
            | Field::StrategyExposure
            | Field::StrategyPosition
            | Field::StrategyDayLoss
            | Field::StrategyDrawdown
            | Field::StrategyOpenOrders
            | Field::StrategyOrderToTrade
            | Field::SymbolOpenBuys
            | Field::SymbolOpenSells
            | Field::PositionQty
            | Field::PositionNotional
            | Field::PositionPnl
            | Field::PositionAvgPrice
            | Field::PositionAge
            | Field::OrderCloses
            | Field::OrderIsEngine
            | Field::OrderQty
            | Field::OrderNotional
            | Field::OrderPays
            | Field::OrderStop
            | Field::OrderRisk
            | Field::OrderTif
            | Field::OrderTtl
            | Field::OrderApproved
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
            | Field::QuoteBid
            | Field::QuoteAsk
            | Field::BarOpen
            | Field::BarHigh
            | Field::BarLow
            | Field::BarClose
            | Field::BarVolume
            | Field::BarTime
            | Field::Now
            | Field::FeedState
            | Field::FillPrice
            | Field::FillQty
            | Field::FillFee
            | Field::FillPnl
            | Field::FillLiquidity
            | Field::FillOpens
            | Field::ClosedPnl
            | Field::ClosedDuration
            | Field::ControlBy => Value::MISSING,
        }
    }
}

impl Limits {
    /// Binds the shipped limits.
    ///
    /// # Errors
    /// The rules do not check or bind, or have another shape than the hand-written ones.
    pub fn bind() -> anyhow::Result<Self> {
        let source = Source { name: "limits.rules".to_owned(), text: RULES.to_owned() };
        let checked = dsl::check::check(&[source]);
        let block = checked.program.risk.first().context("limits.rules holds no risk block")?;
        let instrument = instrument()?;
        let binding = Binding {
            instrument: &instrument,
            reporting: "USDT",
            carries: Carries { touch: true, bars: true, last_price: true },
            assets: &|name| (name == "USDT").then_some(AssetId(0)),
        };
        let code = bind_risk(block, &binding)
            .map_err(|found| anyhow::anyhow!("limits.rules does not bind: {found:?}"))?;
        let shape = (code.latches().len(), code.caps().len(), code.checks());
        ensure!(shape == (5, 3, 8), "limits.rules has changed: bring the twin up to date");
        let registers = code.registers();
        Ok(Self { code, registers })
    }

    /// Returns the number of steps of the program.
    #[must_use]
    pub fn ops(&self) -> usize {
        self.code.cost().ops
    }

    /// Runs all three sections and reads all answers.
    #[inline(never)]
    pub fn judge(&mut self, world: &World, answers: &mut Answers) {
        let Self { code, registers } = self;
        code.run_latches(world, registers);
        for (index, answer) in answers.latches.iter_mut().enumerate() {
            *answer = code.latch(index, registers);
        }
        code.run_caps(world, registers);
        for (index, answer) in answers.caps.iter_mut().enumerate() {
            *answer = code.cap(index, registers);
        }
        code.run_checks(world, registers);
        for (index, answer) in answers.checks.iter_mut().enumerate() {
            *answer = code.check(index, registers);
        }
    }
}

fn instrument() -> anyhow::Result<Instrument> {
    let scale = |decimals| Scale::new(decimals).context("a scale within its range");
    Ok(Instrument {
        symbol: Symbol::parse("binance:BTC_USDT.PERP")?,
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::LinearPerpetual,
        settle: "USDT".to_owned(),
        price_scale: scale(1)?,
        qty_scale: scale(3)?,
        tick: Price(1),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Money::units(100),
        fee_maker: Rate(200_000),
        fee_taker: Rate(500_000),
        fee_asset: FeeAsset::Quote,
        fee_scale: Scale::new(8).unwrap_or_default(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(100_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10_000_000_000,
        mark_liquidation: false,
        leverage_max: 3,
        maintenance: Rate(5_000_000),
    })
}

/// Returns a world as sessions see it: everything known, most orders pass.
pub fn usual(random: &mut Random) -> World {
    let usd = |dollars: i64| Some(i128::from(dollars) * 1_000_000_000);
    let fall = |random: &mut Random| {
        Some((i128::from(random.within(0, 700)) * 1_000_000_000, 10_000_000_000_000))
    };
    let mid = random.within(6_000_000, 6_000_400);
    World {
        level: i64::from(random.once_in(64)),
        day_loss: fall(random),
        drawdown: fall(random),
        day_drawdown: fall(random),
        equity: usd(random.within(9_300, 10_700)),
        exposure: usd(random.within(0, 4_000)),
        symbol_exposure: usd(random.within(0, 2_000)),
        is_buy: random.once_in(2),
        reduces: random.once_in(3),
        protected: random.once_in(8),
        crosses: random.once_in(32),
        price: Some(mid / 10 + random.within(-2_000, 2_000)),
        value: usd(random.within(5, 1_500)),
        locks: usd(random.within(5, 1_500)),
        free: usd(random.within(1_000, 9_000)),
        mid: (!random.once_in(16)).then_some(mid),
        last: Some(mid / 10),
        synced: !random.once_in(64),
        accepts: true,
        age_ns: Some(random.within(0, 2_050_000_000)),
    }
}

/// Returns a world of anything: unknowns, zeros, both signs, ends of ranges.
pub fn anything(random: &mut Random) -> World {
    World {
        level: random.within(0, 3),
        day_loss: any_share(random),
        drawdown: any_share(random),
        day_drawdown: any_share(random),
        equity: any_money(random),
        exposure: any_money(random),
        symbol_exposure: any_money(random),
        is_buy: random.once_in(2),
        reduces: random.once_in(2),
        protected: random.once_in(2),
        crosses: random.once_in(2),
        price: any_narrow(random),
        value: any_money(random),
        locks: any_money(random),
        free: any_money(random),
        mid: any_narrow(random),
        last: any_narrow(random),
        synced: random.once_in(2),
        accepts: random.once_in(2),
        age_ns: any_narrow(random),
    }
}

fn any_narrow(random: &mut Random) -> Option<i64> {
    match random.below(8) {
        0 => None,
        1 => Some(random.within(-2, 2)),
        2 => Some(i64::MAX),
        3 => Some(-i64::MAX),
        4 => Some(random.within(-i64::MAX, i64::MAX)),
        // Two prices that are often near each other, so that bands are met from both sides.
        _ => Some(random.within(600_000, 640_000) * [1, 10][usize::from(random.once_in(2))]),
    }
}

/// Money is below 2^95.
fn any_money(random: &mut Random) -> Option<i128> {
    let end = (1_i128 << 95) - 1;
    match random.below(8) {
        0 => None,
        1 => Some(i128::from(random.within(-2, 2))),
        2 => Some(end),
        3 => Some(-end),
        4 => Some(i128::from(random.within(-i64::MAX, i64::MAX)) << random.below(32)),
        _ => Some(i128::from(random.within(0, 12_000)) * 1_000_000_000),
    }
}

fn any_share(random: &mut Random) -> Option<(i128, i128)> {
    let (over, under) = (any_money(random)?, any_money(random)?);
    match random.below(4) {
        0 => Some((over, under)),
        // Close to the shares that the rules name.
        _ => {
            let parts = [5, 10, 20][usize::try_from(random.below(3)).unwrap_or(0)];
            let whole = under >> 8;
            Some((whole * parts / 100 + i128::from(random.within(-1, 1)), whole))
        }
    }
}

/// Compares both on `count` random worlds, half of them of anything; returns the hash of the
/// answers.
///
/// # Errors
/// The first world that they judge differently.
pub fn check(limits: &mut Limits, count: usize) -> anyhow::Result<String> {
    let mut random = Random::new(0x5111_CE01);
    let mut hasher = blake3::Hasher::new();
    for nth in 0..count {
        let world = if nth % 2 == 0 { anything(&mut random) } else { usual(&mut random) };
        let (mut ours, mut twins) = (Answers::default(), Answers::default());
        limits.judge(&world, &mut ours);
        judge_by_hand(&world, &mut twins);
        ensure!(ours == twins, "world {nth}: {world:?}\nrules   {ours:?}\nby hand {twins:?}");
        hasher.update(format!("{ours:?}").as_bytes());
    }
    Ok(hasher.finalize().to_hex().chars().take(16).collect())
}

/// Returns the worlds that are timed.
#[must_use]
pub fn worlds() -> Vec<World> {
    let mut random = Random::new(0x5111_CE02);
    (0..WORLDS).map(|_| usual(&mut random)).collect()
}

/// Judges `count` worlds by the rules program, over and over the same list.
pub fn run(limits: &mut Limits, worlds: &[World], count: usize) {
    let mut answers = Answers::default();
    for world in worlds.iter().cycle().take(count) {
        limits.judge(black_box(world), &mut answers);
        black_box(&answers);
    }
}

/// Judges `count` worlds by hand.
pub fn run_by_hand(worlds: &[World], count: usize) {
    let mut answers = Answers::default();
    for world in worlds.iter().cycle().take(count) {
        judge_by_hand(black_box(world), &mut answers);
        black_box(&answers);
    }
}

/// Times both in turns; picoseconds a judgement.
///
/// # Errors
/// The rules do not bind, or the two differ.
pub fn compare(rounds: usize, passes: usize) -> anyhow::Result<Compared> {
    let mut limits = Limits::bind()?;
    let worlds = worlds();
    let count = worlds.len() * passes;
    let each = |took_ns: u64| took_ns * 1_000 / u64::try_from(count).unwrap_or(1).max(1);
    in_turns(
        rounds,
        || {
            let clock = Clock::start();
            run(&mut limits, &worlds, count);
            anyhow::Ok(each(clock.elapsed_ns()))
        },
        || {
            let clock = Clock::start();
            run_by_hand(&worlds, count);
            Ok(each(clock.elapsed_ns()))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_hand_agree_on_a_hundred_thousand_random_worlds() {
        let mut limits = Limits::bind().unwrap();
        check(&mut limits, 100_000).unwrap();
    }
}
