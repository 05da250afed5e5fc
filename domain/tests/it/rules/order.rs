//! Carts, placing and calling off.

use domain::payment::CaptureMode::{Automatic, Manual, OnShipment};

use crate::ask::*;
use crate::rules::{cart, happens, happens_among_others, market, placed, refused, rules};
use crate::world::World;

const MAX: i64 = domain::money::AMOUNT_MAX;

rules! {
    a_cart_begins_empty:
        [] start("o") => happens(&["order-o order_started currency=JPY customer_id=customer"]);
    a_cart_is_started_once_under_a_name:
        [start("o")] start("o") => refused("order_exists: order o exists already");
    a_cancelled_order_keeps_its_name:
        [start("o"), cancel("o")] start("o") => refused("order_exists: order o exists already");

    an_item_goes_into_the_cart:
        [market(), start("o")] add("o", "tea", 2) => happens(&["order-o item_added product_id=tea quantity=2"]);
    an_item_needs_a_cart:
        [market()] add("o", "tea", 2) => refused("order_not_found: there is no order o; start it first");
    an_item_needs_a_product:
        [start("o")] add("o", "tea", 2) => refused("unknown_product: there is no product tea; create it first");
    an_item_that_is_no_longer_sold_is_refused:
        [market(), start("o"), discontinue("tea")] add("o", "tea", 2) =>
        refused("product_discontinued: product tea was discontinued");
    an_item_in_another_currency_is_refused:
        [market(), start_in("o", "USD")] add("o", "tea", 2) =>
        refused("currency_mismatch: the amount is in JPY, but USD is needed here");
    no_pieces_of_an_item_are_refused:
        [market(), start("o")] add("o", "tea", 0) =>
        refused("quantity_not_positive: the quantity is 0; it must be more than zero");
    pieces_beyond_exact_integers_are_refused:
        [market(), start("o")] add("o", "tea", MAX + 1) =>
        refused("quantity_out_of_range: the quantity 9007199254740992 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    pieces_that_add_up_beyond_exact_integers_are_refused:
        [market(), cart("o", &[("tea", MAX)])] add("o", "tea", 1) =>
        refused("quantity_out_of_range: the quantity 9007199254740992 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    an_item_does_not_go_into_a_placed_order:
        [market(), placed("o", &[("tea", 1)])] add("o", "tea", 1) =>
        refused("invalid_order_state: order o is placed; this needs it to be draft");
    more_may_lie_in_a_cart_than_is_in_stock:
        [market(), start("o")] add("o", "tea", 11) => happens(&["order-o item_added product_id=tea quantity=11"]);

    a_quantity_is_changed:
        [market(), cart("o", &[("tea", 2)])] change("o", "tea", 5) =>
        happens(&["order-o quantity_changed product_id=tea quantity=5"]);
    a_quantity_is_not_changed_to_nothing:
        [market(), cart("o", &[("tea", 2)])] change("o", "tea", 0) =>
        refused("quantity_not_positive: the quantity is 0; it must be more than zero");
    a_quantity_needs_an_item:
        [market(), cart("o", &[("tea", 2)])] change("o", "cup", 1) =>
        refused("item_not_found: order o has no line of product cup");
    a_quantity_needs_an_order:
        [] change("o", "cup", 1) => refused("order_not_found: there is no order o; start it first");
    a_quantity_of_a_placed_order_stands:
        [market(), placed("o", &[("tea", 1)])] change("o", "tea", 2) =>
        refused("invalid_order_state: order o is placed; this needs it to be draft");
    an_item_is_taken_out:
        [market(), cart("o", &[("tea", 2)])] remove("o", "tea") => happens(&["order-o item_removed product_id=tea"]);
    an_item_is_taken_out_once:
        [market(), cart("o", &[("tea", 2)]), remove("o", "tea")] remove("o", "tea") =>
        refused("item_not_found: order o has no line of product tea");
    an_item_of_a_placed_order_stays:
        [market(), placed("o", &[("tea", 1)])] remove("o", "tea") =>
        refused("invalid_order_state: order o is placed; this needs it to be draft");
    shipping_is_set:
        [start("o")] shipping("o", yen(50)) => happens(&["order-o shipping_set cost=50 JPY method=post"]);
    shipping_may_cost_nothing:
        [start("o"), shipping("o", yen(5))] shipping("o", yen(0)) =>
        happens(&["order-o shipping_set cost=0 JPY method=post"]);
    shipping_does_not_cost_less_than_nothing:
        [start("o")] shipping("o", yen(-1)) => refused("price_negative: the price is -1 JPY; it must not be below zero");
    shipping_in_another_currency_is_refused:
        [start("o")] shipping("o", money(1, "USD")) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    shipping_of_a_placed_order_stands:
        [market(), placed("o", &[("tea", 1)])] shipping("o", yen(1)) =>
        refused("invalid_order_state: order o is placed; this needs it to be draft");

    an_order_is_placed_at_the_prices_of_its_reservations:
        [market(), cart("o", &[("tea", 2), ("cup", 3)]), shipping("o", yen(50)), reprice("cup", 33)] place("o") =>
        happens(&[
            "order-o checkout_started lines=[product_id=tea quantity=2, product_id=cup quantity=3]",
            "product-tea stock_reserved name=tea order_id=o quantity=2 tax_rate_bps=1000 unit_price=100 JPY",
            "product-cup stock_reserved name=cup order_id=o quantity=3 tax_rate_bps=0 unit_price=33 JPY",
            "order-o order_placed currency=JPY customer_id=customer discount=0 \
             lines=[discount=0 name=tea product_id=tea quantity=2 tax=20 tax_rate_bps=1000 total=220 unit_price=100, \
             discount=0 name=cup product_id=cup quantity=3 tax=0 tax_rate_bps=0 total=99 unit_price=33] \
             shipping=50 subtotal=299 tax=20 total=369",
        ]);
    an_order_that_does_not_exist_cannot_be_placed:
        [] place("o") => refused("order_not_found: there is no order o; start it first");
    an_empty_order_cannot_be_placed:
        [start("o")] place("o") => refused("empty_order: order o has no items; add some before placing it");
    an_emptied_order_cannot_be_placed:
        [market(), cart("o", &[("tea", 2)]), remove("o", "tea")] place("o") =>
        refused("empty_order: order o has no items; add some before placing it");
    an_order_is_placed_once:
        [market(), placed("o", &[("tea", 1)])] place("o") =>
        refused("invalid_order_state: order o is placed; this needs it to be draft");
    the_total_that_was_shown_is_kept:
        [market(), cart("o", &[("tea", 1)])] place_for("o", yen(110)) =>
        happens_among_others(&["order-o checkout_started expected_total=110 JPY lines=[product_id=tea quantity=1]"]);
    a_total_that_changed_is_refused:
        [market(), cart("o", &[("tea", 1)]), reprice("tea", 200)] place_for("o", yen(110)) =>
        refused("total_changed: the order comes to 220 JPY, not 110 JPY; show it to the customer again");
    a_total_in_another_currency_is_refused:
        [market(), cart("o", &[("tea", 1)])] place_for("o", money(110, "USD")) =>
        refused("total_changed: the order comes to 110 JPY, not 1.10 USD; show it to the customer again");
    a_total_beyond_exact_integers_is_refused:
        [create("gem", MAX, 0), receive("gem", 2), cart("o", &[("gem", 2)])] place("o") =>
        refused("amount_overflow: a sum would go beyond ±9007199254740991 minor units; use smaller amounts");
    an_order_does_not_get_more_than_is_in_stock:
        [market(), cart("o", &[("tea", 11)])] place("o") =>
        refused("insufficient_stock: product tea has 10 available, 11 was asked");
    a_line_without_stock_refuses_the_whole_order:
        [market(), cart("o", &[("tea", 1), ("cup", 11)])] place("o") =>
        refused("insufficient_stock: product cup has 10 available, 11 was asked");
    two_orders_never_get_the_same_last_item:
        [market(), placed("o", &[("tea", 10)]), cart("n", &[("tea", 1)])] place("n") =>
        refused("insufficient_stock: product tea has 0 available, 1 was asked");
    what_was_discontinued_after_it_came_into_the_cart_is_refused:
        [market(), cart("o", &[("tea", 1)]), discontinue("tea")] place("o") =>
        refused("product_discontinued: product tea was discontinued");
    what_a_cancelled_order_lets_go_another_can_have:
        [market(), placed("o", &[("tea", 10)]), cart("n", &[("tea", 10)]), cancel("o")] place("n") =>
        happens_among_others(&[
            "product-tea stock_reserved name=tea order_id=n quantity=10 tax_rate_bps=1000 unit_price=100 JPY",
        ]);

    a_cart_is_called_off:
        [market(), cart("o", &[("tea", 1)])] cancel("o") =>
        happens(&["order-o order_cancelled payments=[] reason=because reservations=[]"]);
    an_order_that_does_not_exist_cannot_be_called_off:
        [] cancel("o") => refused("order_not_found: there is no order o; start it first");
    an_order_is_called_off_once:
        [start("o"), cancel("o")] cancel("o") =>
        refused("invalid_order_state: order o is cancelled; this needs it to be draft or placed");
    an_order_that_was_shipped_in_part_cannot_be_called_off:
        [market(), placed("o", &[("tea", 2)]), ship("o", "s", &[("tea", 1)])] cancel("o") =>
        refused("invalid_order_state: order o is shipped; this needs it to be draft or placed with nothing shipped");
    a_cancellation_releases_voids_and_refunds:
        [
            market(), placed("o", &[("tea", 2), ("cup", 1)]),
            pay_order("paid", "o", 100, Automatic), pay_order("half", "o", 100, Manual),
            capture_payment("half", "c", 40), pay_order("void", "o", 20, OnShipment), void("void"),
        ]
        cancel("o") =>
        happens(&[
            "order-o order_cancelled payments=[paid, half] reason=because \
             reservations=[product_id=tea quantity=2, product_id=cup quantity=1]",
            "product-tea stock_released order_id=o quantity=2",
            "product-cup stock_released order_id=o quantity=1",
            "payment-paid payment_refunded amount=100 JPY capture=automatic cause=cancellation order_id=o \
             payee_account_id=shop payer=account_id=payer refund_id=o",
            "payment-half payment_voided amount=60 JPY capture=manual order_id=o payer=account_id=payer",
            "payment-half payment_refunded amount=40 JPY capture=manual cause=cancellation order_id=o \
             payee_account_id=shop payer=account_id=payer refund_id=o",
            "account-shop refund_sent amount=100 JPY payment_id=paid refund_id=o to=payer",
            "order-o order_payment_recorded amount=100 JPY capture=automatic payment_id=paid step=refunded",
            "account-payer hold_released amount=60 JPY hold_id=half payment_id=half",
            "order-o order_payment_recorded amount=60 JPY capture=manual payment_id=half step=voided",
            "account-shop refund_sent amount=40 JPY payment_id=half refund_id=o to=payer",
            "order-o order_payment_recorded amount=40 JPY capture=manual payment_id=half step=refunded",
            "account-payer refund_received amount=100 JPY from=shop payment_id=paid refund_id=o",
            "account-payer refund_received amount=40 JPY from=shop payment_id=half refund_id=o",
        ]);
    a_cancellation_gives_the_last_yen_back:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 1, Automatic), pay_order("q", "o", 1, Manual)]
        cancel("o") =>
        happens_among_others(&[
            "account-payer hold_released amount=1 JPY hold_id=q payment_id=q",
            "account-payer refund_received amount=1 JPY from=shop payment_id=p refund_id=o",
        ]);
    a_cancellation_that_cannot_be_refunded_is_refused:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 110, Automatic), withdraw("shop", 1)] cancel("o") =>
        refused("insufficient_funds: account shop has 109 JPY available, 110 JPY was asked");
    a_refund_to_a_frozen_payer_refuses_the_cancellation:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 110, Automatic), freeze_all("payer")] cancel("o") =>
        refused("account_frozen: account payer is frozen; it must be unfrozen first");
    a_cancelled_order_takes_no_payment:
        [market(), placed("o", &[("tea", 1)]), cancel("o")] pay_order("p", "o", 1, Automatic) =>
        refused("invalid_order_state: order o is cancelled; this needs it to be placed or completed");
}

#[test]
fn an_order_has_at_most_a_thousand_lines() {
    let mut world = World::default();
    world.ask(start("o")).unwrap();
    for n in 0..=1_000 {
        world.ask(create(&format!("p{n}"), 1, 0)).unwrap();
    }
    for n in 0..1_000 {
        world.ask(add("o", &format!("p{n}"), 1)).unwrap();
    }
    let refusal = world.ask(add("o", "p1000", 1)).unwrap_err();
    assert_eq!(refusal.to_string(), "an order has at most 1000 lines; start another order");
    assert_eq!(world.ask(add("o", "p999", 1)).unwrap().len(), 1, "a line that is there can grow");
}
