//! From an error of the grammar to one for people.
//!
//! pest says at which byte no rule went on and which rules it tried. That is turned into what was
//! forgotten, in the words of the language: first the mistakes that people make most (another
//! language's words and signs, a unit in lower case), then what the grammar asked for, last a
//! plain list. Called by [`super`] for each statement that does not parse.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 190 rules; each match picks those of one place"
)]

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::diagnostics::Diagnostic;

use super::expression::is_expression;
use super::grammar::Rule;
use super::scan::{Scan, TokenKind};
use super::suggest::nearest;
use super::{RESERVED, is_in};

/// What other languages write, and what to write here.
const FOREIGN: [(&str, &str); 13] = [
    ("&&", "and"),
    ("||", "or"),
    ("!", "not"),
    ("=", "=="),
    ("=>", ">="),
    ("=<", "<="),
    ("<>", "!="),
    ("^", "and` or `or"),
    ("&", "and"),
    ("|", "or"),
    ("%", "mod(a, b)"),
    (";", ""),
    ("'", "\""),
];

/// Words that may stand behind an expression.
const CLAUSES: &str = "when unless held then message and or not implies in is to per by burst size \
    price stop at_market post_only tif ttl strength where until on reset replace bid ask else \
    require deny cap halt reduce_only enter exit let param series throttle cooldown warn";

/// Explains what no rule could read inside the statement that begins at `start`; also returns the
/// token at which reading stopped.
pub(super) fn inside(
    scan: &Scan<'_>,
    start: usize,
    base: usize,
    error: &Error<Rule>,
) -> (Diagnostic, usize) {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => base.saturating_add(at),
    };
    let wanted: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let place = Place { scan, start, at: scan.index_at(at).max(start), wanted };
    (place.explain(), place.at)
}

/// The place of an error.
struct Place<'a, 't> {
    scan: &'a Scan<'t>,
    /// First token of the statement.
    start: usize,
    /// Token that does not fit.
    at: usize,
    /// What the grammar would have read.
    wanted: &'a [Rule],
}

impl Place<'_, '_> {
    fn explain(&self) -> Diagnostic {
        self.lexical()
            .or_else(|| self.foreign())
            .or_else(|| self.chained())
            .or_else(|| self.condition())
            .or_else(|| self.head())
            .or_else(|| self.slip())
            .or_else(|| self.named())
            .or_else(|| self.expression())
            .or_else(|| self.bracket())
            .unwrap_or_else(|| self.plain())
    }

    fn word(&self) -> &str {
        self.scan.word(self.at)
    }

    fn before(&self) -> usize {
        self.at.saturating_sub(1).max(self.start)
    }

    /// Tells whether an expression could stand here. pest names the outermost rule that failed.
    fn wants_expression(&self) -> bool {
        self.wanted.iter().any(|rule| is_expression(*rule))
    }

    fn is_end(&self) -> bool {
        self.scan.kind(self.at).is_none()
    }

    fn wants(&self, rule: Rule) -> bool {
        self.wanted.contains(&rule)
    }

    fn fault(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.scan.span(self.at), message)
    }

    /// Numbers and units that are nearly right.
    fn lexical(&self) -> Option<Diagnostic> {
        let scan = self.scan;
        let before = self.before();
        let (word, number) = (self.word(), scan.word(before));
        let is_behind_number = self.at > self.start && scan.kind(before) == Some(TokenKind::Number);
        if is_behind_number && scan.kind(self.at) == Some(TokenKind::Word) {
            let span = scan.span(before).to(scan.span(self.at));
            if let Some(unit) = nearest(word, ["ticks", "lots"]) {
                let fault = Diagnostic::error("R0108", span, format!("`{word}` is no unit"));
                return Some(fault.help(format!("write `{number} {unit}`")));
            }
            let upper = word.to_ascii_uppercase();
            let plausible = (2..=10).contains(&word.len()) && !word.contains('_');
            let is_slip = nearest(word, self.known_words()).is_some();
            if plausible && !is_slip && !is_in(RESERVED, word) && !is_in(CLAUSES, word) {
                let fault = Diagnostic::error("R0108", span, format!("`{word}` is no asset"));
                let help = format!("assets are upper case: write `{number} {upper}`");
                return Some(fault.label("a number and its unit").help(help));
            }
        }
        if is_behind_number && word == "%" {
            let span = scan.span(before).to(scan.span(self.at));
            let fault = Diagnostic::error("R0113", span, "`%` stands right behind its number");
            return Some(fault.help(format!("write `{number}%`")));
        }
        if is_behind_number && word == "." {
            let span = scan.span(before).to(scan.span(self.at));
            let fault = Diagnostic::error("R0113", span, "a digit must follow the point");
            return Some(fault.help(format!("write `{number}.0`")));
        }
        let next = scan.word(self.at.saturating_add(1));
        if word == "." && next.starts_with(|c: char| c.is_ascii_digit()) {
            let span = scan.span(self.at).to(scan.span(self.at.saturating_add(1)));
            let fault = Diagnostic::error("R0113", span, "a digit must stand before the point");
            return Some(fault.help(format!("write `0.{next}`")));
        }
        self.malformed_number()
    }

    /// `1__0`, `1_`, `1m30s`, `5usdt`.
    fn malformed_number(&self) -> Option<Diagnostic> {
        if self.scan.kind(self.at) != Some(TokenKind::Number) || self.can_be_number() {
            return None;
        }
        let word = self.word();
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
        let help = if word.contains("__") || digits.ends_with('_') {
            "`_` stands between two digits".to_owned()
        } else if digits.contains(|c: char| c.is_ascii_alphabetic()) {
            "a duration has one unit: write `90s` for 1m30s".to_owned()
        } else {
            let unit = word.get(digits.len()..).unwrap_or("").to_ascii_uppercase();
            format!("units: % bps ns us ms s m h d; an asset follows a space: `{digits} {unit}`")
        };
        Some(self.fault("R0113", format!("`{word}` is not a number")).help(help))
    }

    /// Tells whether the token is a number as it should be: then something else is wrong.
    fn can_be_number(&self) -> bool {
        let word = self.word();
        let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase() || c == '%');
        let unit = word.get(digits.len()..).unwrap_or("");
        let clean = digits
            .split(['_', '.'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        clean && (unit.is_empty() || is_in("% bps ns us ms s m h d", unit))
    }

    /// Signs and words of other languages.
    fn foreign(&self) -> Option<Diagnostic> {
        let word = self.word();
        if self.scan.kind(self.at) != Some(TokenKind::Sign) || self.wants(Rule::s_equal) {
            return None;
        }
        // `a = = b`, `x =< y` and an assignment inside a condition.
        let (_, ours) = FOREIGN.iter().find(|(sign, _)| *sign == word)?;
        let fault = self.fault("R0111", format!("`{word}` is not a sign of this language"));
        Some(match word {
            ";" => fault.help("a statement ends where the next keyword begins"),
            _ => fault.help(format!("write `{ours}`")),
        })
    }

    /// `a < b < c`, `a implies b implies c`.
    fn chained(&self) -> Option<Diagnostic> {
        let word = self.word();
        let is_comparison = matches!(word, "<" | "<=" | ">" | ">=" | "==" | "!=" | "in" | "is");
        let at_expression = self.wants_expression() || self.wants(Rule::k_when);
        if at_expression || !(is_comparison || word == "implies") {
            return None;
        }
        let fault = self.fault("R0112", format!("`{word}` does not chain"));
        Some(if is_comparison {
            fault.help("write `a < b and b < c`, or `b in a..c`")
        } else {
            fault.help("use brackets: `a implies (b implies c)`")
        })
    }

    /// `deny CODE if ...`: the condition is missing, or begins with another word.
    fn condition(&self) -> Option<Diagnostic> {
        let is_only = self
            .wanted
            .iter()
            .all(|rule| matches!(rule, Rule::k_when | Rule::k_until | Rule::k_for | Rule::latch));
        if !self.wants(Rule::k_when) || !is_only {
            return None;
        }
        let statement = self.scan.word(self.start);
        let is_near = nearest(self.word(), ["when", "until", "for"]).is_some();
        if is_near || (self.scan.kind(self.at) == Some(TokenKind::Word) && self.in_wanted()) {
            return None;
        }
        let is_if = matches!(self.word(), "if" | "where" | "while" | "on");
        let is_word = self.scan.kind(self.at) == Some(TokenKind::Word) && !self.is_keyword();
        let at = if is_if || is_word { self.at } else { self.before() };
        let message = format!("`{statement}` needs a condition");
        let label = if is_if { "write `when`" } else { "`when` and a condition must follow" };
        let label = if is_word && !is_if { "write `when` before it" } else { label };
        Some(Diagnostic::error("R0107", self.scan.span(at), message).label(label))
    }

    fn in_wanted(&self) -> bool {
        self.wanted.iter().any(|rule| is_in(words(*rule), self.word()))
    }

    fn is_keyword(&self) -> bool {
        is_in(RESERVED, self.word())
    }

    /// Heads of blocks.
    fn head(&self) -> Option<Diagnostic> {
        if self.wants(Rule::k_hard) {
            let fault = Diagnostic::error(
                "R0114",
                self.scan.span(self.before()),
                "a risk block says `hard` or `soft`",
            );
            return Some(fault.label("one of them must follow").help(
                "`hard`: a reload that loosens a limit needs approvals; `soft`: it needs none",
            ));
        }
        if self.wants(Rule::k_else) {
            let fault = self.expected_at("R0121", "`if` needs an `else`");
            return Some(fault.help("an expression has a value in both cases"));
        }
        None
    }

    /// Words that the grammar knows at this place.
    fn known_words(&self) -> Vec<&'static str> {
        let words = self.wanted.iter().flat_map(|rule| words(*rule).split(' '));
        words.filter(|word| !word.is_empty()).collect()
    }

    /// A slip of the hand in a word that the grammar knows at this place.
    fn slip(&self) -> Option<Diagnostic> {
        if self.scan.kind(self.at) != Some(TokenKind::Word) {
            return None;
        }
        let word = self.word();
        let known = self.known_words();
        let expects_name = self.wants(Rule::ident) || self.wants(Rule::word);
        if expects_name || known.contains(&word) {
            return None;
        }
        let fault = self.fault("R0102", format!("unknown word `{word}`"));
        if let Some(name) = nearest(word, known.iter().copied()) {
            return Some(fault.help(format!("did you mean `{name}`?")));
        }
        let choices =
            self.wanted.iter().map(|rule| words(*rule)).find(|list| list.contains(' '))?;
        Some(fault.help(format!("one of: {}", choices.replace(' ', ", "))))
    }

    /// A name or a code that cannot be one.
    fn named(&self) -> Option<Diagnostic> {
        let word = self.word();
        let kind = self.scan.kind(self.at);
        let wants_expression = self.wants_expression();
        if self.wants(Rule::ident) && !wants_expression {
            if kind == Some(TokenKind::Word) && self.is_keyword() {
                let fault = self.fault("R0104", format!("`{word}` is a reserved word"));
                return Some(fault.label("a name must stand here").help("choose another name"));
            }
            if kind == Some(TokenKind::Upper) {
                let fault = self.fault("R0104", format!("`{word}` is no name"));
                let lower = word.to_ascii_lowercase();
                return Some(fault.help(format!("names are lower case: write `{lower}`")));
            }
        }
        if self.wants(Rule::code) && kind == Some(TokenKind::Word) {
            let fault = self.fault("R0122", format!("`{word}` is no reason code"));
            let help = if self.is_keyword() {
                "a reason code such as `MAX_ORDER` must stand here".to_owned()
            } else {
                format!("reason codes are upper case: write `{}`", word.to_ascii_uppercase())
            };
            return Some(fault.help(help));
        }
        None
    }

    /// An expression that ends too early.
    fn expression(&self) -> Option<Diagnostic> {
        if !self.wants_expression() {
            return None;
        }
        let before = self.scan.word(self.before());
        if self.scan.kind(self.at) == Some(TokenKind::Upper) {
            let fault = self.fault("R0106", format!("`{}` is no value", self.word()));
            return Some(fault.label("an expression must stand here"));
        }
        let fault = self.expected_at("R0106", format!("an expression must follow `{before}`"));
        Some(match (self.word(), self.is_keyword()) {
            ("", _) | (_, false) => fault,
            (_, true) if self.is_later() => fault,
            (word, true) => fault.help(format!("`{word}` is a reserved word and no value")),
        })
    }

    /// A bracket that is never closed.
    fn bracket(&self) -> Option<Diagnostic> {
        let mut open: Vec<usize> = Vec::new();
        for index in self.start..self.at {
            match self.scan.word(index) {
                "(" | "[" => open.push(index),
                ")" | "]" => {
                    open.pop();
                }
                _ => {}
            }
        }
        let index = open.pop()?;
        let is_over = self.is_end() || self.word() == "}" || self.is_keyword();
        if self.wants(Rule::integer) || !(is_over || self.is_later()) {
            return None;
        }
        let message = format!("`{}` is not closed", self.scan.word(index));
        let fault = Diagnostic::error("R0103", self.scan.span(index), message);
        Some(fault.label("opened here").also(self.scan.span(self.before()), "still open here"))
    }

    fn plain(&self) -> Diagnostic {
        let mut names: Vec<String> = self.wanted.iter().map(|rule| describe(*rule)).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        let word = self.word();
        let found = if self.is_end() { "the file ends".to_owned() } else { format!("`{word}`") };
        if names.is_empty() || names.len() > 6 {
            let fault = self.expected_at("R0117", format!("{found} cannot stand here"));
            return fault.help(format!("see how `{}` is written", self.scan.word(self.start)));
        }
        let list = names.join(", ");
        self.expected_at("R0117", format!("expected {list}, found {found}"))
    }

    /// Points at the token, or, when that is on a later line or not there, behind the one before.
    fn expected_at(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        if self.is_end() || self.is_later() {
            let before = self.scan.span(self.before());
            return Diagnostic::error(code, before, message).label("behind this");
        }
        self.fault(code, message)
    }

    /// Tells whether the token stands on a later line than the one before.
    fn is_later(&self) -> bool {
        let before = self.scan.span(self.before());
        let here = self.scan.span(self.at);
        let gap =
            usize::try_from(before.end).unwrap_or(0)..usize::try_from(here.start).unwrap_or(0);
        self.scan.text.get(gap).is_some_and(|gap| gap.contains('\n'))
    }
}

/// The words that a rule of the grammar reads, between spaces; none: it reads no fixed words.
fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::latch_end => "manual day_end clear",
        Rule::action_name => "cancel_orders flatten notify",
        Rule::type_ => "int num bool price qty money percent duration time",
        Rule::period => "never daily weekly",
        Rule::event => "bar book trade order fill closed reject timer",
        Rule::flow => "orders messages fills cancels rejects",
        Rule::scope => "symbol strategy account venue side",
        Rule::side_ => "long short",
        Rule::tif_kind => "gtc ioc fok",
        Rule::shortable => "shortable",
        Rule::bs => "buy sell",
        Rule::given_symbol => "instrument market book quote feed venue position symbol",
        Rule::given_plain => "account control",
        _ => keyword(rule),
    }
}

/// The keyword of a keyword's rule.
fn keyword(rule: Rule) -> &'static str {
    KEYWORDS.iter().find(|(known, _)| *known == rule).map_or("", |(_, word)| word)
}

macro_rules! keywords {
    ($($rule:ident $word:literal),* $(,)?) => {
        /// Keywords that an error may suggest.
        const KEYWORDS: &[(Rule, &str)] = &[$((Rule::$rule, $word),)*];
    };
}

keywords! {
    k_when "when", k_held "held", k_unless "unless", k_until "until", k_for "for", k_to "to",
    k_per "per", k_by "by", k_burst "burst", k_after "after", k_then "then", k_message "message",
    k_reset "reset", k_on "on", k_of "of", k_every "every", k_size "size", k_price "price",
    k_ttl "ttl", k_strength "strength", k_weight "weight", k_stop "stop", k_protect "protect",
    k_post_only "post_only", k_tif "tif", k_where "where", k_at_market "at_market",
    k_latch "latch", k_ends "ends", k_value "value", k_qty "qty", k_notional "notional",
    k_risk "risk", k_all "all", k_hard "hard", k_soft "soft", k_strategy "strategy", k_ops "ops",
    k_and "and", k_or "or", k_not "not", k_implies "implies", k_in "in", k_is "is", k_else "else",
    k_bid "bid", k_ask "ask", k_replace "replace", k_deny "deny", k_approve "approve",
    k_state "state", k_no "no", k_signal "signal", k_quote "quote", k_at "at", k_with "with",
    k_bars "bars", k_volume "volume", k_times "times",
}

/// A rule of the grammar in words.
fn describe(rule: Rule) -> String {
    let fixed = match rule {
        Rule::ident | Rule::word => "a name",
        Rule::code => "a reason code",
        Rule::asset => "an asset",
        Rule::symbol | Rule::symbols => "a symbol such as BTC_USDT",
        Rule::number | Rule::integer | Rule::bars => "a number",
        Rule::string => "a text in quotes",
        Rule::duration => "a duration such as 2s",
        Rule::tod => "a time such as @09:30",
        Rule::type_ => "a type",
        Rule::side_ => "`long` or `short`",
        Rule::bs => "`buy` or `sell`",
        Rule::range => "a range such as 1..10",
        Rule::s_colon => "`:`",
        Rule::s_equal => "`=`",
        Rule::s_open => "`{`",
        Rule::s_close => "`}`",
        Rule::s_left | Rule::args => "`(`",
        Rule::s_right => "`)`",
        Rule::s_until => "`..`",
        Rule::s_index => "`]`",
        _ => "",
    };
    match (fixed, words(rule)) {
        ("", "") => String::new(),
        ("", list) => format!("`{}`", list.replace(' ', "`, `")),
        (fixed, _) => fixed.to_owned(),
    }
}
