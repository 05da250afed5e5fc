//! The last 128 bytes of a run: how much is in it and where. No file is opened here.

use super::fences::{FENCES_PER_PAGE, PAGE_BYTES};
use super::filter::{LINE_BYTES, lines_for};

/// Version of the format of runs.
const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"BURSARUN";
pub(super) const FOOTER_BYTES: usize = 128;
/// Bytes of the summary for each page of fences: its first key.
pub(super) const SUMMARY_KEY_BYTES: u64 = 16;

/// Describes a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) table: u32,
    pub(super) id: u64,
    pub(super) stamp: u64,
    pub(super) records: u64,
    pub(super) blocks: u64,
    pub(super) blocks_end: u64,
    pub(super) summary_checksum: u32,
}

impl Footer {
    pub(super) const fn fences_offset(&self) -> u64 {
        self.blocks_end.next_multiple_of(PAGE_BYTES as u64)
    }

    pub(super) const fn fence_pages(&self) -> u64 {
        self.blocks.div_ceil(FENCES_PER_PAGE)
    }

    pub(super) const fn filter_offset(&self) -> u64 {
        self.fences_offset() + self.fence_pages() * PAGE_BYTES as u64
    }

    pub(super) const fn filter_lines(&self) -> u64 {
        lines_for(self.records)
    }

    pub(super) const fn summary_offset(&self) -> u64 {
        self.filter_offset() + self.filter_lines() * LINE_BYTES as u64
    }

    pub(super) const fn offset(&self) -> u64 {
        self.summary_offset() + self.fence_pages() * SUMMARY_KEY_BYTES
    }

    /// Length of the whole run.
    pub(super) const fn run_bytes(&self) -> u64 {
        self.offset() + FOOTER_BYTES as u64
    }

    pub(super) fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.table.to_le_bytes());
        for (at, number) in
            [(16, self.id), (24, self.stamp), (32, self.records), (40, self.blocks), (48, self.blocks_end)]
        {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[56..60].copy_from_slice(&self.summary_checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..FOOTER_BYTES - 4]);
        bytes[FOOTER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the footer of a run of `run_bytes`; the reason when it is none.
    pub(super) fn decode(bytes: &[u8; FOOTER_BYTES], run_bytes: u64) -> Result<Self, String> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if crc32c::crc32c(&bytes[..FOOTER_BYTES - 4]) != u32_at(FOOTER_BYTES - 4) {
            return Err("its footer has a wrong checksum".to_owned());
        }
        if &bytes[..8] != MAGIC || u32_at(8) != FORMAT_VERSION {
            return Err("it is no run of this program's format".to_owned());
        }
        let footer = Self {
            table: u32_at(12),
            id: u64_at(16),
            stamp: u64_at(24),
            records: u64_at(32),
            blocks: u64_at(40),
            blocks_end: u64_at(48),
            summary_checksum: u32_at(56),
        };
        // No number above the file's length: what is worked out from them cannot overflow.
        let most = footer.records.max(footer.blocks).max(footer.blocks_end);
        if most > run_bytes || footer.blocks > footer.records || footer.run_bytes() != run_bytes {
            return Err(format!("it has {run_bytes} bytes, which is not what its footer says"));
        }
        Ok(footer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_is_read_as_it_was_written_and_of_its_length_only() {
        let footer =
            Footer { table: 2, id: 3, stamp: 4, records: 1000, blocks: 128, blocks_end: 9000, summary_checksum: 5 };
        assert_eq!((footer.fences_offset(), footer.fence_pages(), footer.filter_offset()), (12_288, 2, 20_480));
        assert_eq!((footer.summary_offset(), footer.run_bytes()), (22_080, 22_240));
        let bytes = footer.encode();
        assert_eq!(Footer::decode(&bytes, 22_240).unwrap(), footer);
        assert_eq!(
            Footer::decode(&bytes, 22_241).unwrap_err(),
            "it has 22241 bytes, which is not what its footer says"
        );
        for bit in 0..FOOTER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Footer::decode(&flipped, 22_240).is_err(), "{bit}");
        }
    }
}
