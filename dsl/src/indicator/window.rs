//! The last n inputs, in a ring that is made once.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};

/// The last `capacity` values, oldest overwritten first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Always `capacity` long; places not yet written are zero.
    values: Vec<i128>,
    /// Where the next value goes: the place of the oldest once the ring is full.
    next: usize,
    /// Values held.
    len: usize,
}

impl Window {
    /// Returns an empty window of `length` values.
    pub(crate) fn new(length: u32) -> Self {
        let capacity = usize::try_from(length).unwrap_or(1).max(1);
        Self { values: vec![0; capacity], next: 0, len: 0 }
    }

    /// Puts a value in and returns the one that falls out, zero while the window fills.
    pub(crate) fn push(&mut self, value: i128) -> i128 {
        let old = match self.values.get_mut(self.next) {
            Some(slot) => std::mem::replace(slot, value),
            None => 0,
        };
        self.next = self.next.saturating_add(1);
        if self.next >= self.values.len() {
            self.next = 0;
        }
        self.len = self.len.saturating_add(1).min(self.values.len());
        old
    }

    /// Tells whether the window holds its whole length.
    pub(crate) fn is_full(&self) -> bool {
        self.len == self.values.len()
    }

    /// Returns the length.
    pub(crate) fn length(&self) -> i128 {
        i128::try_from(self.values.len()).unwrap_or(i128::MAX)
    }

    /// Returns how many values are held.
    pub(crate) fn held(&self) -> i128 {
        i128::try_from(self.len).unwrap_or(i128::MAX)
    }

    /// Returns the values held, in no particular order.
    pub(crate) fn values(&self) -> &[i128] {
        // Places not yet written are zero and change no sum.
        &self.values
    }
}

impl Image for Window {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.values.len());
        out.put_len(self.next);
        out.put_len(self.len);
        for value in &self.values {
            out.put(*value);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        let capacity = self.values.len();
        if from.take_len(capacity)? != capacity {
            return Err(ImageError::Range);
        }
        self.next = from.take_len(capacity.saturating_sub(1))?;
        self.len = from.take_len(capacity)?;
        for value in &mut self.values {
            *value = from.take()?;
        }
        Ok(())
    }
}
