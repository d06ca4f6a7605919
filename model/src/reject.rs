//! Reasons for which an order is refused.
//!
//! A `Code` is either built in (below `RULE_CODE_BASE`, numbered here and never renumbered) or
//! names a rule of the session's programs: base plus the rule's index in the session's rule table.

/// First code that names a rule of a `.rules` file.
pub const RULE_CODE_BASE: u16 = 1_000;

/// A built-in reason: the engine's own checks, whatever the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Reject {
    /// No price is known to value the order with.
    NoPrice = 1,
    /// The price is not a multiple of the tick.
    OffTick = 2,
    /// The quantity is not a multiple of the lot.
    OffLot = 3,
    /// The quantity is below the venue's minimum.
    BelowMinQty = 4,
    /// The quantity is above the venue's maximum.
    AboveMaxQty = 5,
    /// The value is below the venue's minimum.
    BelowMinNotional = 6,
    /// The free balance or margin does not cover the order.
    NoBalance = 7,
    /// Equity is not known: a mark or rate of something held is missing.
    Warmup = 8,
    /// The table of open orders is full.
    TooManyOpen = 9,
    /// The re-check of a cap by multiplication failed.
    CapRecheck = 10,
    /// An arithmetic result did not fit.
    Overflow = 11,
    /// The session is ending.
    Closing = 12,
    /// A post-only order would trade on arrival.
    PostOnly = 13,
    /// An order that may only reduce would increase the position, or close more than there is.
    ReduceOnly = 14,
    /// The order would take its instrument beyond the largest leverage.
    Leverage = 16,
    /// The venue had to close positions: only orders that reduce pass.
    Liquidated = 17,
    /// A payment or a flow is not known: only orders that reduce pass.
    Doubtful = 18,
    /// A size is a share of capital, and the strategy's capital is not known.
    NoCapital = 20,
    /// A fill or a liquidation could not be booked: what is held is not known.
    Unbooked = 22,
    /// The kill switch stands at reduce: nothing may increase a position.
    LevelReduce = 25,
    /// The kill switch stands at halt: no order of a strategy passes.
    LevelHalt = 26,
}

/// All built-in reasons with their names as people see them.
pub const REJECTS: [(Reject, &str, &str); 21] = [
    (Reject::NoPrice, "NO_PRICE", "no price is known to value the order with"),
    (Reject::OffTick, "OFF_TICK", "the price is not a multiple of the tick"),
    (Reject::OffLot, "OFF_LOT", "the quantity is not a multiple of the lot"),
    (Reject::BelowMinQty, "BELOW_MIN_QTY", "the quantity is below the venue's minimum"),
    (Reject::AboveMaxQty, "ABOVE_MAX_QTY", "the quantity is above the venue's maximum"),
    (Reject::BelowMinNotional, "BELOW_MIN_NOTIONAL", "the value is below the venue's minimum"),
    (Reject::NoBalance, "NO_BALANCE", "the free balance or margin does not cover the order"),
    (Reject::Warmup, "WARMUP", "equity is not known: a mark or rate of something held is missing"),
    (Reject::TooManyOpen, "TOO_MANY_OPEN", "the table of open orders is full"),
    (Reject::CapRecheck, "CAP_RECHECK", "the re-check of a cap by multiplication failed"),
    (Reject::Overflow, "OVERFLOW", "an arithmetic result did not fit"),
    (Reject::Closing, "CLOSING", "the session is ending"),
    (Reject::PostOnly, "POST_ONLY", "a post-only order would trade on arrival"),
    (Reject::ReduceOnly, "REDUCE_ONLY", "an order that may only reduce would do more than that"),
    (Reject::Leverage, "LEVERAGE", "it would take the instrument beyond its largest leverage"),
    (Reject::Liquidated, "LIQUIDATED", "the venue had to close positions: only exits pass"),
    (Reject::Doubtful, "DOUBTFUL", "a payment or a balance is not known: only exits pass"),
    (Reject::NoCapital, "NO_CAPITAL", "a share of capital, and the strategy's is not known"),
    (Reject::Unbooked, "UNBOOKED", "a fill could not be booked: what is held is not known"),
    (Reject::LevelReduce, "LEVEL_REDUCE", "the kill switch stands at 1: positions may only shrink"),
    (
        Reject::LevelHalt,
        "LEVEL_HALT",
        "the kill switch stands at 2 or 3: no strategy's order passes",
    ),
];

/// Why an order was refused or cut; 0 means for no reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// No reason: the order passed uncut.
    pub const NONE: Self = Self(0);

    /// Returns the code of rule `index` of the session's rule table.
    #[must_use]
    pub fn rule(index: u16) -> Self {
        Self(RULE_CODE_BASE.saturating_add(index))
    }

    /// Returns the index of the rule that this code names, if it names one.
    #[must_use]
    pub fn rule_index(self) -> Option<u16> {
        self.0.checked_sub(RULE_CODE_BASE)
    }

    /// Returns the built-in reason's name, if it is one.
    #[must_use]
    pub fn builtin_name(self) -> Option<&'static str> {
        REJECTS.iter().find(|(reject, ..)| Self::from(*reject) == self).map(|(_, name, _)| *name)
    }
}

impl From<Reject> for Code {
    fn from(reject: Reject) -> Self {
        let (Reject::NoPrice
        | Reject::OffTick
        | Reject::OffLot
        | Reject::BelowMinQty
        | Reject::AboveMaxQty
        | Reject::BelowMinNotional
        | Reject::NoBalance
        | Reject::Warmup
        | Reject::TooManyOpen
        | Reject::CapRecheck
        | Reject::Overflow
        | Reject::Closing
        | Reject::PostOnly
        | Reject::ReduceOnly
        | Reject::Leverage
        | Reject::Liquidated
        | Reject::Doubtful
        | Reject::NoCapital
        | Reject::Unbooked
        | Reject::LevelReduce
        | Reject::LevelHalt) = reject;
        Self(reject as u16)
    }
}
