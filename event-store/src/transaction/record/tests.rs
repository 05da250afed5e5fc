//! Any bytes are a body or malformed; none makes the decoder panic.

#![allow(clippy::unwrap_used)]

use domain::ids::{AccountId, StreamId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::transaction::{EntryHeader, begin_entry, end_entry, put_event};

fn body() -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..2 {
        let at = body.len();
        let header = EntryHeader {
            recorded_at_us: 1,
            effective_at_us: Some(2),
            principal: "alice",
            idempotency_key: "key",
            fingerprint: 3,
            request_id: "request",
            correlation_id: "é",
            command: "deposit_funds",
            outcome: Outcome::Done,
        };
        begin_entry(&mut body, &header).unwrap();
        let stream = StreamId::Account(AccountId::new("a").unwrap());
        for version in 0..2 {
            put_event(&mut body, &stream, Version(version), "funds_deposited", 1, |json| json.push(b'1')).unwrap();
        }
        end_entry(&mut body, at, 2, |json| json.extend_from_slice(b"{}")).unwrap();
    }
    body
}

/// Reads everything that can be read; a checked body must never panic.
fn walk(body: &[u8], first_position: Position) -> usize {
    let mut seen = 0;
    for entry in Entries::new(body, first_position) {
        seen += entry.principal().len() + entry.idempotency_key().len() + entry.request_id().len();
        seen += entry.correlation_id().len() + entry.command().len() + entry.result().len();
        let _ = (entry.outcome(), entry.fingerprint(), entry.recorded_at_us(), entry.effective_at_us());
        seen +=
            entry.events().map(|event| event.stream.len() + event.event_type.len() + event.data.len()).sum::<usize>();
    }
    seen
}

fn check_and_walk(body: &[u8], event_count: u32) {
    if check_body(body, event_count, Position(1)).is_ok() {
        walk(body, Position(1));
    }
    // Without the count's help too: an entry alone must be checked as well.
    if let Ok((entry, _)) = Entry::decode(body, Position(1)) {
        walk(entry.bytes(), Position(1));
    }
}

#[test]
fn any_byte_of_a_body_may_be_any_other() {
    let body = body();
    assert_eq!(check_body(&body, 4, Position(1)), Ok(()));
    for at in 0..body.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff, body[at] ^ 1, body[at].wrapping_add(1)] {
            let mut changed = body.clone();
            changed[at] = byte;
            check_and_walk(&changed, 4);
        }
        assert!(check_body(&body[..at], 4, Position(1)).is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_body_or_malformed(bytes in vec(any::<u8>(), 0..400), count in 0_u32..5) {
        check_and_walk(&bytes, count);
    }

    #[test]
    fn a_body_changed_in_several_places_is_a_body_or_malformed(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = body();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_and_walk(&bytes, 4);
    }
}
