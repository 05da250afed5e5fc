//! A way to PostgreSQL that counts the statements that go along it, by the messages of its protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Starts it before the server of a URL; gives the URL that goes along it, and the count.
pub(crate) async fn counted(url: &str) -> (String, Arc<AtomicUsize>) {
    let (before, rest) = url.rsplit_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let (server, statements) = (server.to_owned(), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{before}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
    let count = Arc::clone(&statements);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
            let (from_client, to_client) = client.into_split();
            tokio::spawn(pass_on(from_client, to_server, Arc::clone(&count)));
            tokio::spawn(answer(from_server, to_client));
        }
    });
    (url, statements)
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Either side may be gone first.
    let _ = copy(&mut from, &mut to).await;
}

/// Passes messages on and counts those that execute something: `Execute` and a simple `Query`.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Arc<AtomicUsize>) {
    let mut started = false;
    loop {
        // The first message has no kind.
        let kind = if started { from.read_u8().await.ok() } else { Some(0) };
        let (Some(kind), Ok(bytes)) = (kind, from.read_u32().await) else { return };
        let mut body = vec![0; bytes as usize - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        if matches!(kind, b'E' | b'Q') {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let mut message = if started { vec![kind] } else { Vec::new() };
        message.extend(bytes.to_be_bytes());
        message.extend(body);
        if to.write_all(&message).await.is_err() {
            return;
        }
        started = true;
    }
}
