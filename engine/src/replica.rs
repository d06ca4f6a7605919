//! A replica: the stages that decide, computed again from a journal, also while it is written.
//!
//! ```text
//! session  ==inputs==> strategy --> risk --> execution ==> journal
//!                                                             |  inputs only
//! replica                        strategy --> risk  <=========+
//! ```
//!
//! It reads the input lane and shares nothing with the session but its files, so it never slows
//! the one that trades, and goes on where that one was killed. Decisions being pure functions of
//! inputs, its state after an input is the session's own: a screen shows it, and a test compares
//! it with what a resumed session goes on from.

use std::path::Path;

use model::codec::{Image, ImageWriter};
use model::event::{Body, Event, Lane};
use model::id::{InstrumentId, Seq};
use model::num::{Money, Rounding, mul_div};
use model::order::FeedStatus;
use model::reject::Code;
use model::time::Nanos;

use crate::market::Market;
use crate::portfolio::instrument_id;
use crate::portfolio::measure::Share;
use crate::portfolio::open::OpenOrder;
use crate::portfolio::position::Position;
use crate::recorder::Gate;
use crate::replay::{Origin, ReplayError};
use crate::risk::Risk;
use crate::session::Session;
use crate::stage::{Out, Stage};
use crate::station::Stations;
use crate::strategy::Strategy;
use crate::tally::VerdictCounts;
use crate::tape::JournaledEvents;

/// The stages, as far as a journal has been read.
#[derive(Debug)]
pub struct Replica {
    session: Session,
    strategy: Strategy,
    risk: Risk,
    inputs: JournaledEvents,
    /// An input that was read and is to come next.
    next: Option<Event>,
    signals: Out,
    verdicts: Out,
    seq: Seq,
    ts: Nanos,
    seen: Seen,
}

/// What was counted on the way.
#[derive(Debug, Default)]
struct Seen {
    verdicts: VerdictCounts,
    fills: u64,
    ended: bool,
}

/// What is held of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The position.
    pub position: Position,
    /// What it has gained since it was opened, in the quote asset; none without a mark.
    pub unrealised: Option<Money>,
}

/// The state of a session at a glance.
#[derive(Clone, Debug)]
pub struct Glance {
    /// Seq of the last input.
    pub seq: Seq,
    /// Its engine time.
    pub ts: Nanos,
    /// Equity; none while something held has no mark.
    pub equity: Option<Money>,
    /// Equity at the opening of the session; none before the first mark.
    pub start: Option<Money>,
    /// Fall from the day's highest equity, as fall and base.
    pub day_drawdown: Share,
    /// Exposure, open orders in; none while a mark is missing.
    pub exposure: Option<Money>,
    /// What is held, by instrument.
    pub holdings: Vec<Holding>,
    /// Open orders, by number.
    pub orders: Vec<OpenOrder>,
    /// Latches that are armed, each with its instrument.
    pub latches: Vec<(Code, InstrumentId)>,
    /// State of each instrument's feed.
    pub feeds: Vec<FeedStatus>,
    /// Verdicts, approvals among them, and approvals that a cap cut.
    pub verdicts: [u64; 3],
    /// Refusals by code, most frequent first.
    pub refusals: Vec<(Code, u64)>,
    /// Fills.
    pub fills: u64,
    /// True once the session has ended in order.
    pub ended: bool,
}

impl Replica {
    /// Begins to follow a journal, at its session's beginning or at the snapshot that it goes on
    /// from; `None` while the journal does not say so much yet.
    ///
    /// # Errors
    /// [`ReplayError`] when there is no journal, or none that this program can compute.
    pub fn open(dir: &Path) -> Result<Option<Self>, ReplayError> {
        let origin = Origin::begin(dir)?;
        if origin.start == Nanos(0) && origin.snapshot.is_none() {
            return Ok(None);
        }
        let session = origin.session()?;
        let Stations { strategy, risk, .. } = session.ready_stations(Gate::off())?;
        let (seq, ts) = session.snapshot().map_or((Seq(0), Nanos(0)), |from| (from.seq, from.ts));
        Ok(Some(Self {
            strategy: strategy.stage,
            risk: risk.stage,
            inputs: JournaledEvents::open(dir, Lane::Input)?,
            next: None,
            signals: Out::new(),
            verdicts: Out::new(),
            seq,
            ts,
            seen: Seen::default(),
            session,
        }))
    }

    /// Returns the session that is followed.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Takes all inputs that the journal holds by now, up to one with this seq, and shows `see`
    /// each with the signals and verdicts that follow of it.
    ///
    /// # Errors
    /// [`ReplayError`] when the journal is damaged.
    pub fn follow(&mut self, upto: Seq, mut see: impl FnMut(&Event)) -> Result<(), ReplayError> {
        loop {
            let input = match self.next.take() {
                Some(input) => input,
                None => match self.inputs.advance()? {
                    Some(input) => input,
                    None => return Ok(()),
                },
            };
            if input.seq > upto {
                self.next = Some(input);
                return Ok(());
            }
            self.step(&input, &mut see);
        }
    }

    fn step(&mut self, input: &Event, see: &mut impl FnMut(&Event)) {
        let Self { strategy, risk, signals, verdicts, seen, .. } = self;
        (self.seq, self.ts) = (input.seq, input.ts);
        see(input);
        seen.input(input);
        signals.clear();
        strategy.step(input, signals);
        for event in signals.events() {
            if event.kind().lane() == Lane::Strategy {
                see(event);
            }
            verdicts.clear();
            risk.step(event, verdicts);
            for event in verdicts.events().iter().filter(|e| e.kind().lane() == Lane::Risk) {
                seen.verdicts.add(event);
                see(event);
            }
        }
    }

    /// Returns the state of the stages as bytes: equal ones decide alike from here on.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut out = ImageWriter::default();
        self.strategy.save(&mut out);
        self.risk.save(&mut out);
        out.finish()
    }

    /// Lets counts begin anew, which are no part of what is decided: as a resumed session does.
    pub fn count_anew(&mut self) {
        self.strategy.count_anew();
    }

    /// Returns the state at a glance.
    #[must_use]
    pub fn glance(&self) -> Glance {
        let Self { session, risk, seen, .. } = self;
        let (portfolio, view) = (risk.portfolio(), risk.view());
        let measures = portfolio.measures();
        let mut holdings = Vec::new();
        for (index, instrument) in session.instruments.iter().enumerate() {
            let id = instrument_id(index);
            let position = portfolio.position(id);
            if position.is_flat() {
                continue;
            }
            let mark = view.markets.get(index).and_then(|market| market.mark(view.now));
            let unit = 10_i128.checked_pow(u32::from(instrument.mark_decimals()));
            let worth = mark
                .zip(unit)
                .and_then(|(mark, unit)| mul_div(position.qty.0, mark, unit, Rounding::Floor));
            let unrealised = worth.map(|w| Money(w.saturating_sub(position.signed_basis().0)));
            holdings.push(Holding { instrument: id, position, unrealised });
        }
        let mut refusals: Vec<_> = seen.verdicts.refusals().collect();
        refusals.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), code.0));
        let VerdictCounts { decisions, approvals, cuts, .. } = seen.verdicts;
        Glance {
            seq: self.seq,
            ts: self.ts,
            equity: portfolio.equity(&view),
            start: measures.start(),
            day_drawdown: measures.day_drawdown(),
            exposure: portfolio.exposure(None, &view),
            holdings,
            orders: portfolio.open().iter().copied().collect(),
            latches: risk.armed().collect(),
            feeds: view.markets.iter().map(Market::feed).collect(),
            verdicts: [decisions, approvals, cuts],
            refusals,
            fills: seen.fills,
            ended: seen.ended,
        }
    }
}

impl Seen {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are not counted")]
    fn input(&mut self, event: &Event) {
        match event.body() {
            Body::Fill(_) => self.fills = self.fills.saturating_add(1),
            Body::SessionEnd(_) => self.ended = true,
            _ => {}
        }
    }
}
