//! The corpus of a target, replayed and changed a little: fuzzing for an ordinary `cargo test`, without a compiler that
//! knows coverage. The crates include this file in their tests.
//!
//! Every entry is tried as it is, then with bytes changed, cut, put in, and with parts of other entries, as a stream of
//! numbers tells that follows from a seed. `BURSAR_TEST_SEED` gives the seed of a run that is to be seen again,
//! `BURSAR_TEST_EFFORT` how much more is tried, `BURSAR_FUZZ_SECONDS` how long instead.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many changed inputs a target is given.
const INPUTS: u64 = 2_000;
/// Longer than this no input grows.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// Gives a target its corpus and what can be made of it.
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let corpus = corpus(target);
    for (name, input) in &corpus {
        let _told = Told(|| format!("{target} fails with the entry {name} of its corpus"));
        run(input);
    }
    let seed = number("BURSAR_TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one(target) >> 16);
    let mut random = Random(seed);
    let (began, seconds) = (Instant::now(), number("BURSAR_FUZZ_SECONDS"));
    let mut inputs = 0;
    loop {
        let enough = match seconds {
            Some(seconds) => began.elapsed() >= Duration::from_secs(seconds),
            None => inputs >= INPUTS * number("BURSAR_TEST_EFFORT").unwrap_or(1).max(1),
        };
        if enough {
            break;
        }
        let input = changed(&corpus, &mut random);
        inputs += 1;
        let told = Told(|| {
            let bytes: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{target} fails with input {inputs} of BURSAR_TEST_SEED={seed}, in hexadecimal:\n{bytes}")
        });
        run(&input);
        drop(told);
    }
    println!("{target}: {} entries, {inputs} inputs made of them, BURSAR_TEST_SEED={seed}", corpus.len());
}

/// Tells which input it was, if the target panics.
struct Told<F: Fn() -> String>(F);

impl<F: Fn() -> String> Drop for Told<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", (self.0)());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("tests/fuzz/corpus"));
    let folder: PathBuf = folder.map(|corpus| corpus.join(target)).find(|folder| folder.is_dir()).expect("a corpus");
    let entries = std::fs::read_dir(folder).expect("a corpus that can be read");
    let mut corpus: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("a corpus that can be read");
            let bytes = std::fs::read(entry.path()).expect("a corpus that can be read");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    corpus.sort_unstable();
    assert!(!corpus.is_empty(), "{target} has an empty corpus");
    corpus
}

/// An entry with one to six changes.
fn changed(corpus: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].1.clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let until = at + random.below((input.len() - at).min(64) + 1);
        match random.below(8) {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            // Numbers on the edge, as lengths and counts are.
            3 => {
                let edge = [0, 1, 0x7f, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];
                let edge = edge[random.below(edge.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(input.len() - at);
                input[at..at + width].copy_from_slice(&edge[..width]);
            }
            4 => input.truncate(at),
            5 => drop(input.drain(at..until)),
            6 => {
                let again = input[at..until].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = &corpus[random.below(corpus.len())].1;
                let from = random.below(other.len() + 1);
                let to = from + random.below(other.len() - from + 1);
                input.splice(at..until, other[from..to].iter().copied());
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// A stream of numbers (splitmix64, Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
