//! Tests of the store of derived data: stores with content that can be told from the number of a checkpoint alone.

mod behaviour;
mod crash;
mod damage;
mod failing_disk;
mod failure;
mod golden;
mod model;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use event_store::disk::Disk;
use event_store::lsm::{CheckpointFailed, Opened, Options, Records, Store, Table};

const FOLDER: &str = "/data/derived";
const TABLES: &[&str] = &["keys", "states"];
const KEYS: Table = Table(0);
const STATES: Table = Table(1);

/// A digest as a caller makes them: evenly spread.
fn digest(number: u64) -> u128 {
    let mut wide = u128::from(number) + 1;
    for _ in 0..3 {
        wide = wide.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        wide ^= wide >> 67;
    }
    wide
}

/// What a store holds: values by table and key.
type Contents = BTreeMap<(usize, u128), Vec<u8>>;

/// What checkpoint `round` hands over: some new keys, some that every checkpoint writes, and in every second checkpoint
/// states with long values.
fn records_of(round: u64) -> Contents {
    let mut contents = Contents::new();
    for number in 0..4 {
        contents.insert((0, digest(1000 * round + number)), format!("key {number} of {round}").into_bytes());
        contents.insert((0, digest(number)), format!("key {number}, last in {round}").into_bytes());
    }
    if round.is_multiple_of(2) {
        for number in 0..2 {
            contents.insert((1, digest(number + round % 4)), vec![round as u8; 1500]);
        }
    }
    contents
}

/// What the store holds after checkpoint `round`; rounds count from 1.
fn contents_after(round: u64) -> Contents {
    (1..=round).flat_map(records_of).collect()
}

fn records(contents: &Contents) -> Vec<Records> {
    let mut tables = vec![Records::default(), Records::default()];
    // Not in the order of the keys.
    for ((table, key), value) in contents.iter().rev() {
        tables[*table].push(*key, value);
    }
    tables
}

fn checkpoint(store: &mut Store, round: u64) -> Result<(), CheckpointFailed> {
    let produce = Box::new(move || records(&records_of(round)));
    store.checkpoint(round.to_le_bytes().to_vec(), produce).unwrap();
    store.wait().unwrap()
}

/// Small tiers, so that there is a merge after every second checkpoint.
fn options(disk: &(impl Disk + Clone)) -> Options {
    Options { disk: Arc::new(disk.clone()), fanout: 2, lowest_tier_bytes: 6 << 10, ..Options::default() }
}

fn open(disk: &(impl Disk + Clone)) -> Opened {
    Store::open(Path::new(FOLDER), TABLES, 1, options(disk)).unwrap()
}

fn round_of(note: &[u8]) -> u64 {
    u64::from_le_bytes(note.try_into().unwrap())
}

/// Checks that the store holds `contents`, and none of `absent`.
fn assert_holds(store: &mut Store, contents: &Contents, absent: &Contents, told: &str) {
    let mut value = b"from before".to_vec();
    for ((table, key), expected) in contents {
        assert!(store.may_contain(Table(*table), *key), "{told}");
        assert!(store.get(Table(*table), *key, &mut value).unwrap(), "{told}: {table} {key:032x}");
        assert!(value == *expected, "{told}: {table} {key:032x}");
    }
    for (table, key) in absent.keys().filter(|place| !contents.contains_key(place)) {
        assert!(!store.get(Table(*table), *key, &mut value).unwrap(), "{told}: {table} {key:032x}");
        assert_eq!(value, b"", "{told}");
    }
}

/// The files in the folder.
fn files(disk: &impl Disk) -> Vec<String> {
    let mut names = disk.names(Path::new(FOLDER)).unwrap();
    names.sort();
    names
}
