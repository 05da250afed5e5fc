//! Tests of Bursar as a whole: the real programs, real files, a real PostgreSQL and a real Kafka. A module per subject.
#![allow(clippy::unwrap_used)]

mod api;
mod backup;
mod bad_input;
mod broker;
mod client;
mod connections;
mod consumers;
mod contention;
mod crash;
mod damage;
mod description;
mod disk_full;
mod events;
mod import;
mod kafka;
mod kafka_views;
mod layering;
mod lifecycle;
mod orders;
mod parked;
mod payments;
mod postgres;
mod random;
mod rebuild;
mod relay;
mod renewal;
mod scene;
mod server;
mod tools;
mod topic;
mod traffic;
mod views;
mod wire;
mod witness;
