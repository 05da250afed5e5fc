//! Connections as clients may treat them: silent, slow, too many, or in the middle of a request when the server stops.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::postgres::NOWHERE;
use crate::server::{PATIENCE, Server};

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
const OPEN_HEAD: &str = "POST /v1/accounts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                         idempotency-key: k\r\ncontent-length: 52\r\n\r\n";
const OPEN_BODY: &[u8] = br#"{"account_id":"a","owner_id":"o","currency":  "GBP"}"#;

fn start(folder: &Path, flags: &[&str]) -> Server {
    Server::start_with(&folder.join("log"), NOWHERE, flags)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// What arrives until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The beginning of an answer.
async fn begin(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 15];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--header-read-timeout-ms", "300"]);
    // "P" may become either protocol; the second one has begun as HTTP/1.1.
    for sent in [&b""[..], b"P", b"GET /health/live HTTP/1.1\r\nhost:"] {
        let mut stream = connect(&server).await;
        stream.write_all(sent).await.unwrap();
        assert!(!rest(&mut stream).await.contains("200 OK"));
    }
    let mut stream = connect(&server).await;
    stream.write_all(LIVE).await.unwrap();
    assert_eq!(begin(&mut stream).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_for_another_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--connections-max", "1"]);
    let mut first = connect(&server).await;
    first.write_all(LIVE).await.unwrap();
    assert_eq!(begin(&mut first).await, "HTTP/1.1 200 OK");
    let mut second = connect(&server).await;
    second.write_all(LIVE).await.unwrap();
    let unanswered = tokio::time::timeout(Duration::from_millis(200), second.readable()).await;
    assert!(unanswered.is_err(), "the second connection was answered beside the first");
    drop(first);
    assert_eq!(begin(&mut second).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--connections-max", "1", "--body-read-timeout-ms", "500"]);
    let mut deaf = connect(&server).await;
    // Each of these lines is answered with hundreds of bytes: far more than the buffers on the way hold.
    let lines = "{}\n".repeat(100_000);
    let head = format!("POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", lines.len());
    deaf.write_all(head.as_bytes()).await.unwrap();
    deaf.write_all(lines.as_bytes()).await.unwrap();
    assert_eq!(begin(&mut deaf).await, "HTTP/1.1 200 OK");
    // There is room for another connection only when this one is given up.
    let mut next = connect(&server).await;
    next.write_all(LIVE).await.unwrap();
    assert_eq!(begin(&mut next).await, "HTTP/1.1 200 OK");
    let mut unread = Vec::new();
    // It may end with an error or without; it does not end with the last line's answer.
    let _ = tokio::time::timeout(PATIENCE, deaf.read_to_end(&mut unread)).await.unwrap();
    assert!(!String::from_utf8_lossy(&unread).contains("\"index\":99999,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_its_way_is_finished_before_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &[]);
    let mut stream = connect(&server).await;
    stream.write_all(OPEN_HEAD.as_bytes()).await.unwrap();
    stream.write_all(&OPEN_BODY[..20]).await.unwrap();
    let mut idle = connect(&server).await;
    idle.write_all(LIVE).await.unwrap();
    assert_eq!(begin(&mut idle).await, "HTTP/1.1 200 OK");

    server.signal("TERM");
    // The idle connection is closed when the stop has begun.
    rest(&mut idle).await;
    stream.write_all(&OPEN_BODY[20..]).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    assert!(answer.contains(r#""position":1"#), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_does_not_keep_the_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &["--stop-timeout-ms", "200"]);
    let mut stream = connect(&server).await;
    stream.write_all(OPEN_HEAD.as_bytes()).await.unwrap();
    let mut idle = connect(&server).await;
    idle.write_all(LIVE).await.unwrap();
    assert_eq!(begin(&mut idle).await, "HTTP/1.1 200 OK");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.output().contains("connections were cut off"), "{}", server.output());
}
