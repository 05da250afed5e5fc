//! The one door to files: what the log needs of a disk, as two small traits. Formats and recovery rules live in
//! `log/`; this module knows bytes, names and errors only.

pub mod file;
pub mod simulated;

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system as the log uses it. A folder entry (a file made, renamed or removed) is durable after
/// [`Disk::sync_folder`] only; a file's bytes after [`DiskFile::sync`] only.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a folder and the folders above it; fine when it exists.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, in no order; empty when the folder does not exist.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, else whatever the file system answers.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file, or empties one that exists, for reading and writing.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file within its folder, replacing what has the new name.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder's entries durable.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes the advisory lock of `path` and writes `owner` into it. The lock is held until the value is dropped or
    /// the process ends.
    ///
    /// # Errors
    /// [`LockRefused::Held`] with what the owner wrote when somebody else holds it.
    fn lock(&self, path: &Path, owner: &str) -> Result<Lock, LockRefused>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For reading only.
    Read,
    /// For reading and writing.
    ReadWrite,
}

/// An open file; reads and writes name their offset, so that a file can be shared between threads.
pub trait DiskFile: Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset` and answers how many; it may be fewer.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the bytes written so far durable (`fdatasync`).
    ///
    /// # Errors
    /// Whatever the file system answers. After an error the written bytes may be lost although they can be read;
    /// never call again in the hope that it helps.
    fn sync(&self) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn length(&self) -> io::Result<u64>;
}

/// A held advisory lock; dropping it gives the lock back.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn LockHeld>,
}

impl Lock {
    /// Wraps what keeps the lock.
    pub fn new(held: impl LockHeld) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// What keeps a lock while it lives.
pub trait LockHeld: Any + Debug + Send + Sync {}

/// Why a lock was not given.
#[derive(Debug, thiserror::Error)]
pub enum LockRefused {
    /// Somebody else holds it.
    #[error("it is held by {owner}")]
    Held {
        /// What the owner wrote into the lock file.
        owner: String,
    },
    /// The lock file could not be opened, locked or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes all of `bytes` at `offset`, going on after short writes.
pub(crate) fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no byte of a write")),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads at `offset` until `buffer` is full or the file ends, and answers how many bytes were read.
pub(crate) fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Makes a new folder durable with all folders above it, which may be as new.
pub(crate) fn sync_folders(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    for folder in path.ancestors() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match disk.sync_folder(folder) {
            // A folder that cannot be read is somebody else's and was there before.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && folder != path => {}
            synced => synced?,
        }
    }
    Ok(())
}
