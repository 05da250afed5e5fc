//! Tests of Bursar as a whole: the real programs, real files and a real PostgreSQL. A module per subject.
#![allow(clippy::unwrap_used)]

mod client;
mod connections;
mod description;
mod import;
mod layering;
mod lifecycle;
mod postgres;
mod server;
mod tools;
