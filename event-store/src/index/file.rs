//! The index file of a sealed segment: which frames hold the events of a stream, where positions are, and how the
//! segment is tied to its neighbours. Derived from the segment, drawn in `docs/log-format.md`. Every byte is under a
//! checksum; a file that is not whole is made again, never believed.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::path::{Path, PathBuf};

use domain::ids::Position;

use super::blocks::{IndexFault, Section};
use super::part::{Held, Signpost, Wanted};
use crate::disk::{Disk, DiskFile, read_full_at, write_all_at};
use crate::log::LogId;
use crate::log::scan::Link;

/// The version of the files' format; files of any other are made again.
const INDEX_VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"BURSARIX";
/// Bytes of the header.
pub(crate) const INDEX_HEADER_BYTES: usize = 128;
/// Bytes of a stream in the table of streams.
pub(crate) const STREAM_ROW_BYTES: usize = 32;
/// Bytes of a place.
pub(crate) const PLACE_ROW_BYTES: usize = 4;
/// Bytes of a signpost.
pub(crate) const SIGNPOST_ROW_BYTES: usize = 16;
/// What is written at once.
const PIECE_BYTES: usize = 1 << 20;
/// Guesses where a digest stands before the table is halved instead.
const GUESSES: u32 = 8;

/// What an index file begins with: all that opening a log needs to know of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexHeader {
    pub(crate) segment: u32,
    pub(crate) log_id: LogId,
    pub(crate) stamp: u64,
    /// What the segment took over from the one before.
    pub(crate) before: Link,
    /// What the next segment takes over.
    pub(crate) after: Link,
    pub(crate) footer_offset: u32,
    /// Frames before the footer.
    pub(crate) frame_count: u32,
    pub(crate) transactions: u64,
    pub(crate) streams: u32,
    pub(crate) signposts: u32,
}

/// A row of the table of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub(crate) digest: u128,
    pub(crate) first_version: u64,
    /// Number of its first place.
    pub(crate) start: u32,
    pub(crate) count: u32,
}

impl StreamRow {
    pub(crate) fn put(&self, rows: &mut Vec<u8>) {
        rows.extend_from_slice(&self.digest.to_le_bytes());
        rows.extend_from_slice(&self.first_version.to_le_bytes());
        rows.extend_from_slice(&self.start.to_le_bytes());
        rows.extend_from_slice(&self.count.to_le_bytes());
    }

    pub(crate) fn of(row: &[u8]) -> Self {
        Self { digest: digest_of(row), first_version: u64_at(row, 16), start: u32_at(row, 24), count: u32_at(row, 28) }
    }
}

/// The three tables of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) streams: Section,
    pub(crate) places: Section,
    pub(crate) signposts: Section,
}

impl IndexHeader {
    /// How many events the segment has.
    pub(crate) const fn events(&self) -> u64 {
        self.after.next_position.0 - self.before.next_position.0
    }

    pub(crate) fn tables(&self) -> Tables {
        let mut base = INDEX_HEADER_BYTES as u64;
        let mut section = |tag: u8, row_bytes: usize, rows: u64| {
            let seed = crc32c::crc32c_append(crc32c::crc32c(&self.stamp.to_le_bytes()), &[tag]);
            let section = Section { base, row_bytes, rows, seed };
            base += section.bytes();
            section
        };
        Tables {
            streams: section(1, STREAM_ROW_BYTES, self.streams.into()),
            places: section(2, PLACE_ROW_BYTES, self.events()),
            signposts: section(3, SIGNPOST_ROW_BYTES, self.signposts.into()),
        }
    }

    fn file_bytes(&self) -> u64 {
        let last = self.tables().signposts;
        last.base + last.bytes()
    }

    /// The whole file.
    pub(super) fn image(&self, streams: &[u8], places: &[u8], signposts: &[u8]) -> Vec<u8> {
        let tables = self.tables();
        let mut image = Vec::with_capacity(self.file_bytes() as usize);
        image.extend_from_slice(&self.encode());
        tables.streams.put(&mut image, streams);
        tables.places.put(&mut image, places);
        tables.signposts.put(&mut image, signposts);
        image
    }

    fn encode(&self) -> [u8; INDEX_HEADER_BYTES] {
        let mut bytes = [0; INDEX_HEADER_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&MAGIC);
        put(&INDEX_VERSION.to_le_bytes());
        put(&self.segment.to_le_bytes());
        put(&self.log_id.0);
        put(&self.stamp.to_le_bytes());
        put(&self.before.stamp.to_le_bytes());
        put(&self.before.next_position.0.to_le_bytes());
        put(&self.after.next_position.0.to_le_bytes());
        put(&self.before.chain.to_le_bytes());
        put(&self.after.chain.to_le_bytes());
        put(&self.footer_offset.to_le_bytes());
        put(&self.frame_count.to_le_bytes());
        put(&self.transactions.to_le_bytes());
        put(&self.streams.to_le_bytes());
        put(&self.signposts.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..INDEX_HEADER_BYTES - 4]);
        bytes[INDEX_HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; INDEX_HEADER_BYTES]) -> Result<Self, IndexFault> {
        if bytes[..8] != MAGIC || u32_at(bytes, 8) != INDEX_VERSION {
            return Err(IndexFault::Damaged("it does not begin as an index file of this version"));
        }
        if crc32c::crc32c(&bytes[..INDEX_HEADER_BYTES - 4]) != u32_at(bytes, INDEX_HEADER_BYTES - 4) {
            return Err(IndexFault::Damaged("the checksum of its header differs"));
        }
        let mut log_id = [0; 16];
        log_id.copy_from_slice(&bytes[16..32]);
        let stamp = u64_at(bytes, 32);
        let header = Self {
            segment: u32_at(bytes, 12),
            log_id: LogId(log_id),
            stamp,
            before: Link {
                stamp: u64_at(bytes, 40),
                chain: u32_at(bytes, 64),
                next_position: Position(u64_at(bytes, 48)),
            },
            after: Link { stamp, chain: u32_at(bytes, 68), next_position: Position(u64_at(bytes, 56)) },
            footer_offset: u32_at(bytes, 72),
            frame_count: u32_at(bytes, 76),
            transactions: u64_at(bytes, 80),
            streams: u32_at(bytes, 88),
            signposts: u32_at(bytes, 92),
        };
        // Places are counted in 32 bits, and a segment cannot have more events than that.
        let events = header.after.next_position.0.checked_sub(header.before.next_position.0);
        if events.is_none_or(|events| events > u64::from(u32::MAX)) {
            return Err(IndexFault::Damaged("its positions are impossible"));
        }
        Ok(header)
    }

    /// Reads the header of a file and checks that the file has its length.
    pub(crate) fn read(file: &dyn DiskFile) -> Result<Self, IndexFault> {
        let mut bytes = [0; INDEX_HEADER_BYTES];
        if read_full_at(file, &mut bytes, 0)? < bytes.len() {
            return Err(IndexFault::Damaged("it is cut short"));
        }
        let header = Self::decode(&bytes)?;
        if file.length()? != header.file_bytes() {
            return Err(IndexFault::Damaged("it has another length than its header says"));
        }
        Ok(header)
    }

    /// What the segment has of a stream.
    pub(crate) fn held(&self, file: &dyn DiskFile, digest: u128, wanted: Wanted) -> Result<Option<Held>, IndexFault> {
        let Some(row) = self.find(file, digest)? else { return Ok(None) };
        let count = u64::from(row.count);
        if count == 0 || u64::from(row.start) + count > self.events() {
            return Err(IndexFault::Damaged("a stream has places that there are not"));
        }
        let (places_from, wanted) = wanted.of(row.first_version, count);
        let start = u64::from(row.start) + (places_from - row.first_version);
        let places = self.places(file, start, wanted)?;
        Ok(Some(Held { first_version: row.first_version, count, places, places_from }))
    }

    fn places(&self, file: &dyn DiskFile, start: u64, count: u64) -> Result<Vec<u32>, IndexFault> {
        let table = self.tables().places;
        let (mut places, mut buffer) = (Vec::with_capacity(count as usize), Vec::new());
        let mut next = start;
        while next < start + count {
            let block = next / table.rows_per_block();
            table.read(file, block, &mut buffer)?;
            let within = (next - block * table.rows_per_block()) as usize;
            let rows = buffer[within * PLACE_ROW_BYTES..].chunks_exact(PLACE_ROW_BYTES);
            places.extend(rows.take((start + count - next) as usize).map(|row| u32_at(row, 0)));
            next = start + places.len() as u64;
        }
        Ok(places)
    }

    /// Looks for a stream. Digests are spread evenly, so where one stands is guessed; a few guesses are enough.
    fn find(&self, file: &dyn DiskFile, digest: u128) -> Result<Option<StreamRow>, IndexFault> {
        let table = self.tables().streams;
        let blocks = table.blocks();
        let (mut low, mut high) = (0, blocks);
        let share = |part: u128| (((part >> 64) * u128::from(blocks)) >> 64) as u64;
        let mut guess = share(digest);
        let mut buffer = Vec::new();
        let mut guesses = 0;
        while low < high {
            let block = if guesses < GUESSES { guess.clamp(low, high - 1) } else { low + (high - low) / 2 };
            guesses += 1;
            table.read(file, block, &mut buffer)?;
            let rows = buffer.len() / STREAM_ROW_BYTES;
            let digest_at = |row: usize| digest_of(&buffer[row * STREAM_ROW_BYTES..]);
            let (first, last) = (digest_at(0), digest_at(rows - 1));
            if digest < first {
                high = block;
                guess = block.saturating_sub(1 + share(first - digest));
            } else if digest > last {
                low = block + 1;
                guess = low + share(digest - last);
            } else {
                let at = partition_point(rows, |row| digest_at(row) < digest);
                let row = StreamRow::of(&buffer[at * STREAM_ROW_BYTES..]);
                return Ok((row.digest == digest).then_some(row));
            }
        }
        Ok(None)
    }

    /// The last signpost at or before a position.
    pub(crate) fn signpost_before(
        &self,
        file: &dyn DiskFile,
        position: Position,
    ) -> Result<Option<Signpost>, IndexFault> {
        let table = self.tables().signposts;
        let (mut low, mut high) = (0, table.blocks());
        let mut found = None;
        let mut buffer = Vec::new();
        while low < high {
            let block = low + (high - low) / 2;
            table.read(file, block, &mut buffer)?;
            let rows = buffer.len() / SIGNPOST_ROW_BYTES;
            let signpost_at = |row: usize| signpost_of(&buffer[row * SIGNPOST_ROW_BYTES..]);
            match partition_point(rows, |row| signpost_at(row).position <= position) {
                0 => high = block,
                beyond => {
                    found = Some(signpost_at(beyond - 1));
                    low = block + 1;
                    if beyond < rows {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The signpost in a row.
pub(crate) fn signpost_of(row: &[u8]) -> Signpost {
    Signpost { position: Position(u64_at(row, 0)), offset: u64_at(row, 8) }
}

/// The folder of the index files within a log's folder.
pub(crate) fn index_folder(log: &Path) -> PathBuf {
    log.join("index")
}

/// The path of a segment's index file.
pub(crate) fn index_path(log: &Path, segment: u32) -> PathBuf {
    index_folder(log).join(format!("{segment:010}.idx"))
}

/// Writes an index file, whole or not at all.
pub(crate) fn write_index(disk: &dyn Disk, log: &Path, segment: u32, image: &[u8]) -> std::io::Result<()> {
    let path = index_path(log, segment);
    let unfinished = path.with_extension("idx.new");
    let written = disk.create(&unfinished).and_then(|file| {
        for (index, piece) in (0_u64..).zip(image.chunks(PIECE_BYTES)) {
            write_all_at(file.as_ref(), piece, index * PIECE_BYTES as u64)?;
        }
        file.sync()?;
        disk.rename(&unfinished, &path)?;
        disk.sync_folder(&index_folder(log))
    });
    if written.is_err() {
        // Gives the room back; what cannot be removed is written over the next time.
        let _ = disk.remove(&unfinished);
    }
    written
}

fn partition_point(rows: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, rows);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn digest_of(row: &[u8]) -> u128 {
    u128::from(u64_at(row, 8)) << 64 | u128::from(u64_at(row, 0))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
