//! Power cuts at every change to the disk, in the workload and again in recovery and what comes after it.

use command_api::engine::{Limits, Submission};
use event_store::disk::simulated::{SimulatedDisk, Survival};

use crate::client::{Holes, Sent, Told, hand_in};
use crate::disk::{MANY_CHECKPOINTS, runtime, settled, start_with};
use crate::effort::effort;
use crate::recovered::Recovered;
use crate::script::script;

/// After some cuts state is saved all the time, after most when the engine is stopped.
fn limits(cut: u64) -> Limits {
    if cut.is_multiple_of(8) { MANY_CHECKPOINTS } else { Limits::default() }
}

/// What is handed in after a power cut, to see that nothing is acknowledged any more.
const AFTER_THE_CUT: usize = 3;

/// Hands in one submission after another, so that the same change to the disk has the same number every time. Ends
/// soon after a power cut.
async fn live(disk: &SimulatedDisk, submissions: &[Submission], limits: &Limits) -> Vec<Told> {
    let Ok(running) = start_with(disk, limits) else { return Vec::new() };
    let (mut told, mut without_power) = (Vec::new(), 0);
    for submission in submissions {
        settled(&running.engine);
        without_power += usize::from(disk.is_powered_off());
        if without_power > AFTER_THE_CUT {
            break;
        }
        told.extend(hand_in(&running.engine, std::slice::from_ref(submission)).await);
    }
    let stopped = running.stop();
    assert!(stopped.is_ok() || disk.is_powered_off(), "{stopped:?}");
    told
}

/// Runs the script, with a clean stop in the middle, until it is done or the power is cut.
async fn run(disk: &SimulatedDisk, limits: &Limits) -> Vec<Sent> {
    let mut sent = Vec::new();
    for submissions in script() {
        if !disk.is_powered_off() {
            let told = live(disk, &submissions, limits).await;
            sent.extend(submissions.into_iter().zip(told).map(|(submission, told)| Sent {
                submission,
                told,
                holes: Holes::None,
            }));
        }
    }
    sent
}

/// A run whose power was cut at a change, and the disk as the cut found it.
async fn run_until(cut: u64) -> (SimulatedDisk, Vec<Sent>) {
    let disk = SimulatedDisk::new();
    disk.cut_power_at(cut);
    let sent = run(&disk, &Limits::default()).await;
    assert!(disk.is_powered_off(), "cut at {cut}");
    nothing_after_failure(&sent, &format!("cut at {cut}"));
    (disk, sent)
}

/// Everything up to the submission in hand was answered; that one is unknown, and so is everything after.
fn nothing_after_failure(sent: &[Sent], told: &str) {
    let unknown = sent.iter().position(|sent| sent.told == Told::Unknown).unwrap_or(sent.len());
    for sent in &sent[unknown..] {
        assert_eq!(sent.told, Told::Unknown, "{told}: answered after the log had failed: {:?}", sent.submission);
    }
}

/// How many changes to the disk an undisturbed run makes; every answer of it is checked.
async fn changes_of_a_run() -> u64 {
    let disk = SimulatedDisk::new();
    let sent = run(&disk, &Limits::default()).await;
    let changes = disk.operations();
    let recovered = Recovered::check(&disk, &sent, "an undisturbed run", &Limits::default()).await;
    assert_eq!(sent.len(), script().iter().map(Vec::len).sum::<usize>());
    assert!(sent.iter().all(|sent| sent.told_each().is_some()));
    let verified = recovered.stop(&disk).await;
    assert!(changes > 100 && verified.segments >= 5 && verified.entries > 60, "{changes} changes, {verified:?}");
    changes
}

#[test]
fn a_power_cut_at_any_change_loses_nothing_acknowledged_and_halves_nothing() {
    runtime().block_on(async {
        for cut in 0..changes_of_a_run().await {
            let (disk, sent) = run_until(cut).await;
            let some = (0..4 * effort()).map(|seed| Survival::Some(seed * 1000 + cut));
            for survival in [Survival::Nothing, Survival::Everything].into_iter().chain(some) {
                let disk = disk.fork();
                disk.restart(survival);
                let told = format!("cut at {cut}, {survival:?}");
                let mut recovered = Recovered::check(&disk, &sent, &told, &limits(cut)).await;
                recovered.ask_again(&sent).await;
                recovered.stop(&disk).await;
            }
        }
    });
}

#[test]
fn a_second_power_cut_in_recovery_or_soon_after_loses_nothing_either() {
    // The first cut is tried at a few places only, each in another run of this loop, unless more effort is asked for.
    let stride = 6_u64.div_ceil(effort());
    runtime().block_on(async {
        for cut in (0..changes_of_a_run().await).step_by(stride as usize) {
            let (disk, sent) = run_until(cut).await;
            disk.restart(Survival::Some(cut));
            // The next life asks for everything again from the first that is unknown on.
            let known = sent.iter().take_while(|sent| sent.told != Told::Unknown).count();
            let again: Vec<_> = sent[known..].iter().map(|sent| sent.submission.clone()).collect();
            for second_cut in 0.. {
                let told = format!("cut at {cut}, again at {second_cut}");
                let disk = disk.fork();
                disk.cut_power_at(second_cut);
                let mut sent = sent.clone();
                let answers = live(&disk, &again, &Limits::default()).await;
                for (sent, told) in sent[known..].iter_mut().zip(answers) {
                    sent.told = told;
                }
                if !disk.is_powered_off() {
                    break;
                }
                nothing_after_failure(&sent, &told);
                for survival in [Survival::Nothing, Survival::Some(second_cut)] {
                    let told = format!("{told}, {survival:?}");
                    let disk = disk.fork();
                    disk.restart(survival);
                    let mut recovered = Recovered::check(&disk, &sent, &told, &limits(cut)).await;
                    recovered.ask_again(&sent).await;
                    recovered.stop(&disk).await;
                }
            }
        }
    });
}

#[test]
fn a_power_cut_while_state_is_saved_loses_nothing_acknowledged() {
    // What a second thread writes comes in no fixed order, so the same number is another change every time.
    let stride = 9_u64.div_ceil(effort());
    runtime().block_on(async {
        for cut in (0..).step_by(stride as usize) {
            let disk = SimulatedDisk::new();
            disk.cut_power_at(cut);
            let sent = run(&disk, &MANY_CHECKPOINTS).await;
            if !disk.is_powered_off() {
                assert!(cut > 300, "saving state must change the disk more often: {cut}");
                break;
            }
            for survival in [Survival::Nothing, Survival::Everything, Survival::Some(cut)] {
                let disk = disk.fork();
                disk.restart(survival);
                let told = format!("cut at {cut}, {survival:?}");
                let mut recovered = Recovered::check(&disk, &sent, &told, &MANY_CHECKPOINTS).await;
                recovered.ask_again(&sent).await;
                recovered.stop(&disk).await;
            }
        }
    });
}
