//! Binding and running of hand-built blocks; random programs against an oracle stand in `oracle`.

use model::id::AssetId;
use model::instrument::Kind;
use model::order::{Cause, Side};
use model::symbol::Symbol;

use super::{Binding, Carries, bind_risk, bind_strategy};
use crate::diagnostics::Diagnostic;
use crate::evaluate::{CapBound, Input, OrderTerms, Outcome, Part, RiskCode, SizeTerms};
use crate::schema::Field;
use crate::typed::{
    Arith, Asset, AssetArg, Compare, ExprKind, Function, Indicator, LatchEnd, Measure, RiskBlock,
    Size, Unit,
};
use crate::value::{Truth, Value};

pub(crate) mod build;
mod oracle;
mod series;

use build::*;

const USD: i128 = 1_000_000_000;

fn bound(block: &RiskBlock) -> RiskCode {
    let instrument = instrument();
    bind_risk(block, &binding(&instrument)).unwrap()
}

fn refused(block: &RiskBlock) -> Vec<Diagnostic> {
    let instrument = instrument();
    bind_risk(block, &binding(&instrument)).unwrap_err()
}

fn codes(found: &[Diagnostic]) -> Vec<&'static str> {
    found.iter().map(|diagnostic| diagnostic.code).collect()
}

fn reporting(of: Field) -> crate::typed::Expr {
    field(of, Unit::Money(Asset::Reporting))
}

fn checks(code: &RiskCode, facts: &Table) -> Vec<Outcome> {
    let mut registers = code.registers();
    code.run_checks(facts, &mut registers);
    (0..code.checks()).map(|index| code.check(index, &registers)).collect()
}

fn cap_of(code: &RiskCode, facts: &Table) -> CapBound {
    let mut registers = code.registers();
    code.run_caps(facts, &mut registers);
    code.cap(0, &registers)
}

/// `max(30% * account.equity - account.exposure, 0 USDT)`
fn room() -> crate::typed::Expr {
    let share = arith(Arith::Mul, number(30, 2), reporting(Field::AccountEquity), usdt_unit());
    let room = arith(Arith::Sub, share, reporting(Field::AccountExposure), usdt_unit());
    call(Function::Max, vec![room, usdt(0)])
}

#[test]
fn a_deny_refuses_what_is_not_known_to_be_false_and_a_require_what_is_not_known_to_be_true() {
    let condition = || compare(Compare::Less, reporting(Field::OrderValue), usdt(10));
    let mut block = block();
    block.checks = vec![deny("D", condition(), None), deny("R", condition(), None)];
    block.checks[1].require = true;
    let code = bound(&block);
    let known = Outcome::Refuse(Cause::Known);
    let unknown = Outcome::Refuse(Cause::Missing);
    let of = |value: i128| Table::default().with(Field::OrderValue, value);
    assert_eq!(checks(&code, &of(10 * USD)), [Outcome::Pass, known]);
    assert_eq!(checks(&code, &of(10 * USD - 1)), [known, Outcome::Pass]);
    assert_eq!(checks(&code, &Table::default()), [unknown, unknown]);
    let fresh = code.registers();
    assert_eq!(code.check(0, &fresh), unknown, "before a run everything refuses");
    assert_eq!(code.check(9, &fresh), unknown, "outside of the block too");
}

#[test]
fn an_unknown_exemption_exempts_nothing() {
    let condition = || compare(Compare::GreaterEq, field(Field::ControlLevel, Unit::Int), int(1));
    let mut block = block();
    block.checks = vec![deny("D", condition(), Some(reduces()))];
    block.latches = vec![latch("L", condition(), Some(reduces()))];
    block.caps = vec![cap("C", Measure::Value, usdt(5))];
    block.caps[0].unless = Some(reduces());
    let code = bound(&block);
    let known = Outcome::Refuse(Cause::Known);
    let table = [
        (Some(1), Outcome::Pass, Truth::False, CapBound::Exempt),
        (Some(0), known, Truth::True, CapBound::Bound(5 * USD)),
        (None, known, Truth::True, CapBound::Bound(5 * USD)),
    ];
    for (exempt, check, latch, cap) in table {
        let mut facts = Table::default().with(Field::ControlLevel, 2);
        facts.facts.insert(whole(Field::OrderReduces), Value::of(exempt));
        let mut registers = code.registers();
        code.run_latches(&facts, &mut registers);
        code.run_caps(&facts, &mut registers);
        code.run_checks(&facts, &mut registers);
        assert_eq!(code.check(0, &registers), check);
        assert_eq!(code.latch(0, &registers), latch);
        assert_eq!(code.cap(0, &registers), cap);
    }
}

fn int(number: i128) -> crate::typed::Expr {
    expr(ExprKind::Number { mantissa: number, decimals: 0 }, Unit::Int)
}

#[test]
fn a_latch_over_a_share_compares_exactly_and_shows_both_sides() {
    let loss = field(Field::AccountDayLoss, Unit::Num);
    let mut block = block();
    block.latches = vec![latch("LOSS", compare(Compare::GreaterEq, loss, number(10, 2)), None)];
    block.latches[0].end = LatchEnd::DayEnd;
    let code = bound(&block);
    assert_eq!(code.cost().checked_ops, 0, "money times a small constant is proved to fit");
    assert_eq!(code.reads().len(), 2);
    assert_eq!((code.latches()[0].end, code.latches()[0].cancel_orders), (LatchEnd::DayEnd, true));
    let run = |over, under| {
        let facts = Table::default().ratio(Field::AccountDayLoss, over, under);
        let mut registers = code.registers();
        code.run_latches(&facts, &mut registers);
        (code.latch(0, &registers), code.latch_values(0, &registers))
    };
    let limit = 100_000_000;
    assert_eq!(run(1_000, 10_000), (Truth::True, Some((limit, limit))));
    assert_eq!(run(999_999, 10_000_000), (Truth::False, Some((99_999_900, limit))));
    // The share is below the limit by less than any decimal could show.
    let huge = (1 << 94) / 10;
    assert_eq!(run(huge - 1, huge * 10).0, Truth::False);
    assert_eq!(run(huge, huge * 10).0, Truth::True);
    assert_eq!(run(-1, -10).0, Truth::True, "the sign of the base is minded");
    assert_eq!(run(1, -10).0, Truth::False);
    assert_eq!(run(5, 0), (Truth::Unknown(Cause::DivZero), None));
    assert_eq!(run(1 << 95, 1), (Truth::Unknown(Cause::Overflow), None), "beyond 2^95");
    assert_eq!(run(1, 1).1, Some((1_000_000_000, limit)));
    assert_eq!(run(1 << 90, 1).1, Some((i64::MAX, limit)), "messages saturate");
}

#[test]
fn what_is_shown_contradicts_as_what_was_compared_does() {
    // Thirds of 1e-9 on both sides of a whole number of them.
    let third = |of: Field| field(of, Unit::Num);
    let (below, above) = ((99_999_998, 3), (100_000_001, 3));
    let (down, up) = (33_333_332, 33_333_334);
    let table = [
        (Compare::Greater, false, above, below, (up, down)),
        (Compare::GreaterEq, false, above, below, (up, down)),
        (Compare::Less, false, below, above, (down, up)),
        (Compare::LessEq, false, below, above, (down, up)),
        (Compare::LessEq, true, above, below, (up, down)),
        (Compare::Less, true, above, below, (up, down)),
        (Compare::GreaterEq, true, below, above, (down, up)),
        (Compare::Greater, true, below, above, (down, up)),
    ];
    for (operator, require, left, right, (observed, limit)) in table {
        let (loss, drawdown) = (Field::AccountDayLoss, Field::AccountDrawdown);
        let condition = compare(operator, third(loss), third(drawdown));
        let mut block = block();
        block.checks = vec![deny("D", condition, None)];
        block.checks[0].require = require;
        let code = bound(&block);
        let facts = Table::default().ratio(loss, left.0, left.1 * USD).ratio(
            drawdown,
            right.0,
            right.1 * USD,
        );
        let mut registers = code.registers();
        code.run_checks(&facts, &mut registers);
        assert_eq!(code.check(0, &registers), Outcome::Refuse(Cause::Known), "{operator:?}");
        let shown = code.check_values(0, &registers);
        assert_eq!(shown, Some((observed, limit)), "{operator:?}, require {require}");
    }
}

#[test]
fn cap_bounds_round_down_and_are_never_negative() {
    let mut block = block();
    block.caps = vec![cap("ROOM", Measure::Value, room())];
    let code = bound(&block);
    let of = |equity, exposure| {
        let facts = Table::default()
            .with(Field::AccountEquity, equity)
            .with(Field::AccountExposure, exposure);
        cap_of(&code, &facts)
    };
    assert_eq!(of(10_000 * USD, 2_000 * USD), CapBound::Bound(1_000 * USD));
    assert_eq!(of(9, 0), CapBound::Bound(2), "2.7 units of 1e-9");
    assert_eq!(of(1_000 * USD, 2_000 * USD), CapBound::Bound(0));
    assert_eq!(cap_of(&code, &Table::default()), CapBound::Unknown(Cause::Missing));
    let mut raw = block;
    raw.caps[0].bound = arith(Arith::Sub, usdt(0), usdt(7), usdt_unit());
    assert_eq!(cap_of(&bound(&raw), &Table::default()), CapBound::Bound(0));
    raw.caps[0] = cap(
        "Q",
        Measure::Qty,
        arith(Arith::Mul, number(10, 2), field(Field::BookAskQty, Unit::Qty), Unit::Qty),
    );
    let facts = Table::default().with(Field::BookAskQty, 12_349);
    assert_eq!(cap_of(&bound(&raw), &facts), CapBound::Bound(1_234));
    raw.caps[0].when = Some(field(Field::FeedSynced, Unit::Bool));
    assert_eq!(cap_of(&bound(&raw), &facts), CapBound::Unknown(Cause::Missing), "when is unknown");
    let off = facts.with(Field::FeedSynced, 0);
    assert_eq!(cap_of(&bound(&raw), &off), CapBound::Exempt, "when is false");
}

#[test]
fn what_is_written_twice_is_computed_once() {
    let mut one = block();
    one.lets = vec![let_(room())];
    let over = |block: &mut RiskBlock, code: &str, with: crate::typed::Expr| {
        let wanted = compare(Compare::Greater, reporting(Field::OrderValue), with);
        block.checks.push(deny(code, wanted, None));
    };
    over(&mut one, "A", named(0, usdt_unit()));
    let single = bound(&one).cost();
    for (index, again) in [named(0, usdt_unit()), room(), room()].into_iter().enumerate() {
        over(&mut one, &format!("B{index}"), again);
    }
    let code = bound(&one);
    assert_eq!(code.cost(), single, "a repeated let, written out or not, costs nothing");
    let facts = Table::default();
    checks(&code, &facts);
    let mut asked = facts.asked.take();
    let count = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((count, asked.len()), (3, 3), "each fact is read once in a run");
}

#[test]
fn constants_are_folded_and_unused_lets_cost_nothing() {
    let mut block = block();
    block.lets = vec![let_(room())];
    let limit = arith(
        Arith::Div,
        arith(Arith::Mul, number(8, 1), usdt(500), usdt_unit()),
        number(4, 0),
        usdt_unit(),
    );
    block.checks =
        vec![deny("A", compare(Compare::Greater, reporting(Field::OrderValue), limit), None)];
    let code = bound(&block);
    assert_eq!(code.cost().ops, 2, "one load, one comparison");
    let of = |value| checks(&code, &Table::default().with(Field::OrderValue, value))[0];
    assert_eq!(of(100 * USD), Outcome::Pass);
    assert_eq!(of(100 * USD + 1), Outcome::Refuse(Cause::Known));
}

#[test]
fn an_overflow_is_na_and_not_a_wrong_number() {
    let notional = || field(Field::OrderNotional, Unit::Money(Asset::Quote));
    let square = arith(Arith::Mul, notional(), notional(), Unit::Num);
    let mut block = block();
    block.checks = vec![deny("A", compare(Compare::Less, square, number(0, 0)), None)];
    let code = bound(&block);
    assert_eq!(code.cost().checked_ops, 1, "2^95 squared does not fit");
    let of = |value| checks(&code, &Table::default().with(Field::OrderNotional, value))[0];
    assert_eq!(of(1 << 62), Outcome::Pass);
    assert_eq!(of(1 << 63), Outcome::Refuse(Cause::Overflow));
    assert_eq!(of(1 << 95), Outcome::Refuse(Cause::Overflow));
}

#[test]
fn parameters_take_the_most_specific_value_and_keep_their_range() {
    let mut limit = parameter("limit", usdt(1));
    let table = [("BTC_USDT", 2), ("ETH_USDT", 9), ("BTC_USDT.PERP", 8), ("binance:BTC_USDT", 3)];
    limit.table = table.iter().map(|(name, n)| (Symbol::parse(name).unwrap(), usdt(*n))).collect();
    let mut block = block();
    block.params = vec![limit];
    block.caps = vec![cap("C", Measure::Value, param(0, usdt_unit()))];
    let facts = Table::default();
    assert_eq!(cap_of(&bound(&block), &facts), CapBound::Bound(3 * USD));
    block.params[0].table.pop();
    assert_eq!(cap_of(&bound(&block), &facts), CapBound::Bound(2 * USD));
    block.params[0].range = Some((usdt(5), usdt(7)));
    let found = refused(&block);
    assert_eq!(codes(&found), ["R0507"]);
    assert_eq!(found[0].message, "`limit` is outside of its range for binance:BTC_USDT");
}

#[test]
fn prices_finer_than_the_scale_are_refused_and_ticks_follow_the_instrument() {
    let limit = |wanted| compare(Compare::Greater, field(Field::OrderPrice, Unit::Price), wanted);
    let mut block = block();
    block.checks = vec![deny("A", limit(price(10_005, 3)), None)];
    let found = refused(&block);
    assert_eq!(codes(&found), ["R0501"]);
    assert_eq!(found[0].message, "prices of binance:BTC_USDT have 2 decimals, this has 3");
    block.checks = vec![
        deny("A", limit(price(10_050, 3)), None),
        deny("B", limit(expr(ExprKind::Ticks(201), Unit::Price)), None),
    ];
    let code = bound(&block);
    let of = |value| checks(&code, &Table::default().with(Field::OrderPrice, value));
    let (pass, deny) = (Outcome::Pass, Outcome::Refuse(Cause::Known));
    // 10.050 is 1005, and 201 ticks of 0.05 are 10.05 too.
    assert_eq!((of(1_005), of(1_006)), (vec![pass; 2], vec![deny; 2]));
}

#[test]
fn fields_that_no_source_carries_are_errors_unless_a_default_stands_ready() {
    let instrument = instrument();
    let carries = Carries { touch: false, bars: true, last_price: true };
    let binding = Binding { carries, ..binding(&instrument) };
    let mid = || field(Field::MarketMid, Unit::Price);
    let last = || field(Field::MarketLast, Unit::Price);
    let above = |wanted| compare(Compare::Greater, field(Field::OrderPrice, Unit::Price), wanted);
    let mut block = block();
    block.lets = vec![let_(mid())];
    block.checks = vec![deny("OFF", above(named(0, Unit::Price)), None)];
    let found = bind_risk(&block, &binding).unwrap_err();
    assert_eq!(codes(&found), ["R0503"]);
    assert_eq!(
        found[0].message,
        "OFF reads `market.mid`, which no source of binance:BTC_USDT carries"
    );
    block.checks = vec![deny("OFF", above(fallback(named(0, Unit::Price), last())), None)];
    let code = bind_risk(&block, &binding).unwrap();
    assert_eq!(code.cost().ops, 3, "nothing is left of the default");
    let facts = Table::default().with(Field::OrderPrice, 100).with(Field::MarketLast, 99);
    assert_eq!(checks(&code, &facts), [Outcome::Refuse(Cause::Known)]);
    // A default excuses its left side only, and a let only where it is read there.
    block.checks.push(deny("RIGHT", above(fallback(last(), mid())), None));
    block.checks.push(deny("BARE", above(named(0, Unit::Price)), None));
    let found = bind_risk(&block, &binding).unwrap_err();
    assert_eq!(codes(&found), ["R0503", "R0503"]);
}

#[test]
fn amounts_of_different_assets_do_not_meet() {
    let mut instrument = instrument();
    let notional = || field(Field::OrderNotional, Unit::Money(Asset::Quote));
    let mut block = block();
    block.checks = vec![deny("A", compare(Compare::Less, notional(), usdt(5)), None)];
    assert!(bind_risk(&block, &binding(&instrument)).is_ok());
    instrument.symbol = Symbol::parse("binance:BTC_EUR").unwrap();
    instrument.settle = "EUR".to_owned();
    let found = bind_risk(&block, &binding(&instrument)).unwrap_err();
    assert_eq!(codes(&found), ["R0502"]);
    assert_eq!(found[0].message, "an amount of EUR meets an amount of USDT for binance:BTC_EUR");
    assert!(found[0].help.is_some());
    instrument.settle = "USDT".to_owned();
    assert!(bind_risk(&block, &binding(&instrument)).is_ok(), "EUR is renamed to USDT");
    block.caps = vec![cap("C", Measure::Notional, usdt(5))];
    instrument.settle = "EUR".to_owned();
    assert_eq!(codes(&bind_risk(&block, &binding(&instrument)).unwrap_err()).len(), 2);
}

#[test]
fn what_the_order_pays_with_is_compared_with_the_same_only() {
    let pays = || Unit::Money(Asset::Pays);
    let free = |asset, unit| expr(ExprKind::Field(Field::AccountFree, Some(asset)), unit);
    let locks = || field(Field::OrderLocks, pays());
    let mut block = block();
    let of_pays = free(AssetArg::Pays, pays());
    block.checks = vec![deny("A", compare(Compare::Greater, locks(), of_pays), None)];
    let code = bound(&block);
    let facts = Table::default().with(Field::OrderLocks, 7).with(Field::AccountFree, 7);
    assert_eq!(checks(&code, &facts), [Outcome::Pass]);
    let named = |name: &str| AssetArg::Named(name.to_owned());
    let of_usdt = free(named("USDT"), usdt_unit());
    block.checks = vec![deny("A", compare(Compare::Greater, locks(), of_usdt), None)];
    assert_eq!(codes(&refused(&block)), ["R0502"]);
    let of_usdt = free(named("USDT"), usdt_unit());
    block.checks = vec![deny("A", compare(Compare::Less, of_usdt, usdt(5)), None)];
    let facts = Table::default();
    checks(&bound(&block), &facts);
    let asset = Some(AssetId(0));
    let asked = Input { field: Field::AccountFree, part: Part::Whole, asset };
    assert_eq!(facts.asked.take(), [asked]);
    let unit = || Unit::Money(Asset::Named("XYZ".to_owned()));
    let none = expr(ExprKind::Number { mantissa: 5, decimals: 0 }, unit());
    let unheard = free(named("XYZ"), unit());
    block.checks = vec![deny("A", compare(Compare::Less, unheard, none), None)];
    assert_eq!(codes(&refused(&block)), ["R0506"]);
}

#[test]
fn a_block_over_its_budget_or_with_numbers_too_far_apart_does_not_bind() {
    let mut block = block();
    block.caps = vec![cap("ROOM", Measure::Value, room())];
    let ops = bound(&block).cost().ops;
    block.budget = Some(u64::try_from(ops).unwrap());
    assert!(bind_risk(&block, &binding(&instrument())).is_ok());
    block.budget = Some(u64::try_from(ops).unwrap() - 1);
    assert_eq!(codes(&refused(&block)), ["R0509"]);
    let mut tiny = number(1, 18);
    for _ in 0..2 {
        tiny = arith(Arith::Mul, tiny, number(1, 18), Unit::Num);
    }
    block.budget = None;
    let level = field(Field::ControlLevel, Unit::Int);
    block.checks = vec![deny("A", compare(Compare::Less, level, tiny), None)];
    assert_eq!(codes(&refused(&block)), ["R0508"]);
}

#[test]
fn a_strategy_crosses_its_averages_and_asks_for_terms_on_the_grid() {
    let instrument = instrument();
    let mut rule = enter("CROSS", expr(ExprKind::Series(2), Unit::Bool));
    let series_of = |index| expr(ExprKind::Series(index), Unit::Price);
    let ten_ticks = expr(ExprKind::Ticks(10), Unit::Price);
    rule.price = Some(arith(Arith::Add, series_of(0), ten_ticks, Unit::Price));
    rule.size = Some(Size::Amount(arith(Arith::Div, usdt(500), close(), Unit::Qty)));
    rule.ttl = Some(expr(ExprKind::Number { mantissa: 30, decimals: 0 }, Unit::Duration));
    let mut spend = enter("SPEND", expr(ExprKind::Bool(true), Unit::Bool));
    spend.size = Some(Size::Amount(usdt(3)));
    spend.protect = Some(number(5, 3));
    let averages = vec![
        series(Indicator::Sma, vec![close()], Some(3)),
        series(Indicator::Ema, vec![close()], Some(2)),
        series(Indicator::Crossover, vec![series_of(1), series_of(0)], None),
    ];
    let code =
        bind_strategy(&strategy(averages, vec![rule, spend]), &binding(&instrument)).unwrap();
    assert_eq!((code.warmup(), code.rules().len()), (4, 2));
    assert!(code.stability() > code.warmup() && code.cost().state_bytes > 0);
    let (mut state, mut registers) = (code.new_state(), code.registers());
    // sma 3: 300 - - 300, 200, 133.3, 200; ema 2: 300, 166.67, 122.2, 307.4 in steps of 0.01.
    let closes = [300, 300, 300, 100, 100, 400];
    let unknown = Truth::Unknown(Cause::Warmup);
    let fired = [unknown, unknown, unknown, Truth::False, Truth::False, Truth::True];
    for (close, fired) in closes.into_iter().zip(fired) {
        let facts = Table::default().with(Field::BarClose, close);
        code.step(&facts, &mut state, &mut registers);
        assert_eq!(code.fires(0, &registers), fired);
        assert_eq!(code.fires(1, &registers), Truth::True);
    }
    // The mean is 2.00, 10 ticks above it is 2.50; 500 USDT at 4.00 are 125.
    let terms = code.order(0, Side::Buy, &registers);
    let size = Some(SizeTerms::Qty(Value::known(1_250_000)));
    let (price, ttl_ns) = (Some(Value::known(250)), Value::known(30));
    let (protect, stop, strength) = (None, None, None);
    assert_eq!(terms, OrderTerms { size, price, protect, ttl_ns, stop, strength });
    let spent = code.order(1, Side::Buy, &registers);
    assert_eq!(spent.size, Some(SizeTerms::Money(Value::known(3 * USD))));
    assert_eq!((spent.price, spent.protect), (None, Some(Value::known(5_000_000))));
    assert_eq!(spent.ttl_ns, Value::known(0), "none is written");
    // A mean of 2.0333: down to 2.50 for a buy, up to 2.55 for a sell.
    code.step(&Table::default().with(Field::BarClose, 110), &mut state, &mut registers);
    assert_eq!(code.order(0, Side::Buy, &registers).price, Some(Value::known(250)));
    assert_eq!(code.order(0, Side::Sell, &registers).price, Some(Value::known(255)));
    code.step(&Table::default(), &mut state, &mut registers);
    assert_eq!(code.fires(0, &registers), Truth::Unknown(Cause::Missing));
    let size = code.order(0, Side::Buy, &registers).size;
    assert_eq!(size, Some(SizeTerms::Qty(Value::MISSING)));
}

#[test]
fn series_need_a_constant_length_and_shorts_a_margin_account() {
    let mut instrument = instrument();
    for length in [0, 10_001, -3] {
        let one = series(Indicator::Sma, vec![close()], Some(length));
        let found = bind_strategy(&strategy(vec![one], Vec::new()), &binding(&instrument));
        assert_eq!(codes(&found.unwrap_err()), ["R0504"]);
    }
    let mut short = enter("S", expr(ExprKind::Bool(true), Unit::Bool));
    short.long = false;
    let plain = strategy(Vec::new(), vec![short.clone()]);
    let found = bind_strategy(&plain, &binding(&instrument)).unwrap_err();
    assert_eq!(codes(&found), ["R0505"]);
    short.where_shortable = true;
    let shortable = strategy(Vec::new(), vec![short]);
    for (kind, fires) in [(Kind::Spot, Truth::False), (Kind::LinearPerpetual, Truth::True)] {
        instrument.kind = kind;
        let code = bind_strategy(&shortable, &binding(&instrument)).unwrap();
        let (mut state, mut registers) = (code.new_state(), code.registers());
        code.step(&Table::default(), &mut state, &mut registers);
        assert_eq!(code.fires(0, &registers), fires);
    }
}

#[test]
fn ratios_are_rounded_for_an_indicator_half_even() {
    let instrument = instrument();
    let open = || field(Field::BarOpen, Unit::Price);
    let share = arith(Arith::Div, close(), open(), Unit::Num);
    let highest = series(Indicator::Highest, vec![share], Some(1));
    let mut rule = enter("X", expr(ExprKind::Bool(true), Unit::Bool));
    rule.protect = Some(expr(ExprKind::Series(0), Unit::Num));
    let code = bind_strategy(&strategy(vec![highest], vec![rule]), &binding(&instrument)).unwrap();
    let (mut state, mut registers) = (code.new_state(), code.registers());
    let mut of = |close, open| {
        let facts = Table::default().with(Field::BarClose, close).with(Field::BarOpen, open);
        code.step(&facts, &mut state, &mut registers);
        code.order(0, Side::Buy, &registers).protect
    };
    assert_eq!(of(2, 3), Some(Value::known(666_666_666)));
    assert_eq!(of(2, -3), Some(Value::known(-666_666_667)), "the readout rounds down");
    assert_eq!(of(1, 0), Some(Value::na(Cause::DivZero)));
}
