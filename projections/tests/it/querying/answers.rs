//! One thing at a time: its answer has what happened to it.

use serde_json::{Value, json};

use super::{api_over, each, only, yen};
use crate::ask::*;
use crate::support::history::History;
use crate::support::shop;

#[tokio::test]
async fn an_account_shows_its_balance_and_what_is_held_of_it() {
    let history = shop::two_days();
    let api = api_over(&history).await;
    let answered = api.ask("/v1/accounts/other").await;
    assert_eq!(answered.headers["etag"], format!("\"{}\"", answered.body["version"]));
    let state = history.world.accounts["other"].state.as_ref().unwrap();
    let (balance, held) = (state.balance.minor_units(), state.held.minor_units());
    assert!(held > 0);
    assert_eq!(
        only(&answered.body, &["owner_id", "status", "balance", "held", "available", "position"]),
        json!({
            "owner_id": "owner", "status": "open", "balance": yen(balance), "held": yen(held),
            "available": yen(balance - held), "position": history.events.len()
        })
    );
    assert_eq!(api.get("/v1/accounts/dollars").await["status"], "frozen");
    assert_eq!(api.get("/v1/accounts/gone").await["status"], "closed");
}

#[tokio::test]
async fn holds_show_what_became_of_them() {
    let api = api_over(&shop::two_days()).await;
    let holds = api.get("/v1/accounts/other/holds").await["items"].clone();
    let fields = ["hold_id", "status", "amount", "captured", "released", "remaining"];
    let row = |id, status, amount, captured, released, remaining| {
        json!({"hold_id": id, "status": status, "amount": yen(amount), "captured": yen(captured),
               "released": yen(released), "remaining": yen(remaining)})
    };
    assert_eq!(
        holds.as_array().unwrap().iter().map(|hold| only(hold, &fields)).collect::<Vec<_>>(),
        [
            row("h-1", "captured", 100, 30, 70, 0),
            row("h-2", "open", 50, 20, 0, 30),
            row("h-3", "captured", 10, 4, 6, 0),
        ]
    );
    let open = api.get("/v1/accounts/other/holds?status=open").await["items"].clone();
    assert_eq!(open[0]["hold_id"], "h-2");
    assert_eq!(
        (open.as_array().unwrap().len(), api.all("/v1/accounts/other/holds?status=closed", 1).await.len()),
        (1, 2)
    );
    let of_payments = api.get("/v1/accounts/payer/holds?status=open").await["items"].clone();
    assert_eq!(of_payments[0]["payment_id"], "p-2");
}

#[tokio::test]
async fn a_transfer_shows_both_sides_and_that_it_was_reversed() {
    let api = api_over(&shop::two_days()).await;
    let transfer = api.get("/v1/transfers/t-1").await;
    assert_eq!(
        only(&transfer, &["from", "to", "amount", "status", "reversal_reason"]),
        json!({"from": "payer", "to": "other", "amount": yen(1_000), "status": "reversed",
               "reversal_reason": "because"})
    );
    let transfer = api.get("/v1/transfers/t-2").await;
    assert_eq!((&transfer["status"], &transfer["reversed_at"]), (&json!("received"), &Value::Null));
    let (sent, received) =
        (transfer["sent_position"].as_u64().unwrap(), transfer["received_position"].as_u64().unwrap());
    assert_eq!(received, sent + 1);
}

#[tokio::test]
async fn a_product_shows_what_is_left_of_it() {
    let api = api_over(&shop::two_days()).await;
    // Received 20; 2 of o-3 were let go, 3 are for o-2, of which 1 was shipped.
    assert_eq!(
        only(&api.get("/v1/products/rug").await, &["unit_price", "on_hand", "reserved", "available", "discontinued"]),
        json!({"unit_price": yen(2_001), "on_hand": 19, "reserved": 2, "available": 17, "discontinued": false})
    );
    assert_eq!(api.get("/v1/products/vase").await["discontinued"], true);
}

#[tokio::test]
async fn an_order_shows_everything_that_belongs_to_it() {
    let history = shop::two_days();
    let api = api_over(&history).await;
    let order = api.get("/v1/orders/o-1").await;
    assert_eq!(
        only(
            &order,
            &[
                "customer_id",
                "state",
                "payment_status",
                "fulfilment",
                "subtotal",
                "tax",
                "shipping",
                "total",
                "captured",
                "refunded",
                "outstanding",
                "placed_at",
                "shipping_method"
            ]
        ),
        json!({
            "customer_id": "ann", "state": "completed", "payment_status": "partially_refunded",
            "fulfilment": "delivered", "subtotal": yen(1_062), "tax": yen(103), "shipping": yen(450),
            "total": yen(1_615), "captured": yen(1_615), "refunded": yen(366 + 44 + 5), "outstanding": yen(0),
            "placed_at": shop::DAY_1, "shipping_method": "post"
        })
    );
    let lines = order["lines"].as_array().unwrap();
    let fields =
        ["product_id", "quantity", "unit_price", "tax", "total", "shipped", "delivered", "wanted_back", "returned"];
    assert_eq!(
        lines.iter().map(|line| only(line, &fields)).collect::<Vec<_>>(),
        [
            json!({"product_id": "lamp", "quantity": 3, "unit_price": yen(333), "tax": yen(100), "total": yen(1_099),
                   "shipped": 3, "delivered": 3, "wanted_back": 1, "returned": 1}),
            json!({"product_id": "bulb", "quantity": 9, "unit_price": yen(7), "tax": yen(3), "total": yen(66),
                   "shipped": 9, "delivered": 9, "wanted_back": 8, "returned": 6}),
        ]
    );
    let shipments = &order["shipments"];
    assert_eq!(
        only(&shipments[0], &["shipment_id", "status", "lines"]),
        json!({"shipment_id": "s-1", "status": "delivered", "lines": [{"product_id": "lamp", "quantity": 2}]})
    );
    assert_eq!(shipments[1]["lines"].as_array().unwrap().len(), 2);
    let returns = order["returns"].as_array().unwrap();
    let fields = ["return_id", "status", "value", "rejection_reason"];
    assert_eq!(
        returns.iter().map(|row| only(row, &fields)).collect::<Vec<_>>(),
        [
            json!({"return_id": "r-1", "status": "received", "value": yen(366 + 29), "rejection_reason": null}),
            json!({"return_id": "r-2", "status": "rejected", "value": null, "rejection_reason": "because"}),
            json!({"return_id": "r-3", "status": "received", "value": yen(15), "rejection_reason": null}),
            json!({"return_id": "r-4", "status": "requested", "value": null, "rejection_reason": null}),
        ]
    );
    assert_eq!(
        returns[0]["lines"],
        json!([{"product_id": "bulb", "quantity": 4, "value": yen(29)}, {"product_id": "lamp", "quantity": 1, "value": yen(366)}])
    );
    assert_eq!(order["payments"][0]["payment_id"], "p-1");
}

#[tokio::test]
async fn a_cart_shows_its_lines_in_its_order_and_no_prices() {
    let api = api_over(&shop::two_days()).await;
    let cart = api.get("/v1/orders/o-4").await;
    assert_eq!(
        only(&cart, &["state", "payment_status", "fulfilment", "total", "subtotal", "outstanding", "placed_at"]),
        json!({"state": "draft", "payment_status": "unpaid", "fulfilment": "unfulfilled", "total": null,
               "subtotal": null, "outstanding": yen(0), "placed_at": null})
    );
    let lines: Vec<_> =
        cart["lines"].as_array().unwrap().iter().map(|l| only(l, &["product_id", "quantity", "total"])).collect();
    assert_eq!(
        lines,
        [
            json!({"product_id": "bulb", "quantity": 3, "total": null}),
            json!({"product_id": "rug", "quantity": 1, "total": null}),
            json!({"product_id": "lamp", "quantity": 4, "total": null}),
        ]
    );
}

#[tokio::test]
async fn states_are_those_that_the_rules_of_the_domain_derive() {
    let history = shop::two_days();
    let api = api_over(&history).await;
    for (id, order) in &history.world.orders {
        let state = order.state.as_ref().unwrap();
        let answer = api.get(&format!("/v1/orders/{id}")).await;
        assert_eq!(answer["payment_status"], json!(state.payment_status()), "{id}");
        assert_eq!(answer["fulfilment"], json!(state.fulfilment()), "{id}");
        let outstanding = if state.is_placed() { state.outstanding().minor_units() } else { 0 };
        assert_eq!(answer["outstanding"]["amount"], outstanding, "{id}");
    }
    for (id, payment) in &history.world.payments {
        let answer = api.get(&format!("/v1/payments/{id}")).await;
        assert_eq!(answer["status"], payment.state.as_ref().unwrap().status().as_str(), "{id}");
    }
}

#[tokio::test]
async fn a_payment_shows_what_was_done_with_it() {
    let api = api_over(&shop::two_days()).await;
    let payment = api.get("/v1/payments/p-3").await;
    assert_eq!(
        only(
            &payment,
            &[
                "order_id",
                "payer_account_id",
                "payee_account_id",
                "status",
                "capture",
                "authorized",
                "captured",
                "voided",
                "refunded"
            ]
        ),
        json!({"order_id": "o-3", "payer_account_id": "payer", "payee_account_id": "shop", "status": "refunded",
               "capture": "manual", "authorized": yen(1_000), "captured": yen(400), "voided": yen(600),
               "refunded": yen(400)})
    );
    let operations = payment["operations"].as_array().unwrap();
    assert_eq!(
        operations.iter().map(|o| only(o, &["kind", "operation_id", "cause", "amount"])).collect::<Vec<_>>(),
        [
            json!({"kind": "authorization", "operation_id": null, "cause": null, "amount": yen(1_000)}),
            json!({"kind": "capture", "operation_id": "c-1", "cause": "request", "amount": yen(400)}),
            json!({"kind": "void", "operation_id": null, "cause": null, "amount": yen(600)}),
            json!({"kind": "refund", "operation_id": "o-3", "cause": "cancellation", "amount": yen(400)}),
        ]
    );
}

#[tokio::test]
async fn the_trial_balance_is_zero_and_names_what_is_outside() {
    let api = api_over(&shop::two_days()).await;
    let balance = api.get("/v1/ledger/trial-balance").await;
    let currencies = balance["currencies"].as_array().unwrap();
    assert_eq!(each(currencies, "currency"), ["JPY", "USD"]);
    for currency in currencies {
        assert_eq!(currency["balance"]["amount"], 0);
        assert_eq!(currency["debits"], currency["credits"]);
    }
    let (in_yen, dollars) = (&currencies[0]["classes"], &currencies[1]["classes"]);
    assert_eq!(each(in_yen.as_array().unwrap(), "class"), ["accounts", "external", "clearing"]);
    // 100,500 yen came in, 120 + 30 + 4 went out.
    assert_eq!(only(&in_yen[1], &["debits", "credits"]), json!({"debits": yen(100_500), "credits": yen(154)}));
    assert_eq!(in_yen[0]["balance"], yen(100_346));
    assert_eq!(in_yen[2]["balance"], yen(0));
    assert_eq!(
        each(in_yen[2]["ledger_accounts"].as_array().unwrap(), "ledger_account"),
        ["clearing:payments", "clearing:transfers"]
    );
    assert_eq!(dollars[0]["balance"], json!({"amount": 12_345, "currency": "USD"}));
    assert_eq!(dollars[1]["ledger_accounts"][0]["balance"], json!({"amount": -12_345, "currency": "USD"}));
}

#[tokio::test]
async fn a_sum_beyond_64_bits_is_told_digit_by_digit() {
    let most = domain::money::AMOUNT_MAX;
    let mut history = History::default();
    history.ask(open("a"));
    for _ in 0..1_100 {
        history.ask(deposit("a", most)).ask(withdraw("a", most));
    }
    let api = api_over(&history).await;
    let balance = api.text("/v1/ledger/trial-balance").await;
    let sum = i128::from(most) * 1_100;
    assert!(sum > i128::from(i64::MAX));
    assert!(balance.contains(&format!("\"debits\":{{\"amount\":{sum},\"currency\":\"JPY\"}}")), "{balance}");
}

#[tokio::test]
async fn what_does_not_exist_is_told_by_its_code() {
    let api = api_over(&shop::two_days()).await;
    for (path, code) in [
        ("/v1/accounts/nobody", "account_not_found"),
        ("/v1/accounts/nobody/statement", "account_not_found"),
        ("/v1/accounts/nobody/holds", "account_not_found"),
        ("/v1/transfers/nothing", "transfer_not_found"),
        ("/v1/products/nothing", "unknown_product"),
        ("/v1/orders/nothing", "order_not_found"),
        ("/v1/payments/nothing", "payment_not_found"),
    ] {
        let (status, problem) = api.problem(path).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some(code)), "{path}");
        assert!(http_problem::explanation(code).is_some(), "docs/errors.md does not explain {code}");
    }
}

#[tokio::test]
async fn refused_commands_are_listed_with_who_asked_and_why() {
    let api = api_over(&shop::two_days()).await;
    let all = api.all("/v1/rejections", 3).await;
    assert_eq!(
        each(&all, "code"),
        ["insufficient_funds", "account_exists", "invalid_order_state", "account_not_found"]
    );
    let refused = &api.get("/v1/rejections?code=insufficient_funds").await["items"][0];
    assert_eq!(refused["stream"], "account-other");
    assert_eq!(refused["figures"]["requested"], yen(1_000_000));
    assert_eq!(refused["figures"].get("code"), None);
    let (alice, bob) =
        (api.all("/v1/rejections?principal=alice", 9).await, api.all("/v1/rejections?principal=bob", 9).await);
    assert_eq!((alice.len(), bob.len()), (2, 2));
    assert_eq!(api.all("/v1/rejections?principal=alice&code=account_closed", 9).await, Vec::<Value>::new());
}

#[tokio::test]
async fn sales_are_summed_by_day_month_product_and_customer() {
    let api = api_over(&shop::two_days()).await;
    let days = api.get("/v1/analytics/sales?by=day").await["items"].clone();
    assert_eq!(each(days.as_array().unwrap(), "key"), ["2010-12-01", "2011-01-03"]);
    let figures = |orders, quantity, goods, tax, shipping| json!({"orders": orders, "quantity": quantity, "goods": yen(goods), "tax": yen(tax), "shipping": yen(shipping)});
    assert_eq!(days[0]["sold"], figures(2, 17, 5_085, 104, 549));
    assert_eq!(days[0]["net"], days[0]["sold"]);
    assert_eq!(days[1]["sold"], figures(1, 4, 6_336, 33, 0));
    assert_eq!(days[1]["cancelled"], figures(1, 5, 4_023, 1, 99));
    assert_eq!(days[1]["returned"]["quantity"], 7);
    let months = api.get("/v1/analytics/sales?by=month").await["items"].clone();
    assert_eq!(each(months.as_array().unwrap(), "key"), ["2010-12", "2011-01"]);
    assert_eq!(months[1]["net"], days[1]["net"]);
    let one_day = api.get("/v1/analytics/sales?by=product&from=2010-12-01&to=2010-12-01").await["items"].clone();
    assert_eq!(each(one_day.as_array().unwrap(), "key"), ["bulb", "lamp", "rug"]);
    assert_eq!(one_day[2]["sold"], figures(1, 2, 4_002, 0, 0));
    let customers = api.all("/v1/analytics/sales?by=customer", 1).await;
    assert_eq!(each(&customers, "key"), ["ann", "bob"]);
    assert_eq!(customers[0]["net"]["orders"], 1);
    assert_eq!(api.get("/v1/analytics/sales?by=day&from=2010-12-02&to=2011-01-02").await["items"], json!([]));
}
