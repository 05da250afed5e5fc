//! `GET /v1/events/stream`: what has happened and then what happens, as server-sent events. Every event once, in the order
//! of the log. A client that reads slowly is read for slowly: one piece waits for it, and no more.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::ids::Position;
use futures::stream;
use http_problem::{Asked, Problem};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::problems::{Problems, Unread, ahead, unread};
use crate::reading::{Form, Reading};
use crate::router::Surface;
use crate::selection::{Place, Selecting, Selection};

/// How long a client should wait before it comes again, in milliseconds.
const COME_AGAIN: &str = "retry: 1000\n\n";
/// At the end of the log, the next piece is read no sooner than so long after the last: what comes meanwhile comes
/// together. An event after a pause is sent at once.
const GATHER: Duration = Duration::from_millis(5);
const LAST_EVENT_ID: &str = "last-event-id";

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    At(Position),
    Latest,
}

impl FromStr for From {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            text => Place::from_str(text).map(|Place(position)| Self::At(position)).map_err(
                |_| "use a position of the log, a whole number from 1 on, or latest for what happens from now on",
            ),
        }
    }
}

/// Streams events
///
/// Server-sent events: first what has happened, then what happens, without gap or duplicate. The `id` of each is its
/// position; its `data` is a CloudEvents 1.0 event. A client that comes again with `Last-Event-ID` goes on after it,
/// whatever `from` says. In quiet times an empty message comes now and then, which moves the id on. With `to`, the stream ends there.
#[utoipa::path(
    get, path = "/v1/events/stream", operation_id = "stream_events", tag = "events",
    params(
        ("from" = Option<String>, Query, description = "From this position of the log on, 1 where it is left out; `latest`: only what happens from now on.", example = "4011"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen."),
        Selecting,
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = super::schemas::CloudEvent, description = "Events, as long as the client listens."),
        Problems
    )
)]
pub(super) async fn stream(
    State(surface): State<Arc<Surface>>,
    headers: HeaderMap,
    mut asked: Asked,
) -> Result<Response, Problem> {
    let from: Option<From> = asked.optional("from");
    let seen = seen(&headers, &mut asked);
    let end = surface.desk.log.durable();
    let (after, param) = match (seen, from) {
        (Some(seen), _) => (seen, "Last-Event-ID"),
        (None, Some(From::Latest)) => (end, "from"),
        (None, Some(From::At(from))) => (Position(from.0 - 1), "from"),
        (None, None) => (Position::START, "from"),
    };
    // Who has seen all up to `to` may come again, to be told that it is over.
    let begin = if seen.is_some() { Position(1) } else { after.next() };
    let selection = Selection::asked(&mut asked, begin);
    asked.finish()?;
    if after > end {
        return Err(ahead(param, if seen.is_some() { after } else { after.next() }, end));
    }
    let (sender, receiver) = mpsc::channel(1);
    let sending = Sending {
        reading: Reading::new(surface.desk.clone(), selection, Form::Sent, after),
        durable: surface.desk.log.durable_watch(),
        ended: surface.ended.clone(),
        sender,
        heartbeat: surface.options.heartbeat,
        sent: surface.sent.clone(),
        open: Open::new(surface.streams.clone(), surface.place()?),
    };
    surface.desk.runtime().spawn(sending.run());
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<Bytes, Infallible>(piece), receiver))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // What stands between must not gather it.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert("bursar-position", HeaderValue::from(end.0));
    Ok(response)
}

/// What a client says that it has seen. An empty id means nothing yet, as in browsers.
fn seen(headers: &HeaderMap, asked: &mut Asked) -> Option<Position> {
    let given = headers.get(LAST_EVENT_ID)?;
    let text = given.to_str().unwrap_or("?").trim();
    match text.parse::<u64>() {
        _ if text.is_empty() => None,
        Ok(position) if i64::try_from(position).is_ok() => Some(Position(position)),
        _ => {
            asked.wrong("Last-Event-ID", text, "use the id of an event of this stream: a position of the log");
            None
        }
    }
}

/// A stream that is open, counted.
struct Open {
    streams: metrics::Gauge,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(streams: metrics::Gauge, place: OwnedSemaphorePermit) -> Self {
        streams.increment(1.0);
        Self { streams, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.decrement(1.0);
    }
}

/// Sends events to one client until it goes, everything was sent, or the server stops.
struct Sending {
    reading: Reading,
    durable: watch::Receiver<Position>,
    ended: watch::Receiver<bool>,
    sender: mpsc::Sender<Bytes>,
    heartbeat: Duration,
    sent: metrics::Counter,
    open: Open,
}

impl Sending {
    async fn run(mut self) {
        let mut ended = self.ended.clone();
        let failed = tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => None,
            () = self.sender.closed() => None,
            failed = Self::follow(&mut self.reading, &mut self.durable, &self.sender, self.heartbeat, &self.sent) => failed,
        };
        if let Some(error) = failed {
            let problem = unread(&error).to_json(None);
            let text = [b"event: problem\ndata: ", problem.as_slice(), b"\n\n"].concat();
            // A client that has gone is not told.
            let _ = self.sender.send(Bytes::from(text)).await;
        }
        drop(self.open);
    }

    /// Sends until everything that was asked for was sent, or reading fails; waits for ever when the client has gone.
    async fn follow(
        reading: &mut Reading,
        durable: &mut watch::Receiver<Position>,
        sender: &mpsc::Sender<Bytes>,
        heartbeat: Duration,
        sent: &metrics::Counter,
    ) -> Option<Unread> {
        let mut due = Instant::now() + heartbeat;
        if sender.send(Bytes::from_static(COME_AGAIN.as_bytes())).await.is_err() {
            return None;
        }
        loop {
            durable.mark_unchanged();
            let piece = match reading.piece(usize::MAX).await {
                Ok(piece) => piece,
                Err(error) => return Some(error),
            };
            let mut text = piece.text;
            if piece.events == 0 && Instant::now() >= due {
                text = format!(": nothing new\nid: {}\n\n", reading.after).into_bytes();
            }
            if !text.is_empty() {
                if sender.send(Bytes::from(text)).await.is_err() {
                    return None;
                }
                due = Instant::now() + heartbeat;
                sent.increment(piece.events as u64);
            }
            if reading.is_over() {
                return None;
            }
            if reading.after < reading.last() {
                continue;
            }
            let gathered = Instant::now() + GATHER;
            tokio::select! {
                changed = durable.changed() => match changed {
                    Ok(()) => sleep_until(gathered).await,
                    Err(_) => return Some(Unread::Closing),
                },
                () = sleep_until(due) => {}
            }
        }
    }
}
