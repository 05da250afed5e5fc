//! The benchmarks, one program: `scripts/bench` builds and runs it. Each measurement is a module; each prints rows of
//! one table, medians of several runs, with what it is compared to measured in the same run.
#![allow(missing_docs, clippy::float_arithmetic, clippy::unwrap_used)]

#[path = "bench/engine.rs"]
mod engine;
#[path = "bench/http.rs"]
mod http;
#[path = "bench/large.rs"]
mod large;
#[path = "bench/projection.rs"]
mod projection;
#[path = "bench/relay.rs"]
mod relay;
#[path = "bench/server.rs"]
mod server;
#[path = "bench/table.rs"]
mod table;

use table::Table;

fn main() -> anyhow::Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let record = wanted.iter().any(|a| a == "--record");
    wanted.retain(|a| !a.starts_with("--"));
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let mut table = Table::default();
    if wants("engine") {
        engine::measure(&mut table)?;
    }
    if wants("http") {
        http::measure(&mut table)?;
    }
    if wants("large") {
        large::measure(&mut table)?;
    }
    if wants("projection") {
        projection::measure(&mut table)?;
    }
    if wants("relay") {
        relay::measure(&mut table)?;
    }
    print!("{table}");
    if record {
        table.record()?;
    }
    Ok(())
}
