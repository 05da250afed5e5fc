//! A moving window over a file, read in large pieces. It knows offsets and bytes, no format.

use std::io;
use std::sync::Arc;

use crate::disk::{DiskFile, read_full_at};

const PIECE_BYTES_MIN: usize = 64 << 10;
const PIECE_BYTES_MAX: usize = 2 << 20;

/// The bytes of a file around the place that is being read.
#[derive(Debug)]
pub(crate) struct Window {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
    /// How much is read at once: grows while reading goes on, so that a glance at the end of the log stays cheap.
    piece_bytes: usize,
}

impl Window {
    pub(crate) const fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, buffer: Vec::new(), start: 0, filled: 0, piece_bytes: PIECE_BYTES_MIN }
    }

    /// The `bytes` bytes at `offset`; fewer at the end of the file.
    pub(crate) fn at(&mut self, offset: u64, bytes: usize) -> io::Result<&[u8]> {
        if !self.holds(offset, bytes) {
            self.load(offset, bytes)?;
        }
        Ok(self.held(offset, bytes))
    }

    /// What the window holds of the `bytes` bytes at `offset`, without reading.
    pub(crate) fn held(&self, offset: u64, bytes: usize) -> &[u8] {
        let from = offset.checked_sub(self.start).map_or(self.filled, |from| (from as usize).min(self.filled));
        &self.buffer[from..(from + bytes).min(self.filled)]
    }

    /// Drops what was read, because the file may have changed since.
    pub(crate) fn forget(&mut self) {
        self.filled = 0;
        self.piece_bytes = PIECE_BYTES_MIN;
    }

    fn holds(&self, offset: u64, bytes: usize) -> bool {
        offset >= self.start && offset + bytes as u64 <= self.start + self.filled as u64
    }

    fn load(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        let wanted = bytes.max(self.piece_bytes);
        self.piece_bytes = (self.piece_bytes * 2).min(PIECE_BYTES_MAX);
        if self.buffer.len() < wanted || self.buffer.len() > 4 * wanted.max(PIECE_BYTES_MAX) {
            self.buffer = vec![0; wanted];
        }
        self.filled = 0;
        self.start = offset;
        self.filled = read_full_at(self.file.as_ref(), &mut self.buffer[..wanted], offset)?;
        Ok(())
    }
}
