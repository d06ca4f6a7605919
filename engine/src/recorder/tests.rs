//! The journal thread beside stages on threads: what is in the file, and what happens without one.

use std::path::Path;
use std::thread as threads;

use journal::{Identity, Options, Reader, Sealed, SinkKind, Writer};
use model::codec::decode;
use model::event::{
    Bar, BarExtra, CancelIntent, Decision, DecisionRules, Event, FLAG_MORE, Lane, OrderIntent,
    OrderSent, Payload, Settled, Signal, Timer, Trade,
};
use model::id::{NO_INSTRUMENT, Seq};
use model::time::Nanos;

use super::{
    Capacities, Gate, Health, JournalLost, LaneRecorder, RecordError, Recorder, SplitLanes, Waits,
};
use crate::idle::Wait;
use crate::lane::{Receiver, Sender, lane};

const PARKING: Waits =
    Waits { stages: Wait::SpinPark, gate: Wait::SpinPark, journal: Wait::SpinPark };
const YIELDING: Waits =
    Waits { stages: Wait::SpinYield, gate: Wait::SpinYield, journal: Wait::SleepMicros(20) };
const TINY: Capacities = Capacities { input: 1, decisions: 1 };
const SMALL: Capacities = Capacities { input: 64, decisions: 16 };

/// An event of input `n`, whose payload bytes follow from `n`.
fn event<P: Payload>(n: u64) -> Event {
    let mut bytes = [0; model::event::PAYLOAD_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        // Only small values, so that every field may hold them.
        *byte = u8::from((n >> (at % 16)) & 1 == 1 && at < 24);
    }
    Event::new(Seq(n), Nanos(n.cast_signed() * 10), NO_INSTRUMENT, &P::unpack(&bytes))
}

fn pair<A: Payload, B: Payload>(n: u64) -> [Event; 2] {
    [event::<A>(n).with_flags(FLAG_MORE), event::<B>(n)]
}

/// What each stage records for input `n`.
fn recorded(lane: Lane, n: u64) -> Vec<Event> {
    match lane {
        Lane::Input if n.is_multiple_of(5) => pair::<BarExtra, Bar>(n).to_vec(),
        Lane::Input => vec![event::<Trade>(n)],
        Lane::Strategy if n.is_multiple_of(2) => vec![event::<Signal>(n)],
        Lane::Risk if n.is_multiple_of(2) => pair::<Decision, DecisionRules>(n).to_vec(),
        Lane::Execution if n.is_multiple_of(4) => {
            vec![event::<OrderIntent>(n), event::<CancelIntent>(n)]
        }
        Lane::Egress if n.is_multiple_of(4) => vec![event::<OrderSent>(n)],
        Lane::Strategy | Lane::Risk | Lane::Execution | Lane::Egress | Lane::Internal => vec![],
    }
}

const SINKS: [SinkKind; 2] = [SinkKind::Mmap, SinkKind::Pwrite];

fn writer(dir: &Path) -> Writer {
    writer_by(dir, SinkKind::Mmap)
}

fn writer_by(dir: &Path, sink: SinkKind) -> Writer {
    let identity = Identity { run_id: 1, nonce: 0x5EED, ..Identity::ZERO };
    let options = Options { segment_bytes: 1 << 22, sink, sync: false, identity };
    Writer::create(dir, &options).unwrap().0
}

/// Runs the journal thread beside `body`, which gets the rest.
fn run<L: Send, T>(
    recorder: Recorder<L>,
    body: impl FnOnce(L, Gate, Health) -> T,
) -> (T, Result<Sealed, RecordError>) {
    let Recorder { lanes, gate, health, thread } = recorder;
    threads::scope(|scope| {
        let journal = scope.spawn(move || thread.run());
        let out = body(lanes, gate, health);
        (out, journal.join().unwrap())
    })
}

/// The records of the stages, each as its events.
fn read(dir: &Path) -> Vec<Vec<Event>> {
    let mut reader = Reader::open(dir).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        if record.header.lane == journal::LANE_CONTROL {
            continue;
        }
        let events: Vec<Event> =
            record.payload.chunks(64).map(|bytes| decode(bytes).unwrap()).collect();
        let first = events[0];
        assert_eq!(record.header.kind, first.kind() as u16);
        assert_eq!(record.header.lane, first.kind().lane() as u8);
        assert_eq!((record.header.seq, record.header.ts_ns), (first.seq.0, first.ts.0));
        records.push(events);
    }
    records
}

fn lane_of(record: &[Event]) -> Lane {
    record[0].kind().lane()
}

/// Passes every input on, with what the stage adds recorded first and passed on behind it.
fn stage(lane: Lane, mut own: LaneRecorder, mut from: Receiver, mut to: Option<Sender>) {
    let mut batch = Vec::with_capacity(8);
    while from.pop_batch(&mut batch, 8) > 0 {
        for passed in batch.drain(..) {
            let mut out = vec![passed];
            if matches!(lane_of(&[passed]), Lane::Internal) {
                out.extend(recorded(lane, passed.seq.0));
            }
            own.record_all(&out);
            if let Some(to) = &mut to {
                to.push_all(&out).unwrap();
            }
        }
    }
}

fn feed(mut own: LaneRecorder, mut to: Sender, count: u64) {
    for n in 1..=count {
        let events = recorded(Lane::Input, n);
        own.record_all(&events);
        to.push_all(&events).unwrap();
        // Each stage answers it once, whatever the size of the input.
        to.push(event::<Settled>(n)).unwrap();
    }
}

/// A chain of five stages and the journal, all on threads; the file must be causal and complete.
fn check_split(capacities: Capacities, waits: Waits, sink: SinkKind, count: u64) {
    let scratch = tempfile::tempdir().unwrap();
    let recorder = Recorder::split_with(writer_by(scratch.path(), sink), waits, capacities);
    let ((), sealed) = run(recorder, |lanes, _, _| {
        let SplitLanes { input, strategy, risk, execution, egress } = lanes;
        threads::scope(|scope| {
            let [a, b, c, d] = [8; 4].map(|capacity| lane(capacity, waits.stages));
            scope.spawn(move || feed(input, a.0, count));
            scope.spawn(move || stage(Lane::Strategy, strategy, a.1, Some(b.0)));
            scope.spawn(move || stage(Lane::Risk, risk, b.1, Some(c.0)));
            scope.spawn(move || stage(Lane::Execution, execution, c.1, Some(d.0)));
            scope.spawn(move || stage(Lane::Egress, egress, d.1, None));
        });
    });
    assert_eq!(sealed.unwrap().last_seq, count);
    let records = read(scratch.path());
    for lane in super::JOURNALED {
        let events = records.iter().filter(|record| lane_of(record) == lane).flatten().copied();
        assert!(events.eq((1..=count).flat_map(|n| recorded(lane, n))), "{lane:?}");
    }
    // The last seq and lane before which everything of a lane is in the file.
    let mut reached = super::JOURNALED.map(|lane| (lane, 0));
    for record in &records {
        let (lane, seq) = (lane_of(record), record[0].seq.0);
        for (upstream, last) in reached.iter().take_while(|(upstream, _)| *upstream < lane) {
            let missing = (last + 1..=seq).find(|&n| !recorded(*upstream, n).is_empty());
            assert_eq!(missing, None, "{lane:?} of {seq} precedes {upstream:?}");
        }
        for own in reached.iter_mut().filter(|(own, _)| *own == lane) {
            own.1 = seq;
        }
    }
}

#[test]
fn file_order_is_causal_on_tiny_lanes() {
    check_split(TINY, PARKING, SinkKind::Mmap, 4_000);
    check_split(TINY, YIELDING, SinkKind::Pwrite, 1_000);
}

#[test]
fn file_order_is_causal_on_longer_lanes() {
    check_split(SMALL, PARKING, SinkKind::Pwrite, 40_000);
    check_split(super::CAPACITIES, PARKING, SinkKind::Mmap, 40_000);
}

/// All stages on one thread, what is passed on included.
fn run_fused(lanes: &mut LaneRecorder, count: u64) -> Vec<Event> {
    let mut calls = Vec::new();
    for n in 1..=count {
        let mut out = Vec::new();
        for lane in super::JOURNALED {
            let own = recorded(lane, n);
            calls.extend_from_slice(&own);
            out.extend(own);
            out.push(event::<Settled>(n));
            lanes.record_lane(lane, &out);
        }
    }
    calls
}

#[test]
fn fused_file_order_is_the_order_of_the_calls() {
    for (capacities, sink) in [TINY, SMALL, super::CAPACITIES].into_iter().zip(SINKS.repeat(2)) {
        let scratch = tempfile::tempdir().unwrap();
        let writer = writer_by(scratch.path(), sink);
        let recorder = Recorder::fused_with(writer, PARKING, capacities);
        let (calls, sealed) = run(recorder, |mut lanes, _, _| run_fused(&mut lanes, 3_000));
        sealed.unwrap();
        assert_eq!(read(scratch.path()).concat(), calls);
    }
}

/// With the sink that buffers, only a flush before the gate's word makes this true.
#[test]
fn nothing_passes_the_gate_before_it_is_in_the_file() {
    for (sink, waits) in SINKS.into_iter().zip([PARKING, YIELDING]).chain([(SINKS[1], PARKING)]) {
        let scratch = tempfile::tempdir().unwrap();
        let recorder = Recorder::fused(writer_by(scratch.path(), sink), waits);
        let ((), sealed) = run(recorder, |mut lanes, mut gate, health| {
            for n in 1..=40 {
                lanes.record(&event::<Trade>(n));
                lanes.record_all(&recorded(Lane::Execution, n));
                assert_eq!(lanes.executions(), n / 4 * 2);
                assert_eq!(gate.wait_written(lanes.executions()), Ok(()));
                let written = read(scratch.path());
                let intents =
                    written.iter().filter(|record| lane_of(record) == Lane::Execution).count();
                assert_eq!(intents as u64, lanes.executions());
            }
            assert!(!gate.failed() && !health.failed() && !lanes.failed());
        });
        assert_eq!(sealed.unwrap().last_seq, 40);
    }
}

#[test]
fn a_lane_leaves_the_events_of_other_stages_and_of_none_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let recorder = Recorder::split(writer(scratch.path()), PARKING);
    let ((), sealed) = run(recorder, |mut lanes, _, _| {
        let trade = event::<Trade>(1);
        lanes.input.record_all(&[trade, event::<Settled>(1)]);
        let passed = [event::<Settled>(1), trade, event::<Signal>(1), trade];
        lanes.strategy.record_all(&passed);
        lanes.risk.record_all(&passed);
        lanes.risk.record_lane(Lane::Strategy, &passed);
        lanes.egress.record(&trade);
    });
    sealed.unwrap();
    assert_eq!(read(scratch.path()), [[event::<Trade>(1)], [event::<Signal>(1)]]);
}

#[test]
fn nothing_is_recorded_and_nothing_waits_when_journaling_is_off() {
    let mut off = LaneRecorder::off();
    off.record_all(&recorded(Lane::Execution, 4));
    assert_eq!((off.executions(), off.stalls(), off.failed()), (0, 0, false));
    let mut gate = Gate::off();
    assert_eq!(gate.wait_written(u64::MAX), Ok(()));
    assert!(!gate.failed());
}

/// The second input leaves a gap: the journal refuses it. Stages go on for far more than a lane
/// holds, and nothing passes the gate.
#[test]
fn after_a_failed_write_stages_do_not_hang_and_the_gate_stays_shut() {
    for waits in [PARKING, YIELDING] {
        let scratch = tempfile::tempdir().unwrap();
        let recorder = Recorder::split_with(writer(scratch.path()), waits, TINY);
        let ((), outcome) = run(recorder, |mut lanes, mut gate, health| {
            lanes.input.record(&event::<Trade>(1));
            lanes.execution.record(&event::<OrderIntent>(1));
            assert_eq!(gate.wait_written(1), Ok(()));
            (3..200).for_each(|n| lanes.input.record(&event::<Trade>(n)));
            lanes.execution.record(&event::<OrderIntent>(3));
            assert_eq!(gate.wait_written(lanes.execution.executions()), Err(JournalLost));
            assert_eq!(gate.wait_written(1), Err(JournalLost));
            assert!(health.failed() && gate.failed() && lanes.risk.failed());
        });
        let error = outcome.unwrap_err();
        assert!(matches!(error, RecordError::Append { lane: Lane::Input, seq: Seq(3), .. }));
        assert_eq!(
            error.to_string(),
            "cannot journal the record of lane Input with seq 3; the session stops"
        );
        assert_eq!(read(scratch.path()), [[event::<Trade>(1)], [event::<OrderIntent>(1)]]);
    }
}

#[test]
fn a_thread_that_never_ran_counts_as_lost() {
    let scratch = tempfile::tempdir().unwrap();
    let Recorder { mut lanes, mut gate, health, thread } =
        Recorder::fused_with(writer(scratch.path()), PARKING, TINY);
    threads::scope(|scope| {
        let waiting = scope.spawn(move || gate.wait_written(1));
        drop(thread);
        assert_eq!(waiting.join().unwrap(), Err(JournalLost));
    });
    (1..10).for_each(|n| lanes.record(&event::<Trade>(n)));
    assert!(health.failed() && lanes.failed());
}

#[test]
fn a_gate_that_outlives_a_sealed_journal_knows_what_was_written() {
    let scratch = tempfile::tempdir().unwrap();
    let recorder = Recorder::fused(writer(scratch.path()), PARKING);
    let (mut gate, sealed) = run(recorder, |mut lanes, gate, _| {
        lanes.record_all(&[event::<Trade>(1), event::<OrderIntent>(1)]);
        gate
    });
    sealed.unwrap();
    assert_eq!(gate.wait_written(1), Ok(()));
    assert_eq!(gate.wait_written(2), Err(JournalLost));
    assert!(!gate.failed());
}

#[test]
fn half_a_record_at_the_end_is_dropped() {
    let scratch = tempfile::tempdir().unwrap();
    let recorder = Recorder::split(writer(scratch.path()), PARKING);
    let ((), sealed) = run(recorder, |mut lanes, _, _| {
        lanes.input.record(&event::<Timer>(1));
        lanes.input.record(&event::<BarExtra>(2).with_flags(FLAG_MORE));
    });
    assert_eq!(sealed.unwrap().last_seq, 1);
    assert_eq!(read(scratch.path()), [[event::<Timer>(1)]]);
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    let [extra, bar] = pair::<BarExtra, Bar>(1);
    let stranger = event::<Bar>(2);
    for second in [stranger, bar.with_flags(FLAG_MORE), event::<Signal>(1)] {
        let scratch = tempfile::tempdir().unwrap();
        let recorder = Recorder::fused(writer(scratch.path()), PARKING);
        let (failed, outcome) = run(recorder, |mut lanes, mut gate, _| {
            lanes.record_all(&[extra, second, event::<OrderIntent>(1)]);
            gate.wait_written(1)
        });
        assert_eq!(failed, Err(JournalLost));
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "cannot journal the record of lane Input with seq 1: its second event is missing; \
             fix the stage that recorded it"
        );
        assert!(read(scratch.path()).is_empty());
    }
}
