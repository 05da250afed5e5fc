//! GraphQL over the views of `query`: the same parameters, rows and figures as REST, in one snapshot per request. What
//! there is to ask stands in `docs/schema.graphql`, which is the schema itself; here is where its fields come from.

mod batches;
mod cost;
mod errors;
mod http;
mod resolve;
mod schema;

pub use http::{Limits, router};
