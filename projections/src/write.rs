//! Writes what was folded: one statement per table, rows and checkpoint in one transaction. Nothing is decided here.

mod accounts;
mod copy;
mod journal;
mod ledger;
mod minutes;
mod orders;
mod parked;
mod payments;
mod products;
mod rejections;
mod sales;
mod transfers;

use domain::ids::{OrderId, Position};
use sqlx::postgres::PgQueryResult;
use sqlx::{Connection, PgConnection};

use crate::checkpoint::{self, Claim, TakenOver};
use crate::model::Changes;
use crate::partition::PartitionId;

/// Why changes were not written. The transaction was rolled back, or its outcome is unknown
/// ([`WriteError::Database`] while committing): the checkpoint tells.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A checkpoint is not where these changes begin: the read models were reset, switched, or lost their last
    /// transactions in a crash of PostgreSQL. Claim the partitions again and go on from where they are.
    #[error("the checkpoint of partition {partition} is no longer at position {expected}, where it was left")]
    Moved {
        /// The partition.
        partition: PartitionId,
        /// Where its checkpoint was thought to be.
        expected: Position,
    },
    /// Another worker follows a partition now.
    #[error(transparent)]
    TakenOver(#[from] TakenOver),
    /// A stream is no longer parked behind which events were to wait: it was retried or released.
    #[error("a stream behind which events were to wait is no longer parked")]
    NotParked,
    /// A row that an event changes is not there.
    #[error("{missing} of the rows to change are not in table {table}: the read models lack what came before")]
    RowMissing {
        /// The table.
        table: &'static str,
        /// How many rows were not found.
        missing: u64,
    },
    /// An order that was cancelled or came back is not there with its lines.
    #[error("order {order_id} is not in the read models with its lines: they lack what came before")]
    OrderMissing {
        /// The order.
        order_id: OrderId,
    },
    /// PostgreSQL refused, or could not be reached.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What PostgreSQL or the connection said.
        source: sqlx::Error,
    },
}

impl WriteError {
    pub(crate) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// Whether the events themselves are the reason: writing them again will fail again.
    #[must_use]
    pub fn is_about_the_events(&self) -> bool {
        match self {
            Self::RowMissing { .. } | Self::OrderMissing { .. } => true,
            Self::Moved { .. } | Self::TakenOver(_) | Self::NotParked => false,
            Self::Database { source, .. } => match source {
                // 22: a value that does not fit; 23: a constraint. Everything else can heal without the events.
                sqlx::Error::Database(error) => {
                    error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
                }
                sqlx::Error::Encode(_) => true,
                _ => false,
            },
        }
    }
}

/// Applies changes to the read models and moves the checkpoints of the partitions they came from, all or nothing.
///
/// # Errors
/// [`WriteError`].
pub async fn write(connection: &mut PgConnection, claim: &Claim, changes: &Changes) -> Result<(), WriteError> {
    let mut transaction = connection.begin().await.map_err(WriteError::doing("beginning a transaction"))?;
    let tx = &mut *transaction;
    checkpoint::advance(tx, claim, changes).await?;
    write_rows(tx, changes).await?;
    parked::write(tx, &changes.newly_parked, &changes.waiting).await?;
    transaction.commit().await.map_err(WriteError::doing("committing"))
}

/// Applies changes to the read models, in a transaction of the caller's.
pub(crate) async fn write_rows(tx: &mut PgConnection, changes: &Changes) -> Result<(), WriteError> {
    let opening_balances = accounts::write(tx, &changes.accounts).await?;
    journal::write(tx, &changes.journal, &opening_balances).await?;
    accounts::write_holds(tx, &changes.holds).await?;
    transfers::write(tx, &changes.transfers).await?;
    products::write(tx, &changes.products).await?;
    orders::write(tx, changes).await?;
    payments::write(tx, &changes.payments, &changes.payment_operations).await?;
    rejections::write(tx, &changes.rejections).await?;
    // Last what workers of all partitions change, so that they wait for one another as shortly as can be.
    sales::write(tx, &changes.sales).await?;
    minutes::write(tx, &changes.minutes).await?;
    ledger::write(tx, &changes.ledger).await
}

/// One column of rows, to be bound as an array.
fn column<R: Copy, T>(rows: &[R], value: impl Fn(R) -> T) -> Vec<T> {
    rows.iter().copied().map(value).collect()
}

/// Checks that every row that was to be changed was there.
fn all_found(table: &'static str, wanted: usize, result: &PgQueryResult) -> Result<(), WriteError> {
    match (wanted as u64).saturating_sub(result.rows_affected()) {
        0 => Ok(()),
        missing => Err(WriteError::RowMissing { table, missing }),
    }
}

/// A position or version as PostgreSQL keeps it.
fn bigint(number: u64) -> i64 {
    number.cast_signed()
}
