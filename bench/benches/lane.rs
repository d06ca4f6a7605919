//! Events through one lane within a thread: what a lane costs where no other processor takes part.
//!
//! For a hop between two processors see the program `figures`.
#![expect(clippy::print_stdout, reason = "parameters and result hashes are printed")]

use std::hint::black_box;

use bench::hop::through;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::idle::Wait;
use engine::lane::lane;
use engine::limits::RING_EVENTS;

/// Events of one measurement.
const EVENTS: u64 = 65_536;
/// Events that wait at most.
const BURST: u64 = 64;

fn through_a_lane(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lane");
    group.throughput(Throughput::Elements(EVENTS));
    for wait in [Wait::Spin, Wait::SpinPark] {
        let (mut sender, mut receiver) = lane(RING_EVENTS, wait);
        let sum = through(&mut sender, &mut receiver, EVENTS, BURST);
        assert_eq!(sum, EVENTS * (EVENTS - 1) / 2, "every event came once");
        println!("lane: {EVENTS} events in bursts of {BURST}, {RING_EVENTS} slots, {wait}, {sum}");
        group.bench_function(wait.to_string(), |bencher| {
            bencher.iter(|| black_box(through(&mut sender, &mut receiver, EVENTS, BURST)));
        });
    }
    group.finish();
}

criterion_group!(benches, through_a_lane);
criterion_main!(benches);
