//! What a file is and what it holds, found before a session begins.
//!
//! The format is told by the first lines, the feeds of a raw capture by its first megabytes. Whole
//! passes are made only where nothing else can say it: how many decimals the numbers of an unknown
//! instrument need, how long bars are, and when a file ends that holds the same as another one.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use memchr::memmem;
use venues::binance::{Frame, Levels, Parser};

use super::error::DataError;
use super::facts::Grid;
use super::fields::{self, Columns, KLINE_COLUMNS, L2_HEADER, TRADES_HEADER};
use super::lines::{LINE_BYTES_MAX, Lines, Step, Whole};
use super::payments::{FLOWS_HEADER, FUNDINGS_HEADER, MARKS_HEADER};
use super::trace::Trace;
use crate::app::regular::{self, Refused};

/// LIMIT: lines that are looked at to tell the format; the first ones may be damaged.
const HEAD_LINES: usize = 32;

/// LIMIT: decoded bytes of a raw capture that are searched for its feeds. A feed that first speaks
/// behind them is not bound; its messages are counted as faults, and `--instrument` names it.
const FEEDS_BYTES: u64 = 1 << 20;

/// LIMIT: decoded bytes that are searched for damage once a command has been refused, of all files
/// together: about a second, so that a mistyped option is not told minutes later.
pub(super) const DAMAGE_BYTES: usize = 64 << 20;

/// Format of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `<local_ns> <json>`.
    Raw,
    /// `<local_ns>\t<feed>\t<json>`.
    Labelled,
    /// Snapshot and deltas, one level a line.
    Levels,
    /// One trade a line.
    Trades,
    /// One bar a line.
    Klines,
    /// One published mark a line.
    Marks,
    /// One funding a line.
    Fundings,
    /// One cash flow a line.
    Flows,
}

impl Format {
    /// Tells whether it holds no market, but what is told beside one.
    pub(super) fn is_beside(&self) -> bool {
        matches!(self, Self::Marks | Self::Fundings | Self::Flows)
    }
}

/// What the first lines say.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The format.
    pub(super) format: Format,
    /// The header line, empty where the format has none.
    pub(super) header: String,
    /// First time that can be read, nanoseconds.
    pub(super) first_ns: i64,
    /// L2 only: rows are chained by `prev_u`, as futures are.
    pub(super) chained: bool,
    /// The file is not compressed.
    pub(super) is_plain: bool,
}

impl Head {
    /// Tells whether lines are rows of a table, not messages with an end of their own.
    pub(super) fn is_table(&self) -> bool {
        match self.format {
            Format::Raw | Format::Labelled => false,
            Format::Levels
            | Format::Trades
            | Format::Klines
            | Format::Marks
            | Format::Fundings
            | Format::Flows => true,
        }
    }
}

/// What a raw capture holds of one feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The label; empty where lines have none.
    pub(super) label: Vec<u8>,
    /// The venue's symbol.
    pub(super) venue_symbol: String,
    /// Trades occur.
    pub(super) trades: bool,
    /// Best prices occur.
    pub(super) quotes: bool,
    /// Book messages occur.
    pub(super) book: bool,
    /// The messages are those of futures.
    pub(super) futures: bool,
    /// What its snapshots are told by; raw captures without labels only.
    pub(super) trace: Trace,
    /// Lines of this feed.
    pub(super) lines: u64,
}

/// Tells the format of a file.
///
/// # Errors
/// [`DataError`] for a file that is missing, unreadable, empty or of no known format.
pub(super) fn head(path: &Path) -> Result<Head, DataError> {
    let mut lines = open(path)?;
    let mut head: Option<Head> = None;
    let mut found: Option<String> = None;
    let mut is_damaged = false;
    for _ in 0..HEAD_LINES {
        match lines.advance() {
            Step::Line => {}
            Step::TooLong => continue,
            Step::End => break,
            Step::Failed => {
                is_damaged = true;
                break;
            }
        }
        let line = lines.line();
        found.get_or_insert_with(|| beginning(line));
        match &mut head {
            None => head = recognise(line),
            Some(head) => {
                if head.first_ns == 0 {
                    head.first_ns = line_time(&head.format, line).unwrap_or(0);
                }
                head.chained |= head.format == Format::Levels && fields::is_chained(line);
            }
        }
    }
    // Deltas stand behind a snapshot of any length.
    if let Some(head) = head.as_mut().filter(|head| head.format == Format::Levels) {
        while !head.chained && lines.advance() == Step::Line {
            let line = lines.line();
            head.chained = fields::is_chained(line);
            if fields::is_delta(line) {
                break;
            }
        }
    }
    match (head, found) {
        (Some(head), _) => Ok(Head { is_plain: lines.is_plain(), ..head }),
        (None, Some(found)) => Err(DataError::UnknownFormat { path: path.to_owned(), found }),
        (None, None) if is_damaged => Err(DataError::Damaged { path: path.to_owned() }),
        (None, None) => Err(DataError::Empty { path: path.to_owned() }),
    }
}

/// Tells whether a file ends before its data does, as far as `left` bytes reach; they are used up.
pub(super) fn is_damaged(path: &Path, left: &mut usize) -> bool {
    let Ok(mut lines) = open(path) else {
        return false;
    };
    while *left > 0 {
        match lines.advance() {
            Step::Line => *left = left.saturating_sub(lines.line().len()),
            Step::TooLong => *left = left.saturating_sub(LINE_BYTES_MAX),
            Step::End => return false,
            Step::Failed => return true,
        }
    }
    false
}

/// Opens a file for a pass.
///
/// # Errors
/// [`DataError`] for a path that is missing, no file, or unreadable.
pub(super) fn open(path: &Path) -> Result<Lines, DataError> {
    Lines::open(file(path)?).map_err(|source| DataError::of_path(path, source))
}

/// Makes the first pass over a file's bytes as they lie on disk.
///
/// # Errors
/// As [`open`].
pub(super) fn whole(path: &Path) -> Result<Whole, DataError> {
    Whole::read(file(path)?).map_err(|source| DataError::of_path(path, source))
}

fn file(path: &Path) -> Result<File, DataError> {
    regular::open(path).map_err(|refused| match refused {
        Refused::System(source) => DataError::of_path(path, source),
        Refused::Kind(what) => DataError::NotAFile { path: path.to_owned(), what },
    })
}

fn beginning(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.get(..60).unwrap_or(line)).into_owned();
    text.chars().filter(|letter| !letter.is_control()).collect()
}

fn recognise(line: &[u8]) -> Option<Head> {
    let head = |format: Format, header: &[u8], first_ns: i64| Head {
        format,
        header: String::from_utf8_lossy(header).into_owned(),
        first_ns: if fields::is_time(first_ns) { first_ns } else { 0 },
        chained: false,
        is_plain: false,
    };
    if line == L2_HEADER.as_bytes() {
        return Some(head(Format::Levels, line, 0));
    }
    if line == TRADES_HEADER.as_bytes() {
        return Some(head(Format::Trades, line, 0));
    }
    for (format, header) in [
        (Format::Marks, MARKS_HEADER),
        (Format::Fundings, FUNDINGS_HEADER),
        (Format::Flows, FLOWS_HEADER),
    ] {
        if line == header.as_bytes() {
            return Some(head(format, line, 0));
        }
    }
    if Columns::find(line, &KLINE_COLUMNS).is_some() {
        return Some(head(Format::Klines, line, 0));
    }
    let (time_ns, rest) = fields::stamp(line)?;
    match rest.split_first() {
        Some((b' ', json)) if json.starts_with(b"{") => Some(head(Format::Raw, b"", time_ns)),
        Some((b'\t', rest)) if fields::label(rest).is_some() => {
            Some(head(Format::Labelled, b"", time_ns))
        }
        _ => None,
    }
}

/// Returns the time of a line in nanoseconds, as the file stamps it.
fn line_time(format: &Format, line: &[u8]) -> Option<i64> {
    let (number, _) = fields::stamp(line)?;
    let time_ns = match format {
        Format::Raw
        | Format::Labelled
        | Format::Levels
        | Format::Trades
        | Format::Marks
        | Format::Fundings
        | Format::Flows => Some(number),
        Format::Klines => number.checked_mul(fields::MILLISECOND_NS),
    };
    time_ns.filter(|time_ns| fields::is_time(*time_ns))
}

/// Reads the head of a raw capture: which feeds it has, and what they hold.
///
/// # Errors
/// As [`open`]; what is damaged counts for nothing here, the reader reports it.
pub(super) fn feeds(path: &Path, labelled: bool) -> Result<Vec<Seen>, DataError> {
    let mut lines = open(path)?;
    let mut parser = Parser::new();
    let mut seen: Vec<Seen> = Vec::new();
    let mut last = 0_usize;
    let mut read = 0_u64;
    loop {
        match lines.advance() {
            Step::Line if read < FEEDS_BYTES => {}
            Step::TooLong => continue,
            Step::Line | Step::End | Step::Failed => return Ok(seen),
        }
        read = read.saturating_add(u64::try_from(lines.line().len()).unwrap_or(u64::MAX));
        let Some((_, label, json)) = fields::raw_payload(lines.line(), labelled) else {
            continue;
        };
        let (symbol, content) = content(json, &mut parser);
        if !labelled && symbol.is_empty() {
            // A snapshot names no symbol; the reader tells by its update id whose it is.
            continue;
        }
        let is_same = |feed: &Seen| {
            feed.label == label
                && (labelled || feed.venue_symbol.as_bytes().eq_ignore_ascii_case(symbol))
        };
        if !seen.get(last).is_some_and(is_same) {
            last = match seen.iter().position(is_same) {
                Some(at) => at,
                None if seen.len() >= engine::limits::INSTRUMENTS_MAX => continue,
                None => {
                    seen.push(Seen {
                        label: label.to_owned(),
                        venue_symbol: String::from_utf8_lossy(symbol).to_ascii_uppercase(),
                        ..Seen::default()
                    });
                    seen.len().saturating_sub(1)
                }
            };
        }
        if let Some(feed) = seen.get_mut(last) {
            feed.lines = feed.lines.saturating_add(1);
            feed.trades |= content == Content::Trade;
            feed.quotes |= content == Content::Quote;
            feed.book |= content == Content::Book;
            if !labelled {
                trace(feed, content, json, &mut parser);
            }
            // Both marks stand in the first bytes; spot messages have neither.
            if feed.lines <= 64 && !feed.futures {
                let start = json.get(..256).unwrap_or(json);
                feed.futures = memmem::find(start, b"\"pu\":").is_some()
                    || memmem::find(start, b"\"e\":\"bookTicker\"").is_some();
            }
        }
    }
}

/// Takes in what tells snapshots of this feed from those of others. The message's own symbol
/// counts, not the name of its stream: they differ in damaged lines.
fn trace(feed: &mut Seen, content: Content, json: &[u8], parser: &mut Parser) {
    if content != Content::Book && !feed.trace.wants_price() {
        return;
    }
    let own = feed.venue_symbol.as_bytes();
    match parser.parse(json) {
        Ok(Frame::Depth(frame)) if frame.symbol == own => {
            feed.trace.see_ids(frame.first, frame.last);
        }
        Ok(Frame::Trade(frame)) if frame.symbol == own => feed.trace.see_price(frame.price),
        Ok(Frame::BookTicker(frame)) if frame.symbol == own => feed.trace.see_price(frame.bid),
        Ok(_) | Err(_) => {}
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Trade,
    Quote,
    Book,
    Other,
}

/// Returns symbol and kind of a message, from the name of its stream where it has one.
fn content<'a>(json: &'a [u8], parser: &'a mut Parser) -> (&'a [u8], Content) {
    if let Some(rest) = json.strip_prefix(b"{\"stream\":\"") {
        let name_end = memchr::memchr(b'"', rest).unwrap_or(0);
        let name = rest.get(..name_end).unwrap_or_default();
        let mut parts = name.splitn(2, |byte| *byte == b'@');
        if let (Some(symbol), Some(channel)) = (parts.next(), parts.next()) {
            return match channel {
                b"trade" => (symbol, Content::Trade),
                b"bookTicker" => (symbol, Content::Quote),
                b"depth" => (symbol, Content::Book),
                _ if channel.starts_with(b"depth@") => (symbol, Content::Book),
                _ => (symbol, Content::Other),
            };
        }
    }
    if json.starts_with(b"{\"lastUpdateId\":") {
        return (b"", Content::Book);
    }
    match parser.parse(json) {
        Ok(Frame::Trade(frame)) => (frame.symbol, Content::Trade),
        Ok(Frame::BookTicker(frame)) => (frame.symbol, Content::Quote),
        Ok(Frame::Depth(frame)) => (frame.symbol, Content::Book),
        Ok(Frame::Snapshot(_)) => (b"", Content::Book),
        Ok(Frame::Other) | Err(_) => (b"", Content::Other),
    }
}

/// Makes one pass for the decimals that the numbers of one instrument need.
///
/// # Errors
/// As [`open`].
pub(super) fn grid(path: &Path, head: &Head, of: &Seen, volume: &str) -> Result<Grid, DataError> {
    let mut lines = open(path)?;
    let mut grid = Grid::default();
    let mut parser = Parser::new();
    let columns = match head.format {
        Format::Levels => Columns::find(head.header.as_bytes(), &["price", "qty"]),
        Format::Trades => Columns::find(head.header.as_bytes(), &["price", "qty"]),
        Format::Klines => {
            let names = [KLINE_COLUMNS.as_slice(), &[volume]].concat();
            Columns::find(head.header.as_bytes(), &names)
        }
        Format::Raw | Format::Labelled => None,
        Format::Marks | Format::Fundings | Format::Flows => return Ok(grid),
    };
    loop {
        match lines.advance() {
            Step::Line => {}
            Step::TooLong => continue,
            Step::End | Step::Failed => return Ok(grid),
        }
        let line = lines.line();
        match head.format {
            Format::Raw | Format::Labelled => {
                let labelled = head.format == Format::Labelled;
                match fields::raw_payload(line, labelled) {
                    Some((_, label, json)) if label == of.label => {
                        see_message(&mut grid, &mut parser, json, of);
                    }
                    Some(_) | None => {}
                }
            }
            Format::Levels | Format::Trades => {
                if let Some(columns) = &columns {
                    let row = columns.cut(line);
                    grid.see_price(row.at(0));
                    grid.see_qty(row.at(1));
                }
            }
            Format::Marks | Format::Fundings | Format::Flows => {}
            Format::Klines => {
                if let Some(columns) = &columns {
                    let row = columns.cut(line);
                    (1..5).for_each(|at| grid.see_price(row.at(at)));
                    grid.see_qty(row.at(6));
                }
            }
        }
    }
}

fn see_message(grid: &mut Grid, parser: &mut Parser, json: &[u8], of: &Seen) {
    let see_levels = |grid: &mut Grid, levels: Levels<'_>| {
        for (_, price, qty) in levels.iter() {
            grid.see_price(price);
            grid.see_qty(qty);
        }
    };
    match parser.parse(json) {
        Ok(Frame::Trade(frame)) if frame.symbol == of.venue_symbol.as_bytes() => {
            grid.see_price(frame.price);
            grid.see_qty(frame.qty);
        }
        Ok(Frame::BookTicker(frame)) if frame.symbol == of.venue_symbol.as_bytes() => {
            for (price, qty) in [(frame.bid, frame.bid_qty), (frame.ask, frame.ask_qty)] {
                grid.see_price(price);
                grid.see_qty(qty);
            }
        }
        Ok(Frame::Depth(frame)) if frame.symbol == of.venue_symbol.as_bytes() => {
            see_levels(grid, frame.levels);
        }
        Ok(Frame::Snapshot(frame)) => see_levels(grid, frame.levels),
        Ok(_) | Err(_) => {}
    }
}

/// LIMIT: different distances of rows that are counted; a file with more has no regular bars.
const DISTANCES_MAX: usize = 1_024;

/// Returns the commonest distance between the times of two rows, of equal ones the smallest: one
/// row whose time is off says nothing of the others. `None` where there is none.
///
/// # Errors
/// As [`open`].
pub(super) fn bar_ns(path: &Path) -> Result<Option<i64>, DataError> {
    let mut lines = open(path)?;
    let mut before: Option<i64> = None;
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    loop {
        match lines.advance() {
            Step::Line => {}
            Step::TooLong => continue,
            Step::End | Step::Failed => break,
        }
        let Some(time_ns) = line_time(&Format::Klines, lines.line()) else {
            continue;
        };
        let step = before.map_or(0, |before| time_ns.saturating_sub(before));
        before = Some(time_ns);
        if step > 0 && (counts.len() < DISTANCES_MAX || counts.contains_key(&step)) {
            let count = counts.entry(step).or_default();
            *count = count.saturating_add(1);
        }
    }
    let commonest = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    Ok(commonest.map(|(step, _)| step))
}

/// Returns the largest time of a file.
///
/// # Errors
/// As [`open`].
pub(super) fn last_ns(path: &Path, format: &Format) -> Result<i64, DataError> {
    let mut lines = open(path)?;
    let mut last = i64::MIN;
    loop {
        match lines.advance() {
            Step::Line => {
                last = last.max(line_time(format, lines.line()).unwrap_or(i64::MIN));
            }
            Step::TooLong => {}
            Step::End | Step::Failed => return Ok(last),
        }
    }
}
