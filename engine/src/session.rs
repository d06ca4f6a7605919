//! A session: stages, feed, simulated venue and journal put together from a setup and run to its
//! end.
//!
//! Live and replay build the same parts from the same data; only the source of messages and the
//! tapes differ. Feed runs on the caller's thread, in lock step with the simulated venue.

use model::codec::ImageError;
use model::event::{Body, ClearStep, Event, Kind, LevelStep};
use model::id::{RunId, Seq};
use model::instrument::Instrument;
use model::num::Money;
use model::order::EndReason;
use model::time::Nanos;

use dsl::span::Source as RulesText;
use dsl::typed::Trigger;

use crate::execution::Execution;
use crate::feed::bars::Bars;
use crate::feed::{Feed, Next};
use crate::latency::{Measure, Meter};
use crate::limits::{INSTRUMENTS_MAX, LATCH_EVENTS_MAX};
use crate::paper::Paper;
use crate::pipeline::{Finished, Pipeline, PipelineError};
use crate::portfolio::{at, instrument_id};
use crate::program::{self, Bound, Checked, RulesError};
use crate::recorder::Gate;
use crate::risk::Risk;
use crate::setup::{Setup, SetupError};
use crate::source::{Message, Progress, Source};
use crate::stage::OUT_MAX;
use crate::station::{Egress, Station, Stations};
use crate::strategy::Strategy;
use crate::tally::{Armed, decisions_hash};
use model::event::Lane;
use snapshot::Snapshot;

/// The journal of a session: its threads and tapes.
pub mod journaled;
/// A killed session, brought back from its journal.
pub mod resume;
/// The state of a session at the end of a message.
pub mod snapshot;

/// A session that is ready to run.
#[derive(Debug)]
pub struct Session {
    /// What it is made of.
    pub setup: Setup,
    /// The rule texts, in order.
    pub texts: Vec<RulesText>,
    /// Instruments by id.
    pub instruments: Vec<Instrument>,
    /// The rules, bound.
    pub bound: Bound,
    /// How it is measured, if it is. Decisions do not depend on it, so it is no part of the setup.
    pub measure: Option<Measure>,
    /// Bars that strategies need of the instruments' trades, not begun.
    bars: Bars,
    preamble: Seq,
    /// Where the session goes on from; none where it begins anew.
    snapshot: Option<Snapshot>,
}

/// Why a session cannot be built or go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The setup does not describe a session.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] Box<RulesError>),
    /// A stage's thread has ended.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The source has no message at all.
    #[error("the data holds no message; give a file with data for the instruments of the rules")]
    NoData,
    /// The journal was lost while running.
    #[error("the journal could not be written; trading has stopped")]
    JournalLost,
    /// The state that the session is to go on from is not one of this session.
    #[error(
        "the snapshot cannot be used: {0}; it belongs to the rules and the program that wrote it"
    )]
    Snapshot(#[from] ImageError),
}

/// What the caller of a session decides while it runs.
pub trait Control {
    /// Returns true when the control is to be asked and told now. Looked at before each event, so
    /// it must cost next to nothing.
    fn is_called(&self) -> bool {
        false
    }
    /// Returns true when the session is to end now.
    fn stop(&mut self) -> bool;
    /// Returns the reason to record when the session was stopped; none ends it without a record,
    /// for a replay that is broken off.
    fn reason(&self) -> Option<EndReason> {
        Some(EndReason::Requested)
    }
    /// Is told what the kill switch has reached, and at which seq.
    fn level(&mut self, _seq: Seq, _step: &LevelStep) {}
    /// Is told what became of clearing a latch.
    fn cleared(&mut self, _seq: Seq, _step: &ClearStep) {}
    /// Is told from time to time how far the session is.
    fn progress(&mut self, progress: &Progress, now: Nanos);
}

/// A control that lets the session run to the end of its data.
#[derive(Clone, Copy, Debug)]
pub struct ToTheEnd;

impl Control for ToTheEnd {
    fn stop(&mut self) -> bool {
        false
    }

    fn progress(&mut self, _: &Progress, _: Nanos) {}
}

/// What a session did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records of the input lane.
    pub inputs: u64,
    /// Events that entered the strategy stage.
    pub events: u64,
    /// Messages and faults of the source.
    pub progress: Progress,
    /// Records that say a message was not used.
    pub bad: u64,
    /// Verdicts.
    pub decisions: u64,
    /// Approvals.
    pub approvals: u64,
    /// Approvals that a cap cut.
    pub cuts: u64,
    /// Orders that left.
    pub orders: u64,
    /// Cancels that left.
    pub cancels: u64,
    /// Fills.
    pub fills: u64,
    /// Refusals by code, most frequent first.
    pub refusals: Vec<Refused>,
    /// The first latches that armed.
    pub latches: Vec<Latched>,
    /// How many latches armed.
    pub latch_count: u64,
    /// Firings that sent nothing: position open, enter pending, size unknown.
    pub ignored: u64,
    /// Equity at the first complete set of marks.
    pub equity_start: Option<Money>,
    /// Last known equity.
    pub equity_end: Money,
    /// The worst fall from a peak, as fall and peak.
    pub max_drawdown: (Money, Money),
    /// Fees in the reporting asset, those in kind valued at their fills.
    pub fees: Money,
    /// Funding in the reporting asset: received less paid.
    pub funding: Money,
    /// Compared and unequal best prices.
    pub book_checks: (u64, u64),
    /// Hash of all decisions.
    pub decisions_hash: String,
    /// First and last engine time.
    pub span: (Nanos, Nanos),
    /// How the session ended.
    pub end: EndReason,
}

/// How often a code refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code's name.
    pub code: String,
    /// Its rule as `file:line`; none for the engine's own checks.
    pub place: Option<String>,
    /// Refusals under it.
    pub count: u64,
}

/// A latch that armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latched {
    /// The code's name.
    pub code: String,
    /// Its rule as `file:line`.
    pub place: Option<String>,
    /// The instrument it is about, if it is about one.
    pub symbol: Option<String>,
    /// When, and at what equity.
    pub armed: Armed,
}

/// How often a control that does not call is asked and told: each so many messages.
const CONTROL_EVERY: u64 = 1_024;

/// Returns the identity of a repeatable run: from everything that it is made of.
#[must_use]
pub fn run_id(setup: &Setup, texts: &[RulesText]) -> RunId {
    // Where it is written down and which thread runs where is in the configuration's hash, and no
    // part of what the run is.
    let unnamed = Setup { run_id: String::new(), config: None, ..setup.clone() };
    let mut hasher = blake3::Hasher::new();
    hasher.update(serde_json::to_string(&unnamed).unwrap_or_default().as_bytes());
    hasher.update(program::hash(texts).as_bytes());
    let head = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    RunId(u128::from_le_bytes(head))
}

impl Session {
    /// Builds a session.
    ///
    /// # Errors
    /// [`SessionError`] when the setup or the rules do not make one.
    pub fn build(setup: Setup, checked: &Checked) -> Result<Self, SessionError> {
        if setup.instruments.len() > INSTRUMENTS_MAX {
            let (count, limit) = (setup.instruments.len(), INSTRUMENTS_MAX);
            return Err(SetupError::TooMany { what: "instruments", count, limit }.into());
        }
        let instruments = setup
            .instruments
            .iter()
            .map(crate::setup::InstrumentSetup::instrument)
            .collect::<Result<Vec<_>, _>>()?;
        crate::portfolio::rates::check(&setup, &instruments)?;
        crate::portfolio::strategy::check(&setup)?;
        crate::paper::till::check(&setup, &instruments)?;
        let bound = program::bind(checked, &setup, &instruments).map_err(Box::new)?;
        let (count, limit) = (Risk::latch_events_max(&bound), LATCH_EVENTS_MAX);
        if count > limit {
            let what = "events that the latches of all instruments may put out at once";
            return Err(SetupError::TooMany { what, count, limit }.into());
        }
        let mut bars = Bars::default();
        for instance in &bound.instances {
            let id = instance.instrument;
            let carries = at(&setup.instruments, id).map(|i| i.carries).unwrap_or_default();
            if let (Trigger::Bar(length), Some(facts)) =
                (instance.code.trigger(), at(&instruments, id))
                && carries.bar_ns != length
            {
                bars.want(id, length, facts);
            }
        }
        Ok(Self {
            measure: None,
            bars,
            preamble: Seq(u64::try_from(checked.sources.len()).unwrap_or(0).saturating_add(1)),
            texts: checked.sources.clone(),
            setup,
            instruments,
            bound,
            snapshot: None,
        })
    }

    /// Lets the session go on from a snapshot instead of beginning anew.
    ///
    /// # Errors
    /// [`SessionError::Snapshot`] when it is of other rules or of another program.
    pub fn go_on_from(self, snapshot: Snapshot) -> Result<Self, SessionError> {
        // The record that holds it stands behind the rule texts.
        let preamble = self.preamble.next();
        let session = Self { snapshot: Some(snapshot), preamble, ..self };
        session.ready_stations(Gate::off())?;
        session.ready_feed(Nanos(0))?;
        Ok(session)
    }

    /// Returns what the session goes on from; none where it begins anew.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Returns the feed stage with its simulated venue. Built anew for each run: a clone of one
    /// that is kept would not have its room, and take memory while the session runs.
    fn feed(&self) -> Feed {
        let Self { setup, instruments, .. } = self;
        let paper = Paper::of(setup, instruments);
        Feed::new(setup, instruments, self.bars.clone(), paper)
    }

    /// Returns feed as it stands before the first message that this run takes: at `start`, or at
    /// the snapshot.
    fn ready_feed(&self, start: Nanos) -> Result<Feed, SessionError> {
        let mut feed = self.feed();
        match &self.snapshot {
            Some(snapshot) => snapshot.restore_feed(&mut feed)?,
            None => feed.start_after(self.preamble(), Nanos(start.0.saturating_sub(1))),
        }
        Ok(feed)
    }

    /// Returns the stages as they stand before the first message that this run takes.
    ///
    /// # Errors
    /// [`SessionError::Snapshot`] when the snapshot is not of this session.
    pub fn ready_stations(&self, gate: Gate) -> Result<Stations, SessionError> {
        let mut stations = self.stations(gate);
        if let Some(snapshot) = &self.snapshot {
            snapshot.restore_stations(&mut stations)?;
        }
        Ok(stations)
    }

    /// Returns the level of the kill switch before the first message that this run takes.
    ///
    /// # Errors
    /// [`SessionError::Snapshot`] when the snapshot is not of this session.
    pub fn level(&self) -> Result<u8, SessionError> {
        Ok(self.ready_stations(Gate::off())?.risk.stage.level())
    }

    /// Returns the stages at their beginning, ready to be joined, each with its room; `gate` is
    /// what orders wait at.
    #[must_use]
    pub fn stations(&self, gate: Gate) -> Stations {
        let Self { setup, instruments, bound, .. } = self;
        let mut stations = Stations {
            meter: Meter::off(),
            strategy: Station::new(Strategy::new(setup, instruments, bound), Lane::Strategy),
            risk: Station::new(Risk::new(setup, instruments, bound), Lane::Risk),
            egress: Egress::new(Execution::new(), gate),
        };
        if let Some(measure) = &self.measure {
            stations.measure(measure);
        }
        stations
    }

    /// Returns how many records precede the stages, which is the seq of the last of them in a
    /// session that begins anew: metadata and rule texts have one each, and so has a snapshot.
    #[must_use]
    pub fn preamble(&self) -> Seq {
        self.preamble
    }

    /// Sets the seq of the last record before the stages start: for a replay under other rules,
    /// whose inputs keep the numbers of the journal.
    pub fn keep_preamble(&mut self, seq: Seq) {
        self.preamble = seq;
    }

    /// Runs the session from `start` on, until the source ends or the control stops it. `ending` is
    /// the reason to record at the end of the source; none ends without a record, as a killed
    /// session did.
    ///
    /// # Errors
    /// [`SessionError`] when a stage or the journal fails.
    pub fn run(
        &self,
        source: &mut dyn Source,
        mut pipeline: Pipeline,
        start: Nanos,
        ending: Option<EndReason>,
        control: &mut dyn Control,
    ) -> Result<(Summary, Finished), SessionError> {
        let mut feed = self.ready_feed(start)?;
        let mut driver = Driver::new(&mut feed, &mut pipeline);
        driver.pipeline.receive(None, false);
        driver.begin(self, start)?;
        let stopped = driver.follow(source, control)?;
        let reason = if stopped { control.reason() } else { ending };
        let failed = source.progress().failed;
        let reason = reason.map(|reason| match (reason, failed) {
            (EndReason::EndOfData, true) => EndReason::SourceFailed,
            (other, _) => other,
        });
        if let Some(reason) = reason {
            driver.wind_up(reason)?;
        }
        let progress = source.progress();
        control.progress(&progress, feed.now());
        let finished = pipeline.finish()?;
        let summary = self.summary(
            &feed,
            &finished.stations,
            progress,
            start,
            reason.unwrap_or(EndReason::SourceFailed),
        );
        Ok((summary, finished))
    }

    fn summary(
        &self,
        feed: &Feed,
        stations: &Stations,
        progress: Progress,
        start: Nanos,
        end: EndReason,
    ) -> Summary {
        let Stations { strategy, risk, egress, .. } = stations;
        let portfolio = risk.stage.portfolio();
        let verdicts = &risk.verdicts;
        let refused = |(code, count)| {
            let (name, place) = (self.bound.code_name(code), self.bound.code_place(code));
            Refused { code: name, place, count }
        };
        let mut refusals: Vec<Refused> = verdicts.refusals().map(refused).collect();
        refusals.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| (&a.code, &a.place).cmp(&(&b.code, &b.place)))
        });
        let latched = |armed: &Armed| Latched {
            code: self.bound.code_name(armed.code),
            place: self.bound.code_place(armed.code),
            symbol: at(&self.instruments, armed.instrument).map(|i| i.symbol.to_string()),
            armed: *armed,
        };
        let latches = risk.latches.armed().iter().map(latched).collect();
        let counts = feed.counts();
        Summary {
            inputs: counts.inputs,
            events: strategy.stage.events(),
            progress,
            bad: counts.bad,
            decisions: verdicts.decisions,
            approvals: verdicts.approvals,
            cuts: verdicts.cuts,
            orders: egress.orders,
            cancels: egress.cancels,
            fills: counts.fills,
            refusals,
            latches,
            latch_count: risk.latches.count(),
            ignored: strategy.stage.ignored(),
            equity_start: portfolio.measures().start(),
            equity_end: portfolio.measures().last(),
            max_drawdown: portfolio.measures().worst(),
            fees: portfolio.fees(),
            funding: portfolio.funding(),
            book_checks: feed.book_checks(),
            decisions_hash: decisions_hash(&strategy.digest, &risk.digest, &egress.station.digest),
            span: (start, feed.now()),
            end,
        }
    }

    /// Returns the instruments that a session trades, for people.
    #[must_use]
    pub fn traded_names(&self) -> Vec<String> {
        let traded = |index: &usize| self.setup.traded.contains(&instrument_id(*index).0);
        let indexes = (0..self.instruments.len()).filter(traded);
        indexes.filter_map(|i| self.instruments.get(i)).map(|i| i.symbol.to_string()).collect()
    }
}

/// Tells the control what an operator's order has come to.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver keeps two kinds of steps")]
fn tell(event: &Event, control: &mut dyn Control) {
    match event.body() {
        Body::LevelStep(step) => control.level(event.seq, &step),
        Body::ClearStep(step) => control.cleared(event.seq, &step),
        _ => {}
    }
}

/// The loop around feed and pipeline.
struct Driver<'a> {
    feed: &'a mut Feed,
    pipeline: &'a mut Pipeline,
    requests: Vec<Event>,
    message: Message,
    /// Messages taken from the source.
    taken: u64,
    /// What the kill switch has reached since the control was told. Each follows a command, which
    /// is no event of the market: it may take memory.
    steps: Vec<Event>,
}

impl<'a> Driver<'a> {
    fn new(feed: &'a mut Feed, pipeline: &'a mut Pipeline) -> Self {
        let requests = Vec::with_capacity(OUT_MAX);
        Self { feed, pipeline, requests, message: Message::default(), taken: 0, steps: Vec::new() }
    }

    /// Begins the session, unless it goes on from a snapshot: then its beginning is in that.
    fn begin(&mut self, session: &Session, start: Nanos) -> Result<(), SessionError> {
        if let Some(snapshot) = &session.snapshot {
            self.taken = snapshot.messages;
            return Ok(());
        }
        self.feed.begin(start);
        self.pass()
    }

    /// Passes feed's batch on and takes in what comes back, refusals included.
    fn pass(&mut self) -> Result<(), SessionError> {
        loop {
            self.pipeline.pass(self.feed.batch(), &mut self.requests)?;
            for request in &self.requests {
                self.feed.request(request);
                if matches!(request.kind(), Kind::LevelStep | Kind::ClearStep) {
                    self.steps.push(*request);
                }
            }
            if !self.feed.answer_refusal() {
                return Ok(());
            }
        }
    }

    /// Opens a new day if the next record lies in it.
    fn roll(&mut self, at: Nanos) -> Result<(), SessionError> {
        if self.feed.roll_before(at) { self.pass() } else { Ok(()) }
    }

    /// Follows the source to its end. Returns true when the control stopped it.
    fn follow(
        &mut self,
        source: &mut dyn Source,
        control: &mut dyn Control,
    ) -> Result<bool, SessionError> {
        let mut turns = 0_u64;
        while self.step(source)? {
            for event in self.steps.drain(..) {
                tell(&event, control);
            }
            turns = turns.wrapping_add(1);
            if turns.checked_rem(CONTROL_EVERY) == Some(0) || control.is_called() {
                control.progress(&source.progress(), self.feed.now());
                if control.stop() {
                    return Ok(true);
                }
                if self.pipeline.failed() {
                    return Err(SessionError::JournalLost);
                }
            }
        }
        Ok(false)
    }

    /// Does what comes next; false when nothing does.
    #[inline]
    fn step(&mut self, source: &mut dyn Source) -> Result<bool, SessionError> {
        let data = source.peek();
        if data.is_none() {
            return self.step_to_horizon(source);
        }
        let Some(next) = self.feed.next(data) else { return Ok(false) };
        if source.wait(next.at()) {
            return Ok(true);
        }
        self.turn(next, source)?;
        Ok(true)
    }

    /// Goes on to the moment at which a journaled session was stopped or killed: what came behind
    /// its last message was not in vain.
    fn step_to_horizon(&mut self, source: &mut dyn Source) -> Result<bool, SessionError> {
        let now = self.feed.now();
        let Some(horizon) = source.horizon().filter(|horizon| now < *horizon) else {
            return Ok(false);
        };
        let Some(next) = self.feed.next(None).filter(|next| next.at() <= horizon) else {
            // Only the day that the missing message was to open.
            self.roll(horizon)?;
            return Ok(false);
        };
        self.turn(next, source)?;
        Ok(true)
    }

    /// Does the one thing that comes next.
    fn turn(&mut self, next: Next, source: &mut dyn Source) -> Result<(), SessionError> {
        let tick = matches!(next, Next::Data(_));
        self.pipeline.receive(source.intended(), tick);
        // A day that opens takes the stamp that `next` was chosen by, so the choice is made again:
        // replay, which knows the later stamp only, then chooses the same.
        if self.feed.roll_before(next.at()) {
            return self.pass();
        }
        match next {
            Next::Data(_) => {
                if source.take(&mut self.message) {
                    // A session that goes on passes over what was taken of the market.
                    self.taken = self.taken.saturating_add(u64::from(!self.message.is_order()));
                    self.pipeline.parsed();
                    self.feed.ingest(&self.message);
                    self.pass()?;
                }
                Ok(())
            }
            Next::Bar(at) => {
                self.feed.close_bars(at);
                self.pass()
            }
            Next::Paper(at) => self.paper(at),
            Next::Timer(at) => {
                self.feed.fire_timer(at);
                self.pass()
            }
        }
    }

    fn paper(&mut self, at: Nanos) -> Result<(), SessionError> {
        if self.feed.advance_paper(at) { self.pass() } else { Ok(()) }
    }

    /// Ends the session: open orders are cancelled, and their outcomes awaited in event time.
    fn wind_up(&mut self, reason: EndReason) -> Result<(), SessionError> {
        self.pipeline.receive(None, false);
        self.feed.end(reason);
        self.pass()?;
        while let Some(at) = self.feed.paper_due() {
            self.pipeline.receive(None, false);
            self.roll(at)?;
            self.paper(at)?;
        }
        Ok(())
    }
}
