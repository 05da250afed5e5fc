//! Whatever is appended is read back the same.

use std::path::Path;

use domain::ids::{AccountId, Position, StreamId, Version};
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::Log;
use event_store::log::Opened;
use event_store::transaction::{EntryHeader, Outcome};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::workload::{FOLDER, simulated};

#[derive(Debug, Clone)]
struct GivenEvent {
    stream: String,
    version: u64,
    event_type: String,
    schema_version: u16,
    data: Vec<u8>,
}

#[derive(Debug, Clone)]
struct GivenEntry {
    times: (i64, Option<i64>),
    texts: [String; 5],
    fingerprint: u128,
    outcome: Outcome,
    events: Vec<GivenEvent>,
    result: Vec<u8>,
}

fn event() -> impl Strategy<Value = GivenEvent> {
    let parts = ("[a-zA-Z0-9_.:-]{1,64}", any::<u64>(), "\\PC{0,40}", any::<u16>(), vec(any::<u8>(), 0..200));
    parts.prop_map(|(stream, version, event_type, schema_version, data)| GivenEvent {
        stream,
        version,
        event_type,
        schema_version,
        data,
    })
}

fn entry() -> impl Strategy<Value = GivenEntry> {
    let outcome = prop_oneof![Just(Outcome::Created), Just(Outcome::Done), Just(Outcome::Refused)];
    let texts = ["\\PC{0,30}", "\\PC{0,30}", "\\PC{0,30}", "\\PC{0,30}", "\\PC{0,30}"];
    let parts =
        (any::<(i64, Option<i64>)>(), texts, any::<u128>(), outcome, vec(event(), 0..4), vec(any::<u8>(), 0..99));
    parts.prop_map(|(times, texts, fingerprint, outcome, events, result)| GivenEntry {
        times,
        texts,
        fingerprint,
        outcome,
        events,
        result,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_what_was_appended(frames in vec(vec(entry(), 1..4), 1..8)) {
        let disk = SimulatedDisk::new();
        let Opened { log, appender, .. } = Log::open(Path::new(FOLDER), simulated(&disk)).unwrap();
        let mut appender = appender.start(|_| {}).unwrap();
        appender.acknowledge(());
        for given in &frames {
            let mut frame = appender.begin();
            for entry in given {
                let [principal, idempotency_key, request_id, correlation_id, command] = &entry.texts;
                frame.begin_entry(EntryHeader {
                    recorded_at_us: entry.times.0,
                    effective_at_us: entry.times.1,
                    principal, idempotency_key, fingerprint: entry.fingerprint,
                    request_id, correlation_id, command, outcome: entry.outcome,
                });
                for event in &entry.events {
                    let stream = StreamId::Account(AccountId::new(&event.stream).unwrap());
                    frame.event(&stream, Version(event.version), &event.event_type, event.schema_version, |json| {
                        json.extend_from_slice(&event.data);
                    });
                }
                frame.end_entry(|json| json.extend_from_slice(&entry.result));
            }
            frame.commit().unwrap();
        }
        appender.close().unwrap();
        drop(log);
        let reader = event_store::log::reader::LogReader::open_on(std::sync::Arc::new(disk), Path::new(FOLDER)).unwrap();
        let mut found = reader.frames_after(Position::START).unwrap();
        let mut position = 1;
        for given in &frames {
            let frame = found.next_frame().unwrap().unwrap();
            prop_assert_eq!(frame.entries().count(), given.len());
            for (entry, given) in frame.entries().zip(given) {
                prop_assert_eq!((entry.recorded_at_us(), entry.effective_at_us()), given.times);
                let texts = [entry.principal(), entry.idempotency_key(), entry.request_id(), entry.correlation_id(), entry.command()];
                prop_assert_eq!(texts, given.texts.each_ref().map(String::as_str));
                prop_assert_eq!((entry.fingerprint(), entry.outcome()), (given.fingerprint, given.outcome));
                prop_assert_eq!(entry.result(), &given.result);
                prop_assert_eq!(entry.events().count(), given.events.len());
                for (event, given) in entry.events().zip(&given.events) {
                    prop_assert_eq!(event.position, Position(position));
                    position += 1;
                    prop_assert_eq!(event.stream, format!("account-{}", given.stream));
                    prop_assert_eq!((event.version.0, event.schema_version), (given.version, given.schema_version));
                    prop_assert_eq!(event.event_type, &given.event_type);
                    prop_assert_eq!(event.data, &given.data);
                }
            }
        }
        prop_assert_eq!(found.next_frame().unwrap(), None);
    }
}
