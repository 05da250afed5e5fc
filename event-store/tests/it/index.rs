//! The index files of sealed segments: what is read through them is what is in the log, whether they are there, missing,
//! damaged or of another segment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::{Position, Version};
use event_store::disk::simulated::{Failing, SimulatedDisk};
use event_store::disk::{Access, Disk};
use event_store::log::{Direction, Log, Options};

use crate::measured::Measured;
use crate::workload::{
    FOLDER, Versions, Writing, account, append, append_padded, assert_streams, indexed, numbers, simulated,
    small_segments,
};

/// Transactions in [`long_log`].
const COUNT: u64 = 700;

fn index_file(number: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("index/{number:010}.idx"))
}

/// A log of more than 14 sealed segments, cleanly stopped.
fn long_log() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    for number in 0..COUNT {
        append(&mut writing.appender, &mut versions, number).unwrap();
        if number % 7 == 0 {
            writing.settle(number);
        }
    }
    // A file that did not come in time would be made at the next start only.
    indexed(&writing.log);
    writing.appender.close().unwrap();
    disk
}

fn index_files(disk: &SimulatedDisk) -> usize {
    let names = disk.names(&Path::new(FOLDER).join("index")).unwrap();
    assert!(names.iter().all(|name| name.ends_with(".idx")), "{names:?}");
    names.len()
}

fn bytes(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Opens the log, checks everything that is read through the index before and after its files are made again, and that
/// they come out as they were.
fn reads_right(disk: &SimulatedDisk, as_they_were: &SimulatedDisk, told: &str) {
    let opened = Log::open(Path::new(FOLDER), simulated(disk)).unwrap();
    assert_eq!(opened.recovery.transactions, COUNT, "{told}");
    assert_streams(&opened.log, COUNT, told);
    for position in (1..=2 * COUNT).step_by(97) {
        let read = opened.log.read_all(Position(position), 3).unwrap();
        let found: Vec<_> = read.iter().map(|event| event.record().position.0).collect();
        let expected: Vec<_> = (position..=2 * COUNT).take(3).collect();
        assert_eq!(found, expected, "{told}");
    }
    indexed(&opened.log);
    assert_streams(&opened.log, COUNT, told);
    drop(opened);
    for number in 1..=index_files(as_they_were) as u32 {
        let path = index_file(number);
        assert!(bytes(disk, &path) == bytes(as_they_were, &path), "{told}: {} differs", path.display());
    }
}

#[test]
fn every_sealed_segment_gets_a_file_and_streams_are_read_through_it() {
    let disk = long_log();
    assert!(index_files(&disk) >= 14, "{}", index_files(&disk));
    reads_right(&disk.fork(), &disk, "as it was written");
}

#[test]
fn opening_reads_the_tail_of_the_log_and_not_its_history() {
    let disk = long_log();
    let read = |disk: &SimulatedDisk| {
        let measured = Measured::new(disk.clone());
        let options = Options { disk: Arc::new(measured.clone()), ..small_segments() };
        let opened = Log::open(Path::new(FOLDER), options).unwrap();
        assert_eq!(opened.recovery.transactions, COUNT);
        let read = measured.read_bytes();
        drop(opened);
        read
    };
    let (without, files) = (disk.fork(), index_files(&disk));
    for number in 1..=files as u32 {
        without.remove(&index_file(number)).unwrap();
    }
    let segment = small_segments().segment_bytes;
    let (with, without) = (read(&disk.fork()), read(&without));
    // For a sealed segment: headers, opening, footer, and whether the next has begun.
    assert!(with < 4 * segment + files as u64 * 1024, "{with} bytes of {files} segments");
    assert!(without > files as u64 * (segment - 4096), "{without} bytes of {files} segments");
}

#[test]
fn files_that_are_missing_or_mixed_up_are_made_again() {
    let disk = long_log();
    let files = index_files(&disk) as u32;
    let all_gone = disk.fork();
    for number in 1..=files {
        all_gone.remove(&index_file(number)).unwrap();
    }
    reads_right(&all_gone, &disk, "all gone");
    let (one_gone, swapped, cut, empty, other) = (disk.fork(), disk.fork(), disk.fork(), disk.fork(), disk.fork());
    one_gone.remove(&index_file(3)).unwrap();
    reads_right(&one_gone, &disk, "one gone");
    put(&swapped, &index_file(3), &bytes(&disk, &index_file(4)));
    put(&swapped, &index_file(4), &bytes(&disk, &index_file(3)));
    reads_right(&swapped, &disk, "swapped");
    let whole = bytes(&disk, &index_file(5));
    put(&cut, &index_file(5), &whole[..whole.len() - 1]);
    reads_right(&cut, &disk, "cut short");
    put(&empty, &index_file(5), &[]);
    reads_right(&empty, &disk, "empty");
    put(&other, &index_file(2), &bytes(&long_log(), &index_file(2)));
    reads_right(&other, &disk, "of another log");
}

#[test]
fn a_disk_that_takes_no_index_files_is_not_in_the_way() {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    disk.fail(Failing::Writes, ".idx.new");
    for number in 0..40 {
        append_padded(&mut writing.appender, &mut versions, number, 1200).unwrap();
        writing.settle(number);
    }
    assert_streams(&writing.log, 40, "without files");
    assert!(writing.log.index_status().without_file >= 9, "{:?}", writing.log.index_status());
    writing.appender.close().unwrap();
    assert_eq!(index_files(&disk), 0);
    disk.mend();
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    indexed(&opened.log);
    assert_streams(&opened.log, 40, "made again");
    assert_eq!(numbers(&opened.log), (0..40).collect::<Vec<_>>());
    assert!(index_files(&disk) >= 9);
}

#[test]
fn any_part_of_a_stream_is_read_over_sealed_and_open_segments() {
    let disk = long_log();
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let read = |stream, from, direction, limit| -> Vec<u64> {
        let events = opened.log.read_stream(&account(stream), Version(from), direction, limit).unwrap();
        events.iter().map(|event| event.record().version.0).collect()
    };
    for (from, limit) in [(0, 1), (0, 250), (100, 3), (350, 400), (699, 5), (700, 5), (u64::MAX, 5), (5, 0)] {
        let forward: Vec<u64> = (from..COUNT.max(from)).take(limit).collect();
        assert_eq!(read(3, from, Direction::Forward, limit), forward, "{from} {limit}");
        let backward: Vec<u64> = (0..=from.min(COUNT - 1)).rev().take(limit).collect();
        assert_eq!(read(3, from, Direction::Backward, limit), backward, "{from} {limit}");
    }
    assert_eq!(read(7, 0, Direction::Forward, 9), [] as [u64; 0]);
    assert_eq!(read(7, u64::MAX, Direction::Backward, 9), [] as [u64; 0]);
}

fn put(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
    let file = disk.create(path).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
}
