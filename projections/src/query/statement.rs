//! `GET /v1/accounts/{id}/statement`, and what the journal knows of earlier balances.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{AccountId, Position};
use http_problem::Problem;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use super::accounts::{AccountRow, find, unknown};
use super::answer::{Answered, Problems, failed};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::page::Page;
use super::snapshot::{Freshness, QueryState, Snapshot};
use super::time::{At, Bound};
use super::view::{View, answered};
use crate::model::stamp::minute_of;

/// How far a business time may lie ahead of the time of recording: the rules allow five minutes.
const BUSINESS_AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

#[derive(FromRow)]
struct JournalRow {
    account_id: String,
    position: i64,
    amount: i64,
    balance_after: i64,
    recorded_at: DateTime<Utc>,
    effective_at: Option<DateTime<Utc>>,
    leg: i16,
    currency: String,
    ledger_account: String,
    counterpart: String,
    event_type: String,
    transfer_id: Option<String>,
    payment_id: Option<String>,
    hold_id: Option<String>,
    reference: Option<String>,
}

/// A movement on an account.
#[derive(Debug, Serialize, ToSchema)]
struct Posting {
    /// The position of its event in the log.
    #[schema(example = 4011)]
    position: i64,
    /// What happened.
    #[schema(example = "transfer_received")]
    event_type: String,
    /// What came in, or below zero what went out.
    amount: Money,
    /// The account's balance after it.
    balance_after: Money,
    /// Who was on the other side: an account, or `external:cash` for the outside.
    #[schema(example = "acct-merchant")]
    counterpart: String,
    /// The other side of the posting in the books.
    #[schema(example = "clearing:transfers")]
    ledger_account: String,
    /// The transfer it is part of.
    transfer_id: Option<String>,
    /// The payment it is part of.
    payment_id: Option<String>,
    /// The hold it was captured from.
    hold_id: Option<String>,
    /// What was said about it.
    #[schema(example = "invoice 536365")]
    reference: Option<String>,
    /// When it was recorded.
    recorded_at: DateTime<Utc>,
    /// When it happened in business, where that differs.
    effective_at: Option<DateTime<Utc>>,
}

/// A page of an account's statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statement {
    #[schema(example = "acct-ann")]
    account_id: String,
    /// Its movements, in the order in which they were recorded.
    items: Vec<Posting>,
    /// Give it as `cursor`, with the same parameters, for the next page; null where there is none.
    next_cursor: Option<String>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// Shows the statement of an account
///
/// Its postings in the order in which they were recorded, each with the balance after it. `from` and `to` select by
/// business time, which is the time of recording where a posting has no other; a posting that was recorded later than
/// it happened stands where it was recorded.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/statement", operation_id = "get_statement", tag = "accounts",
    params(
        ("id" = String, Path, description = "The account.", example = "acct-ann"),
        ("from" = Option<String>, Query, description = "From this RFC 3339 time, or day in UTC, on.", example = "2010-12-01"),
        ("to" = Option<String>, Query, description = "Up to this RFC 3339 time, or to the end of this day in UTC.", example = "2010-12-31"),
        ("at" = Option<String>, Query, description = "The statement as it was at a position of the log, or at an RFC 3339 time of recording."),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = Statement, description = "A page of the statement."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`account_not_found`"),
        Problems
    )
)]
pub(super) async fn statement(state: State<QueryState>, asked: Asked) -> Answered<Statement> {
    answered::<StatementWanted>(state, asked).await
}

/// Which part of a statement is wanted.
pub(crate) struct StatementWanted {
    account_id: AccountId,
    from: Option<Bound>,
    to: Option<Bound>,
    at: Option<At>,
    page: Page<(i64, i16)>,
}

impl View for StatementWanted {
    type Body = Statement;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let account_id: Option<AccountId> = asked.id();
        let (from, to): (Option<Bound>, Option<Bound>) = (asked.optional("from"), asked.optional("to"));
        let at: Option<At> = asked.optional("at");
        let page = asked.page(|key| match key {
            [position, leg] => Some((position.parse::<i64>().ok()?, leg.parse::<i16>().ok()?)),
            _ => None,
        });
        Some(Self { account_id: account_id?, from, to, at, page })
    }

    fn needs(&self, freshness: Freshness) -> Freshness {
        self.at.map_or(freshness, |at| at.needs(freshness))
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { account_id, from, to, at, page } = self;
        let account = find(snapshot.rows(), &account_id).await?;
        let until = match at {
            Some(at) => Until::at(snapshot.rows(), at).await.map_err(failed)?,
            None => Until::NOW,
        };
        if !until.knows(&account) {
            return Err(unknown(account_id.as_str()));
        }
        let not_before = match from {
            Some(from) => first_position_since(snapshot.rows(), from.begins()).await.map_err(failed)?,
            None => 0,
        };
        let mut rows: Vec<JournalRow> = sqlx::query_as(
            "SELECT * FROM journal WHERE account_id = $1 AND position >= $2 AND ($3::bigint IS NULL OR position <= $3) \
             AND ($4::timestamptz IS NULL OR recorded_at <= $4) \
             AND ($5::timestamptz IS NULL OR COALESCE(effective_at, recorded_at) >= $5) \
             AND ($6::timestamptz IS NULL OR COALESCE(effective_at, recorded_at) < $6) \
             AND ($7::bigint IS NULL OR (position, leg) > ($7, $8)) ORDER BY account_id, position, leg LIMIT $9",
        )
        .bind(account_id.as_str())
        .bind(not_before)
        .bind(until.position)
        .bind(until.recorded_at)
        .bind(from.map(Bound::begins))
        .bind(to.map(Bound::ends))
        .bind(page.after.map(|(position, _)| position))
        .bind(page.after.map(|(_, leg)| leg))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.position.to_string(), row.leg.to_string()]);
        let items = rows.into_iter().map(Posting::from).collect();
        let account_id = account.account_id;
        Ok(Statement { account_id, items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// The first postings of each of these accounts, as the statement of one begins.
pub(crate) async fn first_of_each(
    snapshot: &mut Snapshot,
    accounts: &[String],
    limit: usize,
) -> Result<HashMap<String, Statement>, Problem> {
    let rows: Vec<JournalRow> = sqlx::query_as(
        "SELECT j.* FROM UNNEST($1::text[]) AS a(id) CROSS JOIN LATERAL (SELECT * FROM journal \
         WHERE account_id = a.id ORDER BY account_id, position, leg LIMIT $2) j",
    )
    .bind(accounts)
    .bind(limit as i64 + 1)
    .fetch_all(snapshot.rows())
    .await
    .map_err(failed)?;
    let mut of_accounts: HashMap<String, Vec<JournalRow>> = HashMap::new();
    for row in rows {
        of_accounts.entry(row.account_id.clone()).or_default().push(row);
    }
    let position = snapshot.moment.position.0;
    let first = |account_id: &String| {
        let mut rows = of_accounts.remove(account_id).unwrap_or_default();
        let scope = format!("/v1/accounts/{account_id}/statement?");
        let page: Page<(i64, i16)> = Page { limit, after: None, scope };
        let next_cursor = page.cut(&mut rows, |row| vec![row.position.to_string(), row.leg.to_string()]);
        let items = rows.into_iter().map(Posting::from).collect();
        (account_id.clone(), Statement { account_id: account_id.clone(), items, next_cursor, position })
    };
    Ok(accounts.iter().map(first).collect())
}

impl From<JournalRow> for Posting {
    fn from(row: JournalRow) -> Self {
        Self {
            position: row.position,
            event_type: row.event_type,
            amount: Money::new(row.amount, &row.currency),
            balance_after: Money::new(row.balance_after, &row.currency),
            counterpart: row.counterpart,
            ledger_account: row.ledger_account,
            transfer_id: row.transfer_id,
            payment_id: row.payment_id,
            hold_id: row.hold_id,
            reference: row.reference,
            recorded_at: row.recorded_at,
            effective_at: row.effective_at,
        }
    }
}

impl At {
    /// An answer about a position must have that position.
    pub(super) fn needs(self, freshness: Freshness) -> Freshness {
        match self {
            Self::Position(position) => freshness.and_at(Position(position)),
            Self::Time(_) => freshness,
        }
    }
}

/// Up to where the journal is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    position: Option<i64>,
    recorded_at: Option<DateTime<Utc>>,
}

impl Until {
    const NOW: Self = Self { position: None, recorded_at: None };

    pub(super) async fn at(rows: &mut PgConnection, at: At) -> Result<Self, sqlx::Error> {
        Ok(match at {
            At::Position(position) => Self { position: Some(position.cast_signed()), recorded_at: None },
            // Positions and times of recording grow together: the minute after it bounds what has to be looked at.
            At::Time(time) => {
                let after: Option<i64> = sqlx::query_scalar(
                    "SELECT first_position FROM recorded_minutes WHERE minute > $1 ORDER BY minute LIMIT 1",
                )
                .bind(time)
                .fetch_optional(rows)
                .await?;
                Self { position: after.map(|position| position - 1), recorded_at: Some(time) }
            }
        })
    }

    /// Whether the account had been opened by then.
    pub(super) fn knows(&self, account: &AccountRow) -> bool {
        self.position.is_none_or(|position| account.opened_position <= position)
            && self.recorded_at.is_none_or(|time| account.recorded_at <= time)
    }
}

/// The last posting of an account up to there, and the balance after it, in minor units.
pub(super) async fn balance_at(
    rows: &mut PgConnection,
    account_id: &AccountId,
    until: Until,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT position, balance_after FROM journal WHERE account_id = $1 \
         AND ($2::bigint IS NULL OR position <= $2) AND ($3::timestamptz IS NULL OR recorded_at <= $3) \
         ORDER BY account_id DESC, position DESC, leg DESC LIMIT 1",
    )
    .bind(account_id.as_str())
    .bind(until.position)
    .bind(until.recorded_at)
    .fetch_optional(rows)
    .await
}

/// A position before which nothing has a business time of `time` or later.
async fn first_position_since(rows: &mut PgConnection, time: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let recorded = minute_of(time.checked_sub_signed(BUSINESS_AHEAD_MAX).unwrap_or(time));
    let first: Option<i64> =
        sqlx::query_scalar("SELECT first_position FROM recorded_minutes WHERE minute >= $1 ORDER BY minute LIMIT 1")
            .bind(recorded)
            .fetch_optional(rows)
            .await?;
    // Nothing was recorded since: no posting has such a business time.
    Ok(first.unwrap_or(i64::MAX))
}
