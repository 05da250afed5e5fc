//! How much is tried. The default is for every day; before a release, and after a change to the log or the engine,
//! `BURSAR_TEST_EFFORT=10` tries ten times as many places, patterns and seeds.

/// A factor of at least 1 on what is tried.
pub(crate) fn effort() -> u64 {
    number("BURSAR_TEST_EFFORT").unwrap_or(1).max(1)
}

/// The seeds to try: `default` times the effort of them, or the one in `BURSAR_TEST_SEED`.
pub(crate) fn seeds(default: u64) -> std::ops::Range<u64> {
    match number("BURSAR_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..default * effort(),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}
