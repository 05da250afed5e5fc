//! Tests of the log through its public interface, a module per subject.
#![allow(clippy::unwrap_used)]

mod append;
mod workload;
