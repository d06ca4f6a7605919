//! What a rule is made of: the facts that it reads, and its names as the compiler computes them.

use dsl::compile::{Binding, TermsCode, bind_terms};
use dsl::schema::{Field, Type};
use dsl::span::{Source, Span};
use dsl::typed::{AssetArg, Expr, ExprKind, Extent, Measure, Program, RiskBlock, RuleName, Unit};
use dsl::value::Value;
use model::id::{AssetId, InstrumentId};
use model::reject::{Code, Reject};

use super::Term;
use super::shown::{Words, unknown};
use crate::portfolio::{asset_id, at};
use crate::program;
use crate::risk::explain::{Found, Wanted};
use crate::session::Session;

/// Where a term's value comes from.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Fact number so-and-so.
    Field(usize),
    /// Expression number so-and-so; of a parameter that is written in percent.
    Shown(usize, bool),
}

/// What is asked for one rule on one instrument, or for one of the engine's own checks.
#[derive(Debug)]
pub(super) struct Asked {
    condition: String,
    /// Whether the rule speaks about what the caps leave.
    capped: bool,
    /// Names with what they stand for, in the order in which they are read.
    terms: Vec<(String, String, From)>,
    fields: Vec<(Field, Option<AssetId>)>,
    shown: Vec<Expr>,
    /// The message, and the first of the expressions that it shows.
    message: Option<(String, usize)>,
    /// The expressions bound, and their block.
    code: Option<(usize, TermsCode)>,
}

/// The parts of a rule that say something.
struct Spoken<'a> {
    name: &'a RuleName,
    /// Condition, bound, length or limit, and what else counts.
    parts: Vec<&'a Expr>,
    condition: String,
}

impl Asked {
    /// Finds what is to be read for a code.
    pub(super) fn new(session: &Session, program: &Program, id: InstrumentId, code: Code) -> Self {
        let mut asked = Self {
            condition: String::new(),
            capped: true,
            terms: Vec::new(),
            fields: Vec::new(),
            shown: Vec::new(),
            message: None,
            code: None,
        };
        let Some(rule) = code.rule_index().and_then(|i| session.bound.rules.get(usize::from(i)))
        else {
            asked.built_in(code);
            return asked;
        };
        let block = program.risk.iter().position(|block| block.name == rule.block);
        let found = block.and_then(|index| Some((index, program.risk.get(index)?)));
        if let Some((index, block)) = found {
            asked.rule(session, (index, block), id, &rule.code);
        }
        asked
    }

    /// Returns the rule's condition as written.
    pub(super) fn condition(&self) -> &str {
        &self.condition
    }

    /// Tells whether the rule speaks about what the caps leave of the order.
    pub(super) fn is_capped(&self) -> bool {
        self.capped
    }

    /// Returns what risk is to be asked.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        let terms = self.code.as_ref().map(|(block, code)| (*block, code));
        Wanted { fields: &self.fields, terms }
    }

    /// Puts what was read into words: the terms, and the message.
    pub(super) fn told(
        &self,
        session: &Session,
        id: InstrumentId,
        found: &Found,
    ) -> (Vec<Term>, Option<String>) {
        let setup = &session.setup;
        let words = Words { reporting: &setup.reporting, instrument: at(&session.instruments, id) };
        let shown = |nth: usize, percent: bool| match (self.shown.get(nth), found.terms.get(nth)) {
            (Some(expr), Some(value)) => words.value(&expr.unit, percent, *value),
            _ => unknown(Value::MISSING),
        };
        let terms = self.terms.iter().map(|(name, written, from)| {
            let value = match *from {
                From::Shown(nth, percent) => shown(nth, percent),
                From::Field(nth) => match (self.fields.get(nth), found.fields.get(nth)) {
                    (Some((field, _)), Some(read)) => words.field(field.info().ty, read),
                    _ => unknown(Value::MISSING),
                },
            };
            Term { name: name.clone(), value, written: written.clone() }
        });
        let message = self.message.as_ref().map(|(text, first)| {
            let mut filled = String::new();
            let mut rest = text.as_str();
            let mut nth = *first;
            while let Some((before, (_, behind))) = rest
                .split_once('{')
                .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
            {
                filled.push_str(before);
                filled.push_str(&shown(nth, self.is_percent(nth)));
                nth = nth.saturating_add(1);
                rest = behind;
            }
            filled + rest
        });
        (terms.collect(), message)
    }

    /// Tells whether an expression is a parameter that is written in percent.
    fn is_percent(&self, nth: usize) -> bool {
        let same = |from: &From| match *from {
            From::Shown(known, percent) => {
                percent
                    && self.shown.get(known).map(|e| &e.kind)
                        == self.shown.get(nth).map(|e| &e.kind)
            }
            From::Field(_) => false,
        };
        self.terms.iter().any(|(_, _, from)| same(from))
    }

    /// Asks for all that a rule of a block reads.
    fn rule(
        &mut self,
        session: &Session,
        (index, block): (usize, &RiskBlock),
        id: InstrumentId,
        code: &str,
    ) {
        let instrument = at(&session.instruments, id);
        let look = Look { sources: &session.texts, assets: &session.setup.assets };
        let Some(spoken) = spoken(block, code, &look) else { return };
        for part in &spoken.parts {
            self.walk(part, block, &look);
        }
        if let Some(cap) = block.caps.iter().find(|cap| cap.rule.code == code) {
            // What a cap measures is the order as it was asked for.
            self.capped = false;
            let measured = match cap.measure {
                Measure::Qty => Field::OrderQty,
                Measure::Notional => Field::OrderNotional,
                Measure::Value => Field::OrderValue,
                Measure::Risk => Field::OrderRisk,
            };
            self.field(measured, None, &look);
        }
        for shown in &spoken.name.shown {
            self.walk(shown, block, &look);
        }
        if let Some(message) = &spoken.name.message {
            self.message = Some((message.clone(), self.shown.len()));
            self.shown.extend(spoken.name.shown.iter().cloned());
        }
        self.condition = spoken.condition;
        let carries = at(&session.setup.instruments, id).map(|i| i.carries).unwrap_or_default();
        let known = |name: &str| {
            let asset = asset_id(&session.setup.assets, name);
            (asset != AssetId(u16::MAX)).then_some(asset)
        };
        self.code = instrument.and_then(|instrument| {
            let binding = Binding {
                instrument,
                reporting: &session.setup.reporting,
                carries: program::what_is_known(carries),
                assets: &known,
            };
            Some((index, bind_terms(block, &self.shown, &binding).ok()?))
        });
    }

    /// Asks for what an expression reads; names stand before what they are made of. A name is one
    /// of an earlier expression, so this ends.
    fn walk(&mut self, expr: &Expr, block: &RiskBlock, look: &Look<'_>) {
        match &expr.kind {
            ExprKind::Field(field, asset) => self.field(*field, asset.as_ref(), look),
            ExprKind::Param(index) => {
                if let Some(param) = block.params.get(*index) {
                    self.term(&param.name, String::new(), expr, param.is_percent);
                }
            }
            ExprKind::Let(index) => {
                if let Some(named) = block.lets.get(*index)
                    && self.term(&named.name, look.text(named.value.span), expr, false)
                {
                    self.walk(&named.value, block, look);
                }
            }
            ExprKind::State(index) => {
                if let Some(state) = block.states.get(*index) {
                    self.term(&state.name, String::new(), expr, false);
                }
            }
            ExprKind::Window(index) => {
                let extent = block.windows.get(*index).map(|window| &window.extent);
                self.term(&look.text(expr.span), String::new(), expr, false);
                if let Some(Extent::Time(length) | Extent::Last(length)) = extent {
                    self.walk(length, block, look);
                }
            }
            ExprKind::Depth(_) => {
                self.term(&look.text(expr.span), String::new(), expr, false);
            }
            ExprKind::Neg(one) | ExprKind::Not(one) | ExprKind::IsNa(one) => {
                self.walk(one, block, look);
            }
            ExprKind::Arith(_, one, other)
            | ExprKind::Compare(_, one, other)
            | ExprKind::And(one, other)
            | ExprKind::Or(one, other)
            | ExprKind::Default(one, other) => {
                self.walk(one, block, look);
                self.walk(other, block, look);
            }
            ExprKind::If(one, two, three) => {
                for expr in [one, two, three] {
                    self.walk(expr, block, look);
                }
            }
            ExprKind::Call(_, all) => all.iter().for_each(|expr| self.walk(expr, block, look)),
            ExprKind::Number { .. }
            | ExprKind::Ticks(_)
            | ExprKind::Lots(_)
            | ExprKind::Bool(_)
            | ExprKind::Na
            | ExprKind::Word(_)
            | ExprKind::Series(_) => {}
        }
    }

    /// Adds an expression unless its name is there; true if it was not.
    fn term(&mut self, name: &str, written: String, expr: &Expr, percent: bool) -> bool {
        let known = self.terms.iter().any(|(known, ..)| known == name);
        if !known {
            let from = From::Shown(self.shown.len(), percent && expr.unit == Unit::Num);
            self.terms.push((name.to_owned(), written, from));
            self.shown.push(expr.clone());
        }
        !known
    }

    fn field(&mut self, field: Field, asset: Option<&AssetArg>, look: &Look<'_>) {
        let asset = match asset {
            Some(AssetArg::Named(name)) => Some(asset_id(look.assets, name)),
            Some(AssetArg::Pays) | None => None,
        };
        if self.fields.contains(&(field, asset)) {
            return;
        }
        let info = field.info();
        let name = match (info.ty, asset) {
            (Type::Named | Type::Worth, None) => format!("{}(order.pays)", info.name),
            (Type::Named | Type::Worth, Some(asset)) => {
                format!("{}({})", info.name, look.asset(asset))
            }
            _ => info.name.to_owned(),
        };
        self.terms.push((name, String::new(), From::Field(self.fields.len())));
        self.fields.push((field, asset));
    }

    /// Asks for what one of the engine's own checks compares, and says what it means.
    fn built_in(&mut self, code: Code) {
        let known = model::reject::REJECTS.iter().find(|(reject, ..)| Code::from(*reject) == code);
        let Some((reject, _, meaning)) = known else { return };
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
            Reject::LevelReduce => &[Field::ControlLevel, Field::PositionQty, Field::OrderReduces],
            Reject::LevelHalt => &[Field::ControlLevel],
            Reject::TooManyOpen | Reject::Overflow | Reject::Closing | Reject::Unbooked => &[],
        };
        let look = Look { sources: &[], assets: &[] };
        for field in fields {
            self.field(*field, None, &look);
        }
        (*meaning).clone_into(&mut self.condition);
    }
}

/// Where names are looked up.
struct Look<'a> {
    sources: &'a [Source],
    assets: &'a [String],
}

impl Look<'_> {
    /// Returns a piece of a text on one line.
    fn text(&self, span: Span) -> String {
        let range = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
        let source = self.sources.get(usize::from(span.source));
        let piece = range.and_then(|(from, to)| source?.text.get(from..to)).unwrap_or_default();
        piece.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn asset(&self, asset: AssetId) -> &str {
        self.assets.get(usize::from(asset.0)).map_or("", String::as_str)
    }
}

/// Finds a rule of a block by its code.
fn spoken<'a>(block: &'a RiskBlock, code: &str, look: &Look<'_>) -> Option<Spoken<'a>> {
    type Parts<'a> = (&'a RuleName, &'a Expr, Option<&'a Expr>, Option<&'a Expr>);
    let of = |(name, first, when, unless): Parts<'a>| {
        let mut condition = look.text(first.span);
        for (word, expr) in [("when", when), ("unless", unless)] {
            if let Some(expr) = expr {
                condition.push_str(&format!(" {word} {}", look.text(expr.span)));
            }
        }
        let parts = [Some(first), when, unless].into_iter().flatten().collect();
        Spoken { name, parts, condition }
    };
    let latches = block.latches.iter();
    let latches = latches.map(|rule| (&rule.rule, &rule.when, None, rule.unless.as_ref()));
    let caps = block.caps.iter();
    let caps = caps.map(|rule| (&rule.rule, &rule.bound, rule.when.as_ref(), rule.unless.as_ref()));
    let checks = block.checks.iter();
    let checks = checks.map(|rule| (&rule.rule, &rule.condition, None, rule.unless.as_ref()));
    let found = latches.chain(caps).chain(checks).find(|(name, ..)| name.code == code);
    if let Some(found) = found {
        return Some(of(found));
    }
    // What these count stands in the statement; its `when` is about events that are past.
    let whole = |name: &'a RuleName, parts: Vec<&'a Expr>| {
        let condition = look.text(name.span);
        Spoken { name, parts, condition }
    };
    if let Some(found) = block.cooldowns.iter().find(|rule| rule.rule.code == code) {
        let parts = [Some(&found.length), found.unless.as_ref()];
        return Some(whole(&found.rule, parts.into_iter().flatten().collect()));
    }
    let found = block.throttles.iter().find(|rule| rule.rule.code == code)?;
    let parts =
        [Some(&found.limit), found.per.as_ref(), found.burst.as_ref(), found.unless.as_ref()];
    Some(whole(&found.rule, parts.into_iter().flatten().collect()))
}
