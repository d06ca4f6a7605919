//! Facts of an instrument as text, and the instrument that they make.
//!
//! Facts come in layers, each over the one before: the defaults of the embedded table, its entry,
//! an entry of `--instruments FILE`, and `--instrument SPEC`. What none of them says comes from the
//! data ([`Grid`]). Texts are read exactly, never through a float.

use model::decimal::{Decimal, DecimalError, format_trimmed, parse_mantissa};
use model::instrument::{FEE_DECIMALS, FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, RATE_SCALE, Rate, SCALE_MAX, Scale};
use model::symbol::{Symbol, is_asset};
use serde::Deserialize;

use super::error::DataError;

/// Decimals of quantities whose data is rounded to them, where no table says.
pub(super) const ROUNDED_QTY_DECIMALS: u32 = 8;

/// LIMIT: least and largest fee, as rates: no venue pays more than 1 % for an order or takes more
/// than 10 %. Beyond them stands a slip of the unit, as in `5%` for `5bps`.
const FEES: (i64, i64) = (-10_000_000, 100_000_000);
/// LIMIT: other shares are parts of a whole.
const SHARES: (i64, i64) = (0, 1_000_000_000);
/// LIMIT: largest leverage; venues grant 125, a few of them 500.
const LEVERAGE_MAX: u32 = 1_000;
/// LIMIT: how long a mark may outlive its source. A price of a year ago is none, and times need
/// room for it: see the range of rows' times.
const MARK_AGE_NS_MAX: i64 = 366 * 86_400_000_000_000;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Facts of an instrument, as far as they are stated.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Facts {
            $($(#[$doc])* pub(super) $name: Option<String>,)*
        }

        impl Facts {
            /// Returns these facts, and `base` where they say nothing.
            pub(super) fn over(&self, base: &Self) -> Self {
                Self { $($name: self.$name.clone().or_else(|| base.$name.clone()),)* }
            }

            /// States a fact by its name; false when there is no such fact.
            pub(super) fn state(&mut self, name: &str, value: &str) -> bool {
                $(if name == stringify!($name) {
                    self.$name = Some(value.to_owned());
                    return true;
                })*
                false
            }

            /// Returns name and text of each stated fact.
            pub(super) fn stated(&self) -> Vec<(&'static str, &str)> {
                let all = [$((stringify!($name), self.$name.as_deref())),*];
                all.into_iter().filter_map(|(name, text)| text.map(|text| (name, text))).collect()
            }
        }
    };
}

facts! {
    /// Our full name: the key of an entry, never a default.
    symbol,
    /// The venue's own name.
    venue_symbol,
    /// Asset that profit is counted in, where it is not the quote asset.
    settle,
    /// Price step.
    tick,
    /// Quantity step.
    lot,
    /// Decimals of prices, where data is finer than the tick.
    price_decimals,
    /// Decimals of quantities, where data is finer than the lot.
    qty_decimals,
    /// Smallest order quantity; one lot where nothing is said.
    min_qty,
    /// Largest order quantity.
    max_qty,
    /// Smallest order value in the quote asset.
    min_notional,
    /// Fee share of fills that rested.
    fee_maker,
    /// Fee share of fills that took.
    fee_taker,
    /// `received`, `quote`, or `asset:BNB`.
    fee_asset,
    /// Decimals to which the venue rounds fees up.
    fee_decimals,
    /// How far an `at_market` order may go beyond the touch.
    protect,
    /// How far the engine's own exits may go beyond the touch.
    flatten_band,
    /// Half of the spread assumed where data has none.
    half_spread,
    /// Widest spread whose middle is a mark.
    max_mark_spread,
    /// How long a mark outlives its source.
    max_mark_age,
    /// `mid`, or `liquidation`: longs at the bid, shorts at the ask.
    mark,
    /// Largest leverage of a perpetual.
    max_leverage,
    /// Maintenance margin of a perpetual.
    maintenance_rate,
}

/// Decimals that the numbers of the data need: where tick and lot come from if nobody states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    /// Of prices.
    pub(super) price_decimals: u32,
    /// Of quantities.
    pub(super) qty_decimals: u32,
}

impl Grid {
    /// Takes in a price; text that is no number counts for nothing here, the reader reports it.
    pub(super) fn see_price(&mut self, text: &[u8]) {
        let decimals = Decimal::parse(text).map_or(0, Decimal::decimals);
        self.price_decimals = self.price_decimals.max(decimals);
    }

    /// Takes in a quantity.
    pub(super) fn see_qty(&mut self, text: &[u8]) {
        let decimals = Decimal::parse(text).map_or(0, Decimal::decimals);
        self.qty_decimals = self.qty_decimals.max(decimals);
    }
}

/// Reads `SYMBOL,key=value,...`.
///
/// # Errors
/// [`DataError::Spec`] and [`DataError::Symbol`].
fn parse_spec(text: &str) -> Result<(Symbol, Facts), DataError> {
    let refuse = |why: String| DataError::Spec { text: text.to_owned(), why };
    let mut parts = text.split(',').map(str::trim);
    let symbol = Symbol::parse(parts.next().unwrap_or_default())?;
    let mut facts = Facts::default();
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            return Err(refuse(format!("`{part}` is no key=value")));
        };
        let (name, value) = (name.trim(), value.trim());
        if name == "symbol" || !facts.state(name, value) {
            let known = "tick, lot, price_decimals, qty_decimals, min_qty, max_qty, min_notional, \
                 fee_maker, fee_taker, fee_asset, fee_decimals, protect, flatten_band, \
                 half_spread, max_mark_spread, max_mark_age, mark, max_leverage, \
                 maintenance_rate, settle, venue_symbol";
            return Err(refuse(format!("there is no fact `{name}`; known are {known}")));
        }
    }
    Ok((symbol, facts))
}

/// Reads what `--instrument` was given, one text an instrument.
///
/// # Errors
/// As [`parse_spec`].
pub(super) fn parse_specs(texts: &[String]) -> Result<Vec<(Symbol, Facts)>, DataError> {
    texts.iter().map(|text| parse_spec(text)).collect()
}

/// Checks a text of `--instrument` before any data is known: what it says must be readable, and
/// make an instrument by itself.
///
/// # Errors
/// As [`parse_spec`] and [`build`].
pub(crate) fn check_fact(text: &str) -> Result<(), DataError> {
    let (symbol, facts) = parse_spec(text)?;
    let mut grid = Grid::default();
    for text in [&facts.lot, &facts.min_qty, &facts.max_qty].into_iter().flatten() {
        grid.see_qty(text.as_bytes());
    }
    build(&symbol, &facts, grid).map(drop)
}

/// Makes an instrument of its facts; `grid` is needed where tick or lot are not stated.
///
/// # Errors
/// [`DataError::Fact`] for a text that cannot be read, [`DataError::Instrument`] for figures that
/// cannot be traded with.
pub(super) fn build(symbol: &Symbol, facts: &Facts, grid: Grid) -> Result<Instrument, DataError> {
    let read = Reader { instrument: symbol.to_string() };
    let perpetual = symbol.kind == Some(Kind::LinearPerpetual);
    let price_decimals = read.decimals("price_decimals", &facts.price_decimals)?;
    let qty_decimals = read.decimals("qty_decimals", &facts.qty_decimals)?;
    let (tick, price_scale) =
        read.step("tick", &facts.tick, price_decimals, grid.price_decimals, SCALE_MAX)?;
    let (lot, qty_scale) =
        read.step("lot", &facts.lot, qty_decimals, grid.qty_decimals, MONEY_SCALE)?;
    let fee_asset = match facts.fee_asset.as_deref() {
        None if perpetual => FeeAsset::Quote,
        None => FeeAsset::Received,
        Some(value) => FeeAsset::parse(value).ok_or_else(|| {
            read.refuse("fee_asset", value, "is not `received`, `quote` or `asset:` and a name")
        })?,
    };
    let fee_decimals = read.decimals("fee_decimals", &facts.fee_decimals)?;
    let fee_scale = fee_decimals.and_then(|decimals| u8::try_from(decimals).ok());
    let mark_liquidation = match facts.mark.as_deref() {
        None | Some("mid") => false,
        Some("liquidation") => true,
        Some(value) => return Err(read.refuse("mark", value, "is not `mid` or `liquidation`")),
    };
    let settle = facts.settle.clone().unwrap_or_else(|| symbol.quote.clone());
    if !is_asset(&settle) {
        return Err(read.refuse("settle", &settle, "is not an asset such as USDT"));
    }
    let leverage = read.leverage("max_leverage", &facts.max_leverage)?;
    let notional =
        read.number("min_notional", &facts.min_notional, MONEY_SCALE, "an amount, \"5\"")?;
    if let (Some(..0), Some(text)) = (notional, &facts.min_notional) {
        return Err(read.refuse("min_notional", text, "is negative; the least is 0"));
    }
    let (qty_min, qty_max) = read.quantities(facts, lot, qty_scale)?;
    let instrument = Instrument {
        symbol: symbol.clone(),
        venue_symbol: facts
            .venue_symbol
            .clone()
            .unwrap_or_else(|| format!("{}{}", symbol.base, symbol.quote)),
        kind: if perpetual { Kind::LinearPerpetual } else { Kind::Spot },
        settle,
        price_scale,
        qty_scale,
        tick: Price(tick),
        lot: Qty(lot),
        qty_min,
        qty_max,
        notional_min: Money(i128::from(notional.unwrap_or(0))),
        fee_maker: read.share("fee_maker", &facts.fee_maker, FEES)?,
        fee_taker: read.share("fee_taker", &facts.fee_taker, FEES)?,
        fee_asset,
        fee_scale: Scale::new(fee_scale.unwrap_or(FEE_DECIMALS)).unwrap_or_default(),
        protect: read.share("protect", &facts.protect, SHARES)?,
        flatten_band: read.share("flatten_band", &facts.flatten_band, SHARES)?,
        half_spread: read.share("half_spread", &facts.half_spread, SHARES)?,
        mark_spread_max: read.share("max_mark_spread", &facts.max_mark_spread, SHARES)?,
        mark_age_max_ns: read.duration("max_mark_age", &facts.max_mark_age)?,
        mark_liquidation,
        leverage_max: if perpetual { leverage } else { 1 },
        maintenance: if perpetual {
            read.share("maintenance_rate", &facts.maintenance_rate, SHARES)?
        } else {
            Rate(0)
        },
    };
    match instrument.check() {
        Some(why) => Err(DataError::Instrument(why)),
        None => Ok(instrument),
    }
}

/// Reads facts of one instrument, and names it in errors.
struct Reader {
    instrument: String,
}

impl Reader {
    fn refuse(&self, key: &'static str, value: &str, why: impl Into<String>) -> DataError {
        let instrument = self.instrument.clone();
        DataError::Fact { instrument, key, value: value.to_owned(), why: why.into() }
    }

    /// Says that quantities are counted by the lot, where one does not fit: the lot may have been
    /// stated just now, and the quantity by the table.
    fn beside_lot(&self, error: DataError, scale: Scale) -> DataError {
        match error {
            DataError::Fact { instrument, key, value, why } => {
                let decimals = scale.decimals();
                let why = format!(
                    "{why}: quantities of {instrument} are counted with {decimals} decimals, as \
                     its lot says; state {key} to fit the lot, or qty_decimals"
                );
                DataError::Fact { instrument, key, value, why }
            }
            other => other,
        }
    }

    /// Reads a number at a scale.
    fn number(
        &self,
        key: &'static str,
        text: &Option<String>,
        decimals: u8,
        expected: &'static str,
    ) -> Result<Option<i64>, DataError> {
        let Some(text) = text else {
            return Ok(None);
        };
        match mantissa(text, decimals) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.refuse(key, text, why(error, decimals, expected))),
        }
    }

    /// Reads the smallest and the largest quantity: a lot, and all lots there can be, where nothing
    /// is stated.
    fn quantities(&self, facts: &Facts, lot: i64, scale: Scale) -> Result<(Qty, Qty), DataError> {
        let read = |key, text| {
            let value = self.number(key, text, scale.decimals(), "a quantity, \"0.001\"");
            value.map_err(|error| self.beside_lot(error, scale))
        };
        let least = read("min_qty", &facts.min_qty)?.unwrap_or(lot);
        if let (..0, Some(text)) = (least, &facts.min_qty) {
            return Err(self.refuse("min_qty", text, "is negative; the least is 0"));
        }
        let stated = read("max_qty", &facts.max_qty)?;
        if let (Some(most), Some(text)) = (stated, &facts.max_qty)
            && most < least
        {
            let least = format_trimmed(i128::from(least), scale.decimals());
            let why = format!("is less than min_qty, which is {least}");
            return Err(self.refuse("max_qty", text, why));
        }
        Ok((Qty(least), stated.map_or_else(|| all_lots(Qty(lot)), Qty)))
    }

    /// Reads a leverage; 1 where none is stated.
    fn leverage(&self, key: &'static str, text: &Option<String>) -> Result<u32, DataError> {
        let Some(text) = text else {
            return Ok(1);
        };
        let leverage = mantissa(text, 0).ok().and_then(|value| u32::try_from(value).ok());
        leverage.filter(|leverage| (1..=LEVERAGE_MAX).contains(leverage)).ok_or_else(|| {
            self.refuse(key, text, format!("is not a whole number from 1 to {LEVERAGE_MAX}"))
        })
    }

    fn decimals(&self, key: &'static str, text: &Option<String>) -> Result<Option<u32>, DataError> {
        let value = self.number(key, text, 0, "a number of decimals, \"8\"")?;
        match (value, text) {
            (Some(value), Some(text)) => match u32::try_from(value) {
                Ok(value) if value <= u32::from(SCALE_MAX) => Ok(Some(value)),
                Ok(_) | Err(_) => Err(self.refuse(key, text, "is not between 0 and 18")),
            },
            (Some(_) | None, _) => Ok(None),
        }
    }

    /// Reads a step and finds the scale that holds it and the data: as stated, else as seen.
    fn step(
        &self,
        key: &'static str,
        text: &Option<String>,
        stated: Option<u32>,
        seen: u32,
        scale_max: u8,
    ) -> Result<(i64, Scale), DataError> {
        const EXPECTED: &str = "a positive step such as \"0.01\"";
        let step = match text {
            Some(text) => match Decimal::parse(text.as_bytes()) {
                Ok(step) if step.digits > 0 => Some((step, text)),
                Ok(_) => return Err(self.refuse(key, text, format!("is not {EXPECTED}"))),
                Err(error) => {
                    return Err(self.refuse(key, text, why(error, scale_max, EXPECTED)));
                }
            },
            None => None,
        };
        let own = step.map_or(0, |(step, _)| step.decimals());
        let decimals = own.max(stated.unwrap_or(0)).max(seen);
        let decimals = u8::try_from(decimals).unwrap_or(scale_max).min(scale_max);
        let scale = Scale::new(decimals).unwrap_or_default();
        match step {
            None => Ok((1, scale)),
            Some((_, text)) => match mantissa(text, decimals) {
                Ok(step) => Ok((step, scale)),
                Err(error) => Err(self.refuse(key, text, why(error, decimals, EXPECTED))),
            },
        }
    }

    /// Reads a share: basis points, per cent or a plain number. What is not stated is zero.
    fn share(
        &self,
        key: &'static str,
        text: &Option<String>,
        range: (i64, i64),
    ) -> Result<Rate, DataError> {
        let Some(text) = text else {
            return Ok(Rate(0));
        };
        // One basis point is 1e-4: the number is read at four decimals less.
        let (number, decimals) = if let Some(number) = text.strip_suffix("bps") {
            (number, RATE_SCALE.saturating_sub(4))
        } else if let Some(number) = text.strip_suffix('%') {
            (number, RATE_SCALE.saturating_sub(2))
        } else {
            (text.as_str(), RATE_SCALE)
        };
        let (least, most) = range;
        match mantissa(number.trim(), decimals) {
            Ok(share) if (least..=most).contains(&share) => Ok(Rate(share)),
            Ok(_) | Err(DecimalError::TooLarge) => {
                let percent =
                    |share| format_trimmed(i128::from(share), RATE_SCALE.saturating_sub(2));
                let (least, most) = (percent(least), percent(most));
                Err(self.refuse(key, text, format!("is not between {least}% and {most}%")))
            }
            Err(error) => {
                let expected = "a share such as \"2bps\", \"0.5%\" or \"0.005\"";
                Err(self.refuse(key, text, why(error, decimals, expected)))
            }
        }
    }

    /// Reads a duration. What is not stated is zero.
    fn duration(&self, key: &'static str, text: &Option<String>) -> Result<i64, DataError> {
        let Some(text) = text else {
            return Ok(0);
        };
        duration_ns(text).filter(|ns| *ns <= MARK_AGE_NS_MAX).ok_or_else(|| {
            let why = "is not a duration such as \"10s\" or \"500ms\", at most \"366d\"";
            self.refuse(key, text, why)
        })
    }
}

/// Returns all lots there can be: the largest quantity where none is stated.
pub(super) fn all_lots(lot: Qty) -> Qty {
    let count = i64::MAX.checked_div(lot.0.max(1)).unwrap_or(0);
    Qty(count.saturating_mul(lot.0))
}

/// Reads a whole number with a unit: `500ms`, `15m`, `1h`.
pub(crate) fn duration_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ns)
}

fn mantissa(text: &str, decimals: u8) -> Result<i64, DecimalError> {
    parse_mantissa(text.as_bytes(), decimals)
}

/// Says what is wrong with a number that was expected at this scale.
fn why(error: DecimalError, decimals: u8, expected: &str) -> String {
    match error {
        DecimalError::Malformed => format!("is not {expected}"),
        DecimalError::TooFine => format!("has more than {decimals} decimals"),
        DecimalError::TooLarge => {
            let most = format_trimmed(i128::from(i64::MAX), decimals);
            format!("is too large; the most is {most}")
        }
    }
}
