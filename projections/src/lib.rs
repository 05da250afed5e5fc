//! The read side of Bursar: read models in PostgreSQL, the worker that keeps them, and the API that queries them.
//! Nothing here takes or decides a command, and nothing is written that the log could not rebuild.

pub mod checkpoint;
pub mod database;
pub mod feed;
pub mod graphql;
mod metrics;
pub mod model;
pub mod parked;
pub mod partition;
pub mod query;
pub mod rebuild;
pub mod reset;
pub mod worker;
pub mod write;

pub use reset::reset;
