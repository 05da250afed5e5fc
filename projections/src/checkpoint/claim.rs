//! Claiming partitions: whoever claims one last is the only one that can move its checkpoint. Checkpoints are made
//! here, and carried over when a projection goes on from another feed of the same log.

use chrono::{DateTime, Utc};
use domain::ids::Position;
use sqlx::{Connection, PgConnection};

use super::{Claim, number};
use crate::feed::Assignment;
use crate::partition::{PartitionId, Place};

/// Why partitions were not claimed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The read models were filled from another log.
    #[error("the read models were filled from log {filled_from}, this is log {log_id}")]
    OtherLog {
        /// The log they were filled from.
        filled_from: String,
        /// The log at hand.
        log_id: String,
    },
    /// The feed spreads the events in another way, and what was applied cannot be told in its terms.
    #[error(
        "the read models were filled from {filled_from} and this is {source_now}; one can go on where the other left \
         off only when all partitions are at one position, and they are between {lowest} and {highest}. Let the worker \
         of {filled_from} go on until all commands were sent and applied, then change over"
    )]
    OtherFeed {
        /// The feed they were filled from.
        filled_from: String,
        /// The feed at hand.
        source_now: String,
        /// Where the partition that is furthest behind is.
        lowest: Position,
        /// Where the partition that is furthest ahead is.
        highest: Position,
    },
    /// PostgreSQL refused, or could not be reached.
    #[error("claiming the checkpoints, {doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What PostgreSQL or the connection said.
        source: sqlx::Error,
    },
}

type Row = (i32, String, String, i64, i64);
/// What is carried over: recorded_at, updated_at, revision, build.
type Kept = (Option<DateTime<Utc>>, DateTime<Utc>, i64, i64);

/// Claims the followed partitions of a feed for a projection: from now on nobody who claimed them before can move their
/// checkpoints. Checkpoints are made at position 0 where there are none. `owner` names the worker to people.
///
/// # Errors
/// [`ClaimError`].
pub async fn claim(
    connection: &mut PgConnection,
    name: &'static str,
    assignment: &Assignment,
    owner: &str,
) -> Result<Claim, ClaimError> {
    let failed = |doing| move |source| ClaimError::Database { doing, source };
    let mut transaction = connection.begin().await.map_err(failed("beginning a transaction"))?;
    let tx = &mut *transaction;
    // A claim that a crash of PostgreSQL took back would let the old owner write again.
    sqlx::query("SET LOCAL synchronous_commit = on")
        .execute(&mut *tx)
        .await
        .map_err(failed("asking for durability"))?;
    // Asked first: where they are, nobody has to wait for a worker that is writing.
    create(tx, name, assignment, 0, 0).await.map_err(failed("making checkpoints"))?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT partition, log_id, source, position, epoch FROM projection_checkpoints WHERE name = $1 \
         ORDER BY partition FOR UPDATE",
    )
    .bind(name)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("reading them"))?;
    if !rows.iter().enumerate().all(|(index, row)| fits(row, index, assignment)) || !is_complete(&rows, assignment) {
        carry_over(tx, name, &rows, assignment).await?;
    }
    let followed: Vec<_> = assignment.followed.iter().map(|partition| number(*partition)).collect();
    let claimed: Vec<(i32, i64, Option<i64>, i64)> = sqlx::query_as(
        "UPDATE projection_checkpoints SET epoch = epoch + 1, owner = $3, claimed_at = clock_timestamp() \
         WHERE name = $1 AND partition = ANY($2) AND log_id = $4 AND source = $5 \
         RETURNING partition, position, feed_offset, epoch",
    )
    .bind(name)
    .bind(followed)
    .bind(owner)
    .bind(&assignment.log_id)
    .bind(&assignment.source)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("raising their epochs"))?;
    if claimed.len() != assignment.followed.len() {
        // A rebuild has put other read models in place since they were read.
        return Err(failed("raising their epochs")(sqlx::Error::RowNotFound));
    }
    transaction.commit().await.map_err(failed("committing"))?;
    let partition = |number: i32| PartitionId(number.cast_unsigned());
    let place = |last: i64, offset| Place { last: Position(last.cast_unsigned()), offset };
    Ok(Claim {
        name,
        epochs: claimed.iter().map(|(number, .., epoch)| (partition(*number), *epoch)).collect(),
        places: claimed.iter().map(|(number, last, offset, _)| (partition(*number), place(*last, *offset))).collect(),
        whole: claimed.len() == assignment.partitions as usize,
    })
}

/// Makes the checkpoints that are missing of a projection that has none, or some of the same feed.
async fn create(
    tx: &mut PgConnection,
    name: &str,
    assignment: &Assignment,
    position: i64,
    epoch: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO projection_checkpoints (name, partition, log_id, source, position, epoch, updated_at) \
         SELECT $1, n, $2, $3, $4, $5, now() FROM generate_series(0, $6 - 1) AS n \
         WHERE NOT EXISTS (SELECT FROM projection_checkpoints WHERE name = $1) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(&assignment.log_id)
    .bind(&assignment.source)
    .bind(position)
    .bind(epoch)
    .bind(assignment.partitions.cast_signed())
    .execute(tx)
    .await?;
    Ok(())
}

fn fits((partition, log_id, source, ..): &Row, index: usize, assignment: &Assignment) -> bool {
    *partition as usize == index && *log_id == assignment.log_id && *source == assignment.source
}

fn is_complete(rows: &[Row], assignment: &Assignment) -> bool {
    rows.len() == assignment.partitions as usize
}

/// Puts the checkpoints of this feed in place of those of another one, at the same position.
async fn carry_over(
    tx: &mut PgConnection,
    name: &str,
    rows: &[Row],
    assignment: &Assignment,
) -> Result<(), ClaimError> {
    let failed = |doing| move |source| ClaimError::Database { doing, source };
    let position = |position: Option<i64>| Position(position.unwrap_or_default().cast_unsigned());
    let lowest = position(rows.iter().map(|(.., position, _)| *position).min());
    let highest = position(rows.iter().map(|(.., position, _)| *position).max());
    let (filled_from, source_now) = (rows.first(), described(&assignment.source, assignment.partitions as usize));
    if let Some((_, log_id, ..)) = filled_from.filter(|row| row.1 != assignment.log_id && highest > Position::START) {
        return Err(ClaimError::OtherLog { filled_from: log_id.clone(), log_id: assignment.log_id.clone() });
    }
    if lowest != highest {
        let filled_from = filled_from.map_or_else(String::new, |(_, _, source, ..)| described(source, rows.len()));
        return Err(ClaimError::OtherFeed { filled_from, source_now, lowest, highest });
    }
    let epoch = rows.iter().map(|(.., epoch)| *epoch).max().unwrap_or_default();
    let kept: Option<Kept> = sqlx::query_as(
        "SELECT MAX(recorded_at), MAX(updated_at), MAX(revision), MAX(build) FROM projection_checkpoints WHERE name = $1 \
         HAVING COUNT(*) > 0",
    )
    .bind(name)
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed("reading them"))?;
    sqlx::query("DELETE FROM projection_checkpoints WHERE name = $1")
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(failed("removing those of another feed"))?;
    create(tx, name, assignment, lowest.0.cast_signed(), epoch).await.map_err(failed("making those of this feed"))?;
    if let Some((recorded_at, updated_at, revision, build)) = kept {
        sqlx::query(
            "UPDATE projection_checkpoints SET recorded_at = $2, updated_at = $3, revision = $4, build = $5 \
             WHERE name = $1",
        )
        .bind(name)
        .bind(recorded_at)
        .bind(updated_at)
        .bind(revision)
        .bind(build)
        .execute(tx)
        .await
        .map_err(failed("carrying over what is known of them"))?;
    }
    Ok(())
}

fn described(source: &str, partitions: usize) -> String {
    format!("{source} in {partitions} partition{}", if partitions == 1 { "" } else { "s" })
}
