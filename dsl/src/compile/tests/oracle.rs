//! Compiled programs against a naive walk of the typed tree over big rationals.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::{BoxedStrategy, Just, any, prop_assert, prop_assert_eq};
use proptest::prelude::{ProptestConfig, Strategy, TestCaseError, prop_oneof, proptest};

use super::build::*;
use crate::compile::graph::Fault;
use crate::compile::lower::{Lower, Names};
use crate::compile::number::Num;
use crate::evaluate::{Input, Part, place};
use crate::schema::Field;
use crate::typed::{Arith, Compare, Expr, ExprKind, Function, Unit};
use crate::value::Value;
use model::order::Cause;

/// What the naive walk knows: `None` is na.
#[derive(Clone, Debug, PartialEq)]
enum Naive {
    Number(Option<BigRational>),
    Truth(Option<bool>),
}

impl Naive {
    fn number(self) -> Option<BigRational> {
        match self {
            Self::Number(number) => number,
            Self::Truth(_) => panic!("a number is expected"),
        }
    }

    fn truth(self) -> Option<bool> {
        match self {
            Self::Truth(truth) => truth,
            Self::Number(_) => panic!("a truth is expected"),
        }
    }

    fn is_na(&self) -> bool {
        matches!(self, Self::Number(None) | Self::Truth(None))
    }
}

fn rational(mantissa: i128, decimals: u32) -> BigRational {
    BigRational::new(BigInt::from(mantissa), BigInt::from(10).pow(decimals))
}

fn fact(table: &Table, field: Field) -> Naive {
    let raw = |part| table.facts.get(&Input { part, ..whole(field) }).and_then(|v| v.number());
    let scaled = |decimals| Naive::Number(raw(Part::Whole).map(|n| rational(n, decimals)));
    match field {
        Field::MarketLast => scaled(2),
        Field::MarketMid => scaled(3),
        Field::PositionQty => scaled(4),
        Field::OrderNotional => scaled(9),
        Field::ControlLevel => scaled(0),
        Field::FeedSynced => Naive::Truth(raw(Part::Whole).map(|n| n != 0)),
        Field::AccountDayLoss | Field::PositionAvgPrice => {
            let (over, under) = (raw(Part::Over), raw(Part::Under));
            Naive::Number(
                over.zip(under).filter(|(_, under)| *under != 0).map(|(over, under)| {
                    rational(over, 0) / BigRational::from_integer(under.into())
                }),
            )
        }
        _ => panic!("not a field of this test"),
    }
}

fn naive(expr: &Expr, table: &Table) -> Naive {
    let go = |expr: &Expr| naive(expr, table);
    match &expr.kind {
        ExprKind::Number { mantissa, decimals } => {
            Naive::Number(Some(rational(*mantissa, u32::from(*decimals))))
        }
        ExprKind::Bool(truth) => Naive::Truth(Some(*truth)),
        ExprKind::Field(field, _) => fact(table, *field),
        ExprKind::Neg(a) => Naive::Number(go(a).number().map(|a| -a)),
        ExprKind::Not(a) => Naive::Truth(go(a).truth().map(|a| !a)),
        ExprKind::IsNa(a) => Naive::Truth(Some(go(a).is_na())),
        ExprKind::Arith(arith, a, b) => {
            Naive::Number(calculate(*arith, go(a).number(), go(b).number()))
        }
        ExprKind::Compare(compare, a, b) => {
            let pair = go(a).number().zip(go(b).number());
            Naive::Truth(pair.map(|(a, b)| match compare {
                Compare::Less => a < b,
                Compare::LessEq => a <= b,
                Compare::Greater => a > b,
                Compare::GreaterEq => a >= b,
                Compare::Equal => a == b,
                Compare::NotEqual => a != b,
            }))
        }
        ExprKind::And(a, b) => Naive::Truth(match (go(a).truth(), go(b).truth()) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }),
        ExprKind::Or(a, b) => Naive::Truth(match (go(a).truth(), go(b).truth()) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }),
        ExprKind::If(condition, a, b) => match go(condition).truth() {
            Some(condition) => go(if condition { a } else { b }),
            None if a.unit == Unit::Bool => Naive::Truth(None),
            None => Naive::Number(None),
        },
        ExprKind::Default(a, b) => {
            let first = go(a);
            if first.is_na() { go(b) } else { first }
        }
        ExprKind::Call(function, args) => Naive::Number(called(*function, args, table)),
        _ => panic!("not an expression of this test"),
    }
}

fn calculate(arith: Arith, a: Option<BigRational>, b: Option<BigRational>) -> Option<BigRational> {
    let (a, b) = a.zip(b)?;
    Some(match arith {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        Arith::Mul => a * b,
        Arith::Div if b == rational(0, 0) => return None,
        Arith::Div => a / b,
    })
}

fn called(function: Function, args: &[Expr], table: &Table) -> Option<BigRational> {
    let values: Option<Vec<_>> = args.iter().map(|arg| naive(arg, table).number()).collect();
    let mut values = values?.into_iter();
    let first = values.next()?;
    Some(match function {
        Function::Max => values.fold(first, Ord::max),
        Function::Min => values.fold(first, Ord::min),
        Function::Abs if first < rational(0, 0) => -first,
        Function::Abs => first,
        Function::Clamp => first.max(values.next()?).min(values.next()?),
        Function::Floor => first.floor(),
        Function::Ceil => first.ceil(),
        Function::Mod => {
            let step = values.next()?;
            let times = (&first / &step).floor();
            first - step * times
        }
        // Tested by themselves: they need an instrument.
        Function::Round | Function::RoundDown | Function::RoundUp | Function::RoundNearest => {
            return None;
        }
    })
}

fn boxed(inner: Expr) -> Box<Expr> {
    Box::new(inner)
}

fn number_leaf() -> impl Strategy<Value = Expr> {
    let fields = [
        Field::MarketLast,
        Field::MarketMid,
        Field::PositionQty,
        Field::OrderNotional,
        Field::ControlLevel,
        Field::AccountDayLoss,
        Field::PositionAvgPrice,
    ];
    prop_oneof![
        3 => proptest::sample::select(fields.to_vec()).prop_map(|f| field(f, Unit::Num)),
        1 => (-60_i128..60, 0_u8..3).prop_map(|(mantissa, decimals)| number(mantissa, decimals)),
    ]
}

fn numbers(depth: u32) -> BoxedStrategy<Expr> {
    if depth == 0 {
        return number_leaf().boxed();
    }
    let n = || numbers(depth - 1);
    let ariths = vec![Arith::Add, Arith::Sub, Arith::Mul, Arith::Div];
    let functions = vec![Function::Max, Function::Min];
    prop_oneof![
        1 => number_leaf(),
        6 => (proptest::sample::select(ariths), n(), n())
            .prop_map(|(op, a, b)| arith(op, a, b, Unit::Num)),
        1 => n().prop_map(|a| expr(ExprKind::Neg(boxed(a)), Unit::Num)),
        1 => n().prop_map(|a| call(Function::Abs, vec![a])),
        2 => (truths(depth - 1), n(), n())
            .prop_map(|(c, a, b)| expr(ExprKind::If(boxed(c), boxed(a), boxed(b)), Unit::Num)),
        2 => (n(), n()).prop_map(|(a, b)| fallback(a, b)),
        1 => (proptest::sample::select(functions), n(), n())
            .prop_map(|(function, a, b)| call(function, vec![a, b])),
        1 => (n(), n(), n()).prop_map(|(x, a, b)| call(Function::Clamp, vec![x, a, b])),
    ]
    .boxed()
}

fn truths(depth: u32) -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        2 => Just(field(Field::FeedSynced, Unit::Bool)),
        1 => any::<bool>().prop_map(|truth| expr(ExprKind::Bool(truth), Unit::Bool)),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let t = || truths(depth - 1);
    let n = || numbers(depth - 1);
    let compares = vec![
        Compare::Less,
        Compare::LessEq,
        Compare::Greater,
        Compare::GreaterEq,
        Compare::Equal,
        Compare::NotEqual,
    ];
    prop_oneof![
        1 => leaf,
        6 => (proptest::sample::select(compares), n(), n()).prop_map(|(c, a, b)| compare(c, a, b)),
        1 => n().prop_map(|a| expr(ExprKind::IsNa(boxed(a)), Unit::Bool)),
        1 => t().prop_map(|a| expr(ExprKind::IsNa(boxed(a)), Unit::Bool)),
        1 => t().prop_map(|a| expr(ExprKind::Not(boxed(a)), Unit::Bool)),
        2 => (t(), t()).prop_map(|(a, b)| expr(ExprKind::And(boxed(a), boxed(b)), Unit::Bool)),
        2 => (t(), t()).prop_map(|(a, b)| expr(ExprKind::Or(boxed(a), boxed(b)), Unit::Bool)),
        1 => (t(), t()).prop_map(|(a, b)| fallback(a, b)),
        1 => (t(), t(), t())
            .prop_map(|(c, a, b)| expr(ExprKind::If(boxed(c), boxed(a), boxed(b)), Unit::Bool)),
    ]
    .boxed()
}

/// Facts with many zeros and unknowns; `most` is the largest magnitude.
fn facts(most: i128, money: i128) -> impl Strategy<Value = Table> {
    let one = move |most: i128| {
        prop_oneof![
            1 => Just(None),
            1 => Just(Some(0)),
            1 => proptest::sample::select(vec![Some(most), Some(-most), Some(1), Some(-1)]),
            7 => (-most..=most).prop_map(Some),
        ]
    };
    (
        (one(most), one(most), one(most), one(money), one(most)),
        (one(money), one(money), one(money), one(most)),
        proptest::option::of(0_i128..2),
    )
        .prop_map(|(plain, ratios, synced)| {
            let (last, mid, qty, notional, level) = plain;
            let (loss, base, cost, held) = ratios;
            let mut table = Table::default();
            let mut put = |field, part, number: Option<i128>| {
                table.facts.insert(Input { field, part, asset: None }, Value::of(number));
            };
            put(Field::MarketLast, Part::Whole, last);
            put(Field::MarketMid, Part::Whole, mid);
            put(Field::PositionQty, Part::Whole, qty);
            put(Field::OrderNotional, Part::Whole, notional);
            put(Field::ControlLevel, Part::Whole, level);
            put(Field::AccountDayLoss, Part::Over, loss);
            put(Field::AccountDayLoss, Part::Under, base);
            put(Field::PositionAvgPrice, Part::Over, cost);
            put(Field::PositionAvgPrice, Part::Under, held);
            put(Field::FeedSynced, Part::Whole, synced);
            table
        })
}

impl std::fmt::Debug for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_map().entries(&self.facts).finish()
    }
}

/// Compiles and runs one expression: its numerator and denominator, its scale, and whether anything
/// overflowed on the way. None for one that is refused: quotients of quotients can have scales too
/// far apart.
fn compiled(expr: &Expr, table: &Table) -> Option<(Value, Value, i32, bool)> {
    let instrument = instrument();
    let binding = binding(&instrument);
    let names = Names { block: "t", params: &[], states: &[], windows: &[], lets: &[] };
    let mut lower = Lower::new(&binding, names, 0);
    let Num { num, den, scale } = lower.lower(expr);
    assert!(lower.found.is_empty(), "{:?}", lower.found);
    let den = den.unwrap_or_else(|| lower.graph.number(1));
    let bounds = [num, den].map(|node| lower.graph.bounds(node));
    let layout = match lower.graph.lay_out(&[num, den]) {
        Ok(layout) => layout,
        Err(fault) => {
            assert_eq!(fault, Fault::TooFar);
            return None;
        }
    };
    let mut registers = layout.registers.clone();
    layout.sections[0].run(table, &mut registers);
    let values = [num, den].map(|node| registers.get(layout.place(node)));
    for (value, bounds) in values.iter().zip(bounds) {
        if let Some(number) = value.number() {
            assert!(bounds.lo <= number && number <= bounds.hi, "{number} is not in {bounds:?}");
        }
    }
    let used = u16::try_from(layout.registers_used).unwrap();
    let overflow =
        (0..used).any(|register| registers.get(place(register)).cause() == Cause::Overflow);
    Some((values[0], values[1], scale, overflow))
}

fn agrees(expr: &Expr, table: &Table) -> Result<bool, TestCaseError> {
    let Some((num, den, scale, overflow)) = compiled(expr, table) else { return Ok(false) };
    if overflow {
        // The oracle knows no overflow; that nothing else than na comes of it is tested apart.
        return Ok(false);
    }
    match naive(expr, table) {
        Naive::Truth(truth) => prop_assert_eq!(num, truth.map_or(num, Value::bool)),
        Naive::Number(Some(exact)) => {
            let (num, den) = (num.number().unwrap(), den.number().unwrap());
            let ratio = BigRational::new(num.into(), den.into());
            let power = BigRational::from_integer(BigInt::from(10).pow(scale.unsigned_abs()));
            let found = if scale >= 0 { ratio / power } else { ratio * power };
            prop_assert_eq!(found, exact);
        }
        Naive::Number(None) => {
            let zero = den.number() == Some(0);
            prop_assert!(num.is_na() || den.is_na() || zero, "{:?} / {:?}", num, den);
            return Ok(true);
        }
    }
    prop_assert_eq!(num.is_na(), naive(expr, table).is_na());
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn compiled_numbers_equal_big_rationals(
        expr in numbers(3),
        table in facts(10_000, 1_000_000),
    ) {
        agrees(&expr, &table)?;
    }

    #[test]
    fn compiled_truths_equal_kleene_logic_over_big_rationals(
        expr in truths(4),
        table in facts(500, 5_000),
    ) {
        agrees(&expr, &table)?;
    }

    #[test]
    fn extreme_facts_give_the_exact_number_or_overflow(
        expr in prop_oneof![numbers(3), truths(3)],
        table in facts(i128::from(i64::MAX), (1 << 95) - 1),
    ) {
        agrees(&expr, &table)?;
    }
}

#[test]
fn most_random_programs_do_not_overflow() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut compared = 0;
    for _ in 0..500 {
        let expr = numbers(3).new_tree(&mut runner).unwrap().current();
        let table = facts(10_000, 1_000_000).new_tree(&mut runner).unwrap().current();
        compared += usize::from(agrees(&expr, &table).unwrap());
    }
    assert!(compared > 400, "only {compared} of 500 programs were compared");
}
