//! An engine started again over what a crash or a fault has left, held against what its client knows.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use command_api::engine::{Limits, Mode, Outcome, Request, Running, Submission};
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::verify::{Verified, verify_on};

use crate::ask::request;
use crate::client::{Holes, Sent, Told, hand_in};
use crate::disk::{FOLDER, start_with};
use crate::oracle::{Oracle, Written, again, bare};
use crate::random::probes;
use crate::readback::{assert_written, read_back};

/// A running engine, and the oracle that knows what it must know.
pub(crate) struct Recovered {
    pub(crate) running: Running,
    pub(crate) oracle: Oracle,
    taken: Vec<Vec<bool>>,
    told: String,
}

impl Recovered {
    /// Starts an engine on `disk` and checks that it has everything that was acknowledged, what is unknown whole or
    /// not at all, nothing else, and all in the order in which it was handed in. `told` says which try this is.
    pub(crate) async fn check(disk: &SimulatedDisk, sent: &[Sent], told: &str, limits: &Limits) -> Self {
        let running = start_with(disk, limits).unwrap_or_else(|error| panic!("{told}: {error}"));
        let found = read_back(running.engine.log(), told);
        let (oracle, taken) = replay(sent, &found.written);
        assert_written(&found.written, &oracle.written, told);
        assert_eq!(found.balances, oracle.balances(), "{told}");
        for sent in sent {
            let outcomes = bare(sent.told_each().unwrap_or_default());
            for (request, outcome) in sent.submission.requests.iter().zip(outcomes) {
                if counts(&outcome) {
                    assert_eq!(oracle.used_before(request), Some(again(outcome)), "{told}: acknowledged, and lost");
                }
            }
        }
        let mut recovered = Self { running, oracle, taken, told: told.to_owned() };
        recovered.probe().await;
        recovered
    }

    /// Tells the client what counts of what was unknown to it.
    pub(crate) fn tell(&self, sent: &mut [Sent]) {
        for (sent, taken) in sent.iter_mut().zip(&self.taken) {
            if sent.told == Told::Unknown {
                sent.told = Told::Found(taken.clone());
            }
        }
    }

    /// Asks for everything again, under the same keys: what counts is answered as before, what does not is done now.
    pub(crate) async fn ask_again(&mut self, sent: &[Sent]) {
        let submissions: Vec<_> = sent.iter().map(|sent| sent.submission.clone()).collect();
        let answers = self.go_on(&submissions).await;
        for (sent, answers) in sent.iter().zip(&answers) {
            for (first, now) in sent.told_each().unwrap_or_default().iter().zip(answers) {
                // Of a refused batch nothing but the refusal counts; its other keys may be used for something else,
                // and then it is not the same batch any more. What it is answered the oracle knows.
                let refused_batch = sent.submission.mode == Mode::Atomic && matches!(first, Outcome::Refused { .. });
                if counts(first) && !refused_batch {
                    assert_eq!(*now, again(first.clone()), "{}: another answer than the first", self.told);
                }
            }
        }
    }

    /// Hands submissions in and checks their answers.
    pub(crate) async fn go_on(&mut self, submissions: &[Submission]) -> Vec<Vec<Outcome>> {
        let answers = hand_in(&self.running.engine, submissions).await;
        let answers = submissions.iter().zip(answers).map(|(submission, answers)| {
            let Told::Answers(answers) = answers else { panic!("{}: {answers:?}", self.told) };
            assert_eq!(bare(&answers), self.oracle.submit(submission), "{}: {submission:?}", self.told);
            answers
        });
        answers.collect()
    }

    /// Asks after the states without changing them.
    pub(crate) async fn probe(&mut self) {
        let requests = probes().into_iter().map(|command| request("probe", command)).collect();
        self.go_on(&[Submission { requests, mode: Mode::Independent, dry_run: true }]).await;
    }

    /// Checks the states and the log once more and stops the engine; the log must be whole.
    pub(crate) async fn stop(mut self, disk: &SimulatedDisk) -> Verified {
        self.probe().await;
        let told = self.told;
        let found = read_back(self.running.engine.log(), &told);
        assert_written(&found.written, &self.oracle.written, &told);
        assert_eq!(found.balances, self.oracle.balances(), "{told}");
        self.running.stop().unwrap_or_else(|error| panic!("{told}: {error}"));
        let verified = verify_on(Arc::new(disk.clone()), Path::new(FOLDER), |_| {});
        let verified = verified.unwrap_or_else(|error| panic!("{told}: {error}"));
        let counted = (verified.entries, verified.last_position, verified.torn);
        assert_eq!(counted, (self.oracle.written.len() as u64, self.oracle.last_position(), None), "{told}");
        verified
    }
}

/// Whether an outcome stands in the log.
fn counts(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(a) if a.position.is_some())
        || matches!(outcome, Outcome::Refused { position: Some(_), .. })
}

/// Takes what the log says was taken, in the order in which it was handed in. Answers which commands those are.
fn replay(sent: &[Sent], found: &[Written]) -> (Oracle, Vec<Vec<bool>>) {
    let found_keys = found.iter().map(|written| (written.key.as_str(), written.fingerprint)).collect();
    let found = Found { entries: found.len(), keys: found_keys };
    let mut oracle = Oracle::default();
    let taken = sent.iter().map(|sent| found.take(sent, &mut oracle)).collect();
    (oracle, taken)
}

struct Found<'a> {
    entries: usize,
    keys: HashSet<(&'a str, u128)>,
}

impl Found<'_> {
    fn take(&self, sent: &Sent, oracle: &mut Oracle) -> Vec<bool> {
        let Submission { requests, mode, dry_run } = &sent.submission;
        if *dry_run {
            return vec![false; requests.len()];
        }
        match mode {
            Mode::Atomic => {
                let all = self.goes_on(oracle) && (0..requests.len()).all(|index| self.may_count(sent, index));
                if all {
                    oracle.submit(&sent.submission);
                }
                vec![all; requests.len()]
            }
            Mode::Independent => {
                let take = |(index, request)| {
                    let counts = self.goes_on(oracle) && self.may_count(sent, index);
                    if counts {
                        oracle.take(request, false);
                    }
                    counts
                };
                requests.iter().enumerate().map(take).collect()
            }
        }
    }

    /// Whether the log has more than the oracle has taken.
    fn goes_on(&self, oracle: &Oracle) -> bool {
        oracle.written.len() < self.entries
    }

    fn may_count(&self, sent: &Sent, index: usize) -> bool {
        match &sent.told {
            Told::Answers(outcomes) => !matches!(outcomes[index], Outcome::NotTaken(_)),
            Told::Found(counts) => counts[index],
            Told::NotTaken => false,
            Told::Unknown => sent.holes == Holes::None || self.has_any_of(sent, index),
        }
    }

    /// Whether the log has the command or, for an atomic batch, any of it: a refused batch leaves one refusal.
    fn has_any_of(&self, sent: &Sent, index: usize) -> bool {
        let Submission { requests, mode, .. } = &sent.submission;
        let has = |request: &Request| self.keys.contains(&(&*request.key, request.fingerprint));
        if *mode == Mode::Atomic { requests.iter().any(has) } else { has(&requests[index]) }
    }
}
