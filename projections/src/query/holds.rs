//! `GET /v1/accounts/{id}/holds`.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{AccountId, HoldId};
use http_problem::Problem;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::accounts::find;
use super::answer::{Answered, Problems, failed};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::view::{View, answered};

/// What holds can be asked for by.
pub(crate) const HOLD_STATUSES: [&str; 2] = ["open", "closed"];

#[derive(FromRow)]
struct HoldRow {
    account_id: String,
    hold_id: String,
    currency: String,
    amount: i64,
    captured: i64,
    released: i64,
    remaining: i64,
    payment_id: Option<String>,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Money set aside on an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hold {
    #[schema(example = "acct-ann")]
    account_id: String,
    #[schema(example = "hold-1")]
    hold_id: String,
    /// `open`: something is still held; `captured`: closed, and something was taken; `released`: closed, nothing was.
    #[schema(example = "open")]
    status: &'static str,
    /// What was set aside.
    amount: Money,
    /// What is still held of it.
    remaining: Money,
    /// What was taken of it.
    captured: Money,
    /// What was let go of it.
    released: Money,
    /// The payment that it secures, and with which alone it moves.
    payment_id: Option<String>,
    /// When it was placed, in business time.
    placed_at: DateTime<Utc>,
    /// When its last event was recorded.
    updated_at: DateTime<Utc>,
}

/// Lists the holds of an account
///
/// Sorted by id.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/holds", operation_id = "list_holds", tag = "accounts",
    params(
        ("id" = String, Path, description = "The account.", example = "acct-ann"),
        ("status" = Option<String>, Query, description = "Only `open` or only `closed` ones.", example = "open"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = Listed<Hold>, description = "A page of holds."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`account_not_found`"),
        Problems
    )
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Hold>> {
    answered::<HoldsWanted>(state, asked).await
}

/// Which holds are wanted.
pub(crate) struct HoldsWanted {
    account_id: AccountId,
    status: Option<&'static str>,
    page: Page<HoldId>,
}

impl View for HoldsWanted {
    type Body = Listed<Hold>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let account_id: Option<AccountId> = asked.id();
        let status = asked.word("status", &HOLD_STATUSES);
        let page = asked.page(|key| key.first()?.parse::<HoldId>().ok());
        Some(Self { account_id: account_id?, status, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { account_id, status, page } = self;
        find(snapshot.rows(), &account_id).await?;
        // Written apart, so that the planner sees which one the index of open holds is for.
        let query = match status {
            Some("open") => {
                "SELECT * FROM holds WHERE account_id = $1 AND remaining > 0 AND ($2::text IS NULL OR hold_id > $2) \
                 ORDER BY hold_id LIMIT $3"
            }
            Some(_) => {
                "SELECT * FROM holds WHERE account_id = $1 AND remaining = 0 AND ($2::text IS NULL OR hold_id > $2) \
                 ORDER BY hold_id LIMIT $3"
            }
            None => {
                "SELECT * FROM holds WHERE account_id = $1 AND ($2::text IS NULL OR hold_id > $2) \
                 ORDER BY hold_id LIMIT $3"
            }
        };
        let mut rows: Vec<HoldRow> = sqlx::query_as(query)
            .bind(account_id.as_str())
            .bind(page.after.as_ref().map(HoldId::as_str))
            .bind(page.rows_to_read())
            .fetch_all(snapshot.rows())
            .await
            .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.hold_id.clone()]);
        let items = rows.into_iter().map(Hold::from).collect();
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// The first holds of each of these accounts, as the list of one account begins.
pub(crate) async fn first_of_each(
    snapshot: &mut Snapshot,
    accounts: &[String],
    status: Option<&str>,
    limit: usize,
) -> Result<HashMap<String, Listed<Hold>>, Problem> {
    let rows: Vec<HoldRow> = sqlx::query_as(
        "SELECT h.* FROM UNNEST($1::text[]) AS a(id) CROSS JOIN LATERAL (SELECT * FROM holds \
         WHERE account_id = a.id AND ($2::text IS NULL OR (remaining > 0) = ($2 = 'open')) ORDER BY hold_id LIMIT $3) h",
    )
    .bind(accounts)
    .bind(status)
    .bind(limit as i64 + 1)
    .fetch_all(snapshot.rows())
    .await
    .map_err(failed)?;
    let mut of_accounts: HashMap<String, Vec<HoldRow>> = HashMap::new();
    for row in rows {
        of_accounts.entry(row.account_id.clone()).or_default().push(row);
    }
    let position = snapshot.moment.position.0;
    let first = |account_id: &String| {
        let mut rows = of_accounts.remove(account_id).unwrap_or_default();
        let status = status.map_or_else(String::new, |status| format!("status={status}"));
        let page: Page<HoldId> =
            Page { limit, after: None, scope: format!("/v1/accounts/{account_id}/holds?{status}") };
        let next_cursor = page.cut(&mut rows, |row| vec![row.hold_id.clone()]);
        let items = rows.into_iter().map(Hold::from).collect();
        (account_id.clone(), Listed { items, next_cursor, position })
    };
    Ok(accounts.iter().map(first).collect())
}

impl From<HoldRow> for Hold {
    fn from(row: HoldRow) -> Self {
        let money = |amount| Money::new(amount, &row.currency);
        Self {
            status: match (row.remaining, row.captured) {
                (1.., _) => "open",
                (_, 1..) => "captured",
                _ => "released",
            },
            amount: money(row.amount),
            remaining: money(row.remaining),
            captured: money(row.captured),
            released: money(row.released),
            account_id: row.account_id,
            hold_id: row.hold_id,
            payment_id: row.payment_id,
            placed_at: row.placed_at,
            updated_at: row.updated_at,
        }
    }
}
