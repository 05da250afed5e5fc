//! Answers that a client has already are not given again, and every other answer is.

use serde_json::Value;

use super::api_over;
use crate::applying::applied;
use crate::ask::*;
use crate::support::api::Api;
use crate::support::history::History;
use crate::support::shop;

/// One path for each query that follows from the read models alone.
const TAGGED: [&str; 11] = [
    "/v1/accounts",
    "/v1/accounts?limit=1&status=open",
    "/v1/accounts/other?at=20",
    "/v1/accounts/other/statement",
    "/v1/accounts/other/holds",
    "/v1/transfers/t-1",
    "/v1/products",
    "/v1/orders",
    "/v1/payments",
    "/v1/ledger/trial-balance",
    "/v1/analytics/sales?by=day",
];

#[tokio::test]
async fn an_answer_that_the_client_has_is_not_given_again() {
    let api = api_over(&shop::two_days()).await;
    for path in TAGGED.into_iter().chain(["/v1/rejections"]) {
        let answered = api.ask(path).await;
        assert_eq!(answered.headers["cache-control"], "no-cache", "{path}");
        let tag = answered.headers["etag"].to_str().unwrap();
        let (status, headers, body) = api.ask_unless(path, tag).await;
        assert_eq!((status, body.len()), (304, 0), "{path}");
        assert_eq!(
            (&headers["etag"], &headers["bursar-position"]),
            (&answered.headers["etag"], &answered.headers["bursar-position"])
        );
        for other in ["*", "\"3\"", &tag.replace(['0', '1', '2', '3'], "4")] {
            let (status, _, body) = api.ask_unless(path, other).await;
            assert_eq!(status, 200, "{path} {other}");
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), answered.body, "{path}");
        }
    }
}

#[tokio::test]
async fn the_tag_is_another_as_soon_as_anything_was_applied() {
    let mut history = History::default();
    history.ask(open("a"));
    history.ask(deposit("a", 1));
    let earlier = Api::new(&applied(&history, &[usize::MAX]).await, None);
    // Of another account, which the answer does not speak of: its position is another all the same.
    history.ask(open("b"));
    let later = Api::new(&applied(&history, &[usize::MAX]).await, None);
    for path in ["/v1/accounts/a/statement", "/v1/ledger/trial-balance"] {
        let tag = earlier.ask(path).await.headers["etag"].to_str().unwrap().to_owned();
        let (status, headers, _) = later.ask_unless(path, &tag).await;
        assert_eq!(status, 200, "{path}");
        assert_ne!(headers["etag"], tag);
    }
}

#[tokio::test]
async fn one_thing_has_its_version_as_its_tag_and_is_always_answered_in_full() {
    let api = api_over(&shop::two_days()).await;
    for path in ["/v1/accounts/other", "/v1/orders/o-1", "/v1/payments/p-2"] {
        let answered = api.ask(path).await;
        let tag = format!("\"{}\"", answered.body["version"]);
        assert_eq!(answered.headers["etag"], tag, "{path}");
        assert_eq!(api.ask_unless(path, &tag).await.0, 200, "{path}");
    }
    let (status, headers, _) = api.ask_unless("/v1/projections", "\"1\"").await;
    assert_eq!((status, headers.get("etag")), (200, None));
}

#[tokio::test]
async fn what_must_be_recent_is_waited_for_although_the_client_has_an_earlier_answer() {
    let api = api_over(&shop::two_days()).await;
    let tag = api.ask("/v1/accounts").await.headers["etag"].to_str().unwrap().to_owned();
    let (status, ..) = api.ask_unless("/v1/accounts?min_position=1000000&wait_ms=10", &tag).await;
    assert_eq!(status, 503);
}
