//! One side of a book: a sorted run of levels, the best at its end.
//!
//! A removed level stays in the run as a hole, because most prices come back, and a new level near
//! a hole moves only what stands between the two. Where new levels found no hole near them, the run
//! is spread out with holes between its levels. Keys and quantities are kept apart, so a search
//! reads keys only.

use super::holes::Holes;
use super::{LEVELS_MAX, Level};
use crate::codec::{Image, ImageError, ImageReader, ImageWriter};
use crate::num::{Price, Qty};

/// Keys that a search looks at together. Of 1.3 million recorded changes two thirds lie within this
/// window of the one before.
const WINDOW: usize = 16;
/// Those of them below where the last search ended: a message's changes go away from the touch.
const WINDOW_BELOW: usize = 11;

/// Levels between two holes of a run that was just spread out.
const SPREAD: usize = 8;
/// A run is spread out when new levels have moved so many times as many levels as it has: spreading
/// moves each once or twice, so it costs less than it answers. Of the recorded changes, new levels
/// moved 135 others each without it, and move 16 with it.
const SPREAD_AFTER: usize = 4;

/// One side. Keys are prices for bids and negated prices for asks, so that both sort best last.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// Ascending; of equal ones all but the first are holes.
    keys: Vec<i64>,
    /// By the place of the key; zero is a hole. The last is never one.
    qtys: Vec<i64>,
    /// Places of the holes.
    holes: Holes,
    /// Levels that are no holes.
    count: usize,
    /// Where the last search ended: the changes of one message come sorted, so the next one is
    /// near.
    finger: usize,
    /// Levels that were moved for new ones since the run was last spread out.
    moved: usize,
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
        let room = || Vec::with_capacity(LEVELS_MAX);
        Self { keys: room(), qtys: room(), holes: Holes::new(LEVELS_MAX), ..Self::empty(sign) }
    }

    /// Returns a side without room.
    pub(super) fn empty(sign: i64) -> Self {
        let (keys, qtys) = (Vec::new(), Vec::new());
        Self { keys, qtys, holes: Holes::new(0), count: 0, finger: 0, moved: 0, sign, dropped: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.qtys.clear();
        self.holes.clear();
        self.count = 0;
        self.finger = 0;
        self.moved = 0;
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
        self.keys.last().zip(self.qtys.last()).map(|(key, qty)| self.level(*key, *qty))
    }

    /// Returns the levels, best first.
    pub(super) fn levels(&self) -> impl Iterator<Item = Level> + '_ {
        self.live().rev().map(|(key, qty)| self.level(key, qty))
    }

    /// Returns the quantity at a price.
    pub(super) fn qty_at(&self, price: i64) -> i64 {
        let key = price.saturating_mul(self.sign);
        let at = self.keys.partition_point(|found| *found < key);
        let found = self.keys.get(at) == Some(&key);
        if found { self.qtys.get(at).copied().unwrap_or(0) } else { 0 }
    }

    /// Sets the quantity at a price; none or less removes the level. Returns what stood there.
    #[inline(always)]
    pub(super) fn set(&mut self, price: i64, qty: i64) -> i64 {
        let key = price.saturating_mul(self.sign);
        let qty = qty.max(0);
        match self.find(key) {
            Ok(at) => {
                let Some(slot) = self.qtys.get_mut(at) else { return 0 };
                let before = std::mem::replace(slot, qty);
                match (before, qty) {
                    (0, 1..) => {
                        self.holes.remove(at);
                        self.count = self.count.saturating_add(1);
                    }
                    (1.., 0) => {
                        self.holes.insert(at);
                        self.count = self.count.saturating_sub(1);
                        self.drop_holes_at_best();
                    }
                    _ => {}
                }
                before
            }
            Err(_) if qty == 0 => 0,
            Err(at) => {
                self.insert(at, key, qty);
                0
            }
        }
    }

    #[inline]
    fn drop_holes_at_best(&mut self) {
        while self.qtys.last() == Some(&0) {
            self.keys.pop();
            self.qtys.pop();
            self.holes.remove(self.qtys.len());
        }
    }

    /// Finds a key from where the last search ended: in the window around it without a branch a
    /// key, beyond it in steps that double, then by halves.
    #[inline(always)]
    fn find(&mut self, key: i64) -> Result<usize, usize> {
        let len = self.keys.len();
        let (mut low, mut high) = (0, len);
        let window_at = self.finger.min(len).saturating_sub(WINDOW_BELOW);
        let window: Option<&[i64; WINDOW]> =
            self.keys.get(window_at..).and_then(<[i64]>::first_chunk);
        if let Some(window) = window {
            let window_end = window_at.saturating_add(WINDOW);
            let lower = window.iter().filter(|found| **found < key).count();
            let mut step = WINDOW;
            match lower {
                0 => {
                    high = window_at;
                    while let Some(at) = high.checked_sub(step) {
                        if self.keys.get(at).is_some_and(|found| *found < key) {
                            low = at;
                            break;
                        }
                        high = at;
                        step = step.saturating_mul(2);
                    }
                }
                WINDOW => {
                    low = window_end;
                    while let Some(found) = self.keys.get(low.saturating_add(step)) {
                        if *found >= key {
                            high = low.saturating_add(step);
                            break;
                        }
                        low = low.saturating_add(step);
                        step = step.saturating_mul(2);
                    }
                }
                _ => {
                    low = window_at.saturating_add(lower);
                    high = low;
                }
            }
        }
        let range = self.keys.get(low..high).unwrap_or_default();
        let at = low.saturating_add(range.partition_point(|found| *found < key));
        self.finger = at;
        if self.keys.get(at) == Some(&key) { Ok(at) } else { Err(at) }
    }

    fn insert(&mut self, at: usize, key: i64, qty: i64) {
        if self.count >= LEVELS_MAX {
            self.dropped = self.dropped.saturating_add(1);
            if at == 0 {
                return;
            }
            // Full, so without a hole: the worst level makes room for a better one.
            if let Some(worst) = self.qtys.first_mut() {
                *worst = 0;
            }
            self.holes.insert(0);
            self.count = self.count.saturating_sub(1);
        }
        self.count = self.count.saturating_add(1);
        self.place(at, key, qty);
    }

    /// Puts a level before place `at`, into the nearest hole or else behind the last one, whichever
    /// moves fewer levels. A run that may not grow has a hole.
    fn place(&mut self, at: usize, key: i64, qty: i64) {
        let len = self.keys.len();
        let reach = if len < LEVELS_MAX { len.saturating_sub(at) } else { len };
        let below = self.holes.last_before(at, at.saturating_sub(reach));
        let nearer = below.map_or(reach, |hole| at.saturating_sub(hole).saturating_sub(1));
        let above = self.holes.first_from(at, at.saturating_add(nearer).min(len));
        let (to, moved) = if let Some(hole) = above {
            self.holes.remove(hole);
            let next = at.saturating_add(1);
            self.keys.copy_within(at..hole, next);
            self.qtys.copy_within(at..hole, next);
            (at, hole.saturating_sub(at))
        } else if let Some(hole) = below {
            self.holes.remove(hole);
            let next = hole.saturating_add(1);
            self.keys.copy_within(next..at, hole);
            self.qtys.copy_within(next..at, hole);
            (at.saturating_sub(1), at.saturating_sub(next))
        } else {
            self.holes.open(at, len);
            self.keys.insert(at, 0);
            self.qtys.insert(at, 0);
            (at, len.saturating_sub(at))
        };
        if let (Some(new_key), Some(new_qty)) = (self.keys.get_mut(to), self.qtys.get_mut(to)) {
            (*new_key, *new_qty) = (key, qty);
        }
        self.moved = self.moved.saturating_add(moved);
        if self.moved > self.count.saturating_mul(SPREAD_AFTER) {
            self.spread();
        }
    }

    /// Puts a hole behind each so many levels, as far as there is room, and takes out all others. A
    /// hole has the key of the level before it, so that keys stay sorted.
    #[cold]
    fn spread(&mut self) {
        let Self { keys, qtys, holes, .. } = self;
        holes.clear();
        let mut count = 0_usize;
        for from in 0..keys.len() {
            if qtys.get(from).is_some_and(|qty| *qty > 0) {
                keys.copy_within(from..=from, count);
                qtys.copy_within(from..=from, count);
                count = count.saturating_add(1);
            }
        }
        let room = LEVELS_MAX.saturating_sub(count);
        let gaps = (count.saturating_sub(1) / SPREAD).min(room);
        keys.resize(count.saturating_add(gaps), 0);
        qtys.resize(count.saturating_add(gaps), 0);
        // From the back, where no new place is before its old one.
        let mut last = count;
        for gap in (1..=gaps).rev() {
            let first = gap.saturating_mul(SPREAD);
            let to = first.saturating_add(gap);
            keys.copy_within(first..last, to);
            qtys.copy_within(first..last, to);
            let hole = to.saturating_sub(1);
            let before = keys.get(first.saturating_sub(1)).copied();
            if let (Some(key), Some(qty), Some(before)) =
                (keys.get_mut(hole), qtys.get_mut(hole), before)
            {
                (*key, *qty) = (before, 0);
                holes.insert(hole);
            }
            last = first;
        }
        self.moved = 0;
    }

    fn level(&self, key: i64, qty: i64) -> Level {
        Level { price: Price(key.saturating_mul(self.sign)), qty: Qty(qty) }
    }

    fn live(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> + '_ {
        let all = self.keys.iter().copied().zip(self.qtys.iter().copied());
        all.filter(|(_, qty)| *qty > 0)
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
        for _ in 0..from.take_len(LEVELS_MAX)? {
            let (key, qty): (i64, i64) = (from.take()?, from.take()?);
            let sorted = self.keys.last().is_none_or(|last| *last < key);
            if !sorted || qty <= 0 {
                return Err(ImageError::Range);
            }
            self.keys.push(key);
            self.qtys.push(qty);
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }
}
