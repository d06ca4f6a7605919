//! The generated market: one thread, four threads and replay decide the same, whatever the seed.

use journal::SinkKind;

use super::lab::{
    Evidence, assert_replays, assert_same_decisions, defaults, fused, generated, journaled, split,
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
