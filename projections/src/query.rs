//! The query API: reads rows, answers JSON. Every answer says which position of the log it reflects, and all of it is
//! read in one snapshot at that position.

mod accounts;
mod answer;
mod asked;
mod cursor;
#[cfg(test)]
mod fuzzing;
mod holds;
mod money;
mod orders;
mod page;
mod parked;
mod payments;
mod products;
mod projections;
mod rejections;
mod router;
mod sales;
mod snapshot;
mod statement;
mod tag;
mod time;
mod transfers;
mod trial_balance;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use router::router;
pub use snapshot::QueryState;

/// Reads a word that a row keeps, such as a status, as the value of the domain that it stands for.
fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}
