//! A store written once and kept: today's program must read it, and write the same bytes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::lsm::{Options, Store};

use super::{FOLDER, TABLES, assert_holds, checkpoint, contents_after, files, round_of};

static DICE: AtomicU64 = AtomicU64::new(0);

fn golden_options(disk: &SimulatedDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        fanout: 3,
        lowest_tier_bytes: 6 << 10,
        random: || DICE.fetch_add(1, Ordering::SeqCst),
        ..Options::default()
    }
}

#[test]
fn the_golden_store_is_written_and_read_as_it_was() {
    DICE.store(0x1122_3344_5566_7700, Ordering::SeqCst);
    let written = SimulatedDisk::new();
    let mut store = Store::open(Path::new(FOLDER), TABLES, 1, golden_options(&written)).unwrap().store;
    for round in 1..=4 {
        checkpoint(&mut store, round).unwrap();
        store.wait_for_merges();
    }
    store.close();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/derived-v1");
    let read = SimulatedDisk::new();
    read.create_folder(Path::new(FOLDER)).unwrap();
    let names = files(&written);
    assert_eq!(names, ["0000000003.run", "0000000005.run", "0000000006.run", "0000000007.run", "manifest"]);
    for name in names {
        let file = written.open(&Path::new(FOLDER).join(&name), Access::Read).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let path = folder.join(&name);
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(&path).unwrap();
        assert!(golden == bytes, "{name} is written with other bytes than it was");
        read.create(&Path::new(FOLDER).join(&name)).unwrap().write_at(&golden, 0).unwrap();
    }
    let opened = Store::open(Path::new(FOLDER), TABLES, 1, golden_options(&read)).unwrap();
    assert_eq!((opened.note.as_deref().map(round_of), opened.discarded), (Some(4), None));
    let mut store = opened.store;
    assert_eq!(store.digest_key(), 0x1122_3344_5566_7700_1122_3344_5566_7701);
    assert_holds(&mut store, &contents_after(4), &contents_after(6), "golden");
}
