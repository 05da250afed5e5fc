//! Tests of the engine through its public interface, a module per subject.
#![allow(clippy::unwrap_used)]

mod ask;
mod clock;
mod disk;
mod engine;
mod panic;
