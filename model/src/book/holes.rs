//! A set of places in a run of levels: those whose level was removed and not yet overwritten.

/// Bits of a word.
const BITS: usize = 64;

/// The set, one bit a place.
#[derive(Clone, Debug)]
pub(super) struct Holes {
    words: Vec<u64>,
}

impl Holes {
    /// Returns an empty set with room for `places` places.
    pub(super) fn new(places: usize) -> Self {
        Self { words: vec![0; places.div_ceil(BITS)] }
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Adds a place; allocates when it lies beyond the room.
    #[inline]
    pub(super) fn insert(&mut self, at: usize) {
        if self.words.len() <= at / BITS {
            self.words.resize((at / BITS).saturating_add(1), 0);
        }
        if let Some(word) = self.words.get_mut(at / BITS) {
            *word |= bit(at);
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / BITS) {
            *word &= !bit(at);
        }
    }

    /// Returns the last place of the set before `at`, if it is not before `first`.
    #[inline]
    pub(super) fn last_before(&self, at: usize, first: usize) -> Option<usize> {
        let mut index = at / BITS;
        let mut word = self.words.get(index).map_or(0, |word| word & below(at));
        while word == 0 {
            if index <= first / BITS {
                return None;
            }
            index = index.saturating_sub(1);
            word = self.words.get(index).copied().unwrap_or(0);
        }
        let top = BITS.saturating_sub(1).saturating_sub(count(word.leading_zeros()));
        Some(index.saturating_mul(BITS).saturating_add(top)).filter(|at| *at >= first)
    }

    /// Returns the first place of the set from `at` on, if it is before `end`.
    #[inline]
    pub(super) fn first_from(&self, at: usize, end: usize) -> Option<usize> {
        let mut index = at / BITS;
        let mut word = self.words.get(index).map_or(0, |word| word & !below(at));
        while word == 0 {
            index = index.saturating_add(1);
            if index.saturating_mul(BITS) >= end {
                return None;
            }
            word = *self.words.get(index)?;
        }
        let low = count(word.trailing_zeros());
        Some(index.saturating_mul(BITS).saturating_add(low)).filter(|at| *at < end)
    }

    /// Moves all places from `at` on up by one; `at` itself is then none of the set. None of its
    /// places is beyond `len`. Allocates when one leaves the room.
    pub(super) fn open(&mut self, at: usize, len: usize) {
        let used = (len / BITS).saturating_add(1).min(self.words.len());
        let Some((word, above)) =
            self.words.get_mut(at / BITS..used).and_then(<[u64]>::split_first_mut)
        else {
            return;
        };
        let mut carry = *word >> (BITS - 1);
        *word = (*word & below(at)) | ((*word & !below(at)) << 1);
        for word in above {
            let next = *word >> (BITS - 1);
            *word = (*word << 1) | carry;
            carry = next;
        }
        if carry != 0 {
            self.insert(used.saturating_mul(BITS));
        }
    }
}

/// The bit of a place in its word.
fn bit(at: usize) -> u64 {
    1 << (at % BITS)
}

/// The bits of the places below one in its word.
fn below(at: usize) -> u64 {
    bit(at).wrapping_sub(1)
}

fn count(zeros: u32) -> usize {
    usize::try_from(zeros).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_set_is_a_set(
            room in 0_usize..200,
            steps in prop::collection::vec((0_u8..5, 0_usize..200, 0_usize..200), 0..200),
        ) {
            let (mut holes, mut naive) = (Holes::new(room), BTreeSet::new());
            for (step, at, bound) in steps {
                match step {
                    0 => {
                        holes.insert(at);
                        naive.insert(at);
                    }
                    1 => {
                        holes.remove(at);
                        naive.remove(&at);
                    }
                    2 => {
                        let end = naive.last().map_or(0, |last| last + 1);
                        holes.open(at, end);
                        naive = naive.into_iter().map(|old| old + usize::from(old >= at)).collect();
                    }
                    3 => {
                        let expected = naive.range(bound.min(at)..at).next_back().copied();
                        prop_assert_eq!(holes.last_before(at, bound.min(at)), expected);
                    }
                    _ => {
                        let expected = naive.range(at..bound.max(at)).next().copied();
                        prop_assert_eq!(holes.first_from(at, bound.max(at)), expected);
                    }
                }
            }
            holes.clear();
            prop_assert_eq!(holes.first_from(0, 1_000), None);
        }
    }
}
