//! A disk in memory for tests: it can be cut from power at any operation, fail writes and syncs, take short writes and
//! run full. What a power cut leaves is decided in `simulated/model.rs`. No thread and no time lives here.

mod model;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::model::Model;
pub use self::model::Survival;
use super::{Access, Disk, DiskFile, Lock, LockHeld, LockRefused};

/// A simulated disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default)]
struct State {
    model: Model,
    locks: BTreeMap<PathBuf, String>,
    /// Counts the processes that used the disk; files that an earlier one opened are of no use to a later one.
    process: u64,
    /// Changes to the disk so far: writes, syncs, and changes of folders.
    operations: u64,
    powered_off: bool,
    cut_at: Option<u64>,
    capacity_bytes: Option<u64>,
    failing: Option<(Failing, String)>,
    write_bytes_max: Option<usize>,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Every write, with EIO.
    Writes,
    /// Every sync, with EIO; what was to be synced is dropped, as Linux does.
    Syncs,
}

/// Without the contents: nobody wants to read those.
impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedDisk").finish_non_exhaustive()
    }
}

impl SimulatedDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes to the disk so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Cuts the power at the change with this number, counted from now: a write is under way but not synced, any other
    /// change has not happened. Everything after fails.
    pub fn cut_power_at(&self, operation: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.operations + operation);
    }

    /// Whether the power was cut.
    #[must_use]
    pub fn is_powered_off(&self) -> bool {
        self.state().powered_off
    }

    /// Cuts the power, if that has not happened, and switches it on again for a new process.
    pub fn restart(&self, survival: Survival) {
        let mut state = self.state();
        state.model.lose_power(survival);
        state.powered_off = false;
        state.new_process();
    }

    /// Ends the process and lets a new one use the disk, with everything that was written, synced or not.
    pub fn restart_process(&self) {
        self.state().new_process();
    }

    /// Makes changes to files whose path ends in `suffix` fail until [`SimulatedDisk::mend`].
    pub fn fail(&self, what: Failing, suffix: &str) {
        self.state().failing = Some((what, suffix.to_owned()));
    }

    /// Ends failures, the limit on writes and the limit on room.
    pub fn mend(&self) {
        let mut state = self.state();
        state.failing = None;
        state.write_bytes_max = None;
        state.capacity_bytes = None;
    }

    /// Sets how many bytes all files may have together.
    pub fn set_capacity(&self, capacity_bytes: u64) {
        self.state().capacity_bytes = Some(capacity_bytes);
    }

    /// Bytes that all files have together.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().model.used_bytes()
    }

    /// Lets a write take at most this many bytes at once.
    pub fn shorten_writes(&self, write_bytes_max: usize) {
        self.state().write_bytes_max = Some(write_bytes_max);
    }

    /// Turns one bit of a file over.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.state();
        let file = state.model.file(path)?;
        state.model.flip_bit(file, bit);
        Ok(())
    }

    /// Another disk with the same contents, for trying what happens.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked has failed already; what it left is of no interest.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, state: &State, file: usize, path: &Path) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile { disk: self.clone(), file, path: path.to_owned(), process: state.process })
    }
}

impl State {
    fn new_process(&mut self) {
        self.process += 1;
        self.locks.clear();
        self.cut_at = None;
    }

    fn powered(&self) -> io::Result<()> {
        if self.powered_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Counts a change; answers whether the power is cut at it.
    fn change(&mut self) -> io::Result<bool> {
        self.powered()?;
        self.powered_off = self.cut_at == Some(self.operations);
        self.operations += 1;
        Ok(self.powered_off)
    }

    /// Counts a change that does not happen when the power is cut at it.
    fn whole_change(&mut self) -> io::Result<()> {
        self.change()?;
        self.powered()
    }

    fn fails(&self, what: Failing, path: &Path) -> io::Result<()> {
        match &self.failing {
            Some((failing, suffix)) if *failing == what && path.to_string_lossy().ends_with(suffix.as_str()) => {
                Err(io::Error::other("input/output error (simulated)"))
            }
            _ => Ok(()),
        }
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change()?;
        state.model.create_folder(path);
        Ok(())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.powered()?;
        Ok(state.model.names(folder))
    }

    fn open(&self, path: &Path, _: Access) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.powered()?;
        Ok(self.handle(&state, state.model.file(path)?, path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.whole_change()?;
        let file = state.model.create(path)?;
        Ok(self.handle(&state, file, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change()?;
        state.model.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change()?;
        state.model.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change()?;
        state.model.sync_folder(path);
        Ok(())
    }

    fn lock(&self, path: &Path, owner: &str) -> Result<Lock, LockRefused> {
        let mut state = self.state();
        state.powered()?;
        if let Some(owner) = state.locks.get(path) {
            return Err(LockRefused::Held { owner: owner.clone() });
        }
        state.locks.insert(path.to_owned(), owner.trim().to_owned());
        Ok(Lock::new(SimulatedLock { disk: self.clone(), path: path.to_owned(), process: state.process }))
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
    path: PathBuf,
    process: u64,
}

impl SimulatedFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.process == self.process {
            Ok(state)
        } else {
            Err(io::Error::other("the process that opened this file has ended"))
        }
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state()?;
        state.powered()?;
        Ok(state.model.read(self.file, buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state()?;
        state.powered()?;
        state.fails(Failing::Writes, &self.path)?;
        let mut taken = bytes.len().min(state.write_bytes_max.unwrap_or(usize::MAX));
        if let Some(capacity) = state.capacity_bytes {
            let length = state.model.length(self.file);
            let room = capacity.saturating_sub(state.model.used_bytes()) + length;
            taken = taken.min(room.saturating_sub(offset) as usize);
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let cut = state.change()?;
        state.model.write(self.file, &bytes[..taken], offset);
        if cut { Err(io::Error::other("the power is off")) } else { Ok(taken) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.whole_change()?;
        if let Err(error) = state.fails(Failing::Syncs, &self.path) {
            state.model.drop_unsynced(self.file);
            return Err(error);
        }
        state.model.sync(self.file);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.state()?;
        state.powered()?;
        Ok(state.model.length(self.file))
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
    process: u64,
}

impl LockHeld for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        // The lock of a process that has ended went with it.
        if state.process == self.process {
            state.locks.remove(&self.path);
        }
    }
}
