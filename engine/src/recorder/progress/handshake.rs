//! The gate under loom: see [`crate::idle`]'s model for how to run it.

use loom::thread;

use super::{JournalLost, connect};
use crate::idle::Wait;
use crate::idle::handshake::model;
use crate::sync::{Arc, Ordering};

#[test]
fn the_gate_opens_after_the_write_and_never_oversleeps() {
    model(|| {
        let (mut progress, mut gate, _) = connect(Wait::SpinPark);
        let file = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
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
        let (progress, mut gate, health) = connect(Wait::SpinPark);
        let journal = thread::spawn(move || drop(progress));
        assert_eq!(gate.wait_written(1), Err(JournalLost));
        assert!(health.failed());
        journal.join().unwrap();
    });
}
