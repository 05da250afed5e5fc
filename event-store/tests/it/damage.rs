//! Torn tails and damaged bytes: the first are cut, the second refused, neither is passed over.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::Position;
use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::disk::{Access, Disk};
use event_store::log::Log;
use event_store::log::frame::FramePlace;
use event_store::log::reader::{LogReader, ReadError};
use event_store::log::recovery::OpenError;
use event_store::log::verify::{VerifyError, verify_on};

use crate::workload::{FOLDER, Versions, Writing, append, number_of, numbers, simulated, try_numbers};

fn segment(number: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("segments/{number:010}.seg"))
}

/// A log with `groups` transactions, each a write of its own, stopped cleanly or not.
fn written(groups: u64, close: bool) -> (SimulatedDisk, Vec<FramePlace>) {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let mut places = Vec::new();
    for number in 0..groups {
        places.push(append(&mut writing.appender, &mut versions, number).unwrap());
        writing.settle(number);
    }
    if close {
        writing.appender.close().unwrap();
    } else {
        // What the process does from here on is of no consequence: it works on a disk that nobody looks at.
        let disk = disk.fork();
        disk.restart_process();
        return (disk, places);
    }
    (disk, places)
}

fn bytes(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn overwrite(disk: &SimulatedDisk, path: &Path, offset: u64, with: &[u8]) {
    let file = disk.open(path, Access::ReadWrite).unwrap();
    file.write_at(with, offset).unwrap();
    file.sync().unwrap();
}

/// Where the last byte that is not zero stands, plus one.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_frame_is_cut_and_kept() {
    let (disk, places) = written(5, false);
    let last = places[4].offset;
    let whole = bytes(&disk, &segment(1));
    let end = used(&whole) as u64;
    for cut in last..end {
        // Beyond the cut stand zeros, or what was never written by us.
        for garbage in [0_u8, 0xa5] {
            let disk = disk.fork();
            overwrite(&disk, &segment(1), cut, &vec![garbage; (end - cut) as usize]);
            let torn = bytes(&disk, &segment(1));
            let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
            assert_eq!(numbers(&opened.log), [0, 1, 2, 3], "cut at {cut}");
            if used(&torn) as u64 <= last {
                assert_eq!(opened.recovery.torn, None);
                continue;
            }
            let tail = opened.recovery.torn.unwrap();
            assert_eq!((tail.segment, tail.offset), (1, last), "cut at {cut}");
            drop(opened.appender);
            disk.restart(Survival::Nothing);
            let kept = bytes(&disk, &tail.kept_in);
            assert_eq!(kept.len() as u64, tail.bytes);
            assert_eq!(kept, torn[last as usize..(last + tail.bytes) as usize]);
            // Only the mark that recovery leaves follows the last whole frame.
            assert_eq!(used(&bytes(&disk, &segment(1))) as u64, last + 48);
        }
    }
}

#[test]
fn a_flipped_bit_after_a_clean_stop_is_found_or_harmless() {
    let (disk, places) = written(60, true);
    assert_eq!((places[0].segment, places[59].segment), (1, 2), "one sealed and one open segment");
    let mut inside = 0;
    for number in [1, 2] {
        let whole = bytes(&disk, &segment(number));
        let mark = used(&whole).next_multiple_of(8) - 48;
        for byte in
            (0..whole.len()).filter(|byte| byte % 97 == 0 || *byte < 64 || (4096..used(&whole) + 16).contains(byte))
        {
            let disk = disk.fork();
            let bit = byte as u64 * 8 + byte as u64 % 8;
            disk.flip_bit(&segment(number), bit).unwrap();
            let told = format!("segment {number}, byte {byte}");
            let verified = verify_on(Arc::new(disk.clone()), Path::new(FOLDER), |_| {});
            match Log::open(Path::new(FOLDER), simulated(&disk)) {
                // The index file of a sealed segment vouches for it: what is inside is found by who reads it.
                Ok(opened) if number == 1 && byte >= 4096 => {
                    let Err(VerifyError::Damaged(damage)) = verified else { panic!("{told}: verified") };
                    match try_numbers(&opened.log) {
                        Ok(read) => {
                            assert!(byte >= used(&whole), "{told}");
                            assert_eq!(read, (0..60).collect::<Vec<_>>(), "{told}");
                        }
                        Err(ReadError::Damaged(found)) => assert_eq!(found, damage, "{told}"),
                        Err(other) => panic!("{told}: {other}"),
                    }
                    inside += 1;
                }
                Ok(opened) => {
                    assert_eq!(numbers(&opened.log), (0..60).collect::<Vec<_>>(), "{told}");
                    let harmless = (64..4096).contains(&byte) || (number == 2 && byte >= mark);
                    assert!(harmless, "{told}");
                    assert_eq!(opened.recovery.torn.is_some(), byte >= mark, "{told}");
                    assert_eq!(verified.unwrap().torn.is_some(), byte >= mark, "{told}");
                }
                Err(OpenError::Damaged(damage)) => {
                    assert_eq!(damage.segment, number, "{told}");
                    assert!(damage.offset >= 4096 && damage.offset <= byte as u64, "{told}: {damage}");
                    assert!(matches!(verified, Err(VerifyError::Damaged(found)) if found == damage), "{told}");
                }
                Err(OpenError::Folder(refused)) => assert!(byte < 64, "{told}: {refused}"),
                Err(other) => panic!("{told}: {other}"),
            }
        }
    }
    assert!(inside > 10_000, "{inside}");
}

#[test]
fn a_flipped_bit_after_a_crash_costs_the_last_write_at_most() {
    let (disk, places) = written(6, false);
    let whole = bytes(&disk, &segment(1));
    for byte in 4096..used(&whole) {
        let disk = disk.fork();
        disk.flip_bit(&segment(1), byte as u64 * 8 + 3).unwrap();
        match Log::open(Path::new(FOLDER), simulated(&disk)) {
            Ok(opened) => {
                assert!(byte as u64 >= places[5].offset, "byte {byte}");
                assert_eq!(opened.recovery.torn.unwrap().offset, places[5].offset);
                assert_eq!(numbers(&opened.log), [0, 1, 2, 3, 4]);
            }
            Err(OpenError::Damaged(damage)) => {
                assert!((byte as u64) < places[5].offset, "byte {byte}: {damage}");
            }
            Err(other) => panic!("byte {byte}: {other}"),
        }
    }
}

#[test]
fn damage_names_its_place_and_reading_goes_as_far_as_the_log_is_whole() {
    let (disk, places) = written(6, true);
    disk.flip_bit(&segment(1), (places[2].offset + 60) * 8).unwrap();
    let before = bytes(&disk, &segment(1));
    let error = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "segment 1 (/data/log/segments/0000000001.seg) is damaged at byte {}: the checksum of the frame's body \
             differs, but the frame at byte {} was written when this was durable. Events from position 5 to 6 are \
             affected. Nothing was changed; put the segment back from a copy. Read-only tools still read what is \
             whole",
            places[2].offset, places[3].offset
        )
    );
    assert_eq!(bytes(&disk, &segment(1)), before);
    let reader = LogReader::open_on(Arc::new(disk), Path::new(FOLDER)).unwrap();
    let mut frames = reader.frames_after(Position::START).unwrap();
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 0);
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 1);
    let error = frames.next_frame().unwrap_err().to_string();
    assert!(error.contains(&format!("is damaged at byte {}", places[2].offset)), "{error}");
    // What stands after the damage can still be fetched by its place.
    assert_eq!(number_of(&reader.read_frame(1, places[3].offset).unwrap().frame()), 3);
    assert!(reader.read_frame(1, places[2].offset).is_err());
}

#[test]
fn a_hole_inside_the_last_write_is_cut_with_what_follows_it() {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    append(&mut writing.appender, &mut versions, 0).unwrap();
    writing.settle(0);
    // One write of three transactions: a crash may keep the third and lose the second.
    let places: Vec<_> = (1..4).map(|number| append(&mut writing.appender, &mut versions, number).unwrap()).collect();
    writing.settle(1);
    let disk = disk.fork();
    disk.restart_process();
    let length = (places[2].offset - places[1].offset) as usize;
    overwrite(&disk, &segment(1), places[1].offset, &vec![0; length]);
    let reader = LogReader::open_on(Arc::new(disk.clone()), Path::new(FOLDER)).unwrap();
    let mut frames = reader.frames_after(Position::START).unwrap();
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 0);
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 1);
    assert_eq!(frames.next_frame().unwrap(), None);
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    assert_eq!(numbers(&opened.log), [0, 1]);
    assert_eq!(opened.recovery.torn.unwrap().offset, places[1].offset);
}
