//! Largest and smallest of the last n, by a monotonic deque: constant work a step on average.

use std::collections::VecDeque;

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::order::Cause;

use crate::value::Value;

/// A value that can still become the extreme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Number of the step, from 1.
    step: u64,
    value: i128,
}

/// Extreme of the last n inputs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extreme {
    length: u32,
    /// Known inputs so far.
    steps: u64,
    /// Never holds more than the length, so it never grows beyond what it was made with.
    candidates: VecDeque<Entry>,
}

impl Extreme {
    pub(crate) fn new(length: u32) -> Self {
        let capacity = usize::try_from(length).unwrap_or(1).max(1);
        Self { length: length.max(1), steps: 0, candidates: VecDeque::with_capacity(capacity) }
    }

    /// Returns how many candidates fit without growing.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.candidates.capacity()
    }

    /// `beats` tells whether a new value makes an older one useless.
    pub(crate) fn advance(&mut self, input: i128, beats: fn(i128, i128) -> bool) -> Value {
        self.steps = self.steps.saturating_add(1);
        let expired = self.steps.saturating_sub(u64::from(self.length));
        if self.candidates.front().is_some_and(|entry| entry.step <= expired) {
            self.candidates.pop_front();
        }
        while self.candidates.back().is_some_and(|entry| beats(input, entry.value)) {
            self.candidates.pop_back();
        }
        self.candidates.push_back(Entry { step: self.steps, value: input });
        match self.candidates.front() {
            Some(entry) if self.steps >= u64::from(self.length) => Value::known(entry.value),
            _ => Value::na(Cause::Warmup),
        }
    }
}

impl Clone for Extreme {
    /// A copy has all memory it will ever need too; a derived one would have only what it holds.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.length);
        copy.steps = self.steps;
        copy.candidates.extend(self.candidates.iter().copied());
        copy
    }
}

impl Image for Extreme {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.length);
        out.put(self.steps);
        out.put_len(self.candidates.len());
        for entry in &self.candidates {
            out.put(entry.step);
            out.put(entry.value);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take::<u32>()? != self.length {
            return Err(ImageError::Range);
        }
        self.steps = from.take()?;
        let len = from.take_len(usize::try_from(self.length).unwrap_or(0))?;
        self.candidates.clear();
        let mut before = self.steps.saturating_sub(u64::from(self.length));
        for _ in 0..len {
            let entry = Entry { step: from.take()?, value: from.take()? };
            // Steps rise, none has expired, none lies ahead.
            if entry.step <= before || entry.step > self.steps {
                return Err(ImageError::Range);
            }
            before = entry.step;
            self.candidates.push_back(entry);
        }
        Ok(())
    }
}
