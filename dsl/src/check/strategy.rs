//! Types a strategy.

use model::order::TimeInForce;
use model::symbol::Symbol;

use crate::ast::{self, Block, OptionKind, OrderOption, StatementKind};
use crate::diagnostics::{Diagnostic, Severity};
use crate::limits::TIMER_NS_MIN;
use crate::span::Span;
use crate::typed::{
    CancelRule, Expr, ExprKind, Let, Occasion, QuoteRule, Size, Step, Strategy, StrategyRule,
    Trigger, Unit,
};

use super::block::{add_let, announce, once, params};
use super::expr::{Place, Typing};
use super::memory::{self, Written};
use super::names::Owner;
use super::risk::Reported;
use super::scope::{Binding, Scope};
use super::units::describe;

/// What wakes a strategy, and on which symbols.
type Wake = (Trigger, Vec<(Symbol, Span)>);

/// Types a strategy; returns its names too, for lints.
#[expect(clippy::wildcard_enum_match_arm, reason = "the grammar refuses what is of risk blocks")]
pub(super) fn strategy<'t>(
    block: &Block,
    text: &'t str,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Option<Strategy>, Scope<'t>) {
    let mut scope = Scope::new(Owner::Strategy, text);
    announce(block, &mut scope, diagnostics);
    let wake = wake(block, &mut scope, diagnostics);
    params(block, &mut scope, diagnostics);
    memory::states(block, &mut scope, diagnostics);
    let (mut budget, mut active) = (None, None);
    let (mut rules, mut quotes, mut cancels) = (Vec::new(), Vec::new(), Vec::new());
    for statement in &block.statements {
        let (doc, span) = (statement.doc.as_str(), statement.span);
        match &statement.kind {
            StatementKind::Let { name, value } => {
                add_let(name, value, Place::Strategy, &mut scope, diagnostics);
            }
            StatementKind::Series { name, value, on } => {
                add_series(name, value, on.as_ref(), &mut scope, diagnostics);
            }
            StatementKind::Budget(operations) => {
                once(&mut budget, *operations, span, "budget", diagnostics);
            }
            StatementKind::Order(order) => {
                let mut typing = Typing::new(&mut scope, diagnostics, Place::Strategy);
                rules.extend(typing.order(order, doc, span));
            }
            StatementKind::Active { from, to } => {
                diagnostics.extend((from == to).then(|| no_time(span)));
                once(&mut active, (*from, *to), span, "active", diagnostics);
            }
            StatementKind::Update { name, value, on, filter } => {
                let written = Written { name, value, on, filter, span };
                memory::update(&written, &mut scope, diagnostics);
            }
            StatementKind::Quote { code, filter, legs, options, replace } => {
                let mut typing = Typing::new(&mut scope, diagnostics, Place::Strategy);
                let written = Quote { code, filter, legs, options, replace: replace.as_ref() };
                quotes.extend(typing.quote(&written, doc, span));
            }
            StatementKind::Cancel { code, filter } => {
                let mut typing = Typing::new(&mut scope, diagnostics, Place::Strategy);
                cancels.extend(typing.cancel(code, filter, doc, span));
            }
            // Done before, or refused by the grammar in a strategy.
            _ => {}
        }
    }
    if let Some((trigger, _)) = &wake {
        own_trigger(*trigger, &scope, diagnostics);
    }
    let typed = wake.map(|(trigger, symbols)| Strategy {
        name: block.name.text.clone(),
        trigger,
        symbols,
        params: scope.params.clone(),
        series: scope.series.clone(),
        lets: scope.lets.clone(),
        order: scope.order.clone(),
        states: scope.states.clone(),
        updates: scope.updates.clone(),
        active: active.map(|(window, _)| window),
        rules,
        quotes,
        cancels,
        budget: budget.map(|(operations, _)| operations),
        doc: block.doc.clone(),
        span: block.name.span,
    });
    (typed, scope)
}

/// A window in which nothing could ever be opened.
fn no_time(span: Span) -> Diagnostic {
    Diagnostic::error("R0333", span, "a window of no time")
        .help("from and to differ; leave `active` out for always")
}

/// Refuses updates on a trigger that is not the strategy's own.
fn own_trigger(trigger: Trigger, scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let own = match trigger {
        Trigger::Bar(_) => Occasion::Bar,
        Trigger::Book(_) => Occasion::Book,
        Trigger::Trade => Occasion::Trade,
        Trigger::Timer(_) => Occasion::Timer,
    };
    let market = [Occasion::Bar, Occasion::Book, Occasion::Trade, Occasion::Timer];
    for update in scope.updates.iter().filter(|update| market.contains(&update.on)) {
        if update.on != own {
            let word = update.on.word();
            let message = format!("this strategy does not wake on `{word}`");
            let fault = Diagnostic::error("R0320", update.span, message);
            diagnostics.push(fault.help(format!("write `on {}`: its trigger", own.word())));
        }
    }
}

/// Types the one trigger of a strategy.
fn wake(block: &Block, scope: &mut Scope<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Wake> {
    let mut found: Option<(Option<Wake>, Span)> = None;
    for statement in &block.statements {
        let StatementKind::Trigger { event, length, symbols, every } = &statement.kind else {
            continue;
        };
        let mut typing = Typing::new(scope, diagnostics, Place::Strategy);
        let trigger = typing.trigger(event, length.as_ref(), every.as_ref());
        let symbols = typing.symbols(symbols);
        // Bars are known to be there also when the length is wrong: one mistake, one message.
        scope.on_bars = scope.on_bars || event.text == "bar";
        if let Some(Trigger::Bar(length)) = trigger {
            scope.bar_ns = Some(length);
        }
        scope.symbols = symbols.iter().map(|(symbol, _)| symbol.clone()).collect();
        let wake = trigger.map(|trigger| (trigger, symbols));
        once(&mut found, wake, statement.span, "on", diagnostics);
    }
    if found.is_none() {
        scope.on_bars = true;
        let message = format!("strategy `{}` does not say what wakes it", block.name.text);
        let fault = Diagnostic::error("R0307", block.name.span, message);
        diagnostics
            .push(fault.help("add `on bar 1m of BTC_USDT`, `on trade of ...` or `on book of ...`"));
    }
    found.and_then(|(wake, _)| wake)
}

/// Types `series name = f(...)`, perhaps on longer bars.
fn add_series(
    name: &ast::Name,
    value: &ast::Expr,
    on: Option<&ast::Spanned<i64>>,
    scope: &mut Scope<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut typing = Typing::new(scope, diagnostics, Place::Strategy);
    let Some((value, frame)) = typing.series(value, on) else {
        scope.bind(&name.text, Binding::Broken, name.span);
        return;
    };
    let binding = if let ExprKind::Series(index) = value.kind {
        // A call that an expression above hoisted is the same series under a better name.
        if let Some(series) = scope.series.get_mut(index) {
            series.name.clone_from(&name.text);
            series.span = name.span;
        }
        Binding::Series(index)
    } else {
        let index = scope.lets.len();
        scope.lets.push(Let { name: name.text.clone(), value, frame, span: name.span });
        scope.reaches.push(None);
        scope.order.push(Step::Let(index));
        Binding::Let(index)
    };
    scope.bind(&name.text, binding, name.span);
}

/// The options of one order.
#[derive(Default)]
struct Options {
    size: Option<Size>,
    price: Option<Expr>,
    protect: Option<Expr>,
    ttl: Option<Expr>,
    stop: Option<Expr>,
    strength: Option<Expr>,
    tif: TimeInForce,
    post_only: bool,
    where_shortable: bool,
}

/// A quote as written.
struct Quote<'a> {
    code: &'a ast::Name,
    filter: &'a ast::Filter,
    legs: &'a [(bool, ast::Expr, ast::Expr)],
    options: &'a [OrderOption],
    replace: Option<&'a ast::Expr>,
}

impl Typing<'_, '_> {
    /// Types the value of a series, and returns the length of the longer bars that it is of.
    fn series(
        &mut self,
        value: &ast::Expr,
        on: Option<&ast::Spanned<i64>>,
    ) -> Option<(Expr, Option<i64>)> {
        let frame = match on {
            // Bars of the trigger's own length are those of the trigger.
            Some(on) => {
                Some(self.frame_length(on)?).filter(|_| self.scope.bar_ns != Some(on.value))
            }
            None => None,
        };
        self.frame = frame;
        let typed = self.infer(value);
        self.frame = None;
        let typed = typed?;
        let is_constant = !matches!(typed.kind, ExprKind::Series(_) | ExprKind::Let(_))
            && self.scope.fields(&typed).is_empty();
        if is_constant {
            let fault = Diagnostic::error("R0314", value.span, "a series that never changes");
            return self.fail(fault.help("use `param` or `let` for constants"));
        }
        Some((typed, frame))
    }

    /// Checks `on 15m`: whole bars of the trigger make one.
    fn frame_length(&mut self, on: &ast::Spanned<i64>) -> Option<i64> {
        let Some(bar) = self.scope.bar_ns else {
            if self.scope.on_bars {
                return None;
            }
            let fault = Diagnostic::error("R0330", on.span, "longer bars are made of bars");
            return self.fail(fault.help("wake the strategy `on bar`"));
        };
        if on.value <= 0 || on.value.checked_rem(bar) != Some(0) {
            let fault = Diagnostic::error(
                "R0330",
                on.span,
                "no multiple of the bar that wakes the strategy",
            );
            return self.fail(fault.help("bars of whole numbers of that length can be built"));
        }
        Some(on.value)
    }

    fn trigger(
        &mut self,
        event: &ast::Name,
        length: Option<&ast::Spanned<i64>>,
        every: Option<&ast::Spanned<i64>>,
    ) -> Option<Trigger> {
        if let Some(every) = every
            && event.text != "book"
        {
            let fault = Diagnostic::error("R0312", every.span, "`every` belongs to `on book`");
            return self.fail(fault.help("bars and trades are never left out"));
        }
        match (event.text.as_str(), length) {
            ("bar", Some(length)) if length.value > 0 => Some(Trigger::Bar(length.value)),
            ("bar", Some(length)) => {
                self.fail(Diagnostic::error("R0312", length.span, "a bar has a length above zero"))
            }
            ("bar", None) => {
                let fault = Diagnostic::error("R0312", event.span, "`on bar` needs a length");
                self.fail(fault.help("write `on bar 1m of ...`"))
            }
            ("book" | "trade", Some(length)) => {
                let message = format!("`on {}` has no length", event.text);
                let fault = Diagnostic::error("R0312", length.span, message);
                self.fail(fault.help("write `on book of ... every 50ms` to be woken less often"))
            }
            ("book", None) => Some(Trigger::Book(every.map_or(0, |every| every.value))),
            ("trade", None) => Some(Trigger::Trade),
            ("timer", Some(length)) if length.value >= TIMER_NS_MIN => {
                Some(Trigger::Timer(length.value))
            }
            ("timer", Some(length)) => {
                let message = "a timer has a length of a millisecond at least";
                self.fail(Diagnostic::error("R0312", length.span, message))
            }
            ("timer", None) => {
                let fault = Diagnostic::error("R0312", event.span, "`on timer` needs a length");
                self.fail(fault.help("write `on timer 5s of ...`"))
            }
            (word, _) => {
                let message = format!("`{word}` wakes no strategy");
                let fault = Diagnostic::error("R0312", event.span, message);
                self.fail(
                    fault.help("one of bar, book, trade, timer; `update` hears of the others"),
                )
            }
        }
    }

    fn symbols(&mut self, names: &[ast::Name]) -> Vec<(Symbol, Span)> {
        let mut symbols: Vec<(Symbol, Span)> = Vec::new();
        for name in names {
            let Some(symbol) = self.symbol(name) else { continue };
            if symbols.iter().any(|(known, _)| *known == symbol) {
                let message = format!("`{symbol}` stands twice");
                self.diagnostics.push(Diagnostic::error("R0206", name.span, message));
                continue;
            }
            symbols.push((symbol, name.span));
        }
        symbols
    }

    /// Types an `enter` or `exit`.
    fn order(&mut self, written: &ast::OrderRule, doc: &str, span: Span) -> Option<StrategyRule> {
        let rule = self.rule_name(&written.code, doc, None, span);
        let when = self.condition(&written.when);
        let unless = self.optional(written.unless.as_ref());
        let errors = self.diagnostics.len();
        self.check_options(written, span);
        let mut options = Options::default();
        for option in &written.options {
            self.option(option, written, &mut options);
        }
        let found = self.diagnostics.iter().skip(errors);
        if found.into_iter().any(|found| found.severity == Severity::Error) {
            return None;
        }
        Some(StrategyRule {
            rule,
            exit: written.exit,
            long: written.long,
            when: when?,
            unless: unless.ok()?,
            size: options.size,
            price: options.price,
            protect: options.protect,
            tif: options.tif,
            post_only: options.post_only,
            ttl: options.ttl,
            stop: options.stop,
            strength: options.strength,
            where_shortable: options.where_shortable,
        })
    }

    /// Checks which options stand together.
    fn check_options(&mut self, written: &ast::OrderRule, span: Span) {
        let mut seen: Vec<(&str, Span)> = Vec::new();
        for option in &written.options {
            let word = option_word(&option.kind);
            // `size risk r stop p` brings its own stop; prices exclude each other.
            let place = seen.iter().find(|(known, _)| *known == word).map(|(_, place)| *place);
            if let Some(first) = place {
                let message = format!("a second `{word}`");
                let fault = Diagnostic::error("R0308", option.span, message);
                self.diagnostics.push(fault.also(first, "the first stands here"));
            }
            seen.push((word, option.span));
        }
        let find = |word: &str| seen.iter().find(|(known, _)| *known == word).map(|(_, s)| *s);
        if let (Some(price), Some(market)) = (find("price"), find("at_market")) {
            let message = "`price` and `at_market` exclude each other";
            self.diagnostics
                .push(Diagnostic::error("R0311", market, message).also(price, "the price"));
        }
        if let (Some(market), Some(ttl)) = (find("at_market"), find("ttl")) {
            let message = "an `at_market` order never rests: `ttl` means nothing";
            self.diagnostics
                .push(Diagnostic::error("R0311", ttl, message).also(market, "at market"));
        }
        if let (Some(market), Some(rests)) = (find("at_market"), find("post_only")) {
            let message = "an `at_market` order takes: `post_only` contradicts it";
            self.diagnostics
                .push(Diagnostic::error("R0311", rests, message).also(market, "at market"));
        }
        if let (Some(tif), Some(rests)) = (find("tif"), find("post_only"))
            && written
                .options
                .iter()
                .any(|option| matches!(&option.kind, OptionKind::Tif(word) if word.text != "gtc"))
        {
            let message = "what must not rest cannot be `post_only`";
            self.diagnostics.push(Diagnostic::error("R0311", rests, message).also(tif, "the tif"));
        }
        if written.exit {
            for word in ["strength", "stop"] {
                if let Some(place) = find(word) {
                    let message = format!("`{word}` belongs to `enter`");
                    self.diagnostics.push(Diagnostic::error("R0311", place, message));
                }
            }
            for option in &written.options {
                if matches!(option.kind, OptionKind::SizeWeight(_) | OptionKind::SizeRisk(..)) {
                    let message = "an exit closes a quantity: shares of capital belong to `enter`";
                    self.diagnostics.push(Diagnostic::error("R0311", option.span, message));
                }
            }
            return;
        }
        let enter = super::block::keyword(span, "enter");
        if find("size").is_none() {
            let fault = Diagnostic::error("R0310", enter, "`enter` does not say how much");
            self.diagnostics.push(fault.help("add `size 500 USDT` or another size"));
        }
        if find("price").is_none() && find("at_market").is_none() {
            let fault = Diagnostic::error("R0310", enter, "`enter` does not say at what price");
            self.diagnostics.push(fault.help("add `price ...` or `at_market`"));
        }
    }

    fn option(&mut self, option: &OrderOption, written: &ast::OrderRule, typed: &mut Options) {
        match &option.kind {
            OptionKind::Size(size) => typed.size = self.size(size).map(Size::Amount),
            OptionKind::Price(price) => {
                typed.price = self.expect(price, &Unit::Price, "the price of an order");
            }
            OptionKind::AtMarket(band) => {
                typed.protect =
                    band.as_ref().and_then(|band| self.expect(band, &Unit::Num, "a protect band"));
            }
            OptionKind::Ttl(ttl) => typed.ttl = self.time_to_live(ttl),
            OptionKind::Tif(word) => {
                typed.tif = match word.text.as_str() {
                    "ioc" => TimeInForce::Ioc,
                    "fok" => TimeInForce::Fok,
                    _ => TimeInForce::Gtc,
                };
            }
            OptionKind::Shortable if written.exit || written.long => {
                let message = "`where shortable` belongs to `enter short`";
                self.diagnostics.push(Diagnostic::error("R0311", option.span, message));
            }
            OptionKind::Shortable => typed.where_shortable = true,
            OptionKind::SizeWeight(share) => {
                typed.size = self.expect(share, &Unit::Num, "a weight").map(Size::Weight);
            }
            OptionKind::SizeRisk(share, stop) => {
                let share = self.expect(share, &Unit::Num, "a share of the capital");
                let stop = self.expect(stop, &Unit::Price, "a stop");
                typed.stop.clone_from(&stop);
                typed.size = share.zip(stop).map(|(share, stop)| Size::Risk(share, stop));
            }
            OptionKind::Stop(stop) => {
                let stop = self.expect(stop, &Unit::Price, "a stop");
                if typed.stop.is_some() {
                    let message = "`size risk ... stop` has given the stop";
                    self.diagnostics.push(Diagnostic::error("R0308", option.span, message));
                }
                typed.stop = stop;
            }
            OptionKind::PostOnly => typed.post_only = true,
            OptionKind::Strength(strength) => {
                typed.strength = self.expect(strength, &Unit::Num, "a strength");
            }
        }
    }

    /// Types a `quote`.
    fn quote(&mut self, written: &Quote<'_>, doc: &str, span: Span) -> Option<QuoteRule> {
        let rule = self.rule_name(written.code, doc, None, span);
        let when = self.optional(written.filter.when.as_ref());
        let when = self.truth_of(when, span);
        let unless = self.optional(written.filter.unless.as_ref());
        let (mut bid, mut ask) = (None, None);
        for (is_bid, price, size) in written.legs {
            let side = if *is_bid { &mut bid } else { &mut ask };
            let place = price.span;
            let typed = (self.expect(price, &Unit::Price, "the price of a leg"), self.size(size));
            if side.replace(typed).is_some() {
                let message = format!("a second {}", if *is_bid { "bid" } else { "offer" });
                let fault = Diagnostic::error("R0308", place, message);
                self.diagnostics.push(fault.help("another quote may have it"));
            }
        }
        let (mut ttl, mut post_only) = (None, false);
        for option in written.options {
            match &option.kind {
                OptionKind::PostOnly => post_only = true,
                OptionKind::Ttl(life) => ttl = Some(self.time_to_live(life)),
                // The grammar has no other option here.
                OptionKind::Size(_)
                | OptionKind::SizeWeight(_)
                | OptionKind::SizeRisk(..)
                | OptionKind::Stop(_)
                | OptionKind::Price(_)
                | OptionKind::AtMarket(_)
                | OptionKind::Tif(_)
                | OptionKind::Strength(_)
                | OptionKind::Shortable => {}
            }
        }
        let replace = self.optional(written.replace);
        let leg = |typed: Option<(Option<Expr>, Option<Expr>)>| match typed {
            None => Some(None),
            Some((price, size)) => price.zip(size).map(Some),
        };
        Some(QuoteRule {
            rule,
            when: when?,
            unless: unless.ok()?,
            bid: leg(bid)?,
            ask: leg(ask)?,
            ttl: match ttl {
                Some(life) => Some(life?),
                None => None,
            },
            post_only,
            replace: replace.ok()?,
        })
    }

    /// Types a `cancel`.
    fn cancel(
        &mut self,
        code: &ast::Name,
        filter: &ast::Filter,
        doc: &str,
        span: Span,
    ) -> Option<CancelRule> {
        let rule = self.rule_name(code, doc, None, span);
        let when = self.optional(filter.when.as_ref());
        let when = self.truth_of(when, span);
        let unless = self.optional(filter.unless.as_ref());
        Some(CancelRule { rule, when: when?, unless: unless.ok()? })
    }

    /// The grammar demands a condition.
    fn truth_of(&mut self, when: Result<Option<Expr>, Reported>, span: Span) -> Option<Expr> {
        match when {
            Ok(Some(when)) => Some(when),
            Ok(None) => self.fail(Diagnostic::error("R0107", span, "a condition is missing")),
            Err(Reported) => None,
        }
    }

    /// Types a time to live, which must be some time.
    fn time_to_live(&mut self, ttl: &ast::Expr) -> Option<Expr> {
        let typed = self.expect(ttl, &Unit::Duration, "a time to live")?;
        if self.may_be_nothing(&typed) {
            let fault = Diagnostic::error("R0318", typed.span, "may be zero or less");
            let help = "leave `ttl` out for an order that rests until cancelled";
            return self.fail(fault.help(help));
        }
        Some(typed)
    }

    /// A size is a quantity, or money at the order's price.
    fn size(&mut self, size: &ast::Expr) -> Option<Expr> {
        let mut typed = self.infer(size)?;
        if let Unit::Money(crate::typed::Asset::Named(asset)) = &typed.unit
            && self.is_base(asset)
        {
            self.adapt(&mut typed, &Unit::Qty);
        }
        if matches!(typed.unit, Unit::Qty | Unit::Money(_)) && typed.kind != ExprKind::Na {
            return Some(typed);
        }
        let found = describe(&typed.unit);
        let message = format!("a size is a quantity or money, not {found}");
        let fault = Diagnostic::error("R0207", typed.span, message);
        self.fail(fault.label(found).help("write `size 500 USDT` or `size 3 lots`"))
    }
}

const fn option_word(kind: &OptionKind) -> &'static str {
    match kind {
        OptionKind::Size(_) | OptionKind::SizeWeight(_) | OptionKind::SizeRisk(..) => "size",
        OptionKind::Stop(_) => "stop",
        OptionKind::Price(_) => "price",
        OptionKind::AtMarket(_) => "at_market",
        OptionKind::PostOnly => "post_only",
        OptionKind::Tif(_) => "tif",
        OptionKind::Ttl(_) => "ttl",
        OptionKind::Strength(_) => "strength",
        OptionKind::Shortable => "where",
    }
}
