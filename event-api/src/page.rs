//! `GET /v1/events`: a page of events, one per line.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use domain::ids::Position;
use futures::stream;
use http_problem::{Asked, Problem};

use crate::problems::{Problems, Unread, ahead, unread};
use crate::reading::{Form, Reading};
use crate::router::Surface;
use crate::selection::{Place, Selecting, Selection};

const LIMIT_DEFAULT: usize = 1_000;
const LIMIT_MAX: usize = 10_000;
/// A page ends when its text has become so long.
const PAGE_BYTES: usize = 1 << 20;
/// A page ends after so long, though little was found: what comes next is told all the same.
const PAGE_TIME: Duration = Duration::from_secs(2);
/// A page is handed to the connection in pieces of this size.
const CHUNK_BYTES: usize = 64 << 10;
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Gives events
///
/// Straight from the log, in its order, one JSON object per line: a CloudEvents 1.0 event whose `id` is its position. The
/// header `Bursar-Position` says where the log ended; `Bursar-Next-From` is the `from` of the next page. While there is
/// more, `Link` names the next page with `rel="next"`. A page may have fewer events than `limit`, even none.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "list_events", tag = "events",
    params(
        ("from" = Option<u64>, Query, minimum = 1, description = "From this position of the log on; 1 where it is left out.", example = 4011),
        Selecting,
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 10000, description = "How many events: 1 to 10000; 1000 where it is left out."),
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = super::schemas::CloudEvent, description = "A page of events, one per line.",
            headers(
                ("Bursar-Position" = u64, description = "The position at which the log ended."),
                ("Bursar-Next-From" = u64, description = "The `from` of the next page."),
                ("Link" = Option<String>, description = "The next page, while there is more."),
            )),
        Problems
    )
)]
pub(super) async fn page(State(surface): State<Arc<Surface>>, mut asked: Asked) -> Result<Response, Problem> {
    let from = asked.optional("from").map_or(Position(1), |Place(from)| from);
    let selection = Selection::asked(&mut asked, from);
    let limit = asked.optional::<usize>("limit");
    if let Some(given) = limit.filter(|limit| !(1..=LIMIT_MAX).contains(limit)) {
        asked.wrong("limit", &given.to_string(), &format!("use 1 to {LIMIT_MAX}"));
    }
    let scope = asked.scope(&["from"]);
    asked.finish()?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    let end = surface.desk.log.durable();
    if from > end.next() {
        return Err(ahead("from", from, end));
    }
    let place = surface.place()?;
    let (desk, last, began) = (surface.desk.clone(), selection.last(end), Instant::now());
    let reading = surface.desk.runtime().spawn(async move {
        let mut reading = Reading::new(desk, selection, Form::Lines, Position(from.0 - 1));
        let (mut text, mut events) = (Vec::new(), 0);
        while reading.after < last && events < limit && text.len() < PAGE_BYTES && began.elapsed() < PAGE_TIME {
            let piece = reading.piece(limit - events).await?;
            events += piece.events;
            text.extend_from_slice(&piece.text);
        }
        Ok((text, events, reading.after))
    });
    let read = reading.await.unwrap_or(Err(Unread::Closing));
    let (text, events, through) = read.map_err(|error| unread(&error))?;
    surface.sent.increment(events as u64);
    let next_from = through.next().0;
    let rest = stream::unfold((Bytes::from(text), place), |(mut rest, place)| async {
        let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
        (!chunk.is_empty()).then_some((Ok::<_, Infallible>(chunk), (rest, place)))
    });
    let mut response = Body::from_stream(rest).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, NDJSON);
    headers.insert("bursar-position", HeaderValue::from(end.0));
    headers.insert("bursar-next-from", HeaderValue::from(next_from));
    let separator = if scope.ends_with('?') { "" } else { "&" };
    if through < last
        && let Ok(link) = HeaderValue::from_str(&format!("<{scope}{separator}from={next_from}>; rel=\"next\""))
    {
        headers.insert(LINK, link);
    }
    Ok(response)
}
