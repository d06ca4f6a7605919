//! The instrument table: what files do not carry. Embedded, and extended by `--instruments FILE`.

use std::path::Path;

use model::instrument::Kind;
use model::symbol::{Symbol, is_asset};
use serde::Deserialize;

use super::error::DataError;
use super::facts::{Facts, duration_ns};
use crate::app::regular::{self, Refused};

/// The table that ships with the program.
const EMBEDDED: &str = include_str!("../../../../rules/instruments.toml");

/// LIMIT: size of a table. All facts of one instrument take half a kilobyte: thousands fit.
const TABLE_BYTES_MAX: usize = 4 << 20;

/// Instruments, file families and feeds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Table {
    defaults: Facts,
    feeds: Vec<Feed>,
    files: Vec<Family>,
    instruments: Vec<Facts>,
    venues: Vec<Venue>,
}

/// A feed of merged captures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feed {
    label: String,
    venue: String,
    #[serde(default)]
    perpetual: bool,
}

/// How a venue writes its symbols.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Venue {
    name: String,
    quotes: Vec<String>,
}

/// A family of recorded files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    /// Pattern of the file's name.
    name: String,
    /// Header line that recognises a renamed file.
    columns: Option<String>,
    /// The venue.
    pub(super) venue: String,
    /// True for perpetuals.
    #[serde(default)]
    pub(super) perpetual: bool,
    /// Bars are stamped with their end.
    #[serde(default)]
    pub(super) stamped_at_end: bool,
    /// A bar's open may lie outside its high and low.
    #[serde(default)]
    pub(super) open_outside: bool,
    /// Prices may stand between ticks.
    #[serde(default)]
    pub(super) off_tick: bool,
    /// Base volume is rounded to the quantity's decimals.
    #[serde(default)]
    pub(super) volume_rounded: bool,
    /// Column of the base volume, `volume` unless said.
    pub(super) volume: Option<String>,
    /// Column of the quote volume, `quote_volume` unless said.
    pub(super) quote_volume: Option<String>,
}

/// What a file's name or header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The family.
    pub(super) family: Family,
    /// The venue's symbol, in capitals.
    pub(super) venue_symbol: Option<String>,
    /// Length of the bars in nanoseconds.
    pub(super) bar_ns: Option<i64>,
}

/// Venue and kind of an instrument, and the venue's name for it: what data says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The venue.
    pub(super) venue: String,
    /// True for a perpetual.
    pub(super) perpetual: bool,
    /// The venue's symbol.
    pub(super) venue_symbol: String,
}

impl Table {
    /// Returns the embedded table, with the entries of another one before its own.
    ///
    /// # Errors
    /// [`DataError::Table`] for a file that is no table, [`DataError::Missing`] for one that is not
    /// there.
    pub(super) fn load(extra: Option<&Path>) -> Result<Self, DataError> {
        let mut table = Self::parse("embedded", EMBEDDED)?;
        let Some(path) = extra else {
            return Ok(table);
        };
        let name = path.display().to_string();
        let refuse = |why: String| DataError::Table { name: name.clone(), why };
        let bytes = regular::read(path, TABLE_BYTES_MAX).map_err(|refused| match refused {
            Refused::System(source) => DataError::of_path(path, source),
            Refused::Kind(_) => refuse(format!("{refused}; check the path")),
        })?;
        if bytes.len() > TABLE_BYTES_MAX {
            return Err(refuse(format!("it is larger than {TABLE_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".into()))?;
        let mut own = Self::parse(&name, &text)?;
        own.defaults = own.defaults.over(&table.defaults);
        own.instruments = own.instruments.iter().map(|entry| table.complete(entry)).collect();
        own.feeds.append(&mut table.feeds);
        own.files.append(&mut table.files);
        own.instruments.append(&mut table.instruments);
        own.venues.append(&mut table.venues);
        Ok(own)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`DataError::Table`].
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, DataError> {
        let refuse = |why: String| DataError::Table { name: name.to_owned(), why };
        let table: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        for entry in &table.instruments {
            let symbol = entry.symbol.as_deref().unwrap_or_default();
            let symbol = Symbol::parse(symbol).map_err(|error| refuse(error.to_string()))?;
            if symbol.venue.is_none() {
                return Err(refuse(format!(
                    "`{symbol}` needs its venue, as in `binance:{symbol}`"
                )));
            }
        }
        Ok(table)
    }

    /// Returns an entry with what the entry of the same symbol here says beyond it.
    fn complete(&self, entry: &Facts) -> Facts {
        match self.instruments.iter().find(|own| own.symbol == entry.symbol) {
            Some(own) => entry.over(own),
            None => entry.clone(),
        }
    }

    /// Returns what holds where nothing is said.
    pub(super) fn defaults(&self) -> &Facts {
        &self.defaults
    }

    /// Returns the entry of a full name.
    pub(super) fn entry(&self, symbol: &Symbol) -> Option<&Facts> {
        let name = symbol.to_string();
        self.instruments.iter().find(|entry| entry.symbol.as_deref() == Some(&name))
    }

    /// Returns the full names that a name fits.
    pub(super) fn fitting(&self, symbol: &Symbol) -> Vec<Symbol> {
        let mut found: Vec<Symbol> = self.symbols().filter(|full| symbol.fits(full)).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Returns the full name of what a venue calls so.
    pub(super) fn listed(&self, listing: &Listing) -> Option<Symbol> {
        let kind = listing.perpetual.then_some(Kind::LinearPerpetual);
        self.instruments.iter().find_map(|entry| {
            let symbol = Symbol::parse(entry.symbol.as_deref()?).ok()?;
            let own_name = format!("{}{}", symbol.base, symbol.quote);
            let venue_symbol = entry.venue_symbol.as_deref().unwrap_or(&own_name);
            let fits = symbol.venue.as_deref() == Some(&listing.venue)
                && symbol.kind == kind
                && venue_symbol == listing.venue_symbol;
            fits.then_some(symbol)
        })
    }

    /// Makes a full name of a venue's symbol that no entry names, by its quote asset.
    pub(super) fn split(&self, listing: &Listing) -> Option<Symbol> {
        let venue = self.venues.iter().find(|venue| venue.name == listing.venue)?;
        venue.quotes.iter().find_map(|quote| {
            let base = listing.venue_symbol.strip_suffix(quote.as_str())?;
            (is_asset(base) && is_asset(quote)).then(|| Symbol {
                venue: Some(listing.venue.clone()),
                base: base.to_owned(),
                quote: quote.clone(),
                kind: listing.perpetual.then_some(Kind::LinearPerpetual),
            })
        })
    }

    /// Returns what the label of a merged capture (`spot:BTCUSDT`) stands for.
    pub(super) fn feed(&self, label: &[u8]) -> Option<Listing> {
        let (feed, venue_symbol) = std::str::from_utf8(label).ok()?.split_once(':')?;
        let feed = self.feeds.iter().find(|known| known.label == feed)?;
        Some(Listing {
            venue: feed.venue.clone(),
            perpetual: feed.perpetual,
            venue_symbol: venue_symbol.to_owned(),
        })
    }

    /// Returns what a file's name says, else what its header line says.
    pub(super) fn named(&self, file_name: &str, header: &str) -> Option<Named> {
        let lower = file_name.to_ascii_lowercase();
        let by_name = self.files.iter().find_map(|family| {
            let mut named = Named { family: family.clone(), venue_symbol: None, bar_ns: None };
            fits(&family.name, &lower, &mut named).then_some(named)
        });
        by_name.or_else(|| {
            let mut families = self.files.iter();
            let family = families.find(|family| family.columns.as_deref() == Some(header))?;
            Some(Named { family: family.clone(), venue_symbol: None, bar_ns: None })
        })
    }

    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.instruments.iter().filter_map(|entry| Symbol::parse(entry.symbol.as_deref()?).ok())
    }
}

/// Tells whether a name fits a pattern; fills in what its places stand for. A place takes as many
/// letters and digits as there are.
fn fits(pattern: &str, name: &str, named: &mut Named) -> bool {
    if pattern.is_empty() {
        return name.is_empty();
    }
    if pattern == "*" {
        return true;
    }
    let word = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let Some((word, after)) = name.split_at_checked(word) else {
        return false;
    };
    if let Some(rest) = pattern.strip_prefix("{symbol}") {
        named.venue_symbol = Some(word.to_ascii_uppercase());
        return !word.is_empty() && fits(rest, after, named);
    }
    if let Some(rest) = pattern.strip_prefix("{interval}") {
        named.bar_ns = duration_ns(word);
        return named.bar_ns.is_some() && fits(rest, after, named);
    }
    let mut expected = pattern.chars();
    let mut found = name.chars();
    expected.next() == found.next() && fits(expected.as_str(), found.as_str(), named)
}
