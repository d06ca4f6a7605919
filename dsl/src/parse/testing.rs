//! From pairs of the grammar to the statements of `test` items.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 190 rules; each match picks those of one place"
)]

use pest::iterators::Pair;

use crate::ast::{Again, Bars, Expect, Name, TestKind, TestStatement};

use crate::limits::TIMES_MAX;

use super::build::Builder;
use super::grammar::Rule;

impl Builder<'_, '_> {
    /// Builds a statement of a test.
    pub(super) fn test_statement(&mut self, pair: Pair<'_, Rule>) -> Option<TestStatement> {
        let inner = pair.into_inner().find(|inner| inner.as_rule() != Rule::doc)?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            Rule::given => self.given(inner)?,
            Rule::feed => self.feed(inner)?,
            Rule::submit | Rule::filled => self.order_of_test(inner)?,
            Rule::advance => {
                let length = inner.into_inner().find(|part| part.as_rule() == Rule::duration)?;
                TestKind::Advance(self.duration(&length)?.value)
            }
            Rule::expect => TestKind::Expect(self.expect(inner.into_inner().nth(1)?)?),
            _ => return None,
        };
        Some(TestStatement { kind, span })
    }

    fn given(&mut self, pair: Pair<'_, Rule>) -> Option<TestKind> {
        let mut group = None;
        let mut of = None;
        let mut field = None;
        let mut facts = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::given_symbol | Rule::given_plain | Rule::k_strategy => {
                    group = Some(self.name(&inner));
                }
                Rule::symbol | Rule::ident => of = Some(self.name(&inner)),
                Rule::word => field = Some(self.name(&inner)),
                Rule::expr => facts.push((field.take()?, self.expr(inner)?)),
                _ => {}
            }
        }
        Some(TestKind::Given { group: group?, of, facts })
    }

    fn feed(&mut self, pair: Pair<'_, Rule>) -> Option<TestKind> {
        let mut all = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::string => return Some(TestKind::FeedFile(self.name(&inner))),
                Rule::bars => all.push(self.bars(inner)?),
                _ => {}
            }
        }
        Some(TestKind::FeedBars(all))
    }

    fn bars(&mut self, pair: Pair<'_, Rule>) -> Option<Bars> {
        let mut numbers = Vec::new();
        let mut volume = None;
        let mut times = None;
        let mut is_volume = false;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::k_volume => is_volume = true,
                Rule::number if is_volume => volume = Some(self.name(&inner)),
                Rule::number => numbers.push(self.name(&inner)),
                Rule::integer => times = Some(self.integer(&inner)?),
                _ => {}
            }
        }
        let mut numbers = numbers.into_iter();
        Some(Bars { from: numbers.next()?, to: numbers.next(), volume, times })
    }

    fn order_of_test(&mut self, pair: Pair<'_, Rule>) -> Option<TestKind> {
        let is_submit = pair.as_rule() == Rule::submit;
        let mut buy = false;
        let mut symbol = None;
        let mut qty = None;
        let mut price: Option<Name> = None;
        let mut stop = None;
        let mut is_stop = false;
        let mut again = Again { times: 1, every_ns: 0 };
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::bs => buy = inner.as_str() == "buy",
                Rule::symbol => symbol = Some(self.name(&inner)),
                Rule::k_stop => is_stop = true,
                Rule::again => again = self.again(inner)?,
                Rule::number if qty.is_none() => qty = Some(self.name(&inner)),
                Rule::number if is_stop => stop = Some(self.name(&inner)),
                Rule::number => price = Some(self.name(&inner)),
                _ => {}
            }
        }
        let (qty, symbol) = (qty?, symbol?);
        if is_submit {
            return Some(TestKind::Submit { buy, qty, symbol, price, stop, again });
        }
        Some(TestKind::Filled { buy, qty, symbol, price: price?, again })
    }

    /// `times n every d`, at most [`TIMES_MAX`] times.
    fn again(&mut self, pair: Pair<'_, Rule>) -> Option<Again> {
        let mut again = Again { times: 1, every_ns: 0 };
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::integer => again.times = self.integer(&inner)?,
                Rule::duration => again.every_ns = self.duration(&inner)?.value,
                _ => {}
            }
        }
        again.times = again.times.min(TIMES_MAX);
        Some(again)
    }

    fn expect(&mut self, pair: Pair<'_, Rule>) -> Option<Expect> {
        let rule = pair.as_rule();
        let mut code = None;
        let mut word = None;
        let mut first = None;
        let mut second = None;
        let mut bars = None;
        let mut long = false;
        let mut is_ask = false;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::code => code = Some(self.name(&inner)),
                Rule::word => word = Some(self.name(&inner)),
                Rule::side_ => long = inner.as_str() == "long",
                Rule::k_ask => is_ask = true,
                Rule::number if is_ask => second = Some(self.name(&inner)),
                Rule::number => first = Some(self.name(&inner)),
                Rule::integer => bars = Some(self.integer(&inner)?),
                _ => {}
            }
        }
        Some(match rule {
            Rule::x_deny => Expect::Deny(code?),
            Rule::x_approve => Expect::Approve { qty: first, with: code },
            Rule::x_state => Expect::State(word?),
            Rule::x_none => Expect::NoSignal,
            Rule::x_signal => Expect::Signal { long, code: code?, at: bars },
            Rule::x_quote => Expect::Quote { code: code?, bid: first, ask: second },
            _ => return None,
        })
    }
}
