//! The rules of Bursar: money, aggregates, process managers, events and their versions.
//! Pure functions only: no IO, no async, no clock, no randomness, no logging, no SQL, no HTTP.

pub mod currency;
pub mod ids;
pub mod money;
