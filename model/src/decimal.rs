//! Decimal text to integer mantissas and back, exactly.
//!
//! Numbers of venues and recorded files never pass through a float: `"35260.10"` at scale 1 is
//! 352,601, and a digit that the scale cannot hold is an error. The exponent form (`9e-05`) occurs
//! in recorded klines and is read as what it means.

/// LIMIT: longest decimal text; venues send at most about 30 characters.
pub const TEXT_BYTES_MAX: usize = 64;

/// Why a text is no decimal number of the wanted scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Empty, longer than [`TEXT_BYTES_MAX`], or not a number.
    #[error("not a decimal number")]
    Malformed,
    /// A digit other than zero stands behind the last decimal of the scale.
    #[error("more decimals than the scale holds")]
    TooFine,
    /// The mantissa passes an `i64`.
    #[error("number too large")]
    TooLarge,
}

/// A decimal number before it is given a scale: `digits * 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits as one signed integer.
    pub digits: i128,
    /// Power of ten of the last digit.
    pub exponent: i32,
}

impl Decimal {
    /// Reads decimal text: sign, digits with an optional point, optional exponent.
    ///
    /// # Errors
    /// [`DecimalError::Malformed`] for anything else, [`DecimalError::TooLarge`] past an `i128`.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(DecimalError::Malformed);
        }
        let (negative, text) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        let split = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = match split.and_then(|at| text.split_at_checked(at)) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let mut digits = 0_i128;
        let mut decimals = None;
        let mut count = 0_usize;
        for byte in mantissa {
            match byte {
                b'0'..=b'9' => {
                    let digit = i128::from(byte.wrapping_sub(b'0'));
                    digits = digits
                        .checked_mul(10)
                        .and_then(|sum| sum.checked_add(digit))
                        .ok_or(DecimalError::TooLarge)?;
                    count = count.saturating_add(1);
                    decimals = decimals.map(|n: i32| n.saturating_add(1));
                }
                b'.' if decimals.is_none() && count > 0 => decimals = Some(0),
                _ => return Err(DecimalError::Malformed),
            }
        }
        if count == 0 || decimals == Some(0) {
            return Err(DecimalError::Malformed);
        }
        let exponent = exponent.saturating_sub(decimals.unwrap_or(0));
        Ok(Self { digits: if negative { digits.saturating_neg() } else { digits }, exponent })
    }

    /// Returns the decimals that are needed to hold the number: trailing zeros do not count.
    #[must_use]
    pub fn decimals(self) -> u32 {
        let mut digits = self.digits;
        let mut exponent = self.exponent;
        if digits == 0 {
            return 0;
        }
        while exponent < 0 && digits.checked_rem(10) == Some(0) {
            digits = digits.checked_div(10).unwrap_or(0);
            exponent = exponent.saturating_add(1);
        }
        if exponent < 0 { exponent.unsigned_abs() } else { 0 }
    }

    /// Returns the mantissa at `decimals` decimals.
    ///
    /// # Errors
    /// [`DecimalError::TooFine`] when a digit would be lost, [`DecimalError::TooLarge`] on
    /// overflow.
    pub fn at_scale(self, decimals: u8) -> Result<i128, DecimalError> {
        if self.digits == 0 {
            return Ok(0);
        }
        let shift = self.exponent.saturating_add(i32::from(decimals));
        let power = u8::try_from(shift.unsigned_abs()).ok().and_then(crate::num::pow10);
        if shift >= 0 {
            let power = power.ok_or(DecimalError::TooLarge)?;
            return self.digits.checked_mul(power).ok_or(DecimalError::TooLarge);
        }
        // No i128 but zero is a multiple of a power that passes it.
        let power = power.ok_or(DecimalError::TooFine)?;
        match self.digits.checked_rem(power) {
            Some(0) => self.digits.checked_div(power).ok_or(DecimalError::TooLarge),
            _ => Err(DecimalError::TooFine),
        }
    }
}

fn parse_exponent(text: &[u8]) -> Result<i32, DecimalError> {
    let digits = text.get(1..).unwrap_or_default();
    let (negative, digits) = match digits.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, digits),
    };
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    let value = digits.iter().fold(0_i32, |sum, byte| {
        sum.saturating_mul(10).saturating_add(i32::from(byte.saturating_sub(b'0')))
    });
    Ok(if negative { value.saturating_neg() } else { value })
}

/// Reads decimal text straight to a mantissa at `decimals` decimals.
///
/// The plain form of venue frames (digits, one point, trailing zeros) takes a path of its own
/// without wide arithmetic; everything else goes through [`Decimal::parse`].
///
/// # Errors
/// As [`Decimal::parse`] and [`Decimal::at_scale`]; [`DecimalError::TooLarge`] past an `i64`.
#[inline(always)]
pub fn parse_mantissa(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    match parse_short(text, decimals) {
        Some(mantissa) => Ok(mantissa),
        None => parse_long(text, decimals),
    }
}

#[cold]
#[inline(never)]
fn parse_long(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    let wide = Decimal::parse(text)?.at_scale(decimals)?;
    i64::try_from(wide).map_err(|_| DecimalError::TooLarge)
}

/// Reads `123.4500` eight digits at a time when it has at most 16 characters, 8 digits before the
/// point (7 when there are more than 8 characters) and 8 behind it, and loses none; `None` asks for
/// the general path.
///
/// In a word of text the first character is the lowest byte. Digits at the top of a word, with
/// nothing below, are a number; digits at its bottom, with nothing above, are a fraction of eight
/// decimals.
#[inline(always)]
fn parse_short(text: &[u8], decimals: u8) -> Option<i64> {
    let unit = *UNITS.get(usize::from(decimals))?;
    let kept_bits = u32::from(decimals).wrapping_mul(8);
    let (first, last) = ends(text)?;
    let text_bits = u32::try_from(text.len()).ok()?.wrapping_mul(8);
    let differs = first ^ repeat(b'.');
    let points = differs.wrapping_sub(repeat(1)) & !differs & repeat(0x80);
    // Bits of the characters before the point and behind it.
    let (whole_bits, behind_bits) = if points == 0 {
        (text_bits, 0)
    } else {
        let whole_bits = points.trailing_zeros().wrapping_sub(7);
        (whole_bits, text_bits.wrapping_sub(whole_bits).wrapping_sub(8))
    };
    if whole_bits == 0 || whole_bits > 64 || behind_bits > 64 || (behind_bits == 0 && points != 0) {
        return None;
    }
    let whole = (first ^ repeat(b'0')) << 64_u32.wrapping_sub(whole_bits);
    let behind = (last ^ repeat(b'0')).checked_shr(64_u32.wrapping_sub(behind_bits)).unwrap_or(0);
    let lost = behind.checked_shr(kept_bits).unwrap_or(0);
    if lost != 0 || !are_digits(whole, behind) {
        return None;
    }
    let behind = behind.checked_shl(64_u32.wrapping_sub(kept_bits)).unwrap_or(0);
    // Below 10^16: no overflow.
    i64::try_from(value(whole).wrapping_mul(unit).wrapping_add(value(behind))).ok()
}

/// Returns the first and the last eight characters of a text of 1 to 16. A text of fewer than
/// eight stands at the bottom of the first word and at the top of the last, with zero bytes around.
#[inline(always)]
fn ends(text: &[u8]) -> Option<(u64, u64)> {
    if text.len() > 16 {
        return None;
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)));
    }
    let missing = 8_u32.wrapping_sub(u32::try_from(text.len()).ok()?);
    let word = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            // They overlap where both have the same characters.
            let shift = 8_u32.wrapping_mul(4_u32.wrapping_sub(missing));
            u64::from(first) | (u64::from(last) << shift)
        }
        _ => text.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    };
    Some((word, word.checked_shl(missing.wrapping_mul(8)).unwrap_or(0)))
}

/// Returns a word of eight equal bytes.
const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Reads eight digits; `None` when one of the characters is another.
#[inline]
#[must_use]
pub fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let digits = u64::from_le_bytes(text) ^ repeat(b'0');
    are_digits(digits, 0).then(|| value(digits))
}

/// Tells whether each byte of two words is at most 9. A byte that carries into its neighbour has
/// its own top bit set.
#[inline]
fn are_digits(one: u64, two: u64) -> bool {
    let above = one.wrapping_add(repeat(0x76)) | two.wrapping_add(repeat(0x76));
    (above | one | two) & repeat(0x80) == 0
}

/// Returns the number that eight digits are, the first in the lowest byte: neighbours are joined to
/// pairs, these to fours, these to all.
#[inline]
fn value(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul((10 << 8) | 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul((100 << 16) | 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul((10_000 << 32) | 1) >> 32
}

/// Ten to the power of the decimals that the short path knows.
const UNITS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Returns the mantissa at `decimals` decimals as text, without a sign of rounding: `352601` at 1
/// is `35260.1`. Trailing zeros stay, so equal scales give equal widths.
#[must_use]
pub fn format_mantissa(mantissa: i128, decimals: u8) -> String {
    let digits = mantissa.unsigned_abs().to_string();
    let decimals = usize::from(decimals);
    let width = decimals.saturating_add(1);
    let padded = format!("{digits:0>width$}");
    let sign = if mantissa < 0 { "-" } else { "" };
    let at = padded.len().saturating_sub(decimals);
    match padded.split_at_checked(at) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{padded}"),
    }
}

/// As [`format_mantissa`], with trailing zeros of the fraction dropped: for people.
#[must_use]
pub fn format_trimmed(mantissa: i128, decimals: u8) -> String {
    let text = format_mantissa(mantissa, decimals);
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
