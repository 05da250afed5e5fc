//! Events over HTTP: pages and the stream, by what they promise: every event once, in order, and on from any position.

mod stream;

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Answer, Scene, gbp, sent};

/// What a client asks for and is answered with.
async fn page(scene: &Scene, query: &str) -> Answer {
    let answer = sent(scene.client.request(Method::GET, &format!("/v1/events{query}"))).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    answer
}

fn number(answer: &Answer, header: &str) -> u64 {
    answer.header(header).unwrap().parse().unwrap()
}

fn position(event: &Value) -> u64 {
    event["id"].as_str().unwrap().parse().unwrap()
}

fn positions(answer: &Answer) -> Vec<u64> {
    answer.lines().iter().map(position).collect()
}

/// The positions on a page and all that follow it.
async fn followed(scene: &Scene, query: &str) -> Vec<u64> {
    let (mut next, mut all) = (Some(query.to_owned()), Vec::new());
    while let Some(query) = next {
        let answer = page(scene, &query).await;
        all.extend(positions(&answer));
        next = answer.header("link").map(|link| {
            let target = link.strip_prefix("</v1/events").and_then(|link| link.strip_suffix(">; rel=\"next\""));
            target.unwrap_or_else(|| panic!("{link}")).to_owned()
        });
    }
    all
}

/// Keeps what an answer says of the events of its command.
fn note(said: &mut BTreeMap<u64, Value>, answer: &Value) {
    for event in answer["events"].as_array().unwrap() {
        said.insert(event["position"].as_u64().unwrap(), event.clone());
    }
}

/// A scene in which all kinds of things happened, with what the answers to the commands said of it.
async fn eventful(flags: &[&str]) -> (Scene, BTreeMap<u64, Value>) {
    let scene = Scene::with(flags).await;
    let mut said = BTreeMap::new();
    for id in ["a", "b"] {
        let account = json!({"account_id": id, "owner_id": "o", "currency": "GBP"});
        note(&mut said, &scene.done("/v1/accounts", account).await);
    }
    for _ in 0..5 {
        note(&mut said, &scene.done("/v1/accounts/a/deposits", json!({"amount": gbp(100)})).await);
        note(&mut said, &scene.done("/v1/transfers", json!({"from": "a", "to": "b", "amount": gbp(40)})).await);
    }
    let refused = scene.refused("/v1/accounts/b/withdrawals", json!({"amount": gbp(1_000)})).await;
    let at = refused["position"].as_u64().unwrap();
    said.insert(at, json!({"type": "command_rejected", "stream": "rejections", "version": 0, "position": at}));
    note(&mut said, &scene.done("/v1/accounts/b/withdrawals", json!({"amount": gbp(1)})).await);
    (scene, said)
}

#[tokio::test]
async fn pages_have_every_event_once_in_order_as_the_answers_of_the_commands_told_them() {
    let (scene, said) = eventful(&[]).await;
    let whole = page(&scene, "").await;
    assert_eq!(positions(&whole), said.keys().copied().collect::<Vec<_>>());
    assert_eq!(positions(&whole), (1..=scene.position()).collect::<Vec<_>>());
    assert_eq!((number(&whole, "bursar-position"), whole.header("link")), (scene.position(), None));
    let mut sources = Vec::new();
    for event in whole.lines() {
        let told = &said[&position(&event)];
        assert_eq!((&event["type"], &event["subject"]), (&told["type"], &told["stream"]));
        assert_eq!(event["streamversion"], told["version"].to_string());
        assert_eq!(event["dataschema"], format!("urn:bursar:schema:{}:1", told["type"].as_str().unwrap()));
        sources.push(event["source"].clone());
    }
    sources.dedup();
    assert_eq!(sources.len(), 1);
    let first = &whole.lines()[0];
    assert_eq!(first["data"], json!({"account_id": "a", "owner_id": "o", "currency": "GBP"}));
    assert_eq!((&first["specversion"], &first["command"]), (&json!("1.0"), &json!("open_account")));

    assert_eq!(followed(&scene, "?limit=3").await, positions(&whole));
    scene.sound().await;
}

#[tokio::test]
async fn pages_are_filtered_by_position_stream_and_type() {
    let (scene, said) = eventful(&[]).await;
    let wanted = |is_wanted: &dyn Fn(u64, &Value) -> bool| -> Vec<u64> {
        said.iter().filter(|(position, event)| is_wanted(**position, event)).map(|(position, _)| *position).collect()
    };
    let last = scene.position();
    let cases: Vec<(&str, Vec<u64>)> = vec![
        ("?from=4&to=7", vec![4, 5, 6, 7]),
        ("?from=4&to=4", vec![4]),
        ("?to=999999", (1..=last).collect()),
        ("?stream=account-b", wanted(&|_, event| event["stream"] == "account-b")),
        (
            "?stream=account-b&from=9&to=12",
            wanted(&|at, event| event["stream"] == "account-b" && (9..=12).contains(&at)),
        ),
        ("?stream=rejections", wanted(&|_, event| event["stream"] == "rejections")),
        ("?stream=order-none", vec![]),
        ("?type=funds_deposited", wanted(&|_, event| event["type"] == "funds_deposited")),
        (
            "?type=transfer_sent,transfer_received&stream=account-a",
            wanted(&|_, event| event["type"] == "transfer_sent" && event["stream"] == "account-a"),
        ),
        ("?type=order_placed", vec![]),
    ];
    for (query, expected) in cases {
        let answer = page(&scene, query).await;
        assert_eq!(positions(&answer), expected, "{query}");
        // Everything was looked at, also what the filters left out.
        let to =
            if query.contains("to=") && !query.contains("999999") { query.split("to=").nth(1).unwrap() } else { "" };
        let expected = to.parse().unwrap_or(last) + 1;
        assert_eq!((number(&answer, "bursar-next-from"), answer.header("link")), (expected, None), "{query}");
        // One at a time, the pages have the same.
        assert_eq!(followed(&scene, &format!("{query}&limit=1")).await, positions(&answer), "{query}");
    }
    // At the end of the log there is nothing yet; that is no mistake.
    let answer = page(&scene, &format!("?from={}", last + 1)).await;
    assert_eq!((positions(&answer), number(&answer, "bursar-next-from")), (vec![], last + 1));
    scene.sound().await;
}

#[tokio::test]
async fn what_cannot_be_asked_of_events_is_told_by_name() {
    let (scene, _) = eventful(&[]).await;
    let (place, end) = ("use a position of the log: a whole number from 1 on", scene.position());
    let cases = [
        ("/v1/events?from=0", "from", format!("from is \"0\": {place}")),
        ("/v1/events?from=yesterday", "from", format!("from is \"yesterday\": {place}")),
        ("/v1/events?from=latest", "from", format!("from is \"latest\": {place}")),
        ("/v1/events?to=-1", "to", format!("to is \"-1\": {place}")),
        ("/v1/events?from=5&to=4", "to", "to is \"4\": it stands before from, which is 5".to_owned()),
        (
            "/v1/events?stream=wallet-1",
            "stream",
            "stream is \"wallet-1\": \"wallet-1\" is not a stream: use account-ID, product-ID, order-ID, payment-ID or \
             rejections"
                .to_owned(),
        ),
        (
            "/v1/events?type=funds_deposit",
            "type",
            "type is \"funds_deposit\": there is no such type of event; did you mean funds_deposited? GET /v1/schemas \
             lists them all"
                .to_owned(),
        ),
        ("/v1/events?limit=0", "limit", "limit is \"0\": use 1 to 10000".to_owned()),
        ("/v1/events?limit=10001", "limit", "limit is \"10001\": use 1 to 10000".to_owned()),
        (
            "/v1/events?after=5",
            "after",
            "there is no parameter \"after\" here; there are from, to, stream, type, limit".to_owned(),
        ),
        (
            "/v1/events/stream?from=now",
            "from",
            "from is \"now\": use a position of the log, a whole number from 1 on, or latest for what happens from now on"
                .to_owned(),
        ),
        (
            "/v1/events/stream?limit=1",
            "limit",
            "there is no parameter \"limit\" here; there are from, to, stream, type".to_owned(),
        ),
    ];
    for (path, param, detail) in cases {
        let problem = scene.problem(&sent(scene.client.request(Method::GET, path)).await).await;
        assert_eq!((&problem["code"], &problem["param"]), (&json!("invalid_request"), &json!(param)), "{path}");
        assert_eq!(problem["detail"], detail, "{path}");
    }
    for id in ["x", "-1", "9223372036854775808"] {
        let request = scene.client.request(Method::GET, "/v1/events/stream").header("last-event-id", id);
        let problem = scene.problem(&sent(request).await).await;
        assert_eq!((&problem["status"], &problem["param"]), (&json!(400), &json!("Last-Event-ID")), "{id}");
    }
    let ahead = end + 2;
    for path in [format!("/v1/events?from={ahead}"), format!("/v1/events/stream?from={ahead}")] {
        let problem = scene.problem(&sent(scene.client.request(Method::GET, &path)).await).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(409), &json!("position_ahead")), "{path}");
        assert_eq!(problem["figures"], json!({"from": ahead, "position": end}), "{path}");
    }
    let request = scene.client.request(Method::GET, "/v1/events/stream").header("last-event-id", ahead);
    assert_eq!(scene.problem(&sent(request).await).await["param"], "Last-Event-ID");
    scene.sound().await;
}

#[tokio::test]
async fn every_event_names_a_schema_that_is_there() {
    let (scene, _) = eventful(&[]).await;
    let listed = scene.client.found("/v1/schemas").await;
    for schema in listed["items"].as_array().unwrap() {
        let answer = sent(scene.client.request(Method::GET, schema["href"].as_str().unwrap())).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/schema+json")));
        assert_eq!((&answer.json()["$id"], &answer.json()["title"]), (&schema["id"], &schema["type"]));
    }
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|schema| &schema["id"]).collect();
    for event in page(&scene, "").await.lines() {
        assert!(ids.contains(&&event["dataschema"]), "{event}");
    }
    for (path, status, param) in [
        ("/v1/schemas/funds_deposit/1", 404, "type"),
        ("/v1/schemas/funds_deposited/2", 404, "version"),
        ("/v1/schemas/funds_deposited/one", 400, "version"),
    ] {
        let problem = scene.problem(&sent(scene.client.request(Method::GET, path)).await).await;
        assert_eq!((&problem["status"], &problem["param"]), (&json!(status), &json!(param)), "{path}");
    }
    scene.sound().await;
}
