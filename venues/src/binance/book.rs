//! The venue's rules for a book kept by differences: what joins, what is late, what is lost.
//!
//! ```text
//!            snapshot that the kept messages reach
//!  Waiting ----------------------------------------> Anchored { last, fresh }
//!  keeps messages                                    passes messages on
//!     ^                                                     |
//!     +------------ a message that does not join -----------+
//! ```
//!
//! Spot ("How to manage a local order book correctly", web-socket-streams.md, corrected
//! 2025-11-12): a message joins when `U <= last + 1`, is late when `u <= last`. Futures: it joins
//! when `pu` equals the `u` before; the first one behind a snapshot when `U <= last <= u`. A
//! snapshot older than the first kept message is refused and another is needed.
//!
//! The ids are judged here and nothing else: levels are checked by the stream before they are kept.

use model::event::BookLevel;

use super::wire::FRAME_LEVELS_MAX;

/// LIMIT: messages kept while a snapshot is awaited: 100 s of the venue's fastest regular stream.
pub const BUFFER_MESSAGES_MAX: usize = 1_024;

/// LIMIT: levels kept while a snapshot is awaited. Recorded messages average 56 levels and reach
/// 1,226; a snapshot takes about a second to come.
pub const BUFFER_LEVELS_MAX: usize = 32_768;

// A message always fits an empty buffer.
const _: () = assert!(FRAME_LEVELS_MAX <= BUFFER_LEVELS_MAX);

/// Update ids of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Set on futures.
    pub(super) previous: Option<u64>,
}

/// What a message is to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The next one: apply it.
    Next,
    /// No book yet: keep it.
    Early,
    /// No book yet, and messages are missing behind those kept: forget these, then keep it.
    EarlyGap,
    /// Inside the snapshot, as some must be: pass over it.
    Covered,
    /// It repeats or precedes what was applied.
    Late,
    /// Messages are missing before it.
    Gap {
        /// The id that should have come.
        expected: u64,
        /// The id that came.
        received: u64,
    },
}

/// What a snapshot is to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The book starts from it; apply the kept levels from this one on.
    Holds {
        /// Index of the first kept level that is not in the snapshot.
        levels_start: usize,
    },
    /// It precedes what was applied.
    Late,
    /// It precedes the messages that are kept: another one is needed.
    TooOld {
        /// First update id that is kept.
        expected: u64,
    },
}

/// Where the stream of differences stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Anchored {
        /// Last update id in the book.
        last: u64,
        /// No message has been applied since the snapshot.
        fresh: bool,
    },
}

/// Position in the stream of differences, and the messages kept while there is no book.
#[derive(Debug)]
pub(super) struct Sequence {
    futures: bool,
    state: State,
    kept: Vec<Kept>,
    levels: Vec<BookLevel>,
    /// Messages that were kept, then given up, and of which no fault told.
    unused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    ids: Ids,
    /// Index behind its last level.
    levels_end: usize,
    /// A fault has told of it.
    told: bool,
}

impl Sequence {
    pub(super) fn new(futures: bool) -> Self {
        Self {
            futures,
            state: State::Waiting,
            kept: Vec::with_capacity(BUFFER_MESSAGES_MAX),
            levels: Vec::with_capacity(BUFFER_LEVELS_MAX),
            unused: 0,
        }
    }

    /// Judges a message; changes nothing.
    pub(super) fn place(&self, ids: Ids) -> Place {
        match self.state {
            State::Waiting => match self.kept.last() {
                None => Place::Early,
                Some(tail) if ids.last <= tail.ids.last => Place::Late,
                Some(tail) if self.joins(tail.ids.last, false, ids) => Place::Early,
                Some(_) => Place::EarlyGap,
            },
            State::Anchored { last, fresh } => {
                if ids.last <= last {
                    if fresh { Place::Covered } else { Place::Late }
                } else if self.joins(last, fresh, ids) {
                    Place::Next
                } else if let (true, Some(received)) = (self.futures, ids.previous) {
                    Place::Gap { expected: last, received }
                } else {
                    Place::Gap { expected: last.saturating_add(1), received: ids.first }
                }
            }
        }
    }

    /// Notes that a message was applied.
    pub(super) fn advance(&mut self, ids: Ids) {
        self.state = State::Anchored { last: ids.last, fresh: false };
    }

    /// Gives the book up: from here on messages are kept.
    pub(super) fn give_up(&mut self) {
        self.state = State::Waiting;
        self.forget();
    }

    /// Gives the kept messages up: none of them will reach a book.
    pub(super) fn forget(&mut self) {
        let untold = self.kept.iter().filter(|kept| !kept.told).count();
        // A count of memory fits 64 bits.
        self.unused = self.unused.saturating_add(untold as u64);
        self.clear();
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.levels.clear();
    }

    /// Returns how many messages were given up since the last call, without those of which a fault
    /// told.
    pub(super) fn take_unused(&mut self) -> u64 {
        std::mem::take(&mut self.unused)
    }

    /// Tells whether a message of so many levels fits behind those kept.
    pub(super) fn has_room(&self, levels: usize) -> bool {
        self.kept.len() < BUFFER_MESSAGES_MAX
            && self.levels.len().saturating_add(levels) <= BUFFER_LEVELS_MAX
    }

    /// Keeps one level of the message that [`Sequence::keep`] closes.
    pub(super) fn keep_level(&mut self, level: BookLevel) {
        self.levels.push(level);
    }

    /// Keeps a message whose levels have been kept; `told` if it comes with a fault.
    pub(super) fn keep(&mut self, ids: Ids, told: bool) {
        self.kept.push(Kept { ids, levels_end: self.levels.len(), told });
    }

    /// Judges a snapshot; changes nothing.
    pub(super) fn anchor(&self, last: u64) -> Anchor {
        if let State::Anchored { last: applied, .. } = self.state {
            let levels_start = 0;
            return if last > applied { Anchor::Holds { levels_start } } else { Anchor::Late };
        }
        let mut levels_start = 0;
        for (index, kept) in self.kept.iter().enumerate() {
            // The document refuses a snapshot directly before the first message too.
            let lost = index == 0 && last < kept.ids.first;
            let beyond = kept.ids.last > last;
            if lost || (beyond && !self.joins(last, true, kept.ids)) {
                return Anchor::TooOld { expected: kept.ids.first };
            }
            if beyond {
                break;
            }
            levels_start = kept.levels_end;
        }
        Anchor::Holds { levels_start }
    }

    /// Starts from a snapshot that holds, and forgets what was kept.
    pub(super) fn start(&mut self, last: u64) {
        let tail = self.kept.last().map_or(0, |kept| kept.ids.last);
        self.state = State::Anchored { last: last.max(tail), fresh: tail <= last };
        self.clear();
    }

    /// Returns the kept levels from an index on.
    pub(super) fn levels_from(&self, start: usize) -> &[BookLevel] {
        self.levels.get(start..).unwrap_or_default()
    }

    /// Tells whether nothing is missing between the update id `last` and a message beyond it.
    fn joins(&self, last: u64, fresh: bool, ids: Ids) -> bool {
        if self.futures {
            ids.previous == Some(last) || (fresh && ids.first <= last)
        } else {
            // QUIRK(binance): the document asks for `U <= last + 1`, not equality. Quantities are
            // absolute, so a message that overlaps leads to the same book.
            ids.first <= last.saturating_add(1)
        }
    }
}
