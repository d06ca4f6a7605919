//! Messages of Binance USD-margined futures, made up: the recorded captures need no network but are
//! not part of the project.
//!
//! In the venue's own field order and in the mix of the recorded captures: of 100 messages about 72
//! best prices, 20 trades and 8 book differences of 56 levels on average. A snapshot comes first,
//! and update ids follow on, so that a stream that reads them all ends synced.

use std::fmt::Write;

use crate::random::Random;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Best prices.
    BookTicker,
    /// A trade.
    Trade,
    /// Differences of the book.
    Depth,
}

/// A made-up stream of one instrument.
#[derive(Clone, Debug)]
pub struct Frames {
    random: Random,
    update_id: u64,
    /// Last update id of the last book difference, or of the snapshot.
    depth_id: u64,
    trade_id: u64,
    time_ms: u64,
    mid: u64,
}

impl Frames {
    /// Returns the stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            update_id: 5_123_107_830_000,
            depth_id: 5_123_107_830_000,
            trade_id: 5_201_000_000,
            time_ms: 1_723_161_255_000,
            mid: 616_500,
        }
    }

    /// Returns the snapshot that the first difference joins.
    pub fn snapshot(&mut self) -> String {
        let mut text = format!(
            r#"{{"lastUpdateId":{},"E":{ms},"T":{ms},"bids":["#,
            self.update_id,
            ms = self.time_ms
        );
        self.levels(&mut text, 500, false);
        text.push_str(r#"],"asks":["#);
        self.levels(&mut text, 500, true);
        text.push_str("]}");
        text
    }

    /// Returns the next message of the mix.
    pub fn any(&mut self) -> String {
        let kind = match self.random.below(100) {
            0..72 => Kind::BookTicker,
            72..92 => Kind::Trade,
            _ => Kind::Depth,
        };
        self.message(kind)
    }

    /// Returns the next message of a kind.
    pub fn message(&mut self, kind: Kind) -> String {
        self.time_ms += self.random.below(30);
        self.mid = self.mid.saturating_add_signed(self.random.within(-3, 3));
        let ms = self.time_ms;
        match kind {
            Kind::BookTicker => {
                self.update_id += 1 + self.random.below(900);
                let (bid, ask) = (price(self.mid), price(self.mid + 1));
                let head = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker""#;
                let (bid_qty, ask_qty) = (self.qty(), self.qty());
                let best = format!(r#""b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}""#);
                let id = self.update_id;
                format!(r#"{head},"u":{id},"s":"BTCUSDT",{best},"T":{ms},"E":{ms}}}}}"#)
            }
            Kind::Trade => {
                self.trade_id += 1;
                let (price, qty, id) = (price(self.mid), self.qty(), self.trade_id);
                let maker = self.random.once_in(2);
                let head = r#"{"stream":"btcusdt@trade","data":{"e":"trade""#;
                let trade = format!(r#""t":{id},"p":"{price}","q":"{qty}","X":"MARKET""#);
                format!(r#"{head},"E":{ms},"T":{ms},"s":"BTCUSDT",{trade},"m":{maker}}}}}"#)
            }
            Kind::Depth => {
                let previous = self.depth_id;
                self.update_id += 1 + self.random.below(900);
                self.depth_id = self.update_id;
                let head = r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate""#;
                let ids = format!(r#""U":{previous},"u":{},"pu":{previous}"#, self.depth_id);
                let mut text = format!(r#"{head},"E":{ms},"T":{ms},"s":"BTCUSDT",{ids},"b":["#);
                let counts = [self.random.below(57), self.random.below(57)];
                self.levels(&mut text, counts[0], false);
                text.push_str(r#"],"a":["#);
                self.levels(&mut text, counts[1], true);
                text.push_str("]}}");
                text
            }
        }
    }

    fn levels(&mut self, text: &mut String, count: u64, asks: bool) {
        for nth in 0..count {
            let away = nth * 2 + self.random.below(2);
            let at = if asks { self.mid + 1 + away } else { self.mid - away };
            let qty = if self.random.once_in(4) { "0.000".to_owned() } else { self.qty() };
            let comma = if nth == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            write!(text, r#"{comma}["{}","{qty}"]"#, price(at)).ok();
        }
    }

    fn qty(&mut self) -> String {
        let lots = 1 + self.random.below(9_000);
        format!("{}.{:03}", lots / 1_000, lots % 1_000)
    }
}

fn price(ticks: u64) -> String {
    format!("{}.{}0", ticks / 10, ticks % 10)
}
