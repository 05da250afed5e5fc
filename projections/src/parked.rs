//! Parked streams: an event that cannot be applied parks its stream. The event and those of its stream that come after
//! it wait in a table, in order, while all other streams go on; somebody looks, and has them tried again
//! (parked/retry.rs), or leaves the one event out.

pub mod list;
mod retry;
pub(crate) mod stored;

use std::collections::HashSet;

use domain::ids::Position;
use sqlx::PgConnection;

pub use self::retry::{Outcome, ParkedError, release, retry};

/// Why an event could not be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This program cannot read it.
    Undecodable,
    /// PostgreSQL refused what it changes, or a row that it changes is not there.
    Refused,
    /// Finding out what it changes failed, which is a fault of Bursar.
    Fault,
}

impl Why {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Refused => "refused",
            Self::Fault => "fault",
        }
    }
}

/// A stream that is to be parked, and the event that is the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewlyParked {
    pub(crate) stream: String,
    pub(crate) position: Position,
    pub(crate) event_type: String,
    pub(crate) why: Why,
    pub(crate) error: String,
}

/// The streams that are parked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ParkedStreams(HashSet<String>);

impl ParkedStreams {
    /// Reads them all.
    pub(crate) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let streams: Vec<String> =
            sqlx::query_scalar("SELECT stream FROM parked_streams").fetch_all(connection).await?;
        Ok(Self(streams.into_iter().collect()))
    }

    /// How many there are in PostgreSQL.
    pub(crate) async fn count(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM parked_streams").fetch_one(connection).await?;
        Ok(count.cast_unsigned())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether a stream is among them; the name is made only where there are any.
    pub(crate) fn has(&self, stream: impl FnOnce() -> String) -> bool {
        !self.0.is_empty() && self.0.contains(&stream())
    }

    pub(crate) fn park(&mut self, stream: String) {
        self.0.insert(stream);
    }
}
