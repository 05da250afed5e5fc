//! What is restored, against a plain filter over the list of transactions; and that it can be gone on with.

use std::path::Path;
use std::sync::Arc;

use domain::ids::{Position, Version};
use event_store::backup::restore::{RestoreOptions, RestoreRefused, Restored, Until, restore};
use event_store::backup::{BackupOptions, backup};
use event_store::disk::Disk;
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::verify::verify_on;
use event_store::log::{Log, Opened};
use proptest::prelude::*;

use super::{BACKUP, back_up, bytes, long_log, on, read, segment};
use crate::workload::{FOLDER, Versions, Writing, account, append_padded, header, number_of, simulated};

pub(super) const RESTORED: &str = "/elsewhere/log";
const BASE_US: i64 = 1_700_000_000_000_000;

pub(super) fn restored(disk: &SimulatedDisk, until: Until) -> Result<Restored, RestoreRefused> {
    let options = RestoreOptions { disk: Arc::new(disk.clone()), ..RestoreOptions::default() };
    restore(Path::new(BACKUP), Path::new(RESTORED), until, &options, |_| {})
}

/// Offset and length of each frame of a segment, with its kind.
fn frames(bytes: &[u8]) -> Vec<(usize, usize, u8)> {
    let (mut at, mut frames) = (4096, Vec::new());
    while bytes.get(at..at + 4) == Some(b"BFRM") {
        let body = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let length = 48 + body.next_multiple_of(8);
        frames.push((at, length, bytes[at + 5]));
        at += length;
    }
    frames
}

/// Compares every byte of a restored log with the original's. The last segment has its own stamp, so its frames differ
/// in that and in the checksum over it.
fn same_frames(disk: &SimulatedDisk, transactions: u64) {
    let names = disk.names(&Path::new(RESTORED).join("segments")).unwrap();
    let mut count = 0;
    for number in 1..=names.len() as u32 {
        let (original, copy) = (bytes(disk, &segment(FOLDER, number)), bytes(disk, &segment(RESTORED, number)));
        let kept = frames(&copy);
        count += kept.iter().filter(|frame| frame.2 == 2).count() as u64;
        if kept.last().is_some_and(|last| last.2 == 3) {
            assert!(original == copy, "segment {number} was sealed");
            continue;
        }
        assert_eq!(number as usize, names.len(), "only the last segment is open");
        assert_ne!(original[32..40], copy[32..40], "it has a stamp of its own");
        assert_eq!(original[..32], copy[..32]);
        assert_eq!(original[40..48], copy[40..48]);
        let Some(last) = kept.last() else { continue };
        let end = last.0 + last.1;
        let marked = last.2 == 4;
        assert!(marked || end + 48 + 80 > copy.len(), "its end is marked where there is room");
        let frames = &kept[..kept.len() - usize::from(marked)];
        for (at, length, _) in frames {
            let (original, copy) = (&original[*at..at + length], &copy[*at..at + length]);
            assert_ne!(original[24..32], copy[24..32]);
            assert!(original[..24] == copy[..24] && original[32..44] == copy[32..44] && original[48..] == copy[48..]);
        }
        assert!(copy[end..].iter().all(|byte| *byte == 0));
    }
    assert_eq!(count, transactions);
}

/// Appends to a restored log and checks the whole.
fn goes_on(disk: &SimulatedDisk, transactions: u64) {
    let mut versions = Versions::default();
    for number in 0..transactions {
        versions.0[(number % 3) as usize] += 1;
        versions.0[3] += 1;
    }
    let mut writing = Writing::open(Path::new(RESTORED), simulated(disk)).unwrap();
    assert_eq!((writing.report.transactions, &writing.report.torn), (transactions, &None));
    for number in transactions..transactions + 6 {
        append_padded(&mut writing.appender, &mut versions, number, super::PADDING).unwrap();
    }
    writing.settle(0);
    writing.appender.close().unwrap();
    let verified = verify_on(Arc::new(disk.clone()), Path::new(RESTORED), |_| {}).unwrap();
    assert_eq!((verified.transactions, verified.torn), (transactions + 6, None));
    assert_eq!(read(disk, RESTORED), (0..transactions + 6).collect::<Vec<_>>());
}

#[test]
fn every_position_and_every_time_is_restored_as_a_plain_filter_says() {
    // Two events each, recorded one microsecond apart: transaction n has positions 2n + 1 and 2n + 2.
    let (disk, _) = long_log(14);
    back_up(&disk).unwrap();
    let moments = (0..=28).map(|position| Until::Position(Position(position)));
    let moments = moments.chain((-1..=14).map(|number| Until::Time(BASE_US + number))).chain([Until::End]);
    for until in moments {
        let disk = disk.fork();
        let told = format!("{until:?}");
        let kept = (0..14_u64).filter(|number| match until {
            Until::End => true,
            Until::Position(last) => 2 * number + 2 <= last.0,
            Until::Time(last_us) => BASE_US + number.cast_signed() <= last_us,
        });
        let kept: Vec<_> = kept.collect();
        let transactions = kept.len() as u64;
        let done = restored(&disk, until).unwrap();
        assert_eq!((done.transactions, done.last_position), (transactions, Position(2 * transactions)), "{told}");
        let last_us = kept.last().map(|number| BASE_US + number.cast_signed());
        assert_eq!((done.last_recorded_at_us, done.backup_position), (last_us, Position(28)), "{told}");
        let split = match until {
            Until::Position(last) if last.0 % 2 == 1 => Some((last, Position(last.0 + 1))),
            _ => None,
        };
        assert_eq!(done.not_split, split, "{told}");
        assert_eq!(read(&disk, RESTORED), kept, "{told}");
        same_frames(&disk, transactions);
        assert!(
            bytes(&disk, &Path::new(FOLDER).join("log.json")) == bytes(&disk, &Path::new(RESTORED).join("log.json"))
        );
        goes_on(&disk, transactions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transactions_of_any_shape_are_restored_as_a_plain_filter_says(
        shapes in proptest::collection::vec((proptest::collection::vec((0..4_u64, 0..3_i64), 1..4), 0..1200_usize, any::<bool>()), 1..30),
        cut in 0..40_u64,
        late in 0..40_i64,
        by_time in any::<bool>(),
    ) {
        let disk = SimulatedDisk::new();
        let Opened { appender, .. } = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        let mut appender = appender.start(|_: event_store::log::writer::Committed<()>| {}).unwrap();
        // Of each transaction: its last position, and when its entries were recorded.
        let (mut list, mut version, mut us) = (Vec::new(), 0, BASE_US);
        for (entries, padding, flush) in &shapes {
            let mut frame = appender.begin();
            let mut times = Vec::new();
            for (events, later_us) in entries {
                us += later_us;
                times.push(us);
                frame.begin_entry(event_store::transaction::EntryHeader { recorded_at_us: us, ..header(0, "key") });
                for _ in 0..*events {
                    frame.event(&account(0), Version(version), "funds_deposited", 1, |json| {
                        json.extend(std::iter::repeat_n(b' ', *padding));
                    });
                    version += 1;
                }
                frame.end_entry(|_| {});
            }
            list.push((frame.commit().unwrap().last_position, times));
            if *flush {
                appender.flush();
            }
        }
        appender.close().unwrap();
        // Where a segment has no room for the mark, nothing in the log proves the last write.
        let options = BackupOptions { acknowledged: Some(Position(version)), ..on(&disk) };
        let contents = backup(Path::new(FOLDER), Path::new(BACKUP), &options, |_| {}).unwrap().contents;
        prop_assert_eq!(contents.last_position, Position(version));
        prop_assume!(contents.segments > 0);
        list.truncate(contents.transactions as usize);
        let until = if by_time { Until::Time(BASE_US + late) } else { Until::Position(Position(cut.min(version))) };
        let kept = list.iter().take_while(|(last, times)| match until {
            Until::Position(position) => *last <= position,
            Until::Time(last_us) => times.iter().all(|us| *us <= last_us),
            Until::End => true,
        });
        let kept = kept.count() as u64;
        let done = restored(&disk, until).unwrap();
        prop_assert_eq!(done.transactions, kept);
        prop_assert_eq!(done.last_position, kept.checked_sub(1).map_or(Position(0), |last| list[last as usize].0));
        same_frames(&disk, kept);
        let opened = Log::open(Path::new(RESTORED), simulated(&disk)).unwrap();
        prop_assert_eq!((opened.recovery.transactions, opened.recovery.torn), (kept, None));
    }
}

#[test]
fn an_original_and_a_restored_log_never_pass_for_each_other() {
    let (disk, mut versions) = long_log(10);
    back_up(&disk).unwrap();
    restored(&disk, Until::End).unwrap();
    // Both go on from the same place in the same way.
    super::grow(&disk, &mut versions.clone(), 10..14);
    let mut writing = Writing::open(Path::new(RESTORED), simulated(&disk)).unwrap();
    for number in 10..14 {
        append_padded(&mut writing.appender, &mut versions, number, super::PADDING).unwrap();
        writing.settle(number);
    }
    writing.appender.close().unwrap();
    let options = super::on(&disk);
    let refused = event_store::backup::backup(Path::new(RESTORED), Path::new(BACKUP), &options, |_| {}).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the log has gone another way than its backup in /data/backup: segment 3 is not the one that was copied. It \
         was restored or put back from an older copy since. Keep that backup, and make a new one in another folder"
    );
    assert_eq!(super::check(&disk).unwrap().contents.transactions, 10, "the backup is as it was");
    for number in 3..=4 {
        let disk = disk.fork();
        let foreign = bytes(&disk, &segment(RESTORED, number));
        let file = disk.open(&segment(FOLDER, number), event_store::disk::Access::ReadWrite).unwrap();
        file.write_at(&foreign, 0).unwrap();
        assert!(Log::open(Path::new(FOLDER), simulated(&disk)).is_err(), "segment {number} of the restored log");
    }
    // A backup of its own is welcome.
    let elsewhere = Path::new("/elsewhere/backup");
    let done = event_store::backup::backup(Path::new(RESTORED), elsewhere, &options, |_| {}).unwrap();
    assert_eq!(done.contents.transactions, 14);
}

#[test]
fn what_is_restored_is_on_the_disk() {
    let (disk, _) = long_log(10);
    back_up(&disk).unwrap();
    restored(&disk, Until::Position(Position(13))).unwrap();
    disk.restart(event_store::disk::simulated::Survival::Nothing);
    let opened = Log::open(Path::new(RESTORED), simulated(&disk)).unwrap();
    let mut frames = opened.log.frames_after(Position::START).unwrap();
    let mut count = 0;
    while let Some(frame) = frames.next_frame().unwrap() {
        assert_eq!(number_of(&frame), count);
        count += 1;
    }
    assert_eq!(count, 6);
}
