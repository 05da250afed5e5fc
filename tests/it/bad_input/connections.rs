//! Connections that are slow, broken, or do not speak HTTP.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{said, told};
use crate::scene::{Scene, gbp, new_key};
use crate::wire::{Ask, Wire, chunk};

const DEPOSIT: &str = r#"{"amount":{"amount":5,"currency":"GBP"}}"#;

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_connection_closed() {
    let scene = Scene::new().await;
    for bytes in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello?\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET /v1/accounts/\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : bursar\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"POST /v1/accounts HTTP/1.1\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /v1/accounts HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        b"POST /v1/accounts HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    ] {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(bytes).await;
        let answer = wire.answer().await.unwrap();
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!((answer.status, answer.header("connection"), answer.body.len()), (400, Some("close"), 0), "{shown}");
        assert!(wire.is_closed().await, "{shown}");
    }
    // HTTP/2 that breaks off or is none is closed without an answer that HTTP/1.1 could read.
    for bytes in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxx"]
    {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(bytes).await;
        wire.end_writing().await;
        assert!(wire.answer().await.is_none());
    }
    scene.sound().await;
}

#[tokio::test]
async fn requests_in_one_go_are_answered_in_order_and_done_once() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let deposits: Vec<Ask> = (0..50).map(|_| Ask::command("/v1/accounts/a/deposits", DEPOSIT)).collect();
    let mut bytes: Vec<u8> = deposits.iter().flat_map(Ask::bytes).collect();
    // A refusal, a mistake and a question among them do not put the others out of step.
    bytes.extend(Ask::command("/v1/accounts/nobody/deposits", DEPOSIT).bytes());
    bytes.extend(Ask::command("/v1/accounts/a/deposits", "[").bytes());
    bytes.extend(Ask::new("GET", "/health/live").bytes());
    bytes.extend(deposits[0].bytes());
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&bytes).await;
    wire.end_writing().await;
    for nth in 1..=50 {
        let answer = wire.answer().await.unwrap();
        assert_eq!((answer.status, &answer.json()["result"]["balance"]), (200, &gbp(5 * nth)));
        scene.noted(answer.json());
    }
    let statuses = [wire.answer().await.unwrap().status, wire.answer().await.unwrap().status];
    assert_eq!((statuses, wire.answer().await.unwrap().status), ([404, 400], 200));
    let again = wire.answer().await.unwrap().json();
    assert_eq!((&again["result"]["balance"], &again["replayed"]), (&gbp(5), &json!(true)));
    assert!(wire.is_closed().await);
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(250));
    scene.sound().await;
}

/// A client that says at once that it will write nothing more, as `nc -N` does, still waits for its answer.
#[tokio::test]
async fn a_client_that_has_closed_its_half_gets_its_answer() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    for nth in 1..=20 {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(&Ask::command("/v1/accounts/a/deposits", DEPOSIT).bytes()).await;
        wire.end_writing().await;
        let answer = wire.answer().await.expect("an answer on the other half");
        assert_eq!((answer.status, &answer.json()["result"]["balance"]), (200, &gbp(5 * nth)));
        assert!(wire.is_closed().await);
    }
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&Ask::new("GET", "/v1/accounts/a").bytes()).await;
    wire.end_writing().await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    scene.sound().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_does_nothing() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let incomplete = told(
        400,
        "body_incomplete",
        "",
        "the body ended before it was complete, so nothing was done; send the request again",
    );
    let longer = Ask::command("/v1/accounts/a/deposits", DEPOSIT).header("Content-Length", "41");
    let chunked =
        Ask::command("/v1/accounts/a/deposits", chunk(DEPOSIT.as_bytes())).header("Transfer-Encoding", "chunked");
    let not_chunks = Ask::command("/v1/accounts/a/deposits", DEPOSIT).header("Transfer-Encoding", "chunked");
    let atomic = json!({"type": "deposit", "key": new_key(), "account_id": "a", "amount": gbp(5)});
    let atomic = Ask::batch("?mode=atomic", format!("{atomic}\n")).header("Content-Length", "1000");
    for ask in [longer, chunked, not_chunks, atomic] {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(&ask.bytes()).await;
        wire.end_writing().await;
        assert_eq!(said(&scene.problem(&wire.answer().await.unwrap()).await), incomplete);
    }
    // Of an independent batch the lines that were complete are done, and the one that broke off is not.
    let line = |account: &str| json!({"type": "deposit", "key": new_key(), "account_id": account, "amount": gbp(7)});
    let body = format!("{}\n{}", line("a"), line("a"));
    let ask = Ask::batch("", body).header("Content-Length", "1000");
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&ask.bytes()).await;
    wire.end_writing().await;
    let answers = wire.answer().await.unwrap().lines();
    assert_eq!((answers.len(), &answers[0]["result"]["balance"]), (2, &gbp(7)));
    let detail = "the body ended before it was complete, so only the lines before were done; send the batch again with \
                  the same keys";
    assert_eq!(said(&answers[1]["problem"]), told(400, "body_incomplete", "", detail));
    // A client that is gone altogether.
    for ask in [Ask::command("/v1/accounts/a/deposits", DEPOSIT), Ask::batch("", format!("{}\n", line("a")))] {
        let mut wire = Wire::to(&scene.server).await;
        let bytes = ask.bytes();
        wire.write(&bytes[..bytes.len() - 10]).await;
    }
    scene.sound().await;
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(7));
}

#[tokio::test]
async fn who_is_too_slow_is_given_up() {
    let scene = Scene::with(&["--header-read-timeout-ms", "300", "--body-read-timeout-ms", "1000"]).await;
    scene.account("a", 0).await;
    let began = Instant::now();
    // Heads: nothing at all, a word, a head without an end, a second request that never comes.
    let mut silent = Wire::to(&scene.server).await;
    let mut word = Wire::to(&scene.server).await;
    word.write(b"GET").await;
    let mut endless = Wire::to(&scene.server).await;
    endless.write(b"GET /health/live HTTP/1.1\r\nHost: bursar\r\nX-").await;
    let mut idle = Wire::to(&scene.server).await;
    assert_eq!(idle.ask(&Ask::new("GET", "/health/live")).await.status, 200);
    // A head byte by byte, each well within the time, all of them not.
    let mut dripping = Wire::to(&scene.server).await;
    let mut head = b"GET /health/live HTTP/1.1\r\nX-Drip: ".iter().chain(std::iter::repeat(&b'x'));
    while dripping.write(&[*head.next().unwrap()]).await {
        assert!(began.elapsed() < Duration::from_secs(20), "dripping goes on for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for wire in [&mut silent, &mut word, &mut endless, &mut idle] {
        assert!(wire.is_closed().await);
    }

    // Bodies: of a command, of an atomic batch, of an independent one after its first line.
    let too_slow = told(
        408,
        "body_too_slow",
        "",
        "the body did not come, or did not go on, within 1000 ms, so nothing was done; send the request again",
    );
    let command = Ask::command("/v1/accounts/a/deposits", DEPOSIT);
    let line = json!({"type": "deposit", "key": new_key(), "account_id": "a", "amount": gbp(5)});
    let atomic = Ask::batch("?mode=atomic", format!("{line}\n"));
    let independent = Ask::batch("", "").header("Transfer-Encoding", "chunked");
    let begun = chunk(format!("{line}\n{{\"type\":").as_bytes());
    let mut waiting = Vec::new();
    for sent in [cut(&command), cut(&atomic), independent.head(), [independent.head(), begun].concat()] {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(&sent).await;
        waiting.push(wire);
    }
    let mut last = waiting.pop().unwrap();
    for wire in &mut waiting {
        assert_eq!(said(&scene.problem(&wire.answer().await.unwrap()).await), too_slow);
        assert!(wire.is_closed().await);
    }
    let answers = last.answer().await.unwrap().lines();
    assert_eq!((answers.len(), &answers[0]["result"]["balance"]), (2, &gbp(5)));
    let detail = "the body did not come, or did not go on, within 1000 ms, so only the lines before were done; send \
                  the batch again with the same keys";
    assert_eq!(said(&answers[1]["problem"]), told(408, "body_too_slow", "", detail));
    assert!(last.is_closed().await);

    // Who is slow but comes to an end is served, and a batch may be as slow as it likes if it goes on.
    let line = line.to_string();
    let more = json!({"type": "deposit", "key": new_key(), "account_id": "a", "amount": gbp(5)}).to_string() + "\n";
    let mut batch = Wire::to(&scene.server).await;
    batch.write(&independent.head()).await;
    batch.write(&chunk(format!("{line}\n").as_bytes())).await;
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&command.head()).await;
    for (piece, line_piece) in DEPOSIT.as_bytes().chunks(10).zip(more.as_bytes().chunks(30)) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        wire.write(piece).await;
        batch.write(&chunk(line_piece)).await;
    }
    assert_eq!(wire.answer().await.unwrap().json()["result"]["balance"], gbp(10));
    tokio::time::sleep(Duration::from_millis(600)).await;
    batch.write(&chunk(b"")).await;
    let answers = batch.answer().await.unwrap().lines();
    assert_eq!((&answers[0]["replayed"], &answers[1]["result"]["balance"]), (&json!(true), &gbp(15)));
    scene.sound().await;
}

/// All of a request but its last byte.
fn cut(ask: &Ask) -> Vec<u8> {
    let mut bytes = ask.bytes();
    bytes.pop();
    bytes
}

/// Nobody is kept out by those who say nothing: the server goes on accepting.
#[tokio::test]
async fn many_silent_connections_keep_nobody_out() {
    let scene = Scene::with(&["--header-read-timeout-ms", "200", "--connections-max", "32"]).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(b"POST /v1/accounts HTTP/1.1\r\n").await;
        silent.push(wire);
    }
    // It waits behind the silent ones, and comes in as they are given up.
    assert_eq!(Wire::to(&scene.server).await.ask(&Ask::new("GET", "/health/live")).await.status, 200);
    scene.sound().await;
}
