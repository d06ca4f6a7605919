//! Splits a text into tokens, before the grammar sees it.
//!
//! The tokens serve everything that the grammar cannot do: finding the next statement after an
//! error, counting nesting before anything recurses, refusing characters that look like others,
//! and telling what stands at the place of an error. Called by [`super`] only.

use crate::diagnostics::Diagnostic;
use crate::limits::NESTING_MAX;
use crate::span::Span;

use super::{RESERVED, is_in};

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Begins with a lower-case letter.
    Word,
    /// Begins with a capital: code, asset, symbol.
    Upper,
    /// Begins with a digit.
    Number,
    /// Text in quotes.
    Text,
    /// `///` comment.
    Doc,
    /// Moment: begins with `@`.
    Moment,
    /// Anything else.
    Sign,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it looks like.
    pub(crate) kind: TokenKind,
    /// First byte.
    pub(crate) start: usize,
    /// Byte behind the last one.
    pub(crate) end: usize,
}

/// A text in tokens.
#[derive(Debug)]
pub(crate) struct Scan<'t> {
    /// The text.
    pub(crate) text: &'t str,
    /// Index of the source.
    pub(crate) source: u16,
    /// Tokens in order.
    pub(crate) tokens: Vec<Token>,
    /// What must not stand in a file at all.
    pub(crate) faults: Vec<Diagnostic>,
}

/// Two-character signs, also those of other languages: an error points at the whole of it.
const PAIRS: [&str; 11] = ["..", "<=", ">=", "==", "!=", "??", "=>", "=<", "<>", "&&", "||"];

/// Words that continue an expression: they do not end the counting of `if`.
const EXPRESSION_WORDS: &str = "and or not implies in is if then else true false na";

impl<'t> Scan<'t> {
    /// Splits a text.
    pub(crate) fn new(source: u16, text: &'t str) -> Self {
        let mut scan = Self { text, source, tokens: Vec::new(), faults: Vec::new() };
        let mut at = 0;
        while at < text.len() {
            at = scan.token(at);
        }
        scan.count_nesting();
        scan
    }

    /// Returns the text of a token; nothing behind the last one.
    pub(crate) fn word(&self, index: usize) -> &'t str {
        self.tokens.get(index).and_then(|t| self.text.get(t.start..t.end)).unwrap_or("")
    }

    /// Returns the kind of a token.
    pub(crate) fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// Returns the place of a token; behind the last one, the end of the text.
    pub(crate) fn span(&self, index: usize) -> Span {
        match self.tokens.get(index) {
            Some(token) => self.range(token.start, token.end),
            None => {
                let end = self.tokens.last().map_or(0, |token| token.end);
                self.range(end, end)
            }
        }
    }

    /// Returns a place from bytes.
    pub(crate) fn range(&self, start: usize, end: usize) -> Span {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { source: self.source, start: number(start), end: number(end) }
    }

    /// Returns the index of the first token that ends behind a byte.
    pub(crate) fn index_at(&self, byte: usize) -> usize {
        self.tokens.partition_point(|token| token.end <= byte)
    }

    /// Returns the end of the last token that ends at or before a byte: what the grammar matched
    /// may reach over spaces and comments behind it.
    pub(crate) fn end_before(&self, byte: usize) -> usize {
        let count = self.tokens.partition_point(|token| token.end <= byte);
        count.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(byte, |token| token.end)
    }

    /// Tells whether a token is the first on its line, at the very left.
    pub(crate) fn is_at_margin(&self, index: usize) -> bool {
        let Some(token) = self.tokens.get(index) else { return false };
        token.start == 0
            || self.text.as_bytes().get(token.start.saturating_sub(1)).is_some_and(|b| *b == b'\n')
    }

    /// Reads one token, comment or run of spaces and returns where the next begins.
    fn token(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or("");
        let Some(first) = rest.chars().next() else { return self.text.len() };
        let mut kind = TokenKind::Sign;
        let length = match first {
            ' ' | '\t' | '\r' | '\n' => return at.saturating_add(1),
            '/' if rest.starts_with("//") => {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.check_hidden(at, at.saturating_add(length));
                if !rest.starts_with("///") {
                    return at.saturating_add(length);
                }
                kind = TokenKind::Doc;
                rest.get(..length).unwrap_or(rest).trim_end().len()
            }
            '"' => {
                kind = TokenKind::Text;
                self.text_length(at, rest)
            }
            'a'..='z' | '_' => {
                kind = TokenKind::Word;
                run(rest, |c| c.is_ascii_alphanumeric() || c == '_')
            }
            'A'..='Z' => {
                kind = TokenKind::Upper;
                run(rest, |c| c.is_ascii_alphanumeric() || c == '_')
            }
            '0'..='9' => {
                kind = TokenKind::Number;
                number_length(rest)
            }
            '@' => {
                kind = TokenKind::Moment;
                let length = run(rest.get(1..).unwrap_or(""), |c| {
                    c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '.')
                });
                let end = length.saturating_add(1);
                rest.get(..end).and_then(|text| text.find("..")).unwrap_or(end)
            }
            '!'..='~' => PAIRS.iter().find(|pair| rest.starts_with(**pair)).map_or(1, |p| p.len()),
            _ => return self.refuse(at, first),
        };
        let end = at.saturating_add(length.max(1));
        self.tokens.push(Token { kind, start: at, end });
        end
    }

    /// Returns the length of a text in quotes; one that does not end on its line is a fault.
    fn text_length(&mut self, at: usize, rest: &str) -> usize {
        let mut escaped = false;
        for (offset, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => {
                    let span = self.range(at, at.saturating_add(offset));
                    let fault = Diagnostic::error("R0116", span, "text does not end on its line");
                    self.faults.push(fault.label("begins here").help("close it with `\"`"));
                    return offset;
                }
                '"' if !escaped => {
                    self.check_hidden(at, at.saturating_add(offset));
                    return offset.saturating_add(1);
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        let span = self.range(at, self.text.len());
        let fault = Diagnostic::error("R0116", span, "text does not end on its line");
        self.faults.push(fault.label("begins here").help("close it with `\"`"));
        rest.len()
    }

    /// Refuses a character that may stand only in texts and comments.
    fn refuse(&mut self, at: usize, c: char) -> usize {
        let end = at.saturating_add(c.len_utf8());
        let message = format!("character U+{:04X} cannot stand here", u32::from(c));
        let fault = Diagnostic::error("R0115", self.range(at, end), message)
            .help("outside texts and comments a file has ASCII characters only");
        self.faults.push(fault);
        end
    }

    /// Refuses characters that make a text read differently from what it says.
    fn check_hidden(&mut self, start: usize, end: usize) {
        let text = self.text.get(start..end).unwrap_or("");
        for (offset, c) in text.char_indices().filter(|(_, c)| is_hidden(*c)) {
            let at = start.saturating_add(offset);
            let span = self.range(at, at.saturating_add(c.len_utf8()));
            let message = format!("character U+{:04X} hides how a text reads", u32::from(c));
            self.faults.push(Diagnostic::error("R0115", span, message).help("remove it"));
        }
    }

    /// Refuses what is nested deeper than the grammar may recurse. Brackets count while open, an
    /// `if` until a keyword that cannot stand inside an expression.
    fn count_nesting(&mut self) {
        let mut open = 0_usize;
        let mut ifs = 0_usize;
        for index in 0..self.tokens.len() {
            match (self.kind(index), self.word(index)) {
                (Some(TokenKind::Sign), "(" | "[" | "{") => open = open.saturating_add(1),
                (Some(TokenKind::Sign), ")" | "]" | "}") => open = open.saturating_sub(1),
                (Some(TokenKind::Word), "if") => ifs = ifs.saturating_add(1),
                (Some(TokenKind::Word), word)
                    if is_in(RESERVED, word)
                        && !is_in(EXPRESSION_WORDS, word)
                        && self.word(index.saturating_add(1)) != "."
                        && index.checked_sub(1).is_none_or(|i| self.word(i) != ".") =>
                {
                    ifs = 0;
                }
                _ => {}
            }
            if open.saturating_add(ifs) > NESTING_MAX {
                let message = format!("nested deeper than {NESTING_MAX}");
                let fault = Diagnostic::error("R0105", self.span(index), message);
                self.faults.push(fault.help("name parts of it with `let`"));
                return;
            }
        }
    }
}

fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Digits, letters behind them, and a point with a digit: also what is no number, as one token.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at.saturating_add(1));
        let part = byte.is_ascii_alphanumeric()
            || *byte == b'_'
            || (*byte == b'.' && next.is_some_and(u8::is_ascii_digit))
            || (*byte == b'%' && at > 0);
        if !part {
            break;
        }
        at = at.saturating_add(1);
    }
    at
}

/// Control characters and marks that reorder, join or hide text.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\r' | '\n'))
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
