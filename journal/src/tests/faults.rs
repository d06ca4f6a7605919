//! A file system that fails its n-th operation, once or from then on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::Disk;
use crate::error::Action;

/// The plan and the count.
#[derive(Debug)]
pub(crate) struct Faults {
    fail_at: u64,
    persistent: bool,
    /// Fails only operations of this kind, if given.
    only: Option<Action>,
    seen: AtomicU64,
}

impl Faults {
    /// A disk that fails operation `fail_at` (from 0), and all later ones if `persistent`.
    pub(crate) fn disk(fail_at: u64, persistent: bool, only: Option<Action>) -> (Disk, Arc<Self>) {
        let faults = Arc::new(Self { fail_at, persistent, only, seen: AtomicU64::new(0) });
        let disk = Disk { faults: Some(Arc::clone(&faults)), ..Disk::default() };
        (disk, faults)
    }

    /// Operations so far.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    pub(crate) fn trip(&self, action: Action) -> io::Result<()> {
        if self.only.is_some_and(|only| only != action) {
            return Ok(());
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let fails = number == self.fail_at || (self.persistent && number > self.fail_at);
        if fails { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}
