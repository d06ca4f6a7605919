//! Klines files: one closed bar a line, delivered at its end.
//!
//! QUIRK(bitmex): the open is the close before and may lie outside high and low, volume counts USD
//! contracts and the base volume is a sum of binary floats; the instrument table names what holds
//! for which family of files. Numbers such as `9e-05` are read as what they mean; `None` is an
//! unknown number: zero for volumes and counts, and a bar without one of its prices is unusable.

use engine::source::Message;
use model::decimal::{Decimal, DecimalError, parse_mantissa};
use model::event::{Bar, BarExtra, Body};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, rescale};
use model::order::InputFault;
use model::time::Nanos;

use super::cursor::{Cursor, Next};
use super::fields::{self, Columns, MILLISECOND_NS};
use super::table::Family;

/// The rows of a klines file.
#[derive(Debug)]
pub(super) struct Klines {
    spec: KlinesSpec,
    /// Start of the last bar that was used.
    last_start_ns: Option<i64>,
}

/// How the rows are to be read.
#[derive(Clone, Debug)]
pub(super) struct KlinesSpec {
    columns: Columns,
    header: String,
    length_ns: i64,
    price_decimals: u8,
    qty_decimals: u8,
    /// Price step, 1 where prices may stand between ticks.
    tick: i64,
    stamped_at_end: bool,
    open_outside: bool,
    volume_rounded: bool,
}

impl KlinesSpec {
    /// Returns how the rows of a family's file with this header line are read.
    pub(super) fn new(
        header: &str,
        family: &Family,
        instrument: &Instrument,
        length_ns: i64,
    ) -> Self {
        let volume = family.volume.as_deref().unwrap_or("volume");
        let quote_volume = family.quote_volume.as_deref().unwrap_or("quote_volume");
        let names = ["ts_ms", "open", "high", "low", "close", volume, quote_volume, "trades"];
        Self {
            columns: Columns::find_some(header.as_bytes(), &names),
            header: header.to_owned(),
            length_ns,
            price_decimals: instrument.price_scale.decimals(),
            qty_decimals: instrument.qty_scale.decimals(),
            tick: if family.off_tick { 1 } else { instrument.tick.0 },
            stamped_at_end: family.stamped_at_end,
            open_outside: family.open_outside,
            volume_rounded: family.volume_rounded,
        }
    }

    fn bar(&self, line: &[u8]) -> Result<(BarExtra, Bar), InputFault> {
        let row = self.columns.cut(line);
        let stamp_ns = fields::integer(row.at(0))
            .and_then(|stamp_ms| i64::try_from(stamp_ms).ok())
            .and_then(|stamp_ms| stamp_ms.checked_mul(MILLISECOND_NS));
        let (Some(stamp_ns), true) = (stamp_ns, row.is_whole) else {
            return Err(InputFault::Malformed);
        };
        let length_ns = self.length_ns;
        let start_ns = if self.stamped_at_end {
            stamp_ns.checked_sub(length_ns)
        } else {
            stamp_ns.checked_add(length_ns).map(|_| stamp_ns)
        };
        let is_time = |start_ns: &i64| {
            fields::is_time(*start_ns) && fields::is_time(start_ns.saturating_add(length_ns))
        };
        let start = Nanos(start_ns.filter(is_time).ok_or(InputFault::TooLarge)?);
        let open = self.price(row.at(1))?;
        let high = self.price(row.at(2))?;
        let low = self.price(row.at(3))?;
        let close = self.price(row.at(4))?;
        let volume = self.volume(row.at(5))?;
        let quote_volume = quote_volume(row.at(6))?;
        let trades = count(row.at(7))?;
        let inside = low..=high;
        if !inside.contains(&close) || !(self.open_outside || inside.contains(&open)) {
            return Err(InputFault::BadBar);
        }
        Ok((
            BarExtra { start, length_ns, trades, quote_volume },
            Bar { open, high, low, close, volume },
        ))
    }

    fn price(&self, text: &[u8]) -> Result<Price, InputFault> {
        let price = parse_mantissa(text, self.price_decimals).map_err(fault_of)?;
        if price <= 0 {
            return Err(InputFault::NotPositive);
        }
        if self.tick > 1 && price.checked_rem(self.tick) != Some(0) {
            return Err(InputFault::OffGrid);
        }
        Ok(Price(price))
    }

    fn volume(&self, text: &[u8]) -> Result<Qty, InputFault> {
        if is_unknown(text) {
            return Ok(Qty(0));
        }
        let volume = if self.volume_rounded {
            let volume = rounded(text, self.qty_decimals)?;
            i64::try_from(volume).map_err(|_| InputFault::TooLarge)?
        } else {
            parse_mantissa(text, self.qty_decimals).map_err(fault_of)?
        };
        if volume < 0 { Err(InputFault::NotPositive) } else { Ok(Qty(volume)) }
    }
}

impl Klines {
    /// Returns the rows of a file.
    pub(super) fn new(spec: KlinesSpec) -> Self {
        Self { spec, last_start_ns: None }
    }

    /// Reads one line; false at the end.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        match cursor.next(into) {
            Next::Line => {}
            Next::TooLong | Next::Failed => return true,
            Next::End => return false,
        }
        let instrument = cursor.instrument();
        let line = cursor.line();
        if line == self.spec.header.as_bytes() {
            cursor.uncount();
            return true;
        }
        let (extra, bar) = match self.spec.bar(line) {
            Ok(read) => read,
            Err(fault) => {
                cursor.fault(into, instrument, fault);
                return true;
            }
        };
        // A bar from before would be put behind a later one: it is not used, and time stays.
        match self.last_start_ns {
            Some(last) if extra.start.0 < last => {
                cursor.fault(into, instrument, InputFault::ClockBack);
                return true;
            }
            Some(last) if extra.start.0 == last => {
                cursor.fault(into, instrument, InputFault::OutOfOrder);
                return true;
            }
            Some(_) | None => {}
        }
        self.last_start_ns = Some(extra.start.0);
        let end_ns = extra.start.plus(extra.length_ns).0;
        cursor.tick(into, end_ns);
        into.updates.push((instrument, Body::BarExtra(extra)));
        into.updates.push((instrument, Body::Bar(bar)));
        true
    }
}

/// Returns the fault of a number that cannot be read.
pub(super) fn fault_of(error: DecimalError) -> InputFault {
    match error {
        DecimalError::Malformed => InputFault::Malformed,
        DecimalError::TooFine => InputFault::OffGrid,
        DecimalError::TooLarge => InputFault::TooLarge,
    }
}

/// Tells whether a field is absent, empty or `None`: a number that nobody knows.
fn is_unknown(text: &[u8]) -> bool {
    text.is_empty() || text == b"None"
}

/// Reads a number at a scale, to the nearest, halves to even.
pub(super) fn rounded(text: &[u8], decimals: u8) -> Result<i128, InputFault> {
    let number = Decimal::parse(text).map_err(fault_of)?;
    let from = u8::try_from(number.exponent.saturating_neg().max(0));
    let digits = number.at_scale(from.unwrap_or(u8::MAX)).map_err(fault_of)?;
    let from = from.map_err(|_| InputFault::TooLarge)?;
    rescale(digits, from, decimals, Rounding::HalfEven).ok_or(InputFault::TooLarge)
}

fn quote_volume(text: &[u8]) -> Result<Money, InputFault> {
    if is_unknown(text) {
        return Ok(Money::ZERO);
    }
    let value = rounded(text, MONEY_SCALE)?;
    if value < 0 { Err(InputFault::NotPositive) } else { Ok(Money(value)) }
}

fn count(text: &[u8]) -> Result<u64, InputFault> {
    if is_unknown(text) {
        return Ok(0);
    }
    let count = parse_mantissa(text, 0).map_err(fault_of)?;
    u64::try_from(count).map_err(|_| InputFault::NotPositive)
}
