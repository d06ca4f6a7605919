//! The gate under loom: see [`crate::idle`]'s model for how to run it.

use std::time::Duration;

use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::{JournalLost, connect};
use crate::idle::handshake::model;
use crate::idle::{Idler, Wait};
use crate::sync::{Arc, Ordering};

#[test]
fn the_gate_opens_after_the_write_and_never_oversleeps() {
    model(|| {
        let (_, bell) = Idler::new(Wait::Spin);
        let (mut progress, mut gate, _) = connect(Wait::SpinPark, &bell);
        let file = Arc::new(AtomicUsize::new(0));
        let journal = thread::spawn({
            let file = Arc::clone(&file);
            move || {
                for record in 1..=2 {
                    // Relaxed: the count alone must make it visible.
                    file.store(record, Ordering::Relaxed);
                    progress.publish(1);
                }
                progress.seal();
            }
        });
        for count in 1..=2 {
            assert_eq!(gate.wait_written(count), Ok(()));
            assert!(file.load(Ordering::Relaxed) >= usize::try_from(count).unwrap());
        }
        assert_eq!(gate.wait_written(3), Err(JournalLost));
        journal.join().unwrap();
    });
}

#[test]
fn the_death_of_the_thread_wakes_the_gate() {
    model(|| {
        let (_, bell) = Idler::new(Wait::Spin);
        let (progress, mut gate, health) = connect(Wait::SpinPark, &bell);
        let journal = thread::spawn(move || drop(progress));
        assert_eq!(gate.wait_written(1), Err(JournalLost));
        assert!(health.failed());
        journal.join().unwrap();
    });
}

/// A stage that records does not ring; at the gate it does, and the napping thread writes.
#[test]
fn who_waits_at_the_gate_wakes_the_thread() {
    model(|| {
        let lane = Arc::new(AtomicUsize::new(0));
        let (mut idler, bell) = Idler::napping(Wait::SpinPark, Duration::from_millis(1));
        let (mut progress, mut gate, _) = connect(Wait::SpinPark, &bell);
        let journal = thread::spawn({
            let lane = Arc::clone(&lane);
            move || {
                for record in 1..=2 {
                    while lane.load(Ordering::Acquire) < record {
                        idler.idle(|| lane.load(Ordering::Acquire) >= record);
                    }
                    idler.busy();
                    progress.publish(1);
                }
                progress.seal();
            }
        });
        for count in 1..=2 {
            lane.store(usize::try_from(count).unwrap(), Ordering::Release);
            assert_eq!(gate.wait_written(count), Ok(()));
        }
        journal.join().unwrap();
    });
}
