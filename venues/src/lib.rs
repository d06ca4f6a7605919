//! Venue protocols without I/O: bytes in, model payloads out.
//!
//! Each venue is one folder with the same inner order: what its frames hold, how their text is
//! read, the venue's sequence rules, and one stream per instrument that joins the two. Nothing here
//! opens a socket or a file, reads a clock, or keeps price levels: the feed stage folds those. No
//! byte sequence that a venue sends can panic this crate, and after warm-up nothing allocates.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

/// Binance spot and USD-margined futures: market data.
pub mod binance;
