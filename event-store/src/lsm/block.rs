//! A block: a few kilobytes of records in ascending order of their keys, with a checksum. No file is opened here.

use std::ops::Range;

/// A block is closed before the record that would make it longer; a single record may be.
pub(super) const BLOCK_BYTES: usize = 4096;
/// Checksum and length.
pub(super) const BLOCK_HEADER_BYTES: usize = 8;
/// Key and length of the value.
pub(super) const RECORD_HEADER_BYTES: usize = 20;

/// Where the checksum of something at `offset` of the run with `stamp` starts, so that bytes from another place or another
/// file never pass for it.
pub(super) fn seed(stamp: u64, offset: u64) -> u32 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&stamp.to_le_bytes());
    bytes[8..].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c(&bytes)
}

/// A block that is being filled.
#[derive(Debug, Default)]
pub(super) struct OpenBlock(Vec<u8>);

impl OpenBlock {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record with so many bytes of value still belongs into this block.
    pub(super) const fn takes(&self, value_bytes: usize) -> bool {
        self.0.is_empty() || self.0.len() + RECORD_HEADER_BYTES + value_bytes <= BLOCK_BYTES
    }

    /// Adds a record; its key is above those before, its value has less than 4 GiB.
    pub(super) fn push(&mut self, key: u128, value: &[u8]) {
        if self.0.is_empty() {
            self.0.extend_from_slice(&[0; BLOCK_HEADER_BYTES]);
        }
        self.0.extend_from_slice(&key.to_le_bytes());
        self.0.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    /// The block's bytes, to be written at `offset` of the run with `stamp`.
    pub(super) fn seal(&mut self, stamp: u64, offset: u64) -> &[u8] {
        let length = self.0.len() as u32;
        self.0[4..8].copy_from_slice(&length.to_le_bytes());
        let checksum = crc32c::crc32c_append(seed(stamp, offset), &self.0[4..]);
        self.0[..4].copy_from_slice(&checksum.to_le_bytes());
        &self.0
    }

    /// Makes room for the next block.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        // What one large value took is given back.
        self.0.shrink_to(1 << 20);
    }
}

/// The checksum and the length that a block's first bytes say it has.
pub(super) fn read_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let (header, _) = bytes.split_first_chunk::<BLOCK_HEADER_BYTES>()?;
    let [a, b, c, d, e, f, g, h] = *header;
    Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
}

/// Whether `bytes` are the whole block at `offset` of the run with `stamp`, as it was written.
pub(super) fn is_whole(bytes: &[u8], stamp: u64, offset: u64) -> bool {
    read_header(bytes).is_some_and(|(checksum, length)| {
        length as usize == bytes.len() && crc32c::crc32c_append(seed(stamp, offset), &bytes[4..]) == checksum
    })
}

/// The record at `at`: its key, and where its value is.
pub(super) fn record_at(block: &[u8], at: usize) -> Option<(u128, Range<usize>)> {
    let (header, rest) = block.get(at..)?.split_first_chunk::<RECORD_HEADER_BYTES>()?;
    let (key, length) = header.split_first_chunk::<16>()?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let from = at + RECORD_HEADER_BYTES;
    (length <= rest.len()).then(|| (u128::from_le_bytes(*key), from..from + length))
}

/// The value of a key in a whole block; `Err` when the bytes are not records.
pub(super) fn find(block: &[u8], key: u128) -> Result<Option<&[u8]>, NoRecords> {
    let mut at = BLOCK_HEADER_BYTES;
    while at < block.len() {
        let (found, value) = record_at(block, at).ok_or(NoRecords)?;
        if found >= key {
            return Ok((found == key).then(|| &block[value]));
        }
        at = value.end;
    }
    Ok(None)
}

/// A block with a right checksum whose bytes are not records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRecords;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_block_finds_what_was_put_into_it_and_nothing_else() {
        let mut block = OpenBlock::default();
        for key in [3, 5, u128::MAX] {
            assert!(block.takes(4));
            block.push(key, &(key as u32).to_le_bytes());
        }
        let bytes = block.seal(1, 2).to_vec();
        assert!(is_whole(&bytes, 1, 2));
        assert!(!is_whole(&bytes, 1, 3));
        assert!(!is_whole(&bytes[..bytes.len() - 1], 1, 2));
        assert_eq!(find(&bytes, 5), Ok(Some(&[5, 0, 0, 0][..])));
        assert_eq!(find(&bytes, u128::MAX), Ok(Some(&[255; 4][..])));
        assert_eq!((find(&bytes, 4), find(&bytes, 0)), (Ok(None), Ok(None)));
        assert_eq!(find(&bytes[..bytes.len() - 1], u128::MAX), Err(NoRecords));
    }

    #[test]
    fn a_block_ends_before_the_record_that_is_too_much_unless_it_is_the_only_one() {
        let mut block = OpenBlock::default();
        assert!(block.takes(1 << 20));
        block.push(1, &[0; 4000]);
        assert!(block.takes(4096 - 4000 - 8 - 20 - 20));
        assert!(!block.takes(4096 - 4000 - 8 - 20 - 19));
    }
}
