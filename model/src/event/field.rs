//! How one field is stored: fixed width, little endian, every bit pattern readable.
//!
//! Reading is total: a byte that is no value of an enum reads as its first value, and the caller
//! that does not trust the bytes packs the result again and compares.

use crate::id::{AccountId, AssetId, OrderNo, StrategyId};
use crate::num::{Money, Price, Qty, Rate};
use crate::order::{
    AccountKind, Action, AlertReason, CancelReason, Cause, ClearResult, DoneReason, EndReason,
    FeedStatus, FlowReason, InputFault, LatchState, Liquidity, Side, SizeKind, Step, TimeInForce,
    Verdict, Via,
};
use crate::reject::Code;
use crate::time::{Date, Nanos};

/// A value with a fixed stored width.
pub trait Field: Copy {
    /// Stored bytes.
    const BYTES: usize;
    /// Writes the value; `out` has [`Field::BYTES`] bytes.
    fn store(self, out: &mut [u8]);
    /// Reads a value; `bytes` has [`Field::BYTES`] bytes.
    fn load(bytes: &[u8]) -> Self;
}

macro_rules! integer_fields {
    ($($ty:ty),*) => { $(
        impl Field for $ty {
            const BYTES: usize = size_of::<$ty>();
            #[inline]
            fn store(self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn load(bytes: &[u8]) -> Self {
                bytes.try_into().map_or(0, <$ty>::from_le_bytes)
            }
        }
    )* };
}

integer_fields!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

macro_rules! newtype_fields {
    ($($ty:ident($inner:ty)),*) => { $(
        impl Field for $ty {
            const BYTES: usize = <$inner as Field>::BYTES;
            #[inline]
            fn store(self, out: &mut [u8]) {
                self.0.store(out);
            }
            #[inline]
            fn load(bytes: &[u8]) -> Self {
                Self(<$inner as Field>::load(bytes))
            }
        }
    )* };
}

newtype_fields!(
    Price(i64),
    Qty(i64),
    Money(i128),
    Rate(i64),
    Nanos(i64),
    Date(i32),
    Code(u16),
    AssetId(u16),
    AccountId(u16),
    StrategyId(u16)
);

impl Field for OrderNo {
    const BYTES: usize = 8;
    #[inline]
    fn store(self, out: &mut [u8]) {
        self.raw().store(out);
    }
    #[inline]
    fn load(bytes: &[u8]) -> Self {
        Self::from_raw(u64::load(bytes))
    }
}

impl Field for bool {
    const BYTES: usize = 1;
    #[inline]
    fn store(self, out: &mut [u8]) {
        u8::from(self).store(out);
    }
    #[inline]
    fn load(bytes: &[u8]) -> Self {
        u8::load(bytes) == 1
    }
}

macro_rules! enum_fields {
    ($($ty:ident { $first:ident $(, $rest:ident)* })*) => { $(
        impl Field for $ty {
            const BYTES: usize = 1;
            #[inline]
            fn store(self, out: &mut [u8]) {
                (self as u8).store(out);
            }
            #[inline]
            fn load(bytes: &[u8]) -> Self {
                let code = u8::load(bytes);
                $(if code == Self::$rest as u8 { return Self::$rest; })*
                Self::$first
            }
        }
    )* };
}

enum_fields! {
    Side { Buy, Sell }
    TimeInForce { Gtc, Ioc, Fok }
    Liquidity { Maker, Taker, Liquidation }
    Action { Enter, Exit, CancelEntries, CancelExit, Quote, CancelQuote, Flatten }
    SizeKind { Qty, Weight, Risk }
    Verdict { Approve, Deny }
    Cause { Known, Overflow, DivZero, Missing, Warmup, Flat }
    DoneReason { Filled, Cancelled, Expired, Rejected }
    CancelReason { Strategy, Ttl, Latch, Shutdown, Level }
    Via { Engine, Command, File, Signal, Stored, Rule }
    Step { Set, NoneOpen, Flat, Asked }
    ClearResult { Cleared, NotArmed, StillTrue, NoLimit, Unsigned, Asked }
    FeedStatus { Synced, Gap, Stale, Resync }
    InputFault {
        Malformed, OffGrid, NotPositive, TooLarge, UnknownSymbol, Gap, OutOfOrder, ClockBack,
        Truncated, UnknownKind, BadBar, Crossed, NoMark, UnknownAccount
    }
    EndReason { EndOfData, Requested, SourceFailed }
    LatchState { Waiting, Armed, Ended }
    AccountKind { Cash, Linear }
    AlertReason { Warn, Flatten }
    FlowReason { Deposit, Withdrawal, Transfer, Conversion, Adjustment }
}
