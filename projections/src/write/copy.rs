//! PostgreSQL's binary COPY format, as far as rows of this crate need it. The form is documented at
//! <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT>.

use chrono::{DateTime, Utc};

/// 2000-01-01 UTC, from which PostgreSQL counts, in microseconds since 1970-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// Rows in the making.
pub(super) struct CopyRows(Vec<u8>);

impl CopyRows {
    /// No rows yet, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no header extension.
        buffer.extend_from_slice(&[0; 8]);
        Self(buffer)
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

    /// The bytes to send.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        self.0
    }
}
