//! `/v1/projections/{id}/parked`: streams of which an event could not be applied.

use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::Position;
use http_problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed};
use super::asked::{Asked, AskedOfRows, Name};
use super::snapshot::QueryState;
use super::tag::Moment;
use crate::checkpoint::READ_MODELS;
use crate::parked::list::{ParkedStream, list};
use crate::parked::{Outcome, ParkedError, release, retry};

/// A page of parked streams.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ParkedPage {
    /// Sorted by the name of the stream.
    items: Vec<ParkedStream>,
    /// Give it as `cursor`, with the same parameters, for the next page; null where there is none.
    next_cursor: Option<String>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// What became of a stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tried {
    #[serde(flatten)]
    outcome: Outcome,
    /// The position of the log that queries reflect now.
    #[schema(example = 4711)]
    position: u64,
}

/// Lists the streams that are parked
///
/// An event that cannot be applied parks its stream: it and later events of the stream wait, in order, while all others
/// go on. Rows of the stream stay as they were before that event.
#[utoipa::path(
    get, path = "/v1/projections/{id}/parked", operation_id = "list_parked_streams", tag = "operations",
    params(
        ("id" = String, Path, description = "The projection.", example = "read_models"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = ParkedPage, description = "A page of parked streams."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`projection_not_found`"),
        Problems
    )
)]
pub(super) async fn parked(State(state): State<QueryState>, mut asked: Asked) -> Answered<ParkedPage> {
    let id: Option<Name> = asked.id();
    let page = asked.page(|key| match key {
        [stream] => Some(stream.clone()),
        _ => None,
    });
    let freshness = asked.freshness();
    known(&asked.finish_with(id)?)?;
    let mut snapshot = state.snapshot(freshness).await?;
    let rows = list(snapshot.rows(), page.after.as_deref(), page.rows_to_read()).await;
    let mut items = rows.map_err(failed)?;
    let next_cursor = page.cut(&mut items, |row| vec![row.stream.clone()]);
    let moment = snapshot.moment;
    snapshot.close().await;
    Ok(Answer::at(moment, ParkedPage { items, next_cursor, position: moment.position.0 }))
}

/// Tries a parked stream again
///
/// Applies the events of the stream that wait, in order, up to the first that cannot be applied. Call it when the
/// reason is gone: a newer version runs, or the rows were put right. May be repeated: a stream that is not parked stays
/// as it is.
#[utoipa::path(
    post, path = "/v1/projections/{id}/parked/{stream}/retry", operation_id = "retry_parked_stream", tag = "operations",
    params(
        ("id" = String, Path, description = "The projection.", example = "read_models"),
        ("stream" = String, Path, description = "The stream.", example = "account-acct-ann"),
    ),
    responses(
        (status = 200, body = Tried, description = "What became of the stream."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`projection_not_found`"),
        Problems
    )
)]
pub(super) async fn try_again(State(state): State<QueryState>, mut asked: Asked) -> Answered<Tried> {
    let (id, stream): (Option<Name>, Option<Name>) = (asked.id(), asked.path("stream"));
    let (id, stream) = asked.finish_with(id.zip(stream))?;
    known(&id)?;
    let mut connection = state.pool().acquire().await.map_err(failed)?;
    let outcome = retry(&mut connection, &stream.0).await.map_err(refused)?;
    tried(&mut connection, outcome).await
}

/// Leaves out the event that a stream is parked at
///
/// The event is noted in `left_out_events` and never applied to these read models; what waits behind it is tried as by
/// `retry`. The rows then lack what the event did: prefer to make it applicable. May be repeated: an event that was left
/// out already is nothing to be done.
#[utoipa::path(
    post, path = "/v1/projections/{id}/parked/{stream}/release", operation_id = "release_parked_stream",
    tag = "operations",
    params(
        ("id" = String, Path, description = "The projection.", example = "read_models"),
        ("stream" = String, Path, description = "The stream.", example = "account-acct-ann"),
        ("event" = u64, Query, description = "The position of the event to leave out: the one that the stream is parked at.", example = 4711),
        ("reason" = String, Query, description = "Why, for those who read it later.", example = "written by hand in 2019, see ticket 12"),
    ),
    responses(
        (status = 200, body = Tried, description = "What became of the stream."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`projection_not_found`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`not_parked_there`: the stream is not parked, or at another event"),
        Problems
    )
)]
pub(super) async fn leave_out(State(state): State<QueryState>, mut asked: Asked) -> Answered<Tried> {
    let (id, stream): (Option<Name>, Option<Name>) = (asked.id(), asked.path("stream"));
    let (event, reason): (Option<u64>, Option<Name>) = (asked.required("event"), asked.required("reason"));
    let ((id, stream), (event, reason)) = asked.finish_with(id.zip(stream).zip(event.zip(reason)))?;
    known(&id)?;
    let mut connection = state.pool().acquire().await.map_err(failed)?;
    let outcome = release(&mut connection, &stream.0, Position(event), &reason.0).await.map_err(refused)?;
    tried(&mut connection, outcome).await
}

async fn tried(connection: &mut sqlx::PgConnection, outcome: Outcome) -> Answered<Tried> {
    let Moment { position, .. } = Moment::of(connection, READ_MODELS).await.map_err(failed)?;
    Ok(Answer::now(position, Tried { outcome, position: position.0 }))
}

fn known(id: &Name) -> Result<(), Problem> {
    if id.0 == READ_MODELS {
        return Ok(());
    }
    let detail = format!("there is no projection {}; there is {READ_MODELS}", id.0);
    Err(Problem::new(StatusCode::NOT_FOUND, "projection_not_found", detail).param("id"))
}

fn refused(error: ParkedError) -> Problem {
    let detail = error.to_string();
    match error {
        ParkedError::Database { source, .. } => failed(source),
        ParkedError::NotThere { parked_at, .. } => {
            let problem = Problem::new(StatusCode::CONFLICT, "not_parked_there", detail).param("event");
            match parked_at {
                Some(at) => problem.figure("parked_at", at.0),
                None => problem,
            }
        }
    }
}
