//! After warm-up nothing asks the allocator for memory, and nothing gives any back.
//!
//! The allocator of this test binary counts, per thread, every call inside `assert_no_alloc`. The
//! script is built against warm vectors: not one order is sent during the warm-up, then come
//! orders, fills in parts, refusals, cuts, cancels, closing bars, latches, a day roll and segment
//! rolls.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use assert_no_alloc::{AllocDisabler, assert_no_alloc, reset_violation_count, violation_count};
use dsl::span::Source as RulesText;
use engine::generate::{Generated, START};
use engine::idle::Wait;
use engine::latency::log::{Begin, LogThread};
use engine::latency::meter::Basis;
use engine::latency::{Collector, Counter, Interval, Measure, Set};
use engine::pipeline::{Around, Pipeline, Split, Tapes, Threads};
use engine::recorder::{
    Gate, LaneRecorder, RecordError, Recorder, RecorderThread, SplitLanes, Waits,
};
use engine::session::{Session, Summary, ToTheEnd};
use engine::source::{Message, Progress, Source};
use engine::stage::{Out, Stage};
use engine::tape::Tape;
use journal::{Identity, Keeper, Options, Sealed, SinkKind, Writer};
use model::event::{Body, Event, Kind, Lane};
use model::order::{EndReason, Verdict};
use model::time::{DAY_NS, Nanos, SECOND_NS};

use crate::session::lab::{events, generated};

/// Counts, in this test binary, what a thread asks of it.
#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// Events after which nothing may be asked for any more.
const WARM_EVENTS: usize = 10_000;
/// Market time by which they have passed, and before which no order is sent.
const WARM_SECONDS: i64 = 320;
/// Midnight of the market, in seconds after its start.
const MIDNIGHT_SECONDS: i64 = 700;
/// Lengths of the two runs that are compared. In both, everything of the script has happened.
const SHORT_SECONDS: u64 = 900;
const LONG_SECONDS: u64 = 1_800;
/// Small, so that a run fills many.
const SEGMENT_BYTES: u64 = 1 << 17;
/// What the journal thread may call in its whole life, however long: its seal, and the lanes and
/// channels that it is the last to hold or the first to wait at, which is a matter of timing.
const JOURNAL_CALLS_MAX: u32 = 64;

/// One run at a time: the counts of its threads end up here.
static COUNTS: Mutex<Vec<(&str, u32)>> = Mutex::new(Vec::new());
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs something and returns how often it called the allocator of its thread.
fn counted<T>(run: impl FnOnce() -> T) -> (T, u32) {
    reset_violation_count();
    assert_no_alloc(|| {
        let left = run();
        let count = violation_count();
        // Else a line on stderr tells of a count that the test judges.
        reset_violation_count();
        (left, count)
    })
}

fn watched(name: &'static str, run: &mut dyn FnMut()) {
    let ((), count) = counted(run);
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner).push((name, count));
}

/// As [`watched`], with one call too many on the thread of the risk stage.
fn planted(name: &'static str, run: &mut dyn FnMut()) {
    let mut run = || {
        if name == "risk" {
            drop(std::hint::black_box(Box::new(1_u64)));
        }
        run();
    };
    watched(name, &mut run);
}

/// The generated market, moved so that midnight falls into it, and watched from inside its thread.
struct Script {
    market: Generated,
    shift: i64,
    passed: usize,
    /// Calls of this thread when the warm-up was over, and at the end.
    warm: Option<u32>,
    end: u32,
    /// Asks for memory once, after the warm-up.
    leaks: bool,
}

/// What the market is moved by, for a midnight to fall into it where the script wants it.
const fn shift() -> i64 {
    DAY_NS - START.0 % DAY_NS - MIDNIGHT_SECONDS * SECOND_NS
}

impl Script {
    fn new(market: Generated) -> Self {
        Self { market, shift: shift(), passed: 0, warm: None, end: 0, leaks: false }
    }

    /// Calls of the thread that this source was read on, since the warm-up.
    fn calls(&self) -> u32 {
        self.end - self.warm.expect("the warm-up is over")
    }
}

impl Source for Script {
    fn peek(&mut self) -> Option<Nanos> {
        let next = self.market.peek().map(|at| at.plus(self.shift));
        if next.is_none() {
            self.end = violation_count();
        }
        next
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.warm.is_none() && self.passed >= WARM_EVENTS {
            self.warm = Some(violation_count());
            if self.leaks {
                drop(std::hint::black_box(Box::new(1_u64)));
            }
        }
        let taken = self.market.take(into);
        into.ts = into.ts.plus(self.shift);
        self.passed += into.updates.len();
        taken
    }

    fn progress(&self) -> Progress {
        self.market.progress()
    }
}

/// Nothing before the warm-up is over, then all at once.
fn rules() -> Vec<RulesText> {
    let begin = START.plus(shift() + WARM_SECONDS * SECOND_NS);
    let text = format!(
        "rules 1
         risk bounds hard {{
           applies to all
           reduce_only FULL until clear
             when account.exposure >= 5_500 USDT held 1s
             then cancel_orders then notify
           cap MAX_ORDER value to 4_000 USDT
           cap MAX_EXPOSURE value to max(60% * account.equity - account.exposure, 0 USDT)
             unless order.reduces
           deny TOO_SMALL when order.value < 500 USDT unless order.reduces
           deny OWN when order.crosses_own
         }}
         strategy swing {{
           on bar 1s of BTC_USDT.PERP, ETH_USDT.PERP
           series fast = ema(close, 3)
           series slow = sma(close, 9)
           let begun = bar.time > @{begin}
           enter long REST when begun and crossunder(fast, slow)
             size 5_000 USDT price close - 1 ticks ttl 2s
           enter short REST_SHORT when begun and crossover(fast, slow)
             size 3_000 USDT price close + 1 ticks ttl 2s
           exit long DONE when crossover(fast, slow)
           exit short DONE_SHORT when crossunder(fast, slow)
         }}
         strategy small {{
           on bar 1s of BTC_USDT.PERP
           enter long SMALL when bar.time > @{begin} size 200 USDT at_market
         }}"
    );
    vec![RulesText { name: "alloc.rules".to_owned(), text }]
}

fn script(seconds: u64) -> (Session, Script) {
    let (mut session, market) = generated(6, seconds, rules());
    let collector = Some(Arc::new(Collector::default()));
    let counter = Counter::nanoseconds(look);
    session.measure = Some(Measure { counter, basis: Basis::Service, every: 1, collector });
    (session, Script::new(market))
}

/// Time for what is measured: each look takes so long that the histograms of a thread are exchanged
/// each few thousand ticks.
static LOOKS: AtomicU64 = AtomicU64::new(1);
const LOOK_NS: u64 = 100_000;

fn look() -> u64 {
    LOOKS.fetch_add(LOOK_NS, Ordering::Relaxed) + LOOK_NS
}

/// The log of a session's latencies, to nowhere, by its own thread.
fn log(session: &Session) -> LogThread {
    let collector = session.measure.as_ref().and_then(|measure| measure.collector.clone());
    let counter = Counter::nanoseconds(look);
    let begin = Begin { wall: std::time::SystemTime::UNIX_EPOCH, at: 0, counter };
    LogThread::start(std::io::sink(), begin, collector.unwrap()).unwrap()
}

/// The journal's threads, both counted.
struct Journal {
    recorder: JoinHandle<(Result<Sealed, RecordError>, u32)>,
    keeper: JoinHandle<()>,
}

impl Journal {
    fn writer(dir: &Path) -> (Writer, Keeper) {
        let identity = Identity { nonce: 0x5EED, ..Identity::ZERO };
        let (sink, sync) = (SinkKind::Mmap, false);
        let options = Options { segment_bytes: SEGMENT_BYTES, sink, sync, identity };
        Writer::create(dir, &options).unwrap()
    }

    fn start(thread: RecorderThread, keeper: Keeper) -> Self {
        let builder = || std::thread::Builder::new();
        let keeper = builder().spawn(move || keeper.run()).unwrap();
        let recorder = builder().spawn(move || counted(|| thread.run())).unwrap();
        Self { recorder, keeper }
    }

    fn finish(self) -> (Sealed, u32) {
        let (sealed, calls) = self.recorder.join().unwrap();
        self.keeper.join().unwrap();
        (sealed.unwrap(), calls)
    }
}

/// A finished run.
struct Ran {
    summary: Summary,
    sealed: Sealed,
    /// Calls of the caller's thread since its warm-up.
    feed: u32,
    /// Calls of the journal thread, from its start to its seal.
    journal: u32,
    /// Calls of each stage's thread, from its start to its end.
    stages: Vec<(&'static str, u32)>,
}

const WAITS: Waits =
    Waits { stages: Wait::SpinPark, gate: Wait::SpinPark, journal: Wait::SpinPark };

fn run_on(session: &Session, script: &mut Script, pipeline: Pipeline, journal: Journal) -> Ran {
    let start = script.peek().unwrap();
    let log = log(session);
    let (ran, _) =
        counted(|| session.run(script, pipeline, start, Some(EndReason::EndOfData), &mut ToTheEnd));
    let (summary, mut finished) = ran.unwrap();
    let last = finished.stations.take_latencies();
    drop(finished);
    assert_measured(last, log, &summary);
    let (sealed, journal) = journal.finish();
    let mut stages = std::mem::take(&mut *COUNTS.lock().unwrap_or_else(PoisonError::into_inner));
    stages.sort_unstable();
    Ran { summary, sealed, feed: script.calls(), journal, stages }
}

/// Asserts that histograms were exchanged while the session ran, and that none of it is lost.
fn assert_measured(last: Vec<Set>, log: LogThread, summary: &Summary) {
    let quiet = |set: &Set| set.get(Interval::TickQuiet).map_or(0, |histogram| histogram.len());
    let left: u64 = last.iter().map(quiet).sum();
    let total = log.finish(last).unwrap();
    let (all, messages) = (quiet(&total), summary.progress.messages);
    assert!(left < all, "no histogram was exchanged: {left} of {all}");
    assert!(all > messages / 2 && all <= messages, "{all} quiet ticks of {messages} messages");
    let orders = total.get(Interval::TickToWire).map_or(0, |histogram| histogram.len());
    assert_eq!(orders, summary.orders);
}

fn run_fused(dir: &Path, seconds: u64, leaks: bool) -> Ran {
    let (session, mut script) = script(seconds);
    script.leaks = leaks;
    let (writer, keeper) = Journal::writer(dir);
    let Recorder { lanes, gate, thread, .. } = Recorder::<LaneRecorder>::fused(writer, WAITS);
    let journal = Journal::start(thread, keeper);
    let pipeline = Pipeline::fused(session.stations(gate), Tape::Record(lanes));
    run_on(&session, &mut script, pipeline, journal)
}

fn run_split(dir: &Path, seconds: u64, around: Around) -> Ran {
    let (session, mut script) = script(seconds);
    let (writer, keeper) = Journal::writer(dir);
    let Recorder { lanes, gate, thread, .. } = Recorder::<SplitLanes>::split(writer, WAITS);
    let journal = Journal::start(thread, keeper);
    let tapes = Tapes::Each {
        input: Tape::Record(lanes.input),
        strategy: Tape::Record(lanes.strategy),
        risk: Tape::Record(lanes.risk),
        execution: Tape::Record(lanes.execution),
        egress: Tape::Record(lanes.egress),
    };
    let threads = Threads { wait: WAITS.stages, cores: Vec::new(), around };
    let pipeline = Split::start(session.stations(gate), tapes, &threads).unwrap();
    run_on(&session, &mut script, pipeline, journal)
}

/// What happened after the warm-up, by the journal: all that the script promises.
#[track_caller]
fn assert_provoked(dir: &Path, ran: &Ran) {
    let begin = START.plus(shift() + WARM_SECONDS * SECOND_NS);
    let (mut before, mut partly) = (0, 0);
    let mut kinds = std::collections::BTreeMap::new();
    let mut approved = std::collections::BTreeMap::new();
    for event in events(dir) {
        if event.ts < begin {
            before += u32::from(matches!(event.kind(), Kind::Signal | Kind::OrderIntent));
            continue;
        }
        *kinds.entry(event.kind()).or_insert(0_u32) += 1;
        match event.body() {
            Body::OrderIntent(intent) => {
                approved.insert(intent.order, intent.qty);
            }
            Body::Fill(fill) => partly += u32::from(approved[&fill.order] > fill.qty),
            _ => {}
        }
    }
    println!("{kinds:?}, {partly} fills in parts, {:?}", ran.summary.refusals);
    assert_eq!(before, 0, "signals during the warm-up");
    for kind in [
        Kind::OrderSent,
        Kind::Fill,
        Kind::CancelSent,
        Kind::Bar,
        Kind::DayRoll,
        Kind::LatchChanged,
        Kind::RiskState,
        Kind::Timer,
        Kind::OrderDone,
    ] {
        assert!(kinds.contains_key(&kind), "no {kind:?} after the warm-up");
    }
    assert!(partly > 0, "no fill in parts");
    assert!(ran.summary.refusals.len() >= 2 && ran.summary.cuts > 0, "{:?}", ran.summary);
    assert!(ran.sealed.segments >= 16, "{:?}", ran.sealed);
}

#[test]
fn the_fused_loop_does_not_allocate_after_warm_up() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("run");
    let ran = run_fused(&dir, SHORT_SECONDS, false);
    assert_provoked(&dir, &ran);
    assert_eq!(ran.feed, 0, "calls of the loop to its allocator");
}

#[test]
fn the_threads_of_split_do_not_allocate_after_warm_up() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (scratch.path().join("short"), scratch.path().join("long"));
    let short = run_split(&first, SHORT_SECONDS, watched);
    let long = run_split(&second, LONG_SECONDS, watched);
    assert_provoked(&first, &short);
    assert!(long.summary.orders > short.summary.orders);
    assert!(long.sealed.segments > short.sealed.segments);
    assert_eq!((short.feed, long.feed), (0, 0), "calls of the feed thread");
    // A thread that runs on for as long again calls its allocator not once more.
    assert_eq!(short.stages.len(), 3, "{:?}", short.stages);
    assert_eq!(short.stages, long.stages, "calls of the stage threads");
    // The journal's: fewer than it rolls segments, and far fewer than it writes records.
    let rolls = long.sealed.segments - short.sealed.segments;
    println!("journal thread: {} and {} calls, {rolls} more rolls", short.journal, long.journal);
    assert!(rolls > u64::from(JOURNAL_CALLS_MAX) / 2, "{rolls} more rolls");
    assert!(long.journal.abs_diff(short.journal) < JOURNAL_CALLS_MAX / 2, "per roll or record");
    assert!(long.journal <= JOURNAL_CALLS_MAX, "{} calls of the journal thread", long.journal);
}

#[test]
fn a_planted_allocation_is_counted() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let folder = |name: &str| scratch.path().join(name);
    let leaky = run_fused(&folder("loop"), SHORT_SECONDS, true);
    assert_eq!(leaky.feed, 2, "one box taken and given back");
    let honest = run_split(&folder("honest"), SHORT_SECONDS, watched);
    let leaky = run_split(&folder("leaky"), SHORT_SECONDS, planted);
    let differing: Vec<_> =
        honest.stages.iter().zip(&leaky.stages).filter(|(one, other)| one != other).collect();
    let [((name, one), (_, other))] = differing.as_slice() else { panic!("{differing:?}") };
    assert_eq!((*name, *other), ("risk", one + 2));
}

/// A stage that asks for memory once.
struct Leaky<S> {
    stage: S,
    left: usize,
}

impl<S: Stage> Stage for Leaky<S> {
    fn step(&mut self, event: &Event, out: &mut Out) {
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            drop(std::hint::black_box(Box::new(1_u64)));
        }
        self.stage.step(event, out);
    }
}

/// Steps a stage over events and returns the calls after the warm-up, and all that it put out.
fn calls_of(stage: &mut impl Stage, events: &[Event]) -> (u32, Vec<Event>) {
    let mut out = Out::new();
    let (mut calls, mut told) = (0, Vec::new());
    for (index, event) in events.iter().enumerate() {
        out.clear();
        let ((), count) = counted(|| stage.step(event, &mut out));
        if index >= WARM_EVENTS {
            calls += count;
        }
        told.extend(out.events());
    }
    (calls, told)
}

#[test]
fn no_stage_allocates_after_warm_up_and_a_leaky_one_is_seen() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("run");
    run_fused(&dir, SHORT_SECONDS, false);
    let inputs: Vec<Event> =
        events(&dir).into_iter().filter(|event| event.kind().lane() == Lane::Input).collect();
    let (session, _) = script(SHORT_SECONDS);
    let mut stations = session.stations(Gate::off());
    let (strategy, signals) = calls_of(&mut stations.strategy.stage, &inputs);
    let (risk, verdicts) = calls_of(&mut stations.risk.stage, &signals);
    let (execution, intents) = calls_of(&mut stations.egress.station.stage, &verdicts);
    assert_eq!((strategy, risk, execution), (0, 0, 0), "calls of strategy, risk, execution");
    let approved = verdicts.iter().filter(|event| match event.body() {
        Body::Decision(decision) => decision.verdict == Verdict::Approve,
        _ => false,
    });
    assert!(approved.count() > 10 && intents.len() > 20, "{} intents", intents.len());

    let stage = session.stations(Gate::off()).strategy.stage;
    let mut leaky = Leaky { stage, left: WARM_EVENTS + 500 };
    assert_eq!(calls_of(&mut leaky, &inputs).0, 2, "one box taken and given back");
}
