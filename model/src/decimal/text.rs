//! The text of a number where it stands.

use super::{DecimalError, parse_mantissa, sixteen};

/// A number's text within a longer one. Sixteen bytes are read at once where there are as many, so
/// what stands behind the number is read along with it; it never matters.
#[derive(Clone, Copy, Default)]
pub struct NumberText<'a> {
    /// From its first character on.
    from: &'a [u8],
    /// Its characters; never more than there are.
    len: usize,
}

impl<'a> NumberText<'a> {
    /// Returns the number that a text is, or none: see [`NumberText::mantissa`].
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { from: text, len: text.len() }
    }

    /// Returns what stands between two offsets of a text; empty where they do not fit, which no
    /// number is.
    #[inline]
    #[must_use]
    pub fn between(text: &'a [u8], start: usize, end: usize) -> Self {
        match (text.get(start..), end.checked_sub(start)) {
            (Some(from), Some(len)) if len <= from.len() => Self { from, len },
            _ => Self::default(),
        }
    }

    /// Passes the digits and points (and slashes, which stand between them in ASCII) at the
    /// beginning of a text, and returns what follows too; none where nothing does. Whether they are
    /// a number is told by [`NumberText::mantissa`].
    #[inline(always)]
    #[must_use]
    pub fn pass(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let len = match text.first_chunk().and_then(sixteen::length) {
            Some(len) => len,
            None => text.iter().position(|byte| !matches!(byte, b'.'..=b'9'))?,
        };
        Some((Self { from: text, len }, text.get(len..)?))
    }

    /// Returns the number of characters.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.len
    }

    /// Tells whether there is no character.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Returns the characters.
    #[inline]
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.from.get(..self.len).unwrap_or_default()
    }

    /// Reads the number at `decimals` decimals.
    ///
    /// # Errors
    /// As [`parse_mantissa`], which gives the same answer.
    #[inline(always)]
    pub fn mantissa(self, decimals: u8) -> Result<i64, DecimalError> {
        let quick = self.from.first_chunk();
        match quick.and_then(|text| sixteen::mantissa(text, self.len, decimals)) {
            Some(mantissa) => Ok(mantissa),
            None => self.mantissa_alone(decimals),
        }
    }

    /// Apart from what is common, so that its room and registers are not taken there.
    #[cold]
    #[inline(never)]
    fn mantissa_alone(self, decimals: u8) -> Result<i64, DecimalError> {
        parse_mantissa(self.as_bytes(), decimals)
    }
}

impl PartialEq for NumberText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for NumberText<'_> {}

impl std::fmt::Display for NumberText<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl std::fmt::Debug for NumberText<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "`{self}`")
    }
}
