//! Folders that are not what a log has, each with its own words.

use std::path::Path;
use std::sync::Arc;

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::log::reader::LogReader;
use event_store::log::recovery::OpenError;
use event_store::log::{Log, Options};

use crate::workload::{FOLDER, Versions, Writing, append, append_padded, numbers, simulated, small_segments};

/// A log of at least four segments, cleanly stopped.
fn long_log() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    for number in 0..20 {
        let place = append_padded(&mut writing.appender, &mut versions, number, 1200).unwrap();
        assert_eq!(u64::from(place.segment), 1 + number / 4);
    }
    writing.appender.close().unwrap();
    disk
}

fn refused(disk: &SimulatedDisk) -> String {
    Log::open(Path::new(FOLDER), simulated(disk)).unwrap_err().to_string()
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(FOLDER).join(name)
}

#[test]
fn the_second_process_is_told_who_has_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let first = Log::open(folder.path(), small_segments()).unwrap();
    let error = Log::open(folder.path(), small_segments()).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { .. }));
    let owner = format!("is in use by process {} since 20", std::process::id());
    assert!(error.to_string().contains(&owner), "{error}");
    assert!(error.to_string().ends_with("Stop that process, or give this one another folder"), "{error}");
    drop(first);
    Log::open(folder.path(), small_segments()).unwrap();
}

#[test]
fn a_missing_segment_is_named() {
    let disk = long_log();
    disk.remove(&path("segments/0000000003.seg")).unwrap();
    assert_eq!(
        refused(&disk),
        "segment 3 is missing: /data/log/segments/0000000003.seg does not exist but segment 4 does. Put the file back \
         from a copy"
    );
    for number in [1, 2, 4, 5, 6] {
        disk.remove(&path(&format!("segments/{number:010}.seg"))).unwrap();
    }
    assert_eq!(
        refused(&disk),
        "segment 1 is missing: /data/log/segments/0000000001.seg does not exist but log.json does. Put the file back \
         from a copy"
    );
}

#[test]
fn a_segment_of_another_log_is_named() {
    let (disk, other) = (long_log(), long_log());
    copy(&other, &path("segments/0000000002.seg"), &disk, &path("segments/0000000002.seg"));
    let told = refused(&disk);
    assert!(told.starts_with("/data/log/segments/0000000002.seg belongs to log "), "{told}");
}

#[test]
fn a_segment_under_another_number_is_named() {
    let disk = long_log();
    let from = disk.fork();
    copy(&from, &path("segments/0000000003.seg"), &disk, &path("segments/0000000002.seg"));
    assert_eq!(
        refused(&disk),
        "/data/log/segments/0000000002.seg says that it is segment 3. It was renamed or replaced: put the right file \
         back from a copy"
    );
}

#[test]
fn a_segment_from_an_older_copy_of_the_same_log_is_found_by_its_link() {
    let disk = SimulatedDisk::new();
    Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap().appender.close().unwrap();
    // Two lives of one log that part after the first start.
    let lives = [disk.fork(), disk.fork()];
    for (disk, padding) in lives.iter().zip([1200, 1100]) {
        let mut versions = Versions::default();
        let mut writing = Writing::open(Path::new(FOLDER), simulated(disk)).unwrap();
        for number in 0..12 {
            append_padded(&mut writing.appender, &mut versions, number, padding).unwrap();
        }
        writing.appender.close().unwrap();
    }
    copy(&lives[1], &path("segments/0000000002.seg"), &lives[0], &path("segments/0000000002.seg"));
    let told = refused(&lives[0]);
    assert!(told.contains("it was opened after another segment than the one before it"), "{told}");
}

#[test]
fn a_newer_format_is_not_touched() {
    let disk = long_log();
    let file = disk.open(&path("segments/0000000001.seg"), Access::ReadWrite).unwrap();
    let mut header = [0; 64];
    file.read_at(&mut header, 0).unwrap();
    header[8] = 2;
    let crc = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    file.write_at(&header, 0).unwrap();
    assert_eq!(
        refused(&disk),
        "/data/log/segments/0000000001.seg has format version 2; this program reads versions up to 1. Use the program \
         that wrote it, or a newer one"
    );
}

#[test]
fn a_shortened_segment_is_named() {
    let disk = long_log();
    let copied = disk.fork();
    let file = disk.create(&path("segments/0000000002.seg")).unwrap();
    let from = copied.open(&path("segments/0000000002.seg"), Access::Read).unwrap();
    let mut bytes = vec![0; 10_000];
    from.read_at(&mut bytes, 0).unwrap();
    file.write_at(&bytes, 0).unwrap();
    assert_eq!(
        refused(&disk),
        "/data/log/segments/0000000002.seg is damaged at byte 0: the file has 10000 bytes, its header says 16384. Put \
         the file back from a copy"
    );
}

#[test]
fn segments_without_a_description_are_not_taken_for_a_new_log() {
    let disk = long_log();
    disk.remove(&path("log.json")).unwrap();
    assert_eq!(refused(&disk), "/data/log has segments but no log.json. Put log.json back from a copy of the folder");
}

#[test]
fn a_reader_does_not_take_any_folder_for_a_log() {
    let disk = SimulatedDisk::new();
    let error = LogReader::open_on(Arc::new(disk), Path::new("/elsewhere")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/elsewhere holds no log: /elsewhere/log.json does not exist. Give the folder of a log"
    );
}

#[test]
fn segments_of_another_length_are_used_from_the_next_one_on() {
    let disk = long_log();
    let options = Options { segment_bytes: 32 << 10, ..simulated(&disk) };
    let mut writing = Writing::open(Path::new(FOLDER), options).unwrap();
    assert_eq!(numbers(&writing.log), (0..20).collect::<Vec<_>>());
    let mut versions = Versions([7, 7, 6, 20]);
    let segments: Vec<_> =
        (20..60).map(|number| append(&mut writing.appender, &mut versions, number).unwrap().segment).collect();
    writing.settle(0);
    assert_eq!(segments.last(), Some(&6));
    assert_eq!(numbers(&writing.log), (0..60).collect::<Vec<_>>());
    let length = disk.open(&path("segments/0000000006.seg"), Access::Read).unwrap().length().unwrap();
    assert_eq!(length, 32 << 10);
    let options = Options { segment_bytes: 5000, ..simulated(&disk.fork()) };
    let error = Log::open(Path::new("/other"), options).unwrap_err();
    assert!(error.to_string().starts_with("segments of 5000 bytes cannot be: use a multiple of 4096"), "{error}");
}

fn copy(from: &SimulatedDisk, source: &Path, to: &SimulatedDisk, target: &Path) {
    let source = from.open(source, Access::Read).unwrap();
    let mut bytes = vec![0; source.length().unwrap() as usize];
    assert_eq!(source.read_at(&mut bytes, 0).unwrap(), bytes.len());
    to.create(target).unwrap().write_at(&bytes, 0).unwrap();
}
