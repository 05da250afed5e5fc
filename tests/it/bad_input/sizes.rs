//! Bodies and heads that are too large, however they are sent.

use serde_json::{Value, json};

use super::{Told, said, told};
use crate::scene::{Scene, sent};
use crate::wire::{Ask, Wire, chunk};

const BODY_BYTES_MAX: usize = 1 << 20;
const TEN_MEGABYTES: usize = 10_000_000;

fn too_large(bytes_max: usize) -> Told {
    told(
        413,
        "body_too_large",
        "",
        &format!("the body is larger than {bytes_max} bytes; send less at once, or split the batch"),
    )
}

/// A command whose body is so long, most of it white space.
fn padded(account_id: &str, bytes: usize) -> Vec<u8> {
    let mut body = json!({"account_id": account_id, "owner_id": "o", "currency": "GBP"}).to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_taken_and_one_byte_more_is_not() {
    let scene = Scene::new().await;
    for chunked in [false, true] {
        for (bytes, status) in [(BODY_BYTES_MAX, 201), (BODY_BYTES_MAX + 1, 413)] {
            let body = padded(&format!("{chunked}-{bytes}"), bytes);
            let mut ask = Ask::command("/v1/accounts", body.clone());
            if chunked {
                let pieces: Vec<u8> = body.chunks(60_000).flat_map(chunk).chain(chunk(b"")).collect();
                ask = ask.body(pieces).header("Transfer-Encoding", "chunked");
            }
            let answer = Wire::to(&scene.server).await.ask(&ask).await;
            assert_eq!(answer.status, status, "{bytes} {chunked} {}", answer.text());
        }
    }
    scene.sound().await;
}

#[tokio::test]
async fn ten_megabytes_are_refused_however_they_are_sent() {
    let scene = Scene::new().await;
    let body = padded("a", TEN_MEGABYTES);
    // With a length that says so: refused before any of it is read.
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&Ask::command("/v1/accounts", body.clone()).head()).await;
    let problem = scene.problem(&wire.answer().await.unwrap()).await;
    assert_eq!(
        (said(&problem), &problem["figures"]),
        (too_large(BODY_BYTES_MAX), &json!({"bytes_max": BODY_BYTES_MAX}))
    );
    // By a client that asks first.
    let mut wire = Wire::to(&scene.server).await;
    let ask = Ask::command("/v1/accounts", body.clone()).header("Expect", "100-continue");
    wire.write(&ask.head()).await;
    assert_eq!(said(&scene.problem(&wire.answer().await.unwrap()).await), too_large(BODY_BYTES_MAX));
    // By a client that sends all of it and reads only then, as many do.
    for path in ["/v1/accounts", "/v1/accounts/a/deposits?x=y"] {
        let request = scene.command(reqwest::Method::POST, path, &Value::Null).body(body.clone());
        assert_eq!(said(&scene.problem(&sent(request).await).await), too_large(BODY_BYTES_MAX));
    }
    // Without a length, all at once.
    let pieces: Vec<u8> = body.chunks(1 << 16).flat_map(chunk).chain(chunk(b"")).collect();
    let ask = Ask::command("/v1/accounts", pieces).header("Transfer-Encoding", "chunked");
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&ask.bytes()).await;
    assert_eq!(said(&scene.problem(&wire.answer().await.unwrap()).await), too_large(BODY_BYTES_MAX));
    // Without a length, piece by piece: the answer comes as soon as it is too much.
    let mut wire = Wire::to(&scene.server).await;
    wire.write(&Ask::command("/v1/accounts", "").header("Transfer-Encoding", "chunked").head()).await;
    for _ in 0..=BODY_BYTES_MAX / (1 << 16) {
        wire.write(&chunk(&[b' '; 1 << 16])).await;
    }
    wire.write(&chunk(b"")).await;
    assert_eq!(said(&scene.problem(&wire.answer().await.unwrap()).await), too_large(BODY_BYTES_MAX));
    assert_eq!(scene.client.get("/v1/accounts/a").await.0, 404);
    scene.sound().await;
}

#[tokio::test]
async fn a_batch_has_a_limit_of_its_own_and_so_has_each_of_its_lines() {
    let scene = Scene::with(&["--batch-bytes-max", "3000000", "--body-bytes-max", "1000"]).await;
    let open = |account_id: &str, pad: usize| {
        let pad = " ".repeat(pad);
        format!(
            "{{\"type\":\"open_account\",\"key\":\"{account_id}\",\"account_id\":\"{account_id}\",\"owner_id\":\"o\",{pad}\"currency\":\"GBP\"}}\n"
        )
    };
    let body = open("short", 0) + &open("long", 1_000) + &open("after", 0);
    let answers = Wire::to(&scene.server).await.ask(&Ask::batch("", body.clone())).await.lines();
    assert_eq!(answers.iter().map(|a| a["status"].as_u64().unwrap()).collect::<Vec<_>>(), [201, 413, 201]);
    let problem = &answers[1]["problem"];
    assert_eq!((problem["code"].as_str(), &problem["figures"]), (Some("line_too_long"), &json!({"bytes_max": 1000})));
    let answer = Wire::to(&scene.server).await.ask(&Ask::batch("?mode=atomic", body)).await;
    assert_eq!(scene.problem(&answer).await["errors"][0]["code"], "line_too_long");

    let batch: String = (0..20_000).map(|line| open(&format!("x{line}"), 80)).collect();
    assert!(batch.len() > 3_000_000);
    for mode in ["", "?mode=atomic"] {
        let answer = Wire::to(&scene.server).await.ask(&Ask::batch(mode, batch.clone())).await;
        assert_eq!(said(&scene.problem(&answer).await), too_large(3_000_000), "{mode}");
    }
    // Without a length, an independent batch is done up to where it is too long, and an atomic one is not.
    let pieces: Vec<u8> = batch.as_bytes().chunks(1 << 16).flat_map(chunk).chain(chunk(b"")).collect();
    let ask = |mode| Ask::batch(mode, pieces.clone()).header("Transfer-Encoding", "chunked");
    let answer = Wire::to(&scene.server).await.ask(&ask("?mode=atomic")).await;
    assert_eq!(said(&scene.problem(&answer).await), too_large(3_000_000));
    assert_eq!(scene.client.get("/v1/accounts/x0").await.0, 404);
    let answers = Wire::to(&scene.server).await.ask(&ask("")).await.lines();
    let (last, done) = answers.split_last().unwrap();
    assert_eq!(said(&last["problem"]), too_large(3_000_000));
    assert!(done.iter().all(|line| line["status"] == 201) && done.len() > 15_000, "{}", done.len());
    scene.sound().await;
}

/// What the HTTP library refuses before there is a request: a status, and the connection is closed.
#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_connection_closed() {
    let scene = Scene::new().await;
    let many = (0..200).fold(Ask::new("GET", "/health/live"), |ask, n| ask.header(&format!("X-{n}"), "x"));
    for (ask, status) in [
        (Ask::new("GET", "/health/live").header("X-Large", vec![b'x'; 1_000_000]), 431),
        (many, 431),
        (Ask::new("GET", &format!("/{}", "x".repeat(100_000))), 414),
    ] {
        let mut wire = Wire::to(&scene.server).await;
        wire.write(&ask.bytes()).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("connection"), answer.body.len()), (status, Some("close"), 0));
        assert!(wire.is_closed().await);
    }
    let large = Ask::new("GET", "/v1/accounts").header("X-Large", vec![b'x'; 100_000]);
    assert_eq!(Wire::to(&scene.server).await.ask(&large).await.status, 200);
    scene.sound().await;
}
