//! Sides, times in force and the words an order is made of.
//!
//! Each is a `repr(u8)` enum with explicit numbers: the numbers are in journals and never change.

/// Buy or sell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buys the base.
    #[default]
    Buy = 0,
    /// Sells the base.
    Sell = 1,
}

/// How long an order works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    #[default]
    Gtc = 0,
    /// Immediate or cancel: what does not fill at once is cancelled.
    Ioc = 1,
    /// Fill or kill: fills whole at once or not at all.
    Fok = 2,
}

/// Which side of a trade a fill was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Liquidity {
    /// The order rested and was traded against.
    Maker = 0,
    /// The order took what was shown.
    #[default]
    Taker = 1,
    /// The venue closed a position that its margin no longer held.
    Liquidation = 2,
}

/// What a strategy asks for with a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// Open a position in the direction of the side.
    #[default]
    Enter = 0,
    /// Close the position; the side is that of the closing order.
    Exit = 1,
    /// Cancel the strategy's own working entry orders on the instrument.
    CancelEntries = 2,
    /// Cancel the strategy's working exit on the instrument: it is replaced.
    CancelExit = 3,
    /// Work one leg of a quote: the rule and the side name it.
    Quote = 4,
    /// Cancel the working order of one leg of a quote.
    CancelQuote = 5,
    /// Close the position because the kill switch says so: the engine's own exit.
    Flatten = 6,
}

/// How a level of the kill switch came to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Via {
    /// By the engine itself.
    #[default]
    Engine = 0,
    /// By a command of an operator.
    Command = 1,
    /// By a file in the data folder.
    File = 2,
    /// By a signal to the process.
    Signal = 3,
    /// It was in force when the session before ended.
    Stored = 4,
    /// By a latch of a rule, `then flatten`.
    Rule = 5,
}

/// What became of clearing a latch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ClearResult {
    /// It has ended.
    #[default]
    Cleared = 0,
    /// No latch of that name is armed.
    NotArmed = 1,
    /// Its condition is true, and nothing above what is observed was allowed.
    StillTrue = 2,
    /// It compares no share or amount of that unit with a limit, so nothing can be allowed.
    NoLimit = 3,
    /// Who and why are not given.
    Unsigned = 4,
    /// It is a latch of a hard block: another person has to allow the same.
    Asked = 5,
}

/// What the kill switch has reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// The level is in force from this seq on; from level 2 on, all open orders are cancelled.
    #[default]
    Set = 0,
    /// No order of a strategy is open any more.
    NoneOpen = 1,
    /// Every position is dust.
    Flat = 2,
    /// Somebody asks for a lower level, and another person has to as well: nothing has changed.
    Asked = 3,
}

/// How the size of a signal is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SizeKind {
    /// A quantity: the signal's own.
    #[default]
    Qty = 0,
    /// A share of the strategy's capital that its position is to have: risk finds the difference.
    Weight = 1,
    /// A share of the strategy's capital that is lost at the stop: risk finds the quantity.
    Risk = 2,
}

impl Action {
    /// Tells whether a signal asks for an order, rather than for a cancel.
    #[must_use]
    pub fn asks_for_order(self) -> bool {
        match self {
            Self::Enter | Self::Exit | Self::Quote | Self::Flatten => true,
            Self::CancelEntries | Self::CancelExit | Self::CancelQuote => false,
        }
    }
}

/// The answer of the risk stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// The order may leave at the final quantity.
    #[default]
    Approve = 0,
    /// The order is refused; the code says why.
    Deny = 1,
}

/// Why a value is unknown. Zero means it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The value is known.
    #[default]
    Known = 0,
    /// An arithmetic result does not fit.
    Overflow = 1,
    /// A divisor is zero.
    DivZero = 2,
    /// The input has not been seen, or is stale.
    Missing = 3,
    /// An indicator has too little history.
    Warmup = 4,
    /// An indicator of a series that does not move is undefined.
    Flat = 5,
}

/// How an order came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DoneReason {
    /// The whole quantity was filled.
    #[default]
    Filled = 0,
    /// Cancelled on our request.
    Cancelled = 1,
    /// An immediate order's rest, or the whole of one that fills whole or not at all.
    Expired = 2,
    /// Refused by the venue; the code says why.
    Rejected = 3,
}

/// Why a cancel was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CancelReason {
    /// A strategy asked: an exit begins, or a working exit is replaced.
    #[default]
    Strategy = 0,
    /// The order's time to live ended.
    Ttl = 1,
    /// A latch's `cancel_orders` action.
    Latch = 2,
    /// The session ends.
    Shutdown = 3,
    /// The kill switch stands at halt or flatten.
    Level = 4,
}

/// State of a feed, as rules see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FeedStatus {
    /// The sequence is intact since the last anchor.
    Synced = 0,
    /// A message is missing: the book is invalid.
    Gap = 1,
    /// Nothing has been received for too long.
    Stale = 2,
    /// Waiting for a snapshot.
    #[default]
    Resync = 3,
}

/// Why a message of a source was not used. Each is counted and journaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum InputFault {
    /// The text is no message of the format.
    #[default]
    Malformed = 0,
    /// A price or quantity has more decimals than the instrument, or is off the tick or lot.
    OffGrid = 1,
    /// A price or quantity is negative, or a price is zero.
    NotPositive = 2,
    /// A number passes the range of its field.
    TooLarge = 3,
    /// The message names an instrument that the session does not know.
    UnknownSymbol = 4,
    /// A sequence number is missing before this message.
    Gap = 5,
    /// The message repeats or precedes what was already applied.
    OutOfOrder = 6,
    /// Receive time steps back within a source.
    ClockBack = 7,
    /// The compressed stream ends early or does not decode.
    Truncated = 8,
    /// A stream or event type that the adapter does not know: ignored and counted.
    UnknownKind = 9,
    /// A bar whose high or low contradicts its other prices.
    BadBar = 10,
    /// The best bid is not below the best ask.
    Crossed = 11,
    /// A funding without the mark that it is computed by: what was paid is not known.
    NoMark = 12,
    /// A cash flow or rate names an account or asset that the session does not have.
    UnknownAccount = 13,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EndReason {
    /// The source has no more data.
    #[default]
    EndOfData = 0,
    /// A person asked (Ctrl-C or SIGTERM).
    Requested = 1,
    /// The source failed beyond this point.
    SourceFailed = 2,
}

/// Kind of a latch transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LatchState {
    /// The condition became true; the latch waits out its `held` time.
    #[default]
    Waiting = 0,
    /// The latch is armed.
    Armed = 1,
    /// The latch has ended.
    Ended = 2,
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AlertReason {
    /// The condition of a `warn` rule became true, or unknown.
    #[default]
    Warn = 0,
    /// A latch said `then flatten`: its orders are cancelled and it refuses what it refuses;
    /// positions are left to a person.
    Flatten = 1,
}

/// Kind of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AccountKind {
    /// Spot: what is held is the balance; nothing is borrowed.
    #[default]
    Cash = 0,
    /// Linear perpetuals: margin and profit in the quote asset.
    Linear = 1,
}

/// Why money came or went without a trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FlowReason {
    /// Brought in from outside.
    #[default]
    Deposit = 0,
    /// Taken out.
    Withdrawal = 1,
    /// One half of a move between accounts of the session: the two halves sum to zero.
    Transfer = 2,
    /// One half of a conversion that was no order, such as that of dust.
    Conversion = 3,
    /// Set right by a person: what the venue's own report says.
    Adjustment = 4,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Returns +1 for a buy and -1 for a sell.
    #[must_use]
    pub fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// Returns the word of this side: `buy` or `sell`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}
