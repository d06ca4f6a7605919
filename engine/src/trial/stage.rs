//! The world of one test: instruments, account and rules as it states them, everything else as the
//! table of defaults says.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of the statements of a test each match picks the few that name something"
)]

use dsl::ast::{Expr, ExprKind, Literal, Test, TestKind};
use dsl::check::testing::{Fact, fact};
use dsl::span::Source;
use dsl::typed::{Applies, Program, RiskBlock, Strategy};
use model::decimal::Decimal;
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, RATE_SCALE, Rate, Scale};
use model::symbol::Symbol;
use model::time::Nanos;

use super::given::{mantissa, number, word};
use crate::program::{Bound, Checked, bind};
use crate::setup::{
    AccountSetup, Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup,
};

/// Venue of the instruments of tests.
const VENUE: &str = "test";
/// When a test begins that does not say: Monday, 5 January 2026, 00:00 UTC.
pub(super) const BEGIN: Nanos = Nanos(1_767_571_200_000_000_000);
/// What an account opens with unless the test says otherwise.
pub(super) const OPENING: i128 = 10_000_000_000_000;

/// The world that a test is run in.
#[derive(Debug)]
pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) instruments: Vec<Instrument>,
    pub(super) bound: Bound,
    /// The block's first strategy: whose orders are submitted.
    pub(super) strategy: u16,
    /// When the test begins.
    pub(super) begin: Nanos,
    /// Opening balance of the reporting asset, 1e-9.
    pub(super) opening: i128,
    names: Vec<String>,
}

/// What is given of an instrument before it is made.
#[derive(Default)]
struct Facts<'a> {
    of: Vec<(&'a str, &'a Expr)>,
}

impl Facts<'_> {
    fn number(&self, name: &str) -> Option<dsl::ast::Number> {
        self.of.iter().rev().find(|(known, _)| *known == name).and_then(|(_, e)| number(e))
    }
}

impl World {
    /// Makes the world of a test of a block.
    ///
    /// # Errors
    /// What cannot be so, in words.
    pub(super) fn new(checked: &Checked, test: &Test) -> Result<Self, String> {
        let given = |group: &str, name: &str| {
            all_given(test).filter(|(known, ..)| *known == group).find_map(|(_, _, facts)| {
                facts.iter().find(|(known, _)| known.text == name).map(|(_, value)| value)
            })
        };
        let linear = given("account", "kind").and_then(word) == Some("linear");
        let begin = match given("market", "time").map(|written| &written.kind) {
            Some(ExprKind::Literal(Literal::Instant(ns))) => Nanos(*ns),
            _ => BEGIN,
        };
        let is_tested = |known: &Strategy| known.name == test.block.text;
        let strategy = checked.program.strategies.iter().any(is_tested);
        let names = symbols(&checked.program, test);
        let mut instruments = Vec::new();
        let mut rows = Vec::new();
        for name in &names {
            let (instrument, carries) = instrument(test, name, (linear, strategy))?;
            rows.push(InstrumentSetup::of(&instrument, carries));
            instruments.push(instrument);
        }
        let opening = ["free", "equity"].iter().find_map(|name| {
            let number = number(given("account", name)?)?;
            mantissa(number, MONEY_SCALE).ok()
        });
        let opening = opening.unwrap_or(OPENING).max(0);
        let mut assets = vec!["USDT".to_owned()];
        for instrument in &instruments {
            for asset in [&instrument.symbol.base, &instrument.settle] {
                if !assets.contains(asset) {
                    assets.push(asset.clone());
                }
            }
        }
        let setup = Setup {
            semantics: SEMANTICS,
            config: None,
            mode: Mode::Backtest,
            run_id: String::new(),
            seed: 0,
            reporting: "USDT".to_owned(),
            assets,
            traded: (0_u32..).zip(&instruments).map(|(id, _)| id).collect(),
            instruments: rows,
            accounts: [false, true]
                .map(|linear| AccountSetup {
                    name: "test".to_owned(),
                    venue: VENUE.to_owned(),
                    linear,
                    balances: Vec::new(),
                    protect: Vec::new(),
                })
                .to_vec(),
            sources: Vec::new(),
            paper: PaperSetup::constant(0, 0),
            money: MoneySetup::plain(),
        };
        let checked = alone(checked, &test.block.text)?;
        let bound = bind(&checked, &setup, &instruments).map_err(|error| error.to_string())?;
        let wanted = checked.program.risk.iter().find(|block| block.name == test.block.text);
        let strategy = match wanted.map(|block| &block.applies) {
            Some(Applies::Strategies { names, .. }) => names.first().and_then(|name| {
                let at = bound.strategies.iter().position(|known| known == name)?;
                u16::try_from(at).ok()
            }),
            _ => None,
        };
        let strategy = strategy.unwrap_or(0);
        Ok(Self { setup, instruments, bound, strategy, begin, opening, names })
    }

    /// Returns the place of an instrument by its name in the test.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// Returns group, owner and facts of everything that a test gives.
pub(super) fn all_given(
    test: &Test,
) -> impl Iterator<Item = (&str, Option<&str>, &Vec<(dsl::ast::Name, Expr)>)> {
    test.statements.iter().filter_map(|statement| match &statement.kind {
        TestKind::Given { group, of, facts } => {
            Some((group.text.as_str(), of.as_ref().map(|of| of.text.as_str()), facts))
        }
        _ => None,
    })
}

/// Returns the symbols that a test names, in order; one at least.
fn symbols(program: &Program, test: &Test) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for statement in &test.statements {
        let symbol = match &statement.kind {
            TestKind::Given { of: Some(of), group, .. } if group.text != "strategy" => of,
            TestKind::Submit { symbol, .. } | TestKind::Filled { symbol, .. } => symbol,
            _ => continue,
        };
        if !names.contains(&symbol.text) {
            names.push(symbol.text.clone());
        }
    }
    if names.is_empty() {
        names.push(first_symbol(program, &test.block.text));
    }
    names
}

/// The symbol of a test that names none: the first that its block names.
fn first_symbol(program: &Program, block: &str) -> String {
    let strategy = program.strategies.iter().find(|known| known.name == block);
    let named = strategy.and_then(|strategy| strategy.symbols.first());
    named.map_or_else(|| "BTC_USDT".to_owned(), |(symbol, _)| symbol.to_string())
}

/// Makes an instrument of the given facts and the defaults: tick 0.1, lot 0.0001, minimum 5.
#[expect(clippy::too_many_lines, reason = "one line for each figure of an instrument")]
fn instrument(
    test: &Test,
    name: &str,
    (linear, strategy): (bool, bool),
) -> Result<(Instrument, Carried), String> {
    let mut facts = Facts::default();
    let (mut touch, mut last) = (false, false);
    for (group, _, given) in all_given(test).filter(|(_, of, _)| *of == Some(name)) {
        for (field, value) in given {
            let is_setting = matches!(fact(group, &field.text), Some(Fact::Setting(_)));
            match (group, field.text.as_str()) {
                ("instrument", field) => facts.of.push((field, value)),
                ("market" | "book", "last") => last = true,
                ("market", "time") => {}
                ("market" | "book", _) if is_setting => touch = true,
                _ => {}
            }
        }
    }
    let step = |name: &str, default: &str| -> Result<(u8, i64), String> {
        let number = match facts.number(name) {
            Some(number) => number,
            None => {
                let decimal = Decimal::parse(default.as_bytes()).map_err(|e| e.to_string())?;
                let decimals = u8::try_from(decimal.decimals()).unwrap_or(0);
                let mantissa = decimal.at_scale(decimals).map_err(|e| e.to_string())?;
                dsl::ast::Number { mantissa, decimals, point: true }
            }
        };
        let mantissa =
            i64::try_from(number.mantissa).map_err(|_| format!("{name} is too large"))?;
        Ok((number.decimals, mantissa))
    };
    let (price_decimals, tick) = step("tick", "0.1")?;
    let (qty_decimals, lot) = step("lot", "0.0001")?;
    let scale = |decimals| Scale::new(decimals).ok_or_else(|| "too many decimals".to_owned());
    let at = |name: &str, decimals: u8| -> Result<Option<i64>, String> {
        let Some(number) = facts.number(name) else { return Ok(None) };
        let mantissa = mantissa(number, decimals)?;
        i64::try_from(mantissa).map(Some).map_err(|_| format!("{name} is too large"))
    };
    let rate = |name: &str, default: i64| -> Result<Rate, String> {
        Ok(Rate(at(name, RATE_SCALE)?.unwrap_or(default)))
    };
    let mut symbol = Symbol::parse(name).map_err(|error| error.to_string())?;
    let linear = linear || symbol.kind == Some(Kind::LinearPerpetual);
    symbol.venue = symbol.venue.or_else(|| Some(VENUE.to_owned()));
    symbol.kind = linear.then_some(Kind::LinearPerpetual);
    let leverage = facts.number("max_leverage").map_or(3, |n| n.mantissa);
    let notional = facts.number("min_notional").map(|number| mantissa(number, MONEY_SCALE));
    let instrument = Instrument {
        venue_symbol: name.to_owned(),
        kind: if linear { Kind::LinearPerpetual } else { Kind::Spot },
        settle: symbol.quote.clone(),
        symbol,
        price_scale: scale(price_decimals)?,
        qty_scale: scale(qty_decimals)?,
        tick: Price(tick),
        lot: Qty(lot),
        qty_min: Qty(at("min_qty", qty_decimals)?.unwrap_or(lot)),
        qty_max: Qty(at("max_qty", qty_decimals)?.unwrap_or(i64::MAX / 1_000_000)),
        notional_min: Money(notional.transpose()?.unwrap_or(5_000_000_000)),
        fee_maker: rate("maker_fee", 200_000)?,
        fee_taker: rate("taker_fee", 500_000)?,
        // So that what is filled is what is held.
        fee_asset: FeeAsset::Quote,
        fee_scale: scale(8)?,
        protect: rate("protect", 5_000_000)?,
        flatten_band: rate("flatten_band", 20_000_000)?,
        half_spread: Rate(100_000),
        mark_spread_max: Rate(10_000_000),
        mark_age_max_ns: 10_000_000_000,
        mark_liquidation: false,
        leverage_max: if linear { u32::try_from(leverage).unwrap_or(1).max(1) } else { 1 },
        maintenance: if linear { rate("maintenance", 5_000_000)? } else { Rate(0) },
    };
    if let Some(why) = instrument.check() {
        return Err(why);
    }
    // Only the last price is given to a risk block: then bars and trades are all that its source
    // carries, and a rule has to do with them. To a strategy the market of its session is fed.
    let touch = touch || !last || strategy;
    let carries = Carried { quotes: touch, book: touch, trades: true, bar_ns: 60_000_000_000 };
    Ok((instrument, carries))
}

/// Returns the block of a test by itself, with the strategies that it names.
fn alone(checked: &Checked, block: &str) -> Result<Checked, String> {
    let program = &checked.program;
    let mut risk: Vec<RiskBlock> = Vec::new();
    let mut strategies: Vec<Strategy> = Vec::new();
    let add = |name: &str, strategies: &mut Vec<Strategy>| -> Result<(), String> {
        if strategies.iter().any(|known| known.name == name) {
            return Ok(());
        }
        match program.strategies.iter().find(|known| known.name == name) {
            Some(known) => strategies.push(known.clone()),
            None => strategies.push(stand_in(name)?),
        }
        Ok(())
    };
    if let Some(known) = program.risk.iter().find(|known| known.name == block) {
        risk.push(known.clone());
        match &known.applies {
            Applies::All => add(block, &mut strategies)?,
            Applies::Strategies { names, .. } => {
                for name in names {
                    add(name, &mut strategies)?;
                }
            }
        }
    } else {
        add(block, &mut strategies)?;
    }
    // A session is never without a block that binds all; a test of one block may be.
    let empty = parsed("rules 1 risk everyone soft { applies to all }")?;
    risk.extend(empty.risk);
    // Strategies of the file have triggers of their own; in a test of a risk block they only name.
    if program.risk.iter().any(|known| known.name == block) {
        for strategy in &mut strategies {
            strategy.symbols.clear();
        }
    }
    let program = Program { risk, strategies, ..Program::default() };
    Ok(Checked { sources: checked.sources.clone(), program, warnings: Vec::new() })
}

/// A strategy that the files do not have, but a block names.
fn stand_in(name: &str) -> Result<Strategy, String> {
    let text = "rules 1 strategy stand_in { on trade of BTC_USDT
        enter long IN when market.last > 0 ticks size 1 lots at_market
        exit long OUT when market.last < 0 ticks }";
    let mut found = parsed(text)?.strategies.into_iter();
    let mut strategy = found.next().ok_or("no stand-in")?;
    strategy.name = name.to_owned();
    Ok(strategy)
}

fn parsed(text: &str) -> Result<Program, String> {
    let source = Source { name: "<test>".to_owned(), text: text.to_owned() };
    let checked = dsl::check::check(&[source]);
    let fault = checked.diagnostics.first().map(|fault| fault.message.clone());
    if checked.has_errors() { Err(fault.unwrap_or_default()) } else { Ok(checked.program) }
}
