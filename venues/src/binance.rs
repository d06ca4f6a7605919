//! Binance spot and USD-margined futures: market data.
//!
//! ```text
//! bytes --Parser--> Frame --Stream--> Updates (model payloads)
//!          syntax             sequence rules, scales, grid
//! ```
//!
//! `Parser` reads one JSON message into a `Frame` of borrowed text; it knows no instrument. One
//! `Stream` per instrument checks the venue's sequence rules, brings prices and quantities to the
//! instrument's scales and appends payloads to `Updates`. The caller routes a frame to its stream
//! (by symbol, or by the feed of the record where a frame carries none), stamps the payloads, folds
//! the levels and counts faults.
//!
//! Documents: binance-spot-api-docs, web-socket-streams.md (2026-07-21); the futures counterpart
//! "How to manage a local order book correctly".
//!
//! Not read, and reported as `Frame::Other`: partial depth streams (a top-20 book must never
//! replace one that is kept by differences), aggregate trades (every trade would count twice),
//! klines, tickers, replies to requests. Outside a combined stream a partial depth message looks
//! like a REST snapshot, so connections must ask for combined streams.

mod book;
mod parse;
mod scan;
mod stream;
mod wire;

pub use parse::{FRAME_BYTES_MAX, Parser};
pub use stream::{Stream, StreamSpec, UPDATES_MAX, Updates};
pub use wire::{
    BookTickerFrame, DepthFrame, FRAME_LEVELS_MAX, Frame, Levels, SnapshotFrame, TradeFrame,
};

pub use book::{BUFFER_LEVELS_MAX, BUFFER_MESSAGES_MAX};

#[cfg(test)]
mod tests;
