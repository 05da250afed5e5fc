//! Single commands that are handed in together and answered through one another: nobody waits for somebody who has gone.

use std::sync::Arc;
use std::time::Duration;

use command_api::engine::{self, Engine, Options};
use domain::ids::Position;
use event_store::log::{Log, Options as LogOptions};
use futures::FutureExt;
use tempfile::TempDir;

use crate::ask::{accepted, deposit, one, open, request};

/// Far longer than any of this takes.
const BOUND: Duration = Duration::from_secs(60);

fn start(folder: &TempDir) -> engine::Running {
    let options = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    let opened = Log::open(folder.path(), options).unwrap();
    engine::start(opened.log, opened.appender, &Options::default()).unwrap()
}

async fn pay_in(engine: &Engine, key: String, amount: i64) -> engine::Accepted {
    let answer = engine.submit_one(request(&key, deposit("a", amount)), false);
    accepted(tokio::time::timeout(BOUND, answer).await.expect("an answer").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_gets_its_own_answer_and_those_who_go_away_count_too() {
    let folder = TempDir::new().unwrap();
    let running = start(&folder);
    accepted(one(&running.engine, "open", open("a")).await);
    let engine = Arc::new(running.engine.clone());
    let clients: Vec<_> = (0..16_i64)
        .map(|client| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                for turn in 0..50 {
                    let key = format!("{client}-{turn}");
                    let gone = format!("gone-{key}");
                    // Handed in with the first poll, and then given up.
                    let given_up = engine.submit_one(request(&gone, deposit("a", 1)), false);
                    assert!(given_up.now_or_never().is_none_or(|done| done.is_ok()));
                    let told = pay_in(&engine, key.clone(), client + 1).await;
                    let again = pay_in(&engine, key, client + 1).await;
                    assert_eq!((told.replayed, again.replayed), (false, true));
                    assert_eq!((told.result, told.position), (again.result, again.position));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(engine.in_flight(), 0);
    // One account opened, and two deposits for each turn of each client.
    assert_eq!(engine.log().durable(), Position(1 + 2 * 16 * 50));
    drop(engine);
    running.stop().unwrap();
}

#[tokio::test]
async fn who_goes_away_while_gathering_hands_in_what_was_gathered() {
    let folder = TempDir::new().unwrap();
    let running = start(&folder);
    accepted(one(&running.engine, "open", open("a")).await);
    let mut first = Box::pin(running.engine.submit_one(request("1", deposit("a", 1)), false));
    let mut second = Box::pin(running.engine.submit_one(request("2", deposit("a", 2)), false));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    let told = accepted(tokio::time::timeout(BOUND, second).await.expect("an answer").unwrap());
    assert_eq!(told.position, Some(Position(3)), "both were taken up, in order");
    running.stop().unwrap();
}

#[tokio::test]
async fn who_goes_away_with_the_answers_of_others_passes_them_on() {
    let folder = TempDir::new().unwrap();
    let running = start(&folder);
    accepted(one(&running.engine, "open", open("a")).await);
    for turn in 0..50 {
        let ask = |who: &str| request(&format!("{who}-{turn}"), deposit("a", 1));
        let mut first = Box::pin(running.engine.submit_one(ask("first"), false));
        let mut second = Box::pin(running.engine.submit_one(ask("second"), false));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        // The first hands both in with its second turn.
        assert!(first.as_mut().now_or_never().is_none_or(|done| done.is_ok()));
        let last = Position(3 + 2 * turn);
        let durable = async {
            while running.engine.log().durable() < last {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, durable).await.expect("both are durable");
        // Now, or any moment, the answers are with the first, who does not look.
        drop(first);
        let told = accepted(tokio::time::timeout(BOUND, second).await.expect("an answer").unwrap());
        assert_eq!(told.position, Some(last));
    }
    running.stop().unwrap();
}

#[tokio::test]
async fn a_stop_decides_what_was_gathered() {
    let folder = TempDir::new().unwrap();
    let running = start(&folder);
    accepted(one(&running.engine, "open", open("a")).await);
    let engine = running.engine.clone();
    let mut gathered = Box::pin(engine.submit_one(request("1", deposit("a", 1)), false));
    assert!(gathered.as_mut().now_or_never().is_none());
    running.stop().unwrap();
    assert_eq!(accepted(gathered.await.unwrap()).position, Some(Position(2)));
}
