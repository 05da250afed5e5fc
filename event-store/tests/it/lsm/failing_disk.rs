//! A simulated disk that refuses single changes, or all from one on.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk, DiskFile, Lock, LockRefused};

/// A disk whose changes are counted and can be made to fail; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct FailingDisk {
    pub(super) disk: SimulatedDisk,
    changes: Arc<AtomicU64>,
    failing: Arc<Mutex<Option<Failing>>>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    from: u64,
    to: u64,
    kind: io::ErrorKind,
}

impl FailingDisk {
    /// Makes `many` changes from the one with this number on fail, counted from now.
    pub(super) fn fail(&self, change: u64, many: u64, kind: io::ErrorKind) {
        let from = self.changes() + change;
        *self.failing.lock().unwrap() = Some(Failing { from, to: from.saturating_add(many), kind });
    }

    /// Another disk with the same contents, on which nothing fails.
    pub(super) fn fork(&self) -> Self {
        Self { disk: self.disk.fork(), ..Self::default() }
    }

    pub(super) fn mend(&self) {
        *self.failing.lock().unwrap() = None;
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn change(&self) -> io::Result<()> {
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        match *self.failing.lock().unwrap() {
            Some(Failing { from, to, kind }) if (from..to).contains(&number) => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn handle(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FailingFile { disk: self.clone(), file })
    }
}

impl Disk for FailingDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.names(folder)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.handle(self.disk.open(path, access)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.change()?;
        Ok(self.handle(self.disk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.disk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.disk.sync_folder(path)
    }

    fn lock(&self, path: &Path, owner: &str) -> Result<Lock, LockRefused> {
        self.disk.lock(path, owner)
    }
}

#[derive(Debug)]
struct FailingFile {
    disk: FailingDisk,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for FailingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.change()?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
