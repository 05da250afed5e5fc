//! Reading the records of a run from front to back, block by block, every checksum checked. Bounded memory: one buffer,
//! longer only where a block is.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::block::{BLOCK_HEADER_BYTES, RECORD_HEADER_BYTES, is_whole, read_header, record_at};
use super::fault::DiskFault;
use super::fences::Place;
use crate::disk::{DiskFile, read_full_at};

const BUFFER_BYTES: usize = 256 << 10;

/// Stands on a record of a run, after the first [`Cursor::advance`].
#[derive(Debug)]
pub(super) struct Cursor {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    stamp: u64,
    buffer: Vec<u8>,
    /// Where the buffer's first byte is in the file.
    offset: u64,
    /// Where the blocks end in the file.
    end: u64,
    /// The block in the buffer.
    block: Range<usize>,
    /// The next record in the buffer.
    at: usize,
    key: u128,
    value: Range<usize>,
}

impl Cursor {
    pub(super) fn new(file: Arc<dyn DiskFile>, path: PathBuf, stamp: u64, end: u64) -> Self {
        let buffer = Vec::new();
        Self { file, path, stamp, buffer, offset: 0, end, block: 0..0, at: 0, key: 0, value: 0..0 }
    }

    /// Goes to the next record; false when there is none.
    pub(super) fn advance(&mut self) -> Result<bool, DiskFault> {
        if self.at == self.block.end && !self.next_block()? {
            return Ok(false);
        }
        let Some((key, value)) = record_at(&self.buffer[..self.block.end], self.at) else {
            return Err(self.damage("is whole but holds no records"));
        };
        self.at = value.end;
        (self.key, self.value) = (key, value);
        Ok(true)
    }

    pub(super) const fn key(&self) -> u128 {
        self.key
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.buffer[self.value.clone()]
    }

    /// Whether the record is the first of its block.
    pub(super) const fn opens_block(&self) -> bool {
        self.value.start == self.block.start + BLOCK_HEADER_BYTES + RECORD_HEADER_BYTES
    }

    /// Whether the record is the last of its block.
    pub(super) const fn ends_block(&self) -> bool {
        self.at == self.block.end
    }

    /// The place of the block that the record is in.
    pub(super) fn place(&self) -> Place {
        let (checksum, length) = read_header(&self.buffer[self.block.clone()]).unwrap_or_default();
        Place { offset: self.offset + self.block.start as u64, length, checksum }
    }

    fn next_block(&mut self) -> Result<bool, DiskFault> {
        let start = self.block.end;
        let offset = self.offset + start as u64;
        if offset >= self.end {
            return Ok(false);
        }
        self.block = start..start;
        self.need(BLOCK_HEADER_BYTES)?;
        let length = match read_header(&self.buffer[self.block.start..]) {
            Some((_, length)) if length as usize > BLOCK_HEADER_BYTES && u64::from(length) <= self.end - offset => {
                length
            }
            _ => return Err(self.damage("has no length that a block can have")),
        };
        self.need(length as usize)?;
        self.block.end = self.block.start + length as usize;
        if !is_whole(&self.buffer[self.block.clone()], self.stamp, offset) {
            return Err(self.damage("has a wrong checksum"));
        }
        self.at = self.block.start + BLOCK_HEADER_BYTES;
        Ok(true)
    }

    /// Brings so many bytes from the block's start on into the buffer.
    fn need(&mut self, bytes: usize) -> Result<(), DiskFault> {
        let start = self.block.start;
        if self.buffer.len() - start >= bytes {
            return Ok(());
        }
        let kept = self.buffer.len() - start;
        self.buffer.copy_within(start.., 0);
        self.offset += start as u64;
        self.block = 0..0;
        let left_in_file = self.end - self.offset;
        let wanted = usize::try_from(left_in_file).unwrap_or(usize::MAX).min(BUFFER_BYTES.max(bytes));
        self.buffer.resize(wanted.max(kept), 0);
        self.buffer.shrink_to(4 * BUFFER_BYTES);
        let (file, at) = (&self.file, self.offset + kept as u64);
        let read = read_full_at(file.as_ref(), &mut self.buffer[kept..], at)
            .map_err(DiskFault::when("reading", &self.path))?;
        self.buffer.truncate(kept + read);
        if self.buffer.len() < bytes { Err(self.damage("is cut off")) } else { Ok(()) }
    }

    fn damage(&self, what: &str) -> DiskFault {
        let offset = self.offset + self.block.start as u64;
        DiskFault::damage(&self.path, format!("the block at byte {offset} {what}"))
    }
}
