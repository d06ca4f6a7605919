//! The effective configuration with its origins, the default file, and the schema.

use serde_json::{Map, Value as Json, json};

use super::keys::{KEYS, Key, SECTIONS, find, is_open};
use super::kind::Kind;
use super::layers::{Layer, Layers};
use super::raw::{Raw, dotted};

/// A key with its value and its origin.
#[derive(Debug)]
pub(super) struct Row {
    key: String,
    /// None where the key has no value.
    value: Option<Raw>,
    origin: Origin,
    meaning: &'static str,
}

#[derive(Debug)]
enum Origin {
    /// Nothing was stated.
    Default,
    /// A file, line and column from 1.
    File(String, u32, u32),
    /// A variable.
    Environment(String),
    /// `--set`.
    Option(String),
}

impl Row {
    /// Returns the row as a line of TOML.
    pub(super) fn line(&self, origin: bool) -> String {
        let Self { key, value, meaning, .. } = self;
        let Some(value) = value else { return format!("# {key}: {meaning}") };
        let line = format!("{key} = {}", value.toml());
        if !origin {
            return line;
        }
        let from = match &self.origin {
            Origin::Default => "default".to_owned(),
            Origin::File(file, line, column) => format!("{file}:{line}:{column}"),
            Origin::Environment(name) => name.clone(),
            Origin::Option(name) => format!("--set {name}"),
        };
        format!("{line:<44} # {from}")
    }

    fn json(&self) -> Json {
        let value = self.value.as_ref().map(Raw::json);
        let mut row = json!({ "key": self.key, "value": value });
        let (origin, rest) = match &self.origin {
            Origin::Default => ("default", json!({})),
            Origin::File(file, line, column) => {
                ("file", json!({ "file": file, "line": line, "column": column }))
            }
            Origin::Environment(name) => ("environment", json!({ "variable": name })),
            Origin::Option(_) => ("set", json!({})),
        };
        if let (Some(row), Json::Object(rest)) = (row.as_object_mut(), rest) {
            row.insert("origin".to_owned(), json!(origin));
            row.extend(rest);
        }
        row
    }
}

/// Returns every key, in the order of the table; of an open one each that is stated.
pub(super) fn rows(layers: &Layers) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in KEYS {
        let fits = |path: &[String]| find(path).is_some_and(|found| found.path == key.path);
        let stated = layers.entries.iter().filter(|entry| fits(&entry.path));
        let before = rows.len();
        rows.extend(stated.map(|entry| Row {
            key: dotted(&entry.path),
            value: Some(entry.raw.clone()),
            origin: origin(layers, entry),
            meaning: key.meaning,
        }));
        let open = key.path.split('.').any(is_open);
        // A table in place of a value has rows of its own.
        let parts = key.path.split('.').count();
        let is_table = |entry: &super::raw::Entry| {
            entry.path.len() > parts
                && entry.path.iter().zip(key.path.split('.')).all(|(a, b)| a == b)
        };
        let table = layers.entries.iter().any(is_table);
        if rows.len() == before && !open && !table {
            rows.push(Row {
                key: key.path.to_owned(),
                value: key.default.map(Raw::word),
                origin: Origin::Default,
                meaning: key.meaning,
            });
        }
    }
    rows
}

fn origin(layers: &Layers, entry: &super::raw::Entry) -> Origin {
    let index = usize::from(entry.value.source);
    let Some((source, layer)) = layers.faults.sources.get(index).zip(layers.layers.get(index))
    else {
        return Origin::Default;
    };
    let name = || source.text.split('=').next().unwrap_or_default().to_owned();
    match layer {
        Layer::File(_) => {
            let (line, column) = source.position(entry.key.start);
            Origin::File(source.name.clone(), line, column)
        }
        Layer::Environment => Origin::Environment(name()),
        Layer::Option => Origin::Option(dotted(&entry.path)),
    }
}

/// Returns the rows as the object that `--json` prints.
pub(super) fn rows_json(rows: &[Row], hash: &str) -> Json {
    json!({ "keys": rows.iter().map(Row::json).collect::<Vec<_>>(), "hash": hash })
}

/// Returns the hash of the effective configuration: each key that has a value, a line each.
pub(super) fn hash(layers: &Layers) -> String {
    let mut hasher = blake3::Hasher::new();
    for row in rows(layers) {
        if row.value.is_some() {
            hasher.update(row.line(false).as_bytes());
            hasher.update(b"\n");
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// Returns a file with every key as a comment: its meaning, its range and its default.
pub(super) fn default_file() -> String {
    let mut text = String::from(
        "# Configuration of a session. Every line here is what holds without it.\n\
         # Over a file count variables (SLUICE__DATA__SEED=7), and over those --set data.seed=7.\n\
         # Values have their units: \"250ms\", \"5bps\", \"30%\", \"5_000 USDT\", \"16MiB\".\n\
         # Paths are relative to this file. Secrets never stand here.\n\
         #:schema sluice.schema.json   (made by: engine config schema)\n",
    );
    for (section, what) in SECTIONS {
        let rows = KEYS.iter().filter(|key| above(key) == *section);
        let rows: Vec<&Key> = rows.collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n# {what}\n"));
        if !section.is_empty() {
            let example = example(section);
            let off = if example == *section { "" } else { "# " };
            text.push_str(&format!("{off}[{example}]\n"));
        }
        for key in rows {
            let last = example(key.path.rsplit('.').next().unwrap_or_default());
            // The value of a path that is a section's own key may itself be a dotted one.
            let own = key.path.strip_prefix(section).unwrap_or(key.path).trim_start_matches('.');
            let own = if own.contains('.') { example(own) } else { last };
            text.push_str(&format!("# {}\n#   {}\n", key.meaning, key.kind.expected()));
            match key.default {
                Some(default) => text.push_str(&format!("{own} = {default}\n")),
                None => text.push_str(&format!("# {own} =\n")),
            }
        }
    }
    text
}

/// Returns the longest section that a key stands in.
fn above(key: &Key) -> &'static str {
    let inside =
        |section: &&str| key.path.strip_prefix(*section).is_some_and(|rest| rest.starts_with('.'));
    let sections = SECTIONS.iter().map(|(section, _)| *section);
    sections.filter(inside).max_by_key(|section| section.len()).unwrap_or("")
}

/// Returns a path with examples in place of open parts.
fn example(path: &str) -> String {
    path.replace("<asset>.via", "USD.via")
        .replace("<asset>.fixed", "USDC.fixed")
        .replace("<asset>", "USDT")
        .replace("<strategy>", "crossover")
        .replace("<symbol>", "\"binance:BTC_USDT.PERP\"")
}

/// Returns the JSON Schema of a file.
pub(super) fn schema() -> Json {
    let mut root = section();
    for key in KEYS {
        let parts: Vec<&str> = key.path.split('.').collect();
        place(&mut root, &parts, property(key));
    }
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of engine",
    });
    if let (Some(schema), Json::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
    }
    schema
}

fn section() -> Json {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// Puts a property where its path says.
fn place(at: &mut Json, parts: &[&str], property: Json) {
    let Some((first, rest)) = parts.split_first() else { return };
    let Some(object) = at.as_object_mut() else { return };
    if is_open(first) {
        let known = object.get("additionalProperties").is_some_and(Json::is_object);
        if !known {
            object.insert("additionalProperties".to_owned(), section());
        }
        let Some(inner) = object.get_mut("additionalProperties") else { return };
        if rest.is_empty() {
            *inner = property;
        } else {
            place(inner, rest, property);
        }
        return;
    }
    let Some(Json::Object(properties)) = object.get_mut("properties") else { return };
    if rest.is_empty() {
        properties.insert((*first).to_owned(), property);
        return;
    }
    let inner = properties.entry((*first).to_owned()).or_insert_with(section);
    // A value that may be a table instead.
    if let Some(inner) = inner.as_object_mut()
        && !inner.contains_key("properties")
    {
        inner.insert("type".to_owned(), json!(["string", "object"]));
        inner.insert("properties".to_owned(), json!({}));
        inner.insert("additionalProperties".to_owned(), json!(false));
    }
    place(inner, rest, property);
}

fn property(key: &Key) -> Json {
    let mut property = Map::new();
    let text = format!("{}; {}", key.meaning, key.kind.expected());
    property.insert("description".to_owned(), json!(text));
    if let Some(default) = key.default {
        property.insert("default".to_owned(), typed(key.kind, &Raw::word(default)));
    }
    let rest = match key.kind {
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Symbols | Kind::Paths | Kind::Files | Kind::Tiers => {
            json!({ "type": ["string", "array"], "items": { "type": "string" } })
        }
        Kind::Cores => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        Kind::Speed | Kind::Amount | Kind::Rate | Kind::Fact => {
            json!({ "type": ["string", "number"] })
        }
        Kind::Asset
        | Kind::FeeAsset
        | Kind::Symbol
        | Kind::Path
        | Kind::Duration { .. }
        | Kind::Share { .. }
        | Kind::Capital
        | Kind::Segment
        | Kind::Wait
        | Kind::DayStart => json!({ "type": "string" }),
    };
    if let Json::Object(rest) = rest {
        property.extend(rest);
    }
    Json::Object(property)
}

/// Returns a default as JSON of the kind's own type.
fn typed(kind: Kind, raw: &Raw) -> Json {
    match (kind, raw) {
        (Kind::Count { .. }, Raw::Number(text)) => {
            text.replace('_', "").parse::<u64>().map_or(Json::Null, |number| json!(number))
        }
        _ => raw.json(),
    }
}
