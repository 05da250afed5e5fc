//! HTTP/1.1 byte by byte: what no client library would send, and exactly what comes back.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{Answer, new_key};
use crate::server::{PATIENCE, Server};

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A request to be written.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A command under a new key.
    pub(crate) fn command(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let ask = Self::new("POST", path).body(body).header("Content-Type", "application/json");
        ask.header("Idempotency-Key", new_key())
    }

    /// A batch of commands.
    pub(crate) fn batch(query: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", &format!("/v1/commands{query}")).body(body).header("Content-Type", "application/x-ndjson")
    }

    pub(crate) fn method(self, method: &str) -> Self {
        Self { method: method.to_uppercase(), ..self }
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Takes a header away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| given != name);
        self
    }

    /// The bytes of the head: with the body's length, unless a header says how the body ends.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\nHost: bursar\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        if !self.headers.iter().any(|(name, _)| ["Content-Length", "Transfer-Encoding"].contains(&name.as_str())) {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

/// A piece of a chunked body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

impl Wire {
    /// Connects.
    pub(crate) async fn to(server: &Server) -> Self {
        let stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Writes; tells whether the other side took it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap().is_ok()
    }

    /// Says that nothing more will be written.
    pub(crate) async fn end_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Asks, and takes the answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Answer {
        self.write(&ask.bytes()).await;
        self.answer().await.unwrap_or_else(|| panic!("{} {}: closed without an answer", ask.method, ask.path))
    }

    /// Asks for a head alone.
    pub(crate) async fn ask_head(&mut self, ask: &Ask) -> Answer {
        self.write(&ask.bytes()).await;
        let (status, headers) = self.head().await.unwrap();
        Answer::new(status, headers, Vec::new())
    }

    /// The next answer; none where the connection was closed before it.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let (status, headers) = self.head().await?;
        let header = |name: &str| headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
        let body = if header("transfer-encoding").is_some_and(|encoding| encoding == "chunked") {
            self.chunks().await
        } else {
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            self.take(length).await
        };
        Some(Answer::new(status, headers, body))
    }

    async fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        loop {
            let head_end = loop {
                match find(&self.received, b"\r\n\r\n") {
                    Some(end) => break end,
                    None if self.receive().await => {}
                    None => return None,
                }
            };
            let head = String::from_utf8(self.received[..head_end].to_vec()).unwrap();
            self.received.drain(..head_end + 4);
            let (status, headers) = read_head(&head);
            // "100 Continue" is no answer yet.
            if status >= 200 {
                return Some((status, headers));
            }
        }
    }

    /// Whether the other side closes, without writing anything more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.receive().await
    }

    /// Receives more; tells whether there was more.
    async fn receive(&mut self) -> bool {
        match timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await.unwrap() {
            Ok(bytes) => bytes > 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            assert!(self.receive().await, "the answer ended after {} of {length} bytes", self.received.len());
        }
        self.received.drain(..length).collect()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line_end = loop {
                match find(&self.received, b"\r\n") {
                    Some(end) => break end,
                    None => assert!(self.receive().await, "the answer ended within its chunks"),
                }
            };
            let length = std::str::from_utf8(&self.received[..line_end]).unwrap().to_owned();
            self.received.drain(..line_end + 2);
            let length = usize::from_str_radix(&length, 16).unwrap();
            let piece = self.take(length + 2).await;
            if length == 0 {
                return body;
            }
            body.extend_from_slice(&piece[..length]);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn read_head(head: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    (status, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
