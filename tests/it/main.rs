//! Tests of Bursar as a whole: the real programs, real files and a real PostgreSQL. A module per subject.
#![allow(clippy::unwrap_used)]

mod api;
mod backup;
mod bad_input;
mod client;
mod connections;
mod contention;
mod crash;
mod damage;
mod description;
mod disk_full;
mod events;
mod import;
mod layering;
mod lifecycle;
mod orders;
mod parked;
mod payments;
mod postgres;
mod random;
mod rebuild;
mod relay;
mod scene;
mod server;
mod tools;
mod traffic;
mod views;
mod wire;
mod witness;
