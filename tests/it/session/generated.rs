//! The generated market: one thread, four threads and replay decide the same, whatever the seed.

use dsl::span::Source;
use journal::SinkKind;
use model::event::{Body, Event, Kind};

use super::lab::{
    Evidence, assert_replays, assert_same_decisions, defaults, events, fused, generated, journaled,
    shipped, split,
};

/// Length of each market.
const SECONDS: u64 = 400;

#[test]
fn five_generated_markets_are_decided_the_same_fused_split_and_replayed() {
    let mut hashes = Vec::new();
    for seed in 1..=5 {
        let scratch = tempfile::tempdir().unwrap();
        let (one, each) = (scratch.path().join("one"), scratch.path().join("each"));
        let run = |dir, placement| {
            let (session, mut market) = generated(seed, SECONDS, defaults());
            journaled(&session, &mut market, dir, SinkKind::Mmap, placement).summary
        };
        let (first, second) = (run(&one, &fused()), run(&each, &split()));
        Evidence::from(&first).assert_not_empty(&format!("generated market, seed {seed}"));
        assert_eq!(first, second, "seed {seed}");
        assert!(assert_same_decisions(&one, &each) > first.decisions, "seed {seed}");
        for (dir, placement) in [(&one, fused()), (&each, fused()), (&one, split())] {
            assert_replays(dir, &placement, &first.decisions_hash);
        }
        hashes.push(first.decisions_hash);
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 5, "each seed is another market");
}

/// Trades on the clock only: what it signals stands on whole seconds, and its orders live by timers
/// as well.
const TICKING: &str = "rules 1
strategy ticking {
  on timer 2s of BTC_USDT.PERP, ETH_USDT.PERP
  series mean = ema(market.mid, 10)
  enter long ABOVE when market.mid > mean size 700 USDT price market.mid + 1 ticks ttl 3s
  exit long BELOW when market.mid < mean
}
strategy slow {
  on timer 7s of BTC_USDT.PERP
  enter short BELOW when market.last < market.last[1] size 300 USDT at_market
  exit short ABOVE when market.last > market.last[1]
}";

#[test]
fn strategies_on_timers_decide_the_same_fused_split_and_replayed() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, each) = (scratch.path().join("one"), scratch.path().join("each"));
    let ticking = Source { name: "ticking.rules".to_owned(), text: TICKING.to_owned() };
    let run = |dir, placement| {
        let texts = vec![shipped("limits.rules"), ticking.clone()];
        let (session, mut market) = generated(3, SECONDS, texts);
        journaled(&session, &mut market, dir, SinkKind::Mmap, placement).summary
    };
    let (first, second) = (run(&one, &fused()), run(&each, &split()));
    Evidence::from(&first).assert_not_empty("timers");
    assert_eq!(first, second);
    assert!(assert_same_decisions(&one, &each) > first.decisions);
    for (dir, placement) in [(&one, fused()), (&each, fused()), (&one, split())] {
        assert_replays(dir, &placement, &first.decisions_hash);
    }
    let all = events(&one);
    let on_time = |event: &&Event| {
        let (seconds, rest) = (event.ts.0 / 1_000_000_000, event.ts.0 % 1_000_000_000);
        let Body::Signal(signal) = event.body() else { return false };
        signal.action.asks_for_order() && rest < 1_000 && (seconds % 2 == 0 || seconds % 7 == 0)
    };
    let entries = all.iter().filter(on_time).count();
    assert!(entries >= 20, "{entries} signals on the tick");
    let ticks = all.iter().filter(|event| event.kind() == Kind::Timer).count();
    assert!(ticks >= 220, "{ticks} timers in {SECONDS} seconds");
}
