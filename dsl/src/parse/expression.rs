//! From pairs of the grammar to expressions. Depth is bounded: brackets were counted before, and
//! chains are cut at the height limit here.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 190 rules; each match picks those of one place"
)]

use pest::iterators::Pair;

use crate::ast::{Arg, Expr, ExprKind, Literal, Operator, Segment};
use crate::diagnostics::Diagnostic;
use crate::limits::HEIGHT_MAX;
use crate::span::Span;
use crate::typed::{Arith, Compare};

use super::build::Builder;
use super::grammar::Rule;
use super::literal;

impl Builder<'_, '_> {
    /// Builds an expression from a pair of any level.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        match pair.as_rule() {
            Rule::expr | Rule::primary | Rule::group => self.expression_of(pair),
            Rule::implies | Rule::disj | Rule::conj | Rule::add | Rule::mul | Rule::dflt => {
                self.chain(pair)
            }
            Rule::neg => self.prefixed(pair, Rule::k_not, ExprKind::Not),
            Rule::unary => self.prefixed(pair, Rule::minus, ExprKind::Neg),
            Rule::cmp => self.comparison(pair),
            Rule::postfix => self.indexed(pair),
            Rule::cond => self.conditional(pair),
            Rule::literal => {
                let span = self.span(&pair);
                let literal = self.literal(pair.into_inner().next()?)?;
                self.node(ExprKind::Literal(literal), span)
            }
            Rule::path => self.path(pair),
            _ => None,
        }
    }

    /// Builds the first expression inside a pair, with the place of the whole pair.
    pub(super) fn expression_of(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let is_group = pair.as_rule() == Rule::group;
        let span = self.span(&pair);
        let inner = pair.into_inner().find(|inner| is_expression(inner.as_rule()))?;
        let expr = self.expr(inner)?;
        Some(if is_group { Expr { span, ..expr } } else { expr })
    }

    /// Builds all expressions inside a pair.
    pub(super) fn expressions_of(&mut self, pair: Pair<'_, Rule>) -> Vec<Expr> {
        let inner = pair.into_inner().filter(|inner| is_expression(inner.as_rule()));
        inner.filter_map(|inner| self.expr(inner)).collect()
    }

    /// Makes a node; a tree that is too high is a fault, and the node is given up.
    fn node(&mut self, kind: ExprKind, span: Span) -> Option<Expr> {
        let height = match &kind {
            ExprKind::Literal(_) => 0,
            ExprKind::Path(segments) => segments
                .iter()
                .flat_map(|segment| segment.args.iter().flatten())
                .map(|arg| match arg {
                    Arg::Asset(_) => 0,
                    Arg::Expr(expr, filter) => {
                        expr.height.max(filter.as_ref().map_or(0, |filter| filter.height))
                    }
                })
                .max()
                .unwrap_or(0),
            ExprKind::Neg(a) | ExprKind::Not(a) | ExprKind::IsNa(a, _) | ExprKind::Index(a, _) => {
                a.height
            }
            ExprKind::Binary(_, a, b) => a.height.max(b.height),
            ExprKind::In(a, b, c) | ExprKind::If(a, b, c) => a.height.max(b.height).max(c.height),
        }
        .saturating_add(1);
        if height > HEIGHT_MAX {
            let message = format!("expression of more than {HEIGHT_MAX} steps");
            // The whole would be lines of text: where it ends is where it became too much.
            let end = Span { start: span.end.saturating_sub(1), ..span };
            let fault = Diagnostic::error("R0105", end, message);
            self.fail(fault.help("name parts of it with `let`"));
            return None;
        }
        Some(Expr { kind, span, height })
    }

    /// `a op b op c`, from the left.
    fn chain(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let default = match pair.as_rule() {
            Rule::implies => Operator::Implies,
            Rule::disj => Operator::Or,
            Rule::conj => Operator::And,
            _ => Operator::Default,
        };
        let mut left: Option<Expr> = None;
        let mut operator = default;
        for inner in pair.into_inner() {
            match (inner.as_rule(), inner.as_str()) {
                (Rule::add_op, "+") => operator = Operator::Arith(Arith::Add),
                (Rule::add_op, _) => operator = Operator::Arith(Arith::Sub),
                (Rule::mul_op, "*") => operator = Operator::Arith(Arith::Mul),
                (Rule::mul_op, _) => operator = Operator::Arith(Arith::Div),
                (rule, _) if !is_expression(rule) => {}
                _ => {
                    let right = self.expr(inner)?;
                    left = Some(match left {
                        None => right,
                        Some(left) => {
                            let span = left.span.to(right.span);
                            let (left, right) = (Box::new(left), Box::new(right));
                            self.node(ExprKind::Binary(operator, left, right), span)?
                        }
                    });
                }
            }
        }
        left
    }

    fn prefixed(
        &mut self,
        pair: Pair<'_, Rule>,
        prefix: Rule,
        wrap: impl Fn(Box<Expr>) -> ExprKind,
    ) -> Option<Expr> {
        let span = self.span(&pair);
        let mut count = 0_usize;
        let mut expr = None;
        for inner in pair.into_inner() {
            if inner.as_rule() == prefix {
                count = count.saturating_add(1);
            } else {
                expr = self.expr(inner);
            }
        }
        for _ in 0..count {
            expr = self.node(wrap(Box::new(expr?)), span);
        }
        expr
    }

    fn comparison(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let left = self.expr(inner.next()?)?;
        let Some(operator) = inner.next() else { return Some(left) };
        let kind = match operator.as_rule() {
            Rule::k_is => {
                let negated = inner.any(|word| word.as_rule() == Rule::k_not);
                ExprKind::IsNa(Box::new(left), negated)
            }
            Rule::k_in => {
                let mut ends = self.expressions_of(inner.next()?).into_iter();
                let (low, high) = (ends.next()?, ends.next()?);
                ExprKind::In(Box::new(left), Box::new(low), Box::new(high))
            }
            _ => {
                let compare = match operator.as_str() {
                    "<" => Compare::Less,
                    "<=" => Compare::LessEq,
                    ">" => Compare::Greater,
                    ">=" => Compare::GreaterEq,
                    "==" => Compare::Equal,
                    _ => Compare::NotEqual,
                };
                let right = self.expr(inner.next()?)?;
                ExprKind::Binary(Operator::Compare(compare), Box::new(left), Box::new(right))
            }
        };
        self.node(kind, span)
    }

    fn indexed(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut expr = None;
        for inner in pair.into_inner() {
            if inner.as_rule() != Rule::index {
                expr = self.expr(inner);
                continue;
            }
            let index = inner.into_inner().find(|part| part.as_rule() == Rule::integer)?;
            let index = self.integer(&index)?;
            expr = self.node(ExprKind::Index(Box::new(expr?), index), span);
        }
        expr
    }

    fn conditional(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut parts = self.expressions_of(pair).into_iter();
        let (condition, yes, no) = (parts.next()?, parts.next()?, parts.next()?);
        self.node(ExprKind::If(Box::new(condition), Box::new(yes), Box::new(no)), span)
    }

    fn path(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut segments: Vec<Segment> = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::head | Rule::word => {
                    let name = self.name(&inner);
                    segments.push(Segment { name, args: None });
                }
                Rule::args => {
                    let mut args = Vec::new();
                    for arg in inner.into_inner().filter(|arg| arg.as_rule() == Rule::arg) {
                        args.push(self.argument(arg)?);
                    }
                    segments.last_mut()?.args = Some(args);
                }
                _ => {}
            }
        }
        self.node(ExprKind::Path(segments), span)
    }

    fn argument(&mut self, pair: Pair<'_, Rule>) -> Option<Arg> {
        let asset = pair.clone().into_inner().find(|inner| inner.as_rule() == Rule::asset);
        if let Some(asset) = asset {
            return Some(Arg::Asset(self.name(&asset)));
        }
        let mut parts = self.expressions_of(pair).into_iter();
        Some(Arg::Expr(parts.next()?, parts.next()))
    }

    fn literal(&mut self, pair: Pair<'_, Rule>) -> Option<Literal> {
        let span = self.span(&pair);
        let text = pair.as_str();
        let read = match pair.as_rule() {
            Rule::number => literal::number(text, span).map(Literal::Number),
            Rule::percent => literal::percent(text, span).map(Literal::Percent),
            Rule::duration => literal::duration(text, span).map(Literal::Duration),
            Rule::tod => literal::time_of_day(text, span).map(Literal::TimeOfDay),
            Rule::instant => literal::instant(text, span).map(Literal::Instant),
            Rule::bool => Ok(Literal::Bool(text == "true")),
            Rule::na => Ok(Literal::Na),
            Rule::steps | Rule::amount => {
                let mut inner = pair.into_inner();
                let digits = inner.next()?;
                let unit = inner.next()?;
                let name = self.name(&unit);
                literal::number(digits.as_str(), span).map(|number| match name.text.as_str() {
                    "ticks" => Literal::Ticks(number),
                    "lots" => Literal::Lots(number),
                    _ => Literal::Amount(number, name),
                })
            }
            _ => return None,
        };
        self.keep(read)
    }
}

/// Tells whether a rule of the grammar makes an expression.
pub(super) fn is_expression(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::expr
            | Rule::implies
            | Rule::disj
            | Rule::conj
            | Rule::neg
            | Rule::cmp
            | Rule::add
            | Rule::mul
            | Rule::dflt
            | Rule::unary
            | Rule::postfix
            | Rule::primary
            | Rule::cond
            | Rule::group
            | Rule::literal
            | Rule::path
    )
}
