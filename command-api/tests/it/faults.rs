//! Random workloads on disks that break at random places: writes and syncs that fail, writes that are taken in pieces,
//! segments that cannot be made, full disks, power cuts; several lives of one log after another, each ending in its
//! own way. A seed brings a run back, as far as threads can be brought back.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use command_api::engine::{Running, Submission};
use event_store::disk::simulated::{Failing, SimulatedDisk, Survival};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::client::{Holes, Sent, Told, hand_in};
use crate::disk::{MANY_CHECKPOINTS, PATIENCE, SEGMENT_BYTES, runtime, start_with};
use crate::effort::seeds;
use crate::hooked::{Doing, HookedDisk};
use crate::random::workload;
use crate::readback::{assert_written, read_back};
use crate::recovered::Recovered;

/// What breaks in a life.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Nothing,
    /// The write or sync of a segment with this number, and so many of those that follow.
    Segment(Failing, u64, u64),
    /// The write or sync with this number of a segment that is being made, until it is mended.
    NextSegment(Failing, u64),
    /// There is room for so many bytes only, until it is mended.
    Full(u64),
    /// The power goes at the change with this number.
    Power(u64),
}

/// How a life ends, if nothing has ended it before.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The process is gone; the system has everything that was written, synced or not.
    Process,
    /// The power is gone.
    Power(Survival),
}

#[derive(Debug, Clone)]
struct Life {
    fault: Fault,
    write_bytes_max: Option<usize>,
    /// After so many bursts what can be mended is mended.
    mended_after: usize,
    bursts: usize,
    stopped: bool,
    end: End,
}

#[derive(Debug, Clone)]
struct Plan {
    workload: Vec<Submission>,
    /// How many submissions are handed in at once.
    bursts: Vec<usize>,
    lives: Vec<Life>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let failing = prop_oneof![Just(Failing::Writes), Just(Failing::Syncs)];
    let fault = prop_oneof![
        1 => Just(Fault::Nothing),
        4 => (failing.clone(), 0_u64..25, 0_u64..3).prop_map(|(what, number, more)| Fault::Segment(what, number, more)),
        // In recovery.
        2 => (failing.clone(), 0_u64..4, 0_u64..3).prop_map(|(what, number, more)| Fault::Segment(what, number, more)),
        2 => (failing, 0_u64..4).prop_map(|(what, number)| Fault::NextSegment(what, number)),
        2 => (0..2 * SEGMENT_BYTES).prop_map(Fault::Full),
        2 => (0_u64..40).prop_map(Fault::Power),
    ];
    let survival = prop_oneof![Just(Survival::Nothing), any::<u64>().prop_map(Survival::Some)];
    let end = prop_oneof![Just(End::Process), survival.prop_map(End::Power)];
    let life = (fault, weighted(0.3, 1_usize..3_000), 1_usize..6, 2_usize..10, any::<bool>(), end).prop_map(
        |(fault, write_bytes_max, mended_after, bursts, stopped, end)| Life {
            fault,
            write_bytes_max,
            mended_after,
            bursts,
            stopped,
            end,
        },
    );
    (workload(40..80), vec(1_usize..6, 40), vec(life, 1..5)).prop_map(|(workload, bursts, lives)| Plan {
        workload,
        bursts,
        lives,
    })
}

impl Life {
    fn holes(&self) -> Holes {
        match self.fault {
            Fault::NextSegment(..) | Fault::Full(_) => Holes::Allowed,
            Fault::Nothing | Fault::Segment(..) | Fault::Power(_) => Holes::None,
        }
    }

    /// The disk, with what breaks in it.
    fn disk(&self, disk: &SimulatedDisk) -> HookedDisk {
        match self.fault {
            Fault::Full(bytes) => disk.set_capacity(disk.used_bytes() + bytes),
            Fault::Power(change) => disk.cut_power_at(change),
            Fault::Nothing | Fault::Segment(..) | Fault::NextSegment(..) => {}
        }
        if let Some(bytes) = self.write_bytes_max {
            disk.shorten_writes(bytes);
        }
        let broken = match self.fault {
            Fault::Segment(what, number, more) => Some((what, number, more, ".seg")),
            Fault::NextSegment(what, number) => Some((what, number, u64::MAX, ".seg.new")),
            Fault::Nothing | Fault::Full(_) | Fault::Power(_) => None,
        };
        let (seen, breaking) = (AtomicU64::new(0), disk.clone());
        HookedDisk::new(disk, move |doing: Doing, path: &Path| {
            let Some((what, number, more, suffix)) = broken else { return };
            let concerned = matches!((what, doing), (Failing::Writes, Doing::Write) | (Failing::Syncs, Doing::Sync));
            if !concerned || !path.to_string_lossy().ends_with(suffix) {
                return;
            }
            match seen.fetch_add(1, Ordering::Relaxed).checked_sub(number) {
                Some(0) => breaking.fail(what, suffix),
                Some(after) if after == more.saturating_add(1) => breaking.mend(),
                _ => {}
            }
        })
    }

    /// Lives until the bursts are through or the log has failed, and what was told is noted.
    async fn live(&self, disk: &SimulatedDisk, bursts: &mut Bursts, sent: &mut Vec<Sent>, told: &str) {
        let Ok(running) = start_with(&self.disk(disk), &MANY_CHECKPOINTS) else { return };
        // What the engine has now stays; before, it was only what the system showed.
        tell(disk, sent, told).await;
        let mut after_failure = 0;
        for number in 0..self.bursts {
            if number == self.mended_after {
                disk.mend();
            }
            let failed = running.engine.log().failure().is_some();
            let burst = bursts.next();
            let answers = hand_in(&running.engine, &burst).await;
            let holes = self.holes();
            sent.extend(burst.into_iter().zip(answers).map(|(submission, told)| Sent { submission, told, holes }));
            if failed {
                let last = &sent[sent.len() - 1];
                assert_eq!(last.told, Told::Unknown, "{told}: answered after the log had failed: {last:?}");
                after_failure += 1;
            }
            if after_failure > 1 {
                break;
            }
        }
        ended(running, disk, self.stopped, told).await;
    }
}

/// Tells the client what counts of what was unknown to it. Looks at a copy, for the power may go at any time.
async fn tell(disk: &SimulatedDisk, sent: &mut [Sent], told: &str) {
    let copy = disk.fork();
    copy.mend();
    copy.restart(Survival::Everything);
    let recovered = Recovered::check(&copy, sent, told, &MANY_CHECKPOINTS).await;
    recovered.tell(sent);
    recovered.stop(&copy).await;
}

/// Ends a life: with a stop or without. A log that has failed must have said so.
async fn ended(running: Running, disk: &SimulatedDisk, stopped: bool, told: &str) {
    if let Some(failure) = running.engine.log().failure() {
        let failed = tokio::time::timeout(PATIENCE, running.engine.failed()).await;
        assert_eq!(failed.expect("who watches must be told"), failure, "{told}");
        assert_eq!(running.stop(), Err(failure), "{told}");
    } else if stopped {
        // It may fail on the way.
        let _ = running.stop();
    } else {
        // Whatever the process would still do happens after its end, to nobody's knowledge.
        disk.restart_process();
        let _ = running.stop();
    }
}

/// The workload, burst by burst, for ever.
struct Bursts {
    workload: std::iter::Cycle<std::vec::IntoIter<Submission>>,
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Bursts {
    fn next(&mut self) -> Vec<Submission> {
        let size = self.sizes.next().unwrap();
        self.workload.by_ref().take(size).collect()
    }
}

/// The value that a seed gives.
fn of_seed<S: Strategy>(strategy: &S, seed: u64) -> S::Value {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    strategy.new_tree(&mut TestRunner::new_with_rng(Config::default(), rng)).unwrap().current()
}

#[derive(Debug, Default)]
struct Tally {
    lives: u64,
    failed: u64,
    unknown: u64,
    not_taken: u64,
    answered: u64,
}

async fn run(plan: Plan, tally: &mut Tally, told: &str) {
    let disk = SimulatedDisk::new();
    let mut sent: Vec<Sent> = Vec::new();
    let mut bursts = Bursts { workload: plan.workload.into_iter().cycle(), sizes: plan.bursts.into_iter().cycle() };
    for (number, life) in plan.lives.iter().enumerate() {
        let told = format!("{told}, life {number}: {life:?}");
        let before = sent.len();
        life.live(&disk, &mut bursts, &mut sent, &told).await;
        tally.count(&sent[before..]);
        disk.mend();
        match life.end {
            End::Process if !disk.is_powered_off() => disk.restart_process(),
            End::Process => disk.restart(Survival::Some(number as u64)),
            End::Power(survival) => disk.restart(survival),
        }
        // Tried on a copy, so that the next life finds what this one left and not what the check made of it.
        let copy = disk.fork();
        let mut recovered = Recovered::check(&copy, &sent, &told, &MANY_CHECKPOINTS).await;
        let shown = recovered.oracle.written.clone();
        let later = copy.fork();
        later.restart(Survival::Nothing);
        let kept = start_with(&later, &MANY_CHECKPOINTS).unwrap_or_else(|error| panic!("{told}: {error}"));
        let kept_written = read_back(kept.engine.log(), &told).written;
        assert_written(&kept_written, &shown, &format!("{told}: what a reader saw must stay"));
        kept.stop().unwrap();
        recovered.ask_again(&sent).await;
        recovered.stop(&copy).await;
    }
    let mut recovered = Recovered::check(&disk, &sent, told, &MANY_CHECKPOINTS).await;
    recovered.ask_again(&sent).await;
    recovered.stop(&disk).await;
}

impl Tally {
    fn count(&mut self, sent: &[Sent]) {
        self.lives += 1;
        self.failed += u64::from(sent.iter().any(|sent| sent.told == Told::Unknown));
        for sent in sent {
            match &sent.told {
                Told::Answers(outcomes) => {
                    let not_taken = |o: &&_| matches!(o, command_api::engine::Outcome::NotTaken(_));
                    let not_taken = outcomes.iter().filter(not_taken).count() as u64;
                    self.not_taken += not_taken;
                    self.answered += outcomes.len() as u64 - not_taken;
                }
                Told::Unknown => self.unknown += 1,
                Told::NotTaken | Told::Found(_) => {}
            }
        }
    }
}

#[test]
fn whatever_breaks_what_was_answered_stays_and_the_rest_is_done_once_or_not_at_all() {
    let mut tally = Tally::default();
    let (runtime, plan) = (runtime(), plan());
    let seeds = seeds(100);
    let tried = seeds.end - seeds.start;
    for seed in seeds {
        let told = format!("BURSAR_TEST_SEED={seed}");
        // Said before, because a panic elsewhere than in an assertion here does not know of the seed.
        println!("{told}");
        runtime.block_on(run(of_seed(&plan, seed), &mut tally, &told));
    }
    println!("{tally:?}");
    if tried >= 50 {
        let Tally { failed, unknown, not_taken, answered, .. } = tally;
        assert!(failed > tried / 2 && unknown > tried && not_taken > tried / 4 && answered > 50 * tried, "{tally:?}");
    }
}
