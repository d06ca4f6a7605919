//! What a block remembers between events: states with their updates, and windows over streams.

use super::{Asset, Expr, Unit};
use crate::schema::Field;
use crate::span::Span;

/// Something that happens to a block, and on which its memory may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A bar closed: strategies only.
    Bar,
    /// The best prices changed: strategies only.
    Book,
    /// Others traded: strategies only.
    Trade,
    /// An order was approved.
    Order,
    /// An order was filled, in part or whole.
    Fill,
    /// A strategy's ledger became flat.
    Closed,
    /// The venue rejected an order.
    Reject,
    /// The venue confirmed a cancel.
    Cancel,
    /// A timer came.
    Timer,
    /// A latch of the block ended.
    LatchEnd,
}

/// When a state falls back to its first value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Never.
    Never,
    /// When a trading day begins.
    Daily,
    /// When a trading day of another week begins; weeks begin on Monday.
    Weekly,
}

/// `state name : type = value reset period`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Name.
    pub name: String,
    /// Unit.
    pub unit: Unit,
    /// Whether it may become `na`: its first value is.
    pub nullable: bool,
    /// First value: a constant, or `na`.
    pub initial: Expr,
    /// When it falls back to its first value.
    pub reset: Reset,
    /// Documentation comment.
    pub doc: String,
    /// Where it is declared.
    pub span: Span,
}

/// `update name = value on event when ... unless ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateUpdate {
    /// Index of the state.
    pub state: usize,
    /// Next value, of the state's unit; reads old values only.
    pub value: Expr,
    /// On what it happens.
    pub on: Occasion,
    /// The latch whose end it is about, on [`Occasion::LatchEnd`].
    pub latch: Option<String>,
    /// Condition; unknown makes the state unknown.
    pub when: Option<Expr>,
    /// Exemption; an unknown one is none.
    pub unless: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// What a window or a throttle counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Approved orders.
    Orders,
    /// Fills.
    Fills,
    /// Round trips that became flat.
    Closed,
    /// Cancels that the venue confirmed.
    Cancels,
    /// Orders that the venue rejected.
    Rejects,
    /// Approved orders and cancels.
    Messages,
}

/// How far back a window reaches. Both are constants: a literal or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So long before now.
    Time(Expr),
    /// So many of the last.
    Last(Expr),
}

/// How much of the book: of one side, and how far from its best price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Depth {
    /// Which side.
    pub side: DepthSide,
    /// How far.
    pub reach: DepthReach,
}

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DepthSide {
    /// Bids.
    Bid,
    /// Asks.
    Ask,
    /// The side that the order at hand would join.
    Own,
    /// The side that the order at hand would take from.
    Opposite,
}

/// How far into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DepthReach {
    /// So many price levels.
    Levels(u16),
    /// Within this share of the best price, in units of 1e-9.
    Within(i64),
}

/// What is made of the elements of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// How many there are.
    Count,
    /// The sum of a field.
    Sum(Field),
    /// How many there are, each second.
    Rate,
}

/// `count(...)`, `sum(...)`, `rate(...)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// What is looked at.
    pub stream: Stream,
    /// Only orders of the same strategy, instrument, side, price and quantity as the one at hand.
    pub same: bool,
    /// What is made of them.
    pub fold: Fold,
    /// Which of them count (`where`).
    pub filter: Option<Expr>,
    /// How far back.
    pub extent: Extent,
    /// Unit of the result.
    pub unit: Unit,
    /// Where it is first written.
    pub span: Span,
}

impl Stream {
    /// Returns on what an element is added.
    #[must_use]
    pub fn occasions(self) -> &'static [Occasion] {
        match self {
            Self::Orders => &[Occasion::Order],
            Self::Fills => &[Occasion::Fill],
            Self::Closed => &[Occasion::Closed],
            Self::Cancels => &[Occasion::Cancel],
            Self::Rejects => &[Occasion::Reject],
            Self::Messages => &[Occasion::Order, Occasion::Cancel],
        }
    }

    /// Returns on what an element is added first.
    #[must_use]
    pub fn first(self) -> Occasion {
        self.occasions().first().copied().unwrap_or(Occasion::Order)
    }

    /// Returns the stream with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "orders" => Self::Orders,
            "fills" => Self::Fills,
            "closed" => Self::Closed,
            "cancels" => Self::Cancels,
            "rejects" => Self::Rejects,
            "messages" => Self::Messages,
            _ => return None,
        })
    }
}

impl Occasion {
    /// Returns the word after `on` or `after`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bar => "bar",
            Self::Book => "book",
            Self::Trade => "trade",
            Self::Order => "order",
            Self::Fill => "fill",
            Self::Closed => "closed",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Timer => "timer",
            Self::LatchEnd => "latch",
        }
    }

    /// Returns the occasion that a word names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Bar,
            Self::Book,
            Self::Trade,
            Self::Order,
            Self::Fill,
            Self::Closed,
            Self::Reject,
            Self::Timer,
        ];
        all.into_iter().find(|occasion| occasion.word() == word)
    }
}

impl State {
    /// Tells whether it is held for each instrument: its unit belongs to one.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.unit, Unit::Price | Unit::Qty)
    }
}

impl Window {
    /// Tells whether it is held for each instrument: its unit belongs to one.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.unit, Unit::Price | Unit::Qty | Unit::Money(Asset::Quote))
    }
}
