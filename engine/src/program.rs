//! The session's rules, checked and bound: which rule has which number, and which code runs for
//! which instrument.
//!
//! The rule table lists the rules of all risk blocks by block name (latches with warnings, caps,
//! checks, cooldowns, throttles, each in file order), then those of the strategies. A rule's
//! index in it is what verdicts and latches
//! carry; with the journaled texts the table can always be rebuilt.

use dsl::check::check;
use dsl::compile::{Binding, Carries, RiskCode, StrategyCode, bind_risk, bind_strategy};
use dsl::diagnostics::{Diagnostic, Severity};
use dsl::evaluate::Input;
use dsl::span::{Source, Span};
use dsl::typed::{Applies, Program, RiskBlock, RuleName, Strategy, Trigger};
use model::id::{AssetId, InstrumentId, StrategyId};
use model::instrument::Instrument;
use model::reject::Code;
use model::symbol::Symbol;
use model::time::SECOND_NS;

use crate::limits::RULES_MAX;
use crate::portfolio::{asset_id, at, instrument_id};
use crate::setup::{Carried, Setup};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// `halt`, `reduce_only` and `warn`.
    Latch,
    /// `cap`.
    Cap,
    /// `deny` and `require`.
    Check,
    /// `cooldown`.
    Cooldown,
    /// `throttle`.
    Throttle,
    /// `enter`, `exit`, `quote` and `cancel`, in this order of a strategy.
    Signal,
}

/// A rule by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it does.
    pub kind: RuleKind,
    /// Block or strategy.
    pub block: String,
    /// Code as written.
    pub code: String,
    /// File as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// Checked rules that are not bound yet.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The texts, in order.
    pub sources: Vec<Source>,
    /// Their typed form.
    pub program: Program,
    /// Findings; no errors among them.
    pub warnings: Vec<Diagnostic>,
}

/// Rules that cannot be used, with all findings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct RulesError {
    /// The texts.
    pub sources: Vec<Source>,
    /// Findings, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl RulesError {
    fn summary(&self) -> String {
        let errors = self.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        match errors.clone().next() {
            Some(first) => {
                let (file, line, column) = first.place(&self.sources);
                let count = errors.count();
                format!("{file}:{line}:{column}: {} ({count} in all)", first.message)
            }
            None => "the rules cannot be used".to_owned(),
        }
    }
}

/// A risk block bound to an instrument.
#[derive(Clone, Debug)]
pub struct BoundRisk {
    /// Index of the block, by name.
    pub block: usize,
    /// Index of its first rule in the rule table.
    pub rule_base: u16,
    /// The code.
    pub code: RiskCode,
    /// To which strategies it applies; none: to all.
    pub strategies: Option<Vec<StrategyId>>,
    /// It is a hard block: to loosen it takes two people.
    pub hard: bool,
}

impl BoundRisk {
    /// Returns the one strategy that it applies to, if it is one: whose figures `strategy.*` are
    /// where no order is at hand.
    #[must_use]
    pub fn strategy(&self) -> Option<StrategyId> {
        match self.strategies.as_deref() {
            Some([one]) => Some(*one),
            Some(_) | None => None,
        }
    }
}

/// A strategy bound to an instrument.
#[derive(Clone, Debug)]
pub struct BoundStrategy {
    /// Its id: the place of its block.
    pub strategy: StrategyId,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Index of its first rule in the rule table.
    pub rule_base: u16,
    /// The code.
    pub code: StrategyCode,
}

/// The session's rules, bound.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Rules by number.
    pub rules: Vec<Rule>,
    /// Strategy names by id.
    pub strategies: Vec<String>,
    /// Risk blocks by instrument id, then by block name.
    pub risk: Vec<Vec<BoundRisk>>,
    /// Strategies in the order they run.
    pub instances: Vec<BoundStrategy>,
    /// First eight bytes of the BLAKE3 of all texts.
    pub program: u64,
    /// What was not bound and why, one line each, for people.
    pub notes: Vec<String>,
}

/// Checks the texts.
///
/// # Errors
/// [`RulesError`] with all findings when one of them is an error.
pub fn load(sources: Vec<Source>) -> Result<Checked, RulesError> {
    let checked = check(&sources);
    if checked.has_errors() {
        return Err(RulesError { sources, diagnostics: checked.diagnostics });
    }
    let mut program = checked.program;
    program.risk.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Checked { sources, program, warnings: checked.diagnostics })
}

/// Returns the BLAKE3 of the texts in order, each with its length in front.
#[must_use]
pub fn hash(sources: &[Source]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for source in sources {
        let len = u64::try_from(source.text.len()).unwrap_or(u64::MAX);
        hasher.update(&len.to_le_bytes());
        hasher.update(source.text.as_bytes());
    }
    hasher.finalize()
}

/// Returns the instruments that a name fits, among those that are traded.
#[must_use]
pub fn candidates(name: &Symbol, instruments: &[Instrument], traded: &[u32]) -> Vec<InstrumentId> {
    let fits = instruments.iter().enumerate().filter(|(_, i)| name.fits(&i.symbol));
    fits.map(|(index, _)| instrument_id(index)).filter(|id| traded.contains(&id.0)).collect()
}

/// Binds checked rules to a setup's instruments.
///
/// # Errors
/// [`RulesError`] with all findings: units that an instrument contradicts, fields that no source
/// can supply, ambiguous names, too many rules, no risk block that applies to all.
pub fn bind(
    checked: &Checked,
    setup: &Setup,
    instruments: &[Instrument],
) -> Result<Bound, RulesError> {
    Binder { checked, setup, instruments, errors: Vec::new(), notes: Vec::new() }.run()
}

/// Returns the rules of a risk block, in the order of the rule table.
pub(crate) fn rules_of(block: &RiskBlock) -> impl Iterator<Item = (RuleKind, &RuleName)> {
    let latches = block.latches.iter().map(|rule| (RuleKind::Latch, &rule.rule));
    let caps = block.caps.iter().map(|rule| (RuleKind::Cap, &rule.rule));
    let checks = block.checks.iter().map(|rule| (RuleKind::Check, &rule.rule));
    let cooldowns = block.cooldowns.iter().map(|rule| (RuleKind::Cooldown, &rule.rule));
    let throttles = block.throttles.iter().map(|rule| (RuleKind::Throttle, &rule.rule));
    latches.chain(caps).chain(checks).chain(cooldowns).chain(throttles)
}

/// Returns the rules of a strategy, in the order of the rule table.
pub(crate) fn signals_of(strategy: &Strategy) -> impl Iterator<Item = &RuleName> {
    let orders = strategy.rules.iter().map(|rule| &rule.rule);
    let quotes = strategy.quotes.iter().map(|quote| &quote.rule);
    let cancels = strategy.cancels.iter().map(|cancel| &cancel.rule);
    orders.chain(quotes).chain(cancels)
}

/// Returns a rule with its place.
pub(crate) fn rule_of(checked: &Checked, kind: RuleKind, block: &str, name: &RuleName) -> Rule {
    let source = checked.sources.get(usize::from(name.span.source));
    let (line, _) = source.map_or((0, 0), |source| source.position(name.span.start));
    Rule {
        kind,
        block: block.to_owned(),
        code: name.code.clone(),
        file: source.map(|source| source.name.clone()).unwrap_or_default(),
        line,
    }
}

struct Binder<'a> {
    checked: &'a Checked,
    setup: &'a Setup,
    instruments: &'a [Instrument],
    errors: Vec<Diagnostic>,
    notes: Vec<String>,
}

impl Binder<'_> {
    fn run(mut self) -> Result<Bound, RulesError> {
        let program = &self.checked.program;
        let mut rules = Vec::new();
        let mut risk_bases = Vec::new();
        for block in &program.risk {
            risk_bases.push(rules.len());
            for (kind, name) in rules_of(block) {
                rules.push(self.rule(kind, &block.name, name));
            }
        }
        let mut strategy_bases = Vec::new();
        for strategy in &program.strategies {
            strategy_bases.push(rules.len());
            for rule in signals_of(strategy) {
                rules.push(self.rule(RuleKind::Signal, &strategy.name, rule));
            }
        }
        self.require_account_block();
        if rules.len() > RULES_MAX {
            let text = format!("{} rules pass the limit of {RULES_MAX}", rules.len());
            self.errors.push(Diagnostic::error("R0510", Span::default(), text));
        }
        let strategies: Vec<String> = program.strategies.iter().map(|s| s.name.clone()).collect();
        let risk = self.bind_risk(&strategies, &risk_bases);
        let instances = self.bind_strategies(&strategy_bases);
        let diagnostics = std::mem::take(&mut self.errors);
        let sources = &self.checked.sources;
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            return Err(RulesError { sources: sources.clone(), diagnostics });
        }
        let digest = hash(sources);
        let head = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        let program = u64::from_le_bytes(head);
        Ok(Bound { rules, strategies, risk, instances, program, notes: self.notes })
    }

    fn rule(&self, kind: RuleKind, block: &str, name: &RuleName) -> Rule {
        rule_of(self.checked, kind, block, name)
    }

    /// A session never runs without a block that binds every order.
    fn require_account_block(&mut self) {
        let program = &self.checked.program;
        if !program.strategies.is_empty()
            && !program.risk.iter().any(|block| block.applies == Applies::All)
        {
            let span = program.strategies.first().map(|s| s.span).unwrap_or_default();
            self.errors.push(
                Diagnostic::error("R0511", span, "no risk block applies to all orders")
                    .help("add a file such as rules/limits.rules with `applies to all`"),
            );
        }
    }

    fn bind_risk(&mut self, names: &[String], bases: &[usize]) -> Vec<Vec<BoundRisk>> {
        let mut table = Vec::new();
        self.note_absent_blocks();
        for index in 0..self.instruments.len() {
            let id = instrument_id(index);
            let mut bound = Vec::new();
            if self.setup.traded.contains(&id.0) {
                for (block, base) in bases.iter().enumerate() {
                    bound.extend(self.bind_block(block, *base, id, names));
                }
            }
            table.push(bound);
        }
        table
    }

    /// A latch is judged without an order, so that `strategy.*` in it needs a block of one
    /// strategy.
    fn require_one_strategy(&mut self, bound: &BoundRisk, span: Span, block: &str) {
        let of_strategy = |read: &Input| read.field.info().name.starts_with("strategy.");
        let Some(read) = bound.code.reads().iter().find(|read| of_strategy(read)) else { return };
        if bound.strategy().is_none() {
            let name = read.field.info().name;
            let text = format!("a latch of `{block}` reads `{name}`, of which strategy?");
            let help = "give it a block of its own that `applies to strategy` one";
            let fault = Diagnostic::error("R0516", span, text).help(help);
            if !self.errors.contains(&fault) {
                self.errors.push(fault);
            }
        }
    }

    /// Tells of blocks that bind nothing because nothing of theirs is traded.
    fn note_absent_blocks(&mut self) {
        for block in &self.checked.program.risk {
            let Applies::Strategies { symbols, .. } = &block.applies else { continue };
            let there = |symbol: &Symbol| {
                !candidates(symbol, self.instruments, &self.setup.traded).is_empty()
            };
            if !symbols.is_empty() && !symbols.iter().any(there) {
                let names: Vec<_> = symbols.iter().map(ToString::to_string).collect();
                let name = &block.name;
                let text =
                    format!("risk {name}: no data for {}; it binds nothing", names.join(", "));
                self.notes.push(text);
            }
        }
    }

    fn bind_block(
        &mut self,
        index: usize,
        base: usize,
        id: InstrumentId,
        names: &[String],
    ) -> Option<BoundRisk> {
        let checked = self.checked;
        let block = checked.program.risk.get(index)?;
        let instrument = at(self.instruments, id)?;
        let strategies = match &block.applies {
            Applies::All => None,
            Applies::Strategies { names: wanted, symbols } => {
                if !symbols.is_empty() && !symbols.iter().any(|s| s.fits(&instrument.symbol)) {
                    return None;
                }
                let ids = wanted.iter().filter_map(|name| {
                    let at = names.iter().position(|known| known == name)?;
                    u16::try_from(at).ok().map(StrategyId)
                });
                Some(ids.collect())
            }
        };
        let assets = |name: &str| self.asset(name);
        let binding = self.binding(instrument, id, &assets);
        match bind_risk(block, &binding) {
            Ok(code) => {
                let (rule_base, hard) = (number(base), block.hard);
                let bound = BoundRisk { block: index, rule_base, code, strategies, hard };
                self.require_one_strategy(&bound, block.span, &block.name);
                Some(bound)
            }
            Err(findings) => {
                self.errors.extend(findings);
                None
            }
        }
    }

    fn bind_strategies(&mut self, bases: &[usize]) -> Vec<BoundStrategy> {
        let mut instances = Vec::new();
        let checked = self.checked;
        for (index, strategy) in checked.program.strategies.iter().enumerate() {
            let base = bases.get(index).copied().unwrap_or(0);
            let mut bound: Vec<(InstrumentId, &Symbol)> = Vec::new();
            for (symbol, span) in &strategy.symbols {
                let fitting = candidates(symbol, self.instruments, &self.setup.traded);
                if let [one] = fitting.as_slice() {
                    if let Some((_, known)) = bound.iter().find(|(id, _)| id == one) {
                        let text = format!("`{symbol}` is the instrument of `{known}`");
                        let fault = Diagnostic::error("R0513", *span, text);
                        self.errors.push(fault.help("name it once: it would trade twice"));
                        continue;
                    }
                    bound.push((*one, symbol));
                    self.check_trigger(strategy, *one, *span);
                }
                match fitting.as_slice() {
                    [] => self.notes.push(format!(
                        "strategy {}: no data for {symbol}; it does not run there",
                        strategy.name
                    )),
                    [one] => {
                        let Some(instrument) = at(self.instruments, *one) else { continue };
                        let assets = |name: &str| self.asset(name);
                        let binding = self.binding(instrument, *one, &assets);
                        match bind_strategy(strategy, &binding) {
                            Ok(code) => instances.push(BoundStrategy {
                                strategy: StrategyId(number(index)),
                                instrument: *one,
                                rule_base: number(base),
                                code,
                            }),
                            Err(findings) => self.errors.extend(findings),
                        }
                    }
                    many => {
                        let names: Vec<String> = many
                            .iter()
                            .filter_map(|id| at(self.instruments, *id))
                            .map(|i| i.symbol.to_string())
                            .collect();
                        let text = format!("`{symbol}` is ambiguous: {}", names.join(", "));
                        self.errors.push(
                            Diagnostic::error("R0512", *span, text)
                                .help("write the full name, or choose with --symbol"),
                        );
                    }
                }
            }
        }
        instances
    }

    /// A trigger that no source can fire is an error: the strategy would never run.
    fn check_trigger(&mut self, strategy: &Strategy, id: InstrumentId, span: Span) {
        let Some(carries) = at(&self.setup.instruments, id).map(|i| i.carries) else { return };
        let (wakes, what) = match strategy.trigger {
            Trigger::Trade => (carries.trades, "trades".to_owned()),
            // Time passes everywhere.
            Trigger::Timer(_) => (true, String::new()),
            Trigger::Book(_) => (carries.quotes || carries.book, "best bid and ask".to_owned()),
            Trigger::Bar(length) => {
                // Bars of any length are built from trades; those of a file have its own.
                let length_s = length.checked_div(SECOND_NS).unwrap_or(0);
                let wakes = carries.trades || carries.bar_ns == length;
                (wakes, format!("trades or bars of {length_s} s"))
            }
        };
        if wakes {
            return;
        }
        let symbol = at(self.instruments, id).map(|i| i.symbol.to_string()).unwrap_or_default();
        let text = format!("no source of {symbol} wakes strategy `{}`", strategy.name);
        let fault = Diagnostic::error("R0503", span, text).label(format!("needs {what}"));
        self.errors.push(fault.help("add such data, or run other rules with --rules"));
    }

    fn binding<'b>(
        &self,
        instrument: &'b Instrument,
        id: InstrumentId,
        assets: &'b dyn Fn(&str) -> Option<AssetId>,
    ) -> Binding<'b>
    where
        Self: 'b,
    {
        let carries = at(&self.setup.instruments, id).map(|i| i.carries).unwrap_or_default();
        Binding {
            instrument,
            reporting: &self.setup.reporting,
            carries: what_is_known(carries),
            assets,
        }
    }

    fn asset(&self, name: &str) -> Option<AssetId> {
        let id = asset_id(&self.setup.assets, name);
        (id != AssetId(u16::MAX)).then_some(id)
    }
}

/// Returns what rules can ever know from the data an instrument carries.
pub(crate) fn what_is_known(carries: Carried) -> Carries {
    Carries {
        touch: carries.quotes || carries.book,
        bars: carries.trades || carries.bar_ns > 0,
        last_price: carries.trades || carries.bar_ns > 0,
    }
}

fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

impl Bound {
    /// Tells whether a hard block reads the level of the kill switch: to lower it takes two people.
    #[must_use]
    pub fn level_takes_two(&self) -> bool {
        self.risk.iter().flatten().any(|block| block.hard && block.code.reads_level())
    }

    /// Returns where the rule of a code stands, as `file:line`; none for a built-in code.
    #[must_use]
    pub fn code_place(&self, code: Code) -> Option<String> {
        let rule = self.rules.get(usize::from(code.rule_index()?))?;
        Some(format!("{}:{}", rule.file, rule.line))
    }

    /// Returns the name of a code: a rule's or a built-in one.
    #[must_use]
    pub fn code_name(&self, code: Code) -> String {
        match code.rule_index().and_then(|index| self.rules.get(usize::from(index))) {
            Some(rule) => rule.code.clone(),
            None => code.builtin_name().unwrap_or("").to_owned(),
        }
    }
}
