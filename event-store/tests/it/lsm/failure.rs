//! Disks that are full or broken, at every change.

use std::io::ErrorKind;
use std::path::Path;

use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::lsm::{CheckpointFailed, OpenError, Options, Store};

use super::failing_disk::FailingDisk;
use super::{FOLDER, TABLES, assert_holds, checkpoint, contents_after, files, open, options, round_of};

const ROUNDS: u64 = 6;

/// Checkpoints 1 to [`ROUNDS`], each tried until it succeeds; the disk is mended after `failures_max` failures. Answers
/// how many tries failed.
fn run(disk: &FailingDisk, failures_max: u32, told: &str) -> u32 {
    let mut failures = 0;
    let failed_once_more = |failures: &mut u32| {
        *failures += 1;
        if *failures == failures_max {
            disk.mend();
        }
    };
    let mut store = loop {
        match Store::open(Path::new(FOLDER), TABLES, 1, options(disk)) {
            Ok(opened) => break opened.store,
            Err(OpenError::Disk { .. }) => failed_once_more(&mut failures),
            Err(error) => panic!("{told}: {error}"),
        }
    };
    for round in 1..=ROUNDS {
        while let Err(failed) = checkpoint(&mut store, round) {
            assert!(matches!(failed, CheckpointFailed::Disk { .. }), "{told}: {failed}");
            assert_holds(&mut store, &contents_after(round - 1), &contents_after(ROUNDS), told);
            // A process that dies here finds the one before, or the one that failed when only its report was lost.
            for survival in [Survival::Nothing, Survival::Everything] {
                let fork = disk.fork();
                fork.disk.restart(survival);
                let opened = open(&fork);
                let found = opened.note.as_deref().map_or(0, round_of);
                assert!(found == round - 1 || found == round, "{told}: {found} after {round} failed");
                let mut store = opened.store;
                assert_holds(&mut store, &contents_after(found), &contents_after(ROUNDS), told);
            }
            failed_once_more(&mut failures);
        }
        assert_holds(&mut store, &contents_after(round), &contents_after(ROUNDS), told);
        store.wait_for_merges();
        assert_holds(&mut store, &contents_after(round), &contents_after(ROUNDS), told);
    }
    disk.mend();
    store.close();
    let opened = open(disk);
    assert_eq!((opened.note.as_deref().map(round_of), opened.discarded), (Some(ROUNDS), None), "{told}");
    let mut store = opened.store;
    store.wait_for_merges();
    assert_holds(&mut store, &contents_after(ROUNDS), &contents_after(ROUNDS + 2), told);
    let runs: u64 = store.stats().tables.iter().map(|table| table.runs).sum();
    assert_eq!(files(disk).len() as u64, runs + 1, "{told}: {:?}", files(disk));
    failures
}

#[test]
fn a_failure_at_any_change_leaves_the_checkpoint_before_and_can_be_tried_again() {
    let disk = FailingDisk::default();
    assert_eq!(run(&disk, 0, "a good disk"), 0);
    let changes = disk.changes();
    assert!(changes > 100, "{changes}");
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        let mut failures = 0;
        for change in 0..changes {
            let disk = FailingDisk::default();
            disk.fail(change, 1, kind);
            failures += run(&disk, 0, &format!("{kind} once, at change {change}"));
            let disk = FailingDisk::default();
            disk.fail(change, u64::MAX, kind);
            failures += run(&disk, 2, &format!("{kind} from change {change} on"));
        }
        assert!(failures > 100, "{failures}");
    }
}

#[test]
fn a_disk_that_runs_full_at_any_byte_keeps_the_checkpoint_before() {
    let needed = {
        let disk = SimulatedDisk::new();
        let mut store = open(&disk).store;
        checkpoint(&mut store, 1).unwrap();
        let first = disk.used_bytes();
        checkpoint(&mut store, 2).unwrap();
        (first, disk.used_bytes())
    };
    for capacity in (needed.0..needed.1 + 600).step_by(61) {
        let disk = SimulatedDisk::new();
        let mut store = open(&disk).store;
        checkpoint(&mut store, 1).unwrap();
        disk.set_capacity(capacity);
        let round = match checkpoint(&mut store, 2) {
            Ok(()) => 2,
            Err(failed) => {
                let said = failed.to_string();
                assert!(said.contains("The checkpoint before holds; make room"), "{said}");
                assert_eq!(disk.used_bytes(), needed.0, "what was written is removed");
                1
            }
        };
        assert_holds(&mut store, &contents_after(round), &contents_after(3), &format!("{capacity} bytes"));
        disk.mend();
        checkpoint(&mut store, round + 1).unwrap();
        store.close();
        disk.restart(Survival::Nothing);
        assert_eq!(open(&disk).note.as_deref().map(round_of), Some(round + 1));
    }
}

#[test]
fn a_merge_that_fails_costs_nothing_and_is_tried_again_after_the_next_checkpoint() {
    let disk = FailingDisk::default();
    let mut store = open(&disk).store;
    checkpoint(&mut store, 1).unwrap();
    // The merge is due after the second checkpoint and begins with the first change after it.
    let changes_of_a_checkpoint = {
        let disk = disk.fork();
        disk.disk.restart_process();
        let options = Options { fanout: 9, ..options(&disk) };
        let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap().store;
        let before = disk.changes();
        checkpoint(&mut store, 2).unwrap();
        disk.changes() - before
    };
    for later in 0..4 {
        let disk = disk.fork();
        disk.disk.restart_process();
        let mut store = open(&disk).store;
        disk.fail(changes_of_a_checkpoint + later, u64::MAX, ErrorKind::StorageFull);
        checkpoint(&mut store, 2).unwrap();
        store.wait_for_merges();
        let failed = store.stats().compaction_failed.unwrap();
        assert!(failed.contains("0000000004.run"), "{failed}");
        assert_eq!(store.stats().tables[0].runs, 2);
        assert_holds(&mut store, &contents_after(2), &contents_after(4), "while merges fail");
        disk.mend();
        checkpoint(&mut store, 3).unwrap();
        store.wait_for_merges();
        assert_eq!((store.stats().compaction_failed, store.stats().tables[0].runs), (None, 1));
        assert_holds(&mut store, &contents_after(3), &contents_after(4), "after all");
    }
}
