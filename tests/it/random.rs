//! Chance that can be had again: a test that leaves something to chance prints its seed, and takes one from
//! `BURSAR_TEST_SEED`.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A stream of numbers (splitmix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// From `BURSAR_TEST_SEED`, else from a new seed, which is printed.
    pub(crate) fn seeded() -> Self {
        let given = std::env::var("BURSAR_TEST_SEED").ok();
        let seed = given.map_or_else(|| RandomState::new().hash_one(0), |seed| seed.parse().unwrap());
        println!("to have the same chance again: BURSAR_TEST_SEED={seed}");
        Self(seed)
    }

    /// Another stream, told by this one.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index into what has so many.
    pub(crate) fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).unwrap()
    }

    /// A number for each of `parts` equal parts of `0..end`, in order: spread over the whole, at no fixed place.
    pub(crate) fn spread(&mut self, end: usize, parts: usize) -> Vec<usize> {
        let part = (end / parts).max(1);
        (0..parts).map(|number| number * part + self.index(part)).collect()
    }

    /// In any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// Lets a moment pass that nobody can foresee. Nothing is waited for: it is the moment itself that is wanted.
    pub(crate) async fn moment(&mut self, longest: Duration) {
        let micros = self.below(u64::try_from(longest.as_micros()).unwrap() + 1);
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

/// How often a test does what it does: `variable`, else `default`.
pub(crate) fn times(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |times| times.parse().unwrap())
}
