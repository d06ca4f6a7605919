//! A configuration as a whole: each value read, and all of them held against each other.

use std::path::{Path, PathBuf};

use dsl::diagnostics::Diagnostic;
use dsl::span::Span;
use engine::idle::Wait;
use engine::setup::{Mode, PaperSetup};
use engine::topology::{Topology, available_cores};
use model::order::AccountKind;
use model::symbol::Symbol;

use super::faults;
use super::keys::{KEYS, Key, find};
use super::kind::Value;
use super::layers::{Layer, Layers};
use super::raw::{Entry, Raw, dotted};
use crate::app::data::{DataArg, check_fact};
use crate::app::pace::Speed;
use crate::app::plan::MoneyWanted;

/// What is said of money and of the simulated venue.
mod money;

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What the session is for.
    pub(crate) mode: Mode,
    /// Files of data; empty for the generated market.
    pub(crate) files: Vec<DataArg>,
    /// What may be traded; empty: all that the rules name.
    pub(crate) symbols: Vec<Symbol>,
    /// A table of instruments.
    pub(crate) table: Option<PathBuf>,
    /// Assets that are counted as others.
    pub(crate) settle: Vec<(String, String)>,
    /// Seed of everything that is drawn.
    pub(crate) seed: u64,
    /// Length of the generated market.
    pub(crate) seconds: u64,
    /// Pace of the data.
    pub(crate) speed: Speed,
    /// The reporting asset.
    pub(crate) reporting: String,
    /// What the accounts must be; none: what the instruments need.
    pub(crate) kind: Option<AccountKind>,
    /// Opening balances, 1e-9; empty: the default.
    pub(crate) balances: Vec<(String, i128)>,
    /// Rates, what strategies may use, what is protected.
    pub(crate) money: MoneyWanted,
    /// The simulated venue's constants.
    pub(crate) paper: PaperSetup,
    /// Facts of all instruments that do not state their own.
    pub(crate) fees: Vec<(&'static str, String)>,
    /// Facts, one text an instrument, as `--instrument` takes them.
    pub(crate) instruments: Vec<String>,
    /// Files of rules; empty: what ships.
    pub(crate) rules: Vec<PathBuf>,
    /// Where to journal, as `--journal` takes it.
    pub(crate) journal: Option<String>,
    /// True for system calls, false for a mapping.
    pub(crate) pwrite: bool,
    /// Size of a segment.
    pub(crate) segment_mib: u64,
    /// Whether orders wait for the disk.
    pub(crate) sync: bool,
    /// Which thread runs where.
    pub(crate) layout: Topology,
    /// How threads wait.
    pub(crate) wait: Option<Wait>,
    /// Processors to use; empty: all.
    pub(crate) cores: Vec<usize>,
    /// What is measured, as `--latency` takes it.
    pub(crate) latency: String,
    /// Where latencies are written.
    pub(crate) latency_log: Option<PathBuf>,
}

/// Values by their keys.
struct Values<'a> {
    layers: &'a Layers,
    read: Vec<(&'a Entry, Value)>,
    found: Vec<Diagnostic>,
}

/// Reads and checks what was stated. What is wrong is in the layers' faults then; with any, there
/// is no configuration.
pub(super) fn check(layers: &mut Layers) -> Option<Config> {
    let mut values = Values { layers, read: Vec::new(), found: Vec::new() };
    values.read_all();
    let config = values.config();
    values.agree();
    values.are_there();
    let found = values.found;
    found.into_iter().for_each(|fault| layers.faults.push(fault));
    layers.faults.sort();
    layers.faults.found.is_empty().then_some(config)
}

fn parts(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

fn first(span: Span) -> (u16, u32) {
    (span.source, span.start)
}

impl<'a> Values<'a> {
    /// Reads every value by itself.
    fn read_all(&mut self) {
        for entry in &self.layers.entries {
            let Some(key) = find(&entry.path) else { continue };
            let name = dotted(&entry.path);
            let open = open_part(key, &entry.path).and_then(|complaint| complaint.err());
            if let Some(complaint) = open {
                self.found.push(complaint.at(&name, entry.key));
                continue;
            }
            match key.kind.read(&entry.path, &entry.raw) {
                Ok(value) => self.read.push((entry, value)),
                Err(complaint) => self.found.push(complaint.at(&name, entry.value)),
            }
        }
    }

    fn stated(&self, path: &str) -> Option<&(&'a Entry, Value)> {
        let path = parts(path);
        self.read.iter().find(|(entry, _)| entry.path == path)
    }

    /// Returns a value, or its default.
    fn value(&self, path: &str) -> Option<Value> {
        if let Some((_, value)) = self.stated(path) {
            return Some(value.clone());
        }
        let path = parts(path);
        let key = find(&path)?;
        key.kind.read(&path, &Raw::word(key.default?)).ok()
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.value(path) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn count(&self, path: &str) -> u64 {
        match self.value(path) {
            Some(Value::Count(count)) => count,
            _ => 0,
        }
    }

    fn number(&self, path: &str) -> i64 {
        match self.value(path) {
            Some(Value::Number(number)) => number,
            _ => 0,
        }
    }

    fn texts(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    /// Returns the values of the keys that fit a path with an open part, by that part.
    fn each(&self, pattern: &str) -> Vec<(String, &'a Entry, &Value)> {
        let key = KEYS.iter().find(|key| key.path == pattern);
        let open = pattern.split('.').position(super::keys::is_open).unwrap_or(0);
        let fits = |(entry, _): &&(&'a Entry, Value)| {
            find(&entry.path).zip(key).is_some_and(|(a, b)| a.path == b.path)
        };
        let fitting = self.read.iter().filter(fits);
        let named = fitting.filter_map(|(e, v)| Some((e.path.get(open)?.clone(), *e, v)));
        named.collect()
    }

    /// Returns a path as it is meant: one of a file is relative to the file's folder.
    fn path(&self, entry: &Entry, text: &str) -> PathBuf {
        match self.layers.layers.get(usize::from(entry.value.source)) {
            Some(Layer::File(file)) => file.parent().unwrap_or(Path::new("")).join(text),
            Some(Layer::Environment | Layer::Option) | None => PathBuf::from(text),
        }
    }

    fn paths(&self, key: &str) -> Vec<(Span, PathBuf, String)> {
        let Some((entry, value)) = self.stated(key) else { return Vec::new() };
        let texts = match value {
            Value::Texts(texts) => texts.clone(),
            Value::Text(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        let path = |text: String| (entry.value, self.path(entry, &text), text);
        texts.into_iter().map(path).collect()
    }

    fn files(&self) -> Vec<(Span, DataArg)> {
        let found = self.paths("data.files");
        let arg = |(span, path, _): (Span, PathBuf, String)| {
            let arg = DataArg::parse(&path.to_string_lossy()).ok()?;
            Some((span, arg))
        };
        found.into_iter().filter_map(arg).collect()
    }

    /// Returns the configuration; where a value is wrong, its default stands in for the moment.
    fn config(&self) -> Config {
        let files: Vec<DataArg> = self.files().into_iter().map(|(_, arg)| arg).collect();
        let symbols = self.texts("data.symbols");
        let recorded = match self.text("mode") {
            Some(mode) => mode == "backtest",
            None => !files.is_empty(),
        };
        let settle = self.each("data.settle.<asset>").into_iter();
        let rename = |(from, _, value): (String, &Entry, &Value)| match value {
            Value::Text(to) => Some((from, to.clone())),
            _ => None,
        };
        let own = |key: &str| self.paths(key).into_iter().map(|(_, path, _)| path).next();
        let journal = match self.text("journal.dir") {
            Some(none) if none == "none" => Some(none),
            Some(_) => own("journal.dir").map(|path| path.to_string_lossy().into_owned()),
            None => None,
        };
        Config {
            mode: if recorded { Mode::Backtest } else { Mode::Demo },
            files,
            symbols: symbols.iter().filter_map(|text| Symbol::parse(text).ok()).collect(),
            table: own("data.instruments"),
            settle: settle.filter_map(rename).collect(),
            seed: self.count("data.seed"),
            seconds: self.count("data.seconds"),
            speed: match self.value("data.speed") {
                Some(Value::Speed(speed)) => speed,
                _ => Speed::Max,
            },
            reporting: self.text("account.reporting").unwrap_or_default(),
            kind: match self.text("account.paper.kind").as_deref() {
                Some("cash") => Some(AccountKind::Cash),
                Some(_) => Some(AccountKind::Linear),
                None => None,
            },
            balances: self.amounts("account.paper.balances.<asset>"),
            money: self.money(),
            paper: self.paper(),
            fees: self.fees(),
            instruments: self.instruments().into_iter().map(|(_, _, spec)| spec).collect(),
            rules: self.paths("rules.paths").into_iter().map(|(_, path, _)| path).collect(),
            journal,
            pwrite: self.text("journal.sink").as_deref() == Some("pwrite"),
            segment_mib: self.count("journal.segment"),
            sync: self.value("journal.sync") == Some(Value::Flag(true)),
            layout: self
                .text("topology.layout")
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            wait: match self.value("topology.wait") {
                Some(Value::Wait(wait)) => Some(wait),
                _ => None,
            },
            cores: self.cores(),
            latency: self.text("latency.measure").unwrap_or_default(),
            latency_log: own("latency.log"),
        }
    }

    fn cores(&self) -> Vec<usize> {
        match self.value("topology.cores") {
            Some(Value::Cores(cores)) => cores,
            _ => Vec::new(),
        }
    }

    /// Returns the fees as facts of all instruments, as they were written.
    fn fees(&self) -> Vec<(&'static str, String)> {
        let keys = [("maker", "fee_maker"), ("taker", "fee_taker"), ("asset", "fee_asset")];
        let fee = |(own, fact): (&str, &'static str)| {
            let (entry, _) = self.stated(&format!("account.paper.fees.{own}"))?;
            match &entry.raw {
                Raw::Text(text) => Some((fact, text.clone())),
                _ => None,
            }
        };
        keys.into_iter().filter_map(fee).collect()
    }

    /// Returns what is stated of instruments: the first place, the name, and the text that
    /// `--instrument` would take.
    fn instruments(&self) -> Vec<(Span, String, String)> {
        let mut found: Vec<(Span, String, String)> = Vec::new();
        for (entry, value) in &self.read {
            let [section, symbol, fact] = entry.path.as_slice() else { continue };
            let Value::Text(text) = value else { continue };
            if section != "instrument" {
                continue;
            }
            let fact = format!(",{fact}={text}");
            match found.iter_mut().find(|(_, known, _)| known == symbol) {
                Some((_, _, spec)) => spec.push_str(&fact),
                None => found.push((entry.key, symbol.clone(), format!("{symbol}{fact}"))),
            }
        }
        found
    }

    /// Holds values against each other.
    fn agree(&mut self) {
        let mut found = Vec::new();
        let mut conflict = |span: Span, message: String, help: &str| {
            found.push(Diagnostic::error(faults::CONFLICT, span, message).help(help));
        };
        let files = self.stated("data.files").map(|(entry, _)| entry.key);
        if let Some((entry, Value::Text(mode))) = self.stated("mode") {
            match mode.as_str() {
                "backtest" if files.is_none() => conflict(
                    entry.value,
                    "mode: a backtest needs recorded data, and data.files is not set".to_owned(),
                    "name the files in data.files, or write mode = \"demo\"",
                ),
                "demo" if files.is_some() => conflict(
                    entry.value,
                    "mode: the demo generates its market, and data.files is set".to_owned(),
                    "write mode = \"backtest\", or leave data.files away",
                ),
                "demo" | "backtest" => {}
                live => {
                    let message = format!("mode: `{live}` is not supported by this version");
                    let help = "this version runs demo (a generated market) and backtest \
                                (recorded files); both with paper money";
                    found.push(Diagnostic::error(faults::LATER, entry.value, message).help(help));
                }
            }
        }
        self.found.append(&mut found);
        self.agree_on_instruments();
        self.agree_on_processors();
        self.agree_on_money();
    }

    /// Facts of an instrument must make one; so must each of them alone.
    fn agree_on_instruments(&mut self) {
        let mut found = Vec::new();
        let mut bad: Vec<String> = Vec::new();
        for (entry, value) in &self.read {
            let [section, symbol, fact] = entry.path.as_slice() else { continue };
            let Value::Text(text) = value else { continue };
            if section != "instrument" {
                continue;
            }
            if let Err(why) = check_fact(&format!("{symbol},{fact}={text}")) {
                bad.push(symbol.clone());
                let message = format!("{}: {why}", dotted(&entry.path));
                found.push(Diagnostic::error(faults::MALFORMED, entry.value, message));
            }
        }
        for (span, symbol, spec) in self.instruments() {
            if bad.contains(&symbol) {
                continue;
            }
            if let Err(why) = check_fact(&spec) {
                let message = format!("the facts of {symbol} do not go together: {why}");
                found.push(Diagnostic::error(faults::CONFLICT, span, message));
            }
        }
        self.found.append(&mut found);
    }

    fn agree_on_processors(&mut self) {
        let there = available_cores();
        let Some((entry, Value::Cores(cores))) = self.stated("topology.cores") else { return };
        let absent: Vec<String> =
            cores.iter().filter(|core| !there.contains(core)).map(ToString::to_string).collect();
        if !absent.is_empty() {
            let there: Vec<String> = there.iter().map(ToString::to_string).collect();
            let message =
                format!("topology.cores: this host has no processor {}", absent.join(", "));
            let help = format!("there are {}", there.join(", "));
            let fault = Diagnostic::error(faults::RANGE, entry.value, message).help(help);
            self.found.push(fault);
        }
    }

    /// Files that are named must be there: all that are not are told at once.
    fn are_there(&mut self) {
        let mut named: Vec<(Span, &str, PathBuf)> = Vec::new();
        for (span, arg) in self.files() {
            named.push((span, "data.files", arg.path));
        }
        for key in ["data.instruments", "rules.paths"] {
            named.extend(self.paths(key).into_iter().map(|(span, path, _)| (span, key, path)));
        }
        named.extend(self.histograms());
        named.sort_by_key(|(span, ..)| first(*span));
        for (span, key, path) in named {
            if !path.exists() {
                let message = format!("{key}: there is no file {}", path.display());
                let help = "a path is relative to the folder of the file that states it";
                self.found.push(Diagnostic::error(faults::MISSING, span, message).help(help));
            }
        }
    }
}

/// Checks the part of a path that stands for any name; none when there is no such part.
fn open_part(key: &Key, path: &[String]) -> Option<Result<(), faults::Complaint>> {
    let (part, own) = key.path.split('.').zip(path).find(|(part, _)| super::keys::is_open(part))?;
    let malformed = |message: String| faults::Complaint::new(faults::MALFORMED, message);
    Some(match part {
        "<asset>" if !model::symbol::is_asset(own) => {
            Err(malformed(format!("`{own}` is no asset")).help("write it in capitals, e.g. USDT"))
        }
        "<symbol>" => match Symbol::parse(own) {
            Ok(_) => Ok(()),
            Err(error) => Err(malformed(error.to_string())),
        },
        _ => Ok(()),
    })
}
