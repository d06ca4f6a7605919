//! Instrument names as people write them: `[venue:]BASE_QUOTE[.PERP]`.
//!
//! With a venue the name is full: `binance:BTC_USDT` is the spot pair. Without a venue it fits
//! every instrument of that base and quote (and kind, if stated), and binds only when exactly one
//! fits.

/// LIMIT: longest name of a venue, base or quote.
pub const NAME_BYTES_MAX: usize = 16;

/// What kind of contract an instrument is. Others can be named in data and are refused at bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Base against quote, settled at once.
    Spot,
    /// Perpetual with margin and profit in the quote asset.
    LinearPerpetual,
}

/// A name of an instrument, perhaps not a full one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    /// Venue in lower case, if stated.
    pub venue: Option<String>,
    /// Base asset.
    pub base: String,
    /// Quote asset.
    pub quote: String,
    /// `.PERP`, if stated.
    pub kind: Option<Kind>,
}

/// A text that is no instrument name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an instrument name; write [venue:]BASE_QUOTE or [venue:]BASE_QUOTE.PERP")]
pub struct SymbolError {
    /// The text as given.
    pub text: String,
}

impl Symbol {
    /// Reads a name.
    ///
    /// # Errors
    /// [`SymbolError`] when the text does not have the form above.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let refuse = || SymbolError { text: text.to_owned() };
        let (venue, rest) = match text.split_once(':') {
            Some((venue, rest)) if is_venue(venue) => (Some(venue.to_owned()), rest),
            Some(_) => return Err(refuse()),
            None => (None, text),
        };
        let (pair, kind) = match rest.split_once('.') {
            Some((pair, "PERP")) => (pair, Some(Kind::LinearPerpetual)),
            Some(_) => return Err(refuse()),
            None => (rest, None),
        };
        let (base, quote) = pair.split_once('_').ok_or_else(refuse)?;
        if !is_asset(base) || !is_asset(quote) {
            return Err(refuse());
        }
        Ok(Self { venue, base: base.to_owned(), quote: quote.to_owned(), kind })
    }

    /// Tells whether this name fits the instrument with the full name `other`.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        let kind_fits = match (&self.venue, self.kind) {
            (Some(_), kind) => kind == other.kind,
            (None, Some(kind)) => other.kind == Some(kind),
            (None, None) => true,
        };
        self.base == other.base
            && self.quote == other.quote
            && kind_fits
            && (self.venue.is_none() || self.venue == other.venue)
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(venue) = &self.venue {
            write!(out, "{venue}:")?;
        }
        write!(out, "{}_{}", self.base, self.quote)?;
        match self.kind {
            Some(Kind::LinearPerpetual) => out.write_str(".PERP"),
            Some(Kind::Spot) | None => Ok(()),
        }
    }
}

/// Tells whether a text is an asset name: capitals and digits with at least one capital.
#[must_use]
pub fn is_asset(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_venue(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_bad_ones_are_refused() {
        for text in ["BTC_USDT", "binance:BTC_USDT", "binance:1000SATS_USDT.PERP", "1INCH_USDT"] {
            assert_eq!(Symbol::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "BTCUSDT", "btc_usdt", "BTC_", "X:BTC_USDT", "BTC_USDT.SPOT", "1_USDT", "A_B_C"]
        {
            assert!(Symbol::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_with_a_venue_is_full_and_one_without_fits_every_kind() {
        let spot = Symbol::parse("binance:BTC_USDT").unwrap();
        let perp = Symbol::parse("binance:BTC_USDT.PERP").unwrap();
        let loose = Symbol::parse("BTC_USDT").unwrap();
        let loose_perp = Symbol::parse("BTC_USDT.PERP").unwrap();
        assert!(loose.fits(&spot) && loose.fits(&perp));
        assert!(!loose_perp.fits(&spot) && loose_perp.fits(&perp));
        assert!(spot.fits(&spot) && !spot.fits(&perp) && perp.fits(&perp));
    }
}
