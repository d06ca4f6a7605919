//! What a configuration says of money: rates, what strategies may use, what is protected, and the
//! simulated venue.

use std::path::PathBuf;

use dsl::diagnostics::Diagnostic;
use dsl::span::Span;
use engine::setup::paper::{BarFill, LatencySetup, PaperSetup, QueueSetup};
use engine::setup::{Capital, CapitalSetup};
use model::decimal::format_trimmed;
use model::num::MONEY_SCALE;
use model::symbol::Symbol;

use super::super::faults;
use super::super::kind::Value;
use super::super::raw::{Entry, dotted};
use super::Values;
use crate::app::plan::{BALANCE, MoneyWanted, RateWanted};
use crate::app::venue;

/// A share of everything, 1e-9.
const WHOLE: i64 = 1_000_000_000;
/// The latencies that a session has.
const LATENCIES: [&str; 2] = ["account.paper.order_latency", "account.paper.response_latency"];

impl Values<'_> {
    /// Returns what is said of money; what is faulty is left away.
    pub(super) fn money(&self) -> MoneyWanted {
        let via = self.each("rates.<asset>.via").into_iter();
        let via = via.filter_map(|(asset, _, value)| match value {
            Value::Text(text) => Some((asset, RateWanted::Via(Symbol::parse(text).ok()?))),
            _ => None,
        });
        let fixed = self.each("rates.<asset>.fixed").into_iter();
        let fixed = fixed.filter_map(|(asset, _, value)| match value {
            Value::Number(rate) => Some((asset, RateWanted::Fixed(i128::from(*rate)))),
            _ => None,
        });
        let capitals = self.each("strategy.<strategy>.capital").into_iter();
        let capital = |(strategy, _, value): (String, &Entry, &Value)| {
            let capital = match value {
                Value::Number(share) => Capital::Share(*share),
                Value::Money(amount, _) => Capital::Amount(i128::from(*amount)),
                _ => return None,
            };
            Some(CapitalSetup { strategy, capital })
        };
        MoneyWanted {
            rates: via.chain(fixed).collect(),
            rate_age_max_ns: self.number("account.max_rate_age"),
            capitals: capitals.filter_map(capital).collect(),
            protect: self.amounts("account.paper.protect.<asset>"),
            day: match self.value("account.day_start") {
                Some(Value::Day(day)) => day,
                _ => Default::default(),
            },
            tiers: match self.value("account.paper.fees.tiers") {
                Some(Value::Tiers(tiers)) => tiers,
                _ => Vec::new(),
            },
        }
    }

    /// Returns the amounts of the keys that fit a path, by asset.
    pub(super) fn amounts(&self, pattern: &str) -> Vec<(String, i128)> {
        let amount = |(asset, _, value): (String, &Entry, &Value)| match value {
            Value::Number(amount) => Some((asset, i128::from(*amount))),
            _ => None,
        };
        self.each(pattern).into_iter().filter_map(amount).collect()
    }

    /// Returns the simulated venue's constants; a histogram that cannot be read is left away.
    pub(super) fn paper(&self) -> PaperSetup {
        let [order, response] = LATENCIES.map(|key| match self.drawn(key) {
            Some((_, Ok(drawn))) => drawn,
            Some((_, Err(_))) | None => LatencySetup::Constant { ns: self.number(key) },
        });
        let is = |key: &str, word: &str| self.text(key).as_deref() == Some(word);
        let prob = is("account.paper.queue", "prob");
        let close = is("account.paper.bar_fill", "close");
        PaperSetup {
            order_latency: order,
            response_latency: response,
            queue: if prob { QueueSetup::Prob } else { QueueSetup::Trades },
            bar_fill: if close { BarFill::Close } else { BarFill::Open },
        }
    }

    /// Returns the histogram that a latency is drawn from, if it is, with its place. Without a seed
    /// of its own it takes the session's.
    fn drawn(&self, key: &str) -> Option<(Span, Result<LatencySetup, String>)> {
        let (span, path, _) = self.paths(&format!("{key}.histogram")).into_iter().next()?;
        let seed = match self.value(&format!("{key}.seed")) {
            Some(Value::Count(seed)) => seed,
            _ => self.count("data.seed"),
        };
        Some((span, venue::histogram(&path, seed)))
    }

    /// Returns the files of latencies, with their places and keys.
    pub(super) fn histograms(&self) -> Vec<(Span, &'static str, PathBuf)> {
        let keys =
            ["account.paper.order_latency.histogram", "account.paper.response_latency.histogram"];
        let of = |key: &'static str| {
            self.paths(key).into_iter().map(move |(span, path, _)| (span, key, path))
        };
        keys.into_iter().flat_map(of).collect()
    }

    /// Holds what is said of money against each other.
    pub(super) fn agree_on_money(&mut self) {
        let mut found = Vec::new();
        self.agree_on_rates(&mut found);
        self.agree_on_capitals(&mut found);
        self.agree_on_protected(&mut found);
        self.agree_on_latencies(&mut found);
        self.found.append(&mut found);
    }

    fn agree_on_rates(&self, found: &mut Vec<Diagnostic>) {
        let reporting = self.text("account.reporting").unwrap_or_default();
        let fixed = self.each("rates.<asset>.fixed");
        let via = self.each("rates.<asset>.via");
        for (asset, entry, _) in fixed.iter().chain(&via) {
            if *asset == reporting {
                let message = format!(
                    "{}: the session counts in {reporting}, of which one is worth one",
                    dotted(&entry.path)
                );
                let help = "leave its rate away, or count in another asset: account.reporting";
                found.push(Diagnostic::error(faults::CONFLICT, entry.key, message).help(help));
            }
        }
        for (asset, entry, _) in &fixed {
            if via.iter().any(|(other, ..)| other == asset) {
                let message = format!("rates.{asset} is said to be fixed, and to be a mark");
                let help = format!("leave rates.{asset}.fixed or rates.{asset}.via away");
                found.push(Diagnostic::error(faults::CONFLICT, entry.key, message).help(help));
            }
        }
    }

    fn agree_on_capitals(&self, found: &mut Vec<Diagnostic>) {
        let reporting = self.text("account.reporting").unwrap_or_default();
        let mut shares = 0_i64;
        for (_, entry, value) in self.each("strategy.<strategy>.capital") {
            let name = dotted(&entry.path);
            match value {
                Value::Money(_, asset) if *asset != reporting => {
                    let message = format!(
                        "{name}: an amount of {asset}, and the session counts in {reporting}"
                    );
                    let help = format!("write it in {reporting}, or as a share such as \"50%\"");
                    found.push(Diagnostic::error(faults::UNIT, entry.value, message).help(help));
                }
                Value::Number(share) => {
                    shares = shares.saturating_add(*share);
                    // Told once, where it first is too much.
                    if shares > WHOLE && shares.saturating_sub(*share) <= WHOLE {
                        let percent =
                            format_trimmed(i128::from(shares), MONEY_SCALE.saturating_sub(2));
                        let message =
                            format!("{name}: with it strategies are allocated {percent} %");
                        let fault = Diagnostic::error(faults::CONFLICT, entry.value, message);
                        found.push(fault.help("allocate 100 % at most"));
                    }
                }
                _ => {}
            }
        }
    }

    /// What is protected must be there.
    fn agree_on_protected(&self, found: &mut Vec<Diagnostic>) {
        let mut balances = self.amounts("account.paper.balances.<asset>");
        if balances.is_empty() {
            balances.push((self.text("account.reporting").unwrap_or_default(), BALANCE.0));
        }
        for (asset, entry, value) in self.each("account.paper.protect.<asset>") {
            let Value::Number(apart) = value else { continue };
            let held = balances.iter().find(|(known, _)| *known == asset);
            let held = held.map_or(0, |(_, amount)| *amount);
            if i128::from(*apart) > held {
                let text = |amount: i128| format_trimmed(amount, MONEY_SCALE);
                let message = format!(
                    "{}: {} is to be protected, and an account opens with {}",
                    dotted(&entry.path),
                    text(i128::from(*apart)),
                    text(held)
                );
                let help = format!("protect less, or raise account.paper.balances.{asset}");
                found.push(Diagnostic::error(faults::CONFLICT, entry.value, message).help(help));
            }
        }
    }

    fn agree_on_latencies(&self, found: &mut Vec<Diagnostic>) {
        for key in LATENCIES {
            match self.drawn(key) {
                // That it is not there is told with all files that are not.
                Some((span, Err(why)))
                    if self
                        .paths(&format!("{key}.histogram"))
                        .iter()
                        .all(|(_, path, _)| path.exists()) =>
                {
                    let message = format!("{key}.histogram: {why}");
                    found.push(Diagnostic::error(faults::MALFORMED, span, message));
                }
                Some(_) => {}
                None => {
                    if let Some((entry, _)) = self.stated(&format!("{key}.seed")) {
                        let message = format!("{key}.seed: nothing is drawn without a histogram");
                        let help = format!("name the file of latencies in {key}.histogram");
                        let fault = Diagnostic::error(faults::CONFLICT, entry.key, message);
                        found.push(fault.help(help));
                    }
                }
            }
        }
    }
}
