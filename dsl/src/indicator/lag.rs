//! What a value was some steps ago, known or not.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::order::Cause;

use crate::value::Value;

/// The last k values, in a ring that is made once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    values: Vec<Value>,
    /// Place of the oldest.
    next: usize,
}

impl Lag {
    /// Returns a past of `length` steps of which nothing is known.
    pub(crate) fn new(length: u32) -> Self {
        let length = usize::try_from(length).unwrap_or(1).max(1);
        Self { values: vec![Value::na(Cause::Warmup); length], next: 0 }
    }

    pub(crate) fn advance(&mut self, input: Value) -> Value {
        let Some(slot) = self.values.get_mut(self.next) else { return Value::MISSING };
        let old = std::mem::replace(slot, input);
        self.next = self.next.saturating_add(1);
        if self.next >= self.values.len() {
            self.next = 0;
        }
        old
    }
}

impl Image for Lag {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.values.len());
        out.put_len(self.next);
        for value in &self.values {
            out.put(value.raw());
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        let length = self.values.len();
        if from.take_len(length)? != length {
            return Err(ImageError::Range);
        }
        self.next = from.take_len(length.saturating_sub(1))?;
        for value in &mut self.values {
            *value = Value::of_raw(from.take()?);
        }
        Ok(())
    }
}
