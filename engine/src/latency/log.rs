//! Interval logs: HDR histogram log V2, one line for each interval and second, as the tools of
//! HdrHistogram read them.
//!
//! Times in the log are seconds after its StartTime, which is a wall-clock time for people; the
//! values are nanoseconds. A line's tag is the interval's name. Written by a cold thread, never by
//! a stage.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};

use super::counter::Counter;
use super::meter::Collector;
use super::point::Interval;
use super::set::Set;
use crate::sync::{Arc, AtomicBool, Ordering};

/// Why a log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be written.
    #[error("cannot write the latency log: {0}")]
    Write(#[from] io::Error),
    /// A histogram cannot be written.
    #[error("cannot write a histogram into the latency log: {0}")]
    Histogram(String),
    /// The file is no log.
    #[error("this is no histogram log (V2): {0}")]
    Format(String),
    /// The system gave no thread, or it has a defect.
    #[error("the thread of the latency log has failed")]
    Thread,
}

/// A log that is being written by a thread of its own.
#[derive(Debug)]
pub struct LogThread {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Set, LogError>>,
    last: Sender<Set>,
}

/// How a log begins.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// The wall clock's time, for people.
    pub wall: SystemTime,
    /// The counter's value then.
    pub at: u64,
    /// The counter.
    pub counter: Counter,
}

/// One interval of a log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The name of what was measured.
    pub tag: String,
    /// First moment, nanoseconds after the log's beginning.
    pub start_ns: u64,
    /// Length in nanoseconds.
    pub length_ns: u64,
    /// The samples.
    pub histogram: Histogram<u64>,
}

/// How often the thread looks for histograms: a twentieth of what a stage exchanges after.
const LOOK: Duration = Duration::from_millis(50);

impl LogThread {
    /// Begins a log of what a collector gets.
    ///
    /// # Errors
    /// [`LogError::Thread`] when the system gives no thread.
    pub fn start<W: Write + Send + 'static>(
        into: W,
        begin: Begin,
        collector: Arc<Collector>,
    ) -> Result<Self, LogError> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let (last, rest) = channel();
        let thread = std::thread::Builder::new()
            .name("latency log".to_owned())
            .spawn(move || {
                crate::topology::give_way();
                write_all(into, begin, &collector, &asked, &rest)
            })
            .map_err(|_| LogError::Thread)?;
        Ok(Self { stop, thread, last })
    }

    /// Writes what the threads had not given away yet, ends the log, and returns all that is in it.
    ///
    /// # Errors
    /// [`LogError`] when the file could not be written.
    pub fn finish(self, rest: Vec<Set>) -> Result<Set, LogError> {
        let Self { stop, thread, last } = self;
        for set in rest {
            // A thread that has failed says why at its end.
            last.send(set).ok();
        }
        drop(last);
        // ORDERING: Release; partner: the load in `write_all`.
        stop.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().map_err(|_| LogError::Thread)?
    }
}

fn write_all<W: Write>(
    into: W,
    begin: Begin,
    collector: &Collector,
    stop: &AtomicBool,
    rest: &Receiver<Set>,
) -> Result<Set, LogError> {
    let mut into = io::BufWriter::new(into);
    let mut total = Set::whole();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("latencies in nanoseconds, by interval; see docs/latency.md")
        .with_start_time(begin.wall)
        .with_base_time(begin.wall)
        .with_max_value_divisor(1.0)
        .begin_log_with(&mut into, &mut serializer)?;
    let mut failed = None;
    let mut write = |set: &Set| {
        total.add(set);
        for (interval, histogram) in set.recorded() {
            let Some(tag) = Tag::new(interval.name()) else { continue };
            let start = begin.counter.ns(begin.at, set.span.0);
            let length = begin.counter.ns(set.span.0, set.span.1);
            let (start, length) = (Duration::from_nanos(start), Duration::from_nanos(length));
            if let Err(error) = log.write_histogram(histogram, start, length, Some(tag)) {
                failed.get_or_insert_with(|| LogError::Histogram(format!("{error:?}")));
            }
        }
    };
    // ORDERING: Acquire; partner: the store in `LogThread::finish`.
    while !stop.load(Ordering::Acquire) {
        collector.drain(&mut write);
        std::thread::park_timeout(LOOK);
    }
    collector.drain(&mut write);
    for set in rest {
        write(&set);
    }
    if let Some(error) = failed {
        return Err(error);
    }
    into.flush()?;
    Ok(total)
}

/// Reads a log, whoever wrote it.
///
/// # Errors
/// [`LogError::Format`] when it is none.
pub fn read(bytes: &[u8]) -> Result<Vec<Logged>, LogError> {
    let wrong = |what: &dyn std::fmt::Debug| LogError::Format(format!("{what:?}"));
    let mut deserializer = Deserializer::new();
    let mut logged = Vec::new();
    for entry in IntervalLogIterator::new(bytes) {
        let LogEntry::Interval(interval) = entry.map_err(|error| wrong(&error))? else { continue };
        logged.push(one(&interval, &mut deserializer)?);
    }
    Ok(logged)
}

fn one(
    interval: &IntervalLogHistogram<'_>,
    deserializer: &mut Deserializer,
) -> Result<Logged, LogError> {
    use base64::Engine as _;
    let text = interval.encoded_histogram();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| LogError::Format(error.to_string()))?;
    let histogram = deserializer
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| LogError::Format(format!("{error:?}")))?;
    let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Ok(Logged {
        tag: interval.tag().map_or_else(String::new, |tag| tag.as_str().to_owned()),
        start_ns: ns(interval.start_timestamp()),
        length_ns: ns(interval.duration()),
        histogram,
    })
}

/// Returns the intervals that a log can hold, for people.
#[must_use]
pub fn names() -> Vec<&'static str> {
    super::INTERVALS.iter().map(|row| Interval::name(row.interval)).collect()
}
