//! Pages: so many rows, and where the next ones begin.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::cursor;

/// Which page is wanted. `K` is what the rows are sorted by.
#[derive(Debug)]
pub(crate) struct Page<K> {
    pub(crate) limit: usize,
    /// The key of the last row of the page before.
    pub(crate) after: Option<K>,
    pub(crate) scope: String,
}

impl<K> Page<K> {
    /// How many rows to read: one more than wanted shows whether there is another page.
    pub(super) const fn rows_to_read(&self) -> i64 {
        self.limit as i64 + 1
    }

    /// Cuts what was read down to the page, and gives the cursor of the next one where there is one.
    pub(super) fn cut<R>(&self, rows: &mut Vec<R>, key: impl Fn(&R) -> Vec<String>) -> Option<String> {
        if rows.len() <= self.limit {
            return None;
        }
        rows.truncate(self.limit);
        rows.last().map(|last| cursor::write(&self.scope, &key(last)))
    }
}

/// What every list can be asked, as the OpenAPI document says it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(super) struct Paging {
    /// How many rows: 1 to 1000.
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The rows of this page.
    pub(super) items: Vec<T>,
    /// Give it as `cursor`, with the same parameters, for the next page; null where there is none.
    pub(super) next_cursor: Option<String>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    pub(super) position: u64,
}
