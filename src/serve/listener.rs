//! Taking connections: our own accept loop, because the one of the framework has no time-out for the head of a request
//! and no bound on connections. What is answered is the business of the routes.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::app::App;
use super::patience::Patient;
use crate::config::http::Http;

/// How long the loop rests when the system gives no connection (too many open files): trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// How often a silent HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "{listen} can be reached from other machines, and there is no sign-in: whoever reaches it may do anything. \
         Listen on 127.0.0.1, or say that this is meant with --allow-unauthenticated"
    )]
    Unprotected { listen: SocketAddr },
    #[error(
        "{listen} is in use by another program. Stop that program, or choose another port: --listen {}:{}",
        .listen.ip(), if .listen.port() == u16::MAX { 0 } else { .listen.port() + 1 }
    )]
    InUse { listen: SocketAddr },
    #[error("ports below 1024 are for the system; {listen} needs more rights. Choose a higher port with --listen")]
    Privileged { listen: SocketAddr },
    #[error("{listen} is not an address of this machine; choose another with --listen")]
    NotHere { listen: SocketAddr },
    #[error("cannot listen on {listen}: {source}")]
    Io { listen: SocketAddr, source: io::Error },
}

/// Takes the port, before anything slow is begun.
pub(super) async fn bind(http: &Http) -> Result<TcpListener, ListenError> {
    let listen = http.listen;
    if !listen.ip().is_loopback() {
        if !http.allow_unauthenticated {
            return Err(ListenError::Unprotected { listen });
        }
        tracing::warn!(%listen, "other machines can reach this server, and whoever reaches it may do anything");
    }
    TcpListener::bind(listen).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { listen },
        io::ErrorKind::PermissionDenied => ListenError::Privileged { listen },
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere { listen },
        _ => ListenError::Io { listen, source },
    })
}

/// Connections that are still open after the loop has ended.
#[derive(Debug)]
pub(super) struct Open {
    connections: GracefulShutdown,
    permits: Arc<Semaphore>,
    connections_max: usize,
}

/// Answers connections until `stop`.
pub(super) async fn answer(listener: TcpListener, app: App, http: &Http, stop: impl Future<Output = ()>) -> Open {
    let app = Arc::new(app);
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(http.connections_max));
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await.expect("nobody closes the semaphore");
            listener.accept().await.map(|(stream, _)| (stream, permit))
        };
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let connection = Connection {
                    app: Arc::clone(&app),
                    watcher: connections.watcher(),
                    _permit: permit,
                    head: http.header_read_timeout,
                    pause_max: http.body_read_timeout,
                };
                tokio::spawn(connection.answer(stream));
            }
            // The client was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "the system gives no connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    Open { connections, permits, connections_max: http.connections_max }
}

impl Open {
    /// Lets requests on their way finish, at most so long, or until `hurry`. Gives how many connections are cut off.
    pub(super) async fn finish(self, within: Duration, hurry: impl Future<Output = ()>) -> usize {
        tokio::select! {
            () = self.connections.shutdown() => {}
            () = tokio::time::sleep(within) => {}
            () = hurry => {}
        }
        self.connections_max - self.permits.available_permits()
    }
}

struct Connection {
    app: Arc<App>,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
    /// How long the head of a request may take.
    head: Duration,
    /// How long nothing of an answer may be read.
    pause_max: Duration,
}

impl Connection {
    async fn answer(self, stream: TcpStream) {
        // Answers are written in one piece; waiting for more would only delay them. A socket that refuses is gone.
        let _ = stream.set_nodelay(true);
        let mut builder = Builder::new(TokioExecutor::new());
        // A client that has written all it wants to write may close its half and still wait for its answers.
        builder.http1().half_close(true).timer(TokioTimer::new()).header_read_timeout(self.head);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX).keep_alive_interval(PING_INTERVAL);
        let asked = Arc::new(AtomicBool::new(false));
        let service = {
            let (app, asked) = (self.app, Arc::clone(&asked));
            service_fn(move |request: hyper::Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                let app = Arc::clone(&app);
                async move { Ok::<_, Infallible>(app.answer(request.map(Body::new)).await) }
            })
        };
        let connection =
            builder.serve_connection(TokioIo::new(Patient::new(stream, self.pause_max)), service).into_owned();
        let mut connection = pin!(self.watcher.watch(connection));
        // Until the first bytes say which protocol it is, no time-out of a protocol holds.
        let mut silent = pin!(tokio::time::sleep(self.head));
        let ended = poll_fn(|context| match connection.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if asked.load(Ordering::Relaxed) => Poll::Pending,
            Poll::Pending => silent.as_mut().poll(context).map(|()| None),
        });
        if let Some(ended) = ended.await {
            log_end(ended);
        }
    }
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
