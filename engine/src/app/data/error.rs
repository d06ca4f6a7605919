//! Why recorded data cannot be opened. All of it is usage or configuration, exit code 2, except for
//! a damaged file: exit code 3.

use std::io;
use std::path::{Path, PathBuf};

use engine::replay::ReplayError;
use journal::ReadError;
use model::symbol::SymbolError;

use crate::app::quote::quoted;

/// What `--data` takes, for people.
pub(super) const FORMATS: &str = "raw capture (`<local_ns> <json>` or \
     `<local_ns>\\t<feed>\\t<json>` lines), L2 CSV (`local_ts,event_ms,kind,first_u,last_u,prev_u,\
     side,price,qty`), trades CSV (`local_ts,event_ms,trade_ms,trade_id,price,qty,\
     buyer_is_maker`), klines CSV (`ts_ms,open,high,low,close,volume,...`), marks CSV \
     (`local_ts,mark`), fundings CSV (`local_ts,rate,mark`) or cash flows CSV \
     (`local_ts,account,asset,amount,reason`), each plain, .zst or .gz";

/// Why recorded data cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// No file was named.
    #[error("no data: name at least one file with --data FILE")]
    NoData,
    /// A named file is not there.
    #[error("no file {path}: check the path")]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// A named path is a folder, a pipe or a device.
    #[error(
        "{path} is no file but {what}: --data takes recorded files, one path each, or the folder \
         of one journal"
    )]
    NotAFile {
        /// The path as given.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A journal that cannot be read, or is of another version.
    #[error(transparent)]
    Journal(Box<ReplayError>),
    /// Something was asked for that does not go with a journal.
    #[error("--data {dir} is a journal: {why}")]
    BesideJournal {
        /// The folder as given.
        dir: PathBuf,
        /// What does not go with it and what would.
        why: String,
    },
    /// Something was stated that does not go with the generated market.
    #[error("the generated market: {why}")]
    BesideGenerated {
        /// What does not go with it and what would.
        why: String,
    },
    /// The system refuses to read a file.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A compressed file that does not decode as far as its first line.
    #[error("{path}: the data ends early, before its first line: cut or damaged; fetch it again")]
    Damaged {
        /// The path as given.
        path: PathBuf,
    },
    /// A file without a single line.
    #[error("{path} holds no line of data: the file is empty; check the path")]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// The content is of no format that is known.
    #[error("{path} is of no known format; it begins with `{found}`; expected one of: {FORMATS}")]
    UnknownFormat {
        /// The path as given.
        path: PathBuf,
        /// The beginning of its first line.
        found: String,
    },
    /// Marks or fundings of what has none.
    #[error(
        "{path}: {symbol} is no perpetual: only those have fundings and marks of the venue; check \
         FILE=SYMBOL"
    )]
    NoPerpetual {
        /// The path as given.
        path: PathBuf,
        /// The name as given.
        symbol: String,
    },
    /// Cash flows of an instrument.
    #[error(
        "{path} holds cash flows, which are of an account and of no instrument: write --data FILE \
         without a symbol"
    )]
    FlowsOf {
        /// The path as given.
        path: PathBuf,
    },
    /// Neither name nor content says which instrument a file is of.
    #[error(
        "{path}: cannot tell the instrument; write --data FILE=SYMBOL, e.g. {}=BTC_USDT",
        quoted(.path.as_os_str())
    )]
    NoSymbol {
        /// The path as given.
        path: PathBuf,
    },
    /// A raw capture without a single feed that can be read.
    #[error(
        "{path} holds no feed of a known instrument (found: {found}); raw captures are read for \
         Binance, and an instrument is described with --instrument 'binance:ABC_USDT,tick=...'"
    )]
    NoFeed {
        /// The path as given.
        path: PathBuf,
        /// Labels or symbols that occur.
        found: String,
    },
    /// A name that no instrument has.
    #[error("no instrument {symbol}; known are: {candidates}")]
    UnknownSymbol {
        /// The name as given.
        symbol: String,
        /// Full names, separated by commas.
        candidates: String,
    },
    /// A name that several instruments have.
    #[error("{symbol} is ambiguous; write one of: {candidates}")]
    Ambiguous {
        /// The name as given.
        symbol: String,
        /// Full names, separated by commas.
        candidates: String,
    },
    /// A text that is no name.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// A text that is no `SYMBOL,key=value,...`.
    #[error("--instrument `{text}`: {why}")]
    Spec {
        /// The text as given.
        text: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A fact of an instrument that cannot be read.
    #[error("{instrument}: {key} = `{value}` {why}")]
    Fact {
        /// The instrument.
        instrument: String,
        /// Name of the fact.
        key: &'static str,
        /// The text as given.
        value: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// An instrument table that cannot be read.
    #[error("instrument table {name}: {why}")]
    Table {
        /// File name, or `embedded`.
        name: String,
        /// What is wrong, with its line.
        why: String,
    },
    /// An instrument whose facts cannot be traded with.
    #[error("{0}")]
    Instrument(String),
    /// A klines file whose bar length cannot be found.
    #[error(
        "{path}: one row tells no bar length; name it as in binance_btcusdt_1m_2024.csv, or give \
         a file with two rows"
    )]
    NoBarLength {
        /// The path as given.
        path: PathBuf,
    },
    /// Two bar lengths of one instrument.
    #[error("{symbol}: bars of {first_s} s and of {second_s} s; give files of one length")]
    BarLengths {
        /// The instrument.
        symbol: String,
        /// Length in the first file, seconds.
        first_s: i64,
        /// Length in another, seconds.
        second_s: i64,
    },
    /// Two files hold the same thing of one instrument for the same time.
    #[error("{symbol}: both {first} and {second} hold its {what} for the same time; give one")]
    Overlap {
        /// The instrument.
        symbol: String,
        /// Book, trades, quotes or bars.
        what: &'static str,
        /// A file.
        first: String,
        /// Another file.
        second: String,
    },
    /// More than a limit allows.
    #[error("{count} {what}: the limit is {limit}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl From<ReadError> for DataError {
    fn from(error: ReadError) -> Self {
        Self::Journal(Box::new(error.into()))
    }
}

impl DataError {
    /// Returns the error of a folder that cannot be read as a journal.
    pub(super) fn of_folder(dir: &Path, error: ReplayError) -> Self {
        match error {
            ReplayError::Read(ReadError::NoJournal { .. }) => {
                Self::NotAFile { path: dir.to_owned(), what: "a folder without a journal" }
            }
            other => Self::Journal(Box::new(other)),
        }
    }

    /// Returns the error of a path that the system refuses to open.
    pub(super) fn of_path(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            Self::Missing { path }
        } else {
            Self::Unreadable { path, source }
        }
    }
}
