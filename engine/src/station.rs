//! Stations: each stage with what it puts out, what is counted of it and where that is recorded.
//!
//! What execution puts out leaves through the egress, behind the gate that waits for the journal.
//! Which threads the stations run on is the pipeline's business.

use model::event::{Body, CancelSent, Event, Kind, Lane, OrderSent, StopIntent, StopSent};

use crate::execution::Execution;
use crate::latency::{Measure, Meter, Set};
use crate::recorder::Gate;
use crate::risk::Risk;
use crate::stage::{Out, Stage};
use crate::strategy::Strategy;
use crate::tally::{LaneDigest, LatchLog, VerdictCounts};
use crate::tape::Tape;

/// A stage with what it puts out and what is counted of it.
#[derive(Debug)]
pub struct Station<S> {
    /// The stage.
    pub stage: S,
    /// Digest of its lane.
    pub digest: LaneDigest,
    /// Verdicts, of the risk stage.
    pub verdicts: VerdictCounts,
    /// Latches, of the risk stage.
    pub latches: LatchLog,
    /// Stamps what the stage puts out.
    pub(crate) meter: Meter,
    lane: Lane,
    out: Out,
}

/// The last station: execution, the gate, and what leaves.
#[derive(Debug)]
pub struct Egress {
    /// Execution.
    pub station: Station<Execution>,
    /// Orders that left.
    pub orders: u64,
    /// Cancels that left.
    pub cancels: u64,
    gate: Gate,
    /// True once the journal was lost: nothing leaves any more.
    shut: bool,
}

/// All stages of a session.
#[derive(Debug)]
pub struct Stations {
    /// Stamps of feed and of whole messages.
    pub(crate) meter: Meter,
    /// Strategy.
    pub strategy: Station<Strategy>,
    /// Risk.
    pub risk: Station<Risk>,
    /// Execution with the gate.
    pub egress: Egress,
}

impl<S: Stage> Station<S> {
    /// Returns a station for a stage that writes `lane`.
    pub fn new(stage: S, lane: Lane) -> Self {
        Self {
            stage,
            digest: LaneDigest::default(),
            verdicts: VerdictCounts::default(),
            latches: LatchLog::default(),
            meter: Meter::off(),
            lane,
            out: Out::new(),
        }
    }

    /// Advances the stage and records what it puts out of its own lane.
    #[inline]
    pub(crate) fn step(&mut self, event: &Event, tape: &mut Tape) {
        self.out.clear();
        self.stage.step(event, &mut self.out);
        if !self.out.events().is_empty() {
            self.record(tape);
        }
    }

    /// Apart, because most events are levels of a book, of which nothing follows.
    #[inline(never)]
    fn record(&mut self, tape: &mut Tape) {
        let mut own = false;
        for event in self.out.events() {
            if event.kind().lane() == self.lane {
                self.digest.add(event);
                self.verdicts.add(event);
                self.latches.add(event);
                own = true;
            }
        }
        if own {
            self.meter.told(self.out.events());
            tape.write(self.lane, self.out.events());
        }
    }

    /// Returns what the last step put out, in order.
    #[inline]
    pub(crate) fn events(&self) -> &[Event] {
        self.out.events()
    }
}

impl Egress {
    /// Returns the last station.
    #[must_use]
    pub fn new(stage: Execution, gate: Gate) -> Self {
        let station = Station::new(stage, Lane::Execution);
        Self { station, orders: 0, cancels: 0, gate, shut: false }
    }

    /// Advances execution, lets its intents out once they are journaled, and hands what concerns
    /// feed to `answer`.
    pub(crate) fn step(
        &mut self,
        event: &Event,
        tape: &mut Tape,
        egress: Option<&mut Tape>,
        mut answer: impl FnMut(Event),
    ) {
        self.station.step(event, tape);
        let mut egress = egress;
        for index in 0..self.station.events().len() {
            let Some(event) = self.station.events().get(index).copied() else { continue };
            let Some(sent) = leave(&event) else {
                if returns(event.kind()) {
                    answer(event);
                }
                continue;
            };
            let written = self.gate.wait_written(tape.executions());
            let journaled = self.station.meter.stamp();
            if self.shut || written.is_err() {
                self.shut = true;
                continue;
            }
            let opened = self.station.meter.stamp();
            if sent.kind() == Kind::OrderSent {
                self.orders = self.orders.saturating_add(1);
            } else if sent.kind() == Kind::CancelSent {
                self.cancels = self.cancels.saturating_add(1);
            }
            match &mut egress {
                Some(own) => own.write(Lane::Egress, std::slice::from_ref(&sent)),
                None => tape.write(Lane::Egress, std::slice::from_ref(&sent)),
            }
            answer(sent);
            if let Body::OrderSent(order) = sent.body() {
                self.station.meter.left(order.order, journaled, opened);
            }
        }
    }
}

/// Tells whether what comes out of the last stage goes back to whoever drives the session, without
/// leaving.
#[inline]
#[must_use]
pub fn returns(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Wake
            | Kind::Decision
            | Kind::Settled
            | Kind::Liquidate
            | Kind::LevelStep
            | Kind::ClearStep
    )
}

/// Returns what leaves the gate for an intent.
#[expect(clippy::wildcard_enum_match_arm, reason = "only intents leave")]
#[must_use]
pub fn leave(event: &Event) -> Option<Event> {
    let Event { seq, ts, instrument, .. } = *event;
    match event.body() {
        Body::OrderIntent(intent) => {
            let sent = OrderSent {
                order: intent.order,
                price: intent.price,
                qty: intent.qty,
                side: intent.side,
                tif: intent.tif,
                reduces: intent.reduces,
                post_only: intent.post_only,
                strategy: intent.strategy,
                exit: intent.exit,
            };
            Some(Event::new(seq, ts, instrument, &sent))
        }
        Body::CancelIntent(intent) => {
            Some(Event::new(seq, ts, instrument, &CancelSent { order: intent.order }))
        }
        Body::StopIntent(intent) => {
            let StopIntent { order, trigger, strategy, side, moves } = intent;
            let sent = StopSent { order, trigger, strategy, side, moves };
            Some(Event::new(seq, ts, instrument, &sent))
        }
        _ => None,
    }
}

impl Stations {
    /// Passes one event through all stages on this thread.
    #[inline]
    pub(crate) fn step(&mut self, event: &Event, tape: &mut Tape, requests: &mut Vec<Event>) {
        let Self { strategy, risk, egress, .. } = self;
        strategy.step(event, tape);
        for event in strategy.events() {
            risk.step(event, tape);
            for event in risk.events() {
                egress.step(event, tape, None, |answer| requests.push(answer));
            }
        }
    }

    /// Gives each station its meter.
    pub(crate) fn measure(&mut self, measure: &Measure) {
        let [feed, strategy, risk, egress] = measure.meters();
        self.meter = feed;
        self.strategy.meter = strategy;
        self.risk.meter = risk;
        self.egress.station.meter = egress;
    }

    /// The message at hand has passed all stages.
    #[inline]
    pub(crate) fn settle(&mut self) {
        self.strategy.meter.settle();
        self.risk.meter.settle();
        self.egress.station.meter.settle();
    }

    /// Returns the latencies of this session by thread, and measures no more; empty when nothing
    /// was measured.
    pub fn take_latencies(&mut self) -> Vec<Set> {
        let Self { meter, strategy, risk, egress } = self;
        let meters = [meter, &mut strategy.meter, &mut risk.meter, &mut egress.station.meter];
        meters.into_iter().filter_map(Meter::take).collect()
    }
}
