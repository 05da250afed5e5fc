//! What fuzzing calls: each decoder of the crate on any bytes. Nothing here may panic, whatever the bytes are; what
//! decodes must be the same again when it is encoded and decoded once more. The decoders are private, so this door is
//! there only for the crate's own tests and, with the feature `fuzzing`, for `tests/fuzz`; no program is built with it.
//!
//! Random bytes hardly ever carry a right checksum. So bytes are tried as they are and, where that is not enough, once
//! more with their checksums put right, which is what gets past them.

use std::path::Path;
use std::sync::Arc;

use domain::ids::{Position, StreamId};

pub use crate::backup::manifest::fuzzing::backup_manifest;
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, write_all_at};
pub use crate::index::file::fuzzing::index;
use crate::log::frame::{FRAME_HEADER_BYTES, Footer, Frame, FrameHeader, Opening, check_crc, padded, seal};
use crate::log::reader::LogReader;
use crate::log::segment::{SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, segment_path, segments_folder};
use crate::log::verify::verify_on;
use crate::log::writer::seal_frames;
pub use crate::lsm::fuzzing::{manifest, run};
use crate::transaction::record::{Entry, Events, check_body};
use crate::transaction::{begin_entry, end_entry, put_event};

/// Where the simulated log stands.
const LOG: &str = "/log";

/// One frame of the log.
pub fn frame(data: &[u8]) {
    try_frame(data);
    if data.len() >= FRAME_HEADER_BYTES {
        try_frame(&sealed(data));
    }
}

fn sealed(data: &[u8]) -> Vec<u8> {
    let mut frame = data.to_vec();
    frame.resize(padded(frame.len()), 0);
    seal(&mut frame);
    frame
}

fn try_frame(data: &[u8]) {
    let stamp = data.get(24..32).map_or(0, |stamp| u64_at(stamp, 0));
    let Ok(header) = FrameHeader::decode(data, stamp) else { return };
    assert!(header.next_position() >= header.first_position);
    let mut again = data[..FRAME_HEADER_BYTES].to_vec();
    header.put(&mut again);
    assert_eq!(again, data[..FRAME_HEADER_BYTES], "the header is written as it was read");
    if check_crc(&header, data).is_err() {
        return;
    }
    let _ = (Opening::decode(&header, data), Footer::decode(&header, data));
    if Frame::check(&header, data).is_ok() {
        let frame = Frame::checked(header, data, 1, SEGMENT_HEADER_BYTES);
        assert_eq!(frame.events().count() as u64, u64::from(frame.event_count()));
        assert_eq!(frame.place().last_position, frame.last_position());
        frame.entries().for_each(look_at);
    }
}

/// The body of a transaction: entries, their events, and the events' JSON.
pub fn transaction(data: &[u8]) {
    let (mut rest, mut entries) = (data, 0);
    let mut position = Position(1);
    while let Ok((entry, after)) = Entry::decode(rest, position) {
        look_at(entry);
        write_again(entry);
        position = Position(entry.last_position().0 + 1);
        (rest, entries) = (after, entries + 1);
        if rest.is_empty() {
            break;
        }
    }
    let whole = check_body(data, u32::try_from(position.0 - 1).unwrap_or(u32::MAX), Position(1));
    assert_eq!(whole.is_ok(), rest.is_empty(), "{entries} entries, then {} bytes", rest.len());
}

fn look_at(entry: Entry<'_>) {
    let metadata = entry.metadata();
    assert_eq!(metadata.principal.as_ref(), entry.principal());
    let mut position = entry.first_position();
    for event in entry.events() {
        assert_eq!(event.position, position);
        let _ = event.decode(&metadata);
        position = position.next();
    }
    assert_eq!(position.0, entry.last_position().0 + 1);
}

/// Where all streams are of a kind that is written, the entry is written again and read as the same.
fn write_again(entry: Entry<'_>) {
    let mut again = Vec::new();
    begin_entry(&mut again, &entry.header()).expect("texts that were read fit");
    for event in entry.events() {
        let Ok(stream) = event.stream.parse::<StreamId>() else { return };
        let data = |json: &mut Vec<u8>| json.extend_from_slice(event.data);
        put_event(&mut again, &stream, event.version, event.event_type, event.schema_version, data)
            .expect("an event that was read fits");
    }
    end_entry(&mut again, 0, entry.event_count(), |json| json.extend_from_slice(entry.result()))
        .expect("an entry that was read fits");
    let (read, rest) = Entry::decode(&again, entry.first_position()).expect("what is written can be read");
    assert!(rest.is_empty());
    assert_eq!(read.event_count(), entry.event_count());
    for (one, other) in Events::zip(read.events(), entry.events()) {
        assert_eq!((one.position, one.stream, one.version), (other.position, other.stream, other.version));
        assert_eq!(
            (one.event_type, one.schema_version, one.data),
            (other.event_type, other.schema_version, other.data)
        );
    }
    let fields =
        |entry: Entry<'_>| (entry.recorded_at_us(), entry.effective_at_us(), entry.fingerprint(), entry.outcome());
    assert_eq!(fields(read), fields(entry));
    assert_eq!(read.result(), entry.result());
}

/// A log of up to two small segments on a simulated disk: read, verified, and every frame fetched by its place. The
/// first two bytes are the length of the first segment; the second has the rest; zeros follow each.
pub fn segment(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let first_bytes = rest.len().min(u16::from_le_bytes(*length).into());
    let (first, second) = rest.split_at(first_bytes);
    let segments: Vec<&[u8]> = [first, second].into_iter().filter(|segment| !segment.is_empty()).collect();
    let as_they_are: Vec<Vec<u8>> = segments.iter().map(|segment| filled(segment)).collect();
    try_log(&as_they_are);
    try_log(&mended(as_they_are));
}

fn filled(segment: &[u8]) -> Vec<u8> {
    let mut bytes = segment.to_vec();
    bytes.resize(bytes.len().max(SEGMENT_BYTES_MIN as usize), 0);
    bytes
}

/// The same segments with the checksums of their headers and frames put right, and what ties them to each other.
fn mended(mut segments: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let (mut before, mut chain) = (0_u64, 0);
    for (bytes, number) in segments.iter_mut().zip(1_u32..) {
        let length = bytes.len() as u64;
        bytes[12..16].copy_from_slice(&number.to_le_bytes());
        bytes[40..48].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        let stamp = u64_at(bytes, 32);
        let mut at = SEGMENT_HEADER_BYTES as usize;
        while bytes.get(at..at + FRAME_HEADER_BYTES).is_some_and(|header| header[..4] == *b"BFRM") {
            let body_bytes = u64_at(bytes, at + 8) as u32;
            let Some(frame) = bytes.get_mut(at..at + FRAME_HEADER_BYTES + padded(body_bytes as usize)) else { break };
            frame[24..32].copy_from_slice(&stamp.to_le_bytes());
            // Openings and footers have their chain put into them, so they must be long enough to have one.
            match frame[5] {
                1 if body_bytes < 16 => break,
                3 if body_bytes < 32 => break,
                1 => frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 8].copy_from_slice(&before.to_le_bytes()),
                _ => {}
            }
            chain = seal_frames(frame, chain);
            at += FRAME_HEADER_BYTES + padded(body_bytes as usize);
        }
        before = stamp;
    }
    segments
}

fn try_log(segments: &[Vec<u8>]) {
    let Some(log_id) = segments.first().map(|first| first[16..32].to_vec()) else { return };
    let disk = SimulatedDisk::new();
    let put = |path: &Path, bytes: &[u8]| {
        let file = disk.create(path).expect("the simulated disk takes it");
        write_all_at(file.as_ref(), bytes, 0).expect("the simulated disk takes it");
    };
    disk.create_folder(Path::new(LOG)).expect("the simulated disk takes it");
    disk.create_folder(&segments_folder(Path::new(LOG))).expect("the simulated disk takes it");
    let id: String = log_id.iter().map(|byte| format!("{byte:02x}")).collect();
    put(&Path::new(LOG).join("log.json"), format!("{{\"format_version\":1,\"log_id\":\"{id}\"}}").as_bytes());
    for (bytes, number) in segments.iter().zip(1..) {
        put(&segment_path(Path::new(LOG), number), bytes);
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let verified = verify_on(Arc::clone(&disk), Path::new(LOG), |_| {});
    let read = read_all(disk);
    if let Ok(verified) = verified {
        let read = read.expect("a log that is verified can be read");
        assert_eq!(read, (verified.transactions, verified.last_position), "{verified:?}");
    }
}

/// How many transactions there are, and the last position.
fn read_all(disk: Arc<dyn Disk>) -> Result<(u64, Position), String> {
    let reader = LogReader::open_on(disk, Path::new(LOG)).map_err(|error| error.to_string())?;
    let mut frames = reader.frames_after(Position::START).map_err(|error| error.to_string())?;
    let (mut transactions, mut last) = (0, Position::START);
    while let Some(frame) = frames.next_frame().map_err(|error| error.to_string())? {
        let place = frame.place();
        frame.entries().for_each(look_at);
        let fetched = reader.read_frame(place.segment, place.offset).expect("a frame that is read can be fetched");
        assert_eq!(fetched.frame(), frame);
        (transactions, last) = (transactions + 1, place.last_position);
    }
    Ok((transactions, last))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(<[u8]>::first_chunk::<8>).map_or(0, |field| u64::from_le_bytes(*field))
}

#[cfg(test)]
#[path = "../../tests/fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;

    #[test]
    fn no_bytes_are_too_much_for_a_frame() {
        replay("frame", super::frame);
    }

    #[test]
    fn no_bytes_are_too_much_for_a_transaction() {
        replay("transaction", super::transaction);
    }

    #[test]
    fn no_bytes_are_too_much_for_a_log() {
        replay("segment", super::segment);
    }

    #[test]
    fn no_bytes_are_too_much_for_the_manifest_of_derived_data() {
        replay("manifest", super::manifest);
    }

    #[test]
    fn no_bytes_are_too_much_for_a_run() {
        replay("run", super::run);
    }

    #[test]
    fn no_bytes_are_too_much_for_an_index_file() {
        replay("index", super::index);
    }

    #[test]
    fn no_bytes_are_too_much_for_the_manifest_of_a_backup() {
        replay("backup_manifest", super::backup_manifest);
    }
}
