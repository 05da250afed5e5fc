//! The power is cut at every change to the disk that a backup makes, and a restore: what was there before is there
//! still, or all of what was to be is there, and nothing in between passes for either.

use std::path::Path;

use event_store::backup::restore::{RestoreRefused, Until};
use event_store::backup::unsound::UnsoundBackup;
use event_store::disk::Disk;
use event_store::disk::simulated::{Failing, SimulatedDisk, Survival};
use event_store::log::Log;
use event_store::log::recovery::OpenError;

use super::restore::{RESTORED, restored};
use super::{BACKUP, back_up, check, grow, long_log, read};
use crate::workload::simulated;

/// What the disk may look like after the power was cut at any of the changes that `act` makes.
fn cut_anywhere(
    disk: &SimulatedDisk,
    act: impl Fn(&SimulatedDisk) -> bool,
    mut then: impl FnMut(&SimulatedDisk, &str),
) {
    let whole = disk.fork();
    assert!(act(&whole));
    let changes = whole.operations() - disk.operations();
    assert!(changes > 15, "{changes}");
    for cut in 0..changes {
        let disk = disk.fork();
        disk.cut_power_at(cut);
        assert!(!act(&disk), "cut at {cut}");
        for survival in [Survival::Nothing, Survival::Everything, Survival::Some(cut), Survival::Some(cut + 999)] {
            let disk = disk.fork();
            disk.restart(survival);
            then(&disk, &format!("cut at {cut} of {changes}, {survival:?}"));
        }
    }
}

#[test]
fn a_first_backup_that_is_cut_is_none_or_a_sound_one_and_can_be_made_again() {
    let (disk, _) = long_log(10);
    let mut seen = [0; 3];
    cut_anywhere(
        &disk,
        |disk| back_up(disk).is_ok(),
        |disk, told| {
            let had = match check(disk) {
                Ok(checked) => {
                    let transactions = checked.contents.transactions;
                    assert!([4, 8, 10].contains(&transactions), "{told}: {checked:?}");
                    assert!(read(disk, BACKUP).len() as u64 >= transactions, "{told}");
                    restored(&disk.fork(), Until::End).unwrap_or_else(|error| panic!("{told}: {error}"));
                    2
                }
                Err(UnsoundBackup::Empty { .. }) => 1,
                Err(UnsoundBackup::NotABackup { .. }) => 0,
                Err(other) => panic!("{told}: {other}"),
            };
            seen[had] += 1;
            if had > 0 {
                let opened = Log::open(Path::new(BACKUP), simulated(&disk.fork()));
                assert!(matches!(&opened, Err(OpenError::Backup { .. })), "{told}: {opened:?}");
            }
            let done = back_up(disk).unwrap_or_else(|error| panic!("{told}: {error}"));
            assert_eq!(done.contents.transactions, 10, "{told}");
            assert_eq!(check(disk).unwrap().contents, done.contents, "{told}");
            assert_eq!(read(disk, BACKUP), (0..10).collect::<Vec<_>>(), "{told}");
        },
    );
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn a_later_backup_that_is_cut_leaves_the_earlier_one() {
    let (disk, mut versions) = long_log(6);
    let former = back_up(&disk).unwrap().contents;
    grow(&disk, &mut versions, 6..15);
    let mut kept = 0;
    cut_anywhere(
        &disk,
        |disk| back_up(disk).is_ok(),
        |disk, told| {
            let checked = check(disk).unwrap_or_else(|error| panic!("{told}: {error}"));
            assert!(checked.contents.last_position >= former.last_position, "{told}: {checked:?}");
            kept += u32::from(checked.contents == former);
            let transactions = checked.contents.transactions;
            let found = read(disk, BACKUP);
            assert!(found.len() as u64 >= transactions, "{told}");
            assert_eq!(found.len() as u64 > transactions, checked.beyond.is_some(), "{told}: {checked:?}");
            let again = disk.fork();
            assert_eq!(restored(&again, Until::End).unwrap().transactions, transactions, "{told}");
            assert_eq!(read(&again, RESTORED), (0..transactions).collect::<Vec<_>>(), "{told}");
            let done = back_up(disk).unwrap_or_else(|error| panic!("{told}: {error}"));
            assert_eq!((done.contents.transactions, done.before), (15, checked.contents.last_position), "{told}");
            assert_eq!(check(disk).unwrap().contents, done.contents, "{told}");
            let left = disk.names(&Path::new(BACKUP).join("segments")).unwrap();
            assert!(left.iter().all(|name| name.ends_with(".seg")), "{told}: {left:?}");
        },
    );
    assert!(kept > 20, "{kept}");
}

#[test]
fn a_restore_that_is_cut_is_never_opened_and_can_be_done_again() {
    let (disk, _) = long_log(10);
    back_up(&disk).unwrap();
    // In a sealed segment, in the open one, and all of it.
    for until in [Until::Position(domain::ids::Position(12)), Until::Position(domain::ids::Position(18)), Until::End] {
        let whole = restored(&disk.fork(), until).unwrap().transactions;
        let mut refused = 0;
        cut_anywhere(
            &disk,
            |disk| restored(disk, until).is_ok(),
            |disk, told| {
                let half = disk.names(&Path::new(RESTORED).join("segments")).unwrap();
                match Log::open(Path::new(RESTORED), simulated(&disk.fork())) {
                    Err(OpenError::HalfRestored { .. }) => refused += 1,
                    Err(other) => panic!("{told}: {other}"),
                    Ok(opened) if half.is_empty() => assert_eq!(opened.recovery.transactions, 0, "{told}"),
                    Ok(opened) => assert_eq!(opened.recovery.transactions, whole, "{told}"),
                }
                match restored(disk, until) {
                    Ok(done) => assert_eq!(done.transactions, whole, "{told}"),
                    // Only the last change was missing, and it came about.
                    Err(RestoreRefused::NotEmpty { .. }) => assert!(!half.is_empty(), "{told}"),
                    Err(other) => panic!("{told}: {other}"),
                }
                disk.restart(Survival::Nothing);
                let opened = Log::open(Path::new(RESTORED), simulated(disk)).unwrap();
                assert_eq!((opened.recovery.transactions, opened.recovery.torn), (whole, None), "{told}");
                drop(opened.appender);
                assert_eq!(read(disk, RESTORED), (0..whole).collect::<Vec<_>>(), "{told}");
            },
        );
        assert!(refused > 20, "{refused}");
    }
}

#[test]
fn a_full_disk_leaves_the_earlier_backup_and_no_restored_log() {
    let (disk, mut versions) = long_log(6);
    let former = back_up(&disk).unwrap().contents;
    grow(&disk, &mut versions, 6..15);
    let whole = disk.fork();
    let needed = {
        back_up(&whole).unwrap();
        whole.used_bytes() - disk.used_bytes()
    };
    for room in (0..needed).step_by(2_500) {
        let disk = disk.fork();
        disk.set_capacity(disk.used_bytes() + room);
        let refused = back_up(&disk).unwrap_err().to_string();
        assert!(
            refused.ends_with("the earlier backup is as it was") && refused.contains("no storage space"),
            "{refused}"
        );
        let checked = check(&disk).unwrap();
        assert!(checked.contents.last_position >= former.last_position, "{room}: {checked:?}");
        disk.mend();
        assert_eq!(back_up(&disk).unwrap().contents.transactions, 15, "{room}");
        assert_eq!(check(&disk).unwrap().contents.transactions, 15, "{room}");
    }
    let needed = 4 * (16 << 10);
    for room in (0..needed).step_by(2_500) {
        let disk = whole.fork();
        disk.set_capacity(disk.used_bytes() + room);
        let refused = restored(&disk, Until::End).unwrap_err().to_string();
        assert!(refused.ends_with("restore into the same folder again: that begins anew"), "{refused}");
        let opened = Log::open(Path::new(RESTORED), simulated(&disk.fork()));
        assert!(opened.is_err(), "{room}");
        disk.mend();
        assert_eq!(restored(&disk, Until::End).unwrap().transactions, 15, "{room}");
    }
}

#[test]
fn a_disk_that_fails_leaves_the_earlier_backup() {
    let (disk, mut versions) = long_log(6);
    let former = back_up(&disk).unwrap().contents;
    grow(&disk, &mut versions, 6..15);
    for what in [Failing::Writes, Failing::Syncs] {
        for name in [".seg.new", "backup.json.new"] {
            let disk = disk.fork();
            disk.fail(what, name);
            let refused = back_up(&disk).unwrap_err().to_string();
            assert!(refused.contains("(simulated)"), "{refused}");
            disk.mend();
            disk.restart(Survival::Nothing);
            assert_eq!(check(&disk).unwrap().contents, former, "{what:?} {name}");
            assert_eq!(back_up(&disk).unwrap().contents.transactions, 15);
        }
    }
}
