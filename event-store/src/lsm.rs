//! A small log-structured store for what is derived from the log: idempotency keys, the register of transfers, states of
//! aggregates. Sorted runs on disk, filters in memory, checkpoints published at once as a whole. It has no log of its own:
//! what came after the last checkpoint, or all of it, is read out of the log again. Knows no event and no rule.
//!
//! One thread owns a [`Store`] and looks keys up; a second one, started with it, writes checkpoints and merges runs.
//! The caller keeps what it has not handed over, or what is on its way, in a table in memory:
//!
//! 1. [`Store::checkpoint`] takes a note (where in the log the caller is) and a closure that makes the records.
//! 2. [`Store::poll`] says when they are published. From that moment on lookups find them, and the caller drops its table.
//! 3. After a start, [`Opened::note`] says from where on the log is to be read.
//!
//! `docs/derived-data.md` draws the files.

mod block;
mod catalogue;
mod cursor;
mod draft;
mod errors;
mod fault;
mod fences;
mod filter;
mod footer;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod indexing;
mod manifest;
mod merge;
mod opening;
mod records;
mod run;
mod sink;
mod tiers;
mod view;
mod writer;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};

pub use self::errors::{CheckpointFailed, CheckpointRefused, Damaged, OpenError};
use self::filter::Probe;
pub use self::opening::discard;
pub use self::records::Records;
use self::tiers::Tiers;
use self::view::{Compactions, View};
pub use self::view::{Stats, TableStats};
pub use self::writer::Produce;
use self::writer::{Report, Request, Writer};
use crate::disk::Disk;
use crate::disk::file::RealDisk;

/// A table, by its number in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub usize);

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// Bytes of filters and fences that may be in memory; those of the longest runs stay on disk beyond that, and each
    /// question to them reads 64 bytes.
    pub filter_bytes_max: u64,
    /// So many runs of a tier are merged to one of the next; at least 2.
    pub fanout: usize,
    /// Runs up to this length are of the lowest tier.
    pub lowest_tier_bytes: u64,
    /// Random numbers, for the digest key and the stamps of runs.
    pub random: fn() -> u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            filter_bytes_max: 256 << 20,
            fanout: 4,
            lowest_tier_bytes: 1 << 20,
            random: || RandomState::new().hash_one(0),
        }
    }
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The note of the checkpoint that was found; `None` when the store is empty.
    pub note: Option<Vec<u8>>,
    /// Why the store that was there was removed, where that is so.
    pub discarded: Option<String>,
}

/// A log-structured store, owned by one thread.
#[derive(Debug)]
pub struct Store {
    view: View,
    digest_key: u128,
    /// Whether a checkpoint was begun whose outcome was not told yet.
    under_way: bool,
    /// What became of it, when it came while something else was waited for.
    outcome: Option<Result<(), CheckpointFailed>>,
    requests: Sender<Request>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// A buffer for the blocks that lookups read.
    block: Vec<u8>,
}

impl Store {
    /// Opens the store in `folder`, which belongs to one process at a time. `tables` names its tables, and `format` the
    /// caller's format of values: a store of others, or a damaged one, is removed, and an empty one is opened.
    ///
    /// # Errors
    /// [`OpenError`] when the disk refuses.
    pub fn open(
        folder: &Path,
        tables: &'static [&'static str],
        format: u32,
        options: Options,
    ) -> Result<Opened, OpenError> {
        let opening::Found { catalogue, note, discarded } = opening::open(folder, tables, format, &options)?;
        let (view, digest_key) = (View::of(&catalogue, Compactions::default()), catalogue.digest_key);
        let tiers = Tiers { fanout: options.fanout.max(2), lowest_bytes: options.lowest_tier_bytes };
        let writer = Writer::new(catalogue, tiers);
        let (requests, asked) = unbounded();
        let (telling, reports) = unbounded();
        let thread = std::thread::Builder::new().name("derived-data".into());
        let thread = thread.spawn(move || writer.work(&asked, &telling)).map_err(OpenError::Thread)?;
        let store = Self {
            view,
            digest_key,
            under_way: false,
            outcome: None,
            requests,
            reports,
            thread: Some(thread),
            disk: options.disk,
            folder: folder.to_owned(),
            block: Vec::new(),
        };
        Ok(Opened { store, note, discarded })
    }

    /// 128 random bits, made with the store and kept as long as it: the key of the caller's digests.
    #[must_use]
    pub const fn digest_key(&self) -> u128 {
        self.digest_key
    }

    /// Looks a key up in the published checkpoints: true when it is there, and then `value` is its newest value; it is
    /// emptied first.
    ///
    /// # Errors
    /// [`Damaged`] when what the disk gives is not what was written.
    ///
    /// # Panics
    /// When the schema has no such table.
    pub fn get(&mut self, table: Table, key: u128, value: &mut Vec<u8>) -> Result<bool, Damaged> {
        value.clear();
        let probe = Probe::of(key);
        for run in self.view.tables[table.0].iter().filter(|run| run.may_contain(&probe)) {
            let found = run.get(&probe, &mut self.block, value);
            if found.map_err(Damaged::from)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// False when the key is certainly not in the published checkpoints. Reads nothing from the disk.
    ///
    /// # Panics
    /// When the schema has no such table.
    #[must_use]
    pub fn may_contain(&self, table: Table, key: u128) -> bool {
        let probe = Probe::of(key);
        self.view.tables[table.0].iter().any(|run| run.may_contain(&probe))
    }

    /// Begins a checkpoint: `produce` is called on the writer's thread and makes the records of each table, in the order of
    /// the schema; tables at the end may be left out. `note` is published with them.
    ///
    /// # Errors
    /// [`CheckpointRefused::UnderWay`] until [`Store::poll`] or [`Store::wait`] told what became of the one before.
    pub fn checkpoint(&mut self, note: Vec<u8>, produce: Produce) -> Result<(), CheckpointRefused> {
        if self.under_way {
            return Err(CheckpointRefused::UnderWay);
        }
        let sent = self.requests.send(Request::Checkpoint { note, produce });
        sent.map_err(|_| CheckpointRefused::Ended)?;
        self.under_way = true;
        Ok(())
    }

    /// Whether a checkpoint was begun whose outcome was not told yet.
    #[must_use]
    pub const fn checkpoint_under_way(&self) -> bool {
        self.under_way
    }

    /// Takes over what was published meanwhile, and says what became of the checkpoint, once; never waits. To be called
    /// now and then: what merges replaced is given back by it.
    pub fn poll(&mut self) -> Option<Result<(), CheckpointFailed>> {
        loop {
            match self.reports.try_recv() {
                Ok(report) => drop(self.adopt(report)),
                Err(error) if error.is_disconnected() && self.under_way && self.outcome.is_none() => {
                    self.outcome = Some(Err(CheckpointFailed::Ended));
                }
                Err(_) => return self.tell(),
            }
        }
    }

    /// Waits for the checkpoint that is under way and says what became of it; `None` when none is.
    pub fn wait(&mut self) -> Option<Result<(), CheckpointFailed>> {
        while self.under_way && self.outcome.is_none() {
            match self.reports.recv() {
                Ok(report) => drop(self.adopt(report)),
                Err(_) => self.outcome = Some(Err(CheckpointFailed::Ended)),
            }
        }
        self.poll()
    }

    /// Waits until no merge is due, for who wants the fewest runs before going on.
    pub fn wait_for_merges(&mut self) {
        if self.requests.send(Request::Rest).is_ok() {
            while let Ok(report) = self.reports.recv() {
                if matches!(self.adopt(report), Adopted::AtRest) {
                    return;
                }
            }
        }
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.view.stats()
    }

    /// Waits for the checkpoint under way, says what became of it, and ends the writer's thread. A merge under way is given
    /// up; the next start begins it again.
    pub fn close(mut self) -> Option<Result<(), CheckpointFailed>> {
        let outcome = self.wait();
        drop(self);
        outcome
    }

    /// Ends the store and removes its manifest, so that the next start finds an empty one: after [`Damaged`].
    ///
    /// # Errors
    /// Whatever the disk answers.
    pub fn discard(self) -> io::Result<()> {
        let (disk, folder) = (Arc::clone(&self.disk), self.folder.clone());
        drop(self);
        discard(disk.as_ref(), &folder)
    }

    fn adopt(&mut self, report: Report) -> Adopted {
        match report {
            Report::Checkpoint(Ok(view)) => {
                self.view = view;
                self.outcome = Some(Ok(()));
            }
            Report::Checkpoint(Err(fault)) => self.outcome = Some(Err(fault.into())),
            Report::Compaction(view) => self.view = view,
            Report::AtRest(view) => {
                self.view = view;
                return Adopted::AtRest;
            }
        }
        Adopted::News
    }

    fn tell(&mut self) -> Option<Result<(), CheckpointFailed>> {
        let outcome = self.outcome.take();
        self.under_way &= outcome.is_none();
        outcome
    }
}

/// What a report was about.
#[derive(Debug)]
enum Adopted {
    News,
    AtRest,
}

impl Drop for Store {
    fn drop(&mut self) {
        // Without a sender the thread ends after what it is at.
        self.requests = unbounded().0;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told as a checkpoint that failed.
            let _ = thread.join();
        }
    }
}
