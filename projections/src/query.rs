//! The query API: reads rows, answers JSON. Every answer says which position of the log it reflects, and all of it is
//! read in one snapshot at that position.

pub(crate) mod accounts;
pub(crate) mod answer;
pub(crate) mod asked;
mod cursor;
#[cfg(test)]
mod fuzzing;
pub(crate) mod holds;
mod money;
pub(crate) mod orders;
mod page;
mod parked;
pub(crate) mod payments;
pub(crate) mod products;
mod projections;
pub(crate) mod rejections;
mod router;
pub(crate) mod sales;
pub(crate) mod snapshot;
pub(crate) mod statement;
mod tag;
mod time;
pub(crate) mod transfers;
pub(crate) mod trial_balance;
pub(crate) mod view;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use router::router;
pub use snapshot::QueryState;

/// Reads a word that a row keeps, such as a status, as the value of the domain that it stands for.
fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}
