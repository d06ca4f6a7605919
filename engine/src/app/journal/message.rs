//! The message of a rule, filled in from what is journaled: the two sides that the rule compared,
//! and parameters. What else a message names was not journaled, and stays in its brackets.

use dsl::span::{Source, Span};
use dsl::typed::{Expr, ExprKind, Let, Param, Program, RiskBlock, RuleName};

/// A message taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Observed,
    Limit,
}

impl Template {
    /// Returns the message with the sides of one record.
    pub(super) fn fill(&self, observed: &str, limit: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Observed => observed.to_owned(),
            Piece::Limit => limit.to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }
}

/// Returns the messages of the risk rules, in the order of the rule table.
pub(super) fn templates(program: &Program, sources: &[Source]) -> Vec<Option<Template>> {
    let mut all = Vec::new();
    for block in &program.risk {
        let of =
            |rule: &RuleName, sides: Option<(Span, Span)>| template(rule, sides, block, sources);
        all.extend(block.latches.iter().map(|one| of(&one.rule, sides(&one.when, &block.lets))));
        all.extend(block.caps.iter().map(|one| of(&one.rule, None)));
        all.extend(
            block.checks.iter().map(|one| of(&one.rule, sides(&one.condition, &block.lets))),
        );
        let rates = block.cooldowns.len().saturating_add(block.throttles.len());
        all.extend(std::iter::repeat_n((), rates).map(|()| None));
    }
    all
}

/// Returns where the sides of a comparison stand; a name stands for its comparison.
fn sides(condition: &Expr, lets: &[Let]) -> Option<(Span, Span)> {
    if let ExprKind::Compare(_, left, right) = &condition.kind {
        return Some((left.span, right.span));
    }
    let ExprKind::Let(index) = &condition.kind else { return None };
    // A name stands for an earlier one only, so this ends.
    sides(&lets.get(*index)?.value, lets)
}

fn template(
    rule: &RuleName,
    sides: Option<(Span, Span)>,
    block: &RiskBlock,
    sources: &[Source],
) -> Option<Template> {
    let mut pieces = Vec::new();
    let mut rest = rule.message.as_deref()?;
    while let Some((before, behind)) = rest.split_once('{') {
        let (inner, next) = behind.split_once('}')?;
        pieces.push(Piece::Text(before.to_owned()));
        let inner = inner.trim();
        let is = |span: Span| text(span, sources) == Some(inner);
        pieces.push(match sides {
            Some((left, _)) if is(left) => Piece::Observed,
            Some((_, right)) if is(right) => Piece::Limit,
            _ => Piece::Text(constant(inner, &block.params, sources)),
        });
        rest = next;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Some(Template { pieces })
}

/// A parameter that is the same for every symbol, as written; else the name in its brackets.
fn constant(inner: &str, params: &[Param], sources: &[Source]) -> String {
    let param = params.iter().find(|param| param.name == inner && param.table.is_empty());
    let value = param.and_then(|param| text(param.value.span, sources));
    value.map_or_else(|| format!("{{{inner}}}"), str::to_owned)
}

fn text(span: Span, sources: &[Source]) -> Option<&str> {
    let source = sources.get(usize::from(span.source))?;
    let place = |at: u32| usize::try_from(at).ok();
    source.text.get(place(span.start)?..place(span.end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_parameters_are_filled_in_and_the_rest_stays() {
        let text = "rules 1 risk r soft { applies to all
            param most : percent = 5% in 1%..9%
            param free : money = 9 USDT in 1 USDT..9 USDT
            let fall = account.day_loss
            reduce_only L until manual when fall >= most
              message \"down {fall} of {most}, {free} kept, at {market.mid}\"
            deny D when order.value < free }";
        let sources = vec![Source { name: "t".to_owned(), text: text.to_owned() }];
        let checked = engine::program::load(sources).unwrap();
        let all = templates(&checked.program, &checked.sources);
        let first = all[0].as_ref().unwrap().fill("0.06", "0.05");
        assert_eq!(first, "down 0.06 of 0.05, 9 USDT kept, at {market.mid}");
        assert_eq!(all[1], None);
    }
}
