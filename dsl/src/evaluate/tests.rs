//! Single operations: Kleene's tables, causes and the edges of the range.

use model::order::Cause;

use super::op::{Code, LIMIT, apply};
use super::{REGISTERS_MAX, Registers, place, unless};
use crate::value::{Truth, Value};

const T: Value = Value::TRUE;
const F: Value = Value::FALSE;
const N: Value = Value::MISSING;

fn run(code: Code, args: &[Value]) -> Value {
    apply(code, |place| args[place])
}

fn numbers(code: Code, args: &[i128]) -> Value {
    let args: Vec<_> = args.iter().map(|number| Value::known(*number)).collect();
    run(code, &args)
}

#[test]
fn and_or_not_are_kleenes() {
    let table = [
        (T, T, T, T),
        (T, F, F, T),
        (F, T, F, T),
        (F, F, F, F),
        (T, N, N, T),
        (N, T, N, T),
        (F, N, F, N),
        (N, F, F, N),
        (N, N, N, N),
    ];
    for (a, b, and, or) in table {
        assert_eq!(run(Code::And, &[a, b]), and, "{a:?} and {b:?}");
        assert_eq!(run(Code::Or, &[a, b]), or, "{a:?} or {b:?}");
    }
    assert_eq!([T, F, N].map(|a| run(Code::Not, &[a])), [F, T, N]);
}

#[test]
fn the_first_unknown_operand_gives_the_cause() {
    let (flat, zero) = (Value::na(Cause::Flat), Value::na(Cause::DivZero));
    for code in [Code::Add, Code::SubChecked, Code::Mul, Code::Less, Code::Max, Code::Divide] {
        assert_eq!(run(code, &[flat, zero]), flat);
        assert_eq!(run(code, &[T, zero]), zero);
    }
    assert_eq!(run(Code::CrossLess, &[T, flat, zero, T]), flat);
    assert_eq!(run(Code::Select, &[flat, T, T]), flat);
    assert_eq!(run(Code::Select, &[T, T, flat]), T, "the branch not taken does not matter");
    assert_eq!(run(Code::Select, &[F, T, flat]), flat);
    assert_eq!(run(Code::Default, &[flat, zero]), zero);
    assert_eq!([flat, F].map(|a| run(Code::IsNa, &[a])), [T, F]);
}

#[test]
fn checked_operations_overflow_at_126_bits() {
    let overflow = Value::na(Cause::Overflow);
    assert_eq!(numbers(Code::AddChecked, &[LIMIT - 1, 1]), Value::known(LIMIT));
    assert_eq!(numbers(Code::AddChecked, &[LIMIT, 1]), overflow);
    assert_eq!(numbers(Code::SubChecked, &[-LIMIT, 1]), overflow);
    assert_eq!(numbers(Code::MulChecked, &[1 << 63, 1 << 63]), overflow);
    assert_eq!(numbers(Code::MulChecked, &[LIMIT, LIMIT]), overflow);
    assert_eq!(numbers(Code::MulChecked, &[-1, LIMIT]), Value::known(-LIMIT));
    assert_eq!(numbers(Code::CrossLessChecked, &[LIMIT, 1, 1, LIMIT]), overflow);
    let narrow = i128::from(i64::MAX);
    assert_eq!(numbers(Code::MulNarrow, &[-narrow, narrow]), Value::known(-narrow * narrow));
}

#[test]
fn crossed_comparisons_mind_signs_and_zeros() {
    // -1/2 < 1/3 however the signs are written.
    for [a, b, c, d] in [[-1, 2, 1, 3], [1, -2, 1, 3], [1, -2, -1, -3], [-1, 2, -1, -3]] {
        assert_eq!(numbers(Code::CrossLess, &[a, b, c, d]), T);
        assert_eq!(numbers(Code::CrossLessEq, &[c, d, a, b]), F);
        assert_eq!(numbers(Code::CrossEqual, &[a, b, c, d]), F);
    }
    assert_eq!(numbers(Code::CrossEqual, &[1, -2, -2, 4]), T);
    assert_eq!(numbers(Code::CrossLess, &[1, 0, 1, 1]), Value::na(Cause::DivZero));
    assert_eq!(numbers(Code::CrossLessChecked, &[1, 1, 1, 0]), Value::na(Cause::DivZero));
    assert_eq!(numbers(Code::NonZero, &[0]), Value::na(Cause::DivZero));
    assert_eq!(numbers(Code::Divide, &[1, 0]), Value::na(Cause::DivZero));
    assert_eq!(numbers(Code::Divide, &[5, 2]), Value::known(2), "half-even");
    assert_eq!(numbers(Code::Divide, &[7, 2]), Value::known(4));
}

#[test]
fn operations_with_constants_give_what_the_general_ones_give() {
    let word = i128::from(i64::MAX);
    let factors = [0, 1, 3, 1_000_000_000, word - 1, word];
    let numbers_of = |inner: i128| [-inner, -inner + 1, -1, 0, 1, 7, inner - 1, inner];
    let unknown = Value::na(Cause::Flat);
    let values = || numbers_of(word).into_iter().chain(numbers_of(word + 2)).map(Value::known);
    let values = || values().chain([unknown]);
    let pairs = [
        (Code::RatioBelow, Code::CrossLess, false),
        (Code::RatioAtMost, Code::CrossLessEq, false),
        (Code::RatioAbove, Code::CrossLess, true),
        (Code::RatioAtLeast, Code::CrossLessEq, true),
    ];
    for (a, factor) in values().flat_map(|a| factors.map(|factor| (a, Value::known(factor)))) {
        assert_eq!(run(Code::Scale, &[a, factor]), run(Code::Mul, &[a, factor]), "{a:?}");
        let at_least = run(Code::LessEq, &[factor, a]);
        assert_eq!(run(Code::AtMost, &[a, factor]), run(Code::LessEq, &[a, factor]), "{a:?}");
        assert_eq!(run(Code::AtLeast, &[a, factor]), at_least, "{a:?} {factor:?}");
        for (b, below) in values().flat_map(|b| factors.map(|below| (b, below))) {
            // A divisor is a factor from 1, and the products are proved to fit.
            let (d, wide) = (Value::known(below.max(1)), |one: Value, other: Value| {
                one.raw().checked_mul(other.raw()).is_none_or(|product| product.abs() > LIMIT)
            });
            if !a.is_na() && !b.is_na() && (wide(a, d) || wide(b, factor)) {
                continue;
            }
            for (ratio, cross, swapped) in pairs {
                let (left, right) = ([a, b], [factor, d]);
                let ([a, b], [c, e]) = if swapped { (right, left) } else { (left, right) };
                let expected = run(cross, &[a, b, c, e]);
                let found = run(ratio, &[left[0], left[1], right[0], right[1]]);
                assert_eq!(found, expected, "{ratio:?} {left:?} {right:?}");
            }
        }
    }
}

#[test]
fn joined_operations_give_what_their_parts_give() {
    let word = i128::from(i64::MAX);
    let unknown = [Value::na(Cause::Flat), Value::na(Cause::Warmup)];
    let values: Vec<Value> =
        [-word, -1, 0, 1, 7, word].map(Value::known).into_iter().chain(unknown).collect();
    let factors = [0, 1, 1_000_000_000, word].map(Value::known);
    for (a, b) in values.iter().flat_map(|a| values.iter().map(|b| (*a, *b))) {
        for condition in [T, F, N] {
            let (there, back) = (run(Code::Sub, &[a, b]), run(Code::Sub, &[b, a]));
            let expected = run(Code::Select, &[condition, there, back]);
            assert_eq!(run(Code::TurnedSub, &[condition, a, b]), expected, "{a:?} {b:?}");
        }
        for (c, d) in factors.iter().flat_map(|c| factors.iter().map(|d| (*c, *d))) {
            let (left, right) = (run(Code::Mul, &[a, c]), run(Code::Mul, &[b, d]));
            let expected = run(Code::Sub, &[left, right]);
            assert_eq!(run(Code::ScaledSub, &[a, c, b, d]), expected, "{a:?} {b:?} {c:?} {d:?}");
        }
    }
}

#[test]
fn an_exemption_must_be_known() {
    assert_eq!(unless(T, T), Truth::False);
    assert_eq!(unless(T, N), Truth::True);
    assert_eq!(unless(N, T), Truth::False);
    assert_eq!(unless(N, F), Truth::Unknown(Cause::Missing));
}

#[test]
fn fresh_registers_know_their_constants_only() {
    let registers = Registers::new(&[(place(3), T)]);
    assert_eq!((registers.get(place(3)), registers.get(place(2))), (T, N));
    assert_eq!(registers.get(u16::MAX), N);
    assert_eq!(registers.values.len(), REGISTERS_MAX);
}
