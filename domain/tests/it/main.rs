//! The tests of the rules: tables of single rules, properties of random command sequences, golden files.
//! One binary, a module per subject; nothing here touches anything outside the `domain` crate.
#![allow(clippy::unwrap_used)]

mod ask;

mod forks;
mod fuzzing;
mod golden;
mod model;
mod properties;
mod random;
mod rules;
mod tell;
mod total;
mod trial;
mod world;
