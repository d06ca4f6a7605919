//! What an order's verdict was made of: the facts as the risk stage reads them at its signal.

use dsl::evaluate::{Facts, Input, Part, TermsCode};
use dsl::schema::Field;
use dsl::value::Value;
use model::event::{Event, Signal, SignalTerms};
use model::id::AssetId;

use super::Risk;
use super::facts::RiskFacts;
use crate::portfolio::at;
use crate::stage::Out;

/// A fact at a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The number, or the numerator of a ratio.
    pub over: Value,
    /// The denominator of a ratio; the number again where there is none.
    pub under: Value,
}

/// What is to be read at a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Facts.
    pub fields: &'a [(Field, Option<AssetId>)],
    /// Expressions of a block, and which block that is.
    pub terms: Option<(usize, &'a TermsCode)>,
}

/// What was read, in the order in which it was asked for; nothing where there was no order.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Facts.
    pub fields: Vec<Read>,
    /// Expressions, each with its decimals.
    pub terms: Vec<(Value, u8)>,
}

impl Risk {
    /// Reads facts and expressions as they are when a signal is judged; `capped`, on the quantity
    /// that the caps leave. The stage must be as it was before that signal; it is left as it is.
    #[must_use]
    pub fn read_at(
        &self,
        event: &Event,
        signal: &Signal,
        capped: bool,
        wanted: &Wanted<'_>,
    ) -> Found {
        // What judging it would change stays in a copy.
        let mut risk = self.clone();
        let id = event.instrument;
        risk.now = event.ts;
        risk.changed(event, &mut Out::new());
        // As the stage takes a signal: with its terms, and at the size that they come to.
        let terms = risk.terms.take();
        let own = |of: &SignalTerms| (of.strategy, of.ordinal) == (signal.strategy, signal.ordinal);
        let terms = terms.filter(own);
        let resolved = risk.resolved(event, signal, terms.as_ref());
        let order = resolved.as_ref().unwrap_or(signal);
        let Some(mut judgement) = risk.begin(event, order) else { return Found::default() };
        judgement.order.stop = terms.filter(|terms| terms.stopped).map(|terms| terms.stop);
        if capped {
            risk.judge_caps(id, &mut judgement);
        }
        let (Some(instrument), Some(market)) = (at(&risk.instruments, id), at(&risk.markets, id))
        else {
            return Found::default();
        };
        let order = Some(&judgement.order);
        let (portfolio, view) = (&risk.portfolio, risk.view());
        let world = (portfolio, view, &risk.outside);
        let mut facts = RiskFacts::new(world, (id, instrument, market), order);
        let read = |field, asset, part| facts.read(&Input { field, part, asset });
        let facts_read = wanted.fields.iter().map(|(field, asset)| Read {
            over: read(*field, *asset, Part::Over),
            under: read(*field, *asset, Part::Under),
        });
        let fields = facts_read.collect();
        let Some((block, code)) = wanted.terms else { return Found { fields, terms: Vec::new() } };
        facts.memory = risk.memories.of(block);
        Found { fields, terms: code.read(&facts) }
    }
}
