//! What a value may be: reading it with its unit, and saying what was expected.
//!
//! Numbers are read exactly, from the text as it was written. A bare number is refused where it
//! could be read in two ways: 250 is no latency, and 5 is no share.

use engine::idle::Wait;
use engine::setup::{DaySetup, FeeTier};
use model::decimal::{DecimalError, format_trimmed, parse_mantissa};
use model::instrument::FeeAsset;
use model::num::{MONEY_SCALE, RATE_SCALE};
use model::symbol::{Symbol, is_asset};

use super::faults::{self, Complaint};
use super::raw::Raw;
use crate::app::data::duration_ns;
use crate::app::pace::{Speed, TIMES_MAX, UnknownSpeed};

/// What the value of a key may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number without a unit.
    Count { least: u64, most: u64 },
    /// A pace.
    Speed,
    /// An asset.
    Asset,
    /// An instrument's name.
    Symbol,
    /// Several of them.
    Symbols,
    /// A file or folder.
    Path,
    /// Several of them.
    Paths,
    /// Files of data, perhaps with their instruments.
    Files,
    /// Numbers of processors.
    Cores,
    /// A duration with its unit.
    Duration { least_ns: i64, most_ns: i64 },
    /// A share with its unit, 1e-9.
    Share { least: i64, most: i64 },
    /// An amount of the asset that the key names.
    Amount,
    /// How much one unit is worth.
    Rate,
    /// What fees are paid in.
    FeeAsset,
    /// Fees by volume.
    Tiers,
    /// An amount with its asset, or a share.
    Capital,
    /// Size of a segment.
    Segment,
    /// How threads wait.
    Wait,
    /// Time of day and zone.
    DayStart,
    /// A fact of an instrument, read as `--instrument` is.
    Fact,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Words, names, paths.
    Text(String),
    /// Several of them.
    Texts(Vec<String>),
    /// A count, or mebibytes.
    Count(u64),
    /// Numbers of processors.
    Cores(Vec<usize>),
    /// True or false.
    Flag(bool),
    /// A pace.
    Speed(Speed),
    /// Nanoseconds, or a share in 1e-9, or an amount in 1e-9.
    Number(i64),
    /// An amount in 1e-9 and its asset.
    Money(i64, String),
    /// How threads wait.
    Wait(Wait),
    /// Fees by volume.
    Tiers(Vec<FeeTier>),
    /// When a trading day begins.
    Day(DaySetup),
}

/// LIMIT: largest segment, as the journal's format has it.
const SEGMENT_MIB_MAX: u64 = 1_024;

const SHARES: &str = "a share such as \"5bps\" or \"0.5%\"";
const TIER: &str = "VOLUME MAKER TAKER, such as \"1_000_000 1bps 4bps\"";
const SECONDS: &str = "a duration such as \"250ms\" or \"10s\"";

impl Kind {
    /// Reads a value of the key `path`.
    ///
    /// # Errors
    /// [`Complaint`]: what was found, what was expected, what to write.
    pub(super) fn read(self, path: &[String], raw: &Raw) -> Result<Value, Complaint> {
        match self {
            Self::Flag => match raw {
                Raw::Flag(flag) => Ok(Value::Flag(*flag)),
                Raw::Text(text) if text == "true" || text == "false" => {
                    Ok(Value::Flag(text == "true"))
                }
                other => Err(wrong_type(other, "true or false")),
            },
            Self::Files | Self::Paths | Self::Symbols => self.texts(raw),
            Self::Cores => cores(raw),
            Self::Tiers => tiers(raw),
            Self::Count { least, most } => {
                let text = number(raw, "a whole number without a unit")?;
                let read = text.replace('_', "").parse::<u64>().ok();
                read.filter(|n| (least..=most).contains(n)).map(Value::Count).ok_or_else(|| {
                    outside(format!("`{text}` is not a whole number from {least} to {most}"))
                })
            }
            Self::Speed => speed(raw),
            Self::Duration { least_ns, most_ns } => duration(raw, least_ns, most_ns),
            Self::Share { least, most } => share(raw, least, most),
            Self::Amount => amount(path, raw),
            Self::Rate => {
                let text = number(raw, "a number such as \"1.0005\"")?;
                match mantissa(text, RATE_SCALE) {
                    Ok(rate) if rate > 0 => Ok(Value::Number(rate)),
                    Ok(_) => Err(outside(format!("a rate of {text} is no price; it is above 0"))),
                    Err(error) => Err(malformed(text, error, "a number such as \"1.0005\"")),
                }
            }
            Self::Capital => capital(raw),
            Self::Segment => segment(raw),
            Self::Fact => match raw {
                Raw::Text(text) if text.contains(',') => {
                    let message = format!("`{text}` holds a comma, and one fact is one value");
                    Err(Complaint::new(faults::MALFORMED, message))
                }
                Raw::Text(text) | Raw::Number(text) => Ok(Value::Text(text.clone())),
                other => Err(wrong_type(other, "a text such as \"0.001\"")),
            },
            Self::Choice(_)
            | Self::Asset
            | Self::FeeAsset
            | Self::Symbol
            | Self::Path
            | Self::Wait
            | Self::DayStart => self.word(raw),
        }
    }

    /// Says what is expected, for the default file and the schema.
    pub(super) fn expected(self) -> String {
        let percent = |share: i64| format_trimmed(i128::from(share), RATE_SCALE.saturating_sub(2));
        match self {
            Self::Choice(words) => words.join(", "),
            Self::Flag => "true or false".to_owned(),
            Self::Count { least, most: u64::MAX } => format!("a whole number from {least} on"),
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Speed => format!("real, max, or 1 to {TIMES_MAX} times"),
            Self::Asset => "an asset in capitals".to_owned(),
            Self::Symbol => "an instrument, [venue:]BASE_QUOTE[.PERP]".to_owned(),
            Self::Symbols => "a list of instruments".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Paths => "a list of paths".to_owned(),
            Self::Files => "a list of FILE or FILE=SYMBOL".to_owned(),
            Self::Cores => "a list of processor numbers".to_owned(),
            Self::Duration { least_ns, most_ns } => {
                format!("{SECONDS}, from {} to {}", span(least_ns), span(most_ns))
            }
            Self::Share { least, most } => {
                format!("{SHARES}, from {}% to {}%", percent(least), percent(most))
            }
            Self::Amount => "an amount such as \"10_000\", 0 or more".to_owned(),
            Self::Rate => "a number above 0".to_owned(),
            Self::FeeAsset => "received, quote, or asset: and a name, \"asset:BNB\"".to_owned(),
            Self::Tiers => format!("a list of {TIER}"),
            Self::Capital => "an amount such as \"5_000 USDT\", or a share such as \"50%\"".into(),
            Self::Segment => format!("1MiB to {SEGMENT_MIB_MAX}MiB, a power of two"),
            Self::Wait => "spin, spin-yield, spin-park or sleep:1 to sleep:500".to_owned(),
            Self::DayStart => "a time and a zone, such as \"17:00 America/New_York\"".to_owned(),
            Self::Fact => "a text as --instrument takes it".to_owned(),
        }
    }

    /// Reads what is one word.
    fn word(self, raw: &Raw) -> Result<Value, Complaint> {
        let Raw::Text(text) = raw else {
            return Err(wrong_type(raw, &self.expected()));
        };
        match self {
            Self::Choice(words) => {
                if words.contains(&text.as_str()) {
                    return Ok(Value::Text(text.clone()));
                }
                let message = format!("`{text}` is none of {}", words.join(", "));
                let complaint = Complaint::new(faults::CHOICE, message);
                let near = dsl::diagnostics::nearest(text, words.iter().copied());
                Err(near.into_iter().fold(complaint, |c, near| c.help(format!("write \"{near}\""))))
            }
            Self::Asset if !is_asset(text) => {
                Err(Complaint::new(faults::MALFORMED, format!("`{text}` is no asset"))
                    .help("an asset is written in capitals and digits, e.g. \"USDT\""))
            }
            Self::FeeAsset if FeeAsset::parse(text).is_none() => {
                let message = format!("`{text}` is not {}", self.expected());
                Err(Complaint::new(faults::CHOICE, message))
            }
            Self::Symbol => match Symbol::parse(text) {
                Ok(_) => Ok(Value::Text(text.clone())),
                Err(error) => Err(Complaint::new(faults::MALFORMED, error.to_string())),
            },
            Self::Wait => text.parse().map(Value::Wait).map_err(|_| {
                Complaint::new(faults::CHOICE, format!("`{text}` is no way to wait"))
                    .help(format!("write {}", self.expected()))
            }),
            Self::DayStart => super::day::day_start(text).map(Value::Day).map_err(|why| {
                Complaint::new(faults::MALFORMED, why)
                    .help("write \"00:00 UTC\", or such as \"17:00 America/New_York\"")
            }),
            Self::Path if text.is_empty() => {
                Err(Complaint::new(faults::MALFORMED, "the path is empty".to_owned()))
            }
            _ => Ok(Value::Text(text.clone())),
        }
    }

    /// Reads a list of texts; one text stands for a list of one.
    fn texts(self, raw: &Raw) -> Result<Value, Complaint> {
        let items = match raw {
            Raw::Text(_) => std::slice::from_ref(raw),
            Raw::List(items) => items.as_slice(),
            other => return Err(wrong_type(other, &self.expected())),
        };
        let mut texts = Vec::new();
        for item in items {
            let Raw::Text(text) = item else {
                return Err(wrong_type(item, &self.expected()));
            };
            let symbol = match self {
                Self::Symbols => Some(text.as_str()),
                Self::Files => text.rsplit_once('=').map(|(_, symbol)| symbol),
                _ => None,
            };
            if let Some(Err(error)) = symbol.map(Symbol::parse) {
                return Err(Complaint::new(faults::MALFORMED, error.to_string()));
            }
            texts.push(text.clone());
        }
        if texts.is_empty() {
            let message = "the list is empty".to_owned();
            return Err(Complaint::new(faults::RANGE, message).help("leave the key away instead"));
        }
        Ok(Value::Texts(texts))
    }
}

fn wrong_type(raw: &Raw, expected: &str) -> Complaint {
    let found = raw.what();
    Complaint::new(faults::TYPE, format!("{found} where {expected} is expected"))
}

fn outside(message: String) -> Complaint {
    Complaint::new(faults::RANGE, message)
}

/// Returns a number's text, written as a number or in quotes.
fn number<'a>(raw: &'a Raw, expected: &str) -> Result<&'a str, Complaint> {
    match raw {
        Raw::Text(text) | Raw::Number(text) => Ok(text.trim()),
        other => Err(wrong_type(other, expected)),
    }
}

fn mantissa(text: &str, decimals: u8) -> Result<i64, DecimalError> {
    parse_mantissa(text.trim().replace('_', "").as_bytes(), decimals)
}

fn malformed(text: &str, error: DecimalError, expected: &str) -> Complaint {
    let message = match error {
        DecimalError::Malformed => format!("`{text}` is not {expected}"),
        DecimalError::TooFine => format!("`{text}` has more than 9 decimals"),
        DecimalError::TooLarge => format!("`{text}` is too large"),
    };
    let code = if error == DecimalError::Malformed { faults::MALFORMED } else { faults::RANGE };
    Complaint::new(code, message)
}

/// Returns a duration in its largest whole unit.
fn span(ns: i64) -> String {
    let units = [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000)];
    let small = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
    for (unit, length) in units.iter().chain(&small).copied() {
        if ns > 0 && ns.checked_rem(length) == Some(0) {
            return format!("{}{unit}", ns.checked_div(length).unwrap_or(0));
        }
    }
    format!("{ns}ns")
}

fn bare(text: &str, of: &str, write: String) -> Complaint {
    Complaint::new(faults::UNIT, format!("`{text}` has no unit: it is no {of}")).help(write)
}

fn duration(raw: &Raw, least_ns: i64, most_ns: i64) -> Result<Value, Complaint> {
    let text = match raw {
        Raw::Number(text) => {
            return Err(bare(text, "duration", format!("write \"{text}ms\", \"{text}s\" or so")));
        }
        Raw::Text(text) => text.trim(),
        other => return Err(wrong_type(other, SECONDS)),
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(bare(text, "duration", format!("write \"{text}ms\", \"{text}s\" or so")));
    }
    let compact = text.replace(['_', ' '], "");
    let Some(ns) = duration_ns(&compact) else {
        let help = "units are ns, us, ms, s, m, h and d, behind a whole number";
        return Err(
            Complaint::new(faults::MALFORMED, format!("`{text}` is not {SECONDS}")).help(help)
        );
    };
    if !(least_ns..=most_ns).contains(&ns) {
        let (least, most) = (span(least_ns), span(most_ns));
        return Err(outside(format!("{text} is not between {least} and {most}")));
    }
    Ok(Value::Number(ns))
}

/// Reads a share in 1e-9; none where the text has no unit of shares.
fn share_of(text: &str) -> Option<Result<i64, DecimalError>> {
    // One basis point is 1e-4: the number is read at four decimals less.
    if let Some(number) = text.strip_suffix("bps") {
        return Some(mantissa(number, RATE_SCALE.saturating_sub(4)));
    }
    let number = text.strip_suffix('%')?;
    Some(mantissa(number, RATE_SCALE.saturating_sub(2)))
}

fn share(raw: &Raw, least: i64, most: i64) -> Result<Value, Complaint> {
    let text = match raw {
        Raw::Number(text) => return Err(bare_share(text)),
        Raw::Text(text) => text.trim(),
        other => return Err(wrong_type(other, SHARES)),
    };
    match share_of(text) {
        None if mantissa(text, RATE_SCALE).is_ok() => Err(bare_share(text)),
        None => Err(malformed(text, DecimalError::Malformed, SHARES)),
        Some(Ok(share)) if (least..=most).contains(&share) => Ok(Value::Number(share)),
        Some(Ok(_) | Err(DecimalError::TooLarge)) => {
            let percent =
                |share: i64| format_trimmed(i128::from(share), RATE_SCALE.saturating_sub(2));
            let (least, most) = (percent(least), percent(most));
            Err(outside(format!("{text} is not between {least}% and {most}%")))
        }
        Some(Err(error)) => Err(malformed(text, error, SHARES)),
    }
}

fn bare_share(text: &str) -> Complaint {
    bare(text, "share", format!("write \"{text}bps\" or \"{text}%\""))
}

/// Reads an amount of the asset that ends the key's path; it may be named once more.
fn amount(path: &[String], raw: &Raw) -> Result<Value, Complaint> {
    const EXPECTED: &str = "an amount such as \"10_000\"";
    let asset = path.last().map(String::as_str).unwrap_or_default();
    let text = number(raw, EXPECTED)?;
    let (digits, named) = match text.split_once(char::is_whitespace) {
        Some((digits, named)) => (digits, named.trim()),
        None => (text, asset),
    };
    if named != asset {
        let message = format!("an amount of {named} where one of {asset} is expected");
        let help = format!("write \"{digits}\", or \"{digits} {asset}\"");
        return Err(Complaint::new(faults::UNIT, message).help(help));
    }
    match mantissa(digits, MONEY_SCALE) {
        Ok(amount) if amount >= 0 => Ok(Value::Number(amount)),
        Ok(_) => Err(outside(format!("{text} is below zero; the least is 0"))),
        Err(DecimalError::TooLarge) => {
            let most = i64::MAX / 10_i64.pow(u32::from(MONEY_SCALE));
            Err(outside(format!("{text} is too large; the most is {most}")))
        }
        Err(error) => Err(malformed(text, error, EXPECTED)),
    }
}

fn capital(raw: &Raw) -> Result<Value, Complaint> {
    const EXPECTED: &str = "an amount such as \"5_000 USDT\", or a share such as \"50%\"";
    let bare = |text: &str| {
        let help = format!("write \"{text} USDT\", or a share such as \"50%\"");
        Complaint::new(faults::UNIT, format!("`{text}` has no unit: it is no capital")).help(help)
    };
    let text = match raw {
        Raw::Number(text) => return Err(bare(text)),
        Raw::Text(text) => text.trim(),
        other => return Err(wrong_type(other, EXPECTED)),
    };
    if share_of(text).is_some() {
        return share(raw, 1, 1_000_000_000);
    }
    match text.split_once(char::is_whitespace) {
        None if mantissa(text, MONEY_SCALE).is_ok() => Err(bare(text)),
        None => Err(malformed(text, DecimalError::Malformed, EXPECTED)),
        Some((digits, asset)) => {
            let asset = asset.trim();
            if !is_asset(asset) {
                return Err(malformed(text, DecimalError::Malformed, EXPECTED));
            }
            match mantissa(digits, MONEY_SCALE) {
                Ok(amount) if amount > 0 => Ok(Value::Money(amount, asset.to_owned())),
                Ok(_) => Err(outside(format!("{text} is no capital; it is above 0"))),
                Err(error) => Err(malformed(text, error, EXPECTED)),
            }
        }
    }
}

/// Reads tiers of fees, each of more volume and no dearer than the one before.
fn tiers(raw: &Raw) -> Result<Value, Complaint> {
    let items = match raw {
        Raw::Text(_) => std::slice::from_ref(raw),
        Raw::List(items) => items.as_slice(),
        other => return Err(wrong_type(other, TIER)),
    };
    let mut tiers: Vec<FeeTier> = Vec::new();
    for item in items {
        let Raw::Text(text) = item else { return Err(wrong_type(item, TIER)) };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [volume, maker, taker] = words.as_slice() else {
            return Err(malformed(text, DecimalError::Malformed, TIER));
        };
        let volume = mantissa(volume, MONEY_SCALE).map_err(|e| malformed(volume, e, TIER))?;
        let rate = |word: &&str| match share_of(word) {
            Some(Ok(share)) => Ok(share),
            Some(Err(error)) => Err(malformed(word, error, SHARES)),
            None => Err(bare_share(word)),
        };
        let (volume_from, maker, taker) = (i128::from(volume), rate(maker)?, rate(taker)?);
        let last = tiers.last();
        let falls = last.is_none_or(|last| {
            volume_from > last.volume_from && maker <= last.maker && taker <= last.taker
        });
        if volume_from <= 0 || !falls {
            let message = format!("`{text}` is of less volume, or dearer, than what it follows");
            return Err(outside(message).help("write tiers by volume, each cheaper than before"));
        }
        tiers.push(FeeTier { volume_from, maker, taker });
    }
    Ok(Value::Tiers(tiers))
}

fn segment(raw: &Raw) -> Result<Value, Complaint> {
    let text = match raw {
        Raw::Number(text) => return Err(bare(text, "size", format!("write \"{text}MiB\""))),
        Raw::Text(text) => text.trim(),
        other => return Err(wrong_type(other, "a size such as \"16MiB\"")),
    };
    let digits = text.strip_suffix("MiB").map(str::trim);
    let count = digits.and_then(|digits| digits.parse::<u64>().ok());
    let Some(count) = count else {
        let message = format!("`{text}` is not a size such as \"16MiB\"");
        return Err(Complaint::new(faults::MALFORMED, message));
    };
    if count.is_power_of_two() && count <= SEGMENT_MIB_MAX {
        return Ok(Value::Count(count));
    }
    let most = SEGMENT_MIB_MAX;
    Err(outside(format!("{text} is not a power of two from 1MiB to {most}MiB")))
}

fn speed(raw: &Raw) -> Result<Value, Complaint> {
    let text = number(raw, "a pace such as \"real\", \"max\" or 10")?;
    let speed = text.replace('_', "").parse().map(Value::Speed);
    speed.map_err(|error: UnknownSpeed| outside(error.to_string()))
}

fn cores(raw: &Raw) -> Result<Value, Complaint> {
    const EXPECTED: &str = "a list of processors such as [2, 3]";
    let Raw::List(items) = raw else {
        return Err(wrong_type(raw, EXPECTED));
    };
    let mut cores = Vec::new();
    for item in items {
        let text = number(item, EXPECTED)?;
        let core = text.parse::<usize>().map_err(|_| {
            Complaint::new(faults::MALFORMED, format!("`{text}` is no number of a processor"))
        })?;
        if cores.contains(&core) {
            return Err(Complaint::new(
                faults::CONFLICT,
                format!("processor {core} is named twice"),
            ));
        }
        cores.push(core);
    }
    if cores.is_empty() {
        return Err(outside("no processor is named".to_owned()).help("leave the key away instead"));
    }
    Ok(Value::Cores(cores))
}
