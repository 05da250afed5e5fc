//! `GET /v1/transfers/{id}`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{Position, TransferId};
use http_problem::Problem;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed, not_found};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::snapshot::{QueryState, Snapshot};

#[derive(FromRow)]
struct TransferRow {
    transfer_id: String,
    from_account_id: String,
    to_account_id: String,
    amount: i64,
    currency: String,
    reference: Option<String>,
    sent_at: DateTime<Utc>,
    sent_position: i64,
    received_position: Option<i64>,
    reversed_at: Option<DateTime<Utc>>,
    reversed_position: Option<i64>,
    reversal_reason: Option<String>,
}

/// A transfer between two accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transfer {
    #[schema(example = "tr-1")]
    transfer_id: String,
    #[schema(example = "acct-ann")]
    from: String,
    #[schema(example = "acct-merchant")]
    to: String,
    amount: Money,
    /// `sent`: under way; `received`; `reversed`.
    #[schema(example = "received")]
    status: &'static str,
    /// What the sender said about it.
    #[schema(example = "invoice 536365")]
    reference: Option<String>,
    /// When it was sent, in business time.
    sent_at: DateTime<Utc>,
    /// Where the log has the sending.
    #[schema(example = 4010)]
    sent_position: i64,
    /// Where the log has the receiving.
    #[schema(example = 4011)]
    received_position: Option<i64>,
    /// When it was reversed, in business time.
    reversed_at: Option<DateTime<Utc>>,
    /// Where the log has the reversal.
    reversed_position: Option<i64>,
    /// Why it was reversed.
    reversal_reason: Option<String>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// What arrived is a transfer to be shown once it is known who sent it.
const NAMED: &str = "SELECT * FROM transfers WHERE transfer_id = ANY($1) AND sent_position IS NOT NULL";

/// Shows a transfer
#[utoipa::path(
    get, path = "/v1/transfers/{id}", operation_id = "get_transfer", tag = "transfers",
    params(
        ("id" = String, Path, description = "The transfer.", example = "tr-1"),
        super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = Transfer, description = "The transfer."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`transfer_not_found`"),
        Problems
    )
)]
pub(super) async fn one(State(state): State<QueryState>, mut asked: Asked) -> Answered<Transfer> {
    let transfer_id: Option<TransferId> = asked.id();
    let freshness = asked.freshness();
    let transfer_id = asked.finish_with(transfer_id)?;
    let mut snapshot = state.snapshot(freshness).await?;
    let found = named(&mut snapshot, &[transfer_id.as_str().to_owned()]).await?.pop();
    let moment = snapshot.moment;
    snapshot.close().await;
    let transfer = found.ok_or_else(|| not_found("transfer_not_found", "transfer", transfer_id.as_str()))?;
    Ok(Answer::at(moment, transfer))
}

/// Transfers by their names, as far as there are such.
pub(crate) async fn named(snapshot: &mut Snapshot, ids: &[String]) -> Result<Vec<Transfer>, Problem> {
    let position = snapshot.moment.position;
    let rows: Vec<TransferRow> = sqlx::query_as(NAMED).bind(ids).fetch_all(snapshot.rows()).await.map_err(failed)?;
    Ok(rows.into_iter().map(|row| Transfer::read(row, position)).collect())
}

impl Transfer {
    fn read(row: TransferRow, position: Position) -> Self {
        Self {
            status: match (row.reversed_position, row.received_position) {
                (Some(_), _) => "reversed",
                (None, Some(_)) => "received",
                (None, None) => "sent",
            },
            amount: Money::new(row.amount, &row.currency),
            transfer_id: row.transfer_id,
            from: row.from_account_id,
            to: row.to_account_id,
            reference: row.reference,
            sent_at: row.sent_at,
            sent_position: row.sent_position,
            received_position: row.received_position,
            reversed_at: row.reversed_at,
            reversed_position: row.reversed_position,
            reversal_reason: row.reversal_reason,
            position: position.0,
        }
    }
}
