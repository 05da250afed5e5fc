//! Checkpoints between the steps of merges, in an order that is always the same, with power cuts at every change.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::super::opening;
use super::super::{Options, Store, Table};
use super::*;
use crate::disk::simulated::{SimulatedDisk, Survival};

const FOLDER: &str = "/derived";
const ROUNDS: u64 = 9;

fn options(disk: &SimulatedDisk) -> Options {
    Options { disk: Arc::new(disk.clone()), fanout: 2, lowest_tier_bytes: 9000, ..Options::default() }
}

fn key(number: u64) -> u128 {
    u128::from(number).wrapping_mul(u128::MAX / 1_000_003)
}

/// One key that every checkpoint writes, and ten of its own.
fn records_of(round: u64) -> Vec<Records> {
    let mut records = Records::default();
    records.push(key(0), &round.to_le_bytes());
    for number in 0..10 {
        records.push(key(round * 10 + number), &number.to_le_bytes());
    }
    vec![records]
}

/// After each checkpoint one step of a merge is done, so that checkpoints come in the middle of merges, and short merges in
/// the middle of long ones. Answers the last published round, and how many merges were under way at once at most.
fn run(disk: &SimulatedDisk) -> (u64, usize, u64) {
    let (mut published, mut at_once) = (0, 0);
    let Ok(found) = opening::open(Path::new(FOLDER), &["keys"], 1, &options(disk)) else { return (0, 0, 0) };
    let mut writer = Writer::new(found.catalogue, Tiers { fanout: 2, lowest_bytes: 9000 });
    for round in 1..=ROUNDS {
        if writer.checkpoint(round.to_le_bytes().to_vec(), Box::new(move || records_of(round))).is_ok() {
            published = round;
        }
        writer.begin_merges();
        at_once = at_once.max(writer.merges.len());
        writer.go_on_merging();
    }
    while !writer.merges.is_empty() {
        writer.go_on_merging();
    }
    (published, at_once, writer.compactions.done)
}

fn assert_is_one_checkpoint(disk: &SimulatedDisk, published: u64, told: &str) {
    let opened = Store::open(Path::new(FOLDER), &["keys"], 1, options(disk)).unwrap();
    let round = opened.note.map_or(0, |note| u64::from_le_bytes(note.try_into().unwrap()));
    assert!(round >= published && round <= published + 1, "{told}: {round} of {published}");
    let (mut store, mut value) = (opened.store, Vec::new());
    assert_eq!(store.get(Table(0), key(0), &mut value).unwrap(), round > 0, "{told}");
    assert!(round == 0 || value == round.to_le_bytes(), "{told}: {value:?} after {round}");
    for number in 10..(ROUNDS + 1) * 10 {
        assert_eq!(
            store.get(Table(0), key(number), &mut value).unwrap(),
            number < (round + 1) * 10,
            "{told}: {number}"
        );
    }
}

#[test]
fn checkpoints_and_short_merges_go_between_the_steps_of_long_ones() {
    let disk = SimulatedDisk::new();
    let (published, at_once, compactions) = run(&disk);
    assert_eq!(published, ROUNDS);
    assert!(at_once >= 2 && compactions >= 4, "{at_once} merges at once, {compactions} done");
    assert_is_one_checkpoint(&disk, ROUNDS, "whole");
}

#[test]
fn a_power_cut_between_the_steps_leaves_exactly_one_checkpoint() {
    let operations = {
        let disk = SimulatedDisk::new();
        run(&disk);
        disk.operations()
    };
    for cut in 0..operations {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(cut);
        let (published, ..) = run(&disk);
        for survival in [Survival::Nothing, Survival::Everything, Survival::Some(cut)] {
            let disk = disk.fork();
            disk.restart(survival);
            assert_is_one_checkpoint(&disk, published, &format!("cut at {cut}, {survival:?}"));
        }
    }
}

#[test]
fn filters_in_memory_stay_below_the_limit_while_an_owner_holds_an_older_view() {
    for filter_bytes_max in [0, 100, 250, 700, 100_000] {
        let disk = SimulatedDisk::new();
        let options = Options { filter_bytes_max, ..options(&disk) };
        let found = opening::open(Path::new(FOLDER), &["keys"], 1, &options).unwrap();
        let mut writer = Writer::new(found.catalogue, Tiers { fanout: 2, lowest_bytes: 9000 });
        let mut held = writer.view();
        for round in 1..=ROUNDS {
            writer.checkpoint(Vec::new(), Box::new(move || records_of(round))).unwrap();
            writer.begin_merges();
            let before = std::mem::replace(&mut held, writer.view());
            while writer.go_on_merging() || !writer.merges.is_empty() {
                let loaded = writer.catalogue.loaded_bytes.load(std::sync::atomic::Ordering::Relaxed);
                assert!(loaded <= filter_bytes_max, "{loaded} of {filter_bytes_max} in round {round}");
            }
            drop(before);
        }
        drop(held);
        // What found no room beside the view that was held finds it with the next checkpoint.
        writer.checkpoint(Vec::new(), Box::new(Vec::new)).unwrap();
        let loaded = writer.catalogue.tables[0].iter().filter(|run| run.index.is_some()).count();
        assert_eq!(loaded > 0, filter_bytes_max >= 250, "{filter_bytes_max}");
    }
}
