//! The one door to the file system. Every operation that can fail goes through [`Disk::attempt`],
//! which names the operation and the path in the error and lets tests fail the n-th one.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};

use crate::error::{Action, DiskError, OpenError};
use crate::layout::{segment_index, segment_name};

/// Name of the lock file.
const LOCK_NAME: &str = "journal.lock";

/// Access to the file system; in tests, one that fails on demand.
#[derive(Clone, Default, Debug)]
pub(crate) struct Disk {
    /// Nothing is made durable: each sync is left out.
    pub(crate) unsynced: bool,
    #[cfg(test)]
    pub(crate) faults: Option<std::sync::Arc<crate::tests::faults::Faults>>,
}

impl Disk {
    /// Returns the same disk, which syncs or leaves each sync out.
    pub(crate) fn syncing(mut self, sync: bool) -> Self {
        self.unsynced = !sync;
        self
    }

    /// Runs one operation.
    pub(crate) fn attempt<T>(
        &self,
        action: Action,
        path: &Path,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        #[cfg(test)]
        let operation = || match &self.faults {
            Some(faults) => faults.trip(action).and_then(|()| operation()),
            None => operation(),
        };
        operation().map_err(|source| DiskError { action, path: path.to_path_buf(), source })
    }

    /// Creates the journal's directory durably; it may exist.
    pub(crate) fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.attempt(Action::CreateDirectory, dir, || std::fs::create_dir_all(dir))?;
        match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => self.sync_dir(parent),
            None => self.sync_dir(Path::new(".")),
        }
    }

    /// Makes the directory's entries durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        if self.unsynced {
            return Ok(());
        }
        self.attempt(Action::SyncDirectory, dir, || File::open(dir)?.sync_all())
    }

    /// The indexes of all segment files, in order.
    pub(crate) fn segments(&self, dir: &Path) -> Result<Vec<u64>, DiskError> {
        self.attempt(Action::ListDirectory, dir, || {
            let mut indexes = Vec::new();
            for entry in std::fs::read_dir(dir)? {
                indexes.extend(entry?.file_name().to_str().and_then(segment_index));
            }
            indexes.sort_unstable();
            Ok(indexes)
        })
    }

    /// Takes the journal's lock, without waiting; it lasts as long as the value.
    pub(crate) fn lock(&self, dir: &Path) -> Result<Lock, OpenError> {
        let path = dir.join(LOCK_NAME);
        let file = self.attempt(Action::Lock, &path, || {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        })?;
        let mut busy = false;
        self.attempt(Action::Lock, &path, || {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    busy = true;
                    Ok(())
                }
                other => other.map_err(io::Error::from),
            }
        })?;
        if busy {
            return Err(OpenError::Locked { dir: dir.to_path_buf() });
        }
        Ok(Lock { _file: file })
    }

    /// True if somebody holds the journal's lock now. Takes it shared for a moment, without
    /// waiting, which a writer that holds it does not notice. Where there is no lock file, as in a
    /// copy without it, nobody holds it.
    ///
    /// # Errors
    /// [`DiskError`] if there is one and it cannot be asked.
    pub(crate) fn is_locked(&self, dir: &Path) -> Result<bool, DiskError> {
        let path = dir.join(LOCK_NAME);
        self.attempt(Action::Open, &path, || {
            let file = match open_at_once(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => Ok(false),
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Creates a segment file of zeros whose space is reserved and, where syncs are not left out,
    /// whose name and length are durable. A file that cannot be completed is removed again.
    pub(crate) fn create_segment(
        &self,
        dir: &Path,
        index: u64,
        bytes: u64,
    ) -> Result<SegmentFile, DiskError> {
        let path = dir.join(segment_name(index));
        let file = self.attempt(Action::Create, &path, || {
            OpenOptions::new().read(true).write(true).create_new(true).open(&path)
        })?;
        let segment = SegmentFile { file, path, disk: self.clone() };
        let completed = segment
            .reserve(bytes)
            .and_then(|()| segment.sync_all())
            .and_then(|()| self.sync_dir(dir));
        match completed {
            Ok(()) => Ok(segment),
            Err(cause) => {
                // The first failure is the one to report; a left-over file is an empty spare.
                self.remove(&segment.path).ok();
                Err(cause)
            }
        }
    }

    /// Opens an existing segment for repair.
    pub(crate) fn open_segment(&self, dir: &Path, index: u64) -> Result<SegmentFile, DiskError> {
        let path = dir.join(segment_name(index));
        let file = self.attempt(Action::Open, &path, || {
            OpenOptions::new().read(true).write(true).open(&path)
        })?;
        Ok(SegmentFile { file, path, disk: self.clone() })
    }

    /// Opens an existing segment for reading; anything but a regular file is refused, since a read
    /// of it might wait or never end.
    pub(crate) fn open_for_reading(&self, path: &Path) -> Result<File, DiskError> {
        self.attempt(Action::Open, path, || {
            // Asked before as well: the mere opening of some devices does something.
            regular(&std::fs::metadata(path)?)?;
            let file = open_at_once(path)?;
            regular(&file.metadata()?)?;
            Ok(file)
        })
    }

    /// Says why a file cannot be a segment of at most `limit` bytes; `None` if it can.
    pub(crate) fn oddity(&self, path: &Path, limit: u64) -> Result<Option<String>, DiskError> {
        let metadata = self.attempt(Action::Read, path, || std::fs::metadata(path))?;
        let bytes = metadata.len();
        Ok(match regular(&metadata) {
            Err(refusal) => Some(refusal.to_string()),
            Ok(()) if bytes > limit => {
                Some(format!("it has {bytes} bytes, and a segment has at most {limit}"))
            }
            Ok(()) => None,
        })
    }

    /// Length of a file now.
    pub(crate) fn length(&self, path: &Path) -> Result<u64, DiskError> {
        self.attempt(Action::Read, path, || Ok(std::fs::metadata(path)?.len()))
    }

    /// Checks that a sealed segment is still there and has its length.
    pub(crate) fn confirm_sealed(&self, path: &Path, bytes: u64) -> Result<(), DiskError> {
        self.attempt(Action::Seal, path, || has_length(&std::fs::metadata(path)?, bytes))
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.attempt(Action::Remove, path, || std::fs::remove_file(path))
    }
}

/// Opens a file for reading without waiting for the other end of a pipe.
fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn has_length(metadata: &Metadata, bytes: u64) -> io::Result<()> {
    let found = metadata.len();
    if found == bytes {
        return Ok(());
    }
    Err(io::Error::other(format!("the file has {found} bytes instead of {bytes}")))
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}

/// The exclusive right to write a journal. The kernel releases it with the file, also when the
/// process is killed.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// A segment file open for writing.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl SegmentFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs one operation on this file.
    pub(crate) fn attempt<T>(
        &self,
        action: Action,
        operation: impl FnOnce(&File) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        self.disk.attempt(action, &self.path, || operation(&self.file))
    }

    /// Reserves blocks up to `bytes` and makes the file that long.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), DiskError> {
        self.attempt(Action::Reserve(bytes), |file| {
            rustix::io::retry_on_intr(|| {
                rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes)
            })
            .map_err(io::Error::from)
        })
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.attempt(Action::Write, |file| file.write_all_at(bytes, offset))
    }

    /// Makes the content durable (fdatasync).
    pub(crate) fn sync_data(&self) -> Result<(), DiskError> {
        if self.disk.unsynced {
            return Ok(());
        }
        self.attempt(Action::Sync, File::sync_data)
    }

    /// Makes content and length durable (fsync).
    pub(crate) fn sync_all(&self) -> Result<(), DiskError> {
        if self.disk.unsynced {
            return Ok(());
        }
        self.attempt(Action::Sync, File::sync_all)
    }

    /// Checks that nobody cut, moved or removed the file since it was made: it still has `bytes`
    /// bytes, and its path still names it. Without this a run would end well whose records nobody
    /// can read.
    pub(crate) fn confirm(&self, bytes: u64) -> Result<(), DiskError> {
        self.attempt(Action::Seal, |file| {
            let (own, named) = (file.metadata()?, std::fs::metadata(&self.path)?);
            if (own.dev(), own.ino()) != (named.dev(), named.ino()) {
                return Err(io::Error::other("the path names another file"));
            }
            has_length(&own, bytes)
        })
    }

    pub(crate) fn shorten(&self, bytes: u64) -> Result<(), DiskError> {
        self.attempt(Action::Shorten, |file| file.set_len(bytes))
    }
}
