//! A simulated disk with somebody in front of it, who sees every change before it is made and may hold it back or
//! break something.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk, DiskFile, Lock, LockRefused};

/// What is about to be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Write,
    Sync,
}

type Before = Arc<dyn Fn(Doing, &Path) + Send + Sync>;

/// A disk whose file changes are announced to a function first.
#[derive(Clone)]
pub(crate) struct HookedDisk {
    disk: SimulatedDisk,
    before: Before,
}

impl HookedDisk {
    pub(crate) fn new(disk: &SimulatedDisk, before: impl Fn(Doing, &Path) + Send + Sync + 'static) -> Self {
        Self { disk: disk.clone(), before: Arc::new(before) }
    }

    fn file(&self, file: Arc<dyn DiskFile>, path: &Path) -> Arc<dyn DiskFile> {
        Arc::new(HookedFile { file, path: path.to_owned(), before: Arc::clone(&self.before) })
    }
}

impl fmt::Debug for HookedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedDisk")
    }
}

impl Disk for HookedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.names(folder)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.open(path, access)?, path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.create(path)?, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)
    }

    fn lock(&self, path: &Path, owner: &str) -> Result<Lock, LockRefused> {
        self.disk.lock(path, owner)
    }
}

struct HookedFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    before: Before,
}

impl fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookedFile({})", self.path.display())
    }
}

impl DiskFile for HookedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        (self.before)(Doing::Write, &self.path);
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (self.before)(Doing::Sync, &self.path);
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
