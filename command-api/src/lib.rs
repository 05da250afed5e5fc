//! The write side of Bursar: the engine that decides commands and appends what follows from them, and its HTTP surface.
//! No SQL and no read models: nothing here looks at a PostgreSQL row.

pub mod engine;
pub mod http;
