//! Bars of a longer length, built from those that wake a strategy.
//!
//! A longer bar covers `[k * length, (k + 1) * length)` since the epoch. It is closed by the bar
//! that ends with it, or else by the first one behind it: a span without trades makes no bar. What
//! series see is always the last closed one. The first is used only if it is whole: one that a
//! session enters in its middle says nothing of its span.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};

use crate::evaluate::{Facts, Input};
use crate::schema::Field;
use crate::value::Value;

/// A closed bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameBar {
    pub(crate) open: i128,
    pub(crate) high: i128,
    pub(crate) low: i128,
    pub(crate) close: i128,
    pub(crate) volume: i128,
    /// End in nanoseconds since the epoch.
    pub(crate) end: i128,
}

/// The bars of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    length: i128,
    /// The bar being built, with its own end.
    bar: Option<FrameBar>,
    /// The bar being built began with its span, or another was there before.
    whole: bool,
}

impl Frame {
    /// Returns bars of so many nanoseconds, none of them begun.
    pub(crate) fn new(length_ns: i64) -> Self {
        Self { length: i128::from(length_ns).max(1), bar: None, whole: false }
    }

    /// Takes a closed bar that is `span` long and lies within one of this length. Calls `closed`
    /// with each bar that this closes, at most two.
    pub(crate) fn take(&mut self, bar: &FrameBar, span: i128, mut closed: impl FnMut(&FrameBar)) {
        let index = bar.end.saturating_sub(1).div_euclid(self.length);
        let end = index.saturating_add(1).saturating_mul(self.length);
        if let Some(late) = self.bar.filter(|open| open.end != end) {
            self.close(late, &mut closed);
        }
        let open = match self.bar {
            Some(open) => FrameBar {
                high: open.high.max(bar.high),
                low: open.low.min(bar.low),
                close: bar.close,
                volume: open.volume.saturating_add(bar.volume),
                ..open
            },
            None => {
                let begins = bar.end.saturating_sub(span) == end.saturating_sub(self.length);
                self.whole = self.whole || begins;
                FrameBar { end, ..*bar }
            }
        };
        self.bar = Some(open);
        if bar.end == end {
            self.close(open, &mut closed);
        }
    }

    fn close(&mut self, bar: FrameBar, closed: &mut impl FnMut(&FrameBar)) {
        self.bar = None;
        if std::mem::replace(&mut self.whole, true) {
            closed(&bar);
        }
    }
}

impl Facts for FrameBar {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the checker refuses all other fields")]
    fn read(&self, input: &Input) -> Value {
        Value::known(match input.field {
            Field::BarOpen => self.open,
            Field::BarHigh => self.high,
            Field::BarLow => self.low,
            Field::BarClose => self.close,
            Field::BarVolume => self.volume,
            Field::BarTime => self.end,
            _ => return Value::MISSING,
        })
    }
}

impl Image for Frame {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.bar.is_some());
        let bar = self.bar.unwrap_or_default();
        for value in [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.end] {
            out.put(value);
        }
        out.put(self.whole);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        let is_open: bool = from.take()?;
        let bar = FrameBar {
            open: from.take()?,
            high: from.take()?,
            low: from.take()?,
            close: from.take()?,
            volume: from.take()?,
            end: from.take()?,
        };
        self.bar = is_open.then_some(bar);
        self.whole = from.take()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
