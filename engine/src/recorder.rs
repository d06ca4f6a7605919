//! The journal thread and what the stages hold of it.
//!
//! ```text
//! split: feed ------> lane 0 --\            fused: one thread --> one ring, in exact order
//!        strategy --> lane 1 ---\                                   \
//!        risk ------> lane 2 ----> RecorderThread --> Writer  <------/
//!        execution -> lane 3 ---/        |
//!        egress ----> lane 4 --/         +-- written, failed --> Gate (egress), Health (anyone)
//! ```
//!
//! A record is one event (64 bytes), or two of one seq of which the first carries `FLAG_MORE`
//! (128 bytes): its kind and lane are the first event's, and a reader cuts the payload into pieces
//! of 64. Kinds of `Lane::Internal` are never recorded.
//!
//! Guarantees:
//! - *Causal file order*: before a record of cause `c` stand all inputs up to `c`, and everything
//!   that stages before it recorded up to `c`. What a stage has read it must find recorded: each
//!   records an event before it passes it on. The module `thread` says how lanes are merged.
//! - Nothing is dropped: a stage waits while its lane is full.
//! - After the first failed write nothing more is written, `Health::failed` is true for good, the
//!   gate opens for nobody, and the lanes are still drained, so no stage hangs. When the thread
//!   dies or never ran, the same holds, and what is recorded goes nowhere.
//! - No allocation per event.
//!
//! What is longer than an event (run metadata, rule texts) is written with `Writer::append_blob`
//! before the thread starts. The journal's `Keeper` is not touched: it runs on a thread of its own
//! or is dropped. Called by the topology, which runs the thread and hands out the lanes.

use std::time::Duration;

use journal::Writer;
use model::event::{Event, FLAG_MORE, Lane};

use crate::idle::{Doorbell, Idler, Wait};
use crate::lane::{Inlet, Sender, lane_into};
use crate::limits::BURST_RING_EVENTS;

/// What the journal thread tells the stages: how far it is, and whether it lives.
mod progress;
/// The thread: the merge of the lanes and the writes.
mod thread;

pub use progress::{Gate, Health, JournalLost};
pub use thread::{RecordError, RecorderThread};

/// A journal with one lane or five, ready to run.
#[derive(Debug)]
pub struct Recorder<L> {
    /// What the stages record into.
    pub lanes: L,
    /// What the egress waits at.
    pub gate: Gate,
    /// Whether the journal is whole, for whoever wants to know.
    pub health: Health,
    /// To be run on a thread of its own until all lanes are dropped.
    pub thread: RecorderThread,
}

/// One lane a stage.
#[derive(Debug)]
pub struct SplitLanes {
    /// Feed's.
    pub input: LaneRecorder,
    /// Strategy's.
    pub strategy: LaneRecorder,
    /// Risk's.
    pub risk: LaneRecorder,
    /// Execution's.
    pub execution: LaneRecorder,
    /// The egress gate's.
    pub egress: LaneRecorder,
}

/// How the two sides wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// Stages: for room in their lane.
    pub stages: Wait,
    /// The egress: at the gate.
    pub gate: Wait,
    /// The journal thread: for records.
    pub journal: Wait,
}

/// What a stage records into.
#[derive(Debug)]
pub struct LaneRecorder {
    /// Bits of the lanes it records; events of others are left to their own stages.
    lanes: u8,
    /// `None` when journaling is off.
    link: Option<(Sender, Health)>,
    executions: u64,
}

/// Slots of the lanes.
#[derive(Clone, Copy, Debug)]
struct Capacities {
    input: usize,
    decisions: usize,
}

/// A step puts out fewer events than this. More would leave the second-level cache, and what the
/// gate waits for would stand behind all of it: with 65,536 slots a backtest took 1.2 times as
/// long as with these.
const CAPACITIES: Capacities =
    Capacities { input: BURST_RING_EVENTS, decisions: BURST_RING_EVENTS };

/// LIMIT: events recorded in a lane before its stage looks whether the journal thread sleeps: some
/// twelve messages. It is then mostly awake when the gate waits; the look costs next to nothing.
const UNRUNG_EVENTS: usize = 64;

/// LIMIT: longest time for which a record lies in its lane while nobody waits for it and the thread
/// sleeps: a millisecond, which a thread that looks so often spends a thousandth of.
const NAP: Duration = Duration::from_millis(1);

/// Lanes that are journaled, upstream first.
const JOURNALED: [Lane; 5] =
    [Lane::Input, Lane::Strategy, Lane::Risk, Lane::Execution, Lane::Egress];

// The journal names the same lanes by the same numbers.
const _: () = assert!(Lane::Input as u8 == journal::LANE_INPUT);
const _: () = assert!(Lane::Strategy as u8 == journal::LANE_STRATEGY);
const _: () = assert!(Lane::Risk as u8 == journal::LANE_RISK);
const _: () = assert!(Lane::Execution as u8 == journal::LANE_EXECUTION);
const _: () = assert!(Lane::Egress as u8 == journal::LANE_EGRESS);

impl Recorder<SplitLanes> {
    /// Makes a recorder with a lane for each stage.
    #[must_use]
    pub fn split(writer: Writer, waits: Waits) -> Self {
        Self::split_with(writer, waits, CAPACITIES)
    }

    fn split_with(writer: Writer, waits: Waits, capacities: Capacities) -> Self {
        let (idler, bell) = Idler::napping(waits.journal, NAP);
        let (progress, gate, health) = progress::connect(waits.gate, &bell);
        let lane = |lane: Lane| {
            let own = if lane == Lane::Input { capacities.input } else { capacities.decisions };
            LaneRecorder::connect(bit(lane), own, waits.stages, &bell, &health)
        };
        let [input, strategy, risk, execution, egress] = JOURNALED.map(lane);
        let inlets = vec![input.1, strategy.1, risk.1, execution.1, egress.1];
        let lanes = SplitLanes {
            input: input.0,
            strategy: strategy.0,
            risk: risk.0,
            execution: execution.0,
            egress: egress.0,
        };
        let thread = RecorderThread::new(writer, inlets, (idler, waits.journal), progress);
        Self { lanes, gate, health, thread }
    }
}

impl Recorder<LaneRecorder> {
    /// Makes a recorder with one lane for all stages, which run on one thread: the file has the
    /// order of the calls.
    #[must_use]
    pub fn fused(writer: Writer, waits: Waits) -> Self {
        Self::fused_with(writer, waits, CAPACITIES)
    }

    fn fused_with(writer: Writer, waits: Waits, capacities: Capacities) -> Self {
        let (idler, bell) = Idler::napping(waits.journal, NAP);
        let (progress, gate, health) = progress::connect(waits.gate, &bell);
        let all = JOURNALED.into_iter().fold(0, |bits, lane| bits | bit(lane));
        let (lanes, inlet) =
            LaneRecorder::connect(all, capacities.input, waits.stages, &bell, &health);
        let thread = RecorderThread::new(writer, vec![inlet], (idler, waits.journal), progress);
        Self { lanes, gate, health, thread }
    }
}

impl LaneRecorder {
    /// Returns a recorder that records nothing: journaling is off.
    #[must_use]
    pub fn off() -> Self {
        Self { lanes: 0, link: None, executions: 0 }
    }

    fn connect(
        lanes: u8,
        capacity: usize,
        wait: Wait,
        journal: &Doorbell,
        health: &Health,
    ) -> (Self, Inlet) {
        let (sender, inlet) = lane_into(capacity, wait, journal);
        // Stages publish all the time and wait for nothing of it; the gate, which does, rings.
        let sender = sender.ringing_after(UNRUNG_EVENTS);
        (Self { lanes, link: Some((sender, health.clone())), executions: 0 }, inlet)
    }

    /// Records one event, unless it belongs to the lane of another stage or to none. Waits while
    /// the lane is full.
    #[inline]
    pub fn record(&mut self, event: &Event) {
        self.push(self.lanes, std::slice::from_ref(event));
    }

    /// Records events in order, as [`record`](Self::record) does each: what a stage passes on may
    /// stand among them.
    #[inline]
    pub fn record_all(&mut self, events: &[Event]) {
        self.push(self.lanes, events);
    }

    /// Records those of the events that belong to `lane`. For the recorder of several lanes: what a
    /// stage passes on is already recorded there.
    #[inline]
    pub fn record_lane(&mut self, lane: Lane, events: &[Event]) {
        self.push(self.lanes & bit(lane), events);
    }

    /// Returns how many records of the execution lane were recorded here: what
    /// [`Gate::wait_written`] is to wait for before they take effect.
    #[inline]
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Returns how often the lane was full.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.link.as_ref().map_or(0, |(sender, _)| sender.stalls())
    }

    /// Returns true when the journal is lost: the session must stop.
    #[inline]
    #[must_use]
    pub fn failed(&self) -> bool {
        self.link.as_ref().is_some_and(|(_, health)| health.failed())
    }

    #[inline]
    fn push(&mut self, lanes: u8, events: &[Event]) {
        let Some((sender, _)) = &mut self.link else {
            return;
        };
        let wanted = |event: &Event| bit(event.kind().lane()) & lanes != 0;
        if lanes & bit(Lane::Execution) != 0 {
            let ends = events.iter().filter(|event| ends_execution(event)).count();
            // A count of memory fits 64 bits.
            self.executions = self.executions.saturating_add(ends as u64);
        }
        // What feed hands over is all of one lane.
        if events.iter().all(wanted) {
            // The thread is gone: `failed` has been true since before its lanes closed.
            sender.push_all(events).ok();
            return;
        }
        for run in events.chunk_by(|one, next| wanted(one) == wanted(next)) {
            if run.first().is_some_and(wanted) {
                sender.push_all(run).ok();
            }
        }
    }
}

/// The bit of a lane; none for events between stages.
fn bit(lane: Lane) -> u8 {
    match lane {
        Lane::Input => 1,
        Lane::Strategy => 1 << 1,
        Lane::Risk => 1 << 2,
        Lane::Execution => 1 << 3,
        Lane::Egress => 1 << 4,
        Lane::Internal => 0,
    }
}

/// True for the last event of a record of the execution lane.
fn ends_execution(event: &Event) -> bool {
    event.kind().lane() == Lane::Execution && event.flags & FLAG_MORE == 0
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
