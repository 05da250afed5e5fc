//! Money on its way: holds, freezes, transfers and their reversal, payments of every kind, statements and refusals,
//! asked over HTTP and seen in the answers and in the read models.

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Scene, gbp, has, sent};

fn pay(payment_id: &str, amount: i64, capture: &str) -> Value {
    json!({
        "payment_id": payment_id, "payer": {"account_id": "ann"}, "payee_account_id": "shop", "amount": gbp(amount),
        "capture": capture
    })
}

async fn town() -> Scene {
    let scene = Scene::new().await;
    scene.account("ann", 1_000).await;
    scene.account("bob", 0).await;
    scene.account("shop", 0).await;
    scene
}

#[tokio::test]
async fn a_hold_is_captured_in_parts_and_its_rest_let_go() {
    let scene = town().await;
    let placed = scene.done("/v1/accounts/ann/holds", json!({"hold_id": "h", "amount": gbp(600)})).await;
    has(&placed["result"], &json!({"hold_id": "h", "remaining": gbp(600), "status": "open", "available": gbp(400)}));
    let problem = scene.refused("/v1/accounts/ann/withdrawals", json!({"amount": gbp(401)})).await;
    has(&problem, &json!({"code": "insufficient_funds", "figures": {"available": gbp(400), "requested": gbp(401)}}));
    let capture = |amount: i64, to: Value| json!({"amount": gbp(amount), "to": to});
    let problem = scene.refused("/v1/accounts/ann/holds/h/capture", capture(601, json!("external"))).await;
    has(
        &problem,
        &json!({"status": 422, "code": "capture_exceeds_hold", "figures": {"remaining": gbp(600), "requested": gbp(601)}}),
    );
    scene.done("/v1/accounts/ann/holds/h/capture", capture(100, json!({"account_id": "bob"}))).await;
    scene.done("/v1/accounts/ann/holds/h/capture", capture(50, json!("external"))).await;
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(850), "held": gbp(450), "available": gbp(400)}));
    let last = json!({"amount": gbp(150), "to": {"account_id": "bob"}, "release_rest": true});
    let captured = scene.done("/v1/accounts/ann/holds/h/capture", last).await;
    has(&captured["result"], &json!({"remaining": gbp(0), "status": "closed", "available": gbp(700)}));
    for path in ["capture", "release"] {
        let body = if path == "capture" { json!({"to": "external"}) } else { json!({}) };
        let problem = scene.refused(&format!("/v1/accounts/ann/holds/h/{path}"), body).await;
        has(&problem, &json!({"status": 409, "code": "hold_closed"}));
    }
    has(
        &scene.seen("/v1/accounts/ann/holds").await["items"][0],
        &json!({
            "hold_id": "h", "status": "captured", "amount": gbp(600), "captured": gbp(300), "released": gbp(300), "remaining": gbp(0)
        }),
    );

    scene.done("/v1/accounts/ann/holds", json!({"hold_id": "h2", "amount": gbp(700)})).await;
    let problem = scene.refused("/v1/accounts/ann/holds", json!({"hold_id": "h2", "amount": gbp(1)})).await;
    has(&problem, &json!({"status": 409, "code": "hold_exists"}));
    let problem = scene.refused("/v1/accounts/ann/holds", json!({"amount": gbp(1)})).await;
    has(&problem, &json!({"code": "insufficient_funds", "figures": {"available": gbp(0)}}));
    let problem = scene.refused("/v1/accounts/ann/close", json!({})).await;
    has(&problem, &json!({"status": 422, "code": "holds_open", "figures": {"open": 1}}));
    scene.done("/v1/accounts/ann/holds/h2/release", json!({})).await;
    let problem = scene.refused("/v1/accounts/ann/holds/nothing/release", json!({})).await;
    has(&problem, &json!({"status": 404, "code": "hold_not_found"}));
    let open = scene.seen("/v1/accounts/ann/holds?status=open").await;
    assert_eq!(open["items"], json!([]));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(700), "held": gbp(0)}));
    has(&scene.seen("/v1/accounts/bob").await, &json!({"balance": gbp(250)}));
    scene.sound().await;
}

#[tokio::test]
async fn a_frozen_account_moves_only_what_its_freeze_allows() {
    let scene = town().await;
    scene.done("/v1/accounts/ann/holds", json!({"hold_id": "h", "amount": gbp(100)})).await;
    let frozen = scene.done("/v1/accounts/ann/freeze", json!({"scope": "debits", "reason": "suspected fraud"})).await;
    assert_eq!(frozen["result"]["status"], "frozen_debits");
    scene.done("/v1/accounts/ann/deposits", json!({"amount": gbp(5)})).await;
    let transfer = json!({"from": "ann", "to": "bob", "amount": gbp(1)});
    for (path, body) in [
        ("/v1/accounts/ann/withdrawals", json!({"amount": gbp(1)})),
        ("/v1/accounts/ann/holds", json!({"amount": gbp(1)})),
        ("/v1/accounts/ann/holds/h/capture", json!({"to": "external"})),
        ("/v1/transfers", transfer.clone()),
        ("/v1/payments", pay("p", 1, "automatic")),
    ] {
        let problem = scene.refused(path, body).await;
        has(&problem, &json!({"status": 422, "code": "account_frozen", "figures": {"account_id": "ann"}}));
    }
    scene.done("/v1/accounts/ann/freeze", json!({"scope": "all", "reason": "court order"})).await;
    for (path, body, code) in [
        ("/v1/accounts/ann/deposits", json!({"amount": gbp(1)}), "account_frozen"),
        ("/v1/transfers", transfer.clone(), "account_frozen"),
        ("/v1/accounts/ann/close", json!({}), "holds_open"),
    ] {
        assert_eq!(scene.refused(path, body).await["code"], code, "{path}");
    }
    // Held money can still be let go; the receiver's freeze refuses the sender.
    scene.done("/v1/accounts/ann/holds/h/release", json!({})).await;
    scene.done("/v1/accounts/bob/deposits", json!({"amount": gbp(10)})).await;
    let problem = scene.refused("/v1/transfers", json!({"from": "bob", "to": "ann", "amount": gbp(1)})).await;
    has(&problem, &json!({"code": "account_frozen", "figures": {"account_id": "ann"}}));
    has(&scene.seen("/v1/accounts/bob").await, &json!({"balance": gbp(10)}));
    assert_eq!(scene.seen("/v1/accounts?status=frozen").await["items"][0]["account_id"], "ann");
    scene.done("/v1/accounts/ann/unfreeze", json!({"reason": "checked"})).await;
    let problem = scene.refused("/v1/accounts/ann/unfreeze", json!({"reason": "checked"})).await;
    has(&problem, &json!({"status": 409, "code": "not_frozen"}));
    scene.done("/v1/transfers", transfer).await;
    scene.sound().await;
}

#[tokio::test]
async fn a_transfer_is_reversed_once_and_only_while_the_money_is_there() {
    let scene = town().await;
    let transfer = |transfer_id: &str, amount: i64| json!({"transfer_id": transfer_id, "from": "ann", "to": "bob", "amount": gbp(amount), "reference": "rent"});
    let sent_answer = scene.done("/v1/transfers", transfer("t1", 300)).await;
    has(&sent_answer["result"], &json!({"transfer_id": "t1", "from": "ann", "to": "bob", "status": "received"}));
    let seen = scene.seen("/v1/transfers/t1").await;
    has(&seen, &json!({"status": "received", "amount": gbp(300), "reference": "rent", "reversed_at": null}));
    let problem = scene.refused("/v1/transfers", transfer("t1", 1)).await;
    has(&problem, &json!({"status": 409, "code": "transfer_exists"}));
    scene.done("/v1/accounts/bob/withdrawals", json!({"amount": gbp(1)})).await;
    let problem = scene.refused("/v1/transfers/t1/reverse", json!({"reason": "sent twice"})).await;
    has(
        &problem,
        &json!({
            "code": "insufficient_funds", "figures": {"account_id": "bob", "available": gbp(299), "requested": gbp(300)}
        }),
    );
    scene.done("/v1/accounts/bob/deposits", json!({"amount": gbp(1)})).await;
    let reversed = scene.done("/v1/transfers/t1/reverse", json!({"reason": "sent twice"})).await;
    assert_eq!(reversed["result"]["status"], "reversed");
    let problem = scene.refused("/v1/transfers/t1/reverse", json!({"reason": "once more"})).await;
    has(&problem, &json!({"status": 409, "code": "already_reversed"}));
    let problem = scene.refused("/v1/transfers/nothing/reverse", json!({"reason": "x"})).await;
    has(&problem, &json!({"status": 404, "code": "transfer_not_found"}));
    has(&scene.seen("/v1/transfers/t1").await, &json!({"status": "reversed", "reversal_reason": "sent twice"}));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(1_000)}));
    has(&scene.seen("/v1/accounts/bob").await, &json!({"balance": gbp(0)}));
    for (body, code) in [
        (json!({"from": "ann", "to": "ann", "amount": gbp(1)}), "same_account"),
        (json!({"from": "ann", "to": "nobody", "amount": gbp(1)}), "account_not_found"),
        (json!({"from": "nobody", "to": "ann", "amount": gbp(1)}), "account_not_found"),
    ] {
        assert_eq!(scene.refused("/v1/transfers", body).await["code"], code);
    }
    // An account without money and holds can be closed, and is out of use then.
    scene.done("/v1/accounts/bob/close", json!({"reason": "asked for"})).await;
    let problem = scene.refused("/v1/transfers", transfer("t2", 1)).await;
    has(&problem, &json!({"status": 422, "code": "account_closed", "figures": {"account_id": "bob"}}));
    let problem = scene.refused("/v1/accounts/ann/close", json!({})).await;
    has(&problem, &json!({"status": 422, "code": "balance_not_zero", "figures": {"balance": gbp(1_000)}}));
    scene.sound().await;
}

#[tokio::test]
async fn a_statement_has_running_balances_page_by_page_and_as_of_a_moment() {
    let scene = town().await;
    for (day, amount) in [(1, 10), (2, 20), (3, 30)] {
        let at = format!("2026-01-0{day}T12:00:00Z");
        scene
            .done("/v1/accounts/bob/deposits", json!({"amount": gbp(amount), "effective_at": at, "reference": at}))
            .await;
    }
    let third = scene.position();
    scene.done("/v1/transfers", json!({"transfer_id": "t", "from": "bob", "to": "ann", "amount": gbp(15)})).await;
    scene.done("/v1/accounts/bob/holds", json!({"hold_id": "h", "amount": gbp(45)})).await;
    scene.done("/v1/accounts/bob/holds/h/capture", json!({"amount": gbp(5), "to": "external"})).await;

    let rows = |statement: &Value| -> Vec<(String, i64, i64)> {
        let rows = statement["items"].as_array().unwrap().iter();
        let number = |row: &Value, name: &str| row[name]["amount"].as_i64().unwrap();
        rows.map(|row| {
            (row["event_type"].as_str().unwrap().to_owned(), number(row, "amount"), number(row, "balance_after"))
        })
        .collect()
    };
    let row = |kind: &str, amount: i64, balance: i64| (kind.to_owned(), amount, balance);
    let all = vec![
        row("funds_deposited", 10, 10),
        row("funds_deposited", 20, 30),
        row("funds_deposited", 30, 60),
        row("transfer_sent", -15, 45),
        row("hold_captured", -5, 40),
    ];
    let statement = scene.seen("/v1/accounts/bob/statement").await;
    assert_eq!(rows(&statement), all);
    has(&statement["items"][0], &json!({"counterpart": "external:cash", "effective_at": "2026-01-01T12:00:00Z"}));
    has(
        &statement["items"][3],
        &json!({"counterpart": "ann", "transfer_id": "t", "ledger_account": "clearing:transfers"}),
    );
    has(&statement["items"][4], &json!({"hold_id": "h", "counterpart": "external:cash"}));

    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = scene.seen(&format!("/v1/accounts/bob/statement?limit=2{cursor}")).await;
        paged.extend(rows(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let between = scene.seen("/v1/accounts/bob/statement?from=2026-01-02&to=2026-01-03").await;
    assert_eq!(rows(&between), all[1..3]);
    let before = scene.seen("/v1/accounts/bob/statement?to=2026-01-02T12:00:00Z").await;
    assert_eq!(rows(&before), all[..1]);
    let then = scene.seen(&format!("/v1/accounts/bob/statement?at={third}")).await;
    assert_eq!(rows(&then), all[..3]);
    has(&scene.seen(&format!("/v1/accounts/bob?at={third}")).await, &json!({"balance": gbp(60)}));
    scene.sound().await;
}

#[tokio::test]
async fn a_payment_is_captured_voided_and_refunded_in_parts() {
    let scene = town().await;
    let requested = scene.done("/v1/payments", pay("p", 900, "manual")).await;
    has(&requested["result"], &json!({"status": "authorized", "authorized": gbp(900), "captured": gbp(0)}));
    let problem = scene.refused("/v1/payments", pay("p", 1, "manual")).await;
    has(&problem, &json!({"status": 409, "code": "payment_exists"}));
    let problem = scene.refused("/v1/accounts/ann/holds/p/release", json!({})).await;
    has(&problem, &json!({"status": 422, "code": "hold_belongs_to_payment", "figures": {"payment_id": "p"}}));
    let problem = scene.refused("/v1/payments/p/refunds", json!({})).await;
    has(&problem, &json!({"code": "refund_exceeds_captured", "figures": {"refundable": gbp(0)}}));

    let first = scene.done("/v1/payments/p/captures", json!({"capture_id": "c1", "amount": gbp(300)})).await;
    has(&first["result"], &json!({"status": "partially_captured", "captured": gbp(300)}));
    let problem = scene.refused("/v1/payments/p/captures", json!({"capture_id": "c1", "amount": gbp(1)})).await;
    has(&problem, &json!({"status": 409, "code": "duplicate_operation", "figures": {"operation_id": "c1"}}));
    let problem = scene.refused("/v1/payments/p/captures", json!({"amount": gbp(601)})).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "capture_exceeds_authorized", "figures": {"capturable": gbp(600), "requested": gbp(601)}
        }),
    );
    scene.done("/v1/payments/p/captures", json!({"amount": gbp(200)})).await;
    let voided = scene.done("/v1/payments/p/void", json!({})).await;
    assert_eq!(voided["result"]["status"], "captured", "nothing more can be captured");
    for path in ["captures", "void"] {
        let code = scene.refused(&format!("/v1/payments/p/{path}"), json!({})).await["code"].clone();
        assert_eq!(code, if path == "void" { "payment_not_voidable" } else { "payment_not_capturable" });
    }
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(500), "held": gbp(0)}));

    let back = scene.done("/v1/payments/p/refunds", json!({"refund_id": "r1", "amount": gbp(100)})).await;
    has(&back["result"], &json!({"status": "partially_refunded", "refunded": gbp(100)}));
    let problem = scene.refused("/v1/payments/p/refunds", json!({"amount": gbp(401)})).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "refund_exceeds_captured", "figures": {"refundable": gbp(400), "requested": gbp(401)}
        }),
    );
    // The payee has spent it: what it has no more cannot go back.
    scene.done("/v1/accounts/shop/withdrawals", json!({"amount": gbp(399)})).await;
    let problem = scene.refused("/v1/payments/p/refunds", json!({})).await;
    has(&problem, &json!({"code": "insufficient_funds", "figures": {"account_id": "shop", "available": gbp(1)}}));
    scene.done("/v1/accounts/shop/deposits", json!({"amount": gbp(399)})).await;
    scene.done("/v1/payments/p/refunds", json!({})).await;
    let payment = scene.seen("/v1/payments/p").await;
    has(
        &payment,
        &json!({
            "status": "refunded", "amount": gbp(900), "authorized": gbp(900), "captured": gbp(500), "voided": gbp(400),
            "refunded": gbp(500), "payer_account_id": "ann", "payee_account_id": "shop", "order_id": null
        }),
    );
    let operations: Vec<_> = payment["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["kind"].clone(), o["amount"]["amount"].clone()))
        .collect();
    let expected =
        [("authorization", 900), ("capture", 300), ("capture", 200), ("void", 400), ("refund", 100), ("refund", 400)];
    assert_eq!(operations, expected.map(|(kind, amount)| (json!(kind), json!(amount))));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(1_000)}));
    has(&scene.seen("/v1/accounts/shop").await, &json!({"balance": gbp(0)}));
    scene.sound().await;
}

#[tokio::test]
async fn a_payment_that_cannot_be_is_refused_as_a_whole() {
    let scene = town().await;
    scene.product("tea", 300, 0, 5).await;
    scene.cart("o", &[("tea", 1)]).await;
    let for_order = |order_id: &str, amount: i64| {
        let mut payment = pay("p", amount, "automatic");
        payment["order_id"] = json!(order_id);
        payment
    };
    let to = |payee: &str| {
        let mut payment = pay("p", 1, "automatic");
        payment["payee_account_id"] = json!(payee);
        payment
    };
    for (body, status, code) in [
        (pay("p", 1_001, "automatic"), 422, "insufficient_funds"),
        (pay("p", 0, "automatic"), 422, "amount_not_positive"),
        (to("nobody"), 404, "account_not_found"),
        (to("ann"), 422, "same_account"),
        (for_order("nothing", 1), 404, "order_not_found"),
        (for_order("o", 300), 409, "invalid_order_state"),
    ] {
        has(&scene.refused("/v1/payments", body).await, &json!({"status": status, "code": code}));
    }
    scene.done("/v1/orders/o/place", json!({})).await;
    let problem = scene.refused("/v1/payments", for_order("o", 301)).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "payment_exceeds_outstanding", "figures": {"outstanding": gbp(300), "requested": gbp(301)}
        }),
    );
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(1_000), "held": gbp(0), "version": 1}));
    assert_eq!(scene.client.get("/v1/payments/p").await.0, 404);
    let paid = scene.done("/v1/payments", for_order("o", 300)).await;
    has(&paid["result"], &json!({"status": "captured", "order_id": "o"}));
    has(&scene.seen("/v1/orders/o").await, &json!({"payment_status": "paid", "outstanding": gbp(0)}));
    assert_eq!(scene.seen("/v1/payments?order_id=o").await["items"][0]["payment_id"], "p");
    scene.sound().await;
}

#[tokio::test]
async fn every_refusal_is_kept_and_can_be_found() {
    let scene = town().await;
    scene.refused("/v1/accounts/bob/withdrawals", json!({"amount": gbp(7)})).await;
    scene.refused("/v1/accounts/nobody/deposits", json!({"amount": gbp(7)})).await;
    let request = scene.command(Method::POST, "/v1/accounts/bob/withdrawals", &json!({"amount": gbp(9)}));
    let answer = sent(request.header("x-request-id", "audit-1").header("x-correlation-id", "day-end")).await;
    let problem = scene.problem(&answer).await;
    assert_eq!(problem["request_id"], "audit-1");
    let listed = scene.seen("/v1/rejections?code=insufficient_funds").await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    has(
        &items[1],
        &json!({
            "code": "insufficient_funds", "command": "withdraw", "stream": "account-bob", "principal": "anonymous",
            "request_id": "audit-1", "correlation_id": "day-end", "position": problem["position"],
            "detail": problem["detail"], "figures": problem["figures"]
        }),
    );
    assert_eq!(scene.seen("/v1/rejections").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(scene.seen("/v1/rejections?principal=somebody").await["items"], json!([]));
    scene.sound().await;
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_behind() {
    let scene = town().await;
    let before = scene.position();
    let transfer = json!({"transfer_id": "t", "from": "ann", "to": "bob", "amount": gbp(300)});
    let dry = |body: &Value| {
        let request = scene.client.request(Method::POST, "/v1/transfers?dry_run=true");
        sent(request.header("idempotency-key", "k").json(body))
    };
    for _ in 0..2 {
        let answer = dry(&transfer).await;
        assert_eq!((answer.status, answer.header("bursar-position")), (200, None));
        let told = answer.json();
        has(&told, &json!({"position": null, "replayed": false, "result": {"status": "received"}}));
        assert!(told["events"].as_array().unwrap().iter().all(|event| event["position"].is_null()), "{told}");
    }
    let problem = scene.problem(&dry(&json!({"from": "ann", "to": "bob", "amount": gbp(3_000)})).await).await;
    has(&problem, &json!({"status": 422, "code": "insufficient_funds", "position": null, "replayed": false}));
    // The key is free, and the next position is the next.
    let (status, done) = scene.client.post("/v1/transfers", "k", &transfer).await;
    assert_eq!((status, &done["events"][0]["position"], &done["replayed"]), (201, &json!(before + 1), &json!(false)));
    scene.noted(done);
    // What was done is told to a dry run with its key too.
    let again = dry(&transfer).await.json();
    assert_eq!(again["replayed"], true);
    assert_eq!(scene.seen("/v1/rejections").await["items"], json!([]));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(700)}));
    scene.sound().await;
}

#[tokio::test]
async fn a_version_that_was_seen_can_be_asked_for() {
    let scene = town().await;
    let shown =
        sent(scene.client.request(Method::GET, &format!("/v1/accounts/ann?min_position={}", scene.position()))).await;
    let version = shown.header("etag").unwrap().to_owned();
    assert_eq!(
        (version.as_str(), shown.header("bursar-position")),
        ("\"1\"", Some(scene.position().to_string().as_str()))
    );
    let withdraw = |version: &str| {
        let request = scene.command(Method::POST, "/v1/accounts/ann/withdrawals", &json!({"amount": gbp(1)}));
        sent(request.header("if-match", version.to_owned()))
    };
    let answer = withdraw(&version).await;
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"2\"")));
    scene.noted(answer.json());
    let problem = scene.problem(&withdraw(&version).await).await;
    has(
        &problem,
        &json!({
            "status": 409, "code": "version_conflict", "figures": {"expected": 1, "actual": 2},
            "detail": "expected version 1, but the stream is at 2; read it again and decide anew"
        }),
    );
    scene.done("/v1/accounts/ann/withdrawals", json!({"amount": gbp(1), "expected_version": 2})).await;
    // One asks in the header, the other in the body: it is the same command.
    let key = "same";
    let body = json!({"amount": gbp(1), "expected_version": 3});
    let (_, first) = scene.client.post("/v1/accounts/ann/withdrawals", key, &body).await;
    let request = scene.client.request(Method::POST, "/v1/accounts/ann/withdrawals").header("idempotency-key", key);
    let again = sent(request.header("if-match", "\"3\"").json(&json!({"amount": gbp(1)}))).await.json();
    assert_eq!(
        (&first["replayed"], &again["replayed"], &again["position"]),
        (&json!(false), &json!(true), &first["position"])
    );
    scene.noted(first);
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(997), "version": 4}));
    scene.sound().await;
}
