//! The rules of Bursar: money, aggregates, process managers, events and their versions.
//! Pure functions only: no IO, no async, no clock, no randomness, no logging, no SQL, no HTTP.

pub mod account;
pub mod aggregate;
pub mod cascade;
pub mod command;
pub mod currency;
pub mod event;
pub mod few;
pub mod fork_map;
pub mod ids;
pub mod json;
pub mod money;
pub mod order;
pub mod payment;
pub mod posting;
pub mod process;
pub mod product;
pub mod rejection;
pub mod text;
pub mod transfer;
