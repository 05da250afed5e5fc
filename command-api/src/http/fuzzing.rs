//! What fuzzing calls: each reader of a request on any bytes. Nothing here may panic, whatever the bytes are; and the
//! two passes must agree: what the fast one takes, the explaining one finds nothing wrong with, and what the fast one
//! refuses, the other can say why. The readers are private, so this door is there only for the crate's own tests and,
//! with the feature `fuzzing`, for `tests/fuzz`; no program is built with it.

use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue, Request};
use domain::ids::Version;
use http_problem::Problem;

use super::batch::fuzzing::pieces;
use super::catalogue::{self, CATALOGUE};
use super::definition::Presence;
use super::explain::Faults;
use super::head;
use super::read::{Beside, Taken};

/// Longer lines than this are too long.
const LINE_BYTES_MAX: usize = 2_000;

/// The body of a single command: the first byte says of which, the second what stands beside it, the rest is the body.
pub fn body(data: &[u8]) {
    let Some(([command, beside_it], body)) = data.split_first_chunk::<2>() else { return };
    let command = &CATALOGUE[usize::from(*command) % CATALOGUE.len()];
    let ids = if beside_it & 1 == 0 { ["acct_1", "b", "-"] } else { ["no id", "", "b"] };
    let of_path = command.fields.iter().filter(|field| field.presence == Presence::Path).count();
    let if_match = (beside_it & 2 != 0).then_some(Version(u64::from(*beside_it)));
    let beside = || Beside { path: &ids[..of_path], if_match, faults: Faults::default() };
    let taken = (command.read_body)(body, beside(), &mut Vec::new());
    agree(taken, || (command.explain_body)(trimmed(body), beside()), body);
}

/// As the fast pass looks at it: an empty body is an object without fields.
fn trimmed(body: &[u8]) -> &[u8] {
    let body = body.trim_ascii();
    if body.is_empty() { b"{}" } else { body }
}

/// The body of a batch: the first byte says in which parts it arrives, the rest is the body. However it arrives, it is
/// cut into the same pieces; each of them is read as a line.
pub fn batch(data: &[u8]) {
    let Some((parts, body)) = data.split_first() else { return };
    let whole = pieces(body, body.len().max(1), LINE_BYTES_MAX);
    for part_bytes in [1, 2, 1 + usize::from(*parts)] {
        assert_eq!(pieces(body, part_bytes, LINE_BYTES_MAX), whole, "in parts of {part_bytes} bytes");
    }
    for line in whole.into_iter().filter_map(|(_, piece)| piece.ok()) {
        let taken = catalogue::line(&line, &mut Vec::new());
        let command = taken.as_ref().ok().map(|taken| taken.command_type);
        let command = CATALOGUE.iter().find(|known| Some(known.name) == command);
        agree(taken, || command.map(|command| (command.explain_line)(&line)).expect("its type is known"), &line);
    }
}

fn agree(taken: Result<Taken, Problem>, explain: impl FnOnce() -> Problem, bytes: &[u8]) {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    match taken {
        Ok(_) => {
            let problem = explain();
            assert_eq!((problem.code, problem.errors.as_slice()), ("invalid_request", &[][..]), "{}", shown());
        }
        Err(problem) => {
            assert!(!problem.detail.is_empty());
            assert_eq!(problem.errors.is_empty(), problem.code != "invalid_request", "{problem:?} of {}", shown());
        }
    }
}

/// What stands beside a body: the query on the first line, then `If-Match`, then the idempotency key.
pub fn beside(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut faults = Faults::default();
    let query = lines.next().unwrap_or_default();
    let uri = [b"/v1/commands?", query].concat();
    if let Ok(request) = Request::builder().uri(uri.as_slice()).body(()) {
        let parts = request.into_parts().0;
        let asked = head::query(&parts, &["mode", "dry_run"], &mut faults);
        // Whatever is given twice or unknown is told.
        let given = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).count();
        assert!(given <= 2 || faults.found() > 0, "{asked:?} of {:?}", parts.uri);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in [(IF_MATCH.as_str(), lines.next()), ("idempotency-key", lines.next())] {
        if let Some(Ok(value)) = value.map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let found = faults.found();
    let version = head::if_match(&headers, &mut faults);
    assert_eq!(version.is_none() && headers.contains_key(IF_MATCH), faults.found() > found);
    if let Ok(key) = head::idempotency_key(&headers) {
        assert_eq!(key.0.as_bytes(), headers["idempotency-key"].as_bytes());
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;

    #[test]
    fn no_bytes_are_too_much_for_the_body_of_a_command() {
        replay("body", super::body);
    }

    #[test]
    fn no_bytes_are_too_much_for_a_batch() {
        replay("batch", super::batch);
    }

    #[test]
    fn no_bytes_are_too_much_for_what_stands_beside_a_body() {
        replay("beside", super::beside);
    }
}
