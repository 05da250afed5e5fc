//! The sum of what an index file holds, to compare it with its segment in little memory: the order of neither matters.

use super::blocks::{IndexFault, Section};
use super::digest::StreamDigest;
use super::file::{IndexHeader, StreamRow, signpost_of};
use super::part::SIGNPOST_BYTES;
use crate::disk::DiskFile;
use crate::log::frame::Frame;

/// A sum over events and signposts; equal sums mean equal contents but for a chance of 1 in 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    events: u64,
    event_sum: u64,
    signposts: u64,
    signpost_sum: u64,
    last_signpost: Option<u64>,
}

impl Tally {
    /// Adds a transaction of the segment.
    pub(crate) fn transaction(&mut self, digest: &StreamDigest, frame: &Frame<'_>) {
        let place = frame.place();
        if self.last_signpost.is_none_or(|last| place.offset - last >= SIGNPOST_BYTES) {
            self.signpost(place.first_position.0, place.offset);
        }
        for event in frame.events() {
            self.event(digest.of(event.stream.as_bytes()), event.version.0, place.offset / 8);
        }
    }

    fn event(&mut self, digest: u128, version: u64, place: u64) {
        self.events += 1;
        let mixed = mix(mix(mix(digest as u64) ^ (digest >> 64) as u64) ^ version) ^ place;
        self.event_sum = self.event_sum.wrapping_add(mix(mixed));
    }

    fn signpost(&mut self, position: u64, offset: u64) {
        self.signposts += 1;
        self.last_signpost = Some(offset);
        self.signpost_sum = self.signpost_sum.wrapping_add(mix(mix(position) ^ offset));
    }
}

/// Reads a whole index file and sums it up.
pub(crate) fn tally_file(header: &IndexHeader, file: &dyn DiskFile) -> Result<Tally, IndexFault> {
    if IndexHeader::read(file)? != *header {
        return Err(IndexFault::Damaged("its header is not what it was"));
    }
    let tables = header.tables();
    let mut tally = Tally::default();
    let mut places = Rows::new(tables.places);
    let mut last = None;
    let mut streams = Rows::new(tables.streams);
    let mut next = 0;
    for _ in 0..tables.streams.rows {
        let row = StreamRow::of(streams.next(file)?);
        if last.is_some_and(|last| last >= row.digest) || row.start != next {
            return Err(IndexFault::Damaged("its streams are not in order"));
        }
        last = Some(row.digest);
        next = row.start.wrapping_add(row.count);
        for index in 0..u64::from(row.count) {
            let place = places.next(file)?.first_chunk::<4>().map_or(0, |place| u32::from_le_bytes(*place));
            tally.event(row.digest, row.first_version.wrapping_add(index), place.into());
        }
    }
    let mut signposts = Rows::new(tables.signposts);
    for _ in 0..tables.signposts.rows {
        let signpost = signpost_of(signposts.next(file)?);
        tally.signpost(signpost.position.0, signpost.offset);
    }
    Ok(tally)
}

/// The rows of a table, one after another.
struct Rows {
    table: Section,
    next: u64,
    buffer: Vec<u8>,
}

impl Rows {
    const fn new(table: Section) -> Self {
        Self { table, next: 0, buffer: Vec::new() }
    }

    fn next(&mut self, file: &dyn DiskFile) -> Result<&[u8], IndexFault> {
        if self.next >= self.table.rows {
            return Err(IndexFault::Damaged("a stream has places that there are not"));
        }
        let within = self.next % self.table.rows_per_block();
        if within == 0 {
            self.table.read(file, self.next / self.table.rows_per_block(), &mut self.buffer)?;
        }
        self.next += 1;
        Ok(&self.buffer[within as usize * self.table.row_bytes..])
    }
}

/// SplitMix64's finalizer (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
const fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
