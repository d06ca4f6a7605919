//! One side of a book: a window of keys about the best one, and the levels below it.
//!
//! Most changes lie within some thousand of the smallest price steps of the best price. There a
//! level is found without a search and changed without moving another, see `window`. The window
//! follows the best price: what leaves it at its lower end goes to the other levels, and comes back
//! from there.

use std::collections::VecDeque;

use super::window::{SPAN, Window};
use super::{LEVELS_MAX, Level};
use crate::codec::{Image, ImageError, ImageReader, ImageWriter};
use crate::num::{Price, Qty};

/// The window moves when the best key leaves its upper quarter, and has it in the middle of that
/// quarter then: so a price that goes to and fro does not move it each time.
const LOWEST_BEST: i64 = SPAN / 4 * 3;
const MIDDLE_BEST: i64 = SPAN / 8 * 7;

/// One side. Keys are prices for bids and negated prices for asks, so that both sort best last.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    window: Window,
    /// Key of the best level, always within the window; the first key of it where there is none.
    best: i64,
    /// Keys and quantities of the levels below the window, ascending.
    below: VecDeque<(i64, i64)>,
    /// Levels, wherever they are.
    count: usize,
    sign: i64,
    dropped: u64,
}

impl PartialEq for Ladder {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
            && self.dropped == other.dropped
            && self.sign == other.sign
            && self.live().eq(other.live())
    }
}

impl Eq for Ladder {}

impl Ladder {
    /// Returns an empty side with its room taken; `sign` is 1 for bids and -1 for asks.
    pub(super) fn new(sign: i64) -> Self {
        let (window, below) = (Window::new(), VecDeque::with_capacity(LEVELS_MAX));
        Self { window, best: 0, below, count: 0, sign, dropped: 0 }
    }

    /// Returns a side without room.
    pub(super) fn empty(sign: i64) -> Self {
        let (window, below) = (Window::empty(), VecDeque::new());
        Self { window, best: 0, below, count: 0, sign, dropped: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.window.take(self.best, |_| {});
        self.below.clear();
        self.best = self.window.base();
        self.count = 0;
    }

    /// Returns the number of levels.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns how many levels were dropped for want of room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the best level.
    #[inline]
    pub(super) fn best(&self) -> Option<Level> {
        (self.count > 0).then(|| self.level(self.best, self.window.qty(self.best)))
    }

    /// Returns the levels, best first.
    pub(super) fn levels(&self) -> impl Iterator<Item = Level> + '_ {
        self.live().rev().map(|(key, qty)| self.level(key, qty))
    }

    /// Returns the quantity at a price.
    pub(super) fn qty_at(&self, price: i64) -> i64 {
        self.qty_of(price.saturating_mul(self.sign))
    }

    /// Sets the quantity at a price; none or less removes the level. Returns what stood there.
    #[inline(always)]
    pub(super) fn set(&mut self, price: i64, qty: i64) -> i64 {
        let key = price.saturating_mul(self.sign);
        let qty = qty.max(0);
        // Within the window and worse than the best: nothing but this one level can change.
        if self.window.offset(key) < self.window.offset(self.best) && self.count < LEVELS_MAX {
            self.set_within(key, qty)
        } else {
            self.set_anywhere(key, qty)
        }
    }

    /// Sets the quantity of a key of the window.
    #[inline(always)]
    fn set_within(&mut self, key: i64, qty: i64) -> i64 {
        let before = self.window.replace(key, qty);
        let count = self.count.wrapping_add(usize::from(qty > 0));
        self.count = count.wrapping_sub(usize::from(before > 0));
        before
    }

    /// Sets the quantity of any key. Apart, so that the usual case stays small.
    #[inline(never)]
    fn set_anywhere(&mut self, key: i64, qty: i64) -> i64 {
        if qty > 0 && self.count >= LEVELS_MAX && self.qty_of(key) == 0 {
            self.dropped = self.dropped.saturating_add(1);
            let worst = self.live().next().map_or(key, |(worst, _)| worst);
            if key <= worst {
                return 0;
            }
            // Another than the best, since there are many: the window stays where it is.
            self.set_anywhere(worst, 0);
        }
        if self.count > 0 && key < self.window.base() {
            return self.set_below(key, qty);
        }
        if self.count == 0 || self.window.ends_before(key) {
            if qty == 0 {
                return 0;
            }
            self.move_window(key);
        }
        let before = self.set_within(key, qty);
        if qty > 0 {
            self.best = self.best.max(key);
        } else if key == self.best {
            self.find_best();
        }
        before
    }

    /// Sets the quantity of a key below the window.
    fn set_below(&mut self, key: i64, qty: i64) -> i64 {
        match self.below.binary_search_by_key(&key, |level| level.0) {
            Ok(at) if qty > 0 => {
                self.below.get_mut(at).map_or(0, |level| std::mem::replace(&mut level.1, qty))
            }
            Ok(at) => {
                self.count = self.count.saturating_sub(1);
                self.below.remove(at).map_or(0, |level| level.1)
            }
            Err(_) if qty == 0 => 0,
            Err(at) => {
                self.count = self.count.saturating_add(1);
                self.below.insert(at, (key, qty));
                0
            }
        }
    }

    /// Finds the best level after the best one was removed.
    fn find_best(&mut self) {
        let within = self.window.levels(self.best).next_back();
        match within.or_else(|| self.below.back().copied()) {
            Some((best, _)) => {
                if best < self.window.base().saturating_add(LOWEST_BEST) {
                    self.move_window(best);
                }
                self.best = best;
            }
            None => self.best = self.window.base(),
        }
    }

    /// Moves the window to where a key is that is to be the best one. No level is above that key if
    /// the window goes down.
    #[cold]
    fn move_window(&mut self, best: i64) {
        let Self { window, below, .. } = self;
        window.move_to((best, MIDDLE_BEST), self.best, |level| below.push_back(level));
        while let Some((key, qty)) = below.pop_back_if(|level| level.0 >= window.base()) {
            window.replace(key, qty);
        }
        self.best = best;
    }

    fn qty_of(&self, key: i64) -> i64 {
        if key < self.window.base() {
            let found = self.below.binary_search_by_key(&key, |level| level.0);
            found.ok().and_then(|at| self.below.get(at)).map_or(0, |level| level.1)
        } else if key <= self.best {
            self.window.qty(key)
        } else {
            0
        }
    }

    fn level(&self, key: i64, qty: i64) -> Level {
        Level { price: Price(key.saturating_mul(self.sign)), qty: Qty(qty) }
    }

    fn live(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> + '_ {
        self.below.iter().copied().chain(self.window.levels(self.best))
    }

    fn load_below(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        for _ in 0..from.take_len(LEVELS_MAX)? {
            let (key, qty): (i64, i64) = (from.take()?, from.take()?);
            let sorted = self.below.back().is_none_or(|last| last.0 < key);
            if !sorted || qty <= 0 {
                return Err(ImageError::Range);
            }
            self.below.push_back((key, qty));
        }
        Ok(())
    }
}

impl Image for Ladder {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.dropped);
        out.put_len(self.count);
        for (key, qty) in self.live() {
            out.put(key);
            out.put(qty);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.dropped = from.take()?;
        self.clear();
        let loaded = self.load_below(from);
        self.count = self.below.len();
        if let Some(&(best, _)) = self.below.back() {
            self.move_window(best);
        }
        loaded
    }
}
