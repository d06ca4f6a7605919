//! Fixed-width little-endian fields in and out of byte arrays, without indexing.
//!
//! Used by the segment header and the control payloads, which are read and written rarely. The
//! record header, which is not, has its own code in `layout`.

/// Fills an array front to back; what is left stays zero.
#[derive(Debug)]
pub(crate) struct Packer<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Packer<N> {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], filled: 0 }
    }

    /// Appends one field. The sum of all fields is fixed by the format, so running over is a
    /// programmer's error.
    pub(crate) fn put(mut self, field: &[u8]) -> Self {
        let end = self.filled.saturating_add(field.len());
        assert!(end <= N, "the fields of this format fit their array");
        if let Some(slot) = self.bytes.get_mut(self.filled..end) {
            slot.copy_from_slice(field);
        }
        self.filled = end;
        self
    }

    pub(crate) fn done(self) -> [u8; N] {
        self.bytes
    }
}

/// Reads fields front to back; `None` once the bytes are used up.
#[derive(Debug)]
pub(crate) struct Unpacker<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// True if every byte was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
