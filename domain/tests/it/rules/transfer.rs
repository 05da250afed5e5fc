//! Transfers and their reversals: both sides, or neither.

use crate::ask::*;
use crate::rules::{happens, refused, rules};
use crate::world::World;

const MAX: i64 = domain::money::AMOUNT_MAX;

fn two_accounts() -> Vec<domain::command::Command> {
    vec![open("a"), deposit("a", 50), open("b")]
}

rules! {
    a_transfer_arrives_with_what_was_sent:
        [two_accounts()] send("t", "a", "b", 50) =>
        happens(&[
            "account-a transfer_sent amount=50 JPY to=b transfer_id=t",
            "account-b transfer_received amount=50 JPY from=a transfer_id=t",
        ]);
    a_transfer_to_oneself_is_refused:
        [two_accounts()] send("t", "a", "a", 1) => refused("same_account: account a cannot send to itself");
    a_transfer_needs_its_sender:
        [two_accounts()] send("t", "x", "b", 1) => refused("account_not_found: there is no account x; open it first");
    a_transfer_needs_its_receiver:
        [two_accounts()] send("t", "a", "x", 1) => refused("account_not_found: there is no account x; open it first");
    a_transfer_of_nothing_is_refused:
        [two_accounts()] send("t", "a", "b", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_transfer_needs_funds:
        [two_accounts()] send("t", "a", "b", 51) =>
        refused("insufficient_funds: account a has 50 JPY available, 51 JPY was asked");
    a_transfer_from_another_currency_is_refused:
        [two_accounts(), open_in("d", "USD")] send("t", "d", "b", 5) =>
        refused("currency_mismatch: the amount is in JPY, but USD is needed here");
    a_transfer_into_another_currency_is_refused:
        [two_accounts(), open_in("d", "USD")] send("t", "a", "d", 5) =>
        refused("currency_mismatch: the amount is in JPY, but USD is needed here");
    a_transfer_out_of_a_closed_account_is_refused:
        [two_accounts(), close("b")] send("t", "b", "a", 5) => refused("account_closed: account b is closed");
    a_transfer_into_a_closed_account_is_refused:
        [two_accounts(), close("b")] send("t", "a", "b", 5) => refused("account_closed: account b is closed");
    a_transfer_into_a_frozen_account_is_refused:
        [two_accounts(), freeze_all("b")] send("t", "a", "b", 5) =>
        refused("account_frozen: account b is frozen; it must be unfrozen first");
    a_transfer_that_overflows_its_receiver_is_refused:
        [two_accounts(), deposit("b", MAX)] send("t", "a", "b", 1) =>
        refused("amount_overflow: a sum would go beyond ±9007199254740991 minor units; use smaller amounts");
    a_transfer_is_sent_once_under_a_name:
        [two_accounts(), send("t", "a", "b", 5)] send("t", "a", "b", 5) =>
        refused("transfer_exists: transfer t was sent already; choose another id");
    the_name_of_a_transfer_is_the_same_for_all_accounts:
        [two_accounts(), send("t", "a", "b", 5)] send("t", "b", "a", 1) =>
        refused("transfer_exists: transfer t was sent already; choose another id");

    a_reversal_gives_back_what_was_sent:
        [two_accounts(), send("t", "a", "b", 20)] reverse("t") =>
        happens(&[
            "account-b transfer_reversed amount=20 JPY counterparty=a reason=because side=returned transfer_id=t",
            "account-a transfer_reversed amount=20 JPY counterparty=b reason=because side=restored transfer_id=t",
        ]);
    what_was_never_sent_cannot_be_reversed:
        [two_accounts()] reverse("t") => refused("transfer_not_found: there is no transfer t");
    a_transfer_is_reversed_once:
        [two_accounts(), send("t", "a", "b", 20), reverse("t")] reverse("t") =>
        refused("already_reversed: transfer t was reversed already");
    a_reversed_transfer_keeps_its_name:
        [two_accounts(), send("t", "a", "b", 20), reverse("t")] send("t", "a", "b", 20) =>
        refused("transfer_exists: transfer t was sent already; choose another id");
    a_reversal_without_funds_is_refused:
        [two_accounts(), send("t", "a", "b", 20), withdraw("b", 1)] reverse("t") =>
        refused("insufficient_funds: account b has 19 JPY available, 20 JPY was asked");
    a_reversal_does_not_touch_held_money:
        [two_accounts(), send("t", "a", "b", 20), hold("b", "h", 20)] reverse("t") =>
        refused("insufficient_funds: account b has 0 JPY available, 20 JPY was asked");
    a_reversal_out_of_frozen_debits_is_refused:
        [two_accounts(), send("t", "a", "b", 20), freeze_debits("b")] reverse("t") =>
        refused("account_frozen: account b is frozen; it must be unfrozen first");
    a_reversal_into_frozen_debits_is_done:
        [two_accounts(), send("t", "a", "b", 20), freeze_debits("a")] reverse("t") =>
        happens(&[
            "account-b transfer_reversed amount=20 JPY counterparty=a reason=because side=returned transfer_id=t",
            "account-a transfer_reversed amount=20 JPY counterparty=b reason=because side=restored transfer_id=t",
        ]);
    a_reversal_into_a_frozen_account_is_refused:
        [two_accounts(), send("t", "a", "b", 20), freeze_all("a")] reverse("t") =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    a_reversal_into_a_closed_account_is_refused:
        [two_accounts(), send("t", "a", "b", 50), close("a")] reverse("t") =>
        refused("account_closed: account a is closed");
    a_reversal_that_overflows_the_sender_is_refused:
        [two_accounts(), send("t", "a", "b", 1), deposit("a", MAX - 49)] reverse("t") =>
        refused("amount_overflow: a sum would go beyond ±9007199254740991 minor units; use smaller amounts");
}

#[test]
fn a_refused_transfer_leaves_its_name_free() {
    let mut world = World::default();
    for command in two_accounts() {
        world.ask(command).unwrap();
    }
    assert_eq!(world.ask(send("t", "a", "b", 51)).unwrap_err().code(), "insufficient_funds");
    assert_eq!(world.ask(send("t", "a", "b", 50)).unwrap().len(), 2);
}
