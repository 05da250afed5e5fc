//! Checkpoints: how far a projection has come in each partition of its feed. A checkpoint moves only together with the
//! rows, only from the place where the changes begin, and only for whoever claimed its partition last: that is what
//! keeps two workers from applying the same event twice. Claiming is in checkpoint/claim.rs.

mod claim;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use self::claim::{ClaimError, claim};
use crate::model::Changes;
use crate::partition::{PartitionId, Places};
use crate::write::WriteError;

/// The projection that keeps all read models of this crate.
pub const READ_MODELS: &str = "read_models";

/// The right to move the checkpoints of some partitions, until somebody else claims them.
#[derive(Debug, Clone)]
pub struct Claim {
    name: &'static str,
    epochs: BTreeMap<PartitionId, i64>,
    places: Places,
    whole: bool,
}

impl Claim {
    /// Where the partitions were when they were claimed.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Whether these are all partitions of the feed.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }
}

/// Another worker follows a partition now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "partition {partition} was taken over by {owner} at {at}; this worker writes nothing any more. One worker can \
     follow a partition: end one of the two, and start this one again if it is the one to stay"
)]
pub struct TakenOver {
    /// The partition.
    pub partition: PartitionId,
    /// Who follows it now.
    pub owner: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Moves the checkpoints from where the changes begin to where they end.
pub(crate) async fn advance(connection: &mut PgConnection, claim: &Claim, changes: &Changes) -> Result<(), WriteError> {
    let moved = changes.moved();
    let result = sqlx::query(
        "UPDATE projection_checkpoints c SET position = d.place, feed_offset = d.feed_offset, \
         recorded_at = COALESCE(d.recorded_at, c.recorded_at), updated_at = clock_timestamp() \
         FROM UNNEST($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[]) \
         AS d(partition, epoch, left_at, place, feed_offset, recorded_at) \
         WHERE c.name = $1 AND c.partition = d.partition AND c.epoch = d.epoch AND c.position = d.left_at",
    )
    .bind(claim.name)
    .bind(moved.iter().map(|(partition, _)| number(*partition)).collect::<Vec<_>>())
    .bind(moved.iter().map(|(partition, _)| claim.epochs.get(partition).copied()).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, moved)| moved.from.last.0.cast_signed()).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, moved)| moved.to.last.0.cast_signed()).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, moved)| moved.to.offset).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, moved)| moved.recorded_at).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await
    .map_err(WriteError::doing("moving the checkpoints"))?;
    if result.rows_affected() == moved.len() as u64 {
        return Ok(());
    }
    let left = moved.iter().map(|(partition, moved)| (*partition, moved.from)).collect();
    still_as_left(connection, claim, &left).await?;
    // Somebody put it back in between: going on from the checkpoint is right in any case.
    let (partition, expected) = moved.first().map_or_else(Default::default, |(p, moved)| (*p, moved.from.last));
    Err(WriteError::Moved { partition, expected })
}

/// Checks that the checkpoints are where they were left, and that nobody else has claimed them.
pub(crate) async fn still_as_left(
    connection: &mut PgConnection,
    claim: &Claim,
    left: &Places,
) -> Result<(), WriteError> {
    type Row = (i32, i64, i64, String, Option<DateTime<Utc>>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT partition, position, epoch, owner, claimed_at FROM projection_checkpoints WHERE name = $1",
    )
    .bind(claim.name)
    .fetch_all(connection)
    .await
    .map_err(WriteError::doing("reading the checkpoints"))?;
    let found = |partition| rows.iter().find(|(found, ..)| *found == number(partition));
    let is_mine = |partition, epoch: &i64| claim.epochs.get(&partition) == Some(epoch);
    for (partition, _) in left.iter() {
        if let Some((_, _, epoch, owner, Some(at))) = found(partition)
            && !is_mine(partition, epoch)
            && !owner.is_empty()
        {
            return Err(TakenOver { partition, owner: owner.clone(), at: *at }.into());
        }
    }
    for (partition, place) in left.iter() {
        let as_left = found(partition).is_some_and(|(_, position, epoch, ..)| {
            is_mine(partition, epoch) && *position == place.last.0.cast_signed()
        });
        if !as_left {
            return Err(WriteError::Moved { partition, expected: place.last });
        }
    }
    Ok(())
}

/// A partition as PostgreSQL keeps it.
fn number(partition: PartitionId) -> i32 {
    partition.0.cast_signed()
}
