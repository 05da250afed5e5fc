//! Views: what can be asked, and the rows that answer it. The one way for REST and GraphQL alike, so that both know the
//! same parameters, pages and figures.

use axum::extract::State;
use http_problem::{Asked, Problem};
use serde::Serialize;

use super::answer::{Answer, Answered};
use super::asked::AskedOfRows;
use super::snapshot::{Freshness, QueryState, Snapshot};

/// Something that can be asked of the read models.
pub(crate) trait View: Sized + Send {
    /// The answer.
    type Body: Serialize + Send;

    /// Takes its parameters; none where one that it cannot be answered without is wrong or missing, which
    /// [`Asked::finish`] tells.
    fn asked(asked: &mut Asked) -> Option<Self>;

    /// How recent the answer must be by what is asked.
    fn needs(&self, freshness: Freshness) -> Freshness {
        freshness
    }

    /// Reads the answer.
    fn read(self, snapshot: &mut Snapshot) -> impl Future<Output = Result<Self::Body, Problem>> + Send;
}

/// Answers a view over HTTP.
pub(super) async fn answered<V: View>(State(state): State<QueryState>, mut asked: Asked) -> Answered<V::Body> {
    let wanted = V::asked(&mut asked);
    let freshness = asked.freshness();
    let wanted = asked.finish_with(wanted)?;
    let mut snapshot = state.snapshot(wanted.needs(freshness)).await?;
    let body = wanted.read(&mut snapshot).await?;
    let moment = snapshot.moment;
    snapshot.close().await;
    Ok(Answer::at(moment, body))
}
