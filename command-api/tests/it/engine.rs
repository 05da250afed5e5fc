//! The engine on a real log in a folder: what it promises about keys, batches, versions, refusals and restarts.

use std::path::Path;
use std::sync::Arc;

use command_api::engine::{self, Accepted, Engine, Mode, Options, Outcome, Request, Running, Submission};
use domain::ids::{Position, Version};
use domain::product::ProductCommand;
use domain::rejection::Rejection;
use event_store::log::{Log, Options as LogOptions};
use tempfile::TempDir;

use crate::ask::{
    accepted, add_item, create, deposit, on_product, one, open, place, receive, refused, request, send, start_order,
    submit, withdraw, withdraw_everything,
};

fn start(folder: &Path) -> Running {
    let options = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    let opened = Log::open(folder, options).unwrap();
    engine::start(opened.log, opened.appender, &Options::default()).unwrap()
}

async fn available(engine: &Engine, account: &str) -> i64 {
    let ask = request("probe", withdraw_everything(account));
    match submit(engine, Mode::Independent, true, vec![ask]).await.remove(0) {
        Outcome::Refused { rejection: Rejection::InsufficientFunds { available, .. }, .. } => {
            available.amount.minor_units()
        }
        other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test]
async fn a_transfer_is_two_events_in_one_answer() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    for (key, command) in [("1", open("a")), ("2", open("b")), ("3", deposit("a", 500))] {
        accepted(one(&running.engine, key, command).await);
    }
    let sent = accepted(one(&running.engine, "4", send("t", "a", "b", 200)).await);
    let places: Vec<_> =
        sent.events.iter().map(|e| (e.event_type, e.stream.to_string(), e.version, e.position)).collect();
    assert_eq!(
        places,
        [
            ("transfer_sent", "account-a".to_owned(), Version(2), Some(Position(4))),
            ("transfer_received", "account-b".to_owned(), Version(1), Some(Position(5))),
        ]
    );
    assert_eq!(
        (sent.created, sent.version, sent.position, sent.replayed),
        (true, Version(2), Some(Position(5)), false)
    );
    assert_eq!(
        String::from_utf8_lossy(&sent.result),
        r#"{"transfer_id":"t","from":"a","to":"b","amount":{"amount":200,"currency":"GBP"},"status":"received"}"#
    );
    assert_eq!((available(&running.engine, "a").await, available(&running.engine, "b").await), (300, 200));
    running.stop().unwrap();
}

#[tokio::test]
async fn a_key_that_comes_again_gets_the_first_answer_even_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    accepted(one(&running.engine, "1", open("a")).await);
    let first = accepted(one(&running.engine, "2", deposit("a", 500)).await);
    let refusal = one(&running.engine, "3", withdraw("a", 501)).await;
    accepted(one(&running.engine, "4", deposit("a", 500)).await);
    let expected = Accepted { replayed: true, ..first };
    let check = async |engine: &Engine| {
        assert_eq!(accepted(one(engine, "2", deposit("a", 500)).await), expected);
        assert_eq!(refused(&one(engine, "3", withdraw("a", 501)).await), ("insufficient_funds", true));
        assert_eq!(one(engine, "2", deposit("a", 501)).await, Outcome::KeyReused);
        assert_eq!(available(engine, "a").await, 1000);
    };
    assert_eq!(refused(&refusal), ("insufficient_funds", false));
    check(&running.engine).await;
    running.stop().unwrap();
    let running = start(folder.path());
    assert_eq!((running.rebuilt.checkpoint, running.rebuilt.events), (Position(4), 0));
    check(&running.engine).await;
    running.stop().unwrap();
}

#[tokio::test]
async fn the_same_key_twice_at_once_is_done_once() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    accepted(one(&running.engine, "1", open("a")).await);
    let twins = (0..64).map(|_| {
        let engine = running.engine.clone();
        tokio::spawn(async move { accepted(one(&engine, "2", deposit("a", 5)).await) })
    });
    let mut replayed = 0;
    for twin in twins.collect::<Vec<_>>() {
        let answer = twin.await.unwrap();
        assert_eq!(answer.position, Some(Position(2)));
        replayed += usize::from(answer.replayed);
    }
    assert_eq!((replayed, available(&running.engine, "a").await), (63, 5));
    running.stop().unwrap();
}

#[tokio::test]
async fn an_atomic_batch_is_all_or_nothing_and_answers_again_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    let engine = &running.engine;
    let good = || {
        vec![
            request("1", open("a")),
            request("2", open("b")),
            request("3", deposit("a", 10)),
            request("4", send("t", "a", "b", 4)),
        ]
    };
    let bad = vec![request("5", deposit("a", 1)), request("6", withdraw("a", 100)), request("7", deposit("b", 1))];

    let answers: Vec<_> = submit(engine, Mode::Atomic, false, good()).await.into_iter().map(accepted).collect();
    assert_eq!(answers.iter().map(|a| a.position.unwrap().0).collect::<Vec<_>>(), [1, 2, 3, 5]);

    for replayed in [false, true] {
        let outcomes = submit(engine, Mode::Atomic, false, bad.clone()).await;
        assert_eq!(refused(&outcomes[1]), ("insufficient_funds", replayed));
        assert_eq!(
            (&outcomes[0], &outcomes[2]),
            (&Outcome::NotDecided { refused_index: 1 }, &Outcome::NotDecided { refused_index: 1 })
        );
    }
    assert_eq!((available(engine, "a").await, available(engine, "b").await), (6, 4));

    let again: Vec<_> = submit(engine, Mode::Atomic, false, good()).await.into_iter().map(accepted).collect();
    assert!(
        again
            .iter()
            .zip(&answers)
            .all(|(again, first)| again.replayed && again.result == first.result && again.position == first.position)
    );

    let mixed = vec![request("1", open("a")), request("8", open("c"))];
    assert_eq!(submit(engine, Mode::Atomic, false, mixed).await, [Outcome::BatchDiffers, Outcome::BatchDiffers]);
    let doubled = vec![request("9", open("d")), request("9", open("e"))];
    assert_eq!(
        submit(engine, Mode::Atomic, false, doubled).await,
        [Outcome::NotDecided { refused_index: 1 }, Outcome::KeyReused]
    );
    // Keys of commands that were not decided are not used up.
    assert!(!accepted(one(engine, "5", deposit("a", 1)).await).replayed);
    running.stop().unwrap();
}

#[tokio::test]
async fn an_independent_batch_answers_each_command_by_itself_and_in_order() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    let batch = vec![
        request("1", open("a")),
        request("2", withdraw("a", 1)),
        request("3", deposit("a", 3)),
        request("4", withdraw("a", 2)),
        request("4", withdraw("a", 2)),
    ];
    let outcomes = submit(&running.engine, Mode::Independent, false, batch).await;
    assert_eq!(refused(&outcomes[1]), ("insufficient_funds", false));
    let rest: Vec<_> = [0, 2, 3, 4]
        .into_iter()
        .map(|i| accepted(outcomes[i].clone()))
        .map(|a| (a.position.unwrap().0, a.replayed))
        .collect();
    assert_eq!(rest, [(1, false), (3, false), (4, false), (4, true)]);
    assert_eq!(available(&running.engine, "a").await, 1);
    running.stop().unwrap();
}

#[tokio::test]
async fn a_dry_run_decides_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    accepted(one(&running.engine, "1", open("a")).await);
    let dry = submit(&running.engine, Mode::Independent, true, vec![request("2", deposit("a", 5))]).await.remove(0);
    let dry = accepted(dry);
    assert_eq!((dry.position, dry.events[0].position, dry.events[0].version), (None, None, Version(1)));
    let told = String::from_utf8_lossy(&dry.result);
    assert!(told.contains(r#""balance":{"amount":5,"currency":"GBP"}"#), "{told}");
    assert_eq!(available(&running.engine, "a").await, 0);
    assert_eq!(running.engine.log().durable(), Position(1));
    running.stop().unwrap();
}

#[tokio::test]
async fn an_expected_version_must_be_the_streams_version() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    accepted(one(&running.engine, "1", open("a")).await);
    let at = |key: &str, version| Request { expected_version: Some(Version(version)), ..request(key, deposit("a", 5)) };
    let outcomes = submit(&running.engine, Mode::Independent, false, vec![at("2", 0), at("3", 0), at("4", 1)]).await;
    assert_eq!(accepted(outcomes[0].clone()).version, Version(1));
    let conflict = Rejection::VersionConflict { expected: Version(0), actual: Some(Version(1)) };
    assert!(matches!(&outcomes[1], Outcome::Refused { rejection, .. } if *rejection == conflict), "{:?}", outcomes[1]);
    assert_eq!(accepted(outcomes[2].clone()).version, Version(2));
    running.stop().unwrap();
}

#[tokio::test]
async fn a_cascade_that_is_refused_at_its_end_leaves_nothing_at_its_beginning() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    let engine = &running.engine;
    let steps = [
        create("p", 100),
        create("q", 100),
        receive("p", 2),
        receive("q", 1),
        start_order("o"),
        add_item("o", "p", 2),
        add_item("o", "q", 2),
    ];
    for (index, step) in steps.into_iter().enumerate() {
        accepted(one(engine, &format!("s{index}"), step).await);
    }
    let place = one(engine, "place", place("o")).await;
    let Outcome::Refused { rejection: Rejection::InsufficientStock { product_id, requested, available }, .. } = place
    else {
        panic!("{place:?}")
    };
    assert_eq!((product_id.as_str(), requested, available), ("q", 2, 1));
    // The stock of the first line is free again: nothing of the cascade was kept.
    let take_all = on_product("p", ProductCommand::AdjustStock { quantity: -2, reason: "count".parse().unwrap() });
    accepted(one(engine, "adjust", take_all).await);
    running.stop().unwrap();
}

#[tokio::test]
async fn sixty_four_clients_on_one_account_get_exactly_what_is_there() {
    let folder = TempDir::new().unwrap();
    let running = start(folder.path());
    accepted(one(&running.engine, "1", open("a")).await);
    accepted(one(&running.engine, "2", deposit("a", 1000)).await);
    let clients = (0..64).map(|client| {
        let engine = running.engine.clone();
        tokio::spawn(async move {
            let mut taken = 0;
            for turn in 0..10 {
                match one(&engine, &format!("w-{client}-{turn}"), withdraw("a", 7)).await {
                    Outcome::Accepted(_) => taken += 7,
                    other => assert_eq!(refused(&other), ("insufficient_funds", false)),
                }
            }
            taken
        })
    });
    let mut taken = 0;
    for client in clients.collect::<Vec<_>>() {
        taken += client.await.unwrap();
    }
    assert_eq!((taken, available(&running.engine, "a").await), (994, 6));
    running.stop().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_takes_nothing_up() {
    let folder = TempDir::new().unwrap();
    let opened = Log::open(folder.path(), LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() }).unwrap();
    let running =
        engine::start(opened.log, opened.appender, &Options { commands_in_flight_max: 8, ..Options::default() })
            .unwrap();
    accepted(one(&running.engine, "1", open("a")).await);
    let engine = Arc::new(running.engine.clone());
    let burst = (0..200).map(|n| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let requests = vec![request(&format!("d{n}"), deposit("a", 1))];
            engine.submit(Submission { requests, mode: Mode::Independent, dry_run: false }).await
        })
    });
    let mut taken = 0;
    for answer in burst.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(_) => taken += 1,
            Err(e) => assert!(matches!(e, engine::Unavailable::QueueFull { .. }), "{e}"),
        }
    }
    assert_eq!((available(&running.engine, "a").await, engine.in_flight()), (taken, 0));
    drop(engine);
    running.stop().unwrap();
}
