//! A session of the shipped rules over generated messages, all stages on one thread, no journal.
#![expect(clippy::print_stdout, reason = "parameters and result hashes are printed")]

use std::hint::black_box;

use bench::session::{SEED, Workload};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Messages of one measurement.
const MESSAGES: usize = 20_000;

#[expect(clippy::expect_used, reason = "a bench whose check fails must not time anything")]
fn pipeline(criterion: &mut Criterion) {
    let workload = Workload::new(MESSAGES).expect("the shipped rules make a session");
    let summary = workload.check().expect("the session repeats itself");
    println!(
        "pipeline: {MESSAGES} messages of seed {SEED}, {} events, {} decisions, {}",
        summary.events, summary.decisions, summary.decisions_hash
    );
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(20);
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("fused", |bencher| {
        bencher.iter(|| black_box(workload.run().expect("the session runs")));
    });
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
