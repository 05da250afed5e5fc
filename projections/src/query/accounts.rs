//! `GET /v1/accounts` and `GET /v1/accounts/{id}`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{AccountId, OwnerId};
use http_problem::Problem;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed, not_found};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::statement::{Until, balance_at};
use super::time::At;
use super::view::{View, answered};

#[derive(FromRow)]
pub(super) struct AccountRow {
    pub(super) account_id: String,
    pub(super) owner_id: String,
    pub(super) currency: String,
    status: String,
    balance: i64,
    held: i64,
    version: i64,
    pub(super) opened_position: i64,
    opened_at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    #[schema(example = "acct-ann")]
    account_id: String,
    #[schema(example = "ann")]
    owner_id: String,
    /// `open`; `frozen_debits`: money comes in only; `frozen`: nothing moves; `closed`.
    #[schema(example = "open")]
    status: String,
    /// The ledger balance.
    balance: Money,
    /// What holds set aside of it.
    held: Money,
    /// What can be spent: the balance less what is held.
    available: Money,
    /// The number of the account's last event, for `If-Match`.
    #[schema(example = 3)]
    version: i64,
    /// When it was opened, in business time.
    opened_at: DateTime<Utc>,
    /// When its last event was recorded.
    updated_at: DateTime<Utc>,
}

/// An account, or with `at` its balance as it was.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum OneAccount {
    Now(AccountNow),
    Then(AccountThen),
}

/// An account as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountNow {
    #[serde(flatten)]
    account: Account,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// What the balance of an account was.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountThen {
    #[schema(example = "acct-ann")]
    account_id: String,
    #[schema(example = "ann")]
    owner_id: String,
    /// The position or time that was asked for.
    #[schema(example = "2026-01-31T08:00:00Z")]
    at: String,
    /// The ledger balance as it was then.
    balance: Money,
    /// The position of the posting that made it so; null where there was none yet.
    #[schema(example = 4011)]
    last_posting: Option<i64>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

const STATUSES: [&str; 4] = ["open", "frozen_debits", "frozen", "closed"];

/// Lists accounts
///
/// Sorted by id.
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "list_accounts", tag = "accounts",
    params(
        ("owner_id" = Option<String>, Query, description = "Only of this owner.", example = "ann"),
        ("status" = Option<String>, Query, description = "Only with this status: open, frozen_debits, frozen or closed."),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Account>, description = "A page of accounts."), Problems)
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Account>> {
    answered::<AccountsWanted>(state, asked).await
}

/// Which accounts are wanted.
pub(crate) struct AccountsWanted {
    owner_id: Option<OwnerId>,
    status: Option<&'static str>,
    page: Page<AccountId>,
}

impl View for AccountsWanted {
    type Body = Listed<Account>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let owner_id: Option<OwnerId> = asked.optional("owner_id");
        let status = asked.word("status", &STATUSES);
        let page = asked.page(|key| key.first()?.parse::<AccountId>().ok());
        Some(Self { owner_id, status, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { owner_id, status, page } = self;
        let mut rows: Vec<AccountRow> = sqlx::query_as(
            "SELECT * FROM accounts WHERE ($1::text IS NULL OR owner_id = $1) AND ($2::text IS NULL OR status = $2) \
             AND ($3::text IS NULL OR account_id > $3) ORDER BY account_id LIMIT $4",
        )
        .bind(owner_id.as_ref().map(OwnerId::as_str))
        .bind(status)
        .bind(page.after.as_ref().map(AccountId::as_str))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.account_id.clone()]);
        let items = rows.into_iter().map(Account::from).collect();
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// Shows an account
///
/// With `at`, shows what its balance was: at a position of the log, or at a time, as it had been recorded by then.
#[utoipa::path(
    get, path = "/v1/accounts/{id}", operation_id = "get_account", tag = "accounts",
    params(
        ("id" = String, Path, description = "The account.", example = "acct-ann"),
        ("at" = Option<String>, Query, description = "A position of the log, or an RFC 3339 time of recording."),
        super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = OneAccount, description = "The account, or with `at` its balance as it was."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`account_not_found`"),
        Problems
    )
)]
pub(super) async fn one(State(state): State<QueryState>, mut asked: Asked) -> Answered<OneAccount> {
    let account_id: Option<AccountId> = asked.id();
    let at: Option<At> = asked.optional("at");
    let freshness = asked.freshness();
    let given = asked.given("at");
    let account_id = asked.finish_with(account_id)?;
    let mut snapshot = state.snapshot(at.map_or(freshness, |at| at.needs(freshness))).await?;
    let row = find(snapshot.rows(), &account_id).await?;
    let moment = snapshot.moment;
    let (Some(at), Some(given)) = (at, given) else {
        snapshot.close().await;
        let version = row.version;
        let account = AccountNow { account: row.into(), position: moment.position.0 };
        return Ok(Answer::at(moment, OneAccount::Now(account)).version(version));
    };
    let until = Until::at(snapshot.rows(), at).await.map_err(failed)?;
    if !until.knows(&row) {
        return Err(unknown(&format!("{account_id} at {given}")).into());
    }
    let last = balance_at(snapshot.rows(), &account_id, until).await.map_err(failed)?;
    snapshot.close().await;
    let then = AccountThen {
        at: given,
        balance: Money::new(last.map_or(0, |(_, balance)| balance), &row.currency),
        last_posting: last.map(|(position, _)| position),
        account_id: row.account_id,
        owner_id: row.owner_id,
        position: moment.position.0,
    };
    Ok(Answer::at(moment, OneAccount::Then(then)))
}

/// Accounts by their names, as far as there are such.
pub(crate) async fn named(rows: &mut PgConnection, ids: &[String]) -> Result<Vec<Account>, Problem> {
    let found: Vec<AccountRow> = sqlx::query_as("SELECT * FROM accounts WHERE account_id = ANY($1)")
        .bind(ids)
        .fetch_all(rows)
        .await
        .map_err(failed)?;
    Ok(found.into_iter().map(Account::from).collect())
}

/// The row of an account.
pub(super) async fn find(rows: &mut PgConnection, account_id: &AccountId) -> Result<AccountRow, Problem> {
    let row = sqlx::query_as("SELECT * FROM accounts WHERE account_id = $1")
        .bind(account_id.as_str())
        .fetch_optional(rows)
        .await
        .map_err(failed)?;
    row.ok_or_else(|| unknown(account_id.as_str()))
}

pub(super) fn unknown(account: &str) -> Problem {
    not_found("account_not_found", "account", account)
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            balance: Money::new(row.balance, &row.currency),
            held: Money::new(row.held, &row.currency),
            available: Money::new(row.balance - row.held, &row.currency),
            account_id: row.account_id,
            owner_id: row.owner_id,
            status: row.status,
            version: row.version,
            opened_at: row.opened_at,
            updated_at: row.updated_at,
        }
    }
}
