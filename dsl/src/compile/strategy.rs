//! Binds strategies.

use model::num::{MONEY_SCALE, RATE_SCALE, SCALE_MAX};
use model::order::AccountKind;

use super::graph::{Age, NodeId};
use super::lower::{Lower, Names};
use super::memory::{self, Keeps};
use super::number::Num;
use super::{Binding, distinct, fault, over_budget};
use crate::diagnostics::Diagnostic;
use crate::evaluate::readout::Readout;
use crate::evaluate::{
    CancelCode, Cost, FrameCode, OccasionCode, QuoteCode, RuleCode, Section, SizeCode, StrategyCode,
};
use crate::indicator::Wma;
use crate::indicator::{FINER, RATIO_SCALE, SeriesSpec};
use crate::limits::SERIES_LENGTH_MAX;
use crate::memory::MemorySpec;
use crate::typed::{
    CancelRule, Compare, Expr, Indicator, Occasion, QuoteRule, Series, Size, Step, Strategy,
    StrategyRule, Trigger, Unit,
};
use crate::value::Value;

/// On what a strategy's states may change.
const HEARD: [Occasion; 6] = [
    Occasion::Bar,
    Occasion::Book,
    Occasion::Trade,
    Occasion::Fill,
    Occasion::Closed,
    Occasion::Timer,
];

/// A strategy in nodes, before these have registers.
struct Parts {
    series: Vec<SeriesSpec>,
    rules: Vec<RuleCode>,
    quotes: Vec<QuoteCode>,
    cancels: Vec<CancelCode>,
    memory: MemorySpec,
    occasions: Vec<(Occasion, u8, OccasionCode)>,
}

pub(crate) fn bind(
    strategy: &Strategy,
    binding: &Binding<'_>,
) -> Result<StrategyCode, Vec<Diagnostic>> {
    let names = Names {
        block: &strategy.name,
        params: &strategy.params,
        states: &strategy.states,
        windows: &[],
        lets: &strategy.lets,
    };
    let mut lower = Lower::new(binding, names, strategy.series.len());
    let mut parts = lowered(strategy, &mut lower);
    if !lower.found.is_empty() {
        return Err(distinct(lower.found));
    }
    let Age { known, settled } = lower.graph.age();
    let framed = std::mem::take(&mut lower.frames);
    let mut roots = roots(&parts.rules, &parts.quotes, &parts.cancels);
    let first = roots.len();
    parts.occasions.iter().for_each(|(_, _, code)| memory::roots(code, &mut roots));
    lower.graph.later.extend(roots.iter().skip(first));
    let mut layout =
        lower.graph.lay_out(&roots).map_err(|found| fault(&strategy.name, strategy.span, found))?;
    let section = layout.take_section(0);
    let frames: Vec<FrameCode> = framed
        .into_iter()
        .map(|(length_ns, section)| FrameCode {
            length_ns,
            section: layout.take_section(section),
            held: layout.held.get(usize::from(section)).cloned().unwrap_or_default(),
        })
        .collect();
    for (_, section, code) in &mut parts.occasions {
        code.section = layout.take_section(*section);
    }
    parts.relocate(|node| layout.place(node));
    let cost = cost(&parts, &section, &frames, layout.registers_used);
    if let Some(over) = over_budget(&strategy.name, strategy.span, strategy.budget, cost.ops) {
        return Err(vec![over]);
    }
    let Parts { series, rules, quotes, cancels, memory, occasions } = parts;
    // With occasions only: nothing else reads what a step has said.
    let kept = if occasions.is_empty() { None } else { layout.held.first().cloned() };
    Ok(StrategyCode {
        trigger: strategy.trigger,
        rules,
        quotes,
        cancels,
        active: strategy.active,
        memory,
        occasions: occasions.into_iter().map(|(on, _, code)| (on, code)).collect(),
        kept: kept.unwrap_or_default(),
        reads: section.loads.iter().map(|load| load.input).collect(),
        section,
        series,
        frames,
        registers: layout.registers,
        cost,
        warmup: known,
        stability: settled,
    })
}

/// Lowers everything that a strategy says.
fn lowered<'a>(strategy: &'a Strategy, lower: &mut Lower<'a>) -> Parts {
    frames(strategy, lower);
    let mut declared = Vec::new();
    for step in &strategy.order {
        if let Step::Series(index) = *step
            && let Some(one) = strategy.series.get(index)
            && lower.series.get(index).is_some_and(Option::is_none)
        {
            let outer = lower.enter_frame(one.frame);
            let result = series(one, &mut declared, lower);
            lower.graph.go_to(outer);
            if let Some(slot) = lower.series.get_mut(index) {
                *slot = result;
            }
        }
    }
    let rules = strategy.rules.iter().map(|one| rule(one, lower)).collect();
    let quotes = strategy.quotes.iter().map(|one| quote(one, lower)).collect();
    let cancels = strategy.cancels.iter().map(|one| cancel(one, lower)).collect();
    let keeps = Keeps::of_strategy(strategy);
    let memory = memory::spec(keeps, lower);
    let mut occasions = Vec::new();
    for on in HEARD {
        if strategy.updates.iter().any(|update| update.on == on) {
            let section = lower.graph.add_section(1);
            let outer = lower.graph.go_to(section);
            occasions.push((on, section, memory::occasion(keeps, on, lower)));
            lower.graph.go_to(outer);
        }
    }
    Parts { series: declared, rules, quotes, cancels, memory, occasions }
}

/// Returns what a step and its occasions cost together.
fn cost(parts: &Parts, section: &Section, frames: &[FrameCode], registers: usize) -> Cost {
    let longer = frames.iter().map(|frame| &frame.section);
    let heard = parts.occasions.iter().map(|(_, _, code)| &code.section);
    let sections: Vec<&Section> = longer.chain(heard).chain([section]).collect();
    let sum = |of: fn(&Section) -> usize| {
        sections.iter().map(|section| of(section)).fold(0, usize::saturating_add)
    };
    let bytes = parts.series.iter().map(SeriesSpec::bytes);
    Cost {
        ops: sum(Section::ops),
        checked_ops: sum(Section::checked_ops),
        registers,
        state_bytes: bytes.fold(parts.memory.bytes(1), usize::saturating_add),
    }
}

impl Parts {
    /// Gives everything that is read after a step the registers of its nodes.
    fn relocate(&mut self, place: impl Fn(NodeId) -> u16) {
        self.rules.iter_mut().for_each(|rule| relocate(rule, &place));
        self.quotes.iter_mut().for_each(|quote| relocate_quote(quote, &place));
        for cancel in &mut self.cancels {
            [cancel.when, cancel.unless] = [cancel.when, cancel.unless].map(&place);
        }
        self.occasions.iter_mut().for_each(|(_, _, code)| memory::relocate(code, &place));
    }
}

/// Adds a section for each length of bars that is longer than the trigger's.
fn frames(strategy: &Strategy, lower: &mut Lower<'_>) {
    let Trigger::Bar(trigger) = strategy.trigger else { return };
    let series = strategy.series.iter().map(|series| series.frame);
    let lets = strategy.lets.iter().map(|named| named.frame);
    for length in series.chain(lets).flatten() {
        if lower.frames.iter().all(|(known, _)| *known != length) {
            let steps = u64::try_from(length.checked_div(trigger).unwrap_or(1)).unwrap_or(1);
            let section = lower.graph.add_section(steps);
            lower.frames.push((length, section));
        }
    }
}

/// Lowers a series to its result; its memory is added to what is `declared`.
fn series<'a>(
    series: &'a Series,
    declared: &mut Vec<SeriesSpec>,
    lower: &mut Lower<'a>,
) -> Option<Num> {
    let length = match &series.length {
        Some(length) => steps(length, lower)?,
        None => 1,
    };
    let spec = SeriesSpec { indicator: series.indicator, length };
    let first = series.inputs.first()?;
    match spec.indicator {
        Indicator::Crossover | Indicator::Crossunder => {
            let second = series.inputs.get(1)?;
            lower.same_asset(first, second);
            let (a, b) = (lower.lower(first), lower.lower(second));
            let over = spec.indicator == Indicator::Crossover;
            let compare = if over { Compare::Greater } else { Compare::Less };
            let input = lower.graph.compare(compare, a, b);
            Some(Num::plain(advanced(spec, &[input], declared, lower)?))
        }
        Indicator::Lag => {
            // Exact: what has a denominator keeps it.
            let now = lower.lower(first);
            let moves = |node: &NodeId| lower.graph.known(*node).is_none();
            let den = match now.den.filter(moves) {
                Some(den) => Some(advanced(spec, &[den], declared, lower)?),
                None => now.den,
            };
            Some(Num { num: advanced(spec, &[now.num], declared, lower)?, den, ..now })
        }
        Indicator::Sma
        | Indicator::Wma
        | Indicator::Ema
        | Indicator::Rma
        | Indicator::Rsi
        | Indicator::Tr
        | Indicator::Atr
        | Indicator::Vwap
        | Indicator::Highest
        | Indicator::Lowest
        | Indicator::Stdev
        | Indicator::Zscore => measured(spec, &series.inputs, declared, lower),
    }
}

/// Lowers a series of numbers.
fn measured<'a>(
    spec: SeriesSpec,
    written: &'a [Expr],
    declared: &mut Vec<SeriesSpec>,
    lower: &mut Lower<'a>,
) -> Option<Num> {
    let mut inputs = Vec::new();
    let mut scale = 0;
    for (nth, input) in written.iter().enumerate() {
        let coarsest = decimals(&input.unit, lower);
        let input = lower.lower(input);
        let finest = coarsest.saturating_add(FINER).min(SCALE_MAX).max(coarsest);
        let (input, own) = lower.graph.rounded(input, coarsest, finest);
        inputs.push(input);
        if nth == 0 {
            scale = own;
        }
    }
    let num = advanced(spec, &inputs, declared, lower)?;
    let whole = Num { num, den: None, scale };
    Some(match spec.indicator {
        Indicator::Sma => {
            let length = lower.graph.decimal(i128::from(spec.length), 0);
            lower.graph.quotient(whole, length)
        }
        Indicator::Wma => {
            let weights = lower.graph.decimal(Wma::weights(spec.length), 0);
            lower.graph.quotient(whole, weights)
        }
        Indicator::Rsi | Indicator::Zscore => Num { scale: i32::from(RATIO_SCALE), ..whole },
        Indicator::Ema | Indicator::Rma | Indicator::Atr | Indicator::Vwap | Indicator::Stdev => {
            Num { scale: scale.saturating_add(i32::from(FINER)), ..whole }
        }
        Indicator::Tr
        | Indicator::Highest
        | Indicator::Lowest
        | Indicator::Crossover
        | Indicator::Crossunder
        | Indicator::Lag => whole,
    })
}

/// Adds the step of a series to the graph.
fn advanced(
    spec: SeriesSpec,
    inputs: &[NodeId],
    declared: &mut Vec<SeriesSpec>,
    lower: &mut Lower<'_>,
) -> Option<NodeId> {
    let place = u16::try_from(declared.len()).ok()?;
    declared.push(spec);
    let behind = spec.warmup().saturating_sub(1);
    let added = Age { known: behind, settled: behind.saturating_add(spec.settling()) };
    let bounds = spec.range(lower.graph.bounds(*inputs.first()?));
    Some(lower.graph.series(place, inputs, bounds, added))
}

/// Returns the length of a series in steps.
fn steps<'a>(length: &'a Expr, lower: &mut Lower<'a>) -> Option<u32> {
    let number = lower.lower(length);
    let known = lower.graph.known(number.num).and_then(Value::number);
    let steps = known.filter(|steps| {
        number.den.is_none() && number.scale == 0 && (1..=SERIES_LENGTH_MAX).contains(steps)
    });
    if steps.is_none() {
        let message = format!("the length of a series is a constant from 1 to {SERIES_LENGTH_MAX}");
        let help = "write a whole number or a parameter";
        lower.found.push(Diagnostic::error("R0504", length.span, message).help(help));
    }
    u32::try_from(steps?).ok()
}

/// Returns decimals that an input of an indicator has at least when it is rounded.
fn decimals(unit: &Unit, lower: &Lower<'_>) -> u8 {
    match unit {
        Unit::Price => lower.binding.instrument.price_scale.decimals(),
        Unit::Qty => lower.binding.instrument.qty_scale.decimals(),
        Unit::Money(_) => MONEY_SCALE,
        Unit::Num => 6,
        Unit::Int | Unit::Bool | Unit::Duration | Unit::Time | Unit::Word(_) => 0,
    }
}

fn rule<'a>(rule: &'a StrategyRule, lower: &mut Lower<'a>) -> RuleCode {
    lower.enter(&rule.rule);
    let instrument = lower.binding.instrument;
    let cash = instrument.account_kind() == AccountKind::Cash;
    let shorts = !rule.exit && !rule.long;
    if shorts && cash && !rule.where_shortable {
        let message = format!("`enter short` cannot run on {}: a cash account", instrument.symbol);
        lower.found.push(
            Diagnostic::error("R0505", rule.rule.span, message)
                .help("write `where shortable`: the rule then never fires on a cash account"),
        );
    }
    let when = lower.condition(Some(&rule.when), true);
    let never = cash && shorts;
    RuleCode {
        code: rule.rule.code.clone(),
        span: rule.rule.span,
        exit: rule.exit,
        long: rule.long,
        tif: rule.tif,
        post_only: rule.post_only,
        at_market: rule.price.is_none(),
        where_shortable: rule.where_shortable,
        sized: rule.size.is_some(),
        has_ttl: rule.ttl.is_some(),
        when: if never { lower.graph.constant(Value::FALSE) } else { when },
        unless: lower.condition(rule.unless.as_ref(), false),
        size: rule.size.as_ref().map(|size| size_code(size, lower)),
        price: rule.price.as_ref().map(|price| on_tick(price, lower)),
        protect: rule.protect.as_ref().map(|band| read(band, RATE_SCALE, 1, lower)),
        ttl: rule.ttl.as_ref().map(|ttl| read(ttl, 0, 1, lower)),
        stop: rule.stop.as_ref().map(|stop| on_tick(stop, lower)),
        strength: rule.strength.as_ref().map(|strength| read(strength, RATE_SCALE, 1, lower)),
    }
}

fn quote<'a>(quote: &'a QuoteRule, lower: &mut Lower<'a>) -> QuoteCode {
    lower.enter(&quote.rule);
    let leg = |leg: &'a Option<(Expr, Expr)>, lower: &mut Lower<'a>| {
        leg.as_ref().map(|(price, size)| (on_tick(price, lower), amount_code(size, lower)))
    };
    QuoteCode {
        code: quote.rule.code.clone(),
        post_only: quote.post_only,
        has_ttl: quote.ttl.is_some(),
        when: lower.condition(Some(&quote.when), true),
        unless: lower.condition(quote.unless.as_ref(), false),
        bid: leg(&quote.bid, lower),
        ask: leg(&quote.ask, lower),
        ttl: quote.ttl.as_ref().map(|ttl| read(ttl, 0, 1, lower)),
        replace: quote.replace.as_ref().map(|replace| lower.condition(Some(replace), false)),
    }
}

fn cancel<'a>(cancel: &'a CancelRule, lower: &mut Lower<'a>) -> CancelCode {
    lower.enter(&cancel.rule);
    CancelCode {
        code: cancel.rule.code.clone(),
        when: lower.condition(Some(&cancel.when), true),
        unless: lower.condition(cancel.unless.as_ref(), false),
    }
}

/// Reads a price of an order: on the tick.
fn on_tick<'a>(price: &'a Expr, lower: &mut Lower<'a>) -> Readout {
    let instrument = lower.binding.instrument;
    let (scale, tick) = (instrument.price_scale, instrument.tick.0);
    read(price, scale.decimals(), i128::from(tick), lower)
}

fn size_code<'a>(size: &'a Size, lower: &mut Lower<'a>) -> SizeCode {
    match size {
        Size::Amount(amount) => amount_code(amount, lower),
        Size::Weight(share) => SizeCode::Weight(read(share, RATE_SCALE, 1, lower)),
        Size::Risk(share, _) => SizeCode::Risk(read(share, RATE_SCALE, 1, lower)),
    }
}

fn amount_code<'a>(size: &'a Expr, lower: &mut Lower<'a>) -> SizeCode {
    if matches!(size.unit, Unit::Money(_)) {
        lower.in_quote(size);
        return SizeCode::Money(read(size, MONEY_SCALE, 1, lower));
    }
    let instrument = lower.binding.instrument;
    let (scale, lot) = (instrument.qty_scale, instrument.lot.0);
    SizeCode::Qty(read(size, scale.decimals(), i128::from(lot), lower))
}

fn read<'a>(expr: &'a Expr, decimals: u8, step: i128, lower: &mut Lower<'a>) -> Readout {
    let number = lower.lower(expr);
    lower.graph.readout(number, decimals, step)
}

fn size_readout(size: &mut SizeCode) -> &mut Readout {
    match size {
        SizeCode::Qty(readout)
        | SizeCode::Money(readout)
        | SizeCode::Weight(readout)
        | SizeCode::Risk(readout) => readout,
    }
}

fn readouts(rule: &mut RuleCode) -> impl Iterator<Item = &mut Readout> {
    let size = rule.size.as_mut().map(size_readout);
    let terms = [&mut rule.price, &mut rule.protect, &mut rule.ttl];
    let terms = terms.into_iter().chain([&mut rule.stop, &mut rule.strength]);
    size.into_iter().chain(terms.flatten())
}

fn quote_readouts(quote: &mut QuoteCode) -> impl Iterator<Item = &mut Readout> {
    let legs = [&mut quote.bid, &mut quote.ask].into_iter().flatten();
    legs.flat_map(|(price, size)| [price, size_readout(size)]).chain(&mut quote.ttl)
}

fn relocate(rule: &mut RuleCode, place: impl Fn(NodeId) -> u16) {
    rule.when = place(rule.when);
    rule.unless = place(rule.unless);
    for readout in readouts(rule) {
        readout.relocate(&place);
    }
}

fn relocate_quote(quote: &mut QuoteCode, place: impl Fn(NodeId) -> u16) {
    [quote.when, quote.unless] = [quote.when, quote.unless].map(&place);
    quote.replace = quote.replace.map(&place);
    for readout in quote_readouts(quote) {
        readout.relocate(&place);
    }
}

/// Returns everything that is read after a step.
fn roots(rules: &[RuleCode], quotes: &[QuoteCode], cancels: &[CancelCode]) -> Vec<NodeId> {
    let mut roots = Vec::new();
    for rule in rules {
        roots.extend([rule.when, rule.unless]);
        readouts(&mut rule.clone()).for_each(|readout| memory::readout_roots(readout, &mut roots));
    }
    for quote in quotes {
        roots.extend([quote.when, quote.unless]);
        roots.extend(quote.replace);
        let mut copy = quote.clone();
        quote_readouts(&mut copy).for_each(|readout| memory::readout_roots(readout, &mut roots));
    }
    roots.extend(cancels.iter().flat_map(|cancel| [cancel.when, cancel.unless]));
    roots
}
