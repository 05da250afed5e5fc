//! Many clients at once who want the same thing: each over a connection of its own, all let go at the same moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::scene::{Answer, Scene, gbp, new_key};
use crate::wire::{Ask, Wire};

const CLIENTS: usize = 64;

/// Sends one request for each client over a connection of its own, all at once; gives the answers in their order.
async fn at_once(scene: &Scene, ask: impl Fn(usize) -> Ask) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(CLIENTS));
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (ask, start, mut wire) = (ask(client), Arc::clone(&start), Wire::to(&scene.server).await);
        clients.push(tokio::spawn(async move {
            start.wait().await;
            taken(&mut wire, &ask).await
        }));
    }
    let mut answers = Vec::new();
    for client in clients {
        answers.push(client.await.unwrap());
    }
    for line in answers.iter().flat_map(Answer::lines) {
        scene.noted(line.get("problem").cloned().unwrap_or(line));
    }
    answers
}

/// Asks again for as long as as many batches are being taken as can be.
async fn taken(wire: &mut Wire, ask: &Ask) -> Answer {
    loop {
        let answer = wire.ask(ask).await;
        if answer.status != 503 {
            return answer;
        }
        let told = (answer.json()["code"].as_str().map(str::to_owned), answer.header("retry-after").map(str::to_owned));
        assert_eq!(told, (Some("too_many_batches".to_owned()), Some("1".to_owned())));
    }
}

fn with_status(answers: &[Answer], status: u16) -> Vec<Value> {
    answers.iter().filter(|answer| answer.status == status).map(Answer::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_withdraw_exactly_what_the_balance_allows() {
    let scene = Scene::new().await;
    scene.account("a", 1_000).await;
    // Fifty of them can have twenty.
    let body = json!({"amount": gbp(20)}).to_string();
    let answers = at_once(&scene, |_| Ask::command("/v1/accounts/a/withdrawals", body.clone())).await;
    let (done, refused) = (with_status(&answers, 200), with_status(&answers, 422));
    assert_eq!((done.len(), refused.len()), (50, CLIENTS - 50));
    let left: BTreeSet<i64> = done.iter().map(|d| d["result"]["balance"]["amount"].as_i64().unwrap()).collect();
    assert_eq!(left, (0..50).map(|n| n * 20).collect(), "each saw the balance that the one before it had left");
    for problem in &refused {
        assert_eq!(problem["code"], "insufficient_funds");
        assert_eq!(problem["figures"], json!({"account_id": "a", "available": gbp(0), "requested": gbp(20)}));
        assert_eq!(problem["detail"], "account a has 0.00 GBP available, 0.20 GBP was asked");
    }
    let account = scene.seen("/v1/accounts/a").await;
    assert_eq!((&account["balance"], &account["version"]), (&gbp(0), &json!(51)));
    let statement = scene.seen("/v1/accounts/a/statement").await;
    let balances: Vec<i64> =
        statement["items"].as_array().unwrap().iter().map(|i| i["balance_after"]["amount"].as_i64().unwrap()).collect();
    assert_eq!(balances, (0..=50).rev().map(|n| n * 20).collect::<Vec<_>>());
    let rejections = scene.seen("/v1/rejections?code=insufficient_funds").await;
    assert_eq!(rejections["items"].as_array().unwrap().len(), CLIENTS - 50);
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_both_ways_at_once_lose_and_make_no_money() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    scene.account("b", 100).await;
    let answers = at_once(&scene, |client| {
        let (from, to) = if client % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let body = json!({"transfer_id": format!("t{client}"), "from": from, "to": to, "amount": gbp(90)});
        Ask::command("/v1/transfers", body.to_string())
    })
    .await;
    let net: i64 = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| if answer.json()["result"]["from"] == "a" { -90 } else { 90 })
        .sum();
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 422)));
    let (a, b) = (scene.seen("/v1/accounts/a").await, scene.seen("/v1/accounts/b").await);
    assert_eq!((&a["balance"], &b["balance"]), (&gbp(100 + net), &gbp(100 - net)));
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_sixty_four_buyers_gets_the_last_item() {
    let scene = Scene::new().await;
    scene.product("last", 500, 825, 1).await;
    let orders: Vec<_> = (0..CLIENTS).map(|client| format!("ord_{client}")).collect();
    let mut carts = Vec::new();
    for order_id in &orders {
        carts.push(json!({"type": "start_order", "key": new_key(), "order_id": order_id, "customer_id": order_id, "currency": "GBP"}));
        carts.push(
            json!({"type": "add_item", "key": new_key(), "order_id": order_id, "product_id": "last", "quantity": 1}),
        );
    }
    let carts: String = carts.iter().map(|command| format!("{command}\n")).collect();
    let answer = Wire::to(&scene.server).await.ask(&Ask::batch("?mode=atomic", carts)).await;
    assert_eq!((answer.status, answer.lines().len()), (200, 2 * CLIENTS));
    let body = json!({"expected_total": gbp(541)}).to_string();
    let answers = at_once(&scene, |client| Ask::command(&format!("/v1/orders/ord_{client}/place"), body.clone())).await;
    let (done, refused) = (with_status(&answers, 200), with_status(&answers, 422));
    assert_eq!((done.len(), refused.len()), (1, CLIENTS - 1));
    assert_eq!(done[0]["result"]["state"], "placed");
    for problem in &refused {
        assert_eq!(problem["code"], "insufficient_stock");
        assert_eq!(problem["figures"], json!({"product_id": "last", "requested": 1, "available": 0}));
        assert_eq!(problem["detail"], "product last has 0 available, 1 was asked");
    }
    let product = scene.seen("/v1/products/last").await;
    assert_eq!((&product["on_hand"], &product["reserved"], &product["available"]), (&json!(1), &json!(1), &json!(0)));
    let placed = scene.seen("/v1/orders?state=placed").await;
    let placed: Vec<_> = placed["items"].as_array().unwrap().iter().map(|order| &order["order_id"]).collect();
    assert_eq!(placed, [&done[0]["result"]["order_id"]]);
    assert_eq!(scene.seen("/v1/orders?state=draft").await["items"].as_array().unwrap().len(), CLIENTS - 1);

    // Who missed it can have it once the buyer gives it up.
    let buyer = done[0]["result"]["order_id"].as_str().unwrap();
    scene.done(&format!("/v1/orders/{buyer}/cancel"), json!({"reason": "changed their mind"})).await;
    let next = orders.iter().find(|order| *order != buyer).unwrap();
    let placed = scene.done(&format!("/v1/orders/{next}/place"), json!({})).await;
    assert_eq!(placed["result"]["state"], "placed");
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sent_sixty_four_times_at_once_is_done_once_and_answered_alike() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let key = new_key();
    let deposit =
        Ask::command("/v1/accounts/a/deposits", json!({"amount": gbp(5)}).to_string()).without("Idempotency-Key");
    let bytes = deposit.header("Idempotency-Key", key.clone());
    let answers = at_once(&scene, |_| bytes.clone()).await;
    let first = answers.iter().map(Answer::json).find(|answer| answer["replayed"] == false).unwrap();
    for answer in &answers {
        assert_eq!((answer.status, answer.header("etag")), (200, Some("\"1\"")));
        let mut told = answer.json();
        told["replayed"] = json!(false);
        assert_eq!(told, first);
    }
    let replayed = answers.iter().filter(|answer| answer.json()["replayed"] == true).count();
    assert_eq!(replayed, CLIENTS - 1);
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(5));

    // A command without an id: one account comes into being, and all are told its name.
    let open = Ask::command("/v1/accounts", json!({"owner_id": "many", "currency": "GBP"}).to_string());
    let answers = at_once(&scene, |_| open.clone()).await;
    let names: BTreeSet<_> =
        answers.iter().map(|a| a.json()["result"]["account_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((names.len(), answers.iter().all(|a| a.status == 201)), (1, true));
    assert_eq!(scene.seen("/v1/accounts?owner_id=many").await["items"].as_array().unwrap().len(), 1);

    // A refusal is given to all of them too, and stands in the log once.
    let broke = Ask::command("/v1/accounts/a/withdrawals", json!({"amount": gbp(900)}).to_string());
    let answers = at_once(&scene, |_| broke.clone()).await;
    let positions: BTreeSet<_> = answers.iter().map(|a| a.json()["position"].as_u64().unwrap()).collect();
    assert_eq!((positions.len(), answers.iter().all(|a| a.status == 422)), (1, true));
    assert_eq!(answers.iter().filter(|a| a.json()["replayed"] == false).count(), 1);

    // One key for two commands: whichever came first has it, the others are told.
    let key = new_key();
    let answers = at_once(&scene, |client| {
        let amount = gbp(if client % 2 == 0 { 100 } else { 200 });
        let ask = Ask::command("/v1/accounts/a/deposits", json!({"amount": amount}).to_string());
        ask.without("Idempotency-Key").header("Idempotency-Key", key.clone())
    })
    .await;
    let (done, reused) = (with_status(&answers, 200), with_status(&answers, 409));
    assert_eq!((done.len(), reused.len()), (CLIENTS / 2, CLIENTS / 2));
    assert_eq!(done.iter().filter(|answer| answer["replayed"] == false).count(), 1);
    assert!(reused.iter().all(|problem| problem["code"] == "idempotency_key_reused"));
    let balance = scene.seen("/v1/accounts/a").await["balance"]["amount"].as_i64().unwrap();
    assert!([105, 205].contains(&balance), "{balance}");
    scene.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_who_decide_on_the_same_version_one_gets_through() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    let body = json!({"amount": gbp(1)}).to_string();
    let ask = |_| Ask::command("/v1/accounts/a/withdrawals", body.clone()).header("If-Match", "\"1\"");
    let answers = at_once(&scene, ask).await;
    let (done, refused) = (with_status(&answers, 200), with_status(&answers, 409));
    assert_eq!((done.len(), refused.len()), (1, CLIENTS - 1));
    for problem in &refused {
        assert_eq!(
            (&problem["code"], &problem["figures"]),
            (&json!("version_conflict"), &json!({"expected": 1, "actual": 2}))
        );
    }
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(99));
    scene.sound().await;
}

/// Batches of withdrawals that together want more than there is: atomic ones are done whole or not at all, independent
/// ones as far as the money goes.
#[tokio::test(flavor = "multi_thread")]
async fn batches_at_once_keep_to_their_modes() {
    let scene = Scene::new().await;
    scene.account("a", 1_000).await;
    let mode = |client| if client % 2 == 0 { "?mode=atomic" } else { "" };
    let answers = at_once(&scene, |client| {
        let line = || json!({"type": "withdraw", "key": new_key(), "account_id": "a", "amount": gbp(7)});
        Ask::batch(mode(client), (0..5).map(|_| format!("{}\n", line())).collect::<String>())
    })
    .await;
    let mut withdrawn = 0;
    for (client, answer) in answers.iter().enumerate() {
        let mode = mode(client);
        if answer.status != 200 {
            assert_eq!((mode, answer.status), ("?mode=atomic", 422));
            let problem = scene.problem(answer).await;
            assert_eq!(problem["code"], "insufficient_funds");
            let refused_index = problem["figures"]["refused_index"].as_u64().unwrap();
            let lines = problem["figures"]["lines"].as_array().unwrap();
            for (index, line) in (0..).zip(lines) {
                let expected = if index == refused_index { "insufficient_funds" } else { "not_decided" };
                assert_eq!(line["code"], expected);
            }
            continue;
        }
        let lines = answer.lines();
        assert_eq!(lines.len(), 5);
        let done = lines.iter().filter(|line| line["status"] == 200).count();
        if mode == "?mode=atomic" {
            assert_eq!(done, 5);
            let positions: Vec<_> = lines.iter().map(|line| line["position"].as_u64().unwrap()).collect();
            assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing came between: {positions:?}");
        }
        withdrawn += done;
    }
    assert_eq!(withdrawn, 1_000 / 7, "the last independent lines took what was left");
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(1_000 % 7));
    scene.sound().await;
}

/// Questions asked while commands are taken: each sees the books at one moment, at which they balance.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_while_others_act_sees_one_moment() {
    let scene = Scene::new().await;
    scene.account("a", 10_000).await;
    scene.account("b", 10_000).await;
    scene.seen("/v1/accounts/b").await;
    let acting = at_once(&scene, |client| {
        let lines = (0..50).map(|n| {
            let (from, to) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
            let transfer = json!({"type": "send_transfer", "key": new_key(), "from": from, "to": to, "amount": gbp(1 + client as i64)});
            format!("{transfer}\n")
        });
        Ask::batch("?mode=atomic", lines.collect::<String>())
    });
    let looking = async {
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let accounts = scene.client.found("/v1/accounts?owner_id=owner").await;
            assert_eq!(sum_of_balances(&accounts), 20_000, "{accounts}");
            let books = scene.client.found("/v1/ledger/trial-balance").await;
            assert_eq!(books["currencies"][0]["balance"]["amount"], 0);
            seen.insert(accounts["position"].as_u64().unwrap());
        }
        seen
    };
    let (answers, _) = tokio::join!(acting, looking);
    assert!(answers.iter().all(|answer| answer.status == 200));
    scene.sound().await;
    assert_eq!(sum_of_balances(&scene.seen("/v1/accounts?owner_id=owner").await), 20_000);
}

fn sum_of_balances(accounts: &Value) -> i64 {
    accounts["items"].as_array().unwrap().iter().map(|account| account["balance"]["amount"].as_i64().unwrap()).sum()
}
