//! All files as one source, in the order of receive times, ties by the order of arguments.
//!
//! Each file keeps its own order, also where its clock steps back. One message of each file is read
//! ahead, so that the time that `peek` tells is that of a message which says something.

use engine::setup::Setup;
use engine::source::{Message, Progress, Source};
use model::event::{Body, FeedState};
use model::id::InstrumentId;
use model::order::FeedStatus;
use model::time::Nanos;

use super::reader::Reader;

/// Recorded files as one source.
#[derive(Debug)]
pub(crate) struct Merge {
    files: Vec<Ahead>,
    /// Instruments without a book whose feed was not declared intact yet, by id.
    silent: Vec<bool>,
    /// How many there are.
    silent_count: usize,
}

/// A file with its next message.
#[derive(Debug)]
struct Ahead {
    reader: Reader,
    message: Message,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next message has not been read.
    Behind,
    /// `message` is the next one.
    Ready,
    Ended,
}

impl Merge {
    /// Returns the messages of the files. `silent` names the instruments, by id, whose data has no
    /// book: their feed is declared intact with their first message, since nothing else can.
    pub(super) fn new(readers: Vec<Reader>, silent: Vec<bool>) -> Self {
        let ahead = |reader| Ahead { reader, message: Message::default(), state: State::Behind };
        let silent_count = silent.iter().filter(|silent| **silent).count();
        Self { files: readers.into_iter().map(ahead).collect(), silent, silent_count }
    }

    /// Names the accounts and assets of the session; before the first message is read.
    pub(super) fn of_session(&mut self, setup: &Setup) {
        for file in &mut self.files {
            file.reader.of_session(setup);
        }
    }

    /// Returns the indices of the files that ended before their data did.
    pub(super) fn ended_early(&self) -> Vec<usize> {
        self.those(|reader| reader.progress().failed)
    }

    /// Returns the indices of the files of which not one message could be used.
    pub(super) fn unusable(&self) -> Vec<usize> {
        self.those(Reader::is_unusable)
    }

    fn those(&self, are: impl Fn(&Reader) -> bool) -> Vec<usize> {
        let files = self.files.iter().enumerate();
        files.filter(|(_, file)| are(&file.reader)).map(|(index, _)| index).collect()
    }

    /// Returns the index of the file whose message comes next, and its time.
    #[inline]
    fn first(&mut self) -> Option<(usize, Nanos)> {
        // Most runs have one file, and nothing to compare.
        if let [only] = self.files.as_mut_slice() {
            return only.ts().map(|ts| (0, ts));
        }
        let mut first: Option<(usize, Nanos)> = None;
        for (index, file) in self.files.iter_mut().enumerate() {
            if let Some(ts) = file.ts()
                && first.is_none_or(|(_, earliest)| ts < earliest)
            {
                first = Some((index, ts));
            }
        }
        first
    }

    /// Declares the feed of an instrument intact before its first data.
    fn announce(&mut self, into: &mut Message) {
        let is_data = |body: &Body| {
            matches!(body, Body::Trade(_) | Body::Quote(_) | Body::Bar(_) | Body::BarExtra(_))
        };
        let Some((instrument, _)) = into.updates.iter().find(|(_, body)| is_data(body)).copied()
        else {
            return;
        };
        let silent = usize::try_from(instrument.0).ok().and_then(|at| self.silent.get_mut(at));
        if let Some(silent @ true) = silent {
            *silent = false;
            self.silent_count = self.silent_count.saturating_sub(1);
            into.updates.insert(0, intact(instrument));
        }
    }
}

impl Source for Merge {
    fn peek(&mut self) -> Option<Nanos> {
        self.first().map(|(_, ts)| ts)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        into.updates.clear();
        let Some(file) = self.first().and_then(|(index, _)| self.files.get_mut(index)) else {
            return false;
        };
        std::mem::swap(into, &mut file.message);
        file.state = State::Behind;
        if self.silent_count > 0 {
            self.announce(into);
        }
        true
    }

    fn progress(&self) -> Progress {
        let mut all = Progress::default();
        for file in &self.files {
            let one = file.reader.progress();
            all.messages = all.messages.saturating_add(one.messages);
            all.bad = all.bad.saturating_add(one.bad);
            all.bytes = all.bytes.saturating_add(one.bytes);
            all.bytes_total = all.bytes_total.saturating_add(one.bytes_total);
            all.failed |= one.failed;
        }
        all
    }
}

impl Ahead {
    /// Returns the time of the file's next message.
    #[inline]
    fn ts(&mut self) -> Option<Nanos> {
        if self.state == State::Behind {
            let more = self.reader.read(&mut self.message);
            self.state = if more { State::Ready } else { State::Ended };
        }
        (self.state == State::Ready).then_some(self.message.ts)
    }
}

fn intact(instrument: InstrumentId) -> (InstrumentId, Body) {
    let status = FeedStatus::Synced;
    (instrument, Body::FeedState(FeedState { expected: 0, received: 0, status }))
}
