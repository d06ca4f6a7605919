//! A small generated market: seeded, endless, the same on every machine.
//!
//! Two perpetuals whose prices walk with drifting momentum, so that trends begin and end; quotes
//! move with the price, trades hit either side. Times advance by drawn steps of a few tens of
//! milliseconds. For trying the program and for tests; it claims no likeness beyond that.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use model::event::{Body, FeedState, Quote, Trade};
use model::id::InstrumentId;
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::order::{FeedStatus, Side};
use model::symbol::Symbol;
use model::time::{Nanos, SECOND_NS};

use crate::setup::{Carried, SourceSetup};
use crate::source::{Message, Progress, Source};

/// First moment of every generated market: 2026-01-05T00:00:00Z, a Monday.
pub const START: Nanos = Nanos(1_767_571_200 * SECOND_NS);

/// The market.
#[derive(Clone, Debug)]
pub struct Generated {
    random: ChaCha8Rng,
    seed: u64,
    now: Nanos,
    end: Nanos,
    walks: [Walk; 2],
    trades: u64,
    progress: Progress,
}

/// One instrument's price.
#[derive(Clone, Debug)]
struct Walk {
    name: &'static str,
    /// Middle in ticks.
    mid: i64,
    /// Drift in thousandths of a tick a step.
    drift: i64,
    /// Thousandths of a tick that have not become a tick yet.
    carry: i64,
    /// Half the spread in ticks.
    half: i64,
    /// Decimals of the price; the tick is its last digit.
    decimals: u8,
    /// Typical trade in lots.
    lots: u64,
    opened: bool,
}

impl Generated {
    /// Returns a market of that many seconds.
    #[must_use]
    pub fn new(seed: u64, seconds: u64) -> Self {
        let length = i64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND_NS);
        let walk = |name, mid, half, decimals, lots| Walk {
            name,
            mid,
            drift: 0,
            carry: 0,
            half,
            decimals,
            lots,
            opened: false,
        };
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            seed,
            now: START,
            end: START.plus(length),
            walks: [walk("BTC", 350_000, 1, 1, 40), walk("ETH", 250_000, 2, 2, 600)],
            trades: 0,
            progress: Progress::default(),
        }
    }

    /// Returns the instruments with what is generated of them.
    #[must_use]
    pub fn instruments(&self) -> Vec<(Instrument, Carried)> {
        let carries = Carried { quotes: true, trades: true, ..Carried::default() };
        self.walks.iter().map(|walk| (walk.instrument(), carries)).collect()
    }

    /// Returns what the run's metadata says of this source.
    #[must_use]
    pub fn describe(&self) -> SourceSetup {
        let seconds = self.end.since(START).checked_div(SECOND_NS).unwrap_or(0);
        let name = format!("generated, seed {}, {seconds} s", self.seed);
        SourceSetup { name, hash: String::new() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder over 64 bits is far below what a generated market could show.
        self.random.next_u64().checked_rem(bound).unwrap_or(0)
    }

    fn signed(&mut self, bound: i64) -> i64 {
        let wide = u64::try_from(bound.saturating_mul(2).saturating_add(1)).unwrap_or(1);
        i64::try_from(self.below(wide)).unwrap_or(0).saturating_sub(bound)
    }
}

impl Walk {
    fn instrument(&self) -> Instrument {
        let symbol = Symbol {
            venue: Some("demo".to_owned()),
            base: self.name.to_owned(),
            quote: "USDT".to_owned(),
            kind: Some(Kind::LinearPerpetual),
        };
        Instrument {
            venue_symbol: format!("{}USDT", self.name),
            symbol,
            kind: Kind::LinearPerpetual,
            settle: "USDT".to_owned(),
            price_scale: Scale::new(self.decimals).unwrap_or_default(),
            qty_scale: Scale::new(3).unwrap_or_default(),
            tick: Price(1),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Money::units(5),
            fee_maker: Rate(200_000),
            fee_taker: Rate(500_000),
            fee_asset: FeeAsset::Quote,
            fee_scale: Scale::new(8).unwrap_or_default(),
            protect: Rate(5_000_000),
            half_spread: Rate(100_000),
            mark_spread_max: Rate(10_000_000),
            mark_age_max_ns: 10 * SECOND_NS,
            mark_liquidation: false,
            leverage_max: 3,
            maintenance: Rate(5_000_000),
        }
    }

    /// Moves by a drawn step.
    fn step(&mut self, noise: i64, push: i64) {
        // Momentum fades by 1 % a step and is pushed anew, so trends begin and end.
        self.drift = self.drift.saturating_mul(99).checked_div(100).unwrap_or(0);
        self.drift = self.drift.saturating_add(push);
        self.carry = self.carry.saturating_add(self.drift).saturating_add(noise);
        let ticks = self.carry.checked_div(1_000).unwrap_or(0);
        self.carry = self.carry.saturating_sub(ticks.saturating_mul(1_000));
        self.mid = self.mid.saturating_add(ticks).max(1_000);
    }

    fn bid(&self) -> Price {
        Price(self.mid.saturating_sub(self.half))
    }

    fn ask(&self) -> Price {
        Price(self.mid.saturating_add(self.half))
    }
}

impl Source for Generated {
    fn peek(&mut self) -> Option<Nanos> {
        (self.now < self.end).then_some(self.now)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.now >= self.end {
            return false;
        }
        into.updates.clear();
        into.ts = self.now;
        into.source = 0;
        let pick = self.below(2);
        let index = usize::try_from(pick).unwrap_or(0);
        let id = InstrumentId(u32::try_from(pick).unwrap_or(0));
        let (noise, push) = (self.signed(1_500), self.signed(40));
        let sizes = [self.below(100), self.below(100)];
        let traded = self.below(3) == 0;
        let buys = self.below(2) == 0;
        self.trades = self.trades.saturating_add(u64::from(traded));
        let (now, trade_id) = (self.now, self.trades);
        if let Some(walk) = self.walks.get_mut(index) {
            if !walk.opened {
                walk.opened = true;
                let synced = FeedState { status: FeedStatus::Synced, ..FeedState::default() };
                into.updates.push((id, Body::FeedState(synced)));
            }
            walk.step(noise, push);
            let [bid_qty, ask_qty] = sizes.map(|size| {
                let lots = walk.lots.saturating_mul(size.saturating_add(10));
                Qty(i64::try_from(lots.checked_div(20).unwrap_or(1)).unwrap_or(1).max(1))
            });
            let quote = Quote { bid: walk.bid(), ask: walk.ask(), bid_qty, ask_qty, update_id: 0 };
            into.updates.push((id, Body::Quote(quote)));
            if traded {
                let (price, qty, taker) = if buys {
                    (walk.ask(), ask_qty, Side::Buy)
                } else {
                    (walk.bid(), bid_qty, Side::Sell)
                };
                let part = Qty(qty.0.checked_div(4).unwrap_or(1).max(1));
                let trade = Trade { price, qty: part, trade_id, venue_ts: now, taker };
                into.updates.push((id, Body::Trade(trade)));
            }
        }
        let gap = 5_000_000_u64.saturating_add(self.below(45_000_000));
        self.now = self.now.plus(i64::try_from(gap).unwrap_or(SECOND_NS));
        self.progress.messages = self.progress.messages.saturating_add(1);
        self.progress.bytes = u64::try_from(self.now.since(START)).unwrap_or(0);
        self.progress.bytes_total = u64::try_from(self.end.since(START)).unwrap_or(0);
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}
