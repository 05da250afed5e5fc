//! Tests of the engine through its public interface, a module per subject.
#![allow(clippy::unwrap_used)]

mod ask;
mod books;
mod client;
mod clock;
mod crash;
mod disk;
mod effort;
mod engine;
mod faults;
mod full_disk;
mod gathered;
mod hooked;
mod oracle;
mod panic;
mod random;
mod readback;
mod recovered;
mod restart;
mod script;
mod speculation;
