//! What stands in a log, read through its handle, with everything checked that must hold in any log: positions and
//! versions without a gap, time that does not go back, and books that balance with every transaction.

use std::collections::HashMap;

use domain::ids::{Position, Version};
use domain::posting::LedgerAccount;
use event_store::log::Log;
use event_store::transaction::Outcome;
use event_store::transaction::record::Entry;

use crate::books::Books;
use crate::oracle::{Written, WrittenEvent};

/// A log as it was read.
#[derive(Debug)]
pub(crate) struct ReadBack {
    pub(crate) written: Vec<Written>,
    /// Every balance that is not zero, in minor units.
    pub(crate) balances: HashMap<LedgerAccount, i64>,
}

/// Reads all of a log; `told` says which, where something is wrong with it.
pub(crate) fn read_back(log: &Log, told: &str) -> ReadBack {
    let mut frames = log.frames_after(Position::START).unwrap_or_else(|error| panic!("{told}: {error}"));
    let (mut written, mut books, mut order) = (Vec::new(), Books::default(), Order::default());
    let mut transaction = 0;
    while let Some(frame) = frames.next_frame().unwrap_or_else(|error| panic!("{told}: {error}")) {
        for entry in frame.entries() {
            order.check(&entry, told);
            entry.events().for_each(|event| books.book(&event.decode_event().unwrap()));
            written.push(Written {
                transaction,
                key: entry.idempotency_key().to_owned(),
                fingerprint: entry.fingerprint(),
                refused: entry.outcome() == Outcome::Refused,
                events: events(&entry),
            });
        }
        assert_eq!((books.in_clearing(), books.trial_balance()), (0, 0), "{told}: {:?}", written.last());
        transaction += 1;
    }
    assert_eq!(order.position, log.durable(), "{told}");
    ReadBack { written, balances: books.balances() }
}

/// Compares what a log has with what it should have, and shows the first difference only.
pub(crate) fn assert_written(found: &[Written], expected: &[Written], told: &str) {
    let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    assert_eq!(found.get(same), expected.get(same), "{told}: entry {same} of {} and {}", found.len(), expected.len());
}

fn events(entry: &Entry<'_>) -> Vec<WrittenEvent> {
    let event = |event: event_store::transaction::record::EventRecord<'_>| WrittenEvent {
        position: event.position,
        stream: event.stream.to_owned(),
        version: event.version,
        event_type: event.event_type.to_owned(),
        json: String::from_utf8(event.data.to_vec()).unwrap(),
    };
    entry.events().map(event).collect()
}

#[derive(Default)]
struct Order {
    position: Position,
    versions: HashMap<String, u64>,
    recorded_at_us: i64,
}

impl Order {
    fn check(&mut self, entry: &Entry<'_>, told: &str) {
        assert!(entry.recorded_at_us() >= self.recorded_at_us, "{told}: time goes back at {:?}", self.position);
        self.recorded_at_us = entry.recorded_at_us();
        for event in entry.events() {
            let next = self.versions.entry(event.stream.to_owned()).or_default();
            assert_eq!((event.position, event.version), (self.position.next(), Version(*next)), "{told}");
            self.position = event.position;
            *next += 1;
        }
    }
}
