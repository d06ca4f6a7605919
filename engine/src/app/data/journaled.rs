//! A journal as recorded data: its market data once more, of instruments as it describes them.
//!
//! Only what came from outside is taken: rules, account and latencies are those of the new run, and
//! everything that the old one derived or decided is computed anew. Under its rules and options the
//! same decisions come out. Times are those that the old session stamped.

use std::path::Path;

use engine::replay::{JournalSource, Origin};
use engine::setup::{Carried, SourceSetup};
use journal::{at_rest, info};
use model::decimal::{Decimal, format_trimmed};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Qty, RATE_SCALE};
use model::order::EndReason;
use model::symbol::Symbol;

use super::error::DataError;
use super::facts::{self, Facts, Grid};
use super::{DataArg, Opened, Recorded, Request, names, survey};
use crate::app::quote::quoted;

/// Opens a folder as the only data of a run.
///
/// # Errors
/// [`DataError`] when it holds no journal that can be read, or something was asked for that does
/// not go with one.
pub(super) fn open(arg: &DataArg, request: &Request) -> Result<Opened, DataError> {
    let dir = arg.path.as_path();
    let refuse = |why: &str| Err(DataError::BesideJournal { dir: dir.to_owned(), why: why.into() });
    at_rest(dir)?;
    let origin = Origin::read(dir).map_err(|error| DataError::of_folder(dir, error))?;
    if origin.snapshot.is_some() {
        return refuse(
            "it goes on from the state of another session, whose books and bars its data lacks; \
             give the journal that it continues, or the files",
        );
    }
    if request.data.len() > 1 {
        return refuse(
            "it is data by itself, in its own order; give it alone, or give the files that it was \
             made of",
        );
    }
    if arg.symbol.is_some() {
        return refuse("it says of which instruments its data is; leave `=SYMBOL` away");
    }
    if request.instrument_file.is_some() {
        return refuse(
            "it describes its instruments; leave --instruments away, and state what differs with \
             --instrument",
        );
    }
    let mut notes = notes(dir, &origin);
    let mut instruments: Vec<(Instrument, Carried)> = Vec::new();
    for described in &origin.setup.instruments {
        let instrument =
            described.instrument().map_err(|error| DataError::Instrument(error.to_string()))?;
        instruments.push((instrument, described.carries));
    }
    let beside = |why| DataError::BesideJournal { dir: dir.to_owned(), why };
    restate(request, &mut instruments, &mut notes, &beside)?;
    super::rename(&request.settle, &mut instruments, &mut notes);
    let mut sources = origin.setup.sources;
    // Behind the old ones, which the faults in the data name by their index. `.` has no name.
    let full = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = format!("journal {}", names::file_name(&full));
    sources.push(SourceSetup { name, hash: hash(dir)? });
    let mut source = Box::new(JournalSource::open(dir)?);
    source.promise(origin.bytes);
    Ok(Opened { source: Recorded::Journal(source), instruments, sources, notes })
}

/// Says what the data is, and why it may be less than was there to be recorded.
fn notes(dir: &Path, origin: &Origin) -> Vec<String> {
    let dir = quoted(dir.as_os_str());
    let mut notes = vec![format!(
        "note: {dir}: market data of a journal; account, latencies and rules are those of this run"
    )];
    match (origin.torn, origin.end) {
        (Some(tear), _) => notes.push(format!(
            "warning: journal {dir} is torn {tear}; the run is over what stands before it"
        )),
        (None, Some(EndReason::EndOfData)) => {}
        (None, Some(EndReason::Requested)) => notes.push(format!(
            "note: journal {dir}: its session was stopped before the end of its data"
        )),
        (None, Some(EndReason::SourceFailed)) => notes.push(format!(
            "warning: journal {dir}: its session ended early because its data was cut or damaged"
        )),
        (None, None) => notes.push(format!(
            "warning: journal {dir}: its session was killed; the run is over what it journaled"
        )),
    }
    notes
}

/// Lays the facts of `--instrument` over the journal's own. Facts by which the data itself was read
/// may be stated as they are: otherwise, they would no longer fit it.
pub(super) fn restate(
    request: &Request,
    instruments: &mut [(Instrument, Carried)],
    notes: &mut Vec<String>,
    beside: &dyn Fn(String) -> DataError,
) -> Result<(), DataError> {
    let specs = facts::parse_specs(&request.instruments)?;
    let known: Vec<Symbol> = instruments.iter().map(|(one, _)| one.symbol.clone()).collect();
    let known: Vec<&Symbol> = known.iter().collect();
    let overrides = super::overrides(request, &specs, &known, notes)?;
    for ((own, _), stated) in instruments.iter_mut().zip(&overrides) {
        if stated.stated().is_empty() {
            continue;
        }
        let refuse = |what: &str, is: String| {
            let why =
                format!("the data of {} was read by {what} {is}; state that or none", own.symbol);
            Err(beside(why))
        };
        let (price, qty) = (own.price_scale.decimals(), own.qty_scale.decimals());
        // Asked first: quantities that are not stated may not fit the decimals of a finer lot.
        let lot = stated.lot.as_ref().and_then(|lot| Decimal::parse(lot.as_bytes()).ok());
        if lot.is_some_and(|lot| lot.decimals() > u32::from(qty)) {
            return refuse("a lot of at most so many decimals:", qty.to_string());
        }
        let base = facts_of(own);
        if stated.lot.is_some() && base.min_qty.is_none() && stated.min_qty.is_none() {
            notes.push(format!(
                "note: {}: min_qty was one lot, and is one lot as stated",
                own.symbol
            ));
        }
        let new = facts::build(&own.symbol, &stated.over(&base), Grid::default())?;
        if new.price_scale != own.price_scale {
            return refuse("price_decimals", price.to_string());
        }
        if new.qty_scale != own.qty_scale {
            return refuse("qty_decimals", qty.to_string());
        }
        if new.tick != own.tick {
            return refuse("tick", format_trimmed(i128::from(own.tick.0), price));
        }
        if new.venue_symbol != own.venue_symbol {
            return refuse("venue_symbol", own.venue_symbol.clone());
        }
        *own = new;
    }
    Ok(())
}

/// Returns what an instrument is as facts: made of them, it is the same. Quantities that follow
/// from the lot are none, so that they follow from another one too.
pub(super) fn facts_of(instrument: &Instrument) -> Facts {
    let (price, qty) = (instrument.price_scale.decimals(), instrument.qty_scale.decimals());
    let number = |mantissa: i64, decimals| Some(format_trimmed(i128::from(mantissa), decimals));
    let share = |rate: i64| number(rate, RATE_SCALE);
    let own_qty =
        |value: Qty, by_lot: Qty| if value == by_lot { None } else { number(value.0, qty) };
    Facts {
        symbol: None,
        venue_symbol: Some(instrument.venue_symbol.clone()),
        settle: Some(instrument.settle.clone()),
        tick: number(instrument.tick.0, price),
        lot: number(instrument.lot.0, qty),
        price_decimals: Some(price.to_string()),
        qty_decimals: Some(qty.to_string()),
        min_qty: own_qty(instrument.qty_min, instrument.lot),
        max_qty: own_qty(instrument.qty_max, facts::all_lots(instrument.lot)),
        min_notional: Some(format_trimmed(instrument.notional_min.0, MONEY_SCALE)),
        fee_maker: share(instrument.fee_maker.0),
        fee_taker: share(instrument.fee_taker.0),
        fee_asset: Some(instrument.fee_asset.to_string()),
        protect: share(instrument.protect.0),
        flatten_band: share(instrument.flatten_band.0),
        fee_decimals: Some(instrument.fee_scale.decimals().to_string()),
        half_spread: share(instrument.half_spread.0),
        max_mark_spread: share(instrument.mark_spread_max.0),
        max_mark_age: Some(format!("{}ns", instrument.mark_age_max_ns)),
        mark: Some(if instrument.mark_liquidation { "liquidation" } else { "mid" }.to_owned()),
        max_leverage: Some(instrument.leverage_max.to_string()),
        maintenance_rate: share(instrument.maintenance.0),
    }
}

/// Returns the BLAKE3 of the hashes of a journal's segments, each as it lies on disk.
fn hash(dir: &Path) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    for segment in info(dir)?.segments {
        hasher.update(survey::whole(&segment.path)?.hash.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
