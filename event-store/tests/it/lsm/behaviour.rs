//! What a store does when nothing goes wrong.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use event_store::disk::simulated::SimulatedDisk;
use event_store::lsm::{CheckpointFailed, CheckpointRefused, Options, Records, Store, discard};

use super::{
    Contents, FOLDER, KEYS, STATES, TABLES, assert_holds, checkpoint, contents_after, digest, files, open, options,
    round_of,
};

#[test]
fn a_checkpoint_is_found_when_it_is_published_and_not_before() {
    let disk = SimulatedDisk::new();
    let opened = open(&disk);
    assert_eq!((opened.note, opened.discarded), (None, None));
    let mut store = opened.store;
    let (go_on, gate) = channel::<()>();
    let produce = Box::new(move || {
        gate.recv().unwrap();
        let mut keys = Records::default();
        keys.push(digest(1), b"old");
        keys.push(digest(2), b"");
        keys.push(digest(1), b"new");
        vec![keys]
    });
    store.checkpoint(b"here".to_vec(), produce).unwrap();
    assert!(store.poll().is_none());
    assert!(store.checkpoint_under_way());
    let refused = store.checkpoint(Vec::new(), Box::new(Vec::new)).unwrap_err();
    assert_eq!(refused, CheckpointRefused::UnderWay);
    assert!(!store.may_contain(KEYS, digest(1)));
    go_on.send(()).unwrap();
    store.wait().unwrap().unwrap();
    assert!(!store.checkpoint_under_way());
    assert!(store.poll().is_none() && store.wait().is_none());
    let mut value = Vec::new();
    assert!(store.get(KEYS, digest(1), &mut value).unwrap());
    assert_eq!(value, b"new");
    assert!(store.get(KEYS, digest(2), &mut value).unwrap());
    assert_eq!(value, b"");
    assert!(!store.get(KEYS, digest(3), &mut value).unwrap());
    assert!(!store.get(STATES, digest(1), &mut value).unwrap());
    let stats = store.stats();
    assert_eq!((stats.tables[0].runs, stats.tables[0].records, stats.tables[1].runs), (1, 2, 0));
    assert!(store.close().is_none());
    let reopened = open(&disk);
    assert_eq!((reopened.note, reopened.discarded), (Some(b"here".to_vec()), None));
}

#[test]
fn merges_leave_few_runs_and_no_file_that_nobody_needs() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    for round in 1..=20 {
        checkpoint(&mut store, round).unwrap();
    }
    store.wait_for_merges();
    assert_holds(&mut store, &contents_after(20), &contents_after(40), "merged");
    let stats = store.stats();
    assert!(stats.compactions >= 10, "{stats:?}");
    assert_eq!(stats.compaction_failed, None);
    let runs: u64 = stats.tables.iter().map(|table| table.runs).sum();
    assert!(runs <= 8, "{stats:?}");
    assert_eq!(files(&disk).len() as u64, runs + 1, "{:?}", files(&disk));
    assert!(stats.tables.iter().map(|table| table.disk_bytes).sum::<u64>() < disk.used_bytes());
    store.close();
    let reopened = open(&disk);
    assert_eq!(round_of(&reopened.note.unwrap()), 20);
    let mut store = reopened.store;
    assert_holds(&mut store, &contents_after(20), &contents_after(40), "reopened");
}

#[test]
fn a_checkpoint_does_not_wait_for_a_merge() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    // Merges take several steps; checkpoints go in between, and nothing of either is lost.
    let long = |round: u64| {
        let mut keys = Records::default();
        for number in 0..60_000 {
            keys.push(digest(number), &round.to_le_bytes());
        }
        keys.push(digest(1 << 32 | round), b"of one round");
        vec![keys]
    };
    for round in 0..6 {
        store.checkpoint(Vec::new(), Box::new(move || long(round))).unwrap();
        store.wait().unwrap().unwrap();
    }
    store.wait_for_merges();
    let mut value = Vec::new();
    for number in (0..60_000).step_by(97) {
        assert!(store.get(KEYS, digest(number), &mut value).unwrap());
        assert_eq!(value, 5_u64.to_le_bytes());
    }
    for round in 0..6 {
        assert!(store.get(KEYS, digest(1 << 32 | round), &mut value).unwrap());
    }
    assert!(store.stats().compactions >= 2, "{:?}", store.stats());
}

#[test]
fn long_values_and_an_empty_checkpoint_are_taken() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    let value_of = |number: u64| vec![number as u8; [0, 1, 4000, 4096, 70_000, 3 << 20][number as usize % 6]];
    for half in 0..2 {
        let produce = Box::new(move || {
            let mut states = Records::with_capacity(12, 8 << 20);
            for number in (half * 6..half * 6 + 6).rev() {
                states.push_with(digest(number), |bytes| bytes.extend(value_of(number)));
            }
            vec![Records::default(), states]
        });
        store.checkpoint(Vec::new(), produce).unwrap();
        store.wait().unwrap().unwrap();
    }
    store.wait_for_merges();
    assert_eq!(store.stats().tables[1].runs, 1);
    store.checkpoint(b"nothing new".to_vec(), Box::new(Vec::new)).unwrap();
    assert!(store.close().unwrap().is_ok());
    let opened = open(&disk);
    assert_eq!(opened.note.as_deref(), Some(&b"nothing new"[..]));
    let (mut store, mut value) = (opened.store, Vec::new());
    for number in 0..12 {
        assert!(store.get(STATES, digest(number), &mut value).unwrap());
        assert!(value == value_of(number), "{number}");
    }
}

#[test]
fn the_digest_key_lives_as_long_as_the_store() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    let key = store.digest_key();
    checkpoint(&mut store, 1).unwrap();
    store.close();
    let store = open(&disk).store;
    assert_eq!(store.digest_key(), key);
    store.discard().unwrap();
    let opened = open(&disk);
    assert_ne!(opened.store.digest_key(), key);
    assert_eq!((opened.note, opened.discarded), (None, Some("/data/derived has no manifest".to_owned())));
    assert_eq!(files(&disk), Vec::<String>::new());
}

#[test]
fn a_store_of_other_tables_or_another_format_starts_empty_and_says_why() {
    let reason = |disk: &SimulatedDisk, tables, format| {
        let opened = Store::open(Path::new(FOLDER), tables, format, options(disk)).unwrap();
        let mut store = opened.store;
        assert_holds(&mut store, &Contents::new(), &contents_after(3), "empty");
        assert_eq!((opened.note, files(disk)), (None, Vec::new()));
        opened.discarded.unwrap()
    };
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    for round in 1..=3 {
        checkpoint(&mut store, round).unwrap();
    }
    store.close();
    assert_eq!(
        reason(&disk.fork(), TABLES, 2),
        r#"/data/derived/manifest has tables ["keys", "states"] in format 1, this program writes tables ["keys", "states"] in format 2"#
    );
    let said = reason(&disk, &["states", "keys"], 1);
    assert!(said.ends_with(r#"this program writes tables ["states", "keys"] in format 1"#), "{said}");
}

#[test]
fn nothing_is_in_memory_beyond_the_limit_and_the_answers_are_the_same() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    for round in 1..=9 {
        checkpoint(&mut store, round).unwrap();
    }
    store.wait_for_merges();
    let whole: u64 = store.stats().tables.iter().map(|table| table.filter_bytes).sum();
    store.close();
    for filter_bytes_max in [0, whole / 2, whole - 1, whole] {
        let options = Options { filter_bytes_max, ..options(&disk) };
        let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options).unwrap().store;
        let stats = store.stats();
        let loaded: u64 = stats.tables.iter().map(|table| table.filter_bytes).sum();
        let unloaded: u64 = stats.tables.iter().map(|table| table.runs_without_filter).sum();
        assert!(loaded <= filter_bytes_max, "{stats:?}");
        assert_eq!(unloaded > 0, filter_bytes_max < whole, "{stats:?}");
        assert_holds(&mut store, &contents_after(9), &contents_after(20), "with a limit");
    }
}

#[test]
fn a_panic_of_the_caller_s_closure_is_a_failed_checkpoint() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk).store;
    checkpoint(&mut store, 1).unwrap();
    store.checkpoint(Vec::new(), Box::new(|| panic!("on purpose, in a test"))).unwrap();
    assert!(matches!(store.wait(), Some(Err(CheckpointFailed::Ended))));
    assert!(store.poll().is_none());
    assert_holds(&mut store, &contents_after(1), &contents_after(2), "after a panic");
    assert_eq!(store.checkpoint(Vec::new(), Box::new(Vec::new)).unwrap_err(), CheckpointRefused::Ended);
    store.wait_for_merges();
}

#[test]
fn a_folder_without_a_store_can_be_discarded_and_real_files_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let options = Options { fanout: 2, ..Options::default() };
    discard(options.disk.as_ref(), &path).unwrap();
    let mut store = Store::open(&path, TABLES, 1, options.clone()).unwrap().store;
    for round in 1..=5 {
        checkpoint(&mut store, round).unwrap();
    }
    store.wait_for_merges();
    store.close();
    let opened = Store::open(&path, TABLES, 1, options.clone()).unwrap();
    let mut store = opened.store;
    assert_eq!(round_of(&opened.note.unwrap()), 5);
    assert_holds(&mut store, &contents_after(5), &contents_after(8), "on real files");
    store.close();
    discard(options.disk.as_ref(), &path).unwrap();
    let opened = Store::open(&path, TABLES, 1, Options { disk: Arc::clone(&options.disk), ..options }).unwrap();
    assert_eq!(opened.note, None);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}
