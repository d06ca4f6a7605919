//! Population standard deviation, correctly rounded, and distances from the mean in it.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Rounding, div_round};
use model::order::Cause;

use super::window::Window;
use super::{FINER, FINER_ONE, RATIO_ONE};
use crate::value::Value;

/// LIMIT: factor of a root's decimals: a distance from the mean is below a hundred roots, so the
/// product with it and nine decimals more stays below 2^126.
const ROOT_SCALE_MAX: i128 = 10_i128.pow(19);

/// Standard deviation of the last n inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stdev {
    window: Window,
    sum: i128,
    /// Sum of squares.
    squares: i128,
}

impl Stdev {
    pub(crate) fn new(length: u32) -> Self {
        Self { window: Window::new(length), sum: 0, squares: 0 }
    }

    /// LIMIT: n times an input stays below 2^63, so that n times the sum of squares fits.
    pub(crate) fn input_max(length: u32) -> i128 {
        let most: i128 = 1 << 63;
        most.checked_div(i128::from(length)).unwrap_or(most)
    }

    pub(crate) fn advance(&mut self, input: i128) -> Value {
        match self.push(input) {
            Ok(spread) => {
                let n = self.window.length().unsigned_abs();
                Value::known(root_over(spread, n))
            }
            Err(cause) => Value::na(cause),
        }
    }

    /// Returns `(x - mean) / stdev` with nine decimals, x being the newest input; FLAT when
    /// nothing moves.
    pub(crate) fn score(&mut self, input: i128) -> Value {
        let spread = match self.push(input) {
            Ok(0) => return Value::na(Cause::Flat),
            Ok(spread) => spread,
            Err(cause) => return Value::na(cause),
        };
        // n (x - mean) over the root of n^2 times the variance: n falls out.
        let off = self.window.length().saturating_mul(input).saturating_sub(self.sum);
        // As many decimals of the root as fit: nineteen at most, so that it has 63 bits.
        let (mut finer, mut scale) = (spread, 1_i128);
        while scale < ROOT_SCALE_MAX
            && let Some(next) = finer.checked_mul(100)
        {
            finer = next;
            scale = scale.saturating_mul(10);
        }
        let root = i128::try_from(finer.isqrt()).unwrap_or(i128::MAX);
        let above = off.checked_mul(scale).and_then(|above| above.checked_mul(RATIO_ONE));
        match above.and_then(|above| div_round(above, root, Rounding::HalfEven)) {
            Some(score) => Value::known(score),
            None => Value::na(Cause::Overflow),
        }
    }

    /// Takes an input and returns n^2 times the variance: exact, and never negative.
    fn push(&mut self, input: i128) -> Result<u128, Cause> {
        let length = u32::try_from(self.window.length()).unwrap_or(u32::MAX);
        if input.saturating_abs() > Self::input_max(length) {
            return Err(Cause::Overflow);
        }
        let old = self.window.push(input);
        let square = |number: i128| number.saturating_mul(number);
        self.sum = self.sum.saturating_sub(old).saturating_add(input);
        self.squares = self.squares.saturating_sub(square(old)).saturating_add(square(input));
        if !self.window.is_full() {
            return Err(Cause::Warmup);
        }
        let n = self.window.length();
        Ok(n.saturating_mul(self.squares).saturating_sub(square(self.sum)).unsigned_abs())
    }
}

/// Returns `sqrt(spread) / n` with [`FINER`] more decimals, half-even.
fn root_over(spread: u128, n: u128) -> i128 {
    let (root, rest) = fine_root(spread);
    let quotient = root.checked_div(n).unwrap_or(0);
    // Above the half iff sqrt(S) > (2q + 1) * n / 2. A root is whole or irrational, never a half.
    let twice_half = quotient.saturating_mul(2).saturating_add(1).saturating_mul(n);
    let half = twice_half / 2;
    let up = if twice_half.is_multiple_of(2) {
        root > half || (root == half && (rest > 0 || !quotient.is_multiple_of(2)))
    } else {
        root > half || (root == half && rest > root)
    };
    i128::try_from(quotient.saturating_add(u128::from(up))).unwrap_or(i128::MAX)
}

/// Returns the whole root of `spread * 10^12`, and what is left of it.
fn fine_root(spread: u128) -> (u128, u128) {
    match spread.checked_mul(FINER_ONE.unsigned_abs().pow(2)) {
        Some(finer) => {
            let root = finer.isqrt();
            (root, finer.saturating_sub(root.saturating_mul(root)))
        }
        None => fine_root_by_digits(spread),
    }
}

/// Does the same for a product that may need 166 bits: the six decimals are found digit by digit,
/// as by hand.
fn fine_root_by_digits(spread: u128) -> (u128, u128) {
    let mut root = spread.isqrt();
    let mut rest = spread.saturating_sub(root.saturating_mul(root));
    for _ in 0..FINER {
        rest = rest.saturating_mul(100);
        let base = root.saturating_mul(20);
        let step = |digit: u128| base.saturating_add(digit).saturating_mul(digit);
        let digit = (1..=9).rev().find(|digit| step(*digit) <= rest).unwrap_or(0);
        rest = rest.saturating_sub(step(digit));
        root = root.saturating_mul(10).saturating_add(digit);
    }
    (root, rest)
}

impl Image for Stdev {
    fn save(&self, out: &mut ImageWriter) {
        self.window.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.window.load(from)?;
        let most = Self::input_max(u32::try_from(self.window.length()).unwrap_or(u32::MAX));
        if self.window.values().iter().any(|value| value.saturating_abs() > most) {
            return Err(ImageError::Range);
        }
        self.sum = self.window.values().iter().sum();
        self.squares = self.window.values().iter().map(|value| value.saturating_mul(*value)).sum();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_a_root_agree() {
        let last = u128::MAX / 1_000_000_000_000;
        let powers = (0..128).map(|bits| 1_u128 << bits);
        let near = powers.flat_map(|power| [power - 1, power, power + 1]);
        for spread in near.chain([2, 10, 99, last - 1, last, last + 1]) {
            let (root, rest) = fine_root(spread);
            assert_eq!((root, rest), fine_root_by_digits(spread), "{spread}");
            if spread <= last {
                assert_eq!(root * root + rest, spread * 1_000_000_000_000, "{spread}");
                assert!(rest <= 2 * root, "{spread}");
            }
        }
    }
}
