//! Whether an index file vouches for its segment: then the segment was checked when the file was made, and opening the
//! log need not read it again. What it says is held against the segment's header, its opening and its footer, and
//! against the segment before.

use super::file::{IndexHeader, index_path};
use crate::disk::{Access, read_full_at};
use crate::log::folder::{Folder, OpenSegment};
use crate::log::frame::{
    FOOTER_BYTES, FRAME_HEADER_BYTES, Footer, FrameHeader, FrameKind, OPENING_BYTES, Opening, chain_on, check_crc,
};
use crate::log::scan::Link;
use crate::log::segment::SEGMENT_HEADER_BYTES;

/// The header of the segment's index file, if that is whole and fits the segment and the one before it.
pub(crate) fn vouch(folder: &Folder, segment: &OpenSegment, before: Link) -> Option<IndexHeader> {
    let number = segment.header.number;
    let file = folder.disk.open(&index_path(&folder.path, number), Access::Read).ok()?;
    let index = IndexHeader::read(file.as_ref()).ok()?;
    let fits = index.segment == number
        && index.log_id == segment.header.log_id
        && index.stamp == segment.header.stamp
        && index.before == before;
    (fits && opens(segment, before) && is_sealed(segment, &index)).then_some(index)
}

fn opens(segment: &OpenSegment, before: Link) -> bool {
    let mut bytes = [0; OPENING_BYTES];
    let Some(header) = frame(segment, SEGMENT_HEADER_BYTES, &mut bytes) else { return false };
    let opening = Opening { previous_stamp: before.stamp, previous_chain: before.chain };
    let first = (header.frame_number, header.first_position) == (0, before.next_position);
    first && Opening::decode(&header, &bytes) == Ok(opening)
}

fn is_sealed(segment: &OpenSegment, index: &IndexHeader) -> bool {
    let mut bytes = [0; FOOTER_BYTES];
    let Some(header) = frame(segment, index.footer_offset.into(), &mut bytes) else { return false };
    let Ok(footer) = Footer::decode(&header, &bytes) else { return false };
    let next_position = index.after.next_position;
    let expected = Footer {
        last_position: domain::ids::Position(next_position.0 - 1),
        event_count: index.events(),
        frame_count: index.frame_count,
        used_bytes: index.footer_offset.wrapping_add(FOOTER_BYTES as u32),
        chain: footer.chain,
    };
    header.kind == FrameKind::Footer
        && (header.frame_number, header.first_position) == (index.frame_count, next_position)
        && footer == expected
        && chain_on(footer.chain, &bytes[..FRAME_HEADER_BYTES]) == index.after.chain
}

/// The header of the frame at `offset`, which has exactly the length of `bytes` and is whole.
fn frame(segment: &OpenSegment, offset: u64, bytes: &mut [u8]) -> Option<FrameHeader> {
    let read = read_full_at(segment.file.as_ref(), bytes, offset).ok()?;
    let header = FrameHeader::decode(&bytes[..read], segment.header.stamp).ok()?;
    (header.frame_bytes() == bytes.len() && check_crc(&header, bytes).is_ok()).then_some(header)
}
