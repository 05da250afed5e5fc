//! Orders from the cart to the return: every step asked over HTTP, and seen in the answer and in the read models.

use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Scene, gbp, has, sent};

impl Scene {
    /// Ann with a hundred pounds, a shop, a product with tax and one without.
    async fn shop() -> Self {
        let scene = Self::new().await;
        scene.account("ann", 10_000).await;
        scene.account("shop", 0).await;
        scene.product("mug", 1_250, 825, 10).await;
        scene.product("tea", 300, 0, 5).await;
        scene
    }

    /// Places an order that was filled.
    async fn placed(&self, order_id: &str, items: &[(&str, i64)]) {
        self.cart(order_id, items).await;
        self.done(&format!("/v1/orders/{order_id}/place"), json!({})).await;
    }

    /// Has Ann pay for an order.
    async fn paid(&self, order_id: &str, amount: i64, capture: &str) -> Value {
        let payment = json!({
            "payment_id": format!("pay_{order_id}"), "order_id": order_id, "payer": {"account_id": "ann"},
            "payee_account_id": "shop", "amount": gbp(amount), "capture": capture
        });
        self.done("/v1/payments", payment).await
    }

    async fn stock(&self, product_id: &str) -> (i64, i64, i64) {
        let product = self.seen(&format!("/v1/products/{product_id}")).await;
        let count = |name: &str| product[name].as_i64().unwrap();
        (count("on_hand"), count("reserved"), count("available"))
    }

    async fn balance(&self, account_id: &str) -> Value {
        self.seen(&format!("/v1/accounts/{account_id}")).await["balance"]["amount"].clone()
    }

    /// What a command would be answered; nothing is done.
    async fn tried(&self, path: &str, body: Value) -> Value {
        let answer = sent(self.command(Method::POST, &format!("{path}?dry_run=true"), &body)).await;
        let told = answer.json();
        assert_eq!((&told["position"], told.get("replayed")), (&Value::Null, Some(&json!(false))), "{told}");
        told
    }
}

fn types(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn line(product_id: &str, quantity: i64) -> Value {
    json!({"product_id": product_id, "quantity": quantity})
}

#[tokio::test]
async fn a_cart_is_filled_and_changed_and_has_no_price_until_it_is_placed() {
    let scene = Scene::shop().await;
    let started = json!({"order_id": "o", "customer_id": "ann", "currency": "GBP"});
    let answer = sent(scene.command(Method::POST, "/v1/orders", &started)).await;
    assert_eq!((answer.status, answer.header("etag")), (201, Some("\"0\"")));
    has(
        &answer.json()["result"],
        &json!({"state": "draft", "payment_status": "unpaid", "fulfilment": "unfulfilled", "lines": 0}),
    );
    for item in [line("mug", 2), line("tea", 1), line("mug", 1)] {
        scene.done("/v1/orders/o/items", item).await;
    }
    for (method, path, body) in [
        (Method::PATCH, "/v1/orders/o/items/mug", json!({"quantity": 2})),
        (Method::DELETE, "/v1/orders/o/items/tea", json!({})),
        (Method::POST, "/v1/orders/o/items", line("tea", 4)),
        (Method::POST, "/v1/orders/o/shipping", json!({"method": "post", "cost": gbp(500)})),
    ] {
        let answer = sent(scene.command(method, path, &body)).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text());
        scene.noted(answer.json());
    }
    let cart = scene.seen("/v1/orders/o").await;
    has(
        &cart,
        &json!({
            "state": "draft", "customer_id": "ann", "total": null, "subtotal": null, "shipping": gbp(500),
            "shipping_method": "post", "outstanding": gbp(0), "placed_at": null, "payments": [], "version": 7
        }),
    );
    let lines = cart["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    has(&lines[0], &json!({"product_id": "mug", "quantity": 2, "unit_price": null, "total": null}));
    has(&lines[1], &json!({"product_id": "tea", "quantity": 4}));
    assert_eq!((scene.stock("mug").await, scene.stock("tea").await), ((10, 0, 10), (5, 0, 5)));
    scene.sound().await;
}

#[tokio::test]
async fn an_order_goes_all_the_way_from_cart_to_refund() {
    let scene = Scene::shop().await;
    scene.cart("o", &[("mug", 2), ("tea", 4)]).await;
    scene.done("/v1/orders/o/shipping", json!({"method": "post", "cost": gbp(500)})).await;

    // 2 × 12.50 and 8.25 % on it (2.06), 4 × 3.00 without tax, 5.00 for sending: 44.06.
    let tried = scene.tried("/v1/orders/o/place", json!({})).await;
    has(&tried["result"], &json!({"state": "placed", "total": gbp(4_406)}));
    has(&scene.seen("/v1/orders/o").await, &json!({"state": "draft", "total": null}));
    assert_eq!(scene.stock("mug").await, (10, 0, 10), "a dry run reserves nothing");
    let problem = scene.refused("/v1/orders/o/place", json!({"expected_total": gbp(4_405)})).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "total_changed", "figures": {"expected": gbp(4_405), "actual": gbp(4_406)},
            "detail": "the order comes to 44.06 GBP, not 44.05 GBP; show it to the customer again"
        }),
    );
    assert_eq!(scene.stock("mug").await, (10, 0, 10), "a refusal reserves nothing");
    let placed = scene.done("/v1/orders/o/place", json!({"expected_total": gbp(4_406)})).await;
    assert_eq!(types(&placed), ["checkout_started", "stock_reserved", "stock_reserved", "order_placed"]);
    // A later price is for later orders.
    scene.done("/v1/products/mug/price", json!({"unit_price": gbp(9_999)})).await;
    let order = scene.seen("/v1/orders/o").await;
    has(
        &order,
        &json!({
            "state": "placed", "payment_status": "unpaid", "fulfilment": "unfulfilled", "subtotal": gbp(3_700),
            "discount": gbp(0), "tax": gbp(206), "shipping": gbp(500), "total": gbp(4_406), "outstanding": gbp(4_406)
        }),
    );
    has(
        &order["lines"][0],
        &json!({"unit_price": gbp(1_250), "tax_rate_bps": 825, "tax": gbp(206), "total": gbp(2_706)}),
    );
    assert_eq!((scene.stock("mug").await, scene.stock("tea").await), ((10, 2, 8), (5, 4, 1)));

    let paid = scene.paid("o", 4_406, "on_shipment").await;
    assert_eq!(types(&paid), ["payment_requested", "hold_placed", "payment_authorized", "order_payment_recorded"]);
    has(&scene.seen("/v1/orders/o").await, &json!({"payment_status": "authorized", "outstanding": gbp(0)}));
    has(
        &scene.seen("/v1/accounts/ann").await,
        &json!({"balance": gbp(10_000), "held": gbp(4_406), "available": gbp(5_594)}),
    );

    // Half a line and a whole one leave the house, and are paid for, with the sending: 13.53 + 12.00 + 5.00.
    let lines = json!([line("tea", 4), line("mug", 1)]);
    let shipment = json!({"shipment_id": "s1", "lines": lines, "carrier": "DHL", "tracking": "JD0"});
    let shipped = scene.done("/v1/orders/o/shipments", shipment.clone()).await;
    has(
        &shipped["result"],
        &json!({"fulfilment": "partially_shipped", "payment_status": "partially_paid", "shipment_id": "s1"}),
    );
    has(&scene.seen("/v1/payments/pay_o").await, &json!({"status": "partially_captured", "captured": gbp(3_053)}));
    assert_eq!(scene.stock("tea").await, (1, 0, 1));
    let problem = scene.refused("/v1/orders/o/shipments", json!({"lines": [line("mug", 2)]})).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "quantity_exceeds_ordered", "figures": {"product_id": "mug", "unshipped": 1, "requested": 2}
        }),
    );
    let problem = scene.refused("/v1/orders/o/cancel", json!({"reason": "too late"})).await;
    has(&problem, &json!({"status": 409, "code": "invalid_order_state", "figures": {"state": "shipped"}}));
    // The rest, without naming it.
    let rest = scene.done("/v1/orders/o/shipments", json!({"shipment_id": "s2"})).await;
    has(&rest["result"], &json!({"fulfilment": "shipped", "payment_status": "paid", "state": "placed"}));
    let problem = scene.refused("/v1/orders/o/shipments", json!({})).await;
    has(&problem, &json!({"status": 409, "code": "nothing_to_ship"}));
    has(&scene.seen("/v1/payments/pay_o").await, &json!({"status": "captured", "captured": gbp(4_406)}));
    assert_eq!((scene.balance("ann").await, scene.balance("shop").await), (json!(5_594), json!(4_406)));

    scene.done("/v1/orders/o/shipments/s2/delivery", json!({})).await;
    has(&scene.seen("/v1/orders/o").await, &json!({"state": "placed", "fulfilment": "shipped"}));
    let problem = scene.refused("/v1/orders/o/shipments/s2/delivery", json!({})).await;
    has(&problem, &json!({"status": 409, "code": "already_delivered"}));
    let delivered = scene.done("/v1/orders/o/shipments/s1/delivery", json!({})).await;
    assert_eq!(types(&delivered), ["shipment_delivered", "order_completed"]);

    let back = |lines: Value| json!({"return_id": "r1", "lines": lines, "reason": "arrived broken"});
    let problem = scene.refused("/v1/orders/o/returns", back(json!([line("mug", 3)]))).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "quantity_exceeds_shipped", "figures": {"product_id": "mug", "returnable": 2, "requested": 3}
        }),
    );
    scene.done("/v1/orders/o/returns", back(json!([line("mug", 1), line("tea", 2)]))).await;
    has(&scene.seen("/v1/orders/o").await["returns"][0], &json!({"status": "requested", "value": null}));
    let received = scene.done("/v1/orders/o/returns/r1/receipt", json!({})).await;
    has(&received["result"], &json!({"state": "completed", "payment_status": "partially_refunded", "return_id": "r1"}));
    let problem = scene.refused("/v1/orders/o/returns/r1/receipt", json!({})).await;
    has(&problem, &json!({"status": 409, "code": "return_closed", "figures": {"state": "received"}}));
    let worn = json!({"return_id": "r2", "lines": [line("tea", 1)], "reason": "wrong colour"});
    scene.done("/v1/orders/o/returns", worn).await;
    scene.done("/v1/orders/o/returns/r2/rejection", json!({"reason": "worn"})).await;

    // 13.53 for the mug and 6.00 for the tea have gone back.
    let order = scene.seen("/v1/orders/o").await;
    has(
        &order,
        &json!({
            "state": "completed", "payment_status": "partially_refunded", "fulfilment": "delivered",
            "captured": gbp(4_406), "refunded": gbp(1_953)
        }),
    );
    has(&order["lines"][0], &json!({"shipped": 2, "delivered": 2, "wanted_back": 1, "returned": 1}));
    has(&order["lines"][1], &json!({"shipped": 4, "delivered": 4, "wanted_back": 2, "returned": 2}));
    has(
        &order["shipments"][0],
        &json!({
            "shipment_id": "s1", "status": "delivered", "carrier": "DHL", "tracking": "JD0",
            "lines": [line("mug", 1), line("tea", 4)]
        }),
    );
    has(&order["shipments"][1], &json!({"shipment_id": "s2", "lines": [line("mug", 1)]}));
    has(&order["returns"][0], &json!({"status": "received", "value": gbp(1_953), "reason": "arrived broken"}));
    has(&order["returns"][1], &json!({"status": "rejected", "value": null, "rejection_reason": "worn"}));
    has(
        &order["payments"][0],
        &json!({"status": "partially_refunded", "refunded": gbp(1_953), "capture": "on_shipment"}),
    );
    assert_eq!((scene.stock("mug").await, scene.stock("tea").await), ((9, 0, 9), (3, 0, 3)));
    assert_eq!((scene.balance("ann").await, scene.balance("shop").await), (json!(7_547), json!(2_453)));
    let sales = scene.seen("/v1/analytics/sales?by=product").await;
    let mug = &sales["items"][0];
    has(
        mug,
        &json!({
            "key": "mug", "sold": {"orders": 1, "quantity": 2, "goods": gbp(2_500), "tax": gbp(206)},
            "returned": {"quantity": 1, "goods": gbp(1_250), "tax": gbp(103)},
            "net": {"quantity": 1, "goods": gbp(1_250), "tax": gbp(103)}
        }),
    );

    // What was answered first is answered again, though the order has gone on.
    let key = "repeat";
    let (status, first) = scene.client.post("/v1/orders/o/returns", key, &back(json!([line("mug", 1)]))).await;
    assert_eq!((status, &first["code"]), (409, &json!("return_exists")));
    let (status, mut again) = scene.client.post("/v1/orders/o/returns", key, &back(json!([line("mug", 1)]))).await;
    assert_eq!((status, &again["replayed"]), (409, &json!(true)));
    again["replayed"] = json!(false);
    again["request_id"] = first["request_id"].clone();
    assert_eq!(again, first);
    scene.sound().await;
}

#[tokio::test]
async fn a_cancelled_order_lets_its_stock_go_and_its_money_back() {
    let scene = Scene::shop().await;
    // Set aside only, taken already, and half taken.
    for (order_id, capture) in [("held", "manual"), ("taken", "automatic"), ("half", "manual")] {
        scene.placed(order_id, &[("tea", 1)]).await;
        scene.paid(order_id, 300, capture).await;
    }
    scene.done("/v1/payments/pay_half/captures", json!({"amount": gbp(100)})).await;
    assert_eq!((scene.stock("tea").await, scene.balance("shop").await), ((5, 3, 2), json!(400)));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(9_600), "held": gbp(500)}));
    for (order_id, payment_status, status) in
        [("held", "unpaid", "voided"), ("taken", "refunded", "refunded"), ("half", "refunded", "refunded")]
    {
        let cancelled =
            scene.done(&format!("/v1/orders/{order_id}/cancel"), json!({"reason": "changed my mind"})).await;
        has(&cancelled["result"], &json!({"state": "cancelled", "payment_status": payment_status}));
        let order = scene.seen(&format!("/v1/orders/{order_id}")).await;
        has(
            &order,
            &json!({"state": "cancelled", "cancel_reason": "changed my mind", "payment_status": payment_status}),
        );
        assert_eq!(order["payments"][0]["status"], status, "{order_id}");
        let problem = scene.refused(&format!("/v1/orders/{order_id}/cancel"), json!({"reason": "again"})).await;
        has(&problem, &json!({"status": 409, "code": "invalid_order_state", "figures": {"state": "cancelled"}}));
    }
    has(
        &scene.seen("/v1/payments/pay_half").await,
        &json!({
            "authorized": gbp(300), "captured": gbp(100), "voided": gbp(200), "refunded": gbp(100)
        }),
    );
    assert_eq!((scene.stock("tea").await, scene.balance("shop").await), ((5, 0, 5), json!(0)));
    has(&scene.seen("/v1/accounts/ann").await, &json!({"balance": gbp(10_000), "held": gbp(0)}));
    assert_eq!(scene.seen("/v1/accounts/ann/holds?status=open").await["items"], json!([]));
    // A cart can be called off too; nothing was reserved.
    scene.cart("cart", &[("tea", 1)]).await;
    scene.done("/v1/orders/cart/cancel", json!({"reason": "never mind"})).await;
    let sales = scene.seen("/v1/analytics/sales?by=product").await;
    has(
        &sales["items"][0],
        &json!({"key": "tea", "sold": {"quantity": 3}, "cancelled": {"quantity": 3}, "net": {"quantity": 0}}),
    );
    scene.sound().await;
}

#[tokio::test]
async fn a_placement_that_is_refused_for_one_line_reserves_none() {
    let scene = Scene::shop().await;
    scene.cart("o", &[("mug", 3), ("tea", 6)]).await;
    let problem = scene.refused("/v1/orders/o/place", json!({})).await;
    has(
        &problem,
        &json!({
            "status": 422, "code": "insufficient_stock", "retryable": false,
            "figures": {"product_id": "tea", "requested": 6, "available": 5}
        }),
    );
    assert_eq!((scene.stock("mug").await, scene.stock("tea").await), ((10, 0, 10), (5, 0, 5)));
    assert_eq!(scene.seen("/v1/orders/o").await["state"], "draft");
    let fewer = sent(scene.command(Method::PATCH, "/v1/orders/o/items/tea", &json!({"quantity": 5}))).await;
    scene.noted(fewer.json());
    scene.done("/v1/orders/o/place", json!({})).await;
    assert_eq!(scene.stock("tea").await, (5, 5, 0));
    // What is reserved cannot be counted away; what is not, can.
    let problem =
        scene.refused("/v1/products/tea/stock-adjustments", json!({"quantity": -1, "reason": "broken"})).await;
    has(&problem, &json!({"code": "insufficient_stock", "figures": {"requested": 1, "available": 0}}));
    scene.done("/v1/products/mug/stock-adjustments", json!({"quantity": -7, "reason": "broken"})).await;
    assert_eq!(scene.stock("mug").await, (3, 3, 0));
    scene.sound().await;
}

#[tokio::test]
async fn what_an_order_cannot_do_is_told() {
    let scene = Scene::shop().await;
    scene.product("old", 100, 0, 5).await;
    scene.cart("full", &[("mug", 1)]).await;
    scene.done("/v1/products/old/discontinue", json!({})).await;
    scene.cart("empty", &[]).await;
    scene.placed("placed", &[("mug", 1)]).await;
    let euro = json!({"order_id": "euro", "customer_id": "ann", "currency": "EUR"});
    scene.done("/v1/orders", euro).await;
    for (path, body, status, code, figures) in [
        ("empty/place", json!({}), 422, "empty_order", json!({"order_id": "empty"})),
        ("nobody/place", json!({}), 404, "order_not_found", json!({"order_id": "nobody"})),
        ("empty/items", line("nothing", 1), 422, "unknown_product", json!({"product_id": "nothing"})),
        ("empty/items", line("old", 1), 422, "product_discontinued", json!({"product_id": "old"})),
        ("empty/items", line("mug", 0), 422, "quantity_not_positive", json!({"quantity": 0})),
        ("empty/items", line("mug", -1), 422, "quantity_not_positive", json!({"quantity": -1})),
        (
            "empty/items",
            line("mug", 9_007_199_254_740_992),
            422,
            "quantity_out_of_range",
            json!({"quantity": 9_007_199_254_740_992_i64}),
        ),
        ("euro/items", line("mug", 1), 422, "currency_mismatch", json!({"expected": "EUR", "requested": "GBP"})),
        ("full/shipping", json!({"method": "post", "cost": gbp(-1)}), 422, "price_negative", json!({"price": gbp(-1)})),
        (
            "placed/items",
            line("mug", 1),
            409,
            "invalid_order_state",
            json!({"order_id": "placed", "state": "placed", "allowed": "draft"}),
        ),
        ("placed/place", json!({}), 409, "invalid_order_state", json!({"state": "placed", "allowed": "draft"})),
        ("full/shipments", json!({}), 409, "invalid_order_state", json!({"state": "draft", "allowed": "placed"})),
        ("placed/shipments", json!({"lines": [line("tea", 1)]}), 404, "item_not_found", json!({"product_id": "tea"})),
        (
            "placed/shipments",
            json!({"lines": [line("mug", 1), line("mug", 1)]}),
            422,
            "duplicate_line",
            json!({"product_id": "mug"}),
        ),
        ("placed/shipments/s/delivery", json!({}), 404, "shipment_not_found", json!({"shipment_id": "s"})),
        ("placed/returns", json!({"lines": [], "reason": "x"}), 422, "no_lines", json!(null)),
        (
            "placed/returns",
            json!({"lines": [line("mug", 1)], "reason": "x"}),
            422,
            "quantity_exceeds_shipped",
            json!({"product_id": "mug", "returnable": 0, "requested": 1}),
        ),
        ("placed/returns/r/receipt", json!({}), 404, "return_not_found", json!({"return_id": "r"})),
    ] {
        let problem = scene.refused(&format!("/v1/orders/{path}"), body).await;
        has(&problem, &json!({"status": status, "code": code, "figures": figures}));
    }
    let problem =
        scene.refused("/v1/orders", json!({"order_id": "full", "customer_id": "bob", "currency": "GBP"})).await;
    has(&problem, &json!({"status": 409, "code": "order_exists"}));
    let problem = scene.refused("/v1/products/nothing/price", json!({"unit_price": gbp(1)})).await;
    has(&problem, &json!({"status": 404, "code": "unknown_product"}));

    // More lines than an order can have.
    let many = (0..=1_000).map(|n| {
        let product = json!({"type": "create_product", "key": format!("p{n}"), "product_id": format!("p{n}"), "name": "x",
            "unit_price": gbp(1), "tax_rate_bps": 0});
        let item = json!({"type": "add_item", "key": format!("i{n}"), "order_id": "empty", "product_id": format!("p{n}"), "quantity": 1});
        format!("{product}\n{item}\n")
    });
    let request = scene.client.request(Method::POST, "/v1/commands").header("content-type", "application/x-ndjson");
    let answers = sent(request.body(many.collect::<String>())).await.lines();
    let (last, before) = answers.split_last().unwrap();
    assert!(before.iter().all(|line| line["status"].as_u64().unwrap() < 300));
    has(&last["problem"], &json!({"status": 422, "code": "too_many_lines", "figures": {"limit": 1_000}}));
    scene.sound().await;
}
