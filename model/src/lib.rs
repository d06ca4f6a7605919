//! The field's vocabulary: what every other room means by a price, an order or an event.
//!
//! Plain data and pure functions. Nothing here reads a clock, a file or the environment, and no
//! number that is money is ever a float. Only [`codec`] turns events into bytes.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

/// Price levels of one instrument, folded from book events.
pub mod book;
/// Events and state images to bytes and back: the only place that does so.
pub mod codec;
/// Decimal text to integer mantissas and back, exactly.
pub mod decimal;
/// The 64-byte event and its kinds.
pub mod event;
/// Names of instruments, strategies, orders and runs.
pub mod id;
/// Instruments, their scales, limits and fees.
pub mod instrument;
/// Prices, quantities, money and rounding.
pub mod num;
/// Sides, times in force and the words an order is made of.
pub mod order;
/// Reasons for which an order is refused.
pub mod reject;
/// Instrument names as people write them.
pub mod symbol;
/// Engine time: nanoseconds and UTC dates.
pub mod time;
