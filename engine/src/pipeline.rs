//! The stages joined: on one thread (`fused`), or one thread each (`split`).
//!
//! Both run the same stages over the same events and give the same records; the difference is only
//! who carries an event from one stage to the next. Feed hands over a message at a time and gets
//! back what concerns it: orders and cancels that left, timers asked for, refusals.

use std::thread::JoinHandle;

use model::event::{Event, Kind, Lane, Settled};
use model::id::{NO_INSTRUMENT, Seq};
use model::time::Nanos;

use crate::idle::Wait;
use crate::lane::{Closed, Receiver, Sender, lane};
use crate::latency::Meter;
use crate::limits::{BURST_RING_EVENTS, RING_EVENTS};
use crate::risk::Risk;
use crate::stage::Stage;
use crate::station::{Egress, Station, Stations};
use crate::strategy::Strategy;
use crate::tape::Tape;

/// Tapes for one thread or for each stage.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once a session and taken apart at once")]
pub enum Tapes {
    /// One tape, in the order of the calls.
    One(Tape),
    /// One a lane.
    Each {
        /// Feed's.
        input: Tape,
        /// Strategy's.
        strategy: Tape,
        /// Risk's.
        risk: Tape,
        /// Execution's.
        execution: Tape,
        /// The gate's.
        egress: Tape,
    },
}

/// The joined stages.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one of them exists in a session")]
pub enum Pipeline {
    /// All on the caller's thread.
    Fused {
        /// The stages.
        stations: Box<Stations>,
        /// Their common tape, and feed's.
        tape: Tape,
    },
    /// Each on a thread of its own.
    Split(Split),
}

/// Threads and the lanes between them.
#[derive(Debug)]
pub struct Split {
    input: Tape,
    meter: Meter,
    to_strategy: Sender,
    from_execution: Receiver,
    messages: u64,
    strategy: JoinHandle<Option<(Station<Strategy>, Tape)>>,
    risk: JoinHandle<Option<(Station<Risk>, Tape)>>,
    execution: JoinHandle<Option<(Egress, Tape, Tape)>>,
}

/// What a finished pipeline leaves.
#[derive(Debug)]
pub struct Finished {
    /// The stages in their last state.
    pub stations: Stations,
    /// All tapes, for replay's verdict.
    pub tapes: Vec<Tape>,
}

/// Why a pipeline cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PipelineError {
    /// A stage's thread ended: it panicked.
    #[error("the {0} stage has ended; trading stops")]
    StageEnded(&'static str),
    /// A thread could not be started.
    #[error("cannot start the thread of the {0} stage")]
    Thread(&'static str),
}

/// How the stage threads are run.
#[derive(Clone, Debug)]
pub struct Threads {
    /// How they wait.
    pub wait: Wait,
    /// Processors of strategy, risk and execution; empty: unpinned.
    pub cores: Vec<usize>,
    /// What runs around each stage's thread: [`unwatched`], or an instrument that counts per
    /// thread.
    pub around: Around,
}

/// Gets a stage's name and its whole run, which it must call once.
pub type Around = fn(&'static str, &mut dyn FnMut());

/// Runs a stage's thread as it is.
pub fn unwatched(_: &'static str, run: &mut dyn FnMut()) {
    run();
}

impl Pipeline {
    /// Joins the stages on the caller's thread.
    #[must_use]
    pub fn fused(stations: Stations, tape: Tape) -> Self {
        Self::Fused { stations: Box::new(stations), tape }
    }

    /// Begins a turn of feed, for what is measured: it was received now, or when a schedule intends
    /// it; `tick` with a message of the source at hand.
    #[inline]
    pub fn receive(&mut self, intended: Option<u64>, tick: bool) {
        self.meter().receive(intended, tick);
    }

    /// Notes, for what is measured, that the source has handed its message over.
    #[inline]
    pub fn parsed(&mut self) {
        self.meter().parsed();
    }

    #[inline]
    fn meter(&mut self) -> &mut Meter {
        match self {
            Self::Fused { stations, .. } => &mut stations.meter,
            Self::Split(split) => &mut split.meter,
        }
    }

    /// Passes a message on and returns, in `requests`, what came back from it. In lock step:
    /// nothing of the next message is touched before the last event of this one has passed
    /// execution.
    ///
    /// # Errors
    /// [`PipelineError`] when a stage's thread has ended.
    pub fn pass(
        &mut self,
        message: &[Event],
        requests: &mut Vec<Event>,
    ) -> Result<(), PipelineError> {
        requests.clear();
        self.meter().sequenced();
        match self {
            Self::Fused { stations, tape } => {
                tape.write(Lane::Input, message);
                for event in message {
                    stations.step(event, tape, requests);
                }
                stations.settle();
            }
            Self::Split(split) => split.pass(message, requests)?,
        }
        let quiet = requests.is_empty() || requests.iter().all(|event| event.kind() == Kind::Wake);
        self.meter().done(quiet);
        Ok(())
    }

    /// Returns true when the journal is lost.
    #[must_use]
    pub fn failed(&self) -> bool {
        match self {
            Self::Fused { tape, .. } => tape.failed(),
            Self::Split(split) => split.input.failed(),
        }
    }

    /// Tells whether the journal that is compared with has all that was computed so far; stages on
    /// threads of their own cannot be asked while they run.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        match self {
            Self::Fused { tape, .. } => tape.is_covered(),
            Self::Split(_) => false,
        }
    }

    /// Returns the stages on the caller's thread; none where they have threads of their own.
    #[must_use]
    pub fn stations(&self) -> Option<&Stations> {
        match self {
            Self::Fused { stations, .. } => Some(stations),
            Self::Split(_) => None,
        }
    }

    /// Ends the threads and returns the stages.
    ///
    /// # Errors
    /// [`PipelineError`] when a stage panicked.
    pub fn finish(self) -> Result<Finished, PipelineError> {
        match self {
            Self::Fused { stations, tape } => {
                Ok(Finished { stations: *stations, tapes: vec![tape] })
            }
            Self::Split(split) => split.finish(),
        }
    }
}

impl Split {
    /// Starts a thread for each stage.
    ///
    /// # Errors
    /// [`PipelineError::Thread`] when the system gives no thread.
    pub fn start(
        stations: Stations,
        tapes: Tapes,
        threads: &Threads,
    ) -> Result<Pipeline, PipelineError> {
        let Tapes::Each { input, strategy, risk, execution, egress } = tapes else {
            return Err(PipelineError::Thread("feed"));
        };
        let Threads { wait, around, .. } = *threads;
        let (to_strategy, strategy_in) = lane(RING_EVENTS, wait);
        let (to_risk, risk_in) = lane(RING_EVENTS, wait);
        let (to_execution, execution_in) = lane(RING_EVENTS, wait);
        let (to_feed, from_execution) = lane(BURST_RING_EVENTS, wait);
        let Stations { meter, strategy: one, risk: two, egress: three } = stations;
        let core = |nth: usize| threads.cores.get(nth).copied();
        let strategy =
            spawn("strategy", core(0), around, move || carry(one, strategy, strategy_in, to_risk))?;
        let risk = spawn("risk", core(1), around, move || carry(two, risk, risk_in, to_execution))?;
        let execution = spawn("execution", core(2), around, move || {
            carry_last(three, execution, egress, execution_in, to_feed)
        })?;
        Ok(Pipeline::Split(Self {
            input,
            meter,
            to_strategy,
            from_execution,
            messages: 0,
            strategy,
            risk,
            execution,
        }))
    }

    fn pass(&mut self, message: &[Event], requests: &mut Vec<Event>) -> Result<(), PipelineError> {
        let ended = |_: Closed| PipelineError::StageEnded("strategy");
        self.messages = self.messages.saturating_add(1);
        self.input.write(Lane::Input, message);
        self.to_strategy.push_all(message).map_err(ended)?;
        let settle = Settled { message: self.messages };
        let last = message.last().map_or((Seq(0), Nanos(0)), |event| (event.seq, event.ts));
        self.to_strategy.push(Event::new(last.0, last.1, NO_INSTRUMENT, &settle)).map_err(ended)?;
        while let Some(event) = self.from_execution.pop() {
            if event.kind() == Kind::Settled {
                return Ok(());
            }
            requests.push(event);
        }
        Err(PipelineError::StageEnded("execution"))
    }

    fn finish(self) -> Result<Finished, PipelineError> {
        let Self { input, meter, to_strategy, from_execution, strategy, risk, execution, .. } =
            self;
        // Closing the first lane ends the stages one after the other.
        drop(to_strategy);
        drop(from_execution);
        let (strategy, strategy_tape) = join("strategy", strategy)?;
        let (risk, risk_tape) = join("risk", risk)?;
        let (egress, execution_tape, egress_tape) = join("execution", execution)?;
        Ok(Finished {
            stations: Stations { meter, strategy, risk, egress },
            tapes: vec![input, strategy_tape, risk_tape, execution_tape, egress_tape],
        })
    }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    core: Option<usize>,
    around: Around,
    run: impl FnOnce() -> (T, Lanes) + Send + 'static,
) -> Result<JoinHandle<Option<T>>, PipelineError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            if let Some(core) = core {
                crate::topology::pin(core);
            }
            let (mut run, mut left) = (Some(run), None);
            around(name, &mut || left = run.take().map(|run| run()));
            // Only now, outside of what is watched: the last one out frees a lane.
            left.map(|(kept, _lanes)| kept)
        })
        .map_err(|_| PipelineError::Thread(name))
}

/// Waits for a stage's thread and returns what it left.
fn join<T>(name: &'static str, thread: JoinHandle<Option<T>>) -> Result<T, PipelineError> {
    thread.join().ok().flatten().ok_or(PipelineError::StageEnded(name))
}

/// The two lanes of a stage's thread; dropping them ends the stages beside it.
type Lanes = (Receiver, Sender);

/// Runs a stage until its lane ends.
fn carry<S: Stage>(
    mut station: Station<S>,
    mut tape: Tape,
    mut from: Receiver,
    mut to: Sender,
) -> ((Station<S>, Tape), Lanes) {
    while let Some(event) = from.pop() {
        station.step(&event, &mut tape);
        if event.kind() == Kind::Settled {
            station.meter.settle();
        }
        if to.push_all(station.events()).is_err() {
            break;
        }
    }
    ((station, tape), (from, to))
}

/// Runs execution until its lane ends.
fn carry_last(
    mut station: Egress,
    mut tape: Tape,
    mut egress: Tape,
    mut from: Receiver,
    mut to: Sender,
) -> ((Egress, Tape, Tape), Lanes) {
    let mut answers = Vec::with_capacity(crate::stage::OUT_MAX);
    while let Some(event) = from.pop() {
        answers.clear();
        station.step(&event, &mut tape, Some(&mut egress), |answer| answers.push(answer));
        if event.kind() == Kind::Settled {
            station.station.meter.settle();
        }
        if to.push_all(&answers).is_err() {
            break;
        }
    }
    ((station, tape, egress), (from, to))
}
