//! Where a piece of a program stands in its source text.

/// A byte range of one source. Positions never make two programs different, so all spans are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Index of the source among those checked together.
    pub source: u16,
    /// First byte.
    pub start: u32,
    /// Byte behind the last one.
    pub end: u32,
}

/// A source text with the name that diagnostics show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File path as the user gave it, or a name in angle brackets for what ships with the program.
    pub name: String,
    /// The text.
    pub text: String,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    /// Returns the smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

impl Source {
    /// Returns the line and column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn position(&self, byte: u32) -> (u32, u32) {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let head = self.text.get(..byte).unwrap_or(&self.text);
        let line = head.bytes().filter(|b| *b == b'\n').count();
        let column = head.chars().rev().take_while(|c| *c != '\n').count();
        let number = |n: usize| u32::try_from(n.saturating_add(1)).unwrap_or(u32::MAX);
        (number(line), number(column))
    }
}
