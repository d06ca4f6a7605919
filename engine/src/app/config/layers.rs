//! Where values come from: files, the environment, `--set`; later ones win.
//!
//! Each layer is a source text of its own, so that a fault in a variable or an option is drawn like
//! one in a file.

use std::path::{Path, PathBuf};

use dsl::diagnostics::{Diagnostic, nearest};
use dsl::span::{Source, Span};
use toml::de::DeTable;

use super::faults::{self, Faults};
use super::keys::{self, below, find, is_open};
use super::raw::{Entry, Raw, dotted, place, walk};
use crate::app::exit::Failure;
use crate::app::regular;

/// LIMIT: size of a configuration file; a thousand instruments take half of it.
const FILE_BYTES_MAX: usize = 1 << 20;
/// What the names of our variables begin with.
const PREFIX: &str = "SLUICE__";
/// Parts of names that tell a secret.
const SECRETS: [&str; 6] = ["secret", "password", "passphrase", "token", "api_key", "private_key"];

/// Whence a value came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// A file; paths in it are relative to its folder.
    File(PathBuf),
    /// A variable of the environment.
    Environment,
    /// `--set`, or another option of the command.
    Option,
}

/// All that was stated.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// What the sources are, by their index.
    pub(super) layers: Vec<Layer>,
    /// Values that count, each path once.
    pub(super) entries: Vec<Entry>,
    /// What is wrong.
    pub(super) faults: Faults,
}

impl Layers {
    /// Takes in a file.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it cannot be read.
    pub(super) fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let bytes = regular::read(path, FILE_BYTES_MAX).map_err(|error| {
            Failure::usage(format!("read configuration {name}: {error}; check the path"))
        })?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Failure::usage(format!(
                "configuration {name} is larger than {FILE_BYTES_MAX} bytes; it is no configuration"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::usage(format!("configuration {name} is not UTF-8 text; save it as such"))
        })?;
        self.text(name, &text, path);
        Ok(())
    }

    /// Takes in the text of a file.
    pub(super) fn text(&mut self, name: String, text: &str, path: &Path) {
        let source = self.source(name, text.to_owned(), Layer::File(path.to_owned()));
        let (table, errors) = DeTable::parse_recoverable(text);
        let line = |byte: usize| text.get(..byte).unwrap_or(text).matches('\n').count();
        let broken: Vec<usize> =
            errors.iter().filter_map(|error| Some(line(error.span()?.start))).collect();
        for error in errors {
            let span = place(source, error.span().unwrap_or_default());
            self.faults.push(Diagnostic::error(
                faults::SYNTAX,
                span,
                format!("this is no TOML: {}", error.message()),
            ));
        }
        let mut unknown = Vec::new();
        let mut entries = Vec::new();
        let mut enter = |path: &[String], at: Span| {
            let known = !below(path).is_empty() || find(path).is_some();
            if !known {
                unknown.push((path.to_vec(), at));
            }
            known
        };
        walk(table.get_ref(), source, &mut Vec::new(), &mut enter, &mut entries);
        entries.sort_by_key(|entry| entry.key.start);
        for (path, at) in unknown {
            let whole = Entry { path, raw: Raw::Other("a table"), key: at, value: at };
            self.unknown(&whole);
        }
        for entry in entries {
            // What the parser made of a line that it could not read is nobody's value.
            let at = usize::try_from(entry.value.start).unwrap_or(usize::MAX);
            if !broken.contains(&line(at)) {
                self.take(entry);
            }
        }
    }

    /// Takes in the variables that are ours.
    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut ours: Vec<(String, String)> =
            variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, value) in ours {
            let rest = name.strip_prefix(PREFIX).unwrap_or_default();
            let path = fitted(rest.split("__"));
            self.assign(path, &name, &value, "environment", Layer::Environment);
        }
    }

    /// Takes in `key=value` of an option.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a text of another form.
    pub(super) fn option(&mut self, text: &str) -> Result<(), Failure> {
        let split = split_assignment(text);
        let (key, value, path) = split.ok_or_else(|| {
            Failure::usage(format!(
                "--set {text}: write KEY=VALUE, e.g. --set data.seed=7 or --set \
                 'instrument.\"BTC_USDT.PERP\".tick=0.5'"
            ))
        })?;
        self.assign(path, key, value, "--set", Layer::Option);
        Ok(())
    }

    /// Returns a line for each variable that counts: who runs the program may not know of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let counts = |source: usize| {
            self.entries.iter().any(|entry| usize::from(entry.value.source) == source)
        };
        let sources = self.layers.iter().zip(&self.faults.sources).enumerate();
        let ours = sources.filter(|(at, (layer, _))| **layer == Layer::Environment && counts(*at));
        ours.map(|(_, (_, source))| format!("note: {}, by the environment", source.text)).collect()
    }

    /// Returns a refusal of the value of a key, under its line where it is stated. A section
    /// stands for the first of its keys that is.
    pub(super) fn refuse(&self, key: &str, message: &str) -> Failure {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let stated = self.entries.iter().find(|entry| entry.path.starts_with(&path));
        let Some(entry) = stated else {
            return Failure::usage(format!("{key}: {message}"));
        };
        let key = dotted(&entry.path);
        let fault = Diagnostic::error(faults::CONFLICT, entry.value, format!("{key}: {message}"));
        let sources = self.faults.sources.clone();
        Failure::Config(Box::new(Faults { sources, found: vec![fault] }))
    }

    fn assign(&mut self, path: Vec<String>, name: &str, value: &str, from: &str, layer: Layer) {
        let source = self.source(format!("<{from}>"), format!("{name}={value}"), layer);
        let equals = name.len();
        let end = equals.saturating_add(1).saturating_add(value.len());
        let raw = Raw::word(value);
        let (key, value) = (0..equals, equals.saturating_add(1)..end);
        self.take(Entry { path, raw, key: place(source, key), value: place(source, value) });
    }

    fn source(&mut self, name: String, text: String, layer: Layer) -> u16 {
        let index = u16::try_from(self.layers.len()).unwrap_or(u16::MAX);
        self.layers.push(layer);
        self.faults.sources.push(Source { name, text });
        index
    }

    /// Takes in a value, in place of what was stated before. A value and a table of values under
    /// one key exclude each other: the later one counts.
    fn take(&mut self, entry: Entry) {
        if find(&entry.path).is_none() {
            self.unknown(&entry);
            return;
        }
        let closed = |a: &[String], b: &[String]| a.starts_with(b) && find(b).is_some();
        self.entries
            .retain(|known| !closed(&known.path, &entry.path) && !closed(&entry.path, &known.path));
        self.entries.push(entry);
    }

    /// Says that there is no such key, or that the form is another one.
    fn unknown(&mut self, entry: &Entry) {
        let Entry { path, key, value, .. } = entry;
        let name = dotted(path);
        let last = path.last().map(String::as_str).unwrap_or_default();
        let above = path.split_last().map(|(_, above)| above).unwrap_or_default();
        if SECRETS.iter().any(|secret| last.to_lowercase().contains(secret)) {
            self.faults.hide(*value);
            let message = format!("{name}: secrets never stand in a configuration");
            let help = "take it out, change it at the venue, and name where it is kept: \
                        { env = \"NAME\" } is the form that a later version reads";
            self.faults.push(Diagnostic::error(faults::SECRET, *key, message).help(help));
            return;
        }
        if let Some(found) = find(above) {
            let what = dotted(above);
            let (message, help) = if matches!(last, "env" | "file" | "age") {
                (
                    format!("{what} is no secret: {{ {last} = … }} is the form of secrets"),
                    format!("write the value, or set it by {}", variable(above)),
                )
            } else {
                (format!("{what} has no part `{last}`"), format!("it is {}", found.kind.expected()))
            };
            self.faults.push(Diagnostic::error(faults::UNKNOWN, *key, message).help(help));
            return;
        }
        if !below(path).is_empty() {
            let message = format!("{name} is a section, not a value");
            let help = format!("write [{name}], and its keys below: {}", listed(path));
            self.faults.push(Diagnostic::error(faults::TYPE, *value, message).help(help));
            return;
        }
        // The first part that is wrong: what stands below it is not looked at.
        let wrong = (0..path.len())
            .find(|count| below(path.get(..=*count).unwrap_or_default()).is_empty())
            .unwrap_or(0);
        let head = path.get(..wrong).unwrap_or_default();
        let part = path.get(wrong).map(String::as_str).unwrap_or_default();
        let inside = if head.is_empty() { String::new() } else { format!(" in {}", dotted(head)) };
        let message = format!("there is no key `{part}`{inside}");
        let known: Vec<&str> = below(head).into_iter().filter(|part| !is_open(part)).collect();
        let near = nearest(part, known.iter().copied());
        let help = match near {
            Some(near) => format!("do you mean `{near}`?"),
            None => match elsewhere(last) {
                Some(whole) => format!("do you mean {whole}?"),
                None => format!("known here: {}", listed(head)),
            },
        };
        self.faults.push(Diagnostic::error(faults::UNKNOWN, *key, message).help(help));
    }
}

/// Returns the key of that last part, if one other section has it.
fn elsewhere(last: &str) -> Option<&'static str> {
    let mut fitting = keys::KEYS.iter().filter(|key| key.path.rsplit('.').next() == Some(last));
    fitting.next().filter(|_| fitting.next().is_none()).map(|key| key.path)
}

fn listed(path: &[String]) -> String {
    below(path).join(", ")
}

/// Returns the variable that sets a key.
pub(super) fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

/// Returns the path that the parts of a variable's name mean: keys are written in small letters,
/// assets stay in capitals.
fn fitted<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for part in parts {
        let capitals = below(&path).contains(&"<asset>");
        path.push(if capitals { part.to_uppercase() } else { part.to_lowercase() });
    }
    path
}

/// Splits `key=value` and the key at its dots, both outside of quotes.
fn split_assignment(text: &str) -> Option<(&str, &str, Vec<String>)> {
    let mut path = vec![String::new()];
    let mut quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => path.push(String::new()),
            '=' if !quoted => {
                let (key, value) = text.split_at_checked(at)?;
                let value = value.strip_prefix('=')?;
                return path.iter().all(|part| !part.is_empty()).then_some((key, value, path));
            }
            _ => {
                if let Some(part) = path.last_mut() {
                    part.push(letter);
                }
            }
        }
    }
    None
}
