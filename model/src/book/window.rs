//! The quantities of a window of keys, each at a place of its own.
//!
//! The places are a ring that the lowest bits of a key point into, so nothing in it moves when the
//! window does. A bit a place tells where levels are, for walks from one to the next.

/// Places, one for each key of the window. Of 1.4 million recorded changes of four books 92 % lie
/// among them; twice as many would hold 94 %. They take 128 KiB where levels come to be everywhere.
/// Where a venue's price steps are many of a key's, fewer levels are in the window.
const PLACES: usize = 16_384;
/// The same, as a distance of keys.
pub(super) const SPAN: i64 = 16_384;
/// Keys of a word of bits, and how far such a word's keys are shifted for its number.
const GROUP: i64 = 64;
const GROUP_SHIFT: u32 = GROUP.trailing_zeros();
/// The highest first key, that the last one still is one.
const BASE_MAX: i64 = i64::MAX - SPAN + 1;

const _: () = assert!(PLACES.is_power_of_two() && SPAN.cast_unsigned() == PLACES as u64);
const _: () = assert!(SPAN % GROUP == 0 && GROUP == u64::BITS as i64);

/// The window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// By the lowest bits of the key; zero where there is no level. Nothing without room.
    qtys: Vec<i64>,
    /// Bits of the places that have a level.
    words: Vec<u64>,
    /// First key, a multiple of the keys of a word.
    base: i64,
}

impl Window {
    /// Returns an empty window with its room taken: zeroed memory, which is none until it is
    /// written to.
    pub(super) fn new() -> Self {
        Self { qtys: vec![0; PLACES], words: vec![0; PLACES / 64], base: 0 }
    }

    /// Returns a window without room.
    pub(super) fn empty() -> Self {
        Self { qtys: Vec::new(), words: Vec::new(), base: 0 }
    }

    /// Returns the first key.
    #[inline]
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// Returns how far a key is above the first one: beyond the window too for keys below it.
    #[inline(always)]
    pub(super) fn offset(&self, key: i64) -> u64 {
        key.wrapping_sub(self.base).cast_unsigned()
    }

    /// Tells whether a key is above the last one, for one that is not below the first one.
    pub(super) fn ends_before(&self, key: i64) -> bool {
        self.offset(key) >= SPAN.cast_unsigned()
    }

    /// Returns the quantity of a key of the window.
    #[inline(always)]
    pub(super) fn qty(&self, key: i64) -> i64 {
        self.qtys.get(place(key)).copied().unwrap_or(0)
    }

    /// Replaces the quantity of a key of the window, without a branch: whether a level is new,
    /// changed or removed is what a processor guesses worst.
    #[inline(always)]
    pub(super) fn replace(&mut self, key: i64, qty: i64) -> i64 {
        let at = place(key);
        let (Some(slot), Some(word)) = (self.qtys.get_mut(at), self.words.get_mut(at / 64)) else {
            return 0;
        };
        let before = std::mem::replace(slot, qty);
        *word ^= u64::from((before > 0) != (qty > 0)) << (at % 64);
        before
    }

    /// Returns the levels up to a key of the window, ascending.
    pub(super) fn levels(&self, last: i64) -> impl DoubleEndedIterator<Item = (i64, i64)> + '_ {
        let groups = (self.base >> GROUP_SHIFT)..=(last >> GROUP_SHIFT);
        let found = groups.map(|group| group << GROUP_SHIFT).map(|key| (key, self.word(key)));
        let keys = found.filter(|(_, word)| *word != 0);
        let keys = keys.flat_map(|(key, word)| Bits(word).map(move |bit| key | bit));
        keys.map(|key| (key, self.qty(key)))
    }

    /// Moves the window to where a key is about `above` keys above its first one. The levels that
    /// leave it at its lower end are told, ascending. None is above `last`, nor in the way of a new
    /// lower end when it goes down.
    pub(super) fn move_to(
        &mut self,
        (key, above): (i64, i64),
        last: i64,
        told: impl FnMut((i64, i64)),
    ) {
        if self.qtys.is_empty() {
            *self = Self::new();
        }
        let base = (key.saturating_sub(above) & -GROUP).min(BASE_MAX);
        self.take(last.min(base.saturating_sub(1)), told);
        self.base = base;
    }

    /// Takes the levels up to a key of the window, or up to the next multiple of a word's keys, out
    /// of it and tells them, ascending.
    pub(super) fn take(&mut self, last: i64, mut told: impl FnMut((i64, i64))) {
        for group in (self.base >> GROUP_SHIFT)..=(last >> GROUP_SHIFT) {
            let first = group << GROUP_SHIFT;
            for bit in Bits(self.word(first)) {
                told((first | bit, self.replace(first | bit, 0)));
            }
        }
    }

    fn word(&self, key: i64) -> u64 {
        self.words.get(place(key) / 64).copied().unwrap_or(0)
    }
}

/// The place of a key in the ring.
#[inline(always)]
fn place(key: i64) -> usize {
    const LOWEST: u64 = SPAN.cast_unsigned() - 1;
    usize::try_from(key.cast_unsigned() & LOWEST).unwrap_or(0)
}

/// The numbers of the bits of a word that are set, ascending.
struct Bits(u64);

impl Iterator for Bits {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros())?;
        self.0 &= self.0.wrapping_sub(1);
        Some(i64::from(bit))
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<i64> {
        let bit = self.0.checked_ilog2()?;
        self.0 ^= 1 << bit;
        Some(i64::from(bit))
    }
}
