//! An engine that was restarted answers as one that never was.

use command_api::engine::{Mode, Running, Submission};
use event_store::disk::simulated::{SimulatedDisk, Survival};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::ask::request;
use crate::client::{Told, hand_in};
use crate::disk::{MANY_CHECKPOINTS, runtime, start, start_with};
use crate::effort::effort;
use crate::oracle::{Oracle, bare};
use crate::random::{probes, workload};
use crate::readback::{assert_written, read_back};

/// How an engine comes to be restarted.
#[derive(Debug, Clone, Copy)]
enum Restart {
    Stop,
    Process,
    Power(Survival),
}

fn restart() -> impl Strategy<Value = Option<Restart>> {
    let restart = prop_oneof![
        2 => Just(Restart::Stop),
        1 => Just(Restart::Process),
        1 => Just(Restart::Power(Survival::Nothing)),
        1 => any::<u64>().prop_map(|seed| Restart::Power(Survival::Some(seed))),
    ];
    proptest::option::weighted(0.2, restart)
}

fn restarted(running: Running, disk: &SimulatedDisk, how: Restart) -> Running {
    match how {
        Restart::Stop => running.stop().unwrap(),
        Restart::Process => {
            disk.restart_process();
            // What is left of the process finds its files gone.
            let _ = running.stop();
        }
        Restart::Power(survival) => {
            disk.restart(survival);
            let _ = running.stop();
        }
    }
    start_with(disk, &MANY_CHECKPOINTS).unwrap()
}

fn probing() -> Submission {
    let requests = probes().into_iter().map(|command| request("probe", command)).collect();
    Submission { requests, mode: Mode::Independent, dry_run: true }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48 * effort() as u32))]

    #[test]
    fn an_engine_that_was_restarted_answers_as_one_that_never_was(
        workload in workload(10..40),
        restarts in vec(restart(), 40),
    ) {
        runtime().block_on(async {
            let (live_disk, disk) = (SimulatedDisk::new(), SimulatedDisk::new());
            let live = start(&live_disk).unwrap();
            let mut running = start_with(&disk, &MANY_CHECKPOINTS).unwrap();
            let mut oracle = Oracle::default();
            for (submission, restart) in workload.iter().zip(restarts) {
                let submission = [submission.clone(), probing()];
                let expected = hand_in(&live.engine, &submission).await;
                if let Some(how) = restart {
                    running = restarted(running, &disk, how);
                }
                let answers = hand_in(&running.engine, &submission).await;
                prop_assert_eq!(&answers, &expected, "restarted by {:?}", restart);
                for (submission, answers) in submission.iter().zip(answers) {
                    let Told::Answers(answers) = answers else { panic!("{answers:?}") };
                    prop_assert_eq!(bare(&answers), oracle.submit(submission));
                }
            }
            let written = read_back(running.engine.log(), "restarted").written;
            assert_written(&written, &oracle.written, "restarted");
            assert_written(&read_back(live.engine.log(), "never restarted").written, &written, "never restarted");
            live.stop().unwrap();
            running.stop().unwrap();
            Ok(())
        })?;
    }
}
