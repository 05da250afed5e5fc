//! x
mod import;
fn main() {}
