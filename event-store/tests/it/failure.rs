//! Disks that are full, slow in taking bytes, or broken.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::ids::Position;
use event_store::disk::simulated::{Failing, SimulatedDisk, Survival};
use event_store::log::appender::{AppendRefused, Received};
use event_store::log::writer::Committed;
use event_store::log::{Log, Options};

use crate::workload::{FOLDER, PATIENCE, Versions, Writing, append, append_padded, numbers, simulated};

#[test]
fn a_full_disk_refuses_without_a_trace_and_resumes_by_itself() {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let options = Options { disk_full_retry: Duration::from_millis(1), ..simulated(&disk) };
    // Room for two segments and the small files.
    disk.set_capacity((32 << 10) + 1000);
    let mut writing = Writing::open(Path::new(FOLDER), options).unwrap();
    let mut number = 0;
    let refused = loop {
        match append_padded(&mut writing.appender, &mut versions, number, 1200) {
            Ok(_) => number += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(number, 8, "two segments of four");
    assert!(matches!(refused, AppendRefused::DiskFull { .. }), "{refused}");
    assert!(refused.to_string().ends_with("Make room on the disk of the log; appends resume by themselves"));
    assert_eq!(writing.appender.next_position(), Position(17));
    // What still fits is taken, what was taken is durable, and reading goes on.
    append(&mut writing.appender, &mut versions, number).unwrap();
    number += 1;
    writing.settle(1);
    assert_eq!(numbers(&writing.log), (0..9).collect::<Vec<_>>());
    let room = writing.log.room();
    assert!(room.disk_full.is_some() && room.bytes < 3000, "{room:?}");
    disk.mend();
    let deadline = Instant::now() + PATIENCE;
    while writing.log.room().disk_full.is_some() {
        assert!(Instant::now() < deadline, "the preparer must notice that there is room");
        std::thread::yield_now();
    }
    append_padded(&mut writing.appender, &mut versions, number, 1200).unwrap();
    writing.settle(2);
    assert_eq!(numbers(&writing.log), (0..10).collect::<Vec<_>>());
    assert!(writing.appender.room_bytes() > 3000);
    writing.appender.close().unwrap();
}

#[test]
fn short_writes_are_completed() {
    let disk = SimulatedDisk::new();
    disk.shorten_writes(700);
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    for number in 0..30 {
        append(&mut writing.appender, &mut versions, number).unwrap();
    }
    writing.settle(0);
    writing.appender.close().unwrap();
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    assert_eq!(numbers(&opened.log), (0..30).collect::<Vec<_>>());
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_taken_and_nobody_is_told_it_was() {
    for failing in [Failing::Writes, Failing::Syncs] {
        let disk = SimulatedDisk::new();
        let mut versions = Versions::default();
        let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        append(&mut writing.appender, &mut versions, 0).unwrap();
        assert_eq!(writing.settle(0), Position(2));
        disk.fail(failing, "0000000001.seg");
        append(&mut writing.appender, &mut versions, 1).unwrap();
        writing.appender.acknowledge(1);
        writing.appender.flush();
        let Committed::Failed { error, tokens } = writing.committed.recv_timeout(PATIENCE).unwrap() else {
            panic!("{failing:?} went unnoticed");
        };
        assert_eq!(tokens, [1]);
        let doing = if failing == Failing::Writes { "writing" } else { "syncing" };
        assert!(error.to_string().starts_with(&format!("the log failed: {doing} segment 1 at byte ")), "{error}");
        // The disk works again, but what it holds is not known: the log stays failed.
        disk.mend();
        let refused = append(&mut writing.appender, &mut versions, 2).unwrap_err();
        assert_eq!(refused, AppendRefused::Failed(error.clone()));
        writing.appender.acknowledge(2);
        writing.appender.flush();
        assert!(matches!(
            writing.committed.recv_timeout(PATIENCE).unwrap(),
            Committed::Failed { tokens, .. } if tokens == [2]
        ));
        assert_eq!(writing.log.durable(), Position(2));
        assert_eq!(writing.log.failure(), Some(error.clone()));
        assert_eq!(writing.appender.close(), Err(error));
    }
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_made_durable_before_it_is_read() {
    // In the middle of a segment, and in a write that seals it.
    for (transactions, padding) in [(2, 0), (7, 1200)] {
        let disk = SimulatedDisk::new();
        let mut versions = Versions::default();
        let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        append(&mut writing.appender, &mut versions, 0).unwrap();
        writing.settle(0);
        disk.fail(Failing::Syncs, "0000000001.seg");
        for number in 1..transactions {
            append_padded(&mut writing.appender, &mut versions, number, padding).unwrap();
        }
        writing.appender.flush();
        writing.appender.close().unwrap_err();
        disk.mend();
        disk.restart_process();
        // The next process reads the transactions out of the system's cache and shows them...
        let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        let shown = numbers(&opened.log);
        assert!(shown.len() > 1, "{shown:?}");
        // ...so they must be on the disk, although the system no longer knows that they are not.
        disk.restart(Survival::Nothing);
        let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        assert_eq!(numbers(&opened.log), shown);
    }
}

#[test]
fn a_transaction_longer_than_a_segment_is_refused_without_a_trace() {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let refused = append_padded(&mut writing.appender, &mut versions, 0, 10_000).unwrap_err();
    assert!(matches!(refused, AppendRefused::FrameTooLarge { frame_bytes_max: 12_144, .. }), "{refused:?}");
    assert!(!writing.appender.pending());
    append(&mut writing.appender, &mut versions, 0).unwrap();
    writing.settle(0);
    assert_eq!(numbers(&writing.log), [0]);
}

#[test]
fn a_text_that_does_not_fit_is_refused_without_a_trace() {
    let disk = SimulatedDisk::new();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let long = "k".repeat(70_000);
    let mut frame = writing.appender.begin();
    frame.begin_entry(crate::workload::header(0, &long));
    frame.end_entry(|_| {});
    let refused = frame.commit().unwrap_err();
    assert_eq!(refused.to_string(), "the idempotency key has 70000 bytes; the log takes at most 65535");
    assert!(!writing.appender.pending());
}

#[test]
fn waiting_for_a_command_hands_over_what_is_pending() {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let (sender, commands) = crossbeam_channel::unbounded::<u8>();
    append(&mut writing.appender, &mut versions, 0).unwrap();
    writing.appender.acknowledge(7);
    let soon = Some(Instant::now() + Duration::from_millis(1));
    assert_eq!(writing.appender.receive(&commands, soon), Received::TimedOut);
    assert!(!writing.appender.pending());
    let Committed::Durable { through, tokens } = writing.committed.recv_timeout(PATIENCE).unwrap() else {
        panic!("the log failed");
    };
    assert_eq!((through, tokens), (Position(2), vec![7]));
    sender.send(5).unwrap();
    assert_eq!(writing.appender.receive(&commands, None), Received::Command(5));
    drop(sender);
    assert_eq!(writing.appender.receive(&commands, None), Received::Disconnected);
}

#[test]
fn a_panic_in_the_writers_thread_ends_appending_instead_of_hanging() {
    let disk = SimulatedDisk::new();
    let opened = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let mut appender = opened.appender.start(|_: Committed<u8>| panic!("on purpose, in a test")).unwrap();
    let mut versions = Versions::default();
    append(&mut appender, &mut versions, 0).unwrap();
    appender.acknowledge(1);
    appender.flush();
    appender.acknowledge(2);
    appender.flush();
    let refused = append(&mut appender, &mut versions, 1).unwrap_err();
    assert!(refused.to_string().starts_with("the log failed: the thread that writes the log has ended"), "{refused}");
    assert!(appender.close().is_err());
}
