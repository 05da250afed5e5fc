//! Power cuts at every change to the disk, in a life of several checkpoints and merges and again in the start after it.

use std::path::Path;

use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::lsm::Store;

use super::{FOLDER, TABLES, assert_holds, checkpoint, contents_after, files, open, options, round_of};

const ROUNDS: u64 = 7;

/// What the owner of a store knows.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The last checkpoint that was reported as published; 0 when none was.
    published: u64,
    /// The last checkpoint that was begun.
    begun: u64,
}

/// Runs until the work is done or the power is cut: checkpoints, each with the merges after it, and a restart in between.
fn run(disk: &SimulatedDisk) -> Known {
    let mut known = Known::default();
    for life in [1..=4, 5..=ROUNDS] {
        let Ok(opened) = Store::open(Path::new(FOLDER), TABLES, 1, options(disk)) else { return known };
        let mut store = opened.store;
        for round in life {
            known.begun = round;
            if checkpoint(&mut store, round).is_err() {
                return known;
            }
            known.published = round;
            store.wait_for_merges();
        }
        store.close();
    }
    known
}

fn operations_of_a_run() -> u64 {
    let disk = SimulatedDisk::new();
    let known = run(&disk);
    assert_eq!((known.published, known.begun), (ROUNDS, ROUNDS));
    disk.operations()
}

/// Opens the store and checks that it is exactly one checkpoint, not older than the last published one. Answers which.
fn reopened(disk: &SimulatedDisk, known: Known, told: &str) -> u64 {
    let opened = open(disk);
    let round = opened.note.as_deref().map_or(0, round_of);
    assert!(known.published <= round && round <= known.begun, "{told}: {round} of {known:?}");
    assert!(round == 0 || opened.discarded.is_none(), "{told}: {:?}", opened.discarded);
    let mut store = opened.store;
    assert_holds(&mut store, &contents_after(round), &contents_after(ROUNDS), told);
    store.wait_for_merges();
    assert_holds(&mut store, &contents_after(round), &contents_after(ROUNDS), told);
    let runs: u64 = store.stats().tables.iter().map(|table| table.runs).sum();
    assert_eq!(files(disk).len() as u64, if round == 0 { 0 } else { runs + 1 }, "{told}: {:?}", files(disk));
    round
}

#[test]
fn a_power_cut_at_any_change_leaves_exactly_one_checkpoint() {
    let operations = operations_of_a_run();
    assert!(operations > 150, "{operations}");
    let mut newer_than_reported = 0;
    for cut in 0..operations {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        let known = run(&disk);
        let survivals = [Survival::Nothing, Survival::Everything]
            .into_iter()
            .chain((0..3).map(|seed| Survival::Some(seed * 1000 + cut)));
        for survival in survivals {
            let told = format!("cut at {cut}, {survival:?}");
            let disk = disk.fork();
            disk.restart(survival);
            let round = reopened(&disk, known, &told);
            newer_than_reported += u32::from(round > known.published);
            // What was found once stays, and the store goes on from there.
            disk.restart(Survival::Nothing);
            assert_eq!(reopened(&disk, Known { published: round, begun: round }, &told), round, "{told}");
            let mut store = open(&disk).store;
            checkpoint(&mut store, round + 1).unwrap();
            assert_holds(&mut store, &contents_after(round + 1), &contents_after(ROUNDS + 1), &told);
        }
    }
    assert!(newer_than_reported > 0, "cuts must fall between publishing and reporting");
}

#[test]
fn a_power_cut_at_any_change_of_the_start_after_it_changes_nothing() {
    for cut in (0..operations_of_a_run()).step_by(3) {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        let known = run(&disk);
        disk.restart(Survival::Some(cut));
        let whole = disk.fork();
        let before = whole.operations();
        let round = reopened(&whole, known, &format!("cut at {cut}"));
        for again in 0..whole.operations() - before {
            let told = format!("cut at {cut}, again at {again}");
            let disk = disk.fork();
            disk.cut_power_at(again);
            if let Ok(opened) = Store::open(Path::new(FOLDER), TABLES, 1, options(&disk)) {
                let mut store = opened.store;
                store.wait_for_merges();
            }
            disk.restart(Survival::Some(again));
            assert_eq!(reopened(&disk, known, &told), round, "{told}");
        }
    }
}
