//! Tests of the log through its public interface, a module per subject.
#![allow(clippy::unwrap_used)]

mod append;
mod backup;
mod crash;
mod damage;
mod failure;
mod feed;
mod flips;
mod golden;
mod index;
mod kafka;
mod lsm;
mod measured;
mod refusal;
mod round_trip;
mod scrub;
mod workload;
