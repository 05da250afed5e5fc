//! What is refused, and in which words: damage, other logs, other ways, folders with something else.

use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;
use event_store::backup::restore::{RestoreRefused, Until};
use event_store::backup::unsound::UnsoundBackup;
use event_store::backup::{BackupRefused, backup};
use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::log::Log;

use super::restore::{RESTORED, restored};
use super::{BACKUP, back_up, bytes, check, grow, long_log, on, segment};
use crate::workload::{FOLDER, Versions, Writing, append_padded, simulated};

fn put(disk: &SimulatedDisk, path: &Path, with: &[u8]) {
    disk.create_folder(path.parent().unwrap()).unwrap();
    let file = disk.create(path).unwrap();
    file.write_at(with, 0).unwrap();
    file.sync().unwrap();
}

#[test]
fn a_damaged_log_is_refused_with_the_place_and_the_earlier_backup_stays() {
    let (disk, mut versions) = long_log(6);
    let former = back_up(&disk).unwrap().contents;
    grow(&disk, &mut versions, 6..15);
    for (number, bit, told) in [
        (2, 4096 * 8 + 9 * 8, "segment 2 (/data/log/segments/0000000002.seg) is damaged at byte 4096: "),
        (3, 6000 * 8, "segment 3 (/data/log/segments/0000000003.seg) is damaged at byte 4160: "),
        (3, 40 * 8, "/data/log/segments/0000000003.seg is damaged at byte 0: "),
    ] {
        let disk = disk.fork();
        disk.flip_bit(&segment(FOLDER, number), bit).unwrap();
        let refused = back_up(&disk).unwrap_err().to_string();
        assert!(refused.starts_with(told), "{refused}");
        assert!(check(&disk).unwrap().contents.last_position >= former.last_position);
    }
}

#[test]
fn what_is_not_a_log_and_what_is_not_a_backup_are_named() {
    let (disk, _) = long_log(6);
    let told = |log: &str, to: &str| backup(Path::new(log), Path::new(to), &on(&disk), |_| {}).unwrap_err().to_string();
    assert_eq!(
        told("/nowhere", BACKUP),
        "/nowhere holds no log: /nowhere/log.json does not exist. Give the folder of a log"
    );
    let not_empty = "is not empty and holds no backup. Give an empty folder, a new one, or that of an earlier backup";
    assert_eq!(told(FOLDER, FOLDER), format!("{FOLDER} {not_empty}"));
    put(&disk, Path::new("/data/letters/one"), b"dear");
    assert_eq!(told(FOLDER, "/data/letters"), format!("/data/letters {not_empty}"));
    assert_eq!(
        check(&disk).unwrap_err().to_string(),
        "/data/backup holds no backup: /data/backup/backup.json does not exist. Give the folder of a backup"
    );
    back_up(&disk).unwrap();
    put(&disk, &Path::new(RESTORED).join("one"), b"dear");
    let refused = restored(&disk, Until::End).unwrap_err();
    assert_eq!(refused.to_string(), "/elsewhere/log is not empty. Give an empty folder or a new one");
    let refused = Log::open(Path::new(BACKUP), simulated(&disk)).unwrap_err().to_string();
    assert_eq!(
        refused,
        "/data/backup is a backup, which nothing is appended to. Restore it into another folder, and start on that"
    );
}

#[test]
fn a_position_that_the_backup_does_not_reach_is_refused() {
    let (disk, _) = long_log(6);
    back_up(&disk).unwrap();
    let refused = restored(&disk, Until::Position(Position(13))).unwrap_err();
    assert_eq!(refused.to_string(), "the backup ends at position 12, before position 13. Give a position that it has");
    assert_eq!(disk.names(Path::new(RESTORED)).unwrap(), Vec::<String>::new());
}

#[test]
fn a_log_without_an_event_has_a_backup_with_nothing_to_restore() {
    let disk = SimulatedDisk::new();
    Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap().appender.close().unwrap();
    assert_eq!(back_up(&disk).unwrap().contents.last_position, Position::START);
    assert!(matches!(check(&disk).unwrap_err(), UnsoundBackup::Empty { .. }));
    let refused = restored(&disk, Until::End).unwrap_err();
    assert!(matches!(refused, RestoreRefused::Unsound(UnsoundBackup::Empty { .. })), "{refused}");
    grow(&disk, &mut Versions::default(), 0..3);
    assert_eq!(back_up(&disk).unwrap().contents.transactions, 3);
}

#[test]
fn a_backup_of_another_log_is_refused() {
    let (disk, _) = long_log(6);
    back_up(&disk).unwrap();
    let other = Path::new("/data/other");
    let mut writing = Writing::open(other, simulated(&disk)).unwrap();
    append_padded(&mut writing.appender, &mut Versions::default(), 0, 0).unwrap();
    writing.appender.close().unwrap();
    let refused = backup(other, Path::new(BACKUP), &on(&disk), |_| {}).unwrap_err();
    assert!(matches!(&refused, BackupRefused::OtherLog { .. }), "{refused}");
    assert!(refused.to_string().ends_with("Give each log a folder of its own"), "{refused}");
    assert_eq!(check(&disk).unwrap().contents.transactions, 6);
}

/// The folder of a log, as it is now, is put in the place of another.
fn put_back(from: &SimulatedDisk, to: &SimulatedDisk) {
    let segments = Path::new(FOLDER).join("segments");
    for name in to.names(&segments).unwrap() {
        to.remove(&segments.join(name)).unwrap();
    }
    for name in from.names(&segments).unwrap() {
        put(to, &segments.join(&name), &bytes(from, &segments.join(&name)));
    }
}

#[test]
fn a_log_that_was_put_back_from_an_older_copy_has_gone_another_way() {
    for (before, after) in [(3, 6), (3, 4), (6, 7), (4, 5), (6, 15), (7, 8)] {
        let (disk, mut versions) = long_log(before);
        let older = disk.fork();
        grow(&disk, &mut versions.clone(), before..after);
        back_up(&disk).unwrap();
        put_back(&older, &disk);
        let told = format!("{before} of {after}");
        for goes_on in [false, true] {
            if goes_on {
                grow(&disk, &mut versions, before..before + 1);
                // As many again, but other ones.
                let more: Vec<_> = (before + 1..after + 4).map(|number| number + 100).collect();
                let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
                for number in more {
                    append_padded(&mut writing.appender, &mut versions, number, 700).unwrap();
                    writing.settle(number);
                }
                writing.appender.close().unwrap();
            }
            // The first transaction after the copy was the same again in the same place: that is no other way.
            let refused = match back_up(&disk) {
                Err(refused) => refused,
                Ok(done) => {
                    assert!(goes_on && after == before + 1 && done.contents.transactions > after, "{told}: {done:?}");
                    continue;
                }
            };
            assert!(matches!(refused, BackupRefused::Diverged { .. }), "{told}: {refused}");
            assert_eq!(check(&disk).unwrap().contents.transactions, after, "{told}");
        }
    }
}

#[test]
fn two_at_once_into_one_folder_are_refused() {
    let (disk, _) = long_log(6);
    back_up(&disk).unwrap();
    let _held = disk.lock(&Path::new(BACKUP).join("LOCK"), "process 4711").unwrap();
    let refused = back_up(&disk).unwrap_err();
    assert_eq!(refused.to_string(), "/data/backup is in use by process 4711. Wait until that is done");
    let _held = disk.lock(&Path::new(RESTORED).join("LOCK"), "process 4712").unwrap();
    let refused = restored(&disk, Until::End).unwrap_err();
    assert!(matches!(refused, RestoreRefused::Locked { .. }), "{refused}");
}

#[test]
fn every_flipped_bit_of_a_backup_is_found() {
    let (disk, _) = long_log(5);
    back_up(&disk).unwrap();
    let files = ["backup.json", "log.json", "segments/0000000001.seg", "segments/0000000002.seg"];
    let mut flips = 0;
    for name in files {
        let path = Path::new(BACKUP).join(name);
        let whole = bytes(&disk, &path);
        for byte in 0..whole.len() {
            // Of long stretches that are alike, every so many bytes are enough.
            let alike = byte >= 64 && whole[byte - 64..(byte + 64).min(whole.len())].iter().all(|b| *b == whole[byte]);
            if alike && byte % 61 != 0 {
                continue;
            }
            for bit in [byte % 8, (byte + 5) % 8] {
                let bit = (8 * byte + bit) as u64;
                disk.flip_bit(&path, bit).unwrap();
                let found = check(&disk);
                assert!(found.is_err(), "{name}, bit {bit}: {found:?}");
                let refused = restored(&disk, Until::End);
                assert!(refused.is_err() || name == "log.json" || byte as u64 >= used(&whole), "{name}, bit {bit}");
                if refused.is_ok() {
                    empty(&disk);
                }
                disk.flip_bit(&path, bit).unwrap();
                flips += 1;
            }
        }
    }
    assert!(flips > 3_000, "{flips}");
    assert_eq!(check(&disk).unwrap().contents.transactions, 5);
}

/// Where the last byte that is not zero stands, plus one.
fn used(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn empty(disk: &SimulatedDisk) {
    let folder = Path::new(RESTORED);
    for name in disk.names(&folder.join("segments")).unwrap() {
        disk.remove(&folder.join("segments").join(name)).unwrap();
    }
    disk.remove(&folder.join("log.json")).unwrap();
    // What is in a folder of this disk is told by the names in it; an empty folder counts as none to a restore.
    put(disk, &folder.join("RESTORING"), b"");
}

#[test]
fn a_backup_of_a_newer_version_is_refused() {
    let (disk, _) = long_log(2);
    back_up(&disk).unwrap();
    let path = Path::new(BACKUP).join("backup.json");
    let text = String::from_utf8(bytes(&disk, &path)).unwrap();
    let text = text.replace("\"backup_version\":1", "\"backup_version\":2");
    let zeros = format!("{}00000000\"}}\n", &text[..text.len() - 11]);
    let crc = crc32c::crc32c(zeros.as_bytes());
    put(&disk, &path, format!("{}{crc:08x}\"}}\n", &text[..text.len() - 11]).as_bytes());
    assert_eq!(
        check(&disk).unwrap_err().to_string(),
        "/data/backup/backup.json has backup version 2; this program reads versions up to 1. Use the program that made \
         the backup, or a newer one"
    );
    let disk: Arc<dyn Disk> = Arc::new(disk);
    assert!(disk.open(&path, Access::Read).is_ok());
}
