//! `GET /v1/rejections`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http_problem::Problem;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::answer::{Answered, Problems, failed};
use super::asked::{Asked, AskedOfRows, Name};
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::view::{View, answered};

/// A command that was refused.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub(crate) struct Rejection {
    /// Where the log has it.
    #[schema(example = 4012)]
    position: i64,
    /// Why, in the code that the caller got.
    #[schema(example = "insufficient_funds")]
    code: String,
    /// What was asked.
    #[schema(example = "withdraw")]
    command: String,
    /// Of what it was asked.
    #[schema(example = "account-acct-ann")]
    stream: String,
    /// Why, in words.
    #[schema(example = "account acct-ann has 5.00 USD available, 12.50 USD was asked")]
    detail: String,
    /// The figures behind it.
    #[schema(value_type = Object)]
    figures: Value,
    /// Who asked.
    #[schema(example = "alice")]
    principal: String,
    /// The key it was asked with.
    idempotency_key: String,
    /// The request that it came in.
    request_id: String,
    /// What the caller groups requests by; empty where it gave none.
    correlation_id: String,
    /// When it was refused.
    recorded_at: DateTime<Utc>,
}

/// Lists refused commands
///
/// In the order of the log.
#[utoipa::path(
    get, path = "/v1/rejections", operation_id = "list_rejections", tag = "rejections",
    params(
        ("code" = Option<String>, Query, description = "Only with this code.", example = "insufficient_funds"),
        ("principal" = Option<String>, Query, description = "Only of this principal.", example = "alice"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Rejection>, description = "A page of refused commands."), Problems)
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Rejection>> {
    answered::<RejectionsWanted>(state, asked).await
}

/// Which refused commands are wanted.
pub(crate) struct RejectionsWanted {
    code: Option<&'static str>,
    principal: Option<Name>,
    page: Page<i64>,
}

impl View for RejectionsWanted {
    type Body = Listed<Rejection>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let code = asked.word("code", domain::rejection::Rejection::CODES);
        let principal: Option<Name> = asked.optional("principal");
        let page = asked.page(|key| key.first()?.parse::<i64>().ok());
        Some(Self { code, principal, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { code, principal, page } = self;
        let mut items: Vec<Rejection> = sqlx::query_as(
            "SELECT * FROM rejections WHERE ($1::text IS NULL OR code = $1) AND ($2::text IS NULL OR principal = $2) \
             AND ($3::bigint IS NULL OR position > $3) ORDER BY position LIMIT $4",
        )
        .bind(code)
        .bind(principal.map(|Name(principal)| principal))
        .bind(page.after)
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut items, |row| vec![row.position.to_string()]);
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}
