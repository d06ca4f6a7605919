//! Words for strategies, and waits that end.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Idler, UnknownWait, Wait};

#[test]
fn strategies_read_back_as_they_print() {
    for wait in [Wait::Spin, Wait::SpinYield, Wait::SpinPark, Wait::SleepMicros(50)] {
        assert_eq!(wait.to_string().parse(), Ok(wait));
    }
}

#[test]
fn other_words_are_refused_with_the_words_that_are_not() {
    for text in ["", "Spin", "park", "sleep", "sleep:", "sleep:0", "sleep:501", "sleep:-1"] {
        assert_eq!(text.parse::<Wait>(), Err(UnknownWait(text.to_owned())));
    }
    assert_eq!(
        UnknownWait("nap".to_owned()).to_string(),
        "cannot wait by `nap`; use spin, spin-yield, spin-park or sleep:N with N from 1 to \
         500 microseconds"
    );
}

#[test]
fn a_waiter_does_not_park_when_there_is_work() {
    let (mut idler, _bell) = Idler::new(Wait::SpinPark);
    for _ in 0..10_000 {
        idler.idle(|| true);
    }
}

#[test]
fn a_ring_ahead_of_the_wait_is_not_lost() {
    let (mut idler, bell) = Idler::new(Wait::SpinPark);
    let rung = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 1..=20_000 {
                rung.store(count, Ordering::Release);
                bell.ring();
                while rung.load(Ordering::Acquire) == count {
                    std::thread::yield_now();
                }
            }
        });
        for _ in 0..20_000 {
            let seen = || rung.load(Ordering::Acquire) != 0;
            while !seen() {
                idler.idle(seen);
            }
            idler.busy();
            rung.store(0, Ordering::Release);
        }
    });
}
