//! The kinds of event and their fields. This table is the vocabulary: codec, dump and documentation
//! are derived from it.

use super::{Field, Lane, PAYLOAD_BYTES};
#[cfg(doc)]
use crate::id::ALL_STRATEGIES;
use crate::id::{AccountId, AssetId, OrderNo, StrategyId};
use crate::num::{Money, Price, Qty, Rate};
use crate::order::{
    AccountKind, Action, AlertReason, CancelReason, Cause, ClearResult, DoneReason, EndReason,
    FeedStatus, FlowReason, InputFault, LatchState, Liquidity, Side, SizeKind, Step, TimeInForce,
    Verdict, Via,
};
use crate::reject::Code;
use crate::time::{Date, Nanos};

/// Fields that pack into an event's payload.
pub trait Payload: Copy {
    /// The kind that these fields belong to.
    const KIND: Kind;
    /// Returns the fields as bytes, the rest zero.
    fn pack(&self) -> [u8; PAYLOAD_BYTES];
    /// Reads the fields.
    fn unpack(bytes: &[u8; PAYLOAD_BYTES]) -> Self;
    /// Calls `see` with each field's name and value as text, in order.
    fn describe(&self, see: &mut dyn FnMut(&'static str, &dyn std::fmt::Debug));
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $code:literal $lane:ident $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty,)*
        }
    )*) => {
        /// The kind of an event; its number is in journals and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Kind { $($(#[$doc])* $name = $code,)* }

        /// All kinds, by number.
        pub const KINDS: &[Kind] = &[$(Kind::$name),*];

        impl Kind {
            /// Returns the kind with this number.
            #[must_use]
            pub fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// Returns the lane whose stage writes this kind.
            #[inline]
            #[must_use]
            pub fn lane(self) -> Lane {
                match self { $(Self::$name => Lane::$lane,)* }
            }

            /// Returns the name as journals and documents show it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $ty,)* }

            const _: () = assert!(0 $(+ <$ty as Field>::BYTES)* <= PAYLOAD_BYTES);

            impl Payload for $name {
                const KIND: Kind = Kind::$name;
                #[inline]
                fn pack(&self) -> [u8; PAYLOAD_BYTES] {
                    let mut bytes = [0; PAYLOAD_BYTES];
                    let mut _at = 0_usize;
                    $(
                        let end = _at.saturating_add(<$ty as Field>::BYTES);
                        if let Some(slot) = bytes.get_mut(_at..end) { self.$field.store(slot); }
                        _at = end;
                    )*
                    bytes
                }
                #[inline]
                fn unpack(bytes: &[u8; PAYLOAD_BYTES]) -> Self {
                    let mut _at = 0_usize;
                    $(
                        let end = _at.saturating_add(<$ty as Field>::BYTES);
                        let $field = <$ty as Field>::load(bytes.get(_at..end).unwrap_or(&[]));
                        _at = end;
                    )*
                    Self { $($field),* }
                }
                fn describe(&self, see: &mut dyn FnMut(&'static str, &dyn std::fmt::Debug)) {
                    $(see(stringify!($field), &self.$field);)*
                }
            }
        )*

        /// An event's payload as typed fields.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is named as its documented payload")]
        pub enum Body { $($name($name),)* }

        impl Body {
            /// Reads the fields of a kind.
            #[inline]
            #[must_use]
            pub fn unpack(kind: Kind, bytes: &[u8; PAYLOAD_BYTES]) -> Self {
                match kind { $(Kind::$name => Self::$name($name::unpack(bytes)),)* }
            }

            /// Returns the fields as bytes.
            #[must_use]
            pub fn pack(&self) -> [u8; PAYLOAD_BYTES] {
                match self { $(Self::$name(payload) => payload.pack(),)* }
            }

            /// Calls `see` with each field's name and value, in order.
            pub fn describe(&self, see: &mut dyn FnMut(&'static str, &dyn std::fmt::Debug)) {
                match self { $(Self::$name(payload) => payload.describe(see),)* }
            }
        }
    };
}

kinds! {
    /// A trade of others.
    1 Input Trade {
        /// Price at the instrument's price scale.
        price: Price,
        /// Quantity at the instrument's quantity scale.
        qty: Qty,
        /// The venue's trade id, 0 when it gives none.
        trade_id: u64,
        /// The venue's own time, 0 when unknown; carried, never used for ages.
        venue_ts: Nanos,
        /// Side of the order that took.
        taker: Side,
    }
    /// Best bid and ask: from the venue's own stream, or derived from the book of a source that has
    /// none (`FLAG_DERIVED`). A quantity of zero means that the side is empty.
    2 Input Quote {
        /// Best bid price.
        bid: Price,
        /// Best ask price.
        ask: Price,
        /// Quantity at the best bid.
        bid_qty: Qty,
        /// Quantity at the best ask.
        ask_qty: Qty,
        /// The venue's update id, 0 when it gives none.
        update_id: u64,
    }
    /// One price level of the book; the last of a message carries `FLAG_LAST`.
    3 Input BookLevel {
        /// Price of the level.
        price: Price,
        /// Absolute quantity; 0 removes the level.
        qty: Qty,
        /// The venue's last update id of the message.
        update_id: u64,
        /// The venue's own time, 0 when unknown.
        venue_ts: Nanos,
        /// Buy for a bid level, sell for an ask level.
        side: Side,
    }
    /// The book is empty: a snapshot follows, or the sequence broke.
    4 Input BookClear {
        /// Update id of the snapshot that follows, 0 when none does.
        update_id: u64,
    }
    /// A closed bar; its [`BarExtra`] stands directly before it under the same seq.
    5 Input Bar {
        /// First price.
        open: Price,
        /// Highest price.
        high: Price,
        /// Lowest price.
        low: Price,
        /// Last price.
        close: Price,
        /// Traded base quantity.
        volume: Qty,
    }
    /// What a bar needs beyond its prices.
    6 Input BarExtra {
        /// First moment of the bar.
        start: Nanos,
        /// Length in nanoseconds: the bar ends at `start + length_ns`.
        length_ns: i64,
        /// Number of trades, 0 when unknown.
        trades: u64,
        /// Traded value in the quote asset, 0 when unknown.
        quote_volume: Money,
    }
    /// A feed changed its state.
    7 Input FeedState {
        /// Sequence number that was expected, 0 when that is not the reason.
        expected: u64,
        /// Sequence number that came.
        received: u64,
        /// The state from here on.
        status: FeedStatus,
    }
    /// A message of a source was not used.
    8 Input BadInput {
        /// Line or record number within the source, from 1.
        line: u64,
        /// How many such messages this record stands for.
        count: u64,
        /// Index of the source in the run's metadata.
        source: u16,
        /// What was wrong.
        fault: InputFault,
    }
    /// A moment that a stage asked to be woken at.
    9 Input Timer {
        /// The moment asked for.
        due: Nanos,
    }
    /// A trading day begins. The equity at its open is in the [`RiskState`] of the same seq: feed
    /// does not know it.
    10 Input DayRoll {
        /// The day that begins.
        date: Date,
    }
    /// The session begins.
    11 Input SessionStart {
        /// Number of instruments in the run's metadata.
        instruments: u32,
        /// Seed of everything that is drawn.
        seed: u64,
    }
    /// The session ends: open orders are cancelled, and only their outcomes follow.
    12 Input SessionEnd {
        /// Why.
        reason: EndReason,
    }
    /// A balance with which an account opens.
    13 Input AccountOpened {
        /// Amount held.
        total: Money,
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
        /// Kind of the account.
        kind: AccountKind,
    }
    /// The price that the venue values open contracts at and settles funding by.
    14 Input MarkPrice {
        /// The mark, at one decimal more than the instrument's price scale.
        mark: Price,
        /// The venue's own time, 0 when unknown.
        venue_ts: Nanos,
    }
    /// A payment between longs and shorts of a perpetual: `-P * multiplier * mark * rate` is added
    /// to the balance, or the amount that the venue stated.
    15 Input Funding {
        /// Share of the position's value; positive when longs pay.
        rate: Rate,
        /// The mark that it is computed by, at one decimal more than the instrument's price scale;
        /// a record without one is a [`BadInput`].
        mark: Price,
        /// The venue's own time, 0 when unknown.
        venue_ts: Nanos,
        /// The venue's amount in units of 1e-9 of the settlement asset, when `stated`.
        amount: i64,
        /// True when the venue stated the amount (live): it is booked as it is.
        stated: bool,
    }
    /// What one unit of an asset is worth in another: a fixed rate of the configuration, or a
    /// recorded one.
    16 Input FxRate {
        /// Units of 1e-9 of `to` for one unit of `from`, positive.
        rate: Money,
        /// The asset that is valued.
        from: AssetId,
        /// The asset that it is valued in.
        to: AssetId,
        /// True for a rate of the configuration: it never becomes stale.
        fixed: bool,
    }
    /// Money that comes, goes or moves without a trade: no profit, whatever its sign.
    17 Input CashFlow {
        /// Signed amount in units of 1e-9 of the asset.
        amount: Money,
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
        /// Operator who ordered it, 0 for the venue itself.
        by: u16,
        /// Why.
        reason: FlowReason,
    }
    /// An operator, or the engine itself, sets the level of the kill switch. Who and why stand in
    /// the [`Note`]s directly before it.
    18 Input Command {
        /// First eight bytes of the hash of name and reason; 0 where one of them is not given.
        text: u64,
        /// Number of the operator, from the name; 0 for the engine.
        by: u16,
        /// 0 run, 1 reduce, 2 halt, 3 flatten.
        level: u8,
        /// How it came.
        via: Via,
    }
    /// An operator clears the latches of a name. Who and why stand in the [`Note`]s directly
    /// before.
    19 Input LatchCleared {
        /// The new limit in place of the compared one: 1e-9 of a share or of the money; 0 with
        /// `allows` false.
        allow: i64,
        /// First eight bytes of the hash of the latch's code as written.
        name: u64,
        /// First eight bytes of the hash of name and reason; 0 where one of them is not given.
        text: u64,
        /// Number of the operator, from the name.
        by: u16,
        /// A new limit is given.
        allows: bool,
        /// It is an amount of money.
        money: bool,
    }
    /// The venue works an order, or keeps a protective stop.
    20 Input OrderAck {
        /// The order.
        order: OrderNo,
        /// Whose it is.
        strategy: StrategyId,
        /// True for a protective stop: nobody before execution has heard of it.
        stop: bool,
    }
    /// A fill of one of our orders.
    21 Input Fill {
        /// The order.
        order: OrderNo,
        /// Price paid.
        price: Price,
        /// Quantity filled.
        qty: Qty,
        /// Fee in units of 1e-9 of the fee asset; negative for a rebate.
        fee: i64,
        /// The venue's number of the fill, unique over the run.
        trade: u32,
        /// Asset of the fee.
        fee_asset: AssetId,
        /// Side of our order.
        side: Side,
        /// Maker or taker.
        liquidity: Liquidity,
    }
    /// An order has ended.
    22 Input OrderDone {
        /// The order.
        order: OrderNo,
        /// Quantity filled in all.
        filled: Qty,
        /// The venue's reason of a rejection, else none.
        code: Code,
        /// How it ended.
        reason: DoneReason,
    }
    /// An order, or a cancel, that somebody asks for on behalf of a strategy: a script, a person.
    /// It becomes a signal, and is judged as one.
    23 Input OrderAsked {
        /// Limit price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Price at which what it opens is to be given up; 0 with `stopped` false.
        stop: Price,
        /// Time to live in nanoseconds, 0 for none.
        ttl_ns: i64,
        /// On whose behalf.
        strategy: StrategyId,
        /// What is asked for.
        action: Action,
        /// Side of the order.
        side: Side,
        /// Time in force.
        tif: TimeInForce,
        /// The venue rejects it rather than let it take.
        post_only: bool,
        /// A stop is given.
        stopped: bool,
    }
    /// Forty bytes of a text that does not fit a record of its own, the rest zero: who sets a level
    /// and why. Its parts stand in order before the record that they are of.
    24 Input Note {
        /// Bytes 0 to 7, the first one lowest.
        text_0: u64,
        /// Bytes 8 to 15.
        text_1: u64,
        /// Bytes 16 to 23.
        text_2: u64,
        /// Bytes 24 to 31.
        text_3: u64,
        /// Bytes 32 to 39.
        text_4: u64,
    }
    /// A rule of a strategy fired.
    30 Strategy Signal {
        /// Limit or protected bound; 0 with `priced` false.
        price: Price,
        /// Quantity asked for, floored to the lot.
        qty: Qty,
        /// Time to live in nanoseconds, 0 for none.
        ttl_ns: i64,
        /// The strategy.
        strategy: StrategyId,
        /// Index of the rule in the session's rule table; of a `CancelQuote`, of the quote.
        rule: u16,
        /// Ordinal within the seq: the order number is (seq, ordinal).
        ordinal: u16,
        /// What is asked for.
        action: Action,
        /// Side of the order.
        side: Side,
        /// Time in force.
        tif: TimeInForce,
        /// False when no price could be named: the order is refused as NO_PRICE.
        priced: bool,
        /// True for `at_market`: the price is the touch moved by the protect band.
        protected: bool,
        /// The venue rejects it rather than let it take.
        post_only: bool,
    }
    /// What the signal directly behind it says beyond its fields, under the same seq. A signal that
    /// says no more has none.
    31 Strategy SignalTerms {
        /// Price at which the position is to be given up; 0 with `stopped` false.
        stop: Price,
        /// Share of the strategy's capital in units of 1e-9; 0 where `size` is a quantity.
        share: i64,
        /// How strong the signal is, in units of 1e-9; 0 with `strong` false.
        strength: i64,
        /// The strategy.
        strategy: StrategyId,
        /// Ordinal of the signal within its seq.
        ordinal: u16,
        /// How its size is given.
        size: SizeKind,
        /// A stop is given.
        stopped: bool,
        /// A strength is given.
        strong: bool,
    }
    /// The verdict on a signal.
    40 Risk Decision {
        /// Final quantity: what may leave, 0 when refused.
        qty: Qty,
        /// What was compared, narrowed to 64 bits: money and shares at 1e-9, else mantissas.
        observed: i64,
        /// The limit it was compared with, in the same unit.
        limit: i64,
        /// The strategy.
        strategy: StrategyId,
        /// Ordinal of the signal within its seq.
        ordinal: u16,
        /// Primary reason of a refusal or a cut, else none.
        code: Code,
        /// Approved or refused.
        verdict: Verdict,
        /// Why the deciding value was unknown, if it was.
        cause: Cause,
        /// True when the order reduces the position.
        reduces: bool,
    }
    /// Which rules spoke on the verdict directly before it.
    41 Risk DecisionRules {
        /// Rules 0 to 63 of the session's rule table, bit by bit.
        rules_0: u64,
        /// Rules 64 to 127.
        rules_1: u64,
        /// Rules 128 to 191.
        rules_2: u64,
        /// Rules 192 to 255.
        rules_3: u64,
        /// First eight bytes of the programs' hash.
        program: u64,
    }
    /// A latch waits, arms or ends.
    42 Risk LatchChanged {
        /// The measure when it changed, narrowed to 64 bits.
        observed: i64,
        /// The limit in force, in the same unit.
        limit: i64,
        /// Moment at which it ends by itself or stops waiting; 0 when neither.
        until: Nanos,
        /// The rule.
        code: Code,
        /// What it does from here on.
        state: LatchState,
    }
    /// Equity and exposure after a day roll, and the bases that the day's measures start from.
    43 Risk RiskState {
        /// Equity at the last marks in the reporting asset; all measures of the day start here.
        equity: Money,
        /// Exposure in the reporting asset.
        exposure: Money,
        /// The day.
        date: Date,
        /// False when a mark was missing and the last known equity stands in.
        known: bool,
    }
    /// A balance changed at this seq.
    44 Risk BalanceChanged {
        /// Amount held.
        total: Money,
        /// Part of it that open orders hold.
        locked: Money,
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
    }
    /// A position changed at this seq.
    45 Risk PositionChanged {
        /// Signed quantity.
        qty: Qty,
        /// Cost of what is held, in the quote asset, never negative.
        basis: Money,
        /// The account.
        account: AccountId,
    }
    /// Money realised at this seq, and fees paid, in the instrument's quote asset.
    46 Risk Realised {
        /// Realised by the fill, before fees.
        profit: Money,
        /// Fee in units of 1e-9 of the fee asset.
        fee: Money,
        /// Asset of the fee.
        fee_asset: AssetId,
        /// The strategy whose order it was.
        strategy: StrategyId,
    }
    /// The stages need a timer, instead of the one they asked for before. Between stages only.
    47 Internal Wake {
        /// When.
        due: Nanos,
    }
    /// An armed latch asks execution to cancel open orders: of the event's instrument, or of all
    /// if it has none. Between stages only: the cancels themselves are in the journal.
    48 Internal CancelAll {
        /// The latch's rule.
        code: Code,
        /// Whose orders; [`ALL_STRATEGIES`] for everyone's.
        strategy: StrategyId,
    }
    /// A person should know: the condition of a `warn` became true or unknown, or a latch asked for
    /// more than this version does.
    49 Risk Alert {
        /// What the rule observed, narrowed to 64 bits; 0 when it compares nothing.
        observed: i64,
        /// The limit in force, in the same unit.
        limit: i64,
        /// The rule.
        code: Code,
        /// Why the condition is unknown, if it is.
        cause: Cause,
        /// What it is about.
        reason: AlertReason,
    }
    /// An order is to be sent.
    50 Execution OrderIntent {
        /// The order.
        order: OrderNo,
        /// Limit price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Moment at which it is to be cancelled, 0 for none.
        expires: Nanos,
        /// The strategy.
        strategy: StrategyId,
        /// Side.
        side: Side,
        /// Time in force.
        tif: TimeInForce,
        /// True when it reduces the position: perpetual venues get their reduce-only flag.
        reduces: bool,
        /// The venue rejects it rather than let it take.
        post_only: bool,
        /// It closes what its strategy's own fills hold, and never does more.
        exit: bool,
    }
    /// An order is to be cancelled.
    51 Execution CancelIntent {
        /// The order.
        order: OrderNo,
        /// Why.
        reason: CancelReason,
    }
    /// A protective stop is to rest with the venue, or the one that rests there is to have this
    /// trigger. It gives up what the strategy's own fills hold of the instrument.
    52 Execution StopIntent {
        /// The stop's own number; that of the first order whose fills it protects, marked.
        order: OrderNo,
        /// Price that triggers it.
        trigger: Price,
        /// The strategy.
        strategy: StrategyId,
        /// Side of the order that it becomes.
        side: Side,
        /// True when it was sent before: only its trigger changes, if it still rests.
        moves: bool,
    }
    /// A step of the kill switch, with its proof: what is open and held at this seq.
    55 Risk LevelStep {
        /// Orders that are open, the engine's own included.
        open: u32,
        /// Instruments of which more than dust is held.
        held: u32,
        /// Who set the level; 0 for the engine.
        by: u16,
        /// The level in force.
        level: u8,
        /// What is reached.
        step: Step,
        /// How the level came to be set.
        via: Via,
    }
    /// The engine asks for an exit of its own: level 3 of the kill switch. A protected, immediate
    /// order that shrinks the account's position; its verdict follows.
    56 Risk Flatten {
        /// Bound: the touch moved by the instrument's `flatten_band`, or 0 when no price is known.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Whose position it closes; all bits set for what is no strategy's.
        strategy: StrategyId,
        /// Ordinal of the order within its seq.
        ordinal: u16,
        /// Side of the order.
        side: Side,
    }
    /// What became of clearing a latch, and what it was judged by.
    57 Risk ClearStep {
        /// What its condition observes.
        observed: i64,
        /// The limit of the rule.
        limit: i64,
        /// The limit in force from here on; that of the rule where nothing is allowed.
        allowed: i64,
        /// Until when it is; 0 until it is changed, and where nothing is allowed.
        until: Nanos,
        /// The latch; 0 where none is of that name.
        code: Code,
        /// Whether it was cleared, else why not.
        result: ClearResult,
    }
    /// An order left through the gate.
    60 Egress OrderSent {
        /// The order.
        order: OrderNo,
        /// Limit price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Side.
        side: Side,
        /// Time in force.
        tif: TimeInForce,
        /// True when it may only reduce.
        reduces: bool,
        /// The venue rejects it rather than let it take.
        post_only: bool,
        /// The strategy: the venue links a stop with what it protects.
        strategy: StrategyId,
        /// It closes what its strategy's own fills hold, and never does more.
        exit: bool,
    }
    /// A cancel left through the gate.
    61 Egress CancelSent {
        /// The order.
        order: OrderNo,
    }
    /// A protective stop left through the gate.
    62 Egress StopSent {
        /// The stop.
        order: OrderNo,
        /// Price that triggers it.
        trigger: Price,
        /// The strategy whose position it protects.
        strategy: StrategyId,
        /// Side of the order that it becomes.
        side: Side,
        /// True when it was sent before: only its trigger changes, if it still rests.
        moves: bool,
    }
    /// Feed has sent all of a message: each stage passes this on, and when it comes back feed may
    /// release the next message. Between stages only.
    70 Internal Settled {
        /// Number of the message, from 1.
        message: u64,
    }
    /// Risk found that a linear position must be liquidated: the simulated venue closes it. Between
    /// stages only: the fills and ends that follow are in the journal.
    71 Internal Liquidate {
        /// Signed position to be closed, at the instrument's quantity scale.
        qty: Qty,
        /// The price that it is closed at.
        price: Price,
    }
}
