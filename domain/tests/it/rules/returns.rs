//! Returns: goods come back into stock, and what was paid for them is given back, to the last yen.

use domain::command::Command;
use domain::payment::CaptureMode::{Automatic, OnShipment};

use crate::ask::*;
use crate::rules::{happens, happens_among_others, market, placed, refused, rules};
use crate::world::World;

/// Order `o`: 3 cakes at 33 with 1 % tax, 100 in all, shipped.
fn shipped() -> Vec<Command> {
    let cakes = vec![create("cake", 33, 100), receive("cake", 3)];
    [market(), cakes, placed("o", &[("cake", 3)]), vec![ship("o", "s", &[])]].concat()
}

fn paid() -> Vec<Command> {
    [shipped(), vec![pay_order("p", "o", 100, Automatic)]].concat()
}

rules! {
    a_return_is_asked_for:
        [shipped()] ask_return("o", "r", &[("cake", 2)]) =>
        happens(&["order-o return_requested lines=[product_id=cake quantity=2] reason=because return_id=r"]);
    a_return_needs_an_order:
        [] ask_return("o", "r", &[("cake", 2)]) => refused("order_not_found: there is no order o; start it first");
    a_cart_has_no_returns:
        [start("o")] ask_return("o", "r", &[("cake", 2)]) =>
        refused("invalid_order_state: order o is draft; this needs it to be placed or completed");
    a_return_of_no_goods_is_refused:
        [shipped()] ask_return("o", "r", &[]) =>
        refused("no_lines: the request names no lines; name at least one product and its quantity");
    a_return_of_no_pieces_is_refused:
        [shipped()] ask_return("o", "r", &[("cake", 0)]) =>
        refused("quantity_not_positive: the quantity is 0; it must be more than zero");
    a_return_of_what_was_not_ordered_is_refused:
        [shipped()] ask_return("o", "r", &[("tea", 1)]) =>
        refused("item_not_found: order o has no line of product tea");
    a_product_is_not_named_twice_in_a_return:
        [shipped()] ask_return("o", "r", &[("cake", 1), ("cake", 1)]) =>
        refused("duplicate_line: product cake stands twice in the request; add its quantities up");
    what_was_not_shipped_is_not_returned:
        [market(), placed("o", &[("tea", 2)]), ship("o", "s", &[("tea", 1)])] ask_return("o", "r", &[("tea", 2)]) =>
        refused("quantity_exceeds_shipped: 1 of product tea can be returned, 2 was asked");
    what_is_coming_back_is_not_returned_again:
        [shipped(), ask_return("o", "r", &[("cake", 2)])] ask_return("o", "q", &[("cake", 2)]) =>
        refused("quantity_exceeds_shipped: 1 of product cake can be returned, 2 was asked");
    what_a_rejected_return_named_can_be_returned:
        [shipped(), ask_return("o", "r", &[("cake", 2)]), reject_return("o", "r")] ask_return("o", "q", &[("cake", 3)]) =>
        happens(&["order-o return_requested lines=[product_id=cake quantity=3] reason=because return_id=q"]);
    a_return_is_asked_for_once_under_a_name:
        [shipped(), ask_return("o", "r", &[("cake", 2)])] ask_return("o", "r", &[("cake", 1)]) =>
        refused("return_exists: return r exists already on this order; choose another id");

    a_return_goes_into_stock_and_is_refunded:
        [paid(), ask_return("o", "r", &[("cake", 1)])] receive_return("o", "r") =>
        happens(&[
            "order-o return_received currency=JPY lines=[product_id=cake quantity=1] \
             refunds=[amount=33 payment_id=p] return_id=r value=33",
            "product-cake return_restocked order_id=o quantity=1",
            "payment-p payment_refunded amount=33 JPY capture=automatic cause=return order_id=o payee_account_id=shop \
             payer=account_id=payer refund_id=r",
            "account-shop refund_sent amount=33 JPY payment_id=p refund_id=r to=payer",
            "order-o order_payment_recorded amount=33 JPY capture=automatic payment_id=p step=refunded",
            "account-payer refund_received amount=33 JPY from=shop payment_id=p refund_id=r",
        ]);
    what_cannot_be_found_is_not_received:
        [shipped()] receive_return("o", "r") => refused("return_not_found: there is no return r on this order");
    a_return_is_received_once:
        [paid(), ask_return("o", "r", &[("cake", 1)]), receive_return("o", "r")] receive_return("o", "r") =>
        refused("return_closed: return r is received already");
    a_rejected_return_is_not_received:
        [paid(), ask_return("o", "r", &[("cake", 1)]), reject_return("o", "r")] receive_return("o", "r") =>
        refused("return_closed: return r is rejected already");
    a_received_return_is_not_rejected:
        [paid(), ask_return("o", "r", &[("cake", 1)]), receive_return("o", "r")] reject_return("o", "r") =>
        refused("return_closed: return r is received already");
    what_cannot_be_found_is_not_rejected:
        [shipped()] reject_return("o", "r") => refused("return_not_found: there is no return r on this order");
    a_return_is_rejected:
        [paid(), ask_return("o", "r", &[("cake", 1)])] reject_return("o", "r") =>
        happens(&["order-o return_rejected lines=[product_id=cake quantity=1] reason=because return_id=r"]);
    a_return_without_funds_to_refund_is_refused:
        [paid(), ask_return("o", "r", &[("cake", 1)]), withdraw("shop", 68)] receive_return("o", "r") =>
        refused("insufficient_funds: account shop has 32 JPY available, 33 JPY was asked");
    a_return_beyond_exact_integers_of_stock_is_refused:
        [paid(), receive("cake", domain::money::AMOUNT_MAX), ask_return("o", "r", &[("cake", 1)])]
        receive_return("o", "r") =>
        refused("quantity_out_of_range: the quantity 1 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    a_completed_order_can_be_returned:
        [paid(), deliver("o", "s"), ask_return("o", "r", &[("cake", 3)])] receive_return("o", "r") =>
        happens_among_others(&["account-payer refund_received amount=100 JPY from=shop payment_id=p refund_id=r"]);
    a_return_is_refunded_from_the_oldest_payment_first:
        [
            shipped(), pay_order("p", "o", 20, Automatic), pay_order("q", "o", 80, Automatic),
            ask_return("o", "r", &[("cake", 1)]),
        ]
        receive_return("o", "r") =>
        happens_among_others(&[
            "account-payer refund_received amount=20 JPY from=shop payment_id=p refund_id=r",
            "account-payer refund_received amount=13 JPY from=shop payment_id=q refund_id=r",
        ]);
    no_more_is_refunded_for_a_return_than_is_left_of_the_payment:
        [paid(), refund("p", "goodwill", 80), ask_return("o", "r", &[("cake", 1)])] receive_return("o", "r") =>
        happens_among_others(&["account-payer refund_received amount=20 JPY from=shop payment_id=p refund_id=r"]);
    a_refund_by_request_does_not_take_the_name_of_a_return:
        [paid(), refund("p", "r", 10), ask_return("o", "r", &[("cake", 1)])] receive_return("o", "r") =>
        happens_among_others(&["account-payer refund_received amount=33 JPY from=shop payment_id=p refund_id=r"]);

    a_return_of_unpaid_goods_refunds_nothing:
        [shipped(), ask_return("o", "r", &[("cake", 1)])] receive_return("o", "r") =>
        happens(&[
            "order-o return_received currency=JPY lines=[product_id=cake quantity=1] refunds=[] return_id=r value=33",
            "product-cake return_restocked order_id=o quantity=1",
        ]);
    returned_goods_that_were_not_paid_are_owed_no_more:
        [shipped(), ask_return("o", "r", &[("cake", 1)]), receive_return("o", "r")] pay_order("p", "o", 68, Automatic) =>
        refused("payment_exceeds_outstanding: order o has 67 JPY left to pay, 68 JPY was asked");
    an_order_is_paid_once_what_is_left_of_it_is_paid:
        [shipped(), ask_return("o", "r", &[("cake", 1)]), receive_return("o", "r"), deliver("o", "s")]
        pay_order("p", "o", 67, Automatic) =>
        happens_among_others(&["order-o order_completed"]);
    an_order_that_came_back_unpaid_is_complete:
        [shipped(), deliver("o", "s"), ask_return("o", "r", &[("cake", 3)])] receive_return("o", "r") =>
        happens(&[
            "order-o return_received currency=JPY lines=[product_id=cake quantity=3] refunds=[] return_id=r value=100",
            "order-o order_completed",
            "product-cake return_restocked order_id=o quantity=3",
        ]);
    goods_that_came_back_unpaid_are_not_captured_later:
        [
            market(), placed("o", &[("tea", 2)]), ship("o", "s", &[("tea", 1)]),
            ask_return("o", "r", &[("tea", 1)]), receive_return("o", "r"),
        ]
        pay_order("p", "o", 110, OnShipment) =>
        happens(&[
            "payment-p payment_requested amount=110 JPY capture=on_shipment order_id=o payee_account_id=shop \
             payer=account_id=payer",
            "account-payer hold_placed amount=110 JPY hold_id=p payment_id=p",
            "payment-p payment_authorized amount=110 JPY capture=on_shipment order_id=o",
            "order-o order_payment_recorded amount=110 JPY capture=on_shipment payment_id=p step=authorized",
        ]);
}

#[test]
fn a_return_refunds_the_exact_share() {
    let mut world = World::default();
    for command in paid() {
        world.ask(command).unwrap();
    }
    let mut refunded = Vec::new();
    for return_id in ["r1", "r2", "r3"] {
        world.ask(ask_return("o", return_id, &[("cake", 1)])).unwrap();
        world.ask(receive_return("o", return_id)).unwrap();
        let shop = world.accounts["shop"].state.as_ref().unwrap();
        refunded.push(100 - shop.balance.minor_units());
    }
    assert_eq!(refunded, [33, 67, 100], "thirds of 100, each boundary rounded once");
}
