//! From pairs of the grammar to the statements of risk and strategy blocks.
//!
//! The grammar guarantees which children a pair has; the builder asks for them by rule, and a
//! child that is not there ends in `None`, never in a panic.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 190 rules; each match picks those of one place"
)]

use pest::iterators::Pair;

use crate::ast::{
    Action, Expr, Filter, Latch, LatchEnd, Measure, Name, OptionKind, OrderOption, OrderRule,
    Param, Spanned, Statement, StatementKind, Target, Type,
};
use crate::diagnostics::Diagnostic;
use crate::span::Span;

use super::grammar::Rule;
use super::literal;
use super::scan::Scan;

/// Builds nodes from the pairs of one statement.
pub(super) struct Builder<'s, 't> {
    /// Tokens of the file.
    pub(super) scan: &'s Scan<'t>,
    /// Where the matched text begins in the file.
    pub(super) base: usize,
    /// The first thing that the grammar accepts and the language does not.
    pub(super) fault: Option<Diagnostic>,
}

impl Builder<'_, '_> {
    /// Returns the place of a pair, without spaces and comments behind it.
    pub(super) fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = self.base.saturating_add(pair.as_span().start());
        let end = self.base.saturating_add(pair.as_span().end());
        let inside = start.saturating_add(pair.as_str().trim_end().len());
        // Inside a token (a symbol is several) the end is the pair's own.
        let end = self.scan.end_before(end).max(start).min(end);
        self.scan.range(start, if end == start { inside } else { end })
    }

    /// Returns a pair as a name; a text loses its quotes.
    pub(super) fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        let span = self.span(pair);
        let text = pair.as_str().trim_end();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Name { text: inner.unwrap_or(text).to_owned(), span }
    }

    /// Keeps the first fault.
    pub(super) fn fail(&mut self, fault: Diagnostic) {
        self.fault.get_or_insert(fault);
    }

    /// Unwraps a value, keeping its fault.
    pub(super) fn keep<T>(&mut self, read: Result<T, Diagnostic>) -> Option<T> {
        read.map_err(|fault| self.fail(fault)).ok()
    }

    /// Reads a whole number.
    pub(super) fn integer(&mut self, pair: &Pair<'_, Rule>) -> Option<u64> {
        let span = self.span(pair);
        self.keep(literal::integer(pair.as_str(), span))
    }

    /// Reads a duration.
    pub(super) fn duration(&mut self, pair: &Pair<'_, Rule>) -> Option<Spanned<i64>> {
        let span = self.span(pair);
        let value = self.keep(literal::duration(pair.as_str(), span))?;
        Some(Spanned { value, span })
    }

    /// Builds a statement of a risk or strategy block.
    pub(super) fn statement(&mut self, pair: Pair<'_, Rule>, doc: String) -> Option<Statement> {
        let inner = pair.into_inner().find(|inner| inner.as_rule() != Rule::doc)?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            Rule::param => StatementKind::Param(self.param(inner)?),
            Rule::halt | Rule::reduce_only => StatementKind::Latch(self.latch(inner)?),
            Rule::enter | Rule::exit => StatementKind::Order(self.order(inner)?),
            _ => {
                let parts = self.parts(inner.clone())?;
                self.simple(inner, parts)?
            }
        };
        Some(Statement { kind, doc, span })
    }

    /// Builds a statement whose parts differ by rule only.
    fn simple(&mut self, pair: Pair<'_, Rule>, mut parts: Parts) -> Option<StatementKind> {
        let filter = std::mem::take(&mut parts.filter);
        let message = parts.message.take();
        Some(match pair.as_rule() {
            Rule::applies => StatementKind::Applies(parts.is_strategy.then(|| Target {
                strategies: std::mem::take(&mut parts.names),
                symbols: std::mem::take(&mut parts.symbols),
            })),
            Rule::state => StatementKind::State {
                name: parts.name()?,
                ty: parts.ty?,
                value: parts.expr()?,
                reset: parts.word.take(),
            },
            Rule::update => StatementKind::Update {
                name: parts.name()?,
                value: parts.expr()?,
                on: parts.word.take()?,
                filter,
            },
            Rule::let_ => StatementKind::Let { name: parts.name()?, value: parts.expr()? },
            Rule::series => StatementKind::Series {
                name: parts.name()?,
                value: parts.expr()?,
                on: parts.durations.pop(),
            },
            Rule::budget => StatementKind::Budget(parts.integer?),
            Rule::cap => {
                let (code, measure) = (parts.name()?, parts.measure.take()?);
                StatementKind::Cap { code, measure, bound: parts.expr()?, filter, message }
            }
            Rule::deny => StatementKind::Check {
                code: parts.name()?,
                require: false,
                condition: filter.when?,
                unless: filter.unless,
                message,
            },
            Rule::require => {
                let (condition, code) = (parts.expr()?, parts.name()?);
                let unless = parts.expr();
                StatementKind::Check { code, require: true, condition, unless, message }
            }
            Rule::throttle => self.throttle(parts, filter)?,
            Rule::cooldown => StatementKind::Cooldown {
                code: parts.name()?,
                length: parts.expr()?,
                after: parts.word.take()?,
                by: parts.by.take(),
                filter,
            },
            Rule::warn => {
                let held = parts.durations.pop();
                StatementKind::Warn { code: parts.name()?, filter, held, message }
            }
            Rule::trigger => self.trigger(pair, parts)?,
            Rule::active => StatementKind::Active { from: parts.time()?, to: parts.time()? },
            Rule::quote => self.quote(pair, parts, filter)?,
            Rule::cancel => StatementKind::Cancel { code: parts.name()?, filter },
            _ => return None,
        })
    }

    /// Sorts the children of a statement by what they are.
    fn parts(&mut self, pair: Pair<'_, Rule>) -> Option<Parts> {
        let mut parts = Parts::default();
        for inner in pair.into_inner() {
            let span = self.span(&inner);
            match inner.as_rule() {
                Rule::ident | Rule::code => parts.names.push(self.name(&inner)),
                Rule::event | Rule::period | Rule::flow => parts.word = Some(self.name(&inner)),
                Rule::latch_ends => {
                    let code = inner.into_inner().find(|part| part.as_rule() == Rule::code)?;
                    parts.word = Some(self.name(&code));
                }
                Rule::scope => parts.by = Some(self.name(&inner)),
                Rule::type_ => parts.ty = Some(type_of(inner.as_str())),
                Rule::expr | Rule::add => parts.exprs.push_back(self.expr(inner)?),
                Rule::duration => parts.durations.push(self.duration(&inner)?),
                Rule::integer => parts.integer = Some(self.integer(&inner)?),
                Rule::tod => {
                    let seconds = literal::time_of_day(inner.as_str(), span);
                    parts.times.push_back(self.keep(seconds)?);
                }
                Rule::symbols => {
                    parts.symbols = inner.into_inner().map(|symbol| self.name(&symbol)).collect();
                }
                Rule::guard | Rule::edge | Rule::filter => self.condition(inner, &mut parts)?,
                Rule::note => parts.message = self.message(inner),
                Rule::latch => parts.end = Some(self.latch_end(inner)?),
                Rule::k_strategy => parts.is_strategy = true,
                Rule::k_day => parts.is_day = true,
                Rule::k_burst => parts.is_burst = true,
                Rule::k_qty => parts.measure = Some(Spanned { value: Measure::Qty, span }),
                Rule::k_notional => {
                    parts.measure = Some(Spanned { value: Measure::Notional, span });
                }
                Rule::k_value => parts.measure = Some(Spanned { value: Measure::Value, span }),
                Rule::k_risk => parts.measure = Some(Spanned { value: Measure::Risk, span }),
                _ => {}
            }
        }
        Some(parts)
    }

    /// `when ... held ... unless ...`
    fn condition(&mut self, pair: Pair<'_, Rule>, parts: &mut Parts) -> Option<()> {
        let mut is_exemption = false;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::k_when => is_exemption = false,
                Rule::k_unless => is_exemption = true,
                Rule::duration => parts.durations.push(self.duration(&inner)?),
                Rule::expr if is_exemption => parts.filter.unless = Some(self.expr(inner)?),
                Rule::expr => parts.filter.when = Some(self.expr(inner)?),
                _ => {}
            }
        }
        Some(())
    }

    fn message(&self, pair: Pair<'_, Rule>) -> Option<Name> {
        let text = pair.into_inner().find(|inner| inner.as_rule() == Rule::string)?;
        Some(self.name(&text))
    }

    fn latch_end(&mut self, pair: Pair<'_, Rule>) -> Option<Spanned<LatchEnd>> {
        let span = self.span(&pair);
        let inner = pair.into_inner().nth(1)?;
        let value = match (inner.as_rule(), inner.as_str()) {
            (Rule::latch_end, "manual") => LatchEnd::Manual,
            (Rule::latch_end, "day_end") => LatchEnd::DayEnd,
            (Rule::latch_end, _) => LatchEnd::Clear,
            _ => LatchEnd::For(self.expr(inner)?),
        };
        Some(Spanned { value, span })
    }

    fn param(&mut self, pair: Pair<'_, Rule>) -> Option<Param> {
        let mut parts = self.parts(pair.clone())?;
        let mut range = None;
        let mut table = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::range => {
                    let mut ends = self.expressions_of(inner).into_iter();
                    range = Some((ends.next()?, ends.next()?));
                }
                Rule::table => {
                    let mut symbol = None;
                    for row in inner.into_inner() {
                        match row.as_rule() {
                            Rule::symbol => symbol = Some(self.name(&row)),
                            Rule::expr => table.push((symbol.take()?, self.expr(row)?)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Param { name: parts.name()?, ty: parts.ty?, value: parts.expr()?, range, table })
    }

    fn latch(&mut self, pair: Pair<'_, Rule>) -> Option<Latch> {
        let halt = pair.as_rule() == Rule::halt;
        let mut parts = self.parts(pair.clone())?;
        let mut actions = Vec::new();
        for inner in pair.into_inner().filter(|inner| inner.as_rule() == Rule::action) {
            let span = self.span(&inner);
            let value = match inner.into_inner().nth(1)?.as_str() {
                "cancel_orders" => Action::CancelOrders,
                "flatten" => Action::Flatten,
                _ => Action::Notify,
            };
            actions.push(Spanned { value, span });
        }
        Some(Latch {
            halt,
            code: parts.name()?,
            end: parts.end.take(),
            when: parts.filter.when.take()?,
            held: parts.durations.pop(),
            unless: parts.filter.unless.take(),
            actions,
            message: parts.message.take(),
        })
    }

    fn throttle(&mut self, mut parts: Parts, filter: Filter) -> Option<StatementKind> {
        let bound = parts.expr()?;
        let per = if parts.is_day { None } else { Some(parts.expr()?) };
        let burst = if parts.is_burst { Some(parts.expr()?) } else { None };
        Some(StatementKind::Throttle {
            code: parts.name()?,
            flow: parts.word.take()?,
            bound,
            per,
            by: parts.by.take(),
            burst,
            end: parts.end.take(),
            filter,
        })
    }

    fn trigger(&mut self, pair: Pair<'_, Rule>, mut parts: Parts) -> Option<StatementKind> {
        let mut is_every = false;
        let mut length = None;
        let mut every = None;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::k_every => is_every = true,
                Rule::duration if is_every => every = self.duration(&inner),
                Rule::duration => length = self.duration(&inner),
                _ => {}
            }
        }
        let symbols = std::mem::take(&mut parts.symbols);
        Some(StatementKind::Trigger { event: parts.word.take()?, length, symbols, every })
    }

    fn order(&mut self, pair: Pair<'_, Rule>) -> Option<OrderRule> {
        let exit = pair.as_rule() == Rule::exit;
        let mut parts = self.parts(pair.clone())?;
        let mut long = false;
        let mut options = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::side_ => long = inner.as_str() == "long",
                Rule::order_opt => options.push(self.option(inner)?),
                _ => {}
            }
        }
        Some(OrderRule {
            exit,
            long,
            code: parts.name()?,
            when: parts.filter.when.take()?,
            unless: parts.filter.unless.take(),
            options,
        })
    }

    fn option(&mut self, pair: Pair<'_, Rule>) -> Option<OrderOption> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let keyword = inner.next()?.as_rule();
        let rest: Vec<Pair<'_, Rule>> = inner.collect();
        let expr = |builder: &mut Self| builder.expr(rest.last()?.clone());
        let kind = match keyword {
            Rule::k_size => match rest.first()?.as_rule() {
                Rule::size_weight => {
                    OptionKind::SizeWeight(self.expression_of(rest.first()?.clone())?)
                }
                Rule::size_risk => {
                    let mut parts = self.expressions_of(rest.first()?.clone()).into_iter();
                    OptionKind::SizeRisk(parts.next()?, parts.next()?)
                }
                _ => OptionKind::Size(expr(self)?),
            },
            Rule::k_stop => OptionKind::Stop(expr(self)?),
            Rule::k_price => OptionKind::Price(expr(self)?),
            Rule::k_at_market if rest.is_empty() => OptionKind::AtMarket(None),
            Rule::k_at_market => OptionKind::AtMarket(Some(expr(self)?)),
            Rule::k_post_only => OptionKind::PostOnly,
            Rule::k_tif => OptionKind::Tif(self.name(rest.first()?)),
            Rule::k_ttl => OptionKind::Ttl(expr(self)?),
            Rule::k_strength => OptionKind::Strength(expr(self)?),
            Rule::k_where => OptionKind::Shortable,
            _ => return None,
        };
        Some(OrderOption { kind, span })
    }

    fn quote(
        &mut self,
        pair: Pair<'_, Rule>,
        mut parts: Parts,
        filter: Filter,
    ) -> Option<StatementKind> {
        let mut legs = Vec::new();
        let mut options = Vec::new();
        let mut replace = None;
        let mut keyword = Rule::k_quote;
        for inner in pair.into_inner() {
            let span = self.span(&inner);
            match inner.as_rule() {
                Rule::leg => {
                    let is_bid =
                        inner.clone().into_inner().any(|part| part.as_rule() == Rule::k_bid);
                    let mut values = self.expressions_of(inner).into_iter();
                    legs.push((is_bid, values.next()?, values.next()?));
                }
                Rule::k_post_only => options.push(OrderOption { kind: OptionKind::PostOnly, span }),
                Rule::k_ttl | Rule::k_replace => keyword = inner.as_rule(),
                Rule::expr if keyword == Rule::k_ttl => {
                    let kind = OptionKind::Ttl(self.expr(inner)?);
                    options.push(OrderOption { kind, span });
                }
                Rule::expr => replace = Some(self.expr(inner)?),
                _ => {}
            }
        }
        Some(StatementKind::Quote { code: parts.name()?, filter, legs, options, replace })
    }
}

/// The children of a statement, sorted by what they are.
#[derive(Default)]
struct Parts {
    names: Vec<Name>,
    word: Option<Name>,
    by: Option<Name>,
    ty: Option<Type>,
    exprs: std::collections::VecDeque<Expr>,
    durations: Vec<Spanned<i64>>,
    integer: Option<u64>,
    times: std::collections::VecDeque<i64>,
    symbols: Vec<Name>,
    filter: Filter,
    message: Option<Name>,
    end: Option<Spanned<LatchEnd>>,
    measure: Option<Spanned<Measure>>,
    is_strategy: bool,
    is_day: bool,
    is_burst: bool,
}

impl Parts {
    fn name(&mut self) -> Option<Name> {
        if self.names.is_empty() { None } else { Some(self.names.remove(0)) }
    }

    fn expr(&mut self) -> Option<Expr> {
        self.exprs.pop_front()
    }

    fn time(&mut self) -> Option<i64> {
        self.times.pop_front()
    }
}

fn type_of(word: &str) -> Type {
    match word {
        "int" => Type::Int,
        "num" => Type::Num,
        "bool" => Type::Bool,
        "price" => Type::Price,
        "qty" => Type::Qty,
        "money" => Type::Money,
        "percent" => Type::Percent,
        "duration" => Type::Duration,
        _ => Type::Time,
    }
}
