//! Every byte of small files turned over: noticed or harmless, never a wrong answer.

use std::path::Path;

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::lsm::{Options, Store, Table};

use super::{Contents, FOLDER, TABLES, checkpoint, contents_after, files, open, options, round_of};

/// A store with a merged run and others that are not.
fn small_store() -> (SimulatedDisk, Contents) {
    let disk = SimulatedDisk::new();
    let options = Options { fanout: 3, ..options(&disk) };
    let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap().store;
    for round in 1..=4 {
        checkpoint(&mut store, round).unwrap();
        store.wait_for_merges();
    }
    store.close();
    (disk, contents_after(4))
}

fn length(disk: &SimulatedDisk, name: &str) -> u64 {
    disk.open(&Path::new(FOLDER).join(name), Access::Read).unwrap().length().unwrap()
}

/// Looks everything up; answers whether damage was met. A wrong answer fails.
fn look_up(store: &mut Store, contents: &Contents, told: &str) -> bool {
    let (mut damaged, mut value) = (false, Vec::new());
    for (table, key) in contents_after(6).keys() {
        match store.get(Table(*table), *key, &mut value) {
            Ok(found) => {
                let expected = contents.get(&(*table, *key));
                assert_eq!(found.then_some(&value), expected, "{told}: {table} {key:032x}");
            }
            Err(damage) => {
                assert!(damage.to_string().contains("Discard the store and start again"), "{damage}");
                damaged = true;
            }
        }
    }
    damaged
}

#[test]
fn a_flipped_bit_is_noticed_or_harmless() {
    let (disk, contents) = small_store();
    let (mut discarded, mut damaged, mut harmless) = (0, 0, 0);
    for name in files(&disk) {
        for byte in 0..length(&disk, &name) {
            let told = format!("byte {byte} of {name}");
            let disk = disk.fork();
            disk.flip_bit(&Path::new(FOLDER).join(&name), byte * 8 + byte % 8).unwrap();
            // Filters on disk: then more is read by lookups than at the start.
            let filter_bytes_max = if byte.is_multiple_of(2) { 0 } else { 1 << 20 };
            let options = Options { filter_bytes_max, fanout: 9, ..options(&disk) };
            let opened = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap();
            let mut store = opened.store;
            if let Some(reason) = opened.discarded {
                assert!(reason.contains(&name), "{told}: {reason}");
                assert!(!look_up(&mut store, &Contents::new(), &told), "{told}");
                assert_eq!((opened.note, files(&disk)), (None, Vec::new()), "{told}");
                discarded += 1;
            } else {
                assert_eq!(opened.note.as_deref().map(round_of), Some(4), "{told}");
                if look_up(&mut store, &contents, &told) { damaged += 1 } else { harmless += 1 }
            }
        }
    }
    // Harmless are the zeros between blocks and fences, and what no lookup of these came upon.
    assert!(discarded > 5000 && damaged > 5000, "{discarded} discarded, {damaged} damaged, {harmless} harmless");
}

#[test]
fn a_bit_that_flips_while_the_store_is_open_is_noticed_or_harmless() {
    let (disk, contents) = small_store();
    let mut damaged = 0;
    for name in files(&disk) {
        for byte in (0..length(&disk, &name)).step_by(7) {
            let disk = disk.fork();
            disk.restart_process();
            let filter_bytes_max = if byte.is_multiple_of(2) { 0 } else { 1 << 20 };
            let options = Options { filter_bytes_max, fanout: 9, ..options(&disk) };
            let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap().store;
            disk.flip_bit(&Path::new(FOLDER).join(&name), byte * 8 + byte % 8).unwrap();
            if look_up(&mut store, &contents, &format!("byte {byte} of {name}")) {
                damaged += 1;
                store.discard().unwrap();
                let opened = open(&disk);
                assert_eq!((opened.note, files(&disk)), (None, Vec::new()));
            }
        }
    }
    assert!(damaged > 300, "{damaged}");
}

#[test]
fn a_file_that_is_missing_or_another_one_makes_the_store_start_empty() {
    let (disk, _) = small_store();
    let names = files(&disk);
    let runs: Vec<_> = names.iter().filter(|name| name.ends_with(".run")).collect();
    assert!(runs.len() == 4);
    let path = |name: &str| Path::new(FOLDER).join(name);
    for (spoil, said) in [
        (
            Box::new(|disk: &SimulatedDisk| disk.remove(&path(runs[0])).unwrap()) as Box<dyn Fn(&SimulatedDisk)>,
            "opening",
        ),
        (Box::new(|disk: &SimulatedDisk| disk.rename(&path(runs[0]), &path(runs[1])).unwrap()), "not the run that"),
        (Box::new(|disk: &SimulatedDisk| drop(disk.create(&path(runs[1])).unwrap())), "less than a footer"),
        (
            Box::new(|disk: &SimulatedDisk| {
                disk.rename(&path(runs[0]), &path("aside")).unwrap();
                disk.rename(&path(runs[1]), &path(runs[0])).unwrap();
                disk.rename(&path("aside"), &path(runs[1])).unwrap();
            }),
            "not the run that the manifest lists",
        ),
    ] {
        let disk = disk.fork();
        spoil(&disk);
        let opened = open(&disk);
        let reason = opened.discarded.unwrap();
        assert!(reason.contains(said), "{reason}");
        assert_eq!((opened.note, files(&disk)), (None, Vec::new()));
    }
}

#[test]
fn merging_a_damaged_run_fails_and_says_so() {
    let (disk, contents) = small_store();
    // The first block of the oldest run.
    disk.flip_bit(&Path::new(FOLDER).join(&files(&disk)[0]), 100).unwrap();
    let options = Options { fanout: 2, lowest_tier_bytes: 1 << 20, ..options(&disk) };
    let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap().store;
    checkpoint(&mut store, 5).unwrap();
    store.wait_for_merges();
    let failed = store.stats().compaction_failed;
    assert!(failed.as_ref().is_some_and(|failed| failed.contains("wrong checksum")), "{failed:?}");
    let contents: Contents = contents.into_iter().chain(super::records_of(5)).collect();
    assert!(look_up(&mut store, &contents, "one block is damaged"));
}
