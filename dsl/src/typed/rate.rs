//! Rules about how often: cooldowns and throttles.

use super::{Expr, LatchEnd, Occasion, RuleName, Stream};

/// For what a cooldown or a throttle counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the whole block.
    Block,
    /// `by symbol`: each instrument.
    Symbol,
    /// `by strategy`
    Strategy,
    /// `by account`
    Account,
    /// `by venue`
    Venue,
    /// `by side`: buys and sells.
    Side,
}

/// `cooldown CODE d after event by scope when ... unless ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// Name and place.
    pub rule: RuleName,
    /// How long orders are refused.
    pub length: Expr,
    /// After what.
    pub after: Occasion,
    /// For what each by itself.
    pub by: Key,
    /// After which of these events; it reads the event.
    pub when: Option<Expr>,
    /// Which orders are exempt.
    pub unless: Option<Expr>,
}

/// `throttle CODE flow to n per d by scope burst b until ... when ... unless ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Name and place.
    pub rule: RuleName,
    /// What is counted.
    pub flow: Stream,
    /// The most of it.
    pub limit: Expr,
    /// In how long: a constant; none is the trading day.
    pub per: Option<Expr>,
    /// For what each by itself.
    pub by: Key,
    /// The most at once, where tokens come back evenly.
    pub burst: Option<Expr>,
    /// Armed when the limit is reached, until then.
    pub end: Option<LatchEnd>,
    /// Which of the flow is counted; of orders and messages also which orders it binds.
    pub when: Option<Expr>,
    /// Which orders are exempt; they count all the same.
    pub unless: Option<Expr>,
}

impl Key {
    /// Returns the key that a word after `by` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "symbol" => Self::Symbol,
            "strategy" => Self::Strategy,
            "account" => Self::Account,
            "venue" => Self::Venue,
            "side" => Self::Side,
            _ => return None,
        })
    }
}
