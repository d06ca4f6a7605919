//! Fields of a line: stamps, labels, columns. Total: what does not fit is `None` or empty.

use memchr::memchr;

use model::decimal::eight_digits;

/// Header line of L2 files.
pub(super) const L2_HEADER: &str = "local_ts,event_ms,kind,first_u,last_u,prev_u,side,price,qty";
/// Header line of trades files.
pub(super) const TRADES_HEADER: &str =
    "local_ts,event_ms,trade_ms,trade_id,price,qty,buyer_is_maker";
/// Columns that klines files must have.
pub(super) const KLINE_COLUMNS: [&str; 6] = ["ts_ms", "open", "high", "low", "close", "volume"];

/// LIMIT: columns of a CSV file that are looked at.
const COLUMNS_MAX: usize = 16;

/// LIMIT: times of rows lie before the year 2200. What is reckoned onwards from a time (latencies,
/// timers, how long a mark lives, the length of a bar) then has 62 years of room in an `i64`, and
/// no recording is of later. Before 1970 there is none either: a stamp has no sign.
const TIME_NS_END: i64 = 7_258_118_400_000_000_000;

/// Nanoseconds of one millisecond.
pub(super) const MILLISECOND_NS: i64 = 1_000_000;

/// Where the wanted columns stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Place in the row, from 0, of each wanted column in turn; `None` where the file lacks it.
    places: Vec<Option<usize>>,
    /// Columns of the file.
    count: usize,
}

/// The wanted fields of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    places: &'a [Option<usize>],
    fields: [&'a [u8]; COLUMNS_MAX],
    /// The row has as many fields as the header.
    pub(super) is_whole: bool,
}

impl Columns {
    /// Finds columns by a header line; `None` when one of them is missing.
    pub(super) fn find(header: &[u8], names: &[&str]) -> Option<Self> {
        let found = Self::find_some(header, names);
        found.places.iter().all(Option::is_some).then_some(found)
    }

    /// Finds columns by a header line, as far as they are there.
    pub(super) fn find_some(header: &[u8], names: &[&str]) -> Self {
        let place = |name: &&str| {
            let mut columns = header.split(|byte| *byte == b',').take(COLUMNS_MAX);
            columns.position(|column| column == name.as_bytes())
        };
        Self {
            places: names.iter().map(place).collect(),
            count: header.split(|byte| *byte == b',').count(),
        }
    }

    /// Cuts a line into its fields.
    pub(super) fn cut<'a>(&'a self, line: &'a [u8]) -> Row<'a> {
        let mut fields = [line.get(..0).unwrap_or_default(); COLUMNS_MAX];
        let mut rest = line;
        let mut count = 0_usize;
        loop {
            let (field, behind) = match memchr(b',', rest) {
                Some(at) => (rest.get(..at), rest.get(at.saturating_add(1)..)),
                None => (Some(rest), None),
            };
            if let (Some(slot), Some(field)) = (fields.get_mut(count), field) {
                *slot = field;
            }
            count = count.saturating_add(1);
            match behind {
                Some(behind) => rest = behind,
                None => break,
            }
        }
        Row { places: &self.places, fields, is_whole: count == self.count }
    }
}

impl<'a> Row<'a> {
    /// Returns the field of wanted column `index`; empty where the file lacks it.
    pub(super) fn at(&self, index: usize) -> &'a [u8] {
        let place = self.places.get(index).copied().flatten();
        place.and_then(|place| self.fields.get(place)).copied().unwrap_or_default()
    }
}

/// Reads digits up to the first other byte; returns the number and what follows.
pub(super) fn stamp(line: &[u8]) -> Option<(i64, &[u8])> {
    let mut number = 0_i64;
    let mut digits = 0_usize;
    let mut rest = line;
    while digits < 16
        && let Some((eight, tail)) = rest.split_first_chunk()
        && let Some(value) = eight_digits(*eight)
    {
        number = number.wrapping_mul(100_000_000).wrapping_add(i64::try_from(value).ok()?);
        digits = digits.wrapping_add(8);
        rest = tail;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Eighteen digits cannot pass an i64; a nineteenth can.
        number = if digits < 18 {
            number.wrapping_mul(10).wrapping_add(i64::from(digit))
        } else {
            number.checked_mul(10)?.checked_add(i64::from(digit))?
        };
        digits = digits.wrapping_add(1);
    }
    let (head, rest) = line.split_at_checked(digits)?;
    (!head.is_empty()).then_some((number, rest))
}

/// Tells whether a row may have this time.
pub(super) fn is_time(time_ns: i64) -> bool {
    (0..TIME_NS_END).contains(&time_ns)
}

/// Reads a whole number without sign.
pub(super) fn integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Cuts `<feed>\t<json>`; the feed has a colon and the rest is an object.
pub(super) fn label(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr(b'\t', rest.get(..64).unwrap_or(rest))?;
    let (label, json) = (rest.get(..at)?, rest.get(at.saturating_add(1)..)?);
    (memchr(b':', label).is_some() && json.starts_with(b"{")).then_some((label, json))
}

/// Cuts label and message of a raw line; the label is empty where lines have none.
pub(super) fn raw_payload(line: &[u8], labelled: bool) -> Option<(i64, &[u8], &[u8])> {
    let (time_ns, rest) = stamp(line)?;
    match (rest.split_first()?, labelled) {
        ((b'\t', rest), true) => label(rest).map(|(label, json)| (time_ns, label, json)),
        ((b' ', json), false) => Some((time_ns, json.get(..0)?, json)),
        _ => None,
    }
}

/// Tells whether an L2 row is a delta.
pub(super) fn is_delta(line: &[u8]) -> bool {
    line.split(|byte| *byte == b',').nth(2) == Some(b"D")
}

/// Tells whether an L2 row is a delta that names the one before it.
pub(super) fn is_chained(line: &[u8]) -> bool {
    let mut columns = line.split(|byte| *byte == b',');
    columns.nth(2) == Some(b"D") && columns.nth(2).is_some_and(|before| !before.is_empty())
}
