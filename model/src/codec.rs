//! Events and state images to bytes and back: the only place that does so.
//!
//! Released encodings are never edited, only added: a change of meaning gets a new kind or a new
//! `EVENT_VERSION`. Bytes that do not come from here are refused, never repaired.

use crate::event::{EVENT_BYTES, Event, Field, Kind, PAYLOAD_BYTES};
use crate::id::{InstrumentId, Seq};
use crate::time::Nanos;

/// Version of the event encoding: the layout drawn in [`crate::event`].
pub const EVENT_VERSION: u16 = 1;

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not 64 bytes.
    #[error("an event has {EVENT_BYTES} bytes, not {0}")]
    Length(usize),
    /// The kind is not one of this version.
    #[error("event kind {0} is unknown to this version")]
    Kind(u16),
    /// A field is out of range, or a byte behind the last field is set.
    #[error("payload of event kind {0} is not canonical")]
    Payload(u16),
}

/// Returns the event's 64 bytes.
#[inline]
#[must_use]
pub fn encode(event: &Event) -> [u8; EVENT_BYTES] {
    let mut bytes = [0; EVENT_BYTES];
    let (head, payload) = bytes.split_at_mut(EVENT_BYTES - PAYLOAD_BYTES);
    let (seq, head) = head.split_at_mut(8);
    let (ts, head) = head.split_at_mut(8);
    let (instrument, head) = head.split_at_mut(4);
    let (kind, flags) = head.split_at_mut(2);
    event.seq.0.store(seq);
    event.ts.0.store(ts);
    event.instrument.0.store(instrument);
    (event.kind() as u16).store(kind);
    event.flags.store(flags);
    payload.copy_from_slice(event.payload());
    bytes
}

/// Reads an event.
///
/// # Errors
/// [`DecodeError`] for a wrong length, an unknown kind, or a payload that no event packs to.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let whole: &[u8; EVENT_BYTES] =
        bytes.try_into().map_err(|_| DecodeError::Length(bytes.len()))?;
    let (head, payload) = whole.split_at(EVENT_BYTES - PAYLOAD_BYTES);
    let (seq, head) = head.split_at(8);
    let (ts, head) = head.split_at(8);
    let (instrument, head) = head.split_at(4);
    let (kind, flags) = head.split_at(2);
    let code = u16::load(kind);
    let kind = Kind::from_code(code).ok_or(DecodeError::Kind(code))?;
    let payload = payload.try_into().map_err(|_| DecodeError::Length(bytes.len()))?;
    Event::from_parts(
        Seq(u64::load(seq)),
        Nanos(i64::load(ts)),
        InstrumentId(u32::load(instrument)),
        kind,
        u16::load(flags),
        payload,
    )
    .ok_or(DecodeError::Payload(code))
}

/// Appends fields to a state image in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct ImageWriter {
    bytes: Vec<u8>,
}

/// Reads fields of a state image in the order they were written.
#[derive(Clone, Debug)]
pub struct ImageReader<'a> {
    rest: &'a [u8],
}

/// A state image that does not fit the program that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The image ends before its last field.
    #[error("the state image ends early")]
    Short,
    /// Bytes are left over.
    #[error("the state image is {0} bytes too long")]
    Long(usize),
    /// The image is of another version or another setting.
    #[error("the state image is of {found}, this program reads {wanted}")]
    Version {
        /// Version of the image.
        found: u32,
        /// Version that is read.
        wanted: u32,
    },
    /// A count passes its limit, or a value is out of range.
    #[error("a value of the state image is out of range")]
    Range,
}

/// State that can be written at a record boundary and read back to the same state.
pub trait Image {
    /// Appends the whole state.
    fn save(&self, out: &mut ImageWriter);
    /// Replaces the state by the saved one.
    ///
    /// # Errors
    /// [`ImageError`] when the image is not of this state; the state is then unspecified.
    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError>;
}

impl ImageWriter {
    /// Appends one field.
    pub fn put<F: Field>(&mut self, value: F) {
        let at = self.bytes.len();
        self.bytes.resize(at.saturating_add(F::BYTES), 0);
        if let Some(slot) = self.bytes.get_mut(at..) {
            value.store(slot);
        }
    }

    /// Appends a count.
    pub fn put_len(&mut self, len: usize) {
        self.put(u64::try_from(len).unwrap_or(u64::MAX));
    }

    /// Appends an optional field.
    pub fn put_option<F: Field + Default>(&mut self, value: Option<F>) {
        self.put(value.is_some());
        self.put(value.unwrap_or_default());
    }

    /// Appends a run of bytes behind its length.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the image.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

impl<'a> ImageReader<'a> {
    /// Reads from the start of an image.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads one field.
    ///
    /// # Errors
    /// [`ImageError::Short`] at the end.
    pub fn take<F: Field>(&mut self) -> Result<F, ImageError> {
        let (head, rest) = self.rest.split_at_checked(F::BYTES).ok_or(ImageError::Short)?;
        self.rest = rest;
        Ok(F::load(head))
    }

    /// Reads a count that is at most `max`.
    ///
    /// # Errors
    /// [`ImageError::Range`] above `max`, [`ImageError::Short`] at the end.
    pub fn take_len(&mut self, max: usize) -> Result<usize, ImageError> {
        let len = usize::try_from(self.take::<u64>()?).map_err(|_| ImageError::Range)?;
        if len > max { Err(ImageError::Range) } else { Ok(len) }
    }

    /// Reads a run of at most `max` bytes.
    ///
    /// # Errors
    /// As [`ImageReader::take_len`].
    pub fn take_bytes(&mut self, max: usize) -> Result<&'a [u8], ImageError> {
        let len = self.take_len(max)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(ImageError::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads an optional field.
    ///
    /// # Errors
    /// As [`ImageReader::take`].
    pub fn take_option<F: Field>(&mut self) -> Result<Option<F>, ImageError> {
        let some: bool = self.take()?;
        let value = self.take()?;
        Ok(some.then_some(value))
    }

    /// Checks a version number.
    ///
    /// # Errors
    /// [`ImageError::Version`] when it is another.
    pub fn expect_version(&mut self, wanted: u32) -> Result<(), ImageError> {
        let found = self.take()?;
        if found == wanted { Ok(()) } else { Err(ImageError::Version { found, wanted }) }
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`ImageError::Long`] when bytes are left over.
    pub fn finish(self) -> Result<(), ImageError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ImageError::Long(self.rest.len())) }
    }
}

#[cfg(test)]
mod tests;
