//! Importing data sets: read a file, map it to commands, send them through the public HTTP interface like any other
//! client. Nothing here knows the engine or the log.

pub(crate) mod command;
pub(crate) mod online_retail;
