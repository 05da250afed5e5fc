//! The scrubber: what it finds, what it leaves alone, and that it ends when it is told.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::log::Log;
use event_store::log::scrub::{ScrubOptions, ScrubStatus};

use crate::workload::{FOLDER, PATIENCE, Versions, Writing, append_padded, assert_streams, indexed, simulated};

/// As fast as it goes, and one pass only.
const FAST: ScrubOptions = ScrubOptions { bytes_per_second: u64::MAX, interval: Duration::from_secs(1 << 30) };

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Four transactions to a segment; five sealed segments and one that is written.
fn written(disk: &SimulatedDisk) -> Writing {
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(disk)).unwrap();
    for number in 0..22 {
        append_padded(&mut writing.appender, &mut versions, number, 1200).unwrap();
    }
    writing.settle(0);
    indexed(&writing.log);
    writing
}

/// Scrubs until a pass has ended.
fn scrubbed(log: &Log) -> ScrubStatus {
    let before = log.scrub_status().bytes_total;
    let scrubber = log.scrub(FAST).unwrap();
    until(log, |status| status.last_pass_at_us.is_some() && status.bytes_total > before);
    drop(scrubber);
    log.scrub_status()
}

fn until(log: &Log, is_so: impl Fn(&ScrubStatus) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(&log.scrub_status()) {
        assert!(Instant::now() < deadline, "{:?}", log.scrub_status());
        std::thread::yield_now();
    }
}

#[test]
fn a_whole_log_is_read_to_its_last_sealed_byte_and_nothing_is_told() {
    let disk = SimulatedDisk::new();
    let writing = written(&disk);
    let status = scrubbed(&writing.log);
    assert_eq!((status.bytes_total, status.damaged_total, status.running), (5 * (16 << 10), 0, false));
    assert_eq!(status.damaged, []);
}

#[test]
fn damage_in_a_sealed_segment_is_told_and_writing_goes_on() {
    let disk = SimulatedDisk::new();
    let mut writing = written(&disk);
    let place = writing.log.read_all(domain::ids::Position(19), 1).unwrap()[0].record().position;
    disk.flip_bit(&path("segments/0000000003.seg"), (4096 + 64 + 48 + 100) * 8).unwrap();
    let status = scrubbed(&writing.log);
    assert_eq!((status.damaged_total, status.damaged.len()), (1, 1), "{status:?}");
    let damage = &status.damaged[0];
    assert_eq!((damage.segment, damage.offset), (3, 4096 + 64));
    assert_eq!((damage.first_position, damage.last_position.is_some()), (Some(domain::ids::Position(17)), true));
    assert_eq!(damage.path, path("segments/0000000003.seg"));
    assert!(damage.to_string().contains("put the file back from a copy"), "{damage}");
    assert_eq!(place, domain::ids::Position(19));
    let mut versions = Versions([8, 7, 7, 22]);
    append_padded(&mut writing.appender, &mut versions, 22, 0).unwrap();
    writing.settle(1);
    writing.appender.close().unwrap();
    // The next process looks first at what was damaged; once it is cured, nothing is told any more.
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let scrubber = opened.log.scrub(FAST).unwrap();
    until(&opened.log, |status| status.damaged_total == 1);
    drop(scrubber);
    disk.flip_bit(&path("segments/0000000003.seg"), (4096 + 64 + 48 + 100) * 8).unwrap();
    let scrubber = opened.log.scrub(FAST).unwrap();
    until(&opened.log, |status| status.damaged.is_empty());
    drop(scrubber);
    assert_streams(&opened.log, 23, "cured");
}

#[test]
fn bytes_behind_the_footer_are_found_too() {
    let disk = SimulatedDisk::new();
    let writing = written(&disk);
    disk.flip_bit(&path("segments/0000000002.seg"), (16 << 10) * 8 - 3).unwrap();
    let status = scrubbed(&writing.log);
    assert_eq!(status.damaged.len(), 1, "{status:?}");
    assert_eq!((status.damaged[0].segment, status.damaged[0].reason.as_str()), (2, "bytes follow the footer"));
}

#[test]
fn a_damaged_index_file_is_made_again_and_is_no_damage_of_the_log() {
    let disk = SimulatedDisk::new();
    let writing = written(&disk);
    let name = path("index/0000000004.idx");
    let read = |disk: &SimulatedDisk| {
        let file = disk.open(&name, Access::Read).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    let whole = read(&disk);
    disk.flip_bit(&name, 200 * 8).unwrap();
    let status = scrubbed(&writing.log);
    assert_eq!(status.damaged, []);
    indexed(&writing.log);
    assert!(read(&disk) == whole);
}

#[test]
fn it_ends_at_once_however_slowly_it_reads() {
    let disk = SimulatedDisk::new();
    let writing = written(&disk);
    // A pass takes a day at this rate.
    let scrubber = writing.log.scrub(ScrubOptions { bytes_per_second: 1, ..FAST }).unwrap();
    until(&writing.log, |status| status.bytes_total > 0);
    drop(scrubber);
    assert!(!writing.log.scrub_status().running);
    writing.appender.close().unwrap();
}
