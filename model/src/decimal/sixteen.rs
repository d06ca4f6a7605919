//! Numbers read sixteen characters at once, where the program is compiled for processors that can.
//!
//! Both functions look at the sixteen bytes that a number begins; what stands behind it in them
//! does not matter. Where they answer nothing, the general ways decide, elsewhere always: they
//! speed up what is common and change no answer, which tests assert.

/// Returns how many digits, points and slashes (which stand between them in ASCII) come first, if
/// something else follows within the sixteen.
#[inline(always)]
pub(super) fn length(text: &[u8; 16]) -> Option<usize> {
    implemented::length(text)
}

/// Reads `123.4500` of `len` characters at `decimals` decimals, or answers nothing: for more than
/// eight digits before the point or behind it, for a digit that the scale cannot hold, and for what
/// is no such number.
#[inline(always)]
pub(super) fn mantissa(text: &[u8; 16], len: usize, decimals: u8) -> Option<i64> {
    implemented::mantissa(text, len, decimals)
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.1")))]
mod implemented {
    pub(super) fn length(_: &[u8; 16]) -> Option<usize> {
        None
    }

    pub(super) fn mantissa(_: &[u8; 16], _: usize, _: u8) -> Option<i64> {
        None
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse4.1"))]
mod implemented {
    use safe_arch::{
        bitand_m128i, cmp_eq_mask_i8_m128i, get_i64_from_m128i_s, load_unaligned_m128i, m128i,
        min_u8_m128i, move_mask_i8_m128i, mul_i16_horizontal_add_m128i,
        mul_u8i8_add_horizontal_saturating_m128i, pack_i32_to_u16_m128i, set_splat_i8_m128i,
        shuffle_av_i8z_all_m128i, sub_i8_m128i,
    };

    use super::super::UNITS;

    /// Characters that are looked at together.
    const TEXT: usize = 16;
    /// Digits on each side of the point.
    const HALF: usize = 8;
    /// Scales that the short forms know.
    const SCALES: usize = UNITS.len();

    /// A bit for each character.
    const ALL: u32 = 0xFFFF;

    /// What a number of a length may look like.
    #[derive(Clone, Copy)]
    struct Form {
        /// The bytes that are its own.
        own: [u8; TEXT],
        /// A bit for each place where its whole part may end: there are one to eight digits before
        /// it, and behind it one to eight, or none and no point.
        ends: u32,
    }

    /// By length.
    static FORMS: [Form; TEXT + 1] = forms();

    /// By the scale and where the whole part ends, which character becomes which digit: eight of
    /// the whole part, the last at its end, then as many of the fraction as the scale has, the last
    /// at its end too. The top bit makes a zero.
    static PLACES: [[[u8; TEXT]; HALF + 1]; SCALES] = places();

    /// Returns the bytes of a word that every lane has.
    #[inline(always)]
    fn splat(byte: u8) -> m128i {
        set_splat_i8_m128i(byte.cast_signed())
    }

    /// Returns a bit for each byte that is at most `most`.
    #[inline(always)]
    fn at_most(bytes: m128i, most: u8) -> u32 {
        mask(cmp_eq_mask_i8_m128i(min_u8_m128i(bytes, splat(most)), bytes))
    }

    #[inline(always)]
    fn mask(bytes: m128i) -> u32 {
        move_mask_i8_m128i(bytes).cast_unsigned()
    }

    #[inline(always)]
    pub(super) fn length(text: &[u8; TEXT]) -> Option<usize> {
        let from_point = sub_i8_m128i(load_unaligned_m128i(text), splat(b'.'));
        let others = !at_most(from_point, b'9' - b'.') & 0xFFFF;
        (others != 0).then(|| count(others.trailing_zeros()))
    }

    #[inline(always)]
    pub(super) fn mantissa(text: &[u8; TEXT], len: usize, decimals: u8) -> Option<i64> {
        let scale = usize::from(decimals);
        let (unit, places) = (UNITS.get(scale)?, PLACES.get(scale)?);
        let Form { own, ends } = FORMS.get(len)?;
        let digits = sub_i8_m128i(load_unaligned_m128i(text), splat(b'0'));
        let digits = bitand_m128i(digits, load_unaligned_m128i(own));
        let others = !at_most(digits, 9) & ALL;
        // One character at most is no digit; without one, the whole part ends with the text.
        let end = count((others | 1_u32.checked_shl(u32::try_from(len).ok()?)?).trailing_zeros());
        let is_sound = others & others.wrapping_sub(1) == 0
            && ends & 1_u32.checked_shl(u32::try_from(end).ok()?)? != 0
            && (others == 0 || text.get(end) == Some(&b'.'));
        // A digit behind the last decimal of the scale is lost unless it is zero.
        let nonzero = !mask(cmp_eq_mask_i8_m128i(digits, splat(0))) & ALL;
        let kept = end.saturating_add(1).saturating_add(scale);
        let is_lost = nonzero.checked_shr(u32::try_from(kept).ok()?) != Some(0);
        if !is_sound || is_lost {
            return None;
        }
        let digits = shuffle_av_i8z_all_m128i(digits, load_unaligned_m128i(places.get(end)?));
        // Neighbours are joined to pairs, these to fours, these to the two halves.
        let pairs = mul_u8i8_add_horizontal_saturating_m128i(digits, m128i::from(TENS));
        let fours = mul_i16_horizontal_add_m128i(pairs, m128i::from(HUNDREDS));
        let fours = pack_i32_to_u16_m128i(fours, fours);
        let halves = mul_i16_horizontal_add_m128i(fours, m128i::from(TEN_THOUSANDS));
        let halves = get_i64_from_m128i_s(halves).cast_unsigned();
        let (whole, fraction) = (halves & 0xFFFF_FFFF, halves >> 32);
        // Below 10^16: no overflow.
        i64::try_from(whole.wrapping_mul(*unit).wrapping_add(fraction)).ok()
    }

    const TENS: [i8; TEXT] = [10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1];
    const HUNDREDS: [i16; HALF] = [100, 1, 100, 1, 100, 1, 100, 1];
    const TEN_THOUSANDS: [i16; HALF] = [10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1];

    #[inline(always)]
    fn count(zeros: u32) -> usize {
        usize::try_from(zeros).unwrap_or(TEXT)
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "computed while compiling, where neither is silent"
    )]
    const fn forms() -> [Form; TEXT + 1] {
        let mut forms = [Form { own: [0; TEXT], ends: 0 }; TEXT + 1];
        let mut len = 0;
        while len <= TEXT {
            let mut at = 0;
            while at < len {
                forms[len].own[at] = 0xFF;
                at += 1;
            }
            let mut end = 1;
            while end <= HALF {
                let is_behind = end + 1 < len && len - end - 1 <= HALF;
                if end == len || is_behind {
                    forms[len].ends |= 1 << end;
                }
                end += 1;
            }
            len += 1;
        }
        forms
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "computed while compiling, where neither is silent"
    )]
    const fn places() -> [[[u8; TEXT]; HALF + 1]; SCALES] {
        let mut table = [[[0x80; TEXT]; HALF + 1]; SCALES];
        // Bytes, because an index becomes one.
        let mut end = 0_u8;
        while end as usize <= HALF {
            let mut decimals = 0_u8;
            while (decimals as usize) < SCALES {
                let digits = &mut table[decimals as usize][end as usize];
                let mut place = 0_u8;
                while (place as usize) < HALF {
                    if place + end >= 8 {
                        digits[place as usize] = place + end - 8;
                    }
                    let behind = place + decimals;
                    if behind >= 8 && end + 1 + behind - 8 < 16 {
                        digits[HALF + place as usize] = end + 1 + behind - 8;
                    }
                    place += 1;
                }
                decimals += 1;
            }
            end += 1;
        }
        table
    }
}
