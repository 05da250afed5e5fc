//! Rows of one length in blocks that carry a checksum each: a row is either what was written or named as damaged. It
//! knows rows and blocks, not what they mean.

use std::io;

use crate::disk::{DiskFile, read_full_at};

/// Rows of a block take at most so many bytes; the block's checksum follows them.
const ROWS_BYTES_MAX: usize = 4092;
const CRC_BYTES: usize = 4;

/// Why an index file, or a part of it, is of no use. It is made again from its segment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexFault {
    /// The bytes are not what was written, or of another segment.
    #[error("{0}")]
    Damaged(&'static str),
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A run of blocks in a file. Every block but the last is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// Where the first block stands in the file.
    pub(crate) base: u64,
    /// Bytes of a row.
    pub(crate) row_bytes: usize,
    /// How many rows there are.
    pub(crate) rows: u64,
    /// What the checksums start from: a block of another file or section does not pass.
    pub(crate) seed: u32,
}

impl Section {
    pub(crate) const fn rows_per_block(&self) -> u64 {
        (ROWS_BYTES_MAX / self.row_bytes) as u64
    }

    pub(crate) const fn blocks(&self) -> u64 {
        self.rows.div_ceil(self.rows_per_block())
    }

    /// Bytes of all blocks.
    pub(crate) const fn bytes(&self) -> u64 {
        self.rows * self.row_bytes as u64 + self.blocks() * CRC_BYTES as u64
    }

    /// Appends `rows`, which are all rows of the section, as blocks.
    pub(crate) fn put(&self, image: &mut Vec<u8>, rows: &[u8]) {
        debug_assert_eq!(rows.len() as u64, self.rows * self.row_bytes as u64);
        for (block, rows) in (0_u32..).zip(rows.chunks(self.rows_per_block() as usize * self.row_bytes)) {
            image.extend_from_slice(rows);
            image.extend_from_slice(&self.crc(block, rows).to_le_bytes());
        }
    }

    /// Reads a block into `buffer`, which holds its rows afterwards.
    pub(crate) fn read(&self, file: &dyn DiskFile, block: u64, buffer: &mut Vec<u8>) -> Result<(), IndexFault> {
        let first = block * self.rows_per_block();
        let rows = self.rows_per_block().min(self.rows.saturating_sub(first)) as usize;
        let offset = self.base + first * self.row_bytes as u64 + block * CRC_BYTES as u64;
        buffer.resize(rows * self.row_bytes + CRC_BYTES, 0);
        let read = read_full_at(file, buffer, offset)?;
        let Some((rows, crc)) = buffer.split_last_chunk::<CRC_BYTES>() else {
            return Err(IndexFault::Damaged("a block is missing"));
        };
        if read < buffer.len() || self.crc(block as u32, rows) != u32::from_le_bytes(*crc) {
            return Err(IndexFault::Damaged("the checksum of a block differs"));
        }
        buffer.truncate(buffer.len() - CRC_BYTES);
        Ok(())
    }

    pub(crate) fn crc(&self, block: u32, rows: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.seed, &block.to_le_bytes()), rows)
    }
}
