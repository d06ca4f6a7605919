//! The fields that rules can read: the one table from which checker, compiler and documents work.
//!
//! The engine answers [`crate::evaluate::Facts::read`] for each. Scales are fixed by the type:
//! money 1e-9; prices at the instrument's price scale, marks at one decimal more; quantities at the
//! quantity scale; durations and times in nanoseconds; booleans 0 and 1. A share is answered as two
//! values, numerator and denominator, so that comparing it with a limit loses nothing.

/// Who may read a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Risk blocks.
    Risk,
    /// Strategy blocks: blind for accounts.
    Strategy,
    /// Both.
    Both,
}

/// When a field can be read within a risk block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At any time.
    Always,
    /// Only while an order is judged: not in latches.
    Order,
    /// Only once the quantity is final: not in caps either.
    FinalOrder,
    /// Only on a fill.
    Fill,
    /// Only when a round trip has become flat.
    Closed,
}

/// The stored form of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Plain integer.
    Int,
    /// Dimensionless, as a ratio of two values.
    Share,
    /// 0 or 1.
    Bool,
    /// Price at the price scale.
    Price,
    /// Price at one decimal more than the price scale.
    Mark,
    /// Price as a ratio: money at 1e-9 over a quantity.
    PriceRatio,
    /// Quantity at the quantity scale.
    Qty,
    /// Money at 1e-9 in the reporting asset.
    Reporting,
    /// Money at 1e-9 in the instrument's quote asset.
    Quote,
    /// Money at 1e-9 in the asset that the order pays with.
    Pays,
    /// Money at 1e-9 in the asset named as the argument.
    Named,
    /// Money at 1e-9 in the reporting asset: what is of the asset named as the argument.
    Worth,
    /// The asset that the order pays with: only as an argument.
    Asset,
    /// Nanoseconds.
    Duration,
    /// Nanoseconds since the epoch.
    Time,
    /// One of a list of words; stored as its index in the list.
    Word(&'static [&'static str]),
}

impl Type {
    /// Tells whether a field is read with an asset as its argument.
    #[must_use]
    pub fn takes_asset(self) -> bool {
        matches!(self, Self::Named | Self::Worth)
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Name as written in rules.
    pub name: &'static str,
    /// Stored form.
    pub ty: Type,
    /// Who may read it.
    pub scope: Scope,
    /// When it can be read.
    pub when: When,
    /// What a source must carry for it to be known.
    pub needs: Needs,
    /// Can it be na.
    pub nullable: bool,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// What a source must carry for a field to be ever known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing in particular.
    Nothing,
    /// Best bid and ask: quotes, or a book.
    Touch,
    /// Closed bars: of the source, or built from its trades.
    Bars,
    /// Trades or bars.
    LastPrice,
}

macro_rules! fields {
    ($($field:ident $name:literal $ty:expr, $scope:ident, $when:ident, $needs:ident, $nullable:literal, $meaning:literal;)*) => {
        /// A field that rules can read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "each field's meaning stands in the table `FIELDS`")]
        pub enum Field { $($field,)* }

        /// The table, in the order of documents.
        pub const FIELDS: &[FieldInfo] = &[$(FieldInfo {
            field: Field::$field, name: $name, ty: $ty, scope: Scope::$scope, when: When::$when,
            needs: Needs::$needs, nullable: $nullable, meaning: $meaning,
        },)*];
    };
}

const FIRST: FieldInfo = {
    let [first, ..] = FIELDS else { panic!("the table has rows") };
    *first
};

/// States of a feed, in the order of `model::order::FeedStatus`.
pub const FEED_STATES: &[&str] = &["synced", "gap", "stale", "resync"];
/// Times in force, in the order of `model::order::TimeInForce`.
pub const TIMES_IN_FORCE: &[&str] = &["gtc", "ioc", "fok"];

/// Whether a fill rested or took, in the order of `model::order::Liquidity`.
pub const LIQUIDITIES: &[&str] = &["maker", "taker", "liquidation"];

fields! {
    AccountEquity "account.equity" Type::Reporting, Risk, Always, Nothing, true, "value of all accounts at the marks";
    AccountDayLoss "account.day_loss" Type::Share, Risk, Always, Nothing, true, "fall from the day's opening equity, as a share of it";
    AccountDayDrawdown "account.day_drawdown" Type::Share, Risk, Always, Nothing, true, "fall from the day's highest equity, as a share of it";
    AccountDrawdown "account.drawdown" Type::Share, Risk, Always, Nothing, true, "fall from the highest equity ever, as a share of it";
    AccountWeekLoss "account.week_loss" Type::Share, Risk, Always, Nothing, true, "fall from Monday's opening equity, as a share of it";
    AccountMarginRatio "account.margin_ratio" Type::Share, Risk, Always, Nothing, true, "maintenance margin over margin balance; 0 when flat or on cash";
    AccountExposure "account.exposure" Type::Reporting, Risk, Always, Nothing, true, "sum of symbol exposures, open orders included";
    AccountExposureAfter "account.exposure_after" Type::Reporting, Risk, FinalOrder, Nothing, true, "exposure with this order at its final quantity";
    AccountNetExposure "account.net_exposure" Type::Worth, Risk, Always, Nothing, true, "signed quantity of an asset over all accounts and instruments, at its mark";
    AccountFree "account.free" Type::Named, Risk, Always, Nothing, false, "free amount of an asset in the order's account";
    AccountLocked "account.locked" Type::Named, Risk, Always, Nothing, false, "amount of an asset that open orders hold";
    AccountTotal "account.total" Type::Named, Risk, Always, Nothing, false, "amount of an asset held";
    SymbolExposure "symbol.exposure" Type::Reporting, Risk, Always, Nothing, true, "exposure of the order's position, open orders included";
    SymbolDayLoss "symbol.day_loss" Type::Share, Risk, Always, Nothing, true, "the day's loss on the order's position, fees and funding in, over the day's opening equity";
    SymbolOpenBuys "symbol.open_buys" Type::Qty, Risk, Always, Nothing, false, "remaining quantity of open buys";
    SymbolOpenSells "symbol.open_sells" Type::Qty, Risk, Always, Nothing, false, "remaining quantity of open sells";
    PositionQty "position.qty" Type::Qty, Both, Always, Nothing, false, "signed position: the account's net in risk, the own ledger in a strategy";
    PositionNotional "position.notional" Type::Quote, Both, Always, Nothing, true, "position at the mark";
    PositionPnl "position.pnl" Type::Quote, Both, Always, Nothing, true, "unrealised profit";
    PositionAvgPrice "position.avg_price" Type::PriceRatio, Both, Always, Nothing, true, "cost basis over quantity";
    PositionAge "position.age" Type::Duration, Both, Always, Nothing, true, "time since the position left flat";
    PositionLiqPrice "position.liq_price" Type::Mark, Risk, Always, Nothing, true, "mark at which the position would be liquidated";
    PositionLiqDistance "position.liq_distance" Type::Share, Risk, Always, Nothing, true, "from the mark to it, as a share of the mark; 1 when there is none";
    StrategyCapital "strategy.capital" Type::Reporting, Risk, Always, Nothing, true, "what the strategy was allocated, with its profit since";
    StrategyExposure "strategy.exposure" Type::Reporting, Risk, Always, Nothing, true, "exposure of the strategy's own ledgers and open orders";
    StrategyPosition "strategy.position" Type::Qty, Risk, Always, Nothing, true, "the strategy's own ledger on the instrument, signed";
    StrategyDayLoss "strategy.day_loss" Type::Share, Risk, Always, Nothing, true, "fall of the strategy's capital from the day's open, as a share of it";
    StrategyDrawdown "strategy.drawdown" Type::Share, Risk, Always, Nothing, true, "fall of the strategy's capital from its highest ever, as a share of it";
    StrategyOpenOrders "strategy.open_orders" Type::Int, Risk, Always, Nothing, true, "the strategy's orders without an end";
    StrategyOrderToTrade "strategy.order_to_trade" Type::Share, Risk, Always, Nothing, true, "orders and cancels of the day over its fills, at least one";
    OrderIsBuy "order.is_buy" Type::Bool, Risk, Order, Nothing, false, "the order buys";
    OrderReduces "order.reduces" Type::Bool, Risk, Order, Nothing, false, "it and all open orders of its side do not pass zero";
    OrderCloses "order.closes" Type::Bool, Risk, Order, Nothing, false, "it reduces and leaves nothing above dust";
    OrderIsProtected "order.is_protected" Type::Bool, Risk, Order, Nothing, false, "at_market: it carries its own price bound";
    OrderIsEngine "order.is_engine" Type::Bool, Risk, Order, Nothing, false, "made by the engine itself";
    OrderCrossesOwn "order.crosses_own" Type::Bool, Risk, Order, Nothing, false, "it would trade with an own open order";
    OrderQty "order.qty" Type::Qty, Risk, FinalOrder, Nothing, false, "quantity after caps";
    OrderPrice "order.price" Type::Price, Risk, Order, Nothing, true, "limit, or protected bound";
    OrderNotional "order.notional" Type::Quote, Risk, FinalOrder, Nothing, true, "quantity times the larger of price and mark";
    OrderValue "order.value" Type::Reporting, Risk, FinalOrder, Nothing, true, "notional in the reporting asset";
    OrderLocks "order.locks" Type::Pays, Risk, FinalOrder, Nothing, true, "what approval would lock";
    OrderPays "order.pays" Type::Asset, Risk, Order, Nothing, false, "asset that approval would lock";
    OrderTif "order.tif" Type::Word(TIMES_IN_FORCE), Risk, Order, Nothing, false, "time in force";
    OrderTtl "order.ttl" Type::Duration, Risk, Order, Nothing, true, "time to live";
    OrderApproved "order.approved" Type::Bool, Risk, FinalOrder, Nothing, false, "the verdict: invariants only";
    OrderStop "order.stop" Type::Price, Risk, Order, Nothing, true, "where the order's loss is to be cut";
    OrderRisk "order.risk" Type::Reporting, Risk, FinalOrder, Nothing, true, "what is lost at the stop, taker fees both ways included";
    MarketMid "market.mid" Type::Mark, Both, Always, Touch, true, "middle of best bid and ask";
    MarketLast "market.last" Type::Price, Both, Always, LastPrice, true, "last trade, else last close";
    MarketMark "market.mark" Type::Mark, Both, Always, Nothing, true, "the price that positions are valued at";
    MarketSpread "market.spread" Type::Share, Both, Always, Touch, true, "spread over middle";
    QuoteAge "quote.age" Type::Duration, Both, Always, Touch, true, "time since the best prices last changed";
    BookBid "book.bid" Type::Price, Both, Always, Touch, true, "best bid";
    BookAsk "book.ask" Type::Price, Both, Always, Touch, true, "best ask";
    BookBidQty "book.bid_qty" Type::Qty, Both, Always, Touch, true, "quantity at the best bid";
    BookAskQty "book.ask_qty" Type::Qty, Both, Always, Touch, true, "quantity at the best ask";
    QuoteBid "quote.bid" Type::Price, Strategy, Always, Nothing, true, "price of the own working bid, the best of several";
    QuoteAsk "quote.ask" Type::Price, Strategy, Always, Nothing, true, "price of the own working offer, the best of several";
    BookBidDepth "book.bid_depth" Type::Qty, Both, Always, Touch, true, "quantity bid, within so many levels or a share of the best";
    BookAskDepth "book.ask_depth" Type::Qty, Both, Always, Touch, true, "quantity asked, within so many levels or a share of the best";
    BookDepth "book.depth" Type::Qty, Risk, Order, Touch, true, "quantity on the order's own or the opposite side, likewise";
    BarOpen "open" Type::Price, Strategy, Always, Bars, true, "first price of the last closed bar";
    BarHigh "high" Type::Price, Strategy, Always, Bars, true, "highest price of the last closed bar";
    BarLow "low" Type::Price, Strategy, Always, Bars, true, "lowest price of the last closed bar";
    BarClose "close" Type::Price, Strategy, Always, Bars, true, "last price of the last closed bar";
    BarVolume "volume" Type::Qty, Strategy, Always, Bars, true, "traded quantity of the last closed bar";
    BarTime "bar.time" Type::Time, Strategy, Always, Bars, true, "end of the last closed bar";
    Now "now" Type::Time, Both, Always, Nothing, false, "time of the event";
    FeedSynced "feed.synced" Type::Bool, Both, Always, Nothing, false, "every stream that the source declares is intact";
    FeedState "feed.state" Type::Word(FEED_STATES), Both, Always, Nothing, false, "state of the feed";
    FeedAge "feed.age" Type::Duration, Both, Always, Nothing, true, "time since the last message of the feed";
    VenueAcceptsOrders "venue.accepts_orders" Type::Bool, Risk, Always, Nothing, false, "an order could be sent now";
    ControlLevel "control.level" Type::Int, Risk, Always, Nothing, false, "kill switch: 0 run, 1 reduce, 2 halt, 3 flatten";
    ControlBy "control.by" Type::Int, Risk, Always, Nothing, false, "who set the level, 0 for the engine";
    FillPrice "fill.price" Type::Price, Both, Fill, Nothing, false, "price of the fill";
    FillQty "fill.qty" Type::Qty, Both, Fill, Nothing, false, "quantity of the fill";
    FillFee "fill.fee" Type::Reporting, Both, Fill, Nothing, true, "fee of the fill, negative for a rebate";
    FillPnl "fill.pnl" Type::Reporting, Both, Fill, Nothing, true, "realised by the fill, net of its fee; na when it opens";
    FillLiquidity "fill.liquidity" Type::Word(LIQUIDITIES), Both, Fill, Nothing, false, "whether the order rested or took";
    FillOpens "fill.opens" Type::Bool, Both, Fill, Nothing, false, "it increases the strategy's position";
    ClosedPnl "closed.pnl" Type::Reporting, Both, Closed, Nothing, true, "profit of the round trip, net of fees and funding";
    ClosedDuration "closed.duration" Type::Duration, Both, Closed, Nothing, false, "from its first fill to its last";
}

impl Field {
    /// Returns the field's row.
    #[must_use]
    pub fn info(self) -> &'static FieldInfo {
        // One macro writes the table and the enum in the same order, so the row is always there.
        FIELDS.get(usize::from(self as u16)).unwrap_or(&FIRST)
    }

    /// Returns the field with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static FieldInfo> {
        FIELDS.iter().find(|info| info.name == name)
    }
}
