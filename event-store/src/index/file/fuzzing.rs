//! The decoder of index files on any bytes; see `crate::fuzzing`.

use std::path::Path;

use domain::ids::Position;

use super::{INDEX_HEADER_BYTES, IndexHeader, Section, StreamRow};
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, write_all_at};
use crate::index::part::Wanted;

/// An index file: its header, the streams that it has, and its signposts.
pub fn index(data: &[u8]) {
    try_index(data);
    if let Some(mended) = mended(data) {
        try_index(&mended);
    }
}

fn try_index(data: &[u8]) {
    let disk = SimulatedDisk::new();
    let file = disk.create(Path::new("/0000000001.idx")).expect("the simulated disk takes it");
    write_all_at(file.as_ref(), data, 0).expect("the simulated disk takes it");
    let Ok(header) = IndexHeader::read(file.as_ref()) else { return };
    assert_eq!(IndexHeader::decode(&header.encode()).expect("what is written can be read"), header);
    let mut digests = vec![0, 1 << 127, u128::MAX];
    let mut rows = Vec::new();
    for block in 0..header.tables().streams.blocks() {
        if header.tables().streams.read(file.as_ref(), block, &mut rows).is_ok() {
            digests.extend(rows.chunks_exact(super::STREAM_ROW_BYTES).map(|row| StreamRow::of(row).digest));
        }
    }
    digests.truncate(32);
    for digest in digests {
        for wanted in [Wanted::From(0, 10), Wanted::From(1, usize::MAX), Wanted::DownFrom(u64::MAX, 3)] {
            if let Ok(Some(held)) = header.held(file.as_ref(), digest, wanted) {
                assert!(held.places.len() as u64 <= held.count && held.count <= header.events());
                assert!(held.places_from >= held.first_version);
            }
        }
    }
    let (first, after) = (header.before.next_position, header.after.next_position);
    for position in [Position::START, first, after, Position(u64::MAX)] {
        if let Ok(Some(signpost)) = header.signpost_before(file.as_ref(), position) {
            assert!(signpost.position <= position);
        }
    }
}

/// The same file with the checksums of its header and of every block put right.
fn mended(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = data.to_vec();
    let (header, crc) = bytes.get_mut(..INDEX_HEADER_BYTES)?.split_at_mut(INDEX_HEADER_BYTES - 4);
    crc.copy_from_slice(&crc32c::crc32c(header).to_le_bytes());
    let header = IndexHeader::decode(bytes.first_chunk()?).ok()?;
    let tables = header.tables();
    for section in [tables.streams, tables.places, tables.signposts] {
        mend_section(&mut bytes, &section);
    }
    Some(bytes)
}

fn mend_section(bytes: &mut [u8], section: &Section) {
    let Some(blocks) = bytes.get_mut(section.base as usize..) else { return };
    let block_bytes = section.rows_per_block() as usize * section.row_bytes + 4;
    let length = blocks.len().min(section.bytes() as usize);
    for (block, number) in blocks[..length].chunks_mut(block_bytes).zip(0_u32..) {
        let Some((rows, crc)) = block.split_last_chunk_mut::<4>() else { return };
        *crc = section.crc(number, rows).to_le_bytes();
    }
}
