//! From text to the syntax tree, statement by statement.
//!
//! The grammar (`grammar.pest`) decides what a statement is; this module finds where one begins,
//! so that a file with several mistakes shows several errors, and goes on at the next statement
//! behind each. Nothing here panics, recurses without a limit or takes more than linear time,
//! whatever the text. Called by [`crate::check`].

use pest::Parser as _;

use crate::ast::{Block, File, Invariant, Item, Name, Statement, Test};
use crate::diagnostics::Diagnostic;
use crate::limits::{DIAGNOSTICS_MAX, FILE_BYTES_MAX, STATEMENT_BYTES_MAX};

/// From pairs of the grammar to statements.
mod build;
/// From an error of the grammar to one for people.
mod explain;
/// From pairs of the grammar to expressions.
mod expression;
/// What pest makes.
mod grammar;
/// Literals and their limits.
mod literal;
/// Tokens.
mod scan;
/// Near words.
pub(crate) mod suggest;
/// Statements of tests.
mod testing;

#[cfg(test)]
mod tests;

use build::Builder;
use grammar::{Grammar, Rule};
use scan::{Scan, TokenKind};

/// Words that cannot be names, as in `reserved` of the grammar; a test keeps both equal.
pub(crate) const RESERVED: &str = "rules risk strategy test invariant param state let series \
    update halt reduce_only deny require cap throttle cooldown warn enter exit quote cancel \
    applies active budget when held unless until for to per by burst after then message reset on \
    of every size weight price stop at_market protect post_only tif where ttl strength bid ask \
    replace and or not implies in is if else true false na given submit filled advance expect \
    feed bars times assume prove";

/// Tells whether a word is in a list of words between spaces.
pub(crate) fn is_in(list: &str, word: &str) -> bool {
    // By bytes: a search for the next space takes longer than a word has letters.
    list.as_bytes().split(|byte| *byte == b' ').any(|known| known == word.as_bytes())
}

/// What came out of one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The tree of everything that is right; only with no diagnostics it is the whole file.
    pub file: File,
    /// Syntax errors, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// The kinds of blocks, which differ in the statements they may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Risk,
    Strategy,
    Test,
    Invariant,
}

impl BlockKind {
    const ALL: [Self; 4] = [Self::Risk, Self::Strategy, Self::Test, Self::Invariant];

    /// The keyword of the item.
    pub(crate) const fn keyword(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Strategy => "strategy",
            Self::Test => "test",
            Self::Invariant => "invariant",
        }
    }

    /// The grammar's rules: the head, one statement, one statement with nothing behind it.
    const fn rules(self) -> [Rule; 3] {
        match self {
            Self::Risk => [Rule::risk_head, Rule::risk_stmt, Rule::whole_risk],
            Self::Strategy => [Rule::strat_head, Rule::strat_stmt, Rule::whole_strat],
            Self::Test => [Rule::test_head, Rule::test_stmt, Rule::whole_test],
            Self::Invariant => [Rule::claim_head, Rule::claim, Rule::whole_claim],
        }
    }

    /// The keywords that begin its statements.
    pub(crate) const fn statements(self) -> &'static str {
        match self {
            Self::Risk => {
                "applies param state update let budget halt reduce_only cap deny require \
                 throttle cooldown warn"
            }
            Self::Strategy => {
                "on active param state update let series budget enter exit quote cancel"
            }
            Self::Test => "given feed submit filled advance expect",
            Self::Invariant => "assume prove",
        }
    }

    /// Tells whether a word begins one of its statements.
    fn has(self, word: &str) -> bool {
        is_in(self.statements(), word)
    }
}

/// Parses the text of the source with this index.
#[must_use]
pub fn parse(source: u16, text: &str) -> Parsed {
    if text.len() > FILE_BYTES_MAX {
        let scan = Scan::new(source, "");
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        let fault = Diagnostic::error("R0110", scan.range(0, 0), message);
        return Parsed {
            diagnostics: vec![fault.help("split it: files are checked together")],
            ..Parsed::default()
        };
    }
    let mut scan = Scan::new(source, text);
    let faults = std::mem::take(&mut scan.faults);
    if !faults.is_empty() {
        return Parsed { diagnostics: faults, ..Parsed::default() };
    }
    let mut parser = Parser { scan: &scan, at: 0, diagnostics: Vec::new() };
    let file = parser.file();
    Parsed { file, diagnostics: parser.diagnostics }
}

/// Parses one expression that stands in a text at these bytes: a place in a message.
pub(crate) fn parse_expression(
    source: u16,
    text: &str,
    start: usize,
    end: usize,
) -> Option<crate::ast::Expr> {
    let inner = text.get(start..end)?;
    let mut scan = Scan::new(source, inner);
    if !scan.faults.is_empty() {
        return None;
    }
    for token in &mut scan.tokens {
        token.start = token.start.saturating_add(start);
        token.end = token.end.saturating_add(start);
    }
    let pair = Grammar::parse(Rule::expr, inner.trim_start()).ok()?.next()?;
    let offset = inner.len().saturating_sub(inner.trim_start().len());
    let complete = pair.as_span().end().saturating_add(offset) >= inner.trim_end().len();
    let base = start.saturating_add(offset);
    let mut builder = Builder { scan: &scan, base, fault: None };
    let expr = builder.expr(pair)?;
    (complete && builder.fault.is_none()).then_some(expr)
}

/// Goes over the tokens of one file.
struct Parser<'s, 't> {
    scan: &'s Scan<'t>,
    at: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Parser<'_, 't> {
    fn file(&mut self) -> File {
        self.header();
        let mut file = File::default();
        while self.at < self.scan.tokens.len() && !self.is_full() {
            let doc = self.docs();
            let word = self.scan.word(self.at);
            let kind = BlockKind::ALL.into_iter().find(|kind| kind.keyword() == word);
            match kind {
                Some(kind) => file.items.extend(self.item(kind, doc)),
                None => self.unknown_item(word, &doc),
            }
        }
        file
    }

    /// A file with very many errors is not read to the end.
    fn is_full(&self) -> bool {
        self.diagnostics.len() > DIAGNOSTICS_MAX.saturating_mul(2)
    }

    fn header(&mut self) {
        let scan = self.scan;
        let is_header = scan.word(0) == "rules" && scan.kind(1) == Some(TokenKind::Number);
        if !is_header {
            let fault = Diagnostic::error("R0101", scan.span(0), "a file begins with `rules 1`");
            self.diagnostics.push(fault.label("write `rules 1` before this"));
            self.at = usize::from(scan.word(0) == "rules");
            return;
        }
        if scan.word(1) != "1" {
            let message = format!("version {} of the language is not known", scan.word(1));
            let fault = Diagnostic::error("R0906", scan.span(1), message);
            self.diagnostics.push(fault.help("this program reads `rules 1`"));
        }
        self.at = 2;
    }

    /// Takes documentation comments.
    fn docs(&mut self) -> String {
        let mut doc = String::new();
        while self.scan.kind(self.at) == Some(TokenKind::Doc) {
            let line = self.scan.word(self.at).trim_start_matches('/').trim();
            if !doc.is_empty() {
                doc.push('\n');
            }
            doc.push_str(line);
            self.step();
        }
        doc
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn unknown_item(&mut self, word: &str, doc: &str) {
        let span = self.scan.span(self.at);
        if word.is_empty() {
            if !doc.is_empty() {
                self.diagnostics.push(misplaced_doc(self.scan.span(self.at.saturating_sub(1))));
            }
            return;
        }
        let fault = if word == "}" {
            Diagnostic::error("R0103", span, "nothing is open here")
                .label("one `}` too many, or a `{` is missing before")
        } else {
            let names = BlockKind::ALL.map(BlockKind::keyword);
            let fault = Diagnostic::error("R0102", span, format!("unknown item `{word}`"));
            match suggest::nearest(word, names) {
                Some(name) => fault.help(format!("did you mean `{name}`?")),
                None => fault.help("a file consists of risk, strategy, test and invariant items"),
            }
        };
        self.diagnostics.push(fault);
        self.step();
        while self.at < self.scan.tokens.len() && !self.is_item_start(self.at) {
            self.step();
        }
    }

    /// Tells whether an item begins at a token, for finding the way after an error.
    fn is_item_start(&self, index: usize) -> bool {
        let known = BlockKind::ALL.iter().any(|kind| kind.keyword() == self.scan.word(index));
        let next = self.scan.kind(index.saturating_add(1));
        known
            && self.scan.is_at_margin(index)
            && matches!(next, Some(TokenKind::Word | TokenKind::Text))
    }

    fn item(&mut self, kind: BlockKind, doc: String) -> Option<Item> {
        let start = self.at;
        let [head_rule, ..] = kind.rules();
        let head = match self.parse(head_rule) {
            Ok(pair) => Some(pair),
            Err(failure) => {
                self.diagnostics.push(failure.fault);
                if !self.skip_to_body() {
                    return None;
                }
                None
            }
        };
        let open = self.at.saturating_sub(1);
        let mut body = Body::default();
        loop {
            let doc = self.docs();
            let word = self.scan.word(self.at);
            let is_end = word == "}" && self.scan.kind(self.at) == Some(TokenKind::Sign);
            if is_end && !doc.is_empty() {
                self.diagnostics.push(misplaced_doc(self.scan.span(self.at.saturating_sub(1))));
            }
            if is_end {
                self.step();
                break;
            }
            if word.is_empty() || self.is_item_start(self.at) {
                let message = format!("this {} block is not closed", kind.keyword());
                let fault = Diagnostic::error("R0103", self.scan.span(open), message);
                let behind = self.scan.span(self.at.saturating_sub(1));
                self.diagnostics.push(
                    fault.label("opened here").also(behind, "a `}` must follow").help("write `}`"),
                );
                return None;
            }
            if self.is_full() {
                self.at = self.scan.tokens.len();
                return None;
            }
            self.statement(kind, doc, &mut body);
        }
        self.finish(kind, head?, doc, start, body)
    }

    /// Makes the item from its head and body.
    fn finish(
        &mut self,
        kind: BlockKind,
        head: Found<'_>,
        doc: String,
        start: usize,
        body: Body,
    ) -> Option<Item> {
        let builder = Builder { scan: self.scan, base: head.base, fault: None };
        let mut names: Vec<Name> = Vec::new();
        let mut hard = false;
        for pair in head.pair.into_inner() {
            let rule = pair.as_rule();
            if matches!(rule, Rule::ident | Rule::string) {
                names.push(builder.name(&pair));
            }
            hard = hard || rule == Rule::k_hard;
        }
        let mut names = names.into_iter();
        let name = names.next()?;
        let block = names.next();
        let statements = body.statements;
        Some(match kind {
            BlockKind::Risk => Item::Risk { block: Block { name, doc, statements }, hard },
            BlockKind::Strategy => Item::Strategy(Block { name, doc, statements }),
            BlockKind::Test => {
                Item::Test(Test { title: name, doc, block: block?, statements: body.test })
            }
            BlockKind::Invariant => {
                if body.proves.is_empty() {
                    let fault =
                        Diagnostic::error("R0106", self.scan.span(start), "nothing to prove");
                    self.diagnostics.push(fault.help("add a `prove` statement"));
                }
                let (assumes, proves) = (body.assumes, body.proves);
                Item::Invariant(Invariant { name, doc, block: block?, assumes, proves })
            }
        })
    }

    /// After a bad head: goes behind the `{` of the body, if there is one before the next item.
    fn skip_to_body(&mut self) -> bool {
        self.step();
        while self.at < self.scan.tokens.len() && !self.is_item_start(self.at) {
            let is_open = self.scan.word(self.at) == "{";
            if is_open || self.scan.word(self.at) == "}" {
                self.step();
                return is_open;
            }
            self.step();
        }
        false
    }

    fn statement(&mut self, kind: BlockKind, doc: String, body: &mut Body) {
        let [_, rule, _] = kind.rules();
        let start = self.at;
        let word = self.scan.word(start);
        if !kind.has(word) {
            self.diagnostics.push(self.unknown_statement(kind, word));
            self.resync(kind, start, start.saturating_add(1));
            return;
        }
        let found = match self.parse(rule) {
            Ok(found) => found,
            Err(failure) => {
                self.diagnostics.push(failure.fault);
                self.resync(kind, start, failure.at.max(start.saturating_add(1)));
                return;
            }
        };
        let mut builder = Builder { scan: self.scan, base: found.base, fault: None };
        body.add(kind, &mut builder, found.pair, doc);
        if let Some(fault) = builder.fault {
            self.diagnostics.push(fault);
        }
        self.expect_statement(kind, start);
    }

    /// Behind a statement another must begin, or the block ends.
    fn expect_statement(&mut self, kind: BlockKind, start: usize) {
        let next = self.scan.word(self.at);
        let is_fine = matches!(next, "" | "}")
            || self.scan.kind(self.at) == Some(TokenKind::Doc)
            || kind.has(next)
            || self.is_item_start(self.at);
        if is_fine {
            return;
        }
        let is_start = self.begins_statement(kind, self.at);
        let other = BlockKind::ALL.into_iter().any(|k| self.begins_statement(k, self.at));
        if other || is_start {
            return;
        }
        let at = self.at;
        let [_, _, whole] = kind.rules();
        self.at = start;
        let Err(failure) = self.parse(whole) else { return };
        self.at = at;
        // On a line of its own it is a statement with an unknown keyword, not the rest of this one.
        let is_word = self.scan.kind(at) == Some(TokenKind::Word);
        if failure.at == at && is_word && self.is_first_on_line(at) {
            return;
        }
        self.resync(kind, start, at.max(failure.at));
        self.diagnostics.push(failure.fault);
    }

    fn is_first_on_line(&self, index: usize) -> bool {
        let before =
            index.checked_sub(1).and_then(|i| self.scan.tokens.get(i)).map_or(0, |t| t.end);
        let start = self.scan.tokens.get(index).map_or(before, |t| t.start);
        self.scan.text.get(before..start).is_some_and(|gap| gap.contains('\n'))
    }

    fn unknown_statement(&self, kind: BlockKind, word: &str) -> Diagnostic {
        let span = self.scan.span(self.at);
        let owner = BlockKind::ALL.into_iter().find(|k| k.has(word));
        if let Some(owner) = owner {
            let message = format!("`{word}` cannot stand in a {} block", kind.keyword());
            return Diagnostic::error("R0120", span, message)
                .help(format!("it belongs in a {} block", owner.keyword()));
        }
        let fault = Diagnostic::error("R0102", span, format!("unknown statement `{word}`"));
        match suggest::nearest(word, kind.statements().split(' ')) {
            Some(name) => fault.help(format!("did you mean `{name}`?")),
            None => {
                let list = kind.statements().replace(' ', ", ");
                fault.help(format!("statements of a {} block: {list}", kind.keyword()))
            }
        }
    }

    /// Goes to the first token at or behind `from` where a statement plausibly begins, or to the
    /// end of the block; brackets count from the statement's own first token.
    fn resync(&mut self, kind: BlockKind, start: usize, from: usize) {
        let mut open = 0_usize;
        let mut index = start.saturating_add(1);
        while index < self.scan.tokens.len() {
            let is_sign = self.scan.kind(index) == Some(TokenKind::Sign);
            match self.scan.word(index) {
                "{" if is_sign => open = open.saturating_add(1),
                "}" if is_sign && open == 0 => break,
                "}" if is_sign => open = open.saturating_sub(1),
                _ if index < from => {}
                _ if self.is_item_start(index) => break,
                _ if open == 0 && self.begins_statement(kind, index) => break,
                _ if open == 0 && self.looks_like_statement(index) => break,
                _ if open == 0 && self.scan.kind(index) == Some(TokenKind::Doc) => break,
                _ => {}
            }
            index = index.saturating_add(1);
        }
        self.at = index;
    }

    /// Tells whether a token on a new line stands like a keyword that nobody knows.
    fn looks_like_statement(&self, index: usize) -> bool {
        let is_new = self.is_first_on_line(index) && !is_in(RESERVED, self.scan.word(index));
        let next = self.scan.kind(index.saturating_add(1));
        is_new && self.scan.kind(index) == Some(TokenKind::Word) && next == Some(TokenKind::Upper)
    }

    /// Tells whether a statement plausibly begins at a token, by the keyword and the token behind.
    fn begins_statement(&self, kind: BlockKind, index: usize) -> bool {
        let scan = self.scan;
        let word = scan.word(index);
        let next = index.saturating_add(1);
        let is_first = self.is_first_on_line(index);
        let after_dot = !is_first && index.checked_sub(1).is_some_and(|i| scan.word(i) == ".");
        if !kind.has(word) || after_dot || scan.word(next) == "." {
            return false;
        }
        let behind = scan.word(index.saturating_add(2));
        let shaped = match word {
            "param" | "state" => behind == ":",
            "let" | "series" | "update" => behind == "=",
            "applies" => scan.word(next) == "to",
            "on" => scan.kind(next) == Some(TokenKind::Word),
            "active" => scan.kind(next) == Some(TokenKind::Moment),
            "budget" | "advance" => scan.kind(next) == Some(TokenKind::Number),
            "enter" | "exit" => matches!(scan.word(next), "long" | "short"),
            "submit" | "filled" => matches!(scan.word(next), "buy" | "sell"),
            "given" | "expect" | "feed" | "assume" | "prove" => true,
            _ => scan.kind(next) == Some(TokenKind::Upper),
        };
        shaped || is_first
    }

    /// Parses one rule of the grammar at the present token and goes behind it.
    fn parse(&mut self, rule: Rule) -> Result<Found<'t>, Box<Failure>> {
        let scan = self.scan;
        let base = scan.tokens.get(self.at).map_or(scan.text.len(), |token| token.start);
        let mut end = base.saturating_add(STATEMENT_BYTES_MAX).min(scan.text.len());
        while !scan.text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let text = scan.text.get(base..end).unwrap_or("");
        match Grammar::parse(rule, text) {
            Ok(mut pairs) => match pairs.next() {
                Some(pair) => {
                    self.at = scan.index_at(base.saturating_add(pair.as_span().end()));
                    let end = scan.end_before(base.saturating_add(pair.as_span().end()));
                    self.at = self.at.min(scan.index_at(end));
                    Ok(Found { pair, base })
                }
                None => {
                    let fault = misplaced_doc(scan.span(self.at));
                    Err(Box::new(Failure { fault, at: self.at }))
                }
            },
            Err(error) => {
                let (mut fault, at) = explain::inside(scan, self.at, base, &error);
                let cut = scan.tokens.get(at).map_or(scan.text.len(), |token| token.end);
                if cut >= end && end < scan.text.len() {
                    let message = format!("a statement of more than {STATEMENT_BYTES_MAX} bytes");
                    fault = Diagnostic::error("R0110", scan.span(self.at), message);
                }
                Err(Box::new(Failure { fault, at }))
            }
        }
    }
}

/// A statement that does not parse, and the token at which reading stopped.
struct Failure {
    fault: Diagnostic,
    at: usize,
}

/// A match of the grammar, and where its text begins in the file.
struct Found<'t> {
    pair: pest::iterators::Pair<'t, Rule>,
    base: usize,
}

/// What the statements of one block gave.
#[derive(Default)]
struct Body {
    statements: Vec<Statement>,
    test: Vec<crate::ast::TestStatement>,
    assumes: Vec<crate::ast::Expr>,
    proves: Vec<crate::ast::Expr>,
}

impl Body {
    fn add(
        &mut self,
        kind: BlockKind,
        builder: &mut Builder<'_, '_>,
        pair: pest::iterators::Pair<'_, Rule>,
        doc: String,
    ) {
        match kind {
            BlockKind::Risk | BlockKind::Strategy => {
                self.statements.extend(builder.statement(pair, doc));
            }
            BlockKind::Test => self.test.extend(builder.test_statement(pair)),
            BlockKind::Invariant => {
                let Some(claim) = pair.into_inner().next() else { return };
                let is_proof = claim.as_rule() == Rule::prove;
                let claim = builder.expression_of(claim);
                if is_proof { self.proves.extend(claim) } else { self.assumes.extend(claim) }
            }
        }
    }
}

fn misplaced_doc(span: crate::span::Span) -> Diagnostic {
    Diagnostic::error("R0109", span, "a documentation comment documents nothing")
        .help("write it before an item or a statement, or as `//`")
}
