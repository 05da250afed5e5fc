//! Shipments, deliveries, what they capture, and when an order is complete.

use domain::command::Command;
use domain::payment::CaptureMode::{Automatic, Manual, OnShipment};

use crate::ask::*;
use crate::rules::{happens, happens_among_others, market, placed, refused, rules};

/// Order `o`: 2 tea at 110 and 3 cups at 30, sent for 50; 360 in all.
fn parcel() -> Vec<Command> {
    let cart = vec![start("o"), add("o", "tea", 2), add("o", "cup", 3), shipping("o", yen(50)), place("o")];
    [market(), cart].concat()
}

/// Order `o`: 1 tea at 110.
fn tea() -> Vec<Command> {
    [market(), placed("o", &[("tea", 1)])].concat()
}

rules! {
    a_shipment_takes_the_goods_out_of_stock:
        [parcel()] ship("o", "s", &[("tea", 1), ("cup", 3)]) =>
        happens(&[
            "order-o order_shipped captures=[] currency=JPY \
             lines=[product_id=tea quantity=1, product_id=cup quantity=3] shipment_id=s",
            "product-tea stock_shipped order_id=o quantity=1",
            "product-cup stock_shipped order_id=o quantity=3",
        ]);
    a_shipment_without_lines_takes_all_that_is_left:
        [parcel(), ship("o", "s", &[("tea", 1), ("cup", 3)])] ship("o", "t", &[]) =>
        happens(&[
            "order-o order_shipped captures=[] currency=JPY lines=[product_id=tea quantity=1] shipment_id=t",
            "product-tea stock_shipped order_id=o quantity=1",
        ]);
    a_shipment_needs_an_order:
        [] ship("o", "s", &[]) => refused("order_not_found: there is no order o; start it first");
    a_cart_is_not_shipped:
        [start("o")] ship("o", "s", &[]) =>
        refused("invalid_order_state: order o is draft; this needs it to be placed");
    a_cancelled_order_is_not_shipped:
        [tea(), cancel("o")] ship("o", "s", &[]) =>
        refused("invalid_order_state: order o is cancelled; this needs it to be placed");
    a_shipment_is_made_once_under_a_name:
        [parcel(), ship("o", "s", &[("tea", 1)])] ship("o", "s", &[("tea", 1)]) =>
        refused("shipment_exists: shipment s exists already on this order; choose another id");
    what_was_shipped_is_not_shipped_again:
        [tea(), ship("o", "s", &[])] ship("o", "t", &[]) =>
        refused("nothing_to_ship: everything of order o was shipped already");
    no_more_is_shipped_than_was_ordered:
        [parcel(), ship("o", "s", &[("tea", 1)])] ship("o", "t", &[("tea", 2)]) =>
        refused("quantity_exceeds_ordered: 1 of product tea are left to ship, 2 was asked");
    no_pieces_are_not_shipped:
        [parcel()] ship("o", "s", &[("tea", 0)]) =>
        refused("quantity_not_positive: the quantity is 0; it must be more than zero");
    what_was_not_ordered_is_not_shipped:
        [tea()] ship("o", "s", &[("cup", 1)]) => refused("item_not_found: order o has no line of product cup");
    a_product_is_not_named_twice_in_a_shipment:
        [parcel()] ship("o", "s", &[("tea", 1), ("tea", 1)]) =>
        refused("duplicate_line: product tea stands twice in the request; add its quantities up");

    a_delivery_is_confirmed:
        [parcel(), ship("o", "s", &[("tea", 1)])] deliver("o", "s") =>
        happens(&["order-o shipment_delivered lines=[product_id=tea quantity=1] shipment_id=s"]);
    a_delivery_needs_an_order:
        [] deliver("o", "s") => refused("order_not_found: there is no order o; start it first");
    a_delivery_needs_a_shipment:
        [parcel()] deliver("o", "s") => refused("shipment_not_found: there is no shipment s on this order");
    a_shipment_is_delivered_once:
        [parcel(), ship("o", "s", &[("tea", 1)]), deliver("o", "s")] deliver("o", "s") =>
        refused("already_delivered: shipment s was delivered already");

    a_shipment_captures_what_is_in_it_and_the_sending_once:
        [parcel(), pay_order("p", "o", 360, OnShipment)] ship("o", "s", &[("tea", 1)]) =>
        happens(&[
            "order-o order_shipped captures=[amount=160 payment_id=p] currency=JPY \
             lines=[product_id=tea quantity=1] shipment_id=s",
            "product-tea stock_shipped order_id=o quantity=1",
            "payment-p payment_captured amount=160 JPY capture=on_shipment capture_id=s cause=shipment order_id=o \
             payee_account_id=shop payer=account_id=payer",
            "account-payer hold_captured amount=160 JPY hold_id=p payment_id=p released=0 remaining=200 to=account=shop",
            "order-o order_payment_recorded amount=160 JPY capture=on_shipment payment_id=p step=captured",
            "account-shop capture_received amount=160 JPY from=payer hold_id=p payment_id=p",
        ]);
    the_next_shipment_captures_what_is_in_it:
        [parcel(), pay_order("p", "o", 360, OnShipment), ship("o", "s", &[("tea", 1)])] ship("o", "t", &[("cup", 2)]) =>
        happens_among_others(&["account-shop capture_received amount=60 JPY from=payer hold_id=p payment_id=p"]);
    the_last_shipment_captures_the_rest:
        [
            parcel(), pay_order("p", "o", 360, OnShipment), ship("o", "s", &[("tea", 1)]),
            ship("o", "t", &[("cup", 2)]),
        ]
        ship("o", "u", &[]) =>
        happens_among_others(&["account-shop capture_received amount=140 JPY from=payer hold_id=p payment_id=p"]);
    a_shipment_captures_the_oldest_payment_first:
        [parcel(), pay_order("p", "o", 100, OnShipment), pay_order("q", "o", 260, OnShipment)]
        ship("o", "s", &[("tea", 1)]) =>
        happens_among_others(&[
            "account-shop capture_received amount=100 JPY from=payer hold_id=p payment_id=p",
            "account-shop capture_received amount=60 JPY from=payer hold_id=q payment_id=q",
        ]);
    a_shipment_leaves_manual_payments_alone:
        [tea(), pay_order("p", "o", 110, Manual)] ship("o", "s", &[]) =>
        happens(&[
            "order-o order_shipped captures=[] currency=JPY lines=[product_id=tea quantity=1] shipment_id=s",
            "product-tea stock_shipped order_id=o quantity=1",
        ]);
    a_shipment_captures_nothing_that_was_paid_before:
        [parcel(), pay_order("p", "o", 200, Automatic), pay_order("q", "o", 160, OnShipment)]
        ship("o", "s", &[("tea", 1)]) =>
        happens(&[
            "order-o order_shipped captures=[] currency=JPY lines=[product_id=tea quantity=1] shipment_id=s",
            "product-tea stock_shipped order_id=o quantity=1",
        ]);
    a_shipment_makes_up_for_what_was_shipped_unpaid:
        [parcel(), ship("o", "s", &[("tea", 1)]), pay_order("p", "o", 200, Manual), capture_payment("p", "c", 150),
         pay_order("q", "o", 160, OnShipment)]
        ship("o", "t", &[("cup", 1)]) =>
        happens_among_others(&["account-shop capture_received amount=30 JPY from=payer hold_id=q payment_id=q"]);
    a_payment_on_shipment_takes_at_once_what_was_shipped_before:
        [parcel(), ship("o", "s", &[("tea", 1)])] pay_order("p", "o", 360, OnShipment) =>
        happens(&[
            "payment-p payment_requested amount=360 JPY capture=on_shipment order_id=o payee_account_id=shop \
             payer=account_id=payer",
            "account-payer hold_placed amount=360 JPY hold_id=p payment_id=p",
            "payment-p payment_authorized amount=360 JPY capture=on_shipment order_id=o",
            "order-o order_payment_recorded amount=360 JPY capture=on_shipment due=160 payment_id=p step=authorized",
            "payment-p payment_captured amount=160 JPY capture=on_shipment capture_id=p cause=automatic order_id=o \
             payee_account_id=shop payer=account_id=payer",
            "account-payer hold_captured amount=160 JPY hold_id=p payment_id=p released=0 remaining=200 to=account=shop",
            "order-o order_payment_recorded amount=160 JPY capture=on_shipment payment_id=p step=captured",
            "account-shop capture_received amount=160 JPY from=payer hold_id=p payment_id=p",
        ]);
    a_capture_that_is_refused_refuses_the_shipment:
        [tea(), pay_order("p", "o", 110, OnShipment), freeze_debits("payer")] ship("o", "s", &[]) =>
        refused("account_frozen: account payer is frozen; it must be unfrozen first");
    a_capture_by_request_does_not_take_the_name_of_a_shipment:
        [tea(), pay_order("p", "o", 110, OnShipment), capture_payment("p", "s", 10)] ship("o", "s", &[]) =>
        happens_among_others(&["account-shop capture_received amount=100 JPY from=payer hold_id=p payment_id=p"]);

    an_order_is_complete_once_it_is_paid_and_delivered:
        [tea(), pay_order("p", "o", 110, Automatic), ship("o", "s", &[])] deliver("o", "s") =>
        happens(&[
            "order-o shipment_delivered lines=[product_id=tea quantity=1] shipment_id=s",
            "order-o order_completed",
        ]);
    an_order_is_complete_once_it_is_delivered_and_paid:
        [tea(), ship("o", "s", &[]), deliver("o", "s")] pay_order("p", "o", 110, Automatic) =>
        happens_among_others(&[
            "order-o order_payment_recorded amount=110 JPY capture=automatic payment_id=p step=captured",
            "order-o order_completed",
        ]);
    an_order_that_is_delivered_in_part_is_not_complete:
        [parcel(), pay_order("p", "o", 360, Automatic), ship("o", "s", &[("tea", 2)]), ship("o", "t", &[])]
        deliver("o", "s") =>
        happens(&["order-o shipment_delivered lines=[product_id=tea quantity=2] shipment_id=s"]);
    an_order_that_is_paid_in_part_is_not_complete:
        [tea(), pay_order("p", "o", 109, Automatic), ship("o", "s", &[])] deliver("o", "s") =>
        happens(&["order-o shipment_delivered lines=[product_id=tea quantity=1] shipment_id=s"]);
    an_order_that_costs_nothing_is_complete_once_it_is_delivered:
        [create("card", 0, 0), receive("card", 1), placed("o", &[("card", 1)]), ship("o", "s", &[])]
        deliver("o", "s") =>
        happens(&[
            "order-o shipment_delivered lines=[product_id=card quantity=1] shipment_id=s",
            "order-o order_completed",
        ]);
    money_given_back_out_of_goodwill_does_not_keep_an_order_open:
        [tea(), pay_order("p", "o", 110, Automatic), refund("p", "r", 10), ship("o", "s", &[])] deliver("o", "s") =>
        happens(&[
            "order-o shipment_delivered lines=[product_id=tea quantity=1] shipment_id=s",
            "order-o order_completed",
        ]);
    a_return_before_the_last_delivery_does_not_keep_an_order_open:
        [
            parcel(), pay_order("p", "o", 360, Automatic), ship("o", "s", &[("cup", 3)]), deliver("o", "s"),
            ask_return("o", "r", &[("cup", 1)]), receive_return("o", "r"), ship("o", "t", &[]),
        ]
        deliver("o", "t") =>
        happens(&[
            "order-o shipment_delivered lines=[product_id=tea quantity=2] shipment_id=t",
            "order-o order_completed",
        ]);
    a_completed_order_is_not_shipped:
        [tea(), pay_order("p", "o", 110, Automatic), ship("o", "s", &[]), deliver("o", "s")] ship("o", "t", &[]) =>
        refused("invalid_order_state: order o is completed; this needs it to be placed");
    a_completed_order_is_not_called_off:
        [tea(), pay_order("p", "o", 110, Automatic), ship("o", "s", &[]), deliver("o", "s")] cancel("o") =>
        refused("invalid_order_state: order o is completed; this needs it to be draft or placed");
}
