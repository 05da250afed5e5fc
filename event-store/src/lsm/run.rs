//! A run that is complete: opening it, and looking a key up in it. Nothing is written here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::{find, is_whole, read_header};
use super::cursor::Cursor;
use super::fault::DiskFault;
use super::fences::{Fences, PAGE_BYTES, Place, not_above};
use super::filter::{Filter, LINE_BYTES, Line, Probe, line_of};
use super::footer::{FOOTER_BYTES, Footer, SUMMARY_KEY_BYTES};
use crate::disk::{Access, Disk, DiskFile, read_full_at};

/// Bytes of one read while an index is loaded; a multiple of a page and of a line.
const LOAD_BYTES: u64 = 1 << 20;
/// What a lookup may keep of the buffer that it read a block into.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

pub(super) fn run_path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:010}.run"))
}

/// A run's file, open, its footer and summary known.
#[derive(Debug)]
pub(super) struct RunFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    footer: Footer,
    /// The first key of every page of fences.
    summary: Vec<u128>,
}

/// A run as a table has it: with its index in memory, or on disk only.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) file: Arc<RunFile>,
    pub(super) index: Option<Arc<Index>>,
}

/// Filter and fences of a run, in memory.
#[derive(Debug)]
pub(super) struct Index {
    filter: Filter,
    fences: Fences,
    /// All loaded indexes together, these bytes included.
    loaded_bytes: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Index {
    fn drop(&mut self) {
        self.loaded_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl RunFile {
    pub(super) const fn new(file: Arc<dyn DiskFile>, path: PathBuf, footer: Footer, summary: Vec<u128>) -> Self {
        Self { file, path, footer, summary }
    }

    /// Opens the run with this number and reads its footer and summary.
    pub(super) fn open(disk: &dyn Disk, folder: &Path, id: u64) -> Result<Self, DiskFault> {
        let path = run_path(folder, id);
        let file = disk.open(&path, Access::Read).map_err(DiskFault::when("opening", &path))?;
        let length = file.length().map_err(DiskFault::when("measuring", &path))?;
        let Some(footer_offset) = length.checked_sub(FOOTER_BYTES as u64) else {
            return Err(DiskFault::damage(&path, format!("it has {length} bytes, less than a footer")));
        };
        let mut bytes = [0; FOOTER_BYTES];
        read_whole(file.as_ref(), &path, &mut bytes, footer_offset)?;
        let footer = Footer::decode(&bytes, length).map_err(|reason| DiskFault::damage(&path, reason))?;
        let mut bytes = vec![0; (footer.fence_pages() * SUMMARY_KEY_BYTES) as usize];
        read_whole(file.as_ref(), &path, &mut bytes, footer.summary_offset())?;
        if crc32c::crc32c(&bytes) != footer.summary_checksum {
            return Err(DiskFault::damage(&path, "its summary has a wrong checksum".to_owned()));
        }
        let (keys, _) = bytes.as_chunks::<16>();
        let summary = keys.iter().map(|key| u128::from_le_bytes(*key)).collect();
        Ok(Self { file, path, footer, summary })
    }

    pub(super) const fn footer(&self) -> &Footer {
        &self.footer
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Memory that the index takes when it is loaded.
    pub(super) const fn index_bytes(&self) -> u64 {
        self.footer.filter_lines() * LINE_BYTES as u64 + self.footer.blocks * 32
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor::new(Arc::clone(&self.file), self.path.clone(), self.footer.stamp, self.footer.blocks_end)
    }

    /// Reads filter and fences into memory, every checksum checked.
    pub(super) fn load_index(&self, loaded_bytes: &Arc<AtomicU64>) -> Result<Index, DiskFault> {
        let footer = &self.footer;
        let mut fences = Fences::with_capacity(footer.blocks as usize);
        let (from, to) = (footer.fences_offset(), footer.filter_offset());
        self.read_pieces::<PAGE_BYTES>(from, to, |page, offset| fences.read_page(page, footer.stamp, offset))?;
        if fences.len() as u64 != footer.blocks {
            let reason = format!("it has {} fences for {} blocks", fences.len(), footer.blocks);
            return Err(DiskFault::damage(&self.path, reason));
        }
        let mut lines = Vec::with_capacity(footer.filter_lines() as usize);
        self.read_pieces::<LINE_BYTES>(to, footer.summary_offset(), |line, offset| {
            lines.push(Line::decode(line, footer.stamp, offset)?);
            Some(())
        })?;
        let bytes = self.index_bytes();
        loaded_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Index { filter: Filter(lines), fences, loaded_bytes: Arc::clone(loaded_bytes), bytes })
    }

    /// Reads from `from` to `to` and gives out pieces of `N` bytes with their offsets; `None` from `take` is damage.
    fn read_pieces<const N: usize>(
        &self,
        from: u64,
        to: u64,
        mut take: impl FnMut(&[u8; N], u64) -> Option<()>,
    ) -> Result<(), DiskFault> {
        let mut bytes = vec![0; LOAD_BYTES.min(to - from) as usize];
        let mut offset = from;
        while offset < to {
            let length = LOAD_BYTES.min(to - offset) as usize;
            read_whole(self.file.as_ref(), &self.path, &mut bytes[..length], offset)?;
            let (pieces, _) = bytes[..length].as_chunks::<N>();
            for piece in pieces {
                if take(piece, offset).is_none() {
                    return Err(self.wrong_checksum("the piece of the index", offset));
                }
                offset += N as u64;
            }
        }
        Ok(())
    }

    fn wrong_checksum(&self, what: &str, offset: u64) -> DiskFault {
        DiskFault::damage(&self.path, format!("{what} at byte {offset} has a wrong checksum"))
    }

    /// Asks the filter on disk.
    fn may_contain(&self, probe: &Probe) -> Result<bool, DiskFault> {
        let line = line_of(probe.key(), self.footer.filter_lines());
        let offset = self.footer.filter_offset() + line * LINE_BYTES as u64;
        let mut bytes = [0; LINE_BYTES];
        read_whole(self.file.as_ref(), &self.path, &mut bytes, offset)?;
        let line = Line::decode(&bytes, self.footer.stamp, offset);
        let line = line.ok_or_else(|| self.wrong_checksum("the line of the filter", offset))?;
        Ok(line.may_contain(probe))
    }

    /// Asks the fences on disk.
    fn locate(&self, key: u128) -> Result<Option<Place>, DiskFault> {
        let Some(page) = not_above(&self.summary, key).checked_sub(1) else { return Ok(None) };
        let offset = self.footer.fences_offset() + (page * PAGE_BYTES) as u64;
        let mut bytes = [0; PAGE_BYTES];
        read_whole(self.file.as_ref(), &self.path, &mut bytes, offset)?;
        let mut fences = Fences::default();
        let read = fences.read_page(&bytes, self.footer.stamp, offset);
        read.ok_or_else(|| self.wrong_checksum("the page of fences", offset))?;
        Ok(fences.locate(key))
    }
}

impl Run {
    /// Asks the filter, without reading from the disk: true when it is not in memory.
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        self.index.as_ref().is_none_or(|index| index.filter.may_contain(probe))
    }

    /// Looks a key up, after [`Run::may_contain`] said that it may be here; `block` is a buffer to be used again.
    pub(super) fn get(&self, probe: &Probe, block: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, DiskFault> {
        let place = match &self.index {
            Some(index) => index.fences.locate(probe.key()),
            None if self.file.may_contain(probe)? => self.file.locate(probe.key())?,
            None => None,
        };
        let Some(place) = place else { return Ok(false) };
        let RunFile { file, path, footer, .. } = self.file.as_ref();
        // Before room is made for it: a length can be anything.
        if place.offset.checked_add(place.length.into()).is_none_or(|end| end > footer.blocks_end) {
            let reason = format!("a fence names {} bytes at byte {}", place.length, place.offset);
            return Err(DiskFault::damage(path, format!("{reason}, and the blocks end at byte {}", footer.blocks_end)));
        }
        block.resize(place.length as usize, 0);
        read_whole(file.as_ref(), path, block, place.offset)?;
        let as_fenced = read_header(block).is_some_and(|(checksum, _)| checksum == place.checksum);
        if !as_fenced || !is_whole(block, footer.stamp, place.offset) {
            return Err(self.file.wrong_checksum("the block", place.offset));
        }
        let found = find(block, probe.key())
            .map_err(|_| DiskFault::damage(path, format!("the block at byte {} holds no records", place.offset)))?;
        if let Some(found) = found {
            value.extend_from_slice(found);
        }
        let found = found.is_some();
        if block.capacity() > SCRATCH_BYTES_MAX {
            *block = Vec::new();
        }
        Ok(found)
    }
}

fn read_whole(file: &dyn DiskFile, path: &Path, bytes: &mut [u8], offset: u64) -> Result<(), DiskFault> {
    let read = read_full_at(file, bytes, offset).map_err(DiskFault::when("reading", path))?;
    if read < bytes.len() {
        let source = io::Error::new(io::ErrorKind::InvalidData, format!("it ends at byte {}", offset + read as u64));
        return Err(DiskFault { doing: "reading", path: path.to_owned(), source });
    }
    Ok(())
}
