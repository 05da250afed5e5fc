//! A client that keeps account of what it handed in and what it was told, outside of everything that can crash.

use command_api::engine::{Engine, Outcome, Submission, Unavailable};
use futures::future::{FutureExt, join_all};

/// What a client was told of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The answers: what they say counts.
    Answers(Vec<Outcome>),
    /// That nobody knows: it counts or it does not.
    Unknown,
    /// That it was not taken up: it does not count.
    NotTaken,
    /// Nothing; but after a restart it was found which of its commands count.
    Found(Vec<bool>),
}

/// Whether commands that were handed in between others may be missing, because there was no room for them when they
/// were decided and the log failed before anybody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holes {
    None,
    Allowed,
}

/// A submission, and what its client knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) submission: Submission,
    pub(crate) told: Told,
    /// Of use while it is unknown.
    pub(crate) holes: Holes,
}

/// Hands submissions in one after another without waiting, then waits for all answers.
pub(crate) async fn hand_in(engine: &Engine, submissions: &[Submission]) -> Vec<Told> {
    let mut waiting = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let mut answer = Box::pin(engine.submit(submission.clone()));
        // The first look hands it in.
        let early = (&mut answer).now_or_never();
        waiting.push(async move {
            match early {
                Some(answer) => answer,
                None => answer.await,
            }
        });
    }
    join_all(waiting).await.into_iter().map(told).collect()
}

fn told(answer: Result<Vec<Outcome>, Unavailable>) -> Told {
    match answer {
        Ok(outcomes) => {
            let unknown = |o: &&Outcome| matches!(o, Outcome::NotTaken(Unavailable::Unknown { .. }));
            assert_eq!(outcomes.iter().find(unknown), None, "who is answered must not be left in doubt");
            Told::Answers(outcomes)
        }
        Err(Unavailable::Unknown { .. }) => Told::Unknown,
        Err(_) => Told::NotTaken,
    }
}

impl Sent {
    /// What the client knows of each command: `None` where it knows nothing.
    pub(crate) fn told_each(&self) -> Option<&[Outcome]> {
        match &self.told {
            Told::Answers(outcomes) => Some(outcomes),
            Told::Unknown | Told::NotTaken | Told::Found(_) => None,
        }
    }
}
