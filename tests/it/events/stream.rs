//! The stream of events: what has happened and what happens, without gap or duplicate, whatever becomes of connections.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{eventful, position};
use crate::client::Client;
use crate::postgres::NOWHERE;
use crate::random::Random;
use crate::scene::{Scene, gbp, sent};
use crate::server::{PATIENCE, Server, within};
use crate::traffic::{Pieces, Traffic};

/// A message of the stream.
#[derive(Debug, Default, Clone, PartialEq)]
struct Message {
    id: Option<u64>,
    kind: Option<String>,
    data: Option<Value>,
}

/// A client of the stream, as the standard for server-sent events has it.
struct Listener {
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Listener {
    async fn new(client: &Client, query: &str, last_event_id: Option<u64>) -> Self {
        let mut request = client.request(Method::GET, &format!("/v1/events/stream{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let bytes = response.bytes_stream().map(|bytes| bytes.map(|bytes| bytes.to_vec())).boxed();
        Self { bytes, buffer: Vec::new() }
    }

    /// The next message with an id; none when the stream has ended as it should.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let mut message = Message::default();
                for line in String::from_utf8(block).unwrap().lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => message.id = Some(id.parse().unwrap()),
                        Some(("event", kind)) => message.kind = Some(kind.to_owned()),
                        Some(("data", data)) => message.data = Some(serde_json::from_str(data).unwrap()),
                        _ => assert!(line.is_empty() || line.starts_with(':') || line == "retry: 1000", "{line}"),
                    }
                }
                if message != Message::default() {
                    return Some(message);
                }
                continue;
            }
            let more = timeout(PATIENCE, self.bytes.next()).await.expect("nothing came");
            self.buffer.extend(more?.unwrap());
        }
    }

    /// The next event; none when the stream has ended as it should.
    async fn event(&mut self) -> Option<Value> {
        loop {
            let message = self.next().await?;
            if let Some(data) = message.data {
                assert_eq!((message.kind, message.id), (None, Some(position(&data))));
                return Some(data);
            }
        }
    }

    async fn positions(&mut self, count: usize) -> Vec<u64> {
        let mut positions = Vec::new();
        while positions.len() < count {
            positions.push(position(&self.event().await.unwrap()));
        }
        positions
    }
}

#[tokio::test]
async fn the_stream_gives_what_has_happened_and_then_what_happens() {
    let (scene, _) = eventful(&[]).await;
    let before = scene.position();
    let mut all = Listener::new(&scene.client, "", None).await;
    let mut late = Listener::new(&scene.client, "?from=latest", None).await;
    let mut some = Listener::new(&scene.client, "?from=3&type=funds_withdrawn&stream=account-b", None).await;
    let mut bounded = Listener::new(&scene.client, "?from=2&to=4", None).await;
    assert_eq!(all.positions(before as usize).await, (1..=before).collect::<Vec<_>>());
    assert_eq!(some.positions(1).await, [before]);
    assert_eq!(bounded.positions(3).await, [2, 3, 4]);
    assert_eq!(bounded.next().await, None);

    // A client that has seen all of a bounded stream and comes again is told that it is over.
    let mut over = Listener::new(&scene.client, "?from=2&to=4", Some(4)).await;
    assert_eq!(over.next().await, None);

    scene.done("/v1/accounts/a/deposits", json!({"amount": gbp(7)})).await;
    scene.done("/v1/accounts/b/withdrawals", json!({"amount": gbp(1)})).await;
    for listener in [&mut all, &mut late] {
        let event = listener.event().await.unwrap();
        assert_eq!((position(&event), &event["data"]["amount"]), (before + 1, &gbp(7)));
        assert_eq!(listener.positions(1).await, [before + 2]);
    }
    assert_eq!(some.positions(1).await, [before + 2]);
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_once_under_load_though_the_connection_breaks_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("log"), NOWHERE);
    let client = server.client();
    let mut random = Random::seeded();
    let mut traffic = Traffic::start(client.clone(), 2, Pieces::Mixed, &mut random).await;
    let (mut seen, mut breaks) = (Vec::new(), 0);
    while breaks < 25 {
        // Now and then it comes from before the end, now and then it has to wait there.
        let mut listener = Listener::new(&client, "", seen.last().copied()).await;
        let count = 1 + random.below(200) as usize;
        traffic.goes_on(20).await;
        for _ in 0..count.min(100) {
            traffic.at_most(500);
            seen.push(position(&listener.event().await.unwrap()));
        }
        breaks += 1;
    }
    traffic.stop().await;
    let end = server.position().await;
    let mut listener = Listener::new(&client, "", seen.last().copied()).await;
    while seen.last() != Some(&end) {
        seen.push(position(&listener.event().await.unwrap()));
    }
    assert_eq!(seen, (1..=end).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_lives_and_where_it_is() {
    let (scene, _) = eventful(&["--event-heartbeat-ms", "50"]).await;
    let mut quiet = Listener::new(&scene.client, "?type=order_placed", None).await;
    let beat = Message { id: Some(scene.position()), ..Message::default() };
    assert_eq!(quiet.next().await, Some(beat.clone()));
    assert_eq!(quiet.next().await, Some(beat));
    let answer = scene.done("/v1/accounts/a/deposits", json!({"amount": gbp(7)})).await;
    let wanted = answer["position"].as_u64();
    let mut beats = 0;
    while quiet.next().await.unwrap().id != wanted {
        beats += 1;
        assert!(beats < 1_000, "the id does not move on");
    }
    scene.sound().await;
}

#[tokio::test]
async fn a_stop_ends_streams_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("log"), NOWHERE);
    let client = server.client();
    let account = json!({"account_id": "a", "owner_id": "o", "currency": "GBP"});
    client.accepted("/v1/accounts", "k", &account).await;
    let mut listeners = Vec::new();
    for query in ["", "?from=latest", "?stream=order-none", "?to=1000"] {
        listeners.push(Listener::new(&client, query, None).await);
    }
    assert_eq!(listeners[0].positions(1).await, [1]);
    let stopped = tokio::task::spawn_blocking(move || server.terminate());
    for mut listener in listeners {
        // An answer that was cut off is an error and not an end.
        while listener.next().await.is_some() {}
    }
    assert_eq!(stopped.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn so_many_read_at_once_and_no_more() {
    let (scene, _) = eventful(&["--event-readers-max", "2", "--event-heartbeat-ms", "50"]).await;
    let mut first = Listener::new(&scene.client, "", None).await;
    let second = Listener::new(&scene.client, "", None).await;
    for path in ["/v1/events/stream", "/v1/events"] {
        let problem = scene.problem(&sent(scene.client.request(Method::GET, path)).await).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(503), &json!("too_many_readers")), "{path}");
        assert_eq!(problem["figures"], json!({"readers_max": 2}));
    }
    assert_eq!(first.positions(2).await, [1, 2]);
    drop(second);
    let free = async || scene.client.get("/v1/events").await.0 == 200;
    assert!(within(PATIENCE, free).await, "the place of a client that has gone is not given to another");
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_waited_for_and_then_cut_off() {
    let scene = Scene::with(&["--body-read-timeout-ms", "500", "--event-readers-max", "1"]).await;
    scene.account("a", 0).await;
    let lines: String = (0..20_000)
        .map(|n| {
            json!({"type": "deposit", "key": format!("k{n}"), "account_id": "a", "amount": gbp(1)}).to_string() + "\n"
        })
        .collect();
    let batch = scene.client.request(Method::POST, "/v1/commands").header("content-type", "application/x-ndjson");
    assert_eq!(sent(batch.body(lines)).await.lines().len(), 20_000);

    let mut deaf = TcpStream::connect(scene.server.base.strip_prefix("http://").unwrap()).await.unwrap();
    deaf.write_all(b"GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 15];
    timeout(PATIENCE, deaf.read_exact(&mut begin)).await.unwrap().unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    assert_eq!(scene.client.get("/v1/events").await.0, 503);
    // Its place is free again when it was given up.
    let free = async || scene.client.get("/v1/events?limit=1").await.0 == 200;
    assert!(within(PATIENCE, free).await, "a client that does not read keeps its place");
    let mut unread = Vec::new();
    // It may end with an error or without; it does not end with the last event.
    let _ = timeout(Duration::from_secs(10), deaf.read_to_end(&mut unread)).await.unwrap();
    assert!(!String::from_utf8_lossy(&unread).contains("id: 20001\n"));
    scene.sound().await;
}
