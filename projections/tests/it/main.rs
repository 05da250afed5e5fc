//! The tests of the read models against a real PostgreSQL. One binary, a module per subject. A private cluster is
//! started for the run, or the one that `BURSAR_TEST_DATABASE_URL` names is used; every test has a database of its own.
#![allow(clippy::unwrap_used)]

mod applying;
mod graphql;
mod log_feed;
mod parking;
mod partitions;
mod querying;
mod rebuilding;
mod support;
mod working;

// What the tests of the domain ask with, and the states they ask: the events here are made by the same rules.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../domain/tests/it/ask.rs"]
mod ask;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../domain/tests/it/world.rs"]
mod world;
