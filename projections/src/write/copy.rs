//! PostgreSQL's binary COPY format, as far as rows of this crate need it. The form is documented at
//! <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT>.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::WriteError;

/// 2000-01-01 UTC, from which PostgreSQL counts, in microseconds since 1970-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// How much is gathered before it is sent, so that PostgreSQL works on it while more is gathered.
const CHUNK_BYTES: usize = 256 << 10;

/// Writes rows by COPY; `statement` names the table and its columns, `put` makes a row of each item.
pub(super) async fn copy<R>(
    tx: &mut PgConnection,
    doing: &'static str,
    statement: &'static str,
    rows: impl IntoIterator<Item = R>,
    put: impl Fn(&mut CopyRows, R),
) -> Result<(), WriteError> {
    let mut sink = tx.copy_in_raw(statement).await.map_err(WriteError::doing(doing))?;
    let mut copy = CopyRows::begin();
    for row in rows {
        put(&mut copy, row);
        if copy.0.len() >= CHUNK_BYTES {
            sink.send(copy.0.as_slice()).await.map_err(WriteError::doing(doing))?;
            copy.0.clear();
        }
    }
    copy.end();
    sink.send(copy.0.as_slice()).await.map_err(WriteError::doing(doing))?;
    sink.finish().await.map_err(WriteError::doing(doing))?;
    Ok(())
}

/// Rows in the making.
pub(super) struct CopyRows(Vec<u8>);

impl CopyRows {
    fn begin() -> Self {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES + 4096);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no header extension.
        buffer.extend_from_slice(&[0; 8]);
        Self(buffer)
    }

    fn end(&mut self) {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
    }

    /// Begins a row of so many fields, which follow in the order of the columns.
    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.0.extend_from_slice(&fields.to_be_bytes());
        self
    }

    pub(super) fn bigint(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(super) fn smallint(&mut self, value: i16) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.field(value.as_bytes())
    }

    pub(super) fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.bigint(value.timestamp_micros() - POSTGRES_EPOCH_US)
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T) -> &mut Self) -> &mut Self {
        match value {
            Some(value) => put(self, value),
            None => {
                self.0.extend_from_slice(&(-1_i32).to_be_bytes());
                self
            }
        }
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        let length = i32::try_from(bytes.len()).expect("fields are identifiers, texts of 256 characters and numbers");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
}
