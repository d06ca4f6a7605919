//! Appending one 64-byte event to a mapped and to a written journal, and copying it plainly.
//!
//! Each measurement fills a new segment; for the ratio to the copy see the program `figures`.
#![expect(clippy::print_stdout, reason = "parameters and result hashes are printed")]

use bench::appending::{EVENTS, SEGMENT_BYTES, append, check, copy, events, mapping, open};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use journal::SinkKind;

/// Events of one measurement: a tenth of a round of `figures`.
const COUNT: usize = EVENTS / 10;

#[expect(clippy::expect_used, reason = "a bench whose check fails must not time anything")]
fn journal_append(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let hash = check(dir.path(), COUNT).expect("what is appended is read back");
    println!("journal_append: {COUNT} events of 64 bytes, segment {SEGMENT_BYTES}, hash {hash}");
    let events = events();
    let mut group = criterion.benchmark_group("journal_append");
    group.sample_size(20);
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, sink) in [("mmap", SinkKind::Mmap), ("pwrite", SinkKind::Pwrite)] {
        let place = dir.path().join(name);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    std::fs::remove_dir_all(&place).ok();
                    open(&place, sink).expect("a new journal")
                },
                |(writer, _)| append(writer, &events, COUNT).expect("the journal takes it"),
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("copy", |bencher| {
        bencher.iter_batched_ref(
            || mapping(COUNT).expect("memory"),
            |mapping| copy(mapping, &events),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, journal_append);
criterion_main!(benches);
