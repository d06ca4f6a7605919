//! What the generated market promises, over ten seeds, and that a seed is the same market
//! everywhere.

use std::collections::BTreeMap;

use model::event::BookLevel;
use model::instrument::Kind;
use model::num::Price;

use super::*;

/// The length of the demo.
const SECONDS: u64 = 1_800;
const SEEDS: std::ops::Range<u64> = 1..11;

/// What a market said, of one instrument.
#[derive(Default)]
struct Heard {
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
    synced: bool,
    update_id: u64,
    states: Vec<(FeedStatus, Nanos)>,
    trades: u64,
    /// The middle at the end of each second, in half ticks.
    mids: Vec<i64>,
    /// The longest time without a word, once it had begun to speak.
    silence: i64,
    spoke: Option<Nanos>,
}

impl Heard {
    fn hear(&mut self, now: Nanos, body: &Body) {
        if let Some(before) = self.spoke.replace(now) {
            self.silence = self.silence.max(now.since(before));
        }
        match body {
            Body::BookClear(_) => {
                self.bids.clear();
                self.asks.clear();
            }
            Body::BookLevel(level) => self.level(level),
            Body::FeedState(state) => {
                self.synced = state.status == FeedStatus::Synced;
                self.states.push((state.status, now));
                if state.status == FeedStatus::Gap {
                    assert_eq!(state.expected, self.update_id + 1);
                    assert!(state.received > state.expected);
                    self.update_id = state.received;
                }
            }
            Body::Quote(quote) => self.quote(quote, now),
            Body::Trade(trade) => {
                self.trades += 1;
                assert!(trade.qty.0 > 0 && trade.price.0 > 0);
                assert_eq!(trade.trade_id, self.trades, "trade ids have no gap");
            }
            other => panic!("a market does not say {other:?}"),
        }
    }

    fn level(&mut self, level: &BookLevel) {
        assert!(level.update_id == self.update_id || level.update_id == self.update_id + 1);
        self.update_id = level.update_id;
        let ladder = if level.side == Side::Buy { &mut self.bids } else { &mut self.asks };
        if level.qty.0 == 0 {
            assert!(ladder.remove(&level.price).is_some(), "what was not there cannot leave");
        } else {
            ladder.insert(level.price, level.qty);
        }
        if let (Some((bid, _)), Some((ask, _))) =
            (self.bids.last_key_value(), self.asks.first_key_value())
        {
            assert!(bid < ask, "crossed, even in between");
        }
    }

    /// The book is whole, and its best levels are the quote.
    fn quote(&mut self, quote: &Quote, now: Nanos) {
        assert!(self.synced);
        assert_eq!((self.bids.len(), self.asks.len()), (10, 10), "levels a side");
        let (bid, ask) =
            (self.bids.last_key_value().unwrap(), self.asks.first_key_value().unwrap());
        assert_eq!((*bid.0, *bid.1, *ask.0, *ask.1), {
            (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)
        });
        let second = usize::try_from(now.since(START) / SECOND_NS).unwrap();
        let mid = quote.bid.0 + quote.ask.0;
        let before = *self.mids.last().unwrap_or(&mid);
        self.mids.resize(second + 1, before);
        self.mids[second] = mid;
    }
}

fn hear(seed: u64) -> Vec<Heard> {
    let mut market = Generated::new(seed, SECONDS);
    let mut heard: Vec<Heard> = LISTINGS.iter().map(|_| Heard::default()).collect();
    let mut message = Message::default();
    let mut before = Nanos(0);
    while market.take(&mut message) {
        assert!(message.ts > before, "times go on");
        assert!(!message.updates.is_empty() && message.updates.len() <= UPDATES_MAX);
        before = message.ts;
        for (id, body) in &message.updates {
            heard[usize::try_from(id.0).unwrap()].hear(message.ts, body);
        }
    }
    heard
}

#[derive(Debug)]
struct Statistics {
    kurtosis: f64,
    /// Of absolute returns, at a lag of one second.
    correlation: f64,
    /// The same without the minute of the crash.
    calm_correlation: f64,
    largest: f64,
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "statistics of a market decide nothing but whether it looks like one"
)]
fn statistics(mids: &[i64]) -> Statistics {
    let returns: Vec<f64> =
        mids.windows(2).map(|two| (two[1] as f64 / two[0] as f64).ln()).collect();
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let centre = mean(&returns);
    let power = |n: i32| mean(&returns.iter().map(|r| (r - centre).powi(n)).collect::<Vec<_>>());
    let correlation = |returns: &[f64]| {
        let sizes: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
        let centre = mean(&sizes);
        let both: f64 = sizes.windows(2).map(|two| (two[0] - centre) * (two[1] - centre)).sum();
        both / sizes.iter().map(|size| (size - centre).powi(2)).sum::<f64>()
    };
    Statistics {
        kurtosis: power(4) / power(2).powi(2),
        correlation: correlation(&returns),
        calm_correlation: correlation(&returns[..returns.len() * 6 / 10]),
        largest: returns.iter().fold(0.0, |most, r| r.abs().max(most)),
    }
}

#[test]
fn ten_seeds_look_like_markets() {
    let kinds: Vec<Kind> = LISTINGS.iter().map(|listing| listing.instrument().kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Spot).count(), 3, "spot and perpetual");
    for seed in SEEDS {
        let heard = hear(seed);
        assert_eq!(heard.len(), 6);
        for (listing, one) in LISTINGS.iter().zip(&heard) {
            let name = listing.instrument().symbol.to_string();
            let found = statistics(&one.mids);
            println!("market, seed {seed} {name}: {} trades, {found:?}", one.trades);
            assert!(one.mids.len() > 1_790 && one.trades > 1_000, "{name}");
            assert!(found.kurtosis > 5.0, "seed {seed} {name}: {found:?}");
            assert!(found.correlation > 0.1, "seed {seed} {name}: {found:?}");
            assert!(found.calm_correlation > 0.1, "seed {seed} {name}: {found:?}");
            assert!(found.largest > 0.03, "seed {seed} {name}: no jump in {found:?}");
        }
        assert_happened(&heard);
    }
}

/// The first has a gap and its snapshot, the second a silence that was noticed; all others neither.
#[track_caller]
fn assert_happened(heard: &[Heard]) {
    use FeedStatus::{Gap, Resync, Stale, Synced};
    let states = |index: usize| heard[index].states.iter().map(|(s, _)| *s).collect::<Vec<_>>();
    assert_eq!(states(0), [Synced, Gap, Resync, Synced]);
    let (gap, back) = (heard[0].states[1].1, heard[0].states[3].1);
    assert!(back.since(gap) > 10 * SECOND_NS, "{gap} to {back}");
    assert_eq!(states(1), [Synced, Stale, Synced]);
    let (noticed, back) = (heard[1].states[1].1, heard[1].states[2].1);
    assert!(back.since(noticed) > 5 * SECOND_NS, "{noticed} to {back}");
    assert!(heard[1].silence > 3 * SECOND_NS, "{}", heard[1].silence);
    for index in 2..6 {
        assert_eq!(states(index), [Synced]);
    }
}

#[test]
fn a_seed_is_the_same_market_on_every_machine() {
    let hash = |seed: u64| {
        let mut market = Generated::new(seed, SECONDS);
        let (mut hasher, mut message) = (blake3::Hasher::new(), Message::default());
        for _ in 0..20_000 {
            assert!(market.take(&mut message));
            hasher.update(&message.ts.0.to_le_bytes());
            for (id, body) in &message.updates {
                hasher.update(&id.0.to_le_bytes());
                hasher.update(&body.pack());
            }
        }
        hasher.finalize().to_hex().to_string()
    };
    assert_eq!(hash(1), "cad86a44ba075975e5b2dbb2092917a459af2bd409080c1030b1fcb620e91fcd");
    assert_ne!(hash(1), hash(2));
}

#[test]
fn a_longer_market_begins_as_the_shorter_and_happens_again() {
    let (mut short, mut long) = (Generated::new(4, 1_800), Generated::new(4, 7_200));
    let (mut one, mut other) = (Message::default(), Message::default());
    while short.take(&mut one) {
        assert!(long.take(&mut other));
        assert_eq!((one.ts, &one.updates), (other.ts, &other.updates));
    }
    let mut gaps = 0;
    while long.take(&mut other) {
        let is_gap =
            |body: &Body| matches!(body, Body::FeedState(s) if s.status == FeedStatus::Gap);
        gaps += other.updates.iter().filter(|(_, body)| is_gap(body)).count();
    }
    assert_eq!(gaps, 3, "each further half hour has its own");
}
