//! The shipped limits for one order: by the rules program, and by hand.
//!
//! Criterion takes no turns; for the ratio of the two see the program `figures`.
#![expect(clippy::print_stdout, reason = "parameters and result hashes are printed")]

use std::hint::black_box;

use bench::limits::{Answers, Limits, WORLDS, check, judge_by_hand, worlds};
use criterion::{Criterion, criterion_group, criterion_main};

/// Random worlds that both judge before they are timed.
const CHECKED: usize = 100_000;

#[expect(clippy::expect_used, reason = "a bench whose check fails must not time anything")]
fn limits(criterion: &mut Criterion) {
    let mut limits = Limits::bind().expect("the shipped limits bind");
    let hash = check(&mut limits, CHECKED).expect("rules and hand agree");
    println!("limits: {} steps, {WORLDS} worlds, {CHECKED} compared, hash {hash}", limits.ops());
    let worlds = worlds();
    let mut answers = Answers::default();
    let mut next = worlds.iter().cycle();
    criterion.bench_function("limits/rules", |bencher| {
        bencher.iter(|| {
            if let Some(world) = next.next() {
                limits.judge(black_box(world), &mut answers);
            }
            black_box(&answers);
        });
    });
    criterion.bench_function("limits/by_hand", |bencher| {
        bencher.iter(|| {
            if let Some(world) = next.next() {
                judge_by_hand(black_box(world), &mut answers);
            }
            black_box(&answers);
        });
    });
}

criterion_group!(benches, limits);
criterion_main!(benches);
