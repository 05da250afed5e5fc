//! x
mod config;
mod import;
fn main() {}
