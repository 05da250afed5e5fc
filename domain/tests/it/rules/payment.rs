//! Payments from an account, for an order or for none.

use domain::command::Command;
use domain::order::OrderPaymentStatus;
use domain::payment::CaptureMode::{Automatic, Manual, OnShipment};

use crate::ask::*;
use crate::rules::{Given, cart, happens, happens_among_others, market, placed, refused, rules};
use crate::world::World;

const MAX: i64 = domain::money::AMOUNT_MAX;

fn authorized(amount: i64) -> Vec<Command> {
    [market(), vec![pay("p", amount, Manual)]].concat()
}

fn captured(amount: i64) -> Vec<Command> {
    [market(), vec![pay("p", amount, Automatic)]].concat()
}

rules! {
    an_automatic_payment_is_held_and_taken_at_once:
        [market()] pay("p", 40, Automatic) =>
        happens(&[
            "payment-p payment_requested amount=40 JPY capture=automatic payee_account_id=shop payer=account_id=payer",
            "account-payer hold_placed amount=40 JPY hold_id=p payment_id=p",
            "payment-p payment_authorized amount=40 JPY capture=automatic",
            "payment-p payment_captured amount=40 JPY capture=automatic capture_id=p cause=automatic \
             payee_account_id=shop payer=account_id=payer",
            "account-payer hold_captured amount=40 JPY hold_id=p payment_id=p released=0 remaining=0 to=account=shop",
            "account-shop capture_received amount=40 JPY from=payer hold_id=p payment_id=p",
        ]);
    a_manual_payment_is_held:
        [market()] pay("p", 40, Manual) =>
        happens(&[
            "payment-p payment_requested amount=40 JPY capture=manual payee_account_id=shop payer=account_id=payer",
            "account-payer hold_placed amount=40 JPY hold_id=p payment_id=p",
            "payment-p payment_authorized amount=40 JPY capture=manual",
        ]);
    a_payment_is_requested_once_under_a_name:
        [authorized(40), void("p")] pay("p", 40, Manual) => refused("payment_exists: payment p exists already");
    a_payment_of_nothing_is_refused:
        [market()] pay("p", 0, Manual) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_negative_payment_is_refused:
        [market()] pay("p", -1, Automatic) =>
        refused("amount_not_positive: the amount is -1 JPY; it must be more than zero");
    a_payment_to_oneself_is_refused:
        [market()] pay_from("p", None, "shop", "shop", yen(1), Manual) =>
        refused("same_account: account shop cannot send to itself");
    a_payment_needs_a_payee:
        [market()] pay_from("p", None, "payer", "nobody", yen(1), Manual) =>
        refused("account_not_found: there is no account nobody; open it first");
    a_payment_needs_a_payer:
        [market()] pay_from("p", None, "nobody", "shop", yen(1), Manual) =>
        refused("account_not_found: there is no account nobody; open it first");
    a_payment_in_another_currency_than_the_payee_is_refused:
        [market()] pay_from("p", None, "payer", "shop", money(1, "USD"), Manual) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    a_payment_in_another_currency_than_the_payer_is_refused:
        [market(), open_in("d", "USD")] pay_from("p", None, "payer", "d", money(1, "USD"), Manual) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    a_payment_needs_funds:
        [market()] pay("p", 1001, Manual) =>
        refused("insufficient_funds: account payer has 1000 JPY available, 1001 JPY was asked");
    a_payment_out_of_frozen_debits_is_refused:
        [market(), freeze_debits("payer")] pay("p", 1, Manual) =>
        refused("account_frozen: account payer is frozen; it must be unfrozen first");
    an_automatic_payment_into_a_frozen_account_is_refused:
        [market(), freeze_all("shop")] pay("p", 1, Automatic) =>
        refused("account_frozen: account shop is frozen; it must be unfrozen first");
    an_automatic_payment_into_a_closed_account_is_refused:
        [market(), close("shop")] pay("p", 1, Automatic) => refused("account_closed: account shop is closed");

    a_capture_takes_part_of_a_payment:
        [authorized(40)] capture_payment("p", "c", 15) =>
        happens(&[
            "payment-p payment_captured amount=15 JPY capture=manual capture_id=c cause=request \
             payee_account_id=shop payer=account_id=payer",
            "account-payer hold_captured amount=15 JPY hold_id=p payment_id=p released=0 remaining=25 to=account=shop",
            "account-shop capture_received amount=15 JPY from=payer hold_id=p payment_id=p",
        ]);
    a_payment_is_captured_in_several_steps:
        [authorized(40), capture_payment("p", "c", 15), capture_payment("p", "d", 5)] capture_payment("p", "e", None) =>
        happens_among_others(&["account-shop capture_received amount=20 JPY from=payer hold_id=p payment_id=p"]);
    a_capture_needs_a_payment:
        [] capture_payment("p", "c", 1) => refused("payment_not_found: there is no payment p; request it first");
    no_more_is_captured_than_is_authorized:
        [authorized(40), capture_payment("p", "c", 15)] capture_payment("p", "d", 26) =>
        refused("capture_exceeds_authorized: payment p has 25 JPY left to capture, 26 JPY was asked");
    a_capture_of_no_money_is_refused:
        [authorized(40)] capture_payment("p", "c", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_capture_is_done_once_under_a_name:
        [authorized(40), capture_payment("p", "c", 15)] capture_payment("p", "c", 15) =>
        refused("duplicate_operation: operation c was done already on payment p; choose another id");
    a_capture_and_a_refund_may_share_a_name:
        [authorized(40), capture_payment("p", "c", 15)] refund("p", "c", 15) =>
        happens_among_others(&["account-payer refund_received amount=15 JPY from=shop payment_id=p refund_id=c"]);
    a_captured_payment_is_not_captured_again:
        [captured(40)] capture_payment("p", "c", 1) =>
        refused("payment_not_capturable: payment p is captured; only an authorized payment can be captured");
    a_voided_payment_is_not_captured:
        [authorized(40), void("p")] capture_payment("p", "c", 1) =>
        refused("payment_not_capturable: payment p is voided; only an authorized payment can be captured");
    what_is_left_after_a_refund_can_be_captured:
        [authorized(40), capture_payment("p", "c", 15), refund("p", "r", 15)] capture_payment("p", "d", 25) =>
        happens_among_others(&["account-shop capture_received amount=25 JPY from=payer hold_id=p payment_id=p"]);
    a_payment_out_of_frozen_debits_is_not_captured:
        [authorized(40), freeze_debits("payer")] capture_payment("p", "c", 1) =>
        refused("account_frozen: account payer is frozen; it must be unfrozen first");
    a_payment_into_frozen_debits_is_captured:
        [authorized(40), freeze_debits("shop")] capture_payment("p", "c", 1) =>
        happens_among_others(&["account-shop capture_received amount=1 JPY from=payer hold_id=p payment_id=p"]);

    a_void_lets_go_what_was_not_captured:
        [authorized(40), capture_payment("p", "c", 15)] void("p") =>
        happens(&[
            "payment-p payment_voided amount=25 JPY capture=manual payer=account_id=payer",
            "account-payer hold_released amount=25 JPY hold_id=p payment_id=p",
        ]);
    a_void_needs_a_payment:
        [] void("p") => refused("payment_not_found: there is no payment p; request it first");
    a_payment_is_voided_once:
        [authorized(40), void("p")] void("p") =>
        refused("payment_not_voidable: payment p is voided; nothing is authorized that could be voided");
    a_captured_payment_is_not_voided:
        [captured(40)] void("p") =>
        refused("payment_not_voidable: payment p is captured; nothing is authorized that could be voided");
    a_payment_out_of_a_frozen_account_is_voided:
        [authorized(40), freeze_all("payer")] void("p") =>
        happens(&[
            "payment-p payment_voided amount=40 JPY capture=manual payer=account_id=payer",
            "account-payer hold_released amount=40 JPY hold_id=p payment_id=p",
        ]);

    a_refund_gives_part_of_a_payment_back:
        [captured(40)] refund("p", "r", 15) =>
        happens(&[
            "payment-p payment_refunded amount=15 JPY capture=automatic cause=request payee_account_id=shop \
             payer=account_id=payer refund_id=r",
            "account-shop refund_sent amount=15 JPY payment_id=p refund_id=r to=payer",
            "account-payer refund_received amount=15 JPY from=shop payment_id=p refund_id=r",
        ]);
    a_refund_without_an_amount_gives_all_back_that_is_left:
        [captured(40), refund("p", "r", 15)] refund("p", "q", None) =>
        happens_among_others(&["account-payer refund_received amount=25 JPY from=shop payment_id=p refund_id=q"]);
    a_refund_needs_a_payment:
        [] refund("p", "r", 1) => refused("payment_not_found: there is no payment p; request it first");
    what_was_not_captured_is_not_refunded:
        [authorized(40)] refund("p", "r", 1) =>
        refused("refund_exceeds_captured: payment p has 0 JPY left to refund, 1 JPY was asked");
    no_more_is_refunded_than_was_captured:
        [captured(40), refund("p", "r", 15)] refund("p", "q", 26) =>
        refused("refund_exceeds_captured: payment p has 25 JPY left to refund, 26 JPY was asked");
    a_refund_of_nothing_is_refused:
        [captured(40)] refund("p", "r", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_refund_is_done_once_under_a_name:
        [captured(40), refund("p", "r", 15)] refund("p", "r", 15) =>
        refused("duplicate_operation: operation r was done already on payment p; choose another id");
    a_refund_without_funds_is_refused:
        [captured(40), withdraw("shop", 1)] refund("p", "r", 40) =>
        refused("insufficient_funds: account shop has 39 JPY available, 40 JPY was asked");
    a_refund_out_of_frozen_debits_is_refused:
        [captured(40), freeze_debits("shop")] refund("p", "r", 40) =>
        refused("account_frozen: account shop is frozen; it must be unfrozen first");
    a_refund_into_frozen_debits_is_done:
        [captured(40), freeze_debits("payer")] refund("p", "r", 40) =>
        happens_among_others(&["account-payer refund_received amount=40 JPY from=shop payment_id=p refund_id=r"]);
    a_refund_into_a_frozen_account_is_refused:
        [captured(40), freeze_all("payer")] refund("p", "r", 40) =>
        refused("account_frozen: account payer is frozen; it must be unfrozen first");
    a_refund_into_a_closed_account_is_refused:
        [captured(1000), close("payer")] refund("p", "r", 40) => refused("account_closed: account payer is closed");
    a_refund_that_overflows_the_payer_is_refused:
        [captured(40), deposit("payer", MAX - 960)] refund("p", "r", 1) =>
        refused("amount_overflow: a sum would go beyond ±9007199254740991 minor units; use smaller amounts");

    a_payment_is_told_to_its_order:
        [market(), placed("o", &[("tea", 1)])] pay_order("p", "o", 110, Automatic) =>
        happens_among_others(&[
            "order-o order_payment_recorded amount=110 JPY capture=automatic payment_id=p step=authorized",
            "order-o order_payment_recorded amount=110 JPY capture=automatic payment_id=p step=captured",
        ]);
    a_payment_for_an_order_needs_that_order:
        [market()] pay_order("p", "o", 1, Manual) => refused("order_not_found: there is no order o; start it first");
    a_cart_takes_no_payment:
        [market(), cart("o", &[("tea", 1)])] pay_order("p", "o", 1, Manual) =>
        refused("invalid_order_state: order o is draft; this needs it to be placed or completed");
    a_payment_in_another_currency_than_the_order_is_refused:
        [
            market(), placed("o", &[("tea", 1)]), open_in("d", "USD"), open_in("e", "USD"),
            deposit_money("d", money(9, "USD")),
        ]
        pay_from("p", Some("o"), "d", "e", money(1, "USD"), Manual) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    payments_together_do_not_exceed_the_order:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 60, Manual)] pay_order("q", "o", 51, Manual) =>
        refused("payment_exceeds_outstanding: order o has 50 JPY left to pay, 51 JPY was asked");
    what_was_voided_can_be_paid_again:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 110, Manual), void("p")]
        pay_order("q", "o", 110, Automatic) =>
        happens_among_others(&[
            "order-o order_payment_recorded amount=110 JPY capture=automatic payment_id=q step=captured",
        ]);
    what_was_refunded_is_not_paid_again:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 110, Automatic), refund("p", "r", None)]
        pay_order("q", "o", 1, Automatic) =>
        refused("payment_exceeds_outstanding: order o has 0 JPY left to pay, 1 JPY was asked");
    a_paid_order_takes_no_payment:
        [market(), placed("o", &[("tea", 1)]), pay_order("p", "o", 110, Automatic)] pay_order("q", "o", 1, Manual) =>
        refused("payment_exceeds_outstanding: order o has 0 JPY left to pay, 1 JPY was asked");
    sums_of_voided_payments_may_go_beyond_exact_integers:
        [
            create("gem", MAX, 0), receive("gem", 1), placed("o", &[("gem", 1)]), open("shop"),
            open("payer"), deposit("payer", MAX), pay_order("void", "o", MAX, Manual), void("void"),
            pay_order("live", "o", MAX, Manual), open("other"), deposit("other", MAX),
        ]
        pay_from("p", Some("o"), "other", "shop", yen(1), Manual) =>
        refused("payment_exceeds_outstanding: order o has 0 JPY left to pay, 1 JPY was asked");
}

/// Order `o` of 110 after the given commands.
fn status_of_order(given: &[Command]) -> OrderPaymentStatus {
    let mut world = World::default();
    for command in [market(), placed("o", &[("tea", 1)]), given.to_vec()].into_iter().flat_map(Given::commands) {
        world.ask(command).unwrap();
    }
    world.orders["o"].state.as_ref().unwrap().payment_status()
}

#[test]
fn an_order_tells_how_far_it_is_paid() {
    use OrderPaymentStatus::{Authorized, Paid, PartiallyPaid, PartiallyRefunded, Refunded, Unpaid};
    let pay = |payment, amount, mode| pay_order(payment, "o", amount, mode);
    for (given, expected) in [
        (vec![], Unpaid),
        (vec![pay("p", 109, Manual)], Unpaid),
        (vec![pay("p", 109, Manual), pay("q", 1, OnShipment)], Authorized),
        (vec![pay("p", 110, Manual), void("p")], Unpaid),
        (vec![pay("p", 110, Manual), capture_payment("p", "c", 1)], PartiallyPaid),
        (vec![pay("p", 110, Manual), capture_payment("p", "c", 1), void("p")], PartiallyPaid),
        (vec![pay("p", 109, Automatic)], PartiallyPaid),
        (vec![pay("p", 109, Automatic), pay("q", 1, Automatic)], Paid),
        (vec![pay("p", 110, Automatic), refund("p", "r", 1)], PartiallyRefunded),
        (vec![pay("p", 110, Automatic), refund("p", "r", 1), refund("p", "q", 109)], Refunded),
    ] {
        assert_eq!(status_of_order(&given), expected, "{given:?}");
    }
}
