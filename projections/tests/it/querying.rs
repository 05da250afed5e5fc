//! The query API: what it answers is what happened.

mod answers;
mod lists;
mod parameters;
mod recency;
mod scans;
mod tags;

use serde_json::{Value, json};

use crate::applying::applied;
use crate::support::api::Api;
use crate::support::history::History;

/// The API over the read models of a history.
async fn api_over(history: &History) -> Api {
    Api::new(&applied(history, &[usize::MAX]).await, None)
}

fn yen(amount: i64) -> Value {
    json!({"amount": amount, "currency": "JPY"})
}

/// The values of a field of all items.
fn each(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

/// An object with some of its fields only.
pub(crate) fn only(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| ((*field).to_owned(), object[*field].clone())).collect::<serde_json::Map<_, _>>().into()
}
