//! Refusals explained: each with the rule that spoke, the two values that it compared, and the
//! terms that they were made of.
//!
//! A journal holds verdicts and no facts. So the strategy and risk stages are run again over its
//! inputs; before each signal is judged, what its rule reads is read. Every verdict is compared
//! with the journaled one, so an explanation is of what was decided, or there is none.

use std::path::Path;

use dsl::schema::{Field, Type};
use dsl::span::{Source, Span};
use dsl::typed::{AssetArg, Expr, ExprKind, Let, Measure, Param, Program, RiskBlock};
use dsl::value::Value;
use model::decimal::format_trimmed;
use model::event::{Body, Decision, Event, Kind, Lane, Signal};
use model::id::{AssetId, OrderNo};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Rounding, mul_div};
use model::order::Verdict;
use model::reject::{Code, Reject};
use model::time::Nanos;

use crate::portfolio::{asset_id, at};
use crate::program::{self, Rule};
use crate::recorder::Gate;
use crate::replay::{Origin, ReplayError};
use crate::risk::Risk;
use crate::risk::explain::Read;
use crate::session::{Session, SessionError};
use crate::stage::{Out, Stage};
use crate::strategy::Strategy;
use crate::tape::{JournaledEvents, TapeError, difference};

/// A refusal, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict's record.
    pub event: Event,
    /// What it decided.
    pub decision: Decision,
    /// What was asked for.
    pub signal: Signal,
    /// The order that did not come to be.
    pub order: OrderNo,
    /// The strategy that asked.
    pub strategy: String,
    /// The rule's code, or the engine's own.
    pub code: String,
    /// The rule; none for the engine's own checks.
    pub rule: Option<Rule>,
    /// The rule's condition or bound as written; for the engine's own, what it means.
    pub condition: String,
    /// What it was made of, in the order in which it is read.
    pub terms: Vec<Term>,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As the rule calls it.
    pub name: String,
    /// Its value, with its unit; for a name, what it stands for.
    pub value: String,
}

/// Why a journal's refusals cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The journal cannot be read or does not describe a session.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A verdict that is computed again is not the journaled one.
    #[error(
        "the verdict of seq {seq} is another one when it is computed again ({field}): nothing is \
         explained from here on; see `engine replay`"
    )]
    Differs {
        /// Its seq.
        seq: u64,
        /// The first field that differs.
        field: String,
    },
}

impl From<SessionError> for ExplainError {
    fn from(error: SessionError) -> Self {
        Self::Replay(error.into())
    }
}

impl From<TapeError> for ExplainError {
    fn from(error: TapeError) -> Self {
        Self::Replay(error.into())
    }
}

/// Explains the refusals of a journal, in order, as long as `see` returns true.
///
/// # Errors
/// [`ExplainError`] when the journal cannot be read, or decided something else.
pub fn explain(
    dir: &Path,
    wanted: impl Fn(Nanos, Code) -> bool,
    mut see: impl FnMut(&Explanation) -> bool,
) -> Result<(), ExplainError> {
    let origin = Origin::read(dir)?;
    let session = origin.session()?;
    let checked =
        program::load(session.texts.clone()).map_err(Box::new).map_err(ReplayError::from)?;
    let stations = session.ready_stations(Gate::off())?;
    let mut reading = Reading {
        session: &session,
        program: &checked.program,
        strategy: stations.strategy.stage,
        risk: stations.risk.stage,
        verdicts: JournaledEvents::open(dir, Lane::Risk).map_err(ReplayError::from)?,
        out: Out::new(),
    };
    let mut inputs = JournaledEvents::open(dir, Lane::Input).map_err(ReplayError::from)?;
    let mut signals = Out::new();
    while let Some(input) = inputs.advance()? {
        signals.clear();
        reading.strategy.step(&input, &mut signals);
        for event in signals.events() {
            let Some((decision, before)) = reading.step(event)? else { continue };
            let Body::Decision(verdict) = decision.body() else { continue };
            let Body::Signal(signal) = event.body() else { continue };
            if verdict.verdict == Verdict::Deny && wanted(decision.ts, verdict.code) {
                let explanation = reading.explanation(&before, event, signal, decision, verdict);
                if !see(&explanation) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The stages as they are run again.
struct Reading<'a> {
    session: &'a Session,
    program: &'a Program,
    strategy: Strategy,
    risk: Risk,
    verdicts: JournaledEvents,
    out: Out,
}

impl Reading<'_> {
    /// Advances risk; of a signal that was judged, returns the verdict and risk before it.
    fn step(&mut self, event: &Event) -> Result<Option<(Event, Box<Risk>)>, ExplainError> {
        let before = (event.kind() == Kind::Signal).then(|| Box::new(self.risk.clone()));
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        self.risk.step(event, &mut out);
        let mut first = None;
        for decision in out.events().iter().filter(|event| event.kind() == Kind::Decision) {
            // The journal may end before what would have followed: there is nothing to explain.
            let Some(journaled) = self.journaled()? else { return Ok(None) };
            if journaled != *decision {
                let field = difference(&journaled, decision).field;
                return Err(ExplainError::Differs { seq: decision.seq.0, field });
            }
            first = first.or(Some(*decision));
        }
        self.out = out;
        Ok(first.zip(before))
    }

    /// Returns the journal's next verdict.
    fn journaled(&mut self) -> Result<Option<Event>, ExplainError> {
        while let Some(event) = self.verdicts.advance()? {
            if event.kind() == Kind::Decision {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn explanation(
        &self,
        before: &Risk,
        event: &Event,
        signal: Signal,
        decision: Event,
        verdict: Decision,
    ) -> Explanation {
        let bound = &self.session.bound;
        let rule = verdict.code.rule_index().and_then(|i| bound.rules.get(usize::from(i))).cloned();
        let mut asked = Asked::new(self, event);
        let mut condition = String::new();
        let mut capped = true;
        match &rule {
            Some(rule) => {
                if let Some(found) = self.program.risk.iter().find(|b| b.name == rule.block) {
                    // What a cap measures is the order as it was asked for.
                    capped = !found.caps.iter().any(|cap| cap.rule.code == rule.code);
                    condition = asked.rule(found, &rule.code);
                }
            }
            None => condition = asked.built_in(verdict.code),
        }
        let wanted: Vec<_> =
            asked.fields.iter().map(|(_, field, asset)| (*field, *asset)).collect();
        let read = before.read_at(event, &signal, capped, &wanted);
        let terms = asked.terms(&read);
        let strategies = &bound.strategies;
        let strategy = strategies.get(usize::from(signal.strategy.0)).cloned().unwrap_or_default();
        Explanation {
            event: decision,
            decision: verdict,
            signal,
            order: OrderNo::new(event.seq, signal.ordinal),
            strategy,
            code: bound.code_name(verdict.code),
            rule,
            condition,
            terms,
        }
    }
}

/// What is asked of the facts for one explanation.
struct Asked<'a> {
    sources: &'a [Source],
    assets: &'a [String],
    reporting: &'a str,
    instrument: Option<&'a Instrument>,
    terms: Vec<Option<Term>>,
    /// The place of each field among the terms.
    fields: Vec<(usize, Field, Option<AssetId>)>,
}

impl<'a> Asked<'a> {
    fn new(reading: &'a Reading<'_>, event: &Event) -> Self {
        let session = reading.session;
        Self {
            sources: &session.texts,
            assets: &session.setup.assets,
            reporting: &session.setup.reporting,
            instrument: at(&session.instruments, event.instrument),
            terms: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Returns a piece of a text on one line.
    fn text(&self, span: Span) -> String {
        let range = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
        let source = self.sources.get(usize::from(span.source));
        let piece = range.and_then(|(from, to)| source?.text.get(from..to)).unwrap_or_default();
        piece.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asks for all that a rule of a block reads, and returns its condition as written.
    fn rule(&mut self, block: &RiskBlock, code: &str) -> String {
        let latches = block.latches.iter().map(|rule| (&rule.rule, &rule.when, None, &rule.unless));
        let caps = block.caps.iter();
        let caps = caps.map(|rule| (&rule.rule, &rule.bound, rule.when.as_ref(), &rule.unless));
        let checks =
            block.checks.iter().map(|rule| (&rule.rule, &rule.condition, None, &rule.unless));
        let found = latches.chain(caps).chain(checks).find(|(name, ..)| name.code == code);
        let Some((_, condition, when, unless)) = found else { return String::new() };
        for expr in [Some(condition), when, unless.as_ref()].into_iter().flatten() {
            self.walk(expr, block);
        }
        if let Some(cap) = block.caps.iter().find(|cap| cap.rule.code == code) {
            // What is compared with the bound.
            let measured = match cap.measure {
                Measure::Qty => Field::OrderQty,
                Measure::Notional => Field::OrderNotional,
                Measure::Value => Field::OrderValue,
                Measure::Risk => Field::OrderRisk,
            };
            self.field(measured, None);
        }
        let mut text = self.text(condition.span);
        for (word, expr) in [("when", when), ("unless", unless.as_ref())] {
            if let Some(expr) = expr {
                text.push_str(&format!(" {word} {}", self.text(expr.span)));
            }
        }
        text
    }

    /// Asks for what an expression reads; names stand before what they are made of. A name is one
    /// of an earlier expression, so this ends.
    fn walk(&mut self, expr: &Expr, block: &RiskBlock) {
        match &expr.kind {
            ExprKind::Field(field, asset) => self.field(*field, asset.as_ref()),
            ExprKind::Param(index) => {
                if let Some(param) = block.params.get(*index) {
                    let value = self.param(param);
                    self.term(&param.name, value);
                }
            }
            ExprKind::Let(index) => {
                if let Some(Let { name, value, .. }) = block.lets.get(*index)
                    && self.term(name, self.text(value.span))
                {
                    self.walk(value, block);
                }
            }
            ExprKind::Neg(one) | ExprKind::Not(one) | ExprKind::IsNa(one) => self.walk(one, block),
            ExprKind::Arith(_, one, other)
            | ExprKind::Compare(_, one, other)
            | ExprKind::And(one, other)
            | ExprKind::Or(one, other)
            | ExprKind::Default(one, other) => {
                self.walk(one, block);
                self.walk(other, block);
            }
            ExprKind::If(one, two, three) => {
                for expr in [one, two, three] {
                    self.walk(expr, block);
                }
            }
            ExprKind::Call(_, all) => all.iter().for_each(|expr| self.walk(expr, block)),
            ExprKind::Number { .. }
            | ExprKind::Ticks(_)
            | ExprKind::Lots(_)
            | ExprKind::Bool(_)
            | ExprKind::Na
            | ExprKind::Word(_)
            | ExprKind::Series(_)
            | ExprKind::State(_)
            | ExprKind::Window(_)
            | ExprKind::Depth(_) => {}
        }
    }

    /// Adds a term unless it is there; true if it was not.
    fn term(&mut self, name: &str, value: String) -> bool {
        let known = self.terms.iter().flatten().any(|term| term.name == name);
        if !known {
            self.terms.push(Some(Term { name: name.to_owned(), value }));
        }
        !known
    }

    /// Returns a parameter's value as written, for the instrument at hand.
    fn param(&self, param: &Param) -> String {
        let own = self.instrument.and_then(|instrument| {
            param.table.iter().find(|(symbol, _)| symbol.fits(&instrument.symbol))
        });
        self.text(own.map_or(param.value.span, |(_, value)| value.span))
    }

    fn field(&mut self, field: Field, asset: Option<&AssetArg>) {
        let asset = match asset {
            Some(AssetArg::Named(name)) => Some(asset_id(self.assets, name)),
            Some(AssetArg::Pays) | None => None,
        };
        if self.fields.iter().any(|(_, known, of)| (*known, *of) == (field, asset)) {
            return;
        }
        self.fields.push((self.terms.len(), field, asset));
        self.terms.push(None);
    }

    /// Asks for what one of the engine's own checks compares, and returns what it means.
    fn built_in(&mut self, code: Code) -> String {
        let known = model::reject::REJECTS.iter().find(|(reject, ..)| Code::from(*reject) == code);
        let Some((reject, _, meaning)) = known else { return String::new() };
        let fields: &[Field] = match reject {
            Reject::NoPrice => &[Field::OrderPrice, Field::MarketMark, Field::FeedState],
            Reject::OffTick => &[Field::OrderPrice],
            Reject::OffLot | Reject::BelowMinQty | Reject::AboveMaxQty => &[Field::OrderQty],
            Reject::BelowMinNotional => &[Field::OrderQty, Field::OrderPrice, Field::OrderNotional],
            Reject::NoBalance => &[Field::OrderLocks, Field::AccountFree, Field::AccountLocked],
            Reject::Warmup | Reject::NoCapital | Reject::Liquidated | Reject::Doubtful => {
                &[Field::AccountEquity]
            }
            Reject::Leverage => &[Field::OrderValue, Field::AccountEquity, Field::AccountExposure],
            Reject::CapRecheck => &[Field::OrderQty, Field::OrderValue],
            Reject::ReduceOnly => &[Field::OrderQty, Field::PositionQty, Field::OrderReduces],
            Reject::PostOnly => &[Field::OrderPrice, Field::BookBid, Field::BookAsk],
            Reject::TooManyOpen | Reject::Overflow | Reject::Closing | Reject::Unbooked => &[],
        };
        for field in fields {
            self.field(*field, None);
        }
        (*meaning).to_owned()
    }

    /// Puts the facts into their places.
    fn terms(mut self, read: &[Read]) -> Vec<Term> {
        for ((place, field, asset), read) in self.fields.iter().zip(read) {
            let info = field.info();
            let name = match (info.ty, asset) {
                (Type::Named, None) => format!("{}(order.pays)", info.name),
                (Type::Named, Some(asset)) => format!("{}({})", info.name, self.asset(*asset)),
                _ => info.name.to_owned(),
            };
            let value = self.shown(info.ty, read);
            if let Some(slot) = self.terms.get_mut(*place) {
                *slot = Some(Term { name, value });
            }
        }
        self.terms.into_iter().flatten().collect()
    }

    fn asset(&self, asset: AssetId) -> &str {
        self.assets.get(usize::from(asset.0)).map_or("", String::as_str)
    }

    /// Returns a value with its unit, as rules write it.
    fn shown(&self, ty: Type, read: &Read) -> String {
        let Some(number) = read.over.number() else { return unknown(read.over) };
        let decimals = |decimals| format_trimmed(number, decimals);
        let price = self.instrument.map_or(0, |i| i.price_scale.decimals());
        match ty {
            Type::Int => number.to_string(),
            Type::Bool => (number != 0).to_string(),
            Type::Price => decimals(price),
            Type::Mark => decimals(price.saturating_add(1)),
            Type::Qty => decimals(self.instrument.map_or(0, |i| i.qty_scale.decimals())),
            Type::Share => match ratio(number, read.under, 100_000_000) {
                // A share in percent with six decimals.
                Some(share) => format!("{}%", format_trimmed(share, 6)),
                None => unknown(read.under),
            },
            Type::PriceRatio => match ratio(number, read.under, 1_000_000_000) {
                Some(price) => format_trimmed(price, MONEY_SCALE),
                None => unknown(read.under),
            },
            Type::Reporting => format!("{} {}", decimals(MONEY_SCALE), self.reporting),
            Type::Quote => {
                let quote = self.instrument.map_or("", |i| i.symbol.quote.as_str());
                format!("{} {quote}", decimals(MONEY_SCALE))
            }
            // The asset stands in the name.
            Type::Pays | Type::Named => decimals(MONEY_SCALE),
            Type::Asset => String::new(),
            Type::Duration => format!("{}s", decimals(MONEY_SCALE)),
            Type::Time => Nanos(i64::try_from(number).unwrap_or(i64::MAX)).to_string(),
            Type::Word(words) => {
                let word = usize::try_from(number).ok().and_then(|index| words.get(index));
                (*word.unwrap_or(&"")).to_owned()
            }
        }
    }
}

/// Returns a ratio in units of one over `parts`, rounded down.
fn ratio(over: i128, under: Value, parts: i128) -> Option<i128> {
    mul_div(over, parts, under.number().filter(|under| *under != 0)?, Rounding::Floor)
}

fn unknown(value: Value) -> String {
    format!("unknown ({:?})", value.cause())
}
