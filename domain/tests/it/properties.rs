//! What holds after any sequence of commands whatsoever.

use std::collections::{BTreeMap, BTreeSet};

use domain::rejection::Rejection;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::random;
use crate::trial::Trial;

proptest! {
    #[test]
    fn rules_hold_in_a_world_that_begins_empty(batches in random::batches(1..160)) {
        let mut trial = Trial::default();
        trial.run(&batches);
    }

    #[test]
    fn rules_hold_in_a_furnished_world(batches in random::batches(1..120)) {
        let mut trial = Trial::with(random::furnished());
        trial.run(&batches);
    }

    #[test]
    fn rules_hold_in_a_busy_world(batches in random::batches(1..120)) {
        let mut trial = Trial::with(random::busy());
        trial.run(&batches);
    }
}

/// Refusals that random sequences do not bring about: an order of a thousand lines.
const NOT_REACHED: &[&str] = &["too_many_lines"];

#[test]
fn random_sequences_reach_every_command_and_every_refusal() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut accepted, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for n in 0..200 {
        let mut trial = match n % 5 {
            0 => Trial::default(),
            1 | 2 => Trial::with(random::furnished()),
            _ => Trial::with(random::busy()),
        };
        trial.run(&random::batches(100..120).new_tree(&mut runner).unwrap().current());
        trial.accepted.iter().for_each(|(kind, count)| *accepted.entry(kind.clone()).or_insert(0) += count);
        trial.refused.iter().for_each(|(code, count)| *refused.entry(*code).or_insert(0) += count);
    }
    let seldom: Vec<_> = accepted.iter().filter(|(_, count)| **count < 10).collect();
    assert!(accepted.len() == 32 && seldom.is_empty(), "seldom or never accepted: {seldom:?} of {accepted:#?}");
    let reached: BTreeSet<_> = refused.keys().copied().chain(NOT_REACHED.iter().copied()).collect();
    let missing: Vec<_> = Rejection::CODES.iter().filter(|code| !reached.contains(*code)).collect();
    assert!(missing.is_empty(), "never refused with {missing:?}; {refused:#?}");
}
