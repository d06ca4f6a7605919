//! Messages of a venue to payloads: each kind by itself, and the mix of the recorded captures.
#![expect(clippy::print_stdout, reason = "parameters and result hashes are printed")]

use std::hint::black_box;

use bench::frames::Kind;
use bench::parsing::{MESSAGES, workload};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const WORKLOADS: [(&str, Option<Kind>); 4] = [
    ("mix", None),
    ("book_ticker", Some(Kind::BookTicker)),
    ("trade", Some(Kind::Trade)),
    ("depth", Some(Kind::Depth)),
];

#[expect(clippy::expect_used, reason = "a bench whose check fails must not time anything")]
fn venue_parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("venue_parse");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for (name, kind) in WORKLOADS {
        let mut parsing = workload(kind, MESSAGES).expect("made-up messages");
        let (payloads, hash) = parsing.check().expect("every message is understood");
        let bytes = parsing.bytes();
        println!(
            "venue_parse/{name}: {MESSAGES} messages, {bytes} bytes, {payloads} payloads, {hash}"
        );
        // Streams stand outside of the workload, because each measurement begins a new one.
        let mut streams = workload(kind, 0).expect("made-up messages");
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || streams.stream().expect("the snapshot is taken"),
                |stream| {
                    parsing.read(stream, |body| {
                        black_box(body);
                    })
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, venue_parse);
criterion_main!(benches);
