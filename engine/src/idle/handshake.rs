//! The park handshake under loom: interleavings, and every value that a load may return.
//!
//! `RUSTFLAGS='--cfg loom' cargo test --release --lib -p engine handshake`. A lost wake shows as a
//! deadlock. rtrb knows nothing of loom, so a counter stands for the ring: storing it with Release
//! is a publication, loading it with Acquire a look.

use loom::model::Builder;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::{Idler, Wait};
use crate::sync::{Arc, Ordering};

/// LIMIT: forced switches of one execution. Without either fence every model here fails within it;
/// without the limit the larger models run for more than minutes.
const PREEMPTIONS: usize = 3;

/// Runs `body` in every execution within the limit.
pub(crate) fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(body);
}

#[test]
fn no_publication_is_slept_through() {
    model(|| {
        let ring = Arc::new(AtomicUsize::new(0));
        let (mut idler, bell) = Idler::new(Wait::SpinPark);
        let producer = thread::spawn({
            let ring = Arc::clone(&ring);
            move || {
                for published in 1..=2 {
                    ring.store(published, Ordering::Release);
                    bell.ring();
                }
            }
        });
        for wanted in 1..=2 {
            while ring.load(Ordering::Acquire) < wanted {
                idler.idle(|| ring.load(Ordering::Acquire) >= wanted);
            }
            idler.busy();
        }
        producer.join().unwrap();
    });
}

#[test]
fn two_ringers_share_one_waiter() {
    model(|| {
        let rings = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let (mut idler, bell) = Idler::new(Wait::SpinPark);
        let producers = rings.each_ref().map(|ring| {
            let (ring, bell) = (Arc::clone(ring), bell.clone());
            thread::spawn(move || {
                ring.store(1, Ordering::Release);
                bell.ring();
            })
        });
        let found = || rings.iter().filter(|ring| ring.load(Ordering::Acquire) != 0).count();
        let mut seen = 0;
        while seen < 2 {
            if found() > seen {
                seen = found();
                idler.busy();
            } else {
                idler.idle(|| found() > seen);
            }
        }
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

/// A ring of one slot: the producer sleeps while it is full, the consumer while it is empty.
#[test]
fn both_ends_of_a_full_ring_wake_each_other() {
    model(|| {
        let ring = Arc::new(AtomicUsize::new(0));
        let (mut consumer, consumer_bell) = Idler::new(Wait::SpinPark);
        let (mut producer, producer_bell) = Idler::new(Wait::SpinPark);
        let pushing = thread::spawn({
            let ring = Arc::clone(&ring);
            move || {
                for _ in 0..2 {
                    while ring.load(Ordering::Acquire) != 0 {
                        producer.idle(|| ring.load(Ordering::Acquire) == 0);
                    }
                    ring.store(1, Ordering::Release);
                    consumer_bell.ring();
                }
            }
        });
        for _ in 0..2 {
            while ring.load(Ordering::Acquire) == 0 {
                consumer.idle(|| ring.load(Ordering::Acquire) != 0);
            }
            ring.store(0, Ordering::Release);
            producer_bell.ring();
        }
        pushing.join().unwrap();
    });
}
