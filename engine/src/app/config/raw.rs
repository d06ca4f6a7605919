//! Values as they were written, with their places: TOML, and the words of shells.

use std::ops::Range;

use dsl::span::Span;
use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// A text.
    Text(String),
    /// A number, digit by digit.
    Number(String),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Self>),
    /// What no key takes, by its name.
    Other(&'static str),
}

/// A value with its path and its places.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The parts of its key.
    pub(super) path: Vec<String>,
    /// The value.
    pub(super) raw: Raw,
    /// Where the last part of the key stands.
    pub(super) key: Span,
    /// Where the value stands.
    pub(super) value: Span,
}

impl Raw {
    /// Returns what it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(what) => what,
        }
    }

    /// Returns it as TOML writes it.
    pub(super) fn toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::toml).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Other(what) => (*what).to_owned(),
        }
    }

    /// Returns it as JSON; numbers are texts, digit by digit, as everywhere.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Text(text) | Self::Number(text) => json!(text),
            Self::Flag(flag) => json!(flag),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Other(what) => json!(what),
        }
    }

    /// Reads what a shell hands over: a value of TOML, or else the text itself.
    pub(super) fn word(text: &str) -> Self {
        match DeValue::parse(text) {
            Ok(value) => match Self::of(value.get_ref()) {
                // Dates and tables are meant as the words they are.
                Some(Self::Other(_)) | None => Self::Text(text.to_owned()),
                Some(raw) => raw,
            },
            Err(_) => Self::Text(text.to_owned()),
        }
    }

    /// Returns a value of TOML; none for a table.
    fn of(value: &DeValue<'_>) -> Option<Self> {
        Some(match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Self::Number(number.as_str().to_owned())
            }
            DeValue::Integer(_) => Self::Other("a number that is not decimal"),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Array(items) => {
                let item = |item: &toml::Spanned<DeValue<'_>>| Self::of(item.get_ref());
                let item = |one| item(one).unwrap_or(Self::Other("a table"));
                Self::List(items.iter().map(item).collect())
            }
            DeValue::Table(_) => return None,
        })
    }
}

/// Returns a text as TOML writes it; JSON's escapes are TOML's too.
pub(super) fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Returns a key as TOML writes it.
pub(super) fn dotted(path: &[String]) -> String {
    let part = |part: &String| {
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !part.is_empty() && part.bytes().all(is_bare) { part.clone() } else { quoted(part) }
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// Returns a range of bytes as a span of a source.
pub(super) fn place(source: u16, range: Range<usize>) -> Span {
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    Span { source, start: at(range.start), end: at(range.end) }
}

/// Walks a table. Each table is shown to `enter`, which decides whether to
/// go into it; every other value is an entry.
pub(super) fn walk(
    table: &DeTable<'_>,
    source: u16,
    path: &mut Vec<String>,
    enter: &mut impl FnMut(&[String], Span) -> bool,
    entries: &mut Vec<Entry>,
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let (at, span) = (place(source, key.span()), place(source, value.span()));
        match value.get_ref() {
            DeValue::Table(inner) => {
                if enter(path, at) {
                    walk(inner, source, path, enter, entries);
                }
            }
            other => {
                let raw = Raw::of(other).unwrap_or(Raw::Other("a table"));
                entries.push(Entry { path: path.clone(), raw, key: at, value: span });
            }
        }
        path.pop();
    }
}
