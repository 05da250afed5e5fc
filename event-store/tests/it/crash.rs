//! Power cuts at every change to the disk, in the workload and again in recovery.

use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;
use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::log::Log;
use event_store::log::verify::verify_on;
use event_store::log::writer::Committed;

use crate::workload::{
    FOLDER, PATIENCE, Versions, Writing, append, append_padded, assert_streams, effort, indexed, indexed_unless,
    number_of, simulated,
};

/// What the client of a run knows.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// So many transactions were acknowledged.
    acknowledged: u64,
    /// So many were committed, durable or not.
    committed: u64,
}

/// Runs until the workload is done or the power is cut. Groups of one to four transactions of several sectors each,
/// over several segments, with a clean stop in between.
fn run(disk: &SimulatedDisk) -> Known {
    let mut known = Known::default();
    let mut versions = Versions::default();
    for _ in 0..2 {
        let Ok(mut writing) = Writing::open(Path::new(FOLDER), simulated(disk)) else { return known };
        for group in 0..7 {
            for _ in 0..=group % 4 {
                if append_padded(&mut writing.appender, &mut versions, known.committed, 700).is_err() {
                    return known;
                }
                known.committed += 1;
            }
            writing.appender.acknowledge(known.committed);
            writing.appender.flush();
            match writing.committed.recv_timeout(PATIENCE).unwrap() {
                Committed::Durable { tokens, .. } => known.acknowledged = tokens[0],
                Committed::Failed { .. } => return known,
            }
        }
        if writing.appender.close().is_err() {
            return known;
        }
    }
    known
}

/// Opens the log and checks that it has every acknowledged transaction, only committed ones, whole and in order.
/// Answers how many.
fn recovered(disk: &SimulatedDisk, known: Known, told: &str) -> u64 {
    let opened = Log::open(Path::new(FOLDER), simulated(disk)).unwrap_or_else(|error| panic!("{told}: {error}"));
    let mut frames = opened.log.frames_after(Position::START).unwrap();
    let mut count = 0;
    while let Some(frame) = frames.next_frame().unwrap_or_else(|error| panic!("{told}: {error}")) {
        assert_eq!(number_of(&frame), count, "{told}");
        assert_eq!(frame.first_position(), Position(2 * count + 1), "{told}");
        count += 1;
    }
    assert!(count >= known.acknowledged, "{told}: {count} of {known:?}");
    assert!(count <= known.committed, "{told}: {count} of {known:?}");
    assert_eq!(opened.recovery.transactions, count, "{told}");
    // Through the index as it is found; the next start finds the files that are made here.
    assert_streams(&opened.log, count, told);
    indexed(&opened.log);
    count
}

/// Appends to a recovered log, stops cleanly, and checks the whole.
fn goes_on(disk: &SimulatedDisk, count: u64, told: &str) {
    let mut versions = versions_after(count);
    let mut writing =
        Writing::open(Path::new(FOLDER), simulated(disk)).unwrap_or_else(|error| panic!("{told}: {error}"));
    for number in count..count + 5 {
        append(&mut writing.appender, &mut versions, number).unwrap_or_else(|error| panic!("{told}: {error}"));
    }
    writing.settle(0);
    writing.appender.close().unwrap();
    let verified = verify_on(Arc::new(disk.clone()), Path::new(FOLDER), |_| {});
    let verified = verified.unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!((verified.transactions, verified.events, verified.torn), (count + 5, 2 * (count + 5), None), "{told}");
}

fn versions_after(count: u64) -> Versions {
    let mut versions = Versions::default();
    for number in 0..count {
        versions.0[(number % 3) as usize] += 1;
        versions.0[3] += 1;
    }
    versions
}

fn operations_of_a_run() -> u64 {
    let disk = SimulatedDisk::new();
    let known = run(&disk);
    assert_eq!((known.acknowledged, known.committed), (32, 32));
    disk.operations()
}

#[test]
fn a_power_cut_at_any_change_loses_nothing_acknowledged() {
    let operations = operations_of_a_run();
    assert!(operations > 60, "{operations}");
    let mut torn = 0;
    for cut in 0..operations {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        let known = run(&disk);
        let survivals = [Survival::Nothing, Survival::Everything]
            .into_iter()
            .chain((0..8).map(|seed| Survival::Some(seed * 1000 + cut)));
        for survival in survivals {
            let told = format!("cut at {cut}, {survival:?}");
            let disk = disk.fork();
            disk.restart(survival);
            torn += u32::from(Log::open(Path::new(FOLDER), simulated(&disk.fork())).unwrap().recovery.torn.is_some());
            let count = recovered(&disk, known, &told);
            // A second start finds what the first one left.
            assert_eq!(recovered(&disk, Known { acknowledged: count, committed: count }, &told), count);
            goes_on(&disk, count, &told);
        }
    }
    assert!(torn > 50, "the cuts must go through writes: {torn}");
}

#[test]
fn a_power_cut_at_any_change_of_recovery_loses_nothing_either() {
    // The first cut is tried at every third place only, unless more effort is asked for.
    let (mut tried, mut reached) = (0, 0);
    let stride = 3_u64.div_ceil(effort());
    for cut in (0..operations_of_a_run()).step_by(stride as usize) {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        let known = run(&disk);
        disk.restart(Survival::Some(cut));
        let whole = disk.fork();
        let before = whole.operations();
        recovered(&whole, known, &format!("cut at {cut}"));
        for again in 0..whole.operations() - before {
            tried += 1;
            let disk = disk.fork();
            disk.cut_power_at(again);
            if let Ok(opened) = Log::open(Path::new(FOLDER), simulated(&disk)) {
                // The log is open, so the cut comes while index files are made.
                indexed_unless(&opened.log, || disk.is_powered_off());
            }
            if !disk.is_powered_off() {
                // The thread that prepares segments came less far than in the life that was counted.
                continue;
            }
            reached += 1;
            for survival in [Survival::Nothing, Survival::Everything, Survival::Some(again), Survival::Some(again + 99)]
            {
                let told = format!("cut at {cut}, again at {again}, {survival:?}");
                let disk = disk.fork();
                disk.restart(survival);
                let count = recovered(&disk, known, &told);
                disk.restart(Survival::Nothing);
                assert_eq!(recovered(&disk, known, &told), count, "{told}: what a reader saw must stay");
            }
        }
    }
    assert!(reached * 10 > tried * 9, "{reached} of {tried} cuts came");
}
