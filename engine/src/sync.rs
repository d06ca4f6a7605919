//! The one door for atomics, threads and parking in this crate.
//!
//! It gives the standard library's and crossbeam's, and loom's in model tests (`--cfg loom`), so
//! the code that is modelled is the code that runs. Called by [`crate::idle`] and
//! [`crate::recorder`].

#[cfg(not(all(loom, test)))]
pub(crate) use crossbeam_utils::sync::{Parker, Unparker};
#[cfg(not(all(loom, test)))]
pub(crate) use std::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence},
    thread::yield_now,
};

#[cfg(all(loom, test))]
pub(crate) use loom::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence},
    thread::yield_now,
};
#[cfg(all(loom, test))]
pub(crate) use parking::{Parker, Unparker};

/// crossbeam's parker over loom's lock: the same token, seen by the model.
#[cfg(all(loom, test))]
mod parking {
    use loom::sync::{Arc, Condvar, Mutex};

    #[derive(Debug)]
    pub(crate) struct Parker {
        unparker: Unparker,
    }

    #[derive(Clone, Debug)]
    pub(crate) struct Unparker {
        token: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Parker {
        pub(crate) fn new() -> Self {
            Self { unparker: Unparker { token: Arc::new((Mutex::new(false), Condvar::new())) } }
        }

        pub(crate) fn unparker(&self) -> &Unparker {
            &self.unparker
        }

        pub(crate) fn park(&self) {
            let (token, rung) = &*self.unparker.token;
            let mut given = token.lock().unwrap();
            while !*given {
                given = rung.wait(given).unwrap();
            }
            *given = false;
        }

        /// In a model the time is never over: whoever waits for a sleeper must wake it.
        pub(crate) fn park_timeout(&self, _: std::time::Duration) {
            self.park();
        }
    }

    impl Unparker {
        pub(crate) fn unpark(&self) {
            let (token, rung) = &*self.token;
            *token.lock().unwrap() = true;
            rung.notify_one();
        }
    }
}
