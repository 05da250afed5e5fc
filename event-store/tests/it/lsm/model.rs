//! Stores against a map, with random checkpoints, merges, restarts and limits of memory.

use std::path::Path;
use std::sync::Arc;

use event_store::disk::simulated::{SimulatedDisk, Survival};
use event_store::lsm::{Options, Store};
use proptest::prelude::*;

use super::{Contents, FOLDER, TABLES, assert_holds, digest, records};

#[derive(Debug, Clone)]
enum Act {
    /// Records: table, key, length of the value.
    Checkpoint(Vec<(usize, u64, usize)>),
    WaitForMerges,
    Restart {
        filter_bytes_max: u64,
        fanout: usize,
        lowest_tier_bytes: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let length = prop_oneof![8 => 0..40_usize, 2 => 1000..9000_usize];
    let record = (0..2_usize, 0..400_u64, length);
    prop_oneof![
        6 => proptest::collection::vec(record, 0..150).prop_map(Act::Checkpoint),
        1 => Just(Act::WaitForMerges),
        1 => (prop_oneof![Just(0), 0..20_000_u64, Just(1 << 30)], 2..5_usize, prop_oneof![Just(0), Just(20_000)])
            .prop_map(|(filter_bytes_max, fanout, lowest_tier_bytes)| Act::Restart {
                filter_bytes_max,
                fanout,
                lowest_tier_bytes,
            }),
    ]
}

/// Keys that are evenly spread, keys that stand close together, and the ends.
fn key(number: u64) -> u128 {
    match number {
        0..300 => digest(number),
        300..399 => u128::from(number),
        _ => u128::MAX,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_store_is_a_map(acts in proptest::collection::vec(act(), 1..20)) {
        let disk = SimulatedDisk::new();
        let mut options = Options { disk: Arc::new(disk.clone()), fanout: 2, ..Options::default() };
        let mut store = Store::open(Path::new(FOLDER), TABLES, 1, options.clone()).unwrap().store;
        let mut model = Contents::new();
        let mut note = None;
        let every_key: Contents = (0..2).flat_map(|t| (0..400).map(move |n| ((t, key(n)), Vec::new()))).collect();
        for (round, act) in acts.into_iter().enumerate() {
            match act {
                Act::Checkpoint(pushed) => {
                    let new = pushed.into_iter().map(|(table, number, length)| {
                        ((table, key(number)), [round as u8, number as u8].repeat(length))
                    });
                    let new: Contents = new.collect();
                    model.extend(new.clone());
                    note = Some(vec![round as u8]);
                    store.checkpoint(vec![round as u8], Box::new(move || records(&new))).unwrap();
                    store.wait().unwrap().unwrap();
                }
                Act::WaitForMerges => store.wait_for_merges(),
                Act::Restart { filter_bytes_max, fanout, lowest_tier_bytes } => {
                    drop(store);
                    disk.restart(Survival::Nothing);
                    options = Options { filter_bytes_max, fanout, lowest_tier_bytes, ..options };
                    let opened = Store::open(Path::new(FOLDER), TABLES, 1, options.clone()).unwrap();
                    prop_assert_eq!((opened.note, opened.discarded), (note.clone(), None));
                    store = opened.store;
                }
            }
            assert_holds(&mut store, &model, &every_key, &format!("round {round}"));
        }
    }
}
