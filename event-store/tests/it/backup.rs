//! Backups and restores: beside a writer, again and again into one folder, and compared byte by byte.

mod crash;
mod refusal;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use domain::ids::Position;
use event_store::backup::check::{Checked, check_backup};
use event_store::backup::unsound::UnsoundBackup;
use event_store::backup::{BackedUp, BackupOptions, BackupRefused, backup};
use event_store::disk::file::RealDisk;
use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::disk::{Access, Disk};
use event_store::log::reader::LogReader;
use event_store::log::verify::verify_on;
use event_store::log::{Log, Options};

use crate::workload::{FOLDER, PATIENCE, Versions, Writing, append_padded, number_of, simulated, small_segments};

/// The folder of a backup on a simulated disk.
const BACKUP: &str = "/data/backup";
/// Four of these transactions fill a small segment.
const PADDING: usize = 1200;

fn on(disk: &SimulatedDisk) -> BackupOptions {
    BackupOptions { disk: Arc::new(disk.clone()), ..BackupOptions::default() }
}

fn back_up(disk: &SimulatedDisk) -> Result<BackedUp, BackupRefused> {
    backup(Path::new(FOLDER), Path::new(BACKUP), &on(disk), |_| {})
}

fn check(disk: &SimulatedDisk) -> Result<Checked, UnsoundBackup> {
    check_backup(&(Arc::new(disk.clone()) as Arc<dyn Disk>), Path::new(BACKUP), |_| {})
}

fn segment(folder: &str, number: u32) -> PathBuf {
    Path::new(folder).join(format!("segments/{number:010}.seg"))
}

fn bytes(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Adds transactions to a log; each is a write of its own.
fn grow(disk: &SimulatedDisk, versions: &mut Versions, numbers: std::ops::Range<u64>) {
    let mut writing = Writing::open(Path::new(FOLDER), simulated(disk)).unwrap();
    for number in numbers {
        append_padded(&mut writing.appender, versions, number, PADDING).unwrap();
        writing.settle(number);
    }
    writing.appender.close().unwrap();
}

/// A log with so many transactions, four to a segment, cleanly stopped.
fn long_log(transactions: u64) -> (SimulatedDisk, Versions) {
    let (disk, mut versions) = (SimulatedDisk::new(), Versions::default());
    grow(&disk, &mut versions, 0..transactions);
    (disk, versions)
}

/// The numbers of the transactions that a folder has for a reader, each checked.
fn read(disk: &SimulatedDisk, folder: &str) -> Vec<u64> {
    let reader = LogReader::open_on(Arc::new(disk.clone()), Path::new(folder)).unwrap();
    let mut frames = reader.frames_after(Position::START).unwrap();
    let mut numbers = Vec::new();
    while let Some(frame) = frames.next_frame().unwrap() {
        numbers.push(number_of(&frame));
    }
    numbers
}

#[test]
fn a_backup_of_a_stopped_log_has_every_byte_and_reads_as_a_log() {
    let (disk, _) = long_log(10);
    let done = back_up(&disk).unwrap();
    assert_eq!((done.contents.segments, done.contents.transactions, done.copied_segments), (3, 10, 3));
    assert_eq!((done.contents.last_position, done.before, done.written), (Position(20), Position(0), Position(20)));
    assert_eq!(done.contents.last_recorded_at_us, Some(1_700_000_000_000_009));
    for number in 1..=3 {
        let (log, copy) = (bytes(&disk, &segment(FOLDER, number)), bytes(&disk, &segment(BACKUP, number)));
        if number < 3 {
            assert!(log == copy, "segment {number} differs");
        } else {
            // The mark at the end was proven by nothing after it; it says nothing that is missed.
            let end = log.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let mark = end - end % 8 - if end.is_multiple_of(8) { 48 } else { 40 };
            assert!(log[..mark] == copy[..mark] && copy[mark..].iter().all(|byte| *byte == 0));
        }
    }
    assert!(bytes(&disk, &Path::new(FOLDER).join("log.json")) == bytes(&disk, &Path::new(BACKUP).join("log.json")));
    assert_eq!(check(&disk).unwrap(), Checked { contents: done.contents, beyond: None });
    assert_eq!(read(&disk, BACKUP), (0..10).collect::<Vec<_>>());
    let verified = verify_on(Arc::new(disk.clone()), Path::new(BACKUP), |_| {}).unwrap();
    assert_eq!((verified.transactions, verified.last_position, verified.torn), (10, Position(20), None));
}

#[test]
fn only_what_is_new_is_copied() {
    let (disk, mut versions) = long_log(3);
    let mut transactions = 3;
    back_up(&disk).unwrap();
    for more in [0, 1, 0, 3, 9, 1, 4, 13] {
        grow(&disk, &mut versions, transactions..transactions + more);
        let before = disk.operations();
        // A segment is sealed by what does not fit it any more.
        let sealed_before = transactions.saturating_sub(1) / 4;
        transactions += more;
        let done = back_up(&disk).unwrap();
        let told = format!("{more} more: {done:?}");
        assert_eq!((done.before.0, done.contents.last_position.0), (2 * (transactions - more), 2 * transactions));
        assert_eq!(done.contents.transactions, transactions, "{told}");
        let touched = transactions.div_ceil(4) as usize - sealed_before as usize;
        assert!(done.copied_segments <= touched, "{told}");
        assert_eq!(done.copied_segments == 0, more == 0, "{told}");
        if more == 0 {
            assert!(disk.operations() - before <= 8, "nothing but the manifest is written: {told}");
        }
        assert_eq!(check(&disk).unwrap().contents, done.contents, "{told}");
        assert_eq!(read(&disk, BACKUP), (0..transactions).collect::<Vec<_>>(), "{told}");
    }
}

#[test]
fn a_lost_segment_of_a_backup_is_copied_again() {
    let (disk, mut versions) = long_log(10);
    let contents = back_up(&disk).unwrap().contents;
    for number in [1, 3] {
        disk.remove(&segment(BACKUP, number)).unwrap();
        assert!(matches!(check(&disk).unwrap_err(), UnsoundBackup::Folder(_)));
        let done = back_up(&disk).unwrap();
        assert_eq!((done.copied_segments, done.contents.last_position), (1, contents.last_position), "{number}");
        assert_eq!(check(&disk).unwrap().contents.transactions, 10);
    }
    grow(&disk, &mut versions, 10..12);
    assert_eq!(back_up(&disk).unwrap().contents.transactions, 12);
}

#[test]
fn what_nothing_proves_durable_is_left_out_until_something_does() {
    let (disk, mut versions) = (SimulatedDisk::new(), Versions::default());
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    for number in 0..3 {
        append_padded(&mut writing.appender, &mut versions, number, PADDING).unwrap();
        writing.settle(number);
    }
    let done = back_up(&disk).unwrap();
    assert_eq!((done.contents.last_position, done.written), (Position(4), Position(6)));
    // The server has answered with position 5, so the write that it is in is durable.
    let known = BackupOptions { acknowledged: Some(Position(5)), ..on(&disk) };
    let done = backup(Path::new(FOLDER), Path::new(BACKUP), &known, |_| {}).unwrap();
    assert_eq!((done.contents.last_position, done.copied_segments), (Position(6), 1));
    // What was known once stays known.
    assert_eq!(back_up(&disk).unwrap().contents.last_position, Position(6));
    let known = BackupOptions { acknowledged: Some(Position(7)), ..on(&disk) };
    let refused = backup(Path::new(FOLDER), Path::new(BACKUP), &known, |_| {}).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "position 7 is said to be acknowledged, but the log in /data/log ends at position 6. Check that it is the \
         folder of that server"
    );
    append_padded(&mut writing.appender, &mut versions, 3, PADDING).unwrap();
    writing.settle(3);
    assert_eq!(back_up(&disk).unwrap().contents.last_position, Position(6), "the fourth is not proven");
    writing.appender.close().unwrap();
    assert_eq!(back_up(&disk).unwrap().contents.last_position, Position(8));
}

#[test]
fn a_backup_never_has_what_a_power_cut_can_take_from_the_log() {
    let run = |disk: &SimulatedDisk| {
        let mut versions = Versions::default();
        let Ok(mut writing) = Writing::open(Path::new(FOLDER), simulated(disk)) else { return };
        for number in 0..10 {
            if append_padded(&mut writing.appender, &mut versions, number, PADDING).is_err() {
                return;
            }
            writing.appender.flush();
            if number % 3 == 2 {
                writing.appender.acknowledge(number);
                writing.appender.flush();
                // Whatever is answered: the next goes on or is refused.
                let _ = writing.committed.recv_timeout(PATIENCE);
            }
        }
        let _ = writing.appender.close();
    };
    let whole = SimulatedDisk::new();
    run(&whole);
    let mut backed_up = 0;
    for cut in 0..whole.operations() {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        run(&disk);
        // What a reader saw just before the cut, and what is left in the worst case.
        let (seen, left) = (disk.fork(), disk.fork());
        seen.restart(Survival::Everything);
        left.restart(Survival::Nothing);
        let Ok(done) = back_up(&seen) else { continue };
        let recovered = Log::open(Path::new(FOLDER), simulated(&left)).unwrap().recovery;
        assert!(done.contents.transactions <= recovered.transactions, "cut at {cut}: {done:?} {recovered:?}");
        backed_up = backed_up.max(done.contents.transactions);
    }
    assert_eq!(backed_up, 10);
}

/// Lets the writer go when the test is over, in whichever way.
struct Stop<'a>(&'a AtomicU64);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(STOP, Ordering::SeqCst);
    }
}

const STOP: u64 = u64::MAX;
/// How many transactions come in while a backup is made, and after it where it was quicker.
const MEANWHILE: u64 = 25;

/// Appends until told to stop, with backups all the while, each of them compared with what the writer knew.
fn beside_a_writer(log: &Path, to: &Path, options: Options, rounds: u64) {
    let disk = Arc::clone(&options.disk);
    let mut writing = Writing::open(log, options).unwrap();
    let handle = writing.log.clone();
    let until = AtomicU64::new(0);
    let mut copied = 0;
    let written = std::thread::scope(|scope| {
        let stop = Stop(&until);
        let writer = scope.spawn(|| {
            let (mut versions, mut number) = (Versions::default(), 0);
            loop {
                match until.load(Ordering::SeqCst) {
                    STOP => break,
                    until if until <= number => std::thread::yield_now(),
                    _ => {
                        for _ in 0..=number % 5 {
                            let padding = (number % 7 * 100) as usize;
                            append_padded(&mut writing.appender, &mut versions, number, padding).unwrap();
                            number += 1;
                        }
                        writing.settle(number);
                    }
                }
            }
            writing.appender.close().unwrap();
            number
        });
        for round in 1..=rounds {
            until.store(round * MEANWHILE, Ordering::SeqCst);
            let (begun, deadline) = (Position(2 * (round - 1) * MEANWHILE), Instant::now() + PATIENCE);
            while handle.durable() <= begun {
                assert!(Instant::now() < deadline, "the writer must get on");
                std::thread::yield_now();
            }
            let before = handle.durable();
            let acknowledged = (round % 2 == 0).then_some(before);
            let options = BackupOptions { disk: Arc::clone(&disk), acknowledged, ..BackupOptions::default() };
            let done = backup(log, to, &options, |_| {}).unwrap();
            // What was copied is written; the writer says a moment later that it is durable.
            let deadline = Instant::now() + PATIENCE;
            while handle.durable() < done.contents.last_position {
                assert!(Instant::now() < deadline, "{done:?}, durable are {}", handle.durable());
                std::thread::yield_now();
            }
            assert!(acknowledged.is_none_or(|before| done.contents.last_position >= before), "{done:?}, {before}");
            copied += done.copied_segments;
            let checked = check_backup(&disk, to, |_| {});
            // The first may come before anything was written.
            assert!(done.contents.segments == 0 || checked.unwrap().contents == done.contents);
        }
        drop(stop);
        writer.join().unwrap()
    });
    assert!(copied as u64 >= rounds, "{copied} segments in {rounds} rounds");
    let options = BackupOptions { disk: Arc::clone(&disk), ..BackupOptions::default() };
    assert_eq!(backup(log, to, &options, |_| {}).unwrap().contents.transactions, written);
    let verified = verify_on(disk, to, |_| {}).unwrap();
    assert_eq!((verified.transactions, verified.torn), (written, None));
}

#[test]
fn a_writer_at_work_is_backed_up_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { disk: Arc::new(RealDisk), segment_bytes: 64 << 10, ..small_segments() };
    beside_a_writer(&folder.path().join("log"), &folder.path().join("backups/log"), options, 30);
}

#[test]
fn a_writer_at_work_is_backed_up_on_a_simulated_disk() {
    let disk = SimulatedDisk::new();
    beside_a_writer(Path::new(FOLDER), Path::new(BACKUP), simulated(&disk), 30);
}
