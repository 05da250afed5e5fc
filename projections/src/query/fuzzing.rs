//! The reader of query parameters on any bytes: nothing here may panic, and what is refused is told.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::Request;
use domain::ids::AccountId;

use super::asked::{Asked, AskedOfRows, Name};
use super::cursor;
use super::time::{At, Bound, Day};

/// The query string of a list, with one parameter of every kind.
fn query(data: &[u8]) {
    let uri = [b"/v1/accounts?", data].concat();
    let Ok(request) = Request::builder().uri(uri.as_slice()).body(()) else { return };
    let mut parts = request.into_parts().0;
    let asked = pin!(Asked::from_request_parts(&mut parts, &()));
    // It waits for nothing.
    let Poll::Ready(Ok(mut asked)) = asked.poll(&mut Context::from_waker(Waker::noop())) else { return };
    let page = asked.page(|key| Some(key.to_vec()));
    let freshness = asked.freshness();
    let _ = (asked.word("status", &["open", "closed"]), asked.optional::<AccountId>("account_id"));
    let _ = (asked.optional::<Name>("principal"), asked.optional::<Bound>("from"));
    let _ = (asked.optional::<At>("at"), asked.optional::<Day>("day"));
    if let Err(problem) = asked.finish() {
        assert_eq!(problem.code, "invalid_request");
        assert!(!problem.detail.is_empty() && !problem.errors.is_empty());
        return;
    }
    assert!((1..=1_000).contains(&page.limit) && freshness.wait_max <= Duration::from_secs(30));
    assert!(i64::try_from(freshness.min_position.0).is_ok());
    if let Some(key) = page.after {
        let written = cursor::write(&page.scope, &key);
        assert_eq!(cursor::read(&page.scope, &written), Some(key));
    }
}

#[path = "../../../tests/fuzz/src/replay.rs"]
mod replay;

#[test]
fn no_bytes_are_too_much_for_a_query() {
    replay::replay("query", query);
}
