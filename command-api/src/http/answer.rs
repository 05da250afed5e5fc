//! The answer to an accepted command, written byte by byte: batches write hundreds of thousands of them a second.

use axum::http::StatusCode;
use domain::ids::Position;

use crate::engine::Accepted;

/// The status of an accepted command: 201 where it brought something new into being, else (and for a dry run) 200.
pub(super) fn status(accepted: &Accepted) -> StatusCode {
    if accepted.created && accepted.position.is_some() { StatusCode::CREATED } else { StatusCode::OK }
}

/// Writes the members of the answer's object, without its braces.
pub(super) fn write_members(out: &mut Vec<u8>, accepted: &Accepted) {
    out.extend_from_slice(b"\"result\":");
    out.extend_from_slice(&accepted.result);
    out.extend_from_slice(b",\"events\":[");
    for (index, event) in accepted.events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // Types and ids have no character that JSON would have to escape.
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(event.event_type.as_bytes());
        out.extend_from_slice(b"\",\"stream\":\"");
        let (kind, id) = event.stream.parts();
        out.extend_from_slice(kind.as_bytes());
        if let Some(id) = id {
            out.push(b'-');
            out.extend_from_slice(id.as_bytes());
        }
        out.extend_from_slice(b"\",\"version\":");
        write_number(out, event.version.0);
        out.extend_from_slice(b",\"position\":");
        write_position(out, event.position);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"position\":");
    write_position(out, accepted.position);
    out.extend_from_slice(if accepted.replayed { b",\"replayed\":true" } else { b",\"replayed\":false" });
}

fn write_position(out: &mut Vec<u8>, position: Option<Position>) {
    match position {
        Some(Position(position)) => write_number(out, position),
        None => out.extend_from_slice(b"null"),
    }
}

/// Writes a number in decimal.
pub(super) fn write_number(out: &mut Vec<u8>, number: u64) {
    domain::json::put_unsigned(out, number);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use domain::ids::{StreamId, Version};
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::EventPlace;

    fn accepted(position: Option<Position>) -> Accepted {
        let event = |event_type, stream: &str, version| EventPlace {
            event_type,
            stream: stream.parse::<StreamId>().unwrap(),
            version: Version(version),
            position,
        };
        Accepted {
            created: true,
            result: b"{\"a\":1}".to_vec(),
            events: vec![event("transfer_sent", "account-a", 3), event("transfer_received", "account-b:c", 0)],
            version: Version(3),
            position,
            replayed: false,
        }
    }

    #[test]
    fn an_answer_is_the_json_that_the_contract_says() {
        for (position, told, status_told) in [(Some(Position(12)), json!(12), 201), (None, Value::Null, 200)] {
            let accepted = accepted(position);
            let mut out = b"{".to_vec();
            write_members(&mut out, &accepted);
            out.push(b'}');
            let expected = json!({
                "result": {"a": 1},
                "events": [
                    {"type": "transfer_sent", "stream": "account-a", "version": 3, "position": told},
                    {"type": "transfer_received", "stream": "account-b:c", "version": 0, "position": told}
                ],
                "position": told,
                "replayed": false
            });
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
            assert_eq!(status(&accepted), status_told);
        }
    }
}
