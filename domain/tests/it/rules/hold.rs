//! Holds: money set aside, then taken or let go.

use domain::command::Command;
use domain::payment::CaptureMode::Manual;

use crate::ask::*;
use crate::rules::{happens, market, refused, rules};

fn held() -> Vec<Command> {
    vec![open("a"), deposit("a", 50), hold("a", "h", 40)]
}

rules! {
    a_hold_sets_money_aside:
        [open("a"), deposit("a", 50)] hold("a", "h", 50) =>
        happens(&["account-a hold_placed amount=50 JPY hold_id=h"]);
    a_hold_needs_an_account:
        [] hold("a", "h", 1) => refused("account_not_found: there is no account a; open it first");
    a_hold_of_nothing_is_refused:
        [open("a"), deposit("a", 50)] hold("a", "h", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_hold_in_another_currency_is_refused:
        [open("a"), deposit("a", 50)] hold_money("a", "h", money(1, "USD")) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    holds_together_do_not_exceed_the_balance:
        [held()] hold("a", "i", 11) =>
        refused("insufficient_funds: account a has 10 JPY available, 11 JPY was asked");
    a_hold_is_placed_once_under_a_name:
        [held()] hold("a", "h", 1) =>
        refused("hold_exists: hold h exists already on this account; choose another id");
    a_closed_hold_keeps_its_name:
        [held(), release("a", "h")] hold("a", "h", 1) =>
        refused("hold_exists: hold h exists already on this account; choose another id");
    another_account_can_use_the_same_hold_name:
        [held(), open("b"), deposit("b", 5)] hold("b", "h", 5) =>
        happens(&["account-b hold_placed amount=5 JPY hold_id=h"]);
    frozen_debits_take_no_hold:
        [open("a"), deposit("a", 50), freeze_debits("a")] hold("a", "h", 1) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    a_closed_account_takes_no_hold:
        [open("a"), close("a")] hold("a", "h", 1) => refused("account_closed: account a is closed");

    a_capture_takes_part_of_a_hold:
        [held()] capture("a", "h", 15) =>
        happens(&["account-a hold_captured amount=15 JPY hold_id=h released=0 remaining=25 to=external"]);
    a_capture_without_an_amount_takes_all_that_is_left:
        [held(), capture("a", "h", 15)] capture("a", "h", None) =>
        happens(&["account-a hold_captured amount=25 JPY hold_id=h released=0 remaining=0 to=external"]);
    a_capture_can_let_the_rest_go:
        [held()] capture_and_release("a", "h", 15) =>
        happens(&["account-a hold_captured amount=15 JPY hold_id=h released=25 remaining=0 to=external"]);
    a_capture_can_pay_another_account:
        [held(), open("b")] capture_to("a", "h", 15, "b") =>
        happens(&[
            "account-a hold_captured amount=15 JPY hold_id=h released=0 remaining=25 to=account=b",
            "account-b capture_received amount=15 JPY from=a hold_id=h",
        ]);
    a_hold_cannot_be_captured_twice:
        [held(), capture("a", "h", 40)] capture("a", "h", 40) =>
        refused("hold_closed: hold h is closed; nothing is held under it any more");
    the_rest_that_was_let_go_cannot_be_captured:
        [held(), capture_and_release("a", "h", 15)] capture("a", "h", 1) =>
        refused("hold_closed: hold h is closed; nothing is held under it any more");
    what_was_let_go_can_be_spent:
        [held(), capture_and_release("a", "h", 15)] withdraw("a", 35) =>
        happens(&["account-a funds_withdrawn amount=35 JPY"]);
    a_capture_beyond_the_hold_is_refused:
        [held(), capture("a", "h", 30)] capture("a", "h", 11) =>
        refused("capture_exceeds_hold: hold h still holds 10 JPY, 11 JPY was asked");
    a_capture_of_nothing_is_refused:
        [held()] capture("a", "h", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_capture_needs_an_account:
        [] capture("a", "h", 1) => refused("account_not_found: there is no account a; open it first");
    a_capture_needs_a_hold:
        [held()] capture("a", "i", 1) => refused("hold_not_found: there is no hold i on account a");
    a_capture_into_the_account_itself_is_refused:
        [held()] capture_to("a", "h", 1, "a") => refused("same_account: account a cannot send to itself");
    a_capture_into_nowhere_is_refused:
        [held()] capture_to("a", "h", 1, "x") => refused("account_not_found: there is no account x; open it first");
    a_capture_into_another_currency_is_refused:
        [held(), open_in("d", "USD")] capture_to("a", "h", 1, "d") =>
        refused("currency_mismatch: the amount is in JPY, but USD is needed here");
    a_capture_into_a_frozen_account_is_refused:
        [held(), open("b"), freeze_all("b")] capture_to("a", "h", 1, "b") =>
        refused("account_frozen: account b is frozen; it must be unfrozen first");
    a_capture_into_a_closed_account_is_refused:
        [held(), open("b"), close("b")] capture_to("a", "h", 1, "b") => refused("account_closed: account b is closed");
    a_capture_out_of_frozen_debits_is_refused:
        [held(), freeze_debits("a")] capture("a", "h", 1) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");

    a_release_lets_all_that_is_left_go:
        [held(), capture("a", "h", 15)] release("a", "h") =>
        happens(&["account-a hold_released amount=25 JPY hold_id=h"]);
    a_hold_is_released_once:
        [held(), release("a", "h")] release("a", "h") =>
        refused("hold_closed: hold h is closed; nothing is held under it any more");
    a_captured_hold_cannot_be_released:
        [held(), capture("a", "h", 40)] release("a", "h") =>
        refused("hold_closed: hold h is closed; nothing is held under it any more");
    a_release_needs_a_hold:
        [held()] release("a", "i") => refused("hold_not_found: there is no hold i on account a");
    a_release_needs_an_account:
        [] release("a", "h") => refused("account_not_found: there is no account a; open it first");
    frozen_debits_let_holds_go:
        [held(), freeze_debits("a")] release("a", "h") =>
        happens(&["account-a hold_released amount=40 JPY hold_id=h"]);
    a_frozen_account_lets_holds_go:
        [held(), freeze_all("a")] release("a", "h") =>
        happens(&["account-a hold_released amount=40 JPY hold_id=h"]);

    the_hold_of_a_payment_cannot_be_captured_directly:
        [market(), pay("p", 10, Manual)] capture("payer", "p", 10) =>
        refused("hold_belongs_to_payment: hold p secures payment p; capture or void the payment instead");
    the_hold_of_a_payment_cannot_be_released_directly:
        [market(), pay("p", 10, Manual)] release("payer", "p") =>
        refused("hold_belongs_to_payment: hold p secures payment p; capture or void the payment instead");
    a_payment_does_not_take_the_hold_of_its_name:
        [market(), hold("payer", "p", 5)] pay("p", 10, Manual) =>
        refused("hold_exists: hold p exists already on this account; choose another id");
}
