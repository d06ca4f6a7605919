//! Files that users name: only regular ones are opened, and small ones are read to their limit.
//!
//! A pipe blocks until somebody writes into it, a device may never end, and a file that the kernel
//! makes up (`/proc`) has no length and is another one at each pass. None is what a session can be
//! computed from again.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FsWord, OFlags, PROC_SUPER_MAGIC, fstatfs};

/// Number of the file system below `/sys`, as statfs(2) lists it.
const SYSFS_MAGIC: FsWord = 0x6265_6572;

/// Why a file was not opened or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It is no regular file, but this.
    #[error("it is {0}, not a regular file")]
    Kind(&'static str),
    /// The system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`Refused`]: what it is instead, or what the system says.
pub(super) fn open(path: &Path) -> Result<File, Refused> {
    // Looked at before it is opened, for opening a device may do something.
    regular(std::fs::metadata(path)?.file_type())?;
    // Without this flag, a pipe put there since would block the opening.
    let no_wait = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
    regular(file.metadata()?.file_type())?;
    match fstatfs(&file).map_err(io::Error::from)?.f_type {
        PROC_SUPER_MAGIC | SYSFS_MAGIC => Err(Refused::Kind("a view of the kernel")),
        _ => Ok(file),
    }
}

/// Reads a regular file: at most one byte more than `limit`, by which the caller sees that there is
/// more.
///
/// # Errors
/// As [`open`].
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Refused> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn regular(kind: FileType) -> Result<(), Refused> {
    if kind.is_file() {
        return Ok(());
    }
    Err(Refused::Kind(if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}
