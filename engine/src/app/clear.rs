//! `engine clear`: a person ends a latch, and says who and why (accounts.md 13).
//!
//! It reaches the session as `engine level` does, and enters the journal before it acts. A latch is
//! a part of a session, so it is cleared while one runs; one that was armed when a session ended is
//! armed again when that goes on.

use clap::Args;
use model::decimal::{Decimal, format_trimmed};
use model::event::{Body, ClearStep, LatchCleared};
use model::id::{InstrumentId, NO_INSTRUMENT, Seq};
use model::num::MONEY_SCALE;
use model::order::ClearResult;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cli::Cli;
use super::exit::{Failure, Finding};
use super::level::{self, Asked, are_given};
use super::show;

/// Options of `clear`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The latch, by its code in the rules.
    code: String,
    /// Who clears it.
    #[arg(long, default_value = "", value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// New limit in place of the one compared: `12%`, `30bps` or `500 USDT`. A latch whose
    /// condition is true needs one above what is observed.
    #[arg(long, value_name = "LIMIT")]
    allow: Option<String>,
}

/// The end of a latch, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clear {
    clear: String,
    by: String,
    reason: String,
    allow: Option<String>,
}

/// A new limit: 1e-9 of a share, or of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowance {
    amount: i64,
    money: bool,
}

/// Reads a limit; a bare number could mean two things.
fn allowance(text: &str) -> Result<Allowance, String> {
    let refuse = || {
        format!(
            "--allow {text}: a limit is a share such as 12% or 30bps, or an amount \
                             such as `500 USDT`"
        )
    };
    let (number, decimals, money) = if let Some(number) = text.strip_suffix('%') {
        (number, 7, false)
    } else if let Some(number) = text.strip_suffix("bps") {
        (number, 5, false)
    } else {
        let (number, asset) = text.split_once(' ').ok_or_else(refuse)?;
        let sound = !asset.is_empty() && asset.bytes().all(|byte| byte.is_ascii_uppercase());
        (if sound { number } else { "" }, MONEY_SCALE, true)
    };
    let number = number.replace('_', "");
    let amount = Decimal::parse(number.as_bytes()).ok().and_then(|n| n.at_scale(decimals).ok());
    let amount = amount.and_then(|amount| i64::try_from(amount).ok()).ok_or_else(refuse)?;
    Ok(Allowance { amount, money })
}

impl Clear {
    /// Refuses what no session could do.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        level::fits(&self.by, &self.reason)?;
        if !are_given(&self.by, &self.reason) {
            return Err(format!(
                "to clear {}, say who and why, with --by NAME --reason TEXT",
                self.clear
            ));
        }
        self.allow.as_deref().map(allowance).transpose().map(|_| ())
    }

    /// Returns it as what enters the journal.
    pub(super) fn records(&self) -> Vec<(InstrumentId, Body)> {
        let (mut records, text) = level::signed(&self.by, &self.reason);
        let allowed = self.allow.as_deref().and_then(|text| allowance(text).ok());
        let cleared = LatchCleared {
            allow: allowed.map_or(0, |allowed| allowed.amount),
            name: engine::risk::clear::name_of(&self.clear),
            text,
            by: level::number(&self.by),
            allows: allowed.is_some(),
            money: allowed.is_some_and(|allowed| allowed.money),
        };
        records.push((NO_INSTRUMENT, Body::LatchCleared(cleared)));
        records
    }

    /// Returns what the operator is told.
    pub(super) fn answer(&self, seq: Seq, step: &ClearStep) -> Value {
        let number = |value: i64| format_trimmed(i128::from(value), MONEY_SCALE);
        let allows = self.allow.is_some();
        let observed = number(step.observed);
        let refused = match step.result {
            ClearResult::Cleared => None,
            ClearResult::NotArmed => Some("no latch of that name is armed".to_owned()),
            ClearResult::StillTrue if allows => Some(format!(
                "it observes {observed}, or what it observes is not known: allow more than that"
            )),
            ClearResult::StillTrue => Some(format!(
                "its condition is true: it observes {observed} of {}; allow more than that, with \
                 --allow LIMIT, or wait until it is over",
                number(step.limit)
            )),
            ClearResult::NoLimit => Some(
                "it compares no share or amount of that unit with a limit, so nothing can be \
                 allowed"
                    .to_owned(),
            ),
            ClearResult::Unsigned => Some("say who and why".to_owned()),
            ClearResult::Asked => Some(
                "it is a latch of a hard block, so another person has to allow the same, within \
                 a day"
                    .to_owned(),
            ),
        };
        json!({
            "code": self.clear,
            "seq": seq.0,
            "value": observed,
            "limit": number(step.limit),
            "allowed": (allows && refused.is_none()).then(|| number(step.allowed)),
            "until": (step.until.0 != 0 && refused.is_none()).then_some(step.until.0),
            "refused": refused,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Usage`] when no session runs here, or who and why are not given.
pub(super) fn run(cli: &Cli, args: &Arguments) -> Result<Finding, Failure> {
    let Arguments { code, by, reason, allow } = args;
    let (by, reason) = (by.clone(), reason.clone());
    let clear = Clear { clear: code.clone(), by, reason, allow: allow.clone() };
    clear.check().map_err(Failure::usage)?;
    let Some(answer) = level::ask(cli, &Asked::Clear(clear))? else {
        return Err(Failure::usage(format!(
            "clear {code}: no session runs in {}; a latch is cleared while its session runs",
            cli.data_dir.display()
        )));
    };
    let refused = answer.get("refused").and_then(Value::as_str);
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    match refused {
        _ if cli.json => show::out(&answer.to_string()),
        Some(refused) => show::out(&format!("{code} is not cleared: {refused}")),
        None if text("allowed").is_empty() => show::out(&format!("{code} is cleared")),
        None => show::out(&format!(
            "{code} is cleared; it observes {}, the limit is {} now instead of {}",
            text("value"),
            text("allowed"),
            text("limit")
        )),
    }
    Ok(if refused.is_some() { Finding::Something } else { Finding::Nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_its_unit() {
        let share = |amount| Ok(Allowance { amount, money: false });
        assert_eq!(allowance("12%"), share(120_000_000));
        assert_eq!(allowance("0.5%"), share(5_000_000));
        assert_eq!(allowance("30bps"), share(3_000_000));
        assert_eq!(
            allowance("1_500.5 USDT"),
            Ok(Allowance { amount: 1_500_500_000_000, money: true })
        );
        for text in ["12", "", "%", "x%", "5 usdt", "5 ", "99999999999 USDT", "1 %"] {
            assert!(allowance(text).is_err(), "{text}");
        }
    }
}
