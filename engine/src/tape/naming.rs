//! Rules of two programs by their names: what other rules decide is compared by what rules are
//! called, since numbers count all rules of a program and its hash is of every letter.

use model::event::{
    Alert, Body, ClearStep, Decision, DecisionRules, Event, LatchChanged, OrderDone, Payload,
    Signal,
};
use model::reject::Code;

use crate::program::Rule;

/// Numbers of the journal's rules and of those in their place: one number for one name.
#[derive(Clone, Debug)]
pub struct Naming {
    /// By number in the journal.
    journaled: Vec<u16>,
    /// By number in the program that decides again.
    recomputed: Vec<u16>,
}

impl Naming {
    /// Returns the numbers of two rule tables. Two rules are one when they have the same code in
    /// blocks of the same name.
    #[must_use]
    pub fn new(journaled: &[Rule], recomputed: &[Rule]) -> Self {
        let number = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        let named = |rule: &Rule| {
            let known = journaled.iter().position(|known| {
                (known.kind, &known.block, &known.code) == (rule.kind, &rule.block, &rule.code)
            });
            known.map(number)
        };
        let others = (0_usize..).map(|nth| number(journaled.len().saturating_add(nth)));
        Self {
            journaled: (0..journaled.len()).map(number).collect(),
            recomputed: recomputed
                .iter()
                .zip(others)
                .map(|(rule, other)| named(rule).unwrap_or(other))
                .collect(),
        }
    }

    /// Returns a journaled event with the numbers of names.
    pub(super) fn journaled(&self, event: &Event) -> Event {
        renumbered(event, &self.journaled)
    }

    /// Returns a recomputed event with the numbers of names.
    pub(super) fn recomputed(&self, event: &Event) -> Event {
        renumbered(event, &self.recomputed)
    }
}

fn renumbered(event: &Event, numbers: &[u16]) -> Event {
    let number = |rule: u16| numbers.get(usize::from(rule)).copied().unwrap_or(rule);
    let code = |code: Code| code.rule_index().map_or(code, |rule| Code::rule(number(rule)));
    match event.body() {
        Body::Signal(signal) => with(event, &Signal { rule: number(signal.rule), ..signal }),
        Body::Decision(decision) => {
            with(event, &Decision { code: code(decision.code), ..decision })
        }
        Body::LatchChanged(changed) => {
            with(event, &LatchChanged { code: code(changed.code), ..changed })
        }
        Body::ClearStep(step) => with(event, &ClearStep { code: code(step.code), ..step }),
        Body::Alert(alert) => with(event, &Alert { code: code(alert.code), ..alert }),
        Body::OrderDone(done) => with(event, &OrderDone { code: code(done.code), ..done }),
        Body::DecisionRules(rules) => with(event, &spoken(&rules, number)),
        Body::Trade(_)
        | Body::Quote(_)
        | Body::BookLevel(_)
        | Body::BookClear(_)
        | Body::Bar(_)
        | Body::BarExtra(_)
        | Body::FeedState(_)
        | Body::BadInput(_)
        | Body::Timer(_)
        | Body::DayRoll(_)
        | Body::SessionStart(_)
        | Body::SessionEnd(_)
        | Body::AccountOpened(_)
        | Body::MarkPrice(_)
        | Body::Funding(_)
        | Body::FxRate(_)
        | Body::CashFlow(_)
        | Body::Command(_)
        | Body::Note(_)
        | Body::LatchCleared(_)
        | Body::LevelStep(_)
        | Body::Flatten(_)
        | Body::Liquidate(_)
        | Body::OrderAck(_)
        | Body::Fill(_)
        | Body::SignalTerms(_)
        | Body::RiskState(_)
        | Body::BalanceChanged(_)
        | Body::PositionChanged(_)
        | Body::Realised(_)
        | Body::Wake(_)
        | Body::CancelAll(_)
        | Body::OrderAsked(_)
        | Body::OrderIntent(_)
        | Body::CancelIntent(_)
        | Body::OrderSent(_)
        | Body::StopIntent(_)
        | Body::StopSent(_)
        | Body::CancelSent(_)
        | Body::Settled(_) => *event,
    }
}

fn with<P: Payload>(event: &Event, payload: &P) -> Event {
    Event::new(event.seq, event.ts, event.instrument, payload).with_flags(event.flags)
}

/// Returns the set of rules that spoke by the numbers of names. In place of the program's hash
/// stands how many of them have a number beyond the set: rules that the journal does not have.
fn spoken(rules: &DecisionRules, number: impl Fn(u16) -> u16) -> DecisionRules {
    let old = [rules.rules_0, rules.rules_1, rules.rules_2, rules.rules_3];
    let mut new = [0_u64; 4];
    let mut beyond = 0_u64;
    for rule in (0_u16..256).filter(|rule| {
        old.get(usize::from(rule >> 6)).is_some_and(|word| word >> (rule & 63) & 1 == 1)
    }) {
        let named = number(rule);
        match new.get_mut(usize::from(named >> 6)) {
            Some(word) => *word |= 1 << (named & 63),
            None => beyond = beyond.saturating_add(1),
        }
    }
    let [rules_0, rules_1, rules_2, rules_3] = new;
    DecisionRules { rules_0, rules_1, rules_2, rules_3, program: beyond }
}

#[cfg(test)]
mod tests {
    use model::id::{InstrumentId, Seq};
    use model::time::Nanos;

    use super::*;
    use crate::program::RuleKind;

    fn rules(names: &[(&str, &str)]) -> Vec<Rule> {
        let rule = |(block, code): &(&str, &str)| Rule {
            kind: RuleKind::Check,
            block: (*block).to_owned(),
            code: (*code).to_owned(),
            file: String::new(),
            line: 1,
        };
        names.iter().map(rule).collect()
    }

    fn event<P: Payload>(payload: &P) -> Event {
        Event::new(Seq(7), Nanos(8), InstrumentId(0), payload).with_flags(4)
    }

    #[test]
    fn rules_are_the_same_by_name_whatever_their_number() {
        let theirs = rules(&[("a", "FAR"), ("a", "NEAR"), ("b", "FAR")]);
        let ours = rules(&[("a", "NEW"), ("b", "FAR"), ("a", "FAR")]);
        let naming = Naming::new(&theirs, &ours);
        for (journaled, recomputed, same) in
            [(0, 2, true), (2, 1, true), (0, 1, false), (1, 0, false), (1, 2, false)]
        {
            let signal = |rule| event(&Signal { rule, ..Signal::default() });
            let verdict = |rule| event(&Decision { code: Code::rule(rule), ..Decision::default() });
            let set = |rule: u16, program| {
                event(&DecisionRules { rules_0: 1 << rule, program, ..DecisionRules::default() })
            };
            for (one, other) in [
                (signal(journaled), signal(recomputed)),
                (verdict(journaled), verdict(recomputed)),
                (set(journaled, 1), set(recomputed, 2)),
            ] {
                let equal = naming.journaled(&one) == naming.recomputed(&other);
                assert_eq!(equal, same, "{journaled} and {recomputed}: {one:?}");
            }
        }
        // The engine's own codes are those of every program.
        let built_in = event(&Decision { code: Code::NONE, ..Decision::default() });
        assert_eq!(naming.recomputed(&built_in), built_in);
    }
}
