//! A journal as recorded data: its market data once more, of instruments as it describes them.
//!
//! Only what came from outside is taken: rules, account and latencies are those of the new run, and
//! everything that the old one derived or decided is computed anew. Under its rules and options the
//! same decisions come out. Times are those that the old session stamped.

use std::path::Path;

use engine::replay::{JournalSource, Origin};
use engine::setup::{Carried, SourceSetup};
use journal::{at_rest, info};
use model::decimal::format_trimmed;
use model::instrument::{FeeAsset, Instrument};
use model::num::{MONEY_SCALE, RATE_SCALE};
use model::symbol::Symbol;

use super::error::DataError;
use super::facts::{self, Facts, Grid};
use super::{DataArg, Opened, Recorded, Request, names, survey};

/// Facts by which the data itself was read: stated otherwise, they would no longer fit it.
const READ_BY: [&str; 4] = ["tick", "price_decimals", "qty_decimals", "venue_symbol"];

/// Opens a folder as the only data of a run.
///
/// # Errors
/// [`DataError`] when it holds no journal that can be read, or something was asked for that does
/// not go with one.
pub(super) fn open(arg: &DataArg, request: &Request) -> Result<Opened, DataError> {
    let dir = arg.path.as_path();
    let refuse = |why| Err(DataError::BesideJournal { dir: dir.to_owned(), why });
    at_rest(dir)?;
    let origin = Origin::read(dir).map_err(|error| DataError::of_folder(dir, error))?;
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
    let mut notes = vec![format!(
        "note: {}: market data of a journal; account, latencies and rules are those of this run",
        dir.display()
    )];
    if let Some(tear) = origin.torn {
        notes.push(format!(
            "warning: journal {} is torn {tear}; the run is over what stands before it",
            dir.display()
        ));
    }
    let mut instruments: Vec<(Instrument, Carried)> = Vec::new();
    for described in &origin.setup.instruments {
        let instrument =
            described.instrument().map_err(|error| DataError::Instrument(error.to_string()))?;
        instruments.push((instrument, described.carries));
    }
    restate(dir, request, &mut instruments, &mut notes)?;
    super::rename(&request.settle, &mut instruments, &mut notes);
    let mut sources = origin.setup.sources;
    // Behind the old ones, which the faults in the data name by their index.
    let name = format!("journal {}", names::file_name(dir));
    sources.push(SourceSetup { name, hash: hash(dir)? });
    let mut source = Box::new(JournalSource::open(dir)?);
    source.promise(origin.bytes);
    Ok(Opened { source: Recorded::Journal(source), instruments, sources, notes })
}

/// Lays the facts of `--instrument` over the journal's own.
fn restate(
    dir: &Path,
    request: &Request,
    instruments: &mut [(Instrument, Carried)],
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    let specs = facts::parse_specs(&request.instruments)?;
    let known: Vec<Symbol> = instruments.iter().map(|(one, _)| one.symbol.clone()).collect();
    let known: Vec<&Symbol> = known.iter().collect();
    let overrides = super::overrides(&specs, &known, notes)?;
    for ((instrument, _), stated) in instruments.iter_mut().zip(&overrides) {
        let names = stated.stated();
        if names.is_empty() {
            continue;
        }
        if let Some((key, _)) = names.iter().find(|(name, _)| READ_BY.contains(name)) {
            return Err(DataError::BesideJournal {
                dir: dir.to_owned(),
                why: match *key {
                    "venue_symbol" => "its data was read by the venue_symbol it describes",
                    "tick" => "its prices were read by the tick it describes",
                    _ => "its numbers have the decimals it describes",
                },
            });
        }
        let facts = stated.over(&facts_of(instrument));
        let restated = facts::build(&instrument.symbol, &facts, Grid::default())?;
        if restated.qty_scale != instrument.qty_scale {
            return Err(DataError::BesideJournal {
                dir: dir.to_owned(),
                why: "its quantities have fewer decimals than the lot that is stated",
            });
        }
        *instrument = restated;
    }
    Ok(())
}

/// Returns what an instrument is as facts: made of them, it is the same.
pub(super) fn facts_of(instrument: &Instrument) -> Facts {
    let (price, qty) = (instrument.price_scale.decimals(), instrument.qty_scale.decimals());
    let number = |mantissa: i64, decimals| Some(format_trimmed(i128::from(mantissa), decimals));
    let share = |rate: i64| number(rate, RATE_SCALE);
    let fee_asset = match instrument.fee_asset {
        FeeAsset::Received => "received",
        FeeAsset::Quote => "quote",
    };
    Facts {
        symbol: None,
        venue_symbol: Some(instrument.venue_symbol.clone()),
        settle: Some(instrument.settle.clone()),
        tick: number(instrument.tick.0, price),
        lot: number(instrument.lot.0, qty),
        price_decimals: Some(price.to_string()),
        qty_decimals: Some(qty.to_string()),
        min_qty: number(instrument.qty_min.0, qty),
        max_qty: number(instrument.qty_max.0, qty),
        min_notional: Some(format_trimmed(instrument.notional_min.0, MONEY_SCALE)),
        fee_maker: share(instrument.fee_maker.0),
        fee_taker: share(instrument.fee_taker.0),
        fee_asset: Some(fee_asset.to_owned()),
        protect: share(instrument.protect.0),
        half_spread: share(instrument.half_spread.0),
        max_mark_spread: share(instrument.mark_spread_max.0),
        max_mark_age: Some(format!("{}ns", instrument.mark_age_max_ns)),
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
