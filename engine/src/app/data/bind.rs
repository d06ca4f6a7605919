//! Which instrument each file is of, and what is known of it.
//!
//! ```text
//! name, header, feeds --Table--> full name --facts, data--> Instrument
//!         FILE=SYMBOL, --symbol ----^           ^---- --instrument, --settle
//! ```

use std::path::Path;

use engine::setup::Carried;
use model::id::InstrumentId;
use model::instrument::{Instrument, Kind};
use model::symbol::Symbol;
use model::time::SECOND_NS;

use super::error::DataError;
use super::facts::{Facts, Grid, ROUNDED_QTY_DECIMALS, build};
use super::survey::{self, Format, Head, Seen};
use super::table::{Family, Listing, Named, Table};
use super::{DataArg, Request, names};

/// Venue of instruments whose data names none.
const NO_VENUE: &str = "file";

/// A file whose instruments are known by name.
#[derive(Debug)]
pub(super) struct Bound {
    /// What its first lines say.
    pub(super) head: Head,
    /// What its name or header line says.
    pub(super) family: Family,
    /// Its instruments, with what it holds of each.
    pub(super) parts: Vec<Part>,
    /// What it holds of instruments that nobody knows, raw captures without labels only.
    pub(super) strangers: Vec<Seen>,
    /// Length of its bars, 0 when it has none.
    pub(super) bar_ns: i64,
}

/// What a file holds of one instrument.
#[derive(Debug)]
pub(super) struct Part {
    /// The instrument.
    pub(super) instrument: InstrumentId,
    /// Feed and symbol as the file writes them.
    pub(super) seen: Seen,
}

/// Instruments while they are gathered.
#[derive(Debug)]
pub(super) struct Binder<'a> {
    table: &'a Table,
    specs: &'a [(Symbol, Facts)],
    names: Vec<(Symbol, String)>,
    /// Lines to print and to journal.
    pub(super) notes: Vec<String>,
}

impl<'a> Binder<'a> {
    /// Returns a binder without instruments.
    pub(super) fn new(table: &'a Table, specs: &'a [(Symbol, Facts)]) -> Self {
        Self { table, specs, names: Vec::new(), notes: Vec::new() }
    }

    /// Finds the instruments of a file that begins so.
    ///
    /// # Errors
    /// [`DataError`] when the file cannot be read or its instrument cannot be told.
    pub(super) fn bind(
        &mut self,
        arg: &DataArg,
        head: Head,
        request: &Request,
    ) -> Result<Bound, DataError> {
        let named = self.table.named(&names::file_name(&arg.path), &head.header);
        let family = named.as_ref().map(|named| named.family.clone()).unwrap_or_default();
        let mut strangers = Vec::new();
        let parts = match head.format {
            Format::Labelled => self.labelled(&arg.path)?,
            Format::Raw => self.unlabelled(arg, request, named.as_ref(), &mut strangers)?,
            Format::Marks | Format::Fundings => vec![self.beside(arg)?],
            Format::Flows if arg.symbol.is_some() => {
                return Err(DataError::FlowsOf { path: arg.path.clone() });
            }
            Format::Flows => Vec::new(),
            Format::Levels | Format::Trades | Format::Klines => {
                let perpetual = head.chained || named.as_ref().is_some_and(|n| n.family.perpetual);
                let venue_symbol = named.as_ref().and_then(|named| named.venue_symbol.clone());
                let symbol =
                    self.full_name(arg, request, named.as_ref(), perpetual, venue_symbol)?;
                let format = &head.format;
                let seen = Seen {
                    trades: *format == Format::Trades,
                    book: *format == Format::Levels,
                    futures: perpetual,
                    ..Seen::default()
                };
                vec![Part { instrument: self.id(symbol)?, seen }]
            }
        };
        let bar_ns = match head.format {
            Format::Klines => self.bar_ns(&arg.path, named.as_ref())?,
            Format::Raw
            | Format::Labelled
            | Format::Levels
            | Format::Trades
            | Format::Marks
            | Format::Fundings
            | Format::Flows => 0,
        };
        Ok(Bound { head, family, parts, strangers, bar_ns })
    }

    /// Finds the perpetual whose marks or fundings a file has: one of those whose market is bound.
    fn beside(&self, arg: &DataArg) -> Result<Part, DataError> {
        let path = || arg.path.clone();
        let stated = arg.symbol.as_ref().ok_or_else(|| DataError::NoSymbol { path: path() })?;
        let known: Vec<&Symbol> = self.names.iter().map(|(symbol, _)| symbol).collect();
        let at = super::resolve(stated, &known)?;
        let symbol = known.get(at).filter(|one| one.kind == Some(Kind::LinearPerpetual));
        if symbol.is_none() {
            return Err(DataError::NoPerpetual { path: path(), symbol: stated.to_string() });
        }
        let id = u32::try_from(at).map_err(|_| DataError::NoSymbol { path: path() })?;
        Ok(Part { instrument: InstrumentId(id), seen: Seen::default() })
    }

    /// Returns the names that were bound, by id, each with the venue's own.
    pub(super) fn names(&self) -> &[(Symbol, String)] {
        &self.names
    }

    /// Binds the feeds of a merged capture. A feed that no table knows is not bound: one damaged
    /// label must not make an instrument.
    fn labelled(&mut self, path: &Path) -> Result<Vec<Part>, DataError> {
        let mut parts = Vec::new();
        let mut unknown = Vec::new();
        for seen in survey::feeds(path, true)? {
            let listing = self.table.feed(&seen.label);
            let known = listing.and_then(|listing| Some((self.known(&listing)?, listing)));
            match known {
                Some((symbol, listing)) => {
                    let futures = listing.perpetual;
                    let venue_symbol = listing.venue_symbol.clone();
                    let instrument = self.id((symbol, listing.venue_symbol))?;
                    let seen = Seen { venue_symbol, futures, ..seen };
                    parts.push(Part { instrument, seen });
                }
                None => unknown.push(String::from_utf8_lossy(&seen.label).into_owned()),
            }
        }
        if parts.is_empty() {
            return Err(DataError::NoFeed { path: path.to_owned(), found: names::some(&unknown) });
        }
        if !unknown.is_empty() {
            self.notes.push(format!(
                "warning: {}: of no known instrument, so their lines count as bad: {}; describe \
                 with --instrument, e.g. 'binance:ABC_USDT,tick=0.01,lot=0.1'",
                names::file_name(path),
                names::some(&unknown),
            ));
        }
        Ok(parts)
    }

    /// Binds a raw capture: the symbol that most lines carry is its own, others must be known.
    fn unlabelled(
        &mut self,
        arg: &DataArg,
        request: &Request,
        named: Option<&Named>,
        strangers: &mut Vec<Seen>,
    ) -> Result<Vec<Part>, DataError> {
        let mut feeds = survey::feeds(&arg.path, false)?;
        // The first of those with the most lines, so that equal counts keep the file's order.
        feeds.sort_by_key(|feed| std::cmp::Reverse(feed.lines));
        let mut parts = Vec::new();
        for seen in feeds {
            let perpetual = named.map_or(seen.futures, |named| named.family.perpetual);
            let venue_symbol = Some(seen.venue_symbol.clone());
            let symbol = if parts.is_empty() {
                self.full_name(arg, request, named, perpetual, venue_symbol)?
            } else {
                let venue = named.map_or("binance", |named| &named.family.venue).to_owned();
                let venue_symbol = seen.venue_symbol.clone();
                let listing = Listing { venue, perpetual, venue_symbol };
                match self.known(&listing) {
                    Some(symbol) => (symbol, listing.venue_symbol),
                    None => {
                        strangers.push(seen);
                        continue;
                    }
                }
            };
            let instrument = self.id(symbol)?;
            parts.push(Part { instrument, seen: Seen { futures: perpetual, ..seen } });
        }
        if parts.is_empty() {
            return Err(DataError::NoFeed { path: arg.path.clone(), found: "none".to_owned() });
        }
        Ok(parts)
    }

    /// Finds the full name of a file's own instrument, and the venue's name for it.
    fn full_name(
        &self,
        arg: &DataArg,
        request: &Request,
        named: Option<&Named>,
        perpetual: bool,
        venue_symbol: Option<String>,
    ) -> Result<(Symbol, String), DataError> {
        let venue = named.map(|named| named.family.venue.clone());
        // Raw captures are read by the one venue adapter there is.
        let listing = venue_symbol.as_ref().map(|venue_symbol| Listing {
            venue: venue.clone().unwrap_or_else(|| "binance".to_owned()),
            perpetual,
            venue_symbol: venue_symbol.clone(),
        });
        let own = listing
            .as_ref()
            .and_then(|listing| self.known(listing).or_else(|| self.table.split(listing)));
        let wanted = match (&arg.symbol, &request.symbol, &own) {
            (Some(stated), _, _) => Some(stated),
            // --symbol says what a file is of only where the file does not, and it is the only one.
            (None, Some(stated), None) if request.data.len() == 1 => Some(stated),
            (None, _, _) => None,
        };
        let symbol = match (wanted, own) {
            (Some(stated), Some(own)) if stated.fits(&own) => own,
            (Some(stated), _) => self.stated(stated, venue.as_deref(), perpetual)?,
            (None, Some(own)) => own,
            (None, None) => return Err(DataError::NoSymbol { path: arg.path.clone() }),
        };
        let listed = self.table.entry(&symbol).and_then(|entry| entry.venue_symbol.clone());
        let venue_symbol = venue_symbol.or(listed);
        let venue_symbol =
            venue_symbol.unwrap_or_else(|| format!("{}{}", symbol.base, symbol.quote));
        Ok((symbol, venue_symbol))
    }

    /// Completes a name that a person gave: by the venue of the file's family, else by the table.
    fn stated(
        &self,
        stated: &Symbol,
        venue: Option<&str>,
        perpetual: bool,
    ) -> Result<Symbol, DataError> {
        if stated.venue.is_some() {
            return Ok(stated.clone());
        }
        if let Some(venue) = venue {
            let kind = stated.kind.or(perpetual.then_some(Kind::LinearPerpetual));
            return Ok(Symbol { venue: Some(venue.to_owned()), kind, ..stated.clone() });
        }
        match self.table.fitting(stated).as_slice() {
            [] => Ok(Symbol { venue: Some(NO_VENUE.to_owned()), ..stated.clone() }),
            [only] => Ok(only.clone()),
            several => Err(DataError::Ambiguous {
                symbol: stated.to_string(),
                candidates: names::list(several.iter()),
            }),
        }
    }

    /// Returns the full name of what a venue calls so, by the table or by `--instrument`.
    fn known(&self, listing: &Listing) -> Option<Symbol> {
        let kind = listing.perpetual.then_some(Kind::LinearPerpetual);
        self.table.listed(listing).or_else(|| {
            self.specs.iter().find_map(|(symbol, facts)| {
                let full = Symbol {
                    venue: Some(listing.venue.clone()),
                    kind: symbol.kind.or(kind),
                    ..symbol.clone()
                };
                let own_name = format!("{}{}", symbol.base, symbol.quote);
                let venue_symbol = facts.venue_symbol.as_deref().unwrap_or(&own_name);
                let is_it =
                    symbol.fits(&full) && full.kind == kind && venue_symbol == listing.venue_symbol;
                is_it.then_some(full)
            })
        })
    }

    fn id(&mut self, (symbol, venue_symbol): (Symbol, String)) -> Result<InstrumentId, DataError> {
        let at = self.names.iter().position(|(known, _)| *known == symbol);
        let at = at.unwrap_or_else(|| {
            self.names.push((symbol, venue_symbol));
            self.names.len().saturating_sub(1)
        });
        let limit = engine::limits::INSTRUMENTS_MAX;
        let too_many = DataError::TooMany {
            what: "instruments in the data",
            count: at.saturating_add(1),
            limit,
        };
        if at >= limit {
            return Err(too_many);
        }
        u32::try_from(at).map(InstrumentId).map_err(|_| too_many)
    }

    /// Finds the length of a file's bars: what its name says, or how far its rows stand apart.
    fn bar_ns(&mut self, path: &Path, named: Option<&Named>) -> Result<i64, DataError> {
        let stated = named.and_then(|named| named.bar_ns);
        let seen = match stated {
            Some(stated) => return Ok(stated),
            None => survey::bar_ns(path)?,
        };
        let seen = seen.ok_or_else(|| DataError::NoBarLength { path: path.to_owned() })?;
        self.notes.push(format!(
            "note: {}: bars of {} s, by the commonest distance of two rows",
            names::file_name(path),
            model::decimal::format_trimmed(i128::from(seen), 9),
        ));
        Ok(seen)
    }
}

/// Facts and steps of one instrument, from all layers.
#[derive(Debug)]
pub(super) struct Described {
    /// The instrument.
    pub(super) instrument: Instrument,
    /// True when `max_mark_age` was stated for this instrument itself.
    pub(super) mark_age_stated: bool,
}

/// Makes an instrument of all that is stated of it, and of the data where tick or lot are not.
///
/// # Errors
/// [`DataError`] for a fact that cannot be read, or a file that cannot.
pub(super) fn describe(
    (symbol, venue_symbol): &(Symbol, String),
    table: &Table,
    spec: &Facts,
    holders: &[(&Path, &Bound, &Part)],
    notes: &mut Vec<String>,
) -> Result<Described, DataError> {
    let entry = table.entry(symbol).cloned().unwrap_or_default();
    let own = spec.over(&entry);
    let mut grid = Grid::default();
    if own.tick.is_none() || own.lot.is_none() {
        for (path, bound, part) in holders {
            let seen = Seen { venue_symbol: venue_symbol.clone(), ..part.seen.clone() };
            let volume = bound.family.volume.as_deref().unwrap_or("volume");
            let found = survey::grid(path, &bound.head, &seen, volume)?;
            grid.price_decimals = grid.price_decimals.max(found.price_decimals);
            let qty_decimals = if bound.family.volume_rounded {
                found.qty_decimals.min(ROUNDED_QTY_DECIMALS)
            } else {
                found.qty_decimals
            };
            grid.qty_decimals = grid.qty_decimals.max(qty_decimals);
        }
    }
    let mut facts = own.over(table.defaults());
    facts.venue_symbol = facts.venue_symbol.or_else(|| Some(venue_symbol.clone()));
    let instrument = build(symbol, &facts, grid)?;
    if own.tick.is_none() || own.lot.is_none() {
        let step = |mantissa: i64, decimals: u8| {
            model::decimal::format_mantissa(i128::from(mantissa), decimals)
        };
        notes.push(format!(
            "warning: {symbol} is not in the instrument table: tick {} and lot {} come from the \
             decimals of the data; state them with --instrument '{symbol},tick=...,lot=...'",
            step(instrument.tick.0, instrument.price_scale.decimals()),
            step(instrument.lot.0, instrument.qty_scale.decimals()),
        ));
    }
    let mark_age_stated = own.max_mark_age.is_some();
    Ok(Described { instrument, mark_age_stated })
}

/// Returns what the data of an instrument carries over all of its files.
///
/// # Errors
/// [`DataError::BarLengths`] for bars of two lengths, [`DataError::Overlap`] for two files that
/// hold the same thing for the same time.
pub(super) fn carried(
    symbol: &Symbol,
    holders: &[(&Path, &Bound, &Part)],
) -> Result<Carried, DataError> {
    let mut all = Carried::default();
    for (_, bound, part) in holders {
        all.quotes |= part.seen.quotes;
        all.book |= part.seen.book;
        all.trades |= part.seen.trades;
        if bound.bar_ns > 0 && all.bar_ns > 0 && bound.bar_ns != all.bar_ns {
            return Err(DataError::BarLengths {
                symbol: symbol.to_string(),
                first_s: all.bar_ns.checked_div(SECOND_NS).unwrap_or(0),
                second_s: bound.bar_ns.checked_div(SECOND_NS).unwrap_or(0),
            });
        }
        all.bar_ns = all.bar_ns.max(bound.bar_ns);
    }
    type Holds = fn(&Bound, &Part) -> bool;
    let kinds: [(&'static str, Holds); 4] = [
        ("book", |_, part| part.seen.book),
        ("best prices", |_, part| part.seen.quotes),
        ("trades", |_, part| part.seen.trades),
        ("bars", |bound, _| bound.bar_ns > 0),
    ];
    for (what, holds) in kinds {
        let mut spans: Vec<(i64, i64, &Path)> = Vec::new();
        let of_kind: Vec<_> =
            holders.iter().filter(|(_, bound, part)| holds(bound, part)).collect();
        if of_kind.len() < 2 {
            continue;
        }
        for (path, bound, _) in of_kind {
            let last_ns = survey::last_ns(path, &bound.head.format)?;
            spans.push((bound.head.first_ns, last_ns, path));
        }
        spans.sort_unstable_by_key(|(first_ns, ..)| *first_ns);
        for pair in spans.windows(2) {
            if let [(_, last_ns, first), (next_ns, _, second)] = pair
                && next_ns <= last_ns
            {
                return Err(DataError::Overlap {
                    symbol: symbol.to_string(),
                    what,
                    first: names::file_name(first),
                    second: names::file_name(second),
                });
            }
        }
    }
    Ok(all)
}
