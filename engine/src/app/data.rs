//! How recorded data enters: files, told by their content, as one source of messages.
//!
//! [`open`] finds out what each file is and of which instrument, describes the instruments
//! (embedded table, `--instruments`, `--instrument`, else the data itself) and returns all files as
//! one [`Source`] in the order of receive times. Everything that was assumed is a line of
//! [`Opened::notes`]. Nothing is skipped silently: what cannot be used is a `BadInput` in a message
//! and is counted. No line allocates once buffers have grown, and no bytes can panic it.
//!
//! A folder is taken as a journal: its market data is run again, of instruments as it describes
//! them.
//!
//! Called by the commands that read recorded data. Formats: raw captures, L2, trades and klines
//! CSV, and marks, fundings and cash flows, each plain, zstd or gzip; see
//! [`DataError::UnknownFormat`].

use std::path::{Path, PathBuf};

use engine::replay::JournalSource;
use engine::setup::{Carried, Setup, SourceSetup};
use engine::source::Source;
use model::id::InstrumentId;
use model::instrument::Instrument;
use model::symbol::Symbol;
use venues::binance::{Stream, StreamSpec};

mod bind;
mod cursor;
mod error;
mod facts;
mod fields;
mod journaled;
mod klines;
mod levels;
mod lines;
mod merge;
mod names;
mod payments;
mod raw;
mod reader;
mod survey;
mod table;
mod trace;
mod trades;

#[cfg(test)]
mod tests;

pub(crate) use error::DataError;
pub(crate) use facts::{check_fact, duration_ns};

use bind::{Binder, Bound, Part};
use cursor::Cursor;
use facts::Facts;
use fields::Columns;
use klines::{Klines, KlinesSpec};
use levels::LevelRows;
use merge::Merge;
use payments::Payments;
use raw::{Raw, Route};
use reader::{Reader, Rows};
use survey::{Format, Seen};
use table::Table;
use trades::TradeRows;

/// LIMIT: files of one run; each takes about a megabyte of buffers.
pub(crate) const FILES_MAX: usize = 256;

/// One `--data FILE`, `--data FILE=SYMBOL` or `--data JOURNALDIR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataArg {
    /// The file, or the folder of a journal.
    pub(crate) path: PathBuf,
    /// The instrument it is of, if stated.
    pub(crate) symbol: Option<Symbol>,
}

/// What is to be opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The files; their order breaks ties of equal times.
    pub(crate) data: Vec<DataArg>,
    /// `--instrument` texts, as given.
    pub(crate) instruments: Vec<String>,
    /// Facts of all instruments that state nothing else, by name.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// `--instruments FILE`: a table of the form of the embedded one.
    pub(crate) instrument_file: Option<PathBuf>,
    /// `--settle FROM=TO`: assets renamed for this run.
    pub(crate) settle: Vec<(String, String)>,
    /// The only `--symbol`: says of which instrument the only file is, where the file does not.
    pub(crate) symbol: Option<Symbol>,
}

/// Recorded data as one source.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// Files, merged by time.
    Files(Box<Merge>),
    /// A journal, which is data by itself.
    Journal(Box<JournalSource>),
}

impl Recorded {
    /// Returns the source to run a session over.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Files(files) => files.as_mut(),
            Self::Journal(journal) => journal.as_mut(),
        }
    }

    /// Names the accounts and assets of the session; before the first message is read.
    pub(crate) fn of_session(&mut self, setup: &Setup) {
        if let Self::Files(files) = self {
            files.of_session(setup);
        }
    }

    /// Returns the indices, as requested, of what ended before its data did.
    pub(crate) fn ended_early(&self) -> Vec<usize> {
        match self {
            Self::Files(files) => files.ended_early(),
            Self::Journal(journal) => journal.fault.iter().map(|_| 0).collect(),
        }
    }

    /// Returns the indices, as requested, of that of which not one message could be used.
    pub(crate) fn unusable(&self) -> Vec<usize> {
        match self {
            Self::Files(files) => files.unusable(),
            Self::Journal(journal) => Vec::from(if journal.is_unusable() { &[0][..] } else { &[] }),
        }
    }
}

/// Recorded data, ready to be read.
pub(crate) struct Opened {
    /// All of it as one source.
    pub(crate) source: Recorded,
    /// Instruments by id, with what the data carries of them.
    pub(crate) instruments: Vec<(Instrument, Carried)>,
    /// Files by index, as faults name them; a journal comes behind those that it was made of.
    pub(crate) sources: Vec<SourceSetup>,
    /// What was assumed, overridden or is doubtful: each one line to print and to journal.
    pub(crate) notes: Vec<String>,
}

impl DataArg {
    /// Reads `FILE` or `FILE=SYMBOL`. A file that exists under the whole text is meant as such.
    ///
    /// # Errors
    /// [`DataError::Symbol`] when what follows the last `=` is no name.
    pub(crate) fn parse(text: &str) -> Result<Self, DataError> {
        match text.rsplit_once('=') {
            Some((path, symbol)) if !Path::new(text).exists() => {
                Ok(Self { path: PathBuf::from(path), symbol: Some(Symbol::parse(symbol)?) })
            }
            Some(_) | None => Ok(Self { path: PathBuf::from(text), symbol: None }),
        }
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Opened")
            .field("instruments", &self.instruments)
            .field("sources", &self.sources)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// Opens recorded data.
///
/// # Errors
/// [`DataError`]: what was asked for cannot be done as asked; the text says what would.
pub(crate) fn open(request: &Request) -> Result<Opened, DataError> {
    let count = request.data.len();
    if count == 0 {
        return Err(DataError::NoData);
    }
    if count > FILES_MAX {
        return Err(DataError::TooMany { what: "data files", count, limit: FILES_MAX });
    }
    if let Some(folder) = request.data.iter().find(|arg| arg.path.is_dir()) {
        return journaled::open(folder, request);
    }
    let table = Table::load(request.instrument_file.as_deref())?;
    let specs = facts::parse_specs(&request.instruments)?;
    let mut binder = Binder::new(&table, &specs);
    let mut heads = Vec::new();
    for arg in &request.data {
        heads.push((arg, survey::head(&arg.path)?));
    }
    let mut files: Vec<(usize, Bound)> = Vec::new();
    // Markets first: what is told beside them names their instruments, wherever it stands.
    for beside in [false, true] {
        for (index, (arg, head)) in heads.iter().enumerate() {
            if head.format.is_beside() == beside {
                files.push((index, binder.bind(arg, head.clone(), request)?));
            }
        }
    }
    files.sort_by_key(|(index, _)| *index);
    let files: Vec<Bound> = files.into_iter().map(|(_, bound)| bound).collect();
    let mut notes = std::mem::take(&mut binder.notes);
    let known: Vec<&Symbol> = binder.names().iter().map(|(symbol, _)| symbol).collect();
    let overrides = overrides(request, &specs, &known, &mut notes)?;
    let mut instruments: Vec<(Instrument, Carried)> = Vec::new();
    for (index, (name, spec)) in binder.names().iter().zip(&overrides).enumerate() {
        let holders = holders(request, &files, index);
        let carried = bind::carried(&name.0, &holders)?;
        let described = bind::describe(name, &table, spec, &holders, &mut notes)?;
        let mut instrument = described.instrument;
        // A bar is its own mark until two more should have come.
        let bars_only = !(carried.quotes || carried.book || carried.trades);
        if bars_only && !described.mark_age_stated {
            instrument.mark_age_max_ns = carried.bar_ns.saturating_mul(2);
        }
        if instrument.settle != instrument.symbol.quote {
            notes.push(format!(
                "note: {}: {} is settled as {}, by the instrument table",
                instrument.symbol, instrument.symbol.quote, instrument.settle
            ));
        }
        instruments.push((instrument, carried));
    }
    rename(&request.settle, &mut instruments, &mut notes);
    let mut readers = Vec::new();
    let mut sources = Vec::new();
    for (index, (arg, bound)) in request.data.iter().zip(&files).enumerate() {
        let source = u16::try_from(index).unwrap_or(u16::MAX);
        let whole = survey::whole(&arg.path)?;
        readers.push(reader(&arg.path, source, bound, &instruments, whole.bytes)?);
        let name = names::file_name(&arg.path);
        if bound.head.is_plain && bound.head.is_table() && whole.last != Some(b'\n') {
            notes.push(format!(
                "warning: {name}: the last line has no line feed, so a number in it may be cut: \
                 it counts as bad; if it is whole, end it with a line feed"
            ));
        }
        sources.push(SourceSetup { name, hash: whole.hash });
    }
    let silent = instruments.iter().map(|(_, carried)| !carried.book).collect();
    let source = Recorded::Files(Box::new(Merge::new(readers, silent)));
    Ok(Opened { source, instruments, sources, notes })
}

/// Returns the first file that ends before its data does. Looked for when a command is refused: the
/// damage may be why, and the refusal would hide it.
pub(crate) fn damaged(request: &Request) -> Option<&Path> {
    let mut left = survey::DAMAGE_BYTES;
    let mut paths = request.data.iter().map(|arg| arg.path.as_path());
    paths.find(|path| survey::is_damaged(path, &mut left))
}

/// Returns the index of the one instrument that a name fits.
///
/// # Errors
/// [`DataError::UnknownSymbol`] and [`DataError::Ambiguous`], with the candidates.
pub(crate) fn resolve(symbol: &Symbol, known: &[&Symbol]) -> Result<usize, DataError> {
    let fitting: Vec<usize> =
        (0..known.len()).filter(|at| known.get(*at).is_some_and(|one| symbol.fits(one))).collect();
    match fitting.as_slice() {
        [only] => Ok(*only),
        [] => Err(DataError::UnknownSymbol {
            symbol: symbol.to_string(),
            candidates: names::list(known.iter().copied()),
        }),
        several => {
            let candidates = several.iter().filter_map(|at| known.get(*at).copied());
            Err(DataError::Ambiguous {
                symbol: symbol.to_string(),
                candidates: names::list(candidates),
            })
        }
    }
}

/// Returns the instruments that names fit, as the embedded table describes them.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn listed(names: &[Symbol]) -> Result<Vec<Instrument>, DataError> {
    let table = Table::load(None)?;
    let known: Vec<Symbol> = table.symbols().collect();
    let known: Vec<&Symbol> = known.iter().collect();
    let mut found: Vec<Instrument> = Vec::new();
    for name in names {
        let Some(full) = known.get(resolve(name, &known)?) else { continue };
        if found.iter().any(|one| one.symbol == **full) {
            continue;
        }
        let entry = table.entry(full).cloned().unwrap_or_default();
        // The table states tick and lot of all that it holds: a test sees to it.
        found.push(facts::build(full, &entry.over(table.defaults()), facts::Grid::default())?);
    }
    Ok(found)
}

/// Lays what was stated over instruments that no file describes: those of the generated market.
///
/// # Errors
/// As [`open`]; facts by which the data is made must be stated as they are.
pub(crate) fn restate(
    request: &Request,
    instruments: &mut [(Instrument, Carried)],
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    journaled::restate(request, instruments, notes, &|why| DataError::BesideGenerated { why })?;
    rename(&request.settle, instruments, notes);
    Ok(())
}

/// Brings the facts of `--instrument` to the instruments that they name, by id.
fn overrides(
    request: &Request,
    specs: &[(Symbol, Facts)],
    known: &[&Symbol],
    notes: &mut Vec<String>,
) -> Result<Vec<Facts>, DataError> {
    let mut common = Facts::default();
    for (name, text) in &request.facts {
        common.state(name, text);
        notes.push(format!("note: {name} of all instruments that state no other: {text}"));
    }
    let mut overrides = vec![common; known.len()];
    for (symbol, facts) in specs {
        let at = resolve(symbol, known)?;
        let stated: Vec<String> =
            facts.stated().iter().map(|(name, text)| format!("{name} {text}")).collect();
        if let (Some(slot), Some(full)) = (overrides.get_mut(at), known.get(at)) {
            *slot = facts.over(slot);
            if !stated.is_empty() {
                notes.push(format!("note: {full}: {}, by --instrument", stated.join(", ")));
            }
        }
    }
    Ok(overrides)
}

/// Renames settlement assets as `--settle` asks.
fn rename(
    settle: &[(String, String)],
    instruments: &mut [(Instrument, Carried)],
    notes: &mut Vec<String>,
) {
    for (from, to) in settle {
        let mut count = 0_usize;
        for (instrument, _) in instruments.iter_mut().filter(|one| one.0.settle == *from) {
            instrument.settle.clone_from(to);
            count = count.saturating_add(1);
            notes.push(format!(
                "note: {}: {from} is settled as {to}, by --settle",
                instrument.symbol
            ));
        }
        if count == 0 {
            notes.push(format!("note: --settle {from}={to}: nothing here is settled in {from}"));
        }
    }
}

/// Returns the files that hold the market of an instrument.
fn holders<'a>(
    request: &'a Request,
    files: &'a [Bound],
    index: usize,
) -> Vec<(&'a Path, &'a Bound, &'a Part)> {
    let files = request.data.iter().map(|arg| arg.path.as_path()).zip(files);
    let parts =
        files.flat_map(|(path, bound)| bound.parts.iter().map(move |part| (path, bound, part)));
    let parts = parts.filter(|(_, bound, _)| !bound.head.format.is_beside());
    parts.filter(|(_, _, part)| usize::try_from(part.instrument.0) == Ok(index)).collect()
}

/// Opens a file for reading, which had so many bytes at the first pass.
fn reader(
    path: &Path,
    source: u16,
    bound: &Bound,
    instruments: &[(Instrument, Carried)],
    bytes: u64,
) -> Result<Reader, DataError> {
    let of = |id: InstrumentId| usize::try_from(id.0).ok().and_then(|at| instruments.get(at));
    let stream = |part: &Part| of(part.instrument).map(|(one, _)| stream(part, one));
    let ids: Vec<InstrumentId> = bound.parts.iter().map(|part| part.instrument).collect();
    let header = bound.head.header.clone();
    let only = bound.parts.first();
    let marked = || only.and_then(|part| of(part.instrument)).map(|(one, _)| one.mark_decimals());
    let rows = match bound.head.format {
        Format::Raw | Format::Labelled => {
            let route = |part: &Part| {
                let Seen { label, venue_symbol, .. } = &part.seen;
                let (label, venue_symbol) = (label.clone(), venue_symbol.clone());
                Some(Route { label, venue_symbol, stream: stream(part)?, trace: part.seen.trace })
            };
            let routes = bound.parts.iter().filter_map(route).collect();
            let strangers = bound.strangers.iter().map(|seen| seen.trace).collect();
            let labelled = bound.head.format == Format::Labelled;
            Some(Rows::Raw(Box::new(Raw::new(labelled, routes, strangers))))
        }
        Format::Levels => only.and_then(stream).map(|stream| {
            let columns = Columns::find_some(header.as_bytes(), &levels::COLUMNS);
            Rows::Levels(Box::new(LevelRows::new(columns, header, stream)))
        }),
        Format::Trades => only.and_then(stream).map(|stream| {
            let columns = Columns::find_some(header.as_bytes(), &trades::COLUMNS);
            Rows::Trades(Box::new(TradeRows::new(columns, header, stream)))
        }),
        Format::Klines => only.and_then(|part| of(part.instrument)).map(|(instrument, _)| {
            let spec = KlinesSpec::new(&header, &bound.family, instrument, bound.bar_ns);
            Rows::Klines(Box::new(Klines::new(spec)))
        }),
        Format::Marks => marked().map(|to| Rows::Payments(Box::new(Payments::marks(to)))),
        Format::Fundings => marked().map(|to| Rows::Payments(Box::new(Payments::fundings(to)))),
        Format::Flows => Some(Rows::Payments(Box::new(Payments::flows()))),
    };
    let Some(rows) = rows else {
        return Err(DataError::NoSymbol { path: path.to_owned() });
    };
    let mut lines = survey::open(path)?;
    lines.promise(bytes);
    let cursor = Cursor::new(lines, source, cursor::only(&ids), bound.head.first_ns);
    let cursor = if bound.head.is_table() { cursor.by_rows() } else { cursor };
    Ok(Reader::new(cursor, rows))
}

/// Returns the venue's stream of an instrument.
fn stream(part: &Part, instrument: &Instrument) -> Stream {
    Stream::new(StreamSpec {
        instrument: part.instrument,
        price_scale: instrument.price_scale,
        qty_scale: instrument.qty_scale,
        tick: instrument.tick,
        futures: part.seen.futures,
    })
}
