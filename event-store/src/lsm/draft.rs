//! A run being written: first its blocks, from records in ascending order. What comes behind the blocks is worked out from
//! them in `indexing.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::OpenBlock;
use super::fault::DiskFault;
use super::indexing::Indexing;
use super::run::run_path;
use super::sink::Sink;
use crate::disk::{Disk, DiskFile};

/// Bytes between two syncs of a run that is written in steps: the last sync then has little left to do.
const SYNC_EVERY_BYTES: u64 = 32 << 20;

/// Names a run before it exists.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunName {
    pub(super) id: u64,
    pub(super) table: u32,
    /// Random, different for every run ever made.
    pub(super) stamp: u64,
}

/// The blocks of a run being written.
#[derive(Debug)]
pub(super) struct Draft {
    name: RunName,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    sink: Sink,
    block: OpenBlock,
    records: u64,
    blocks: u64,
    synced_through: u64,
}

impl Draft {
    pub(super) fn create(disk: &dyn Disk, folder: &Path, name: RunName) -> Result<Self, DiskFault> {
        let path = run_path(folder, name.id);
        let file = disk.create(&path).map_err(DiskFault::when("making", &path))?;
        let sink = Sink::new(Arc::clone(&file), 0);
        let block = OpenBlock::default();
        Ok(Self { name, file, path, sink, block, records: 0, blocks: 0, synced_through: 0 })
    }

    /// Adds a record; its key is above those before.
    pub(super) fn push(&mut self, key: u128, value: &[u8]) -> Result<(), DiskFault> {
        if !self.block.takes(value.len()) {
            self.close_block()?;
        }
        self.block.push(key, value);
        self.records += 1;
        Ok(())
    }

    /// Bytes of whole blocks so far.
    pub(super) fn bytes(&self) -> u64 {
        self.sink.position()
    }

    /// Syncs when much was written since the last time.
    pub(super) fn sync_now_and_then(&mut self) -> Result<(), DiskFault> {
        if self.bytes() - self.synced_through >= SYNC_EVERY_BYTES {
            self.sink.flush().map_err(DiskFault::when("writing", &self.path))?;
            self.file.sync().map_err(DiskFault::when("syncing", &self.path))?;
            self.synced_through = self.bytes();
        }
        Ok(())
    }

    /// Ends the blocks.
    pub(super) fn finish(mut self) -> Result<Indexing, DiskFault> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        self.sink.flush().map_err(DiskFault::when("writing", &self.path))?;
        Ok(Indexing::new(self.name, self.file, self.path, self.records, self.blocks, self.sink.position()))
    }

    fn close_block(&mut self) -> Result<(), DiskFault> {
        let bytes = self.block.seal(self.name.stamp, self.sink.position());
        self.sink.put(bytes).map_err(DiskFault::when("writing", &self.path))?;
        self.block.clear();
        self.blocks += 1;
        Ok(())
    }
}
