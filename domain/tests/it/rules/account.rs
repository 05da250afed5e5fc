//! Opening, deposits, withdrawals, freezing, closing.

use crate::ask::*;
use crate::rules::{happens, refused, rules};

const MAX: i64 = domain::money::AMOUNT_MAX;

rules! {
    an_account_is_opened_once_under_a_name:
        [open("a")] open_in("a", "USD") =>
        refused("account_exists: account a exists already; choose another id or use it");
    a_closed_account_keeps_its_name:
        [open("a"), close("a")] open("a") =>
        refused("account_exists: account a exists already; choose another id or use it");
    an_account_begins_empty:
        [] open("a") =>
        happens(&["account-a account_opened currency=JPY owner_id=owner"]);
    names_of_outside_money_are_kept:
        [] open("external:cash") =>
        refused("reserved_account_id: account ids must not begin with external: or clearing:, external:cash does; choose another id");
    names_of_clearing_accounts_are_kept:
        [] open("clearing:mine") =>
        refused("reserved_account_id: account ids must not begin with external: or clearing:, clearing:mine does; choose another id");

    a_deposit_comes_from_outside:
        [open("a")] deposit("a", 40) =>
        happens(&["account-a funds_deposited amount=40 JPY"]);
    a_deposit_needs_an_account:
        [] deposit("a", 1) => refused("account_not_found: there is no account a; open it first");
    a_deposit_of_nothing_is_refused:
        [open("a")] deposit("a", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_negative_deposit_is_refused:
        [open("a")] deposit("a", -5) =>
        refused("amount_not_positive: the amount is -5 JPY; it must be more than zero");
    a_deposit_in_another_currency_is_refused:
        [open("a")] deposit_money("a", money(5, "USD")) =>
        refused("currency_mismatch: the amount is in USD, but JPY is needed here");
    a_balance_beyond_exact_integers_is_refused:
        [open("a"), deposit("a", MAX)] deposit("a", 1) =>
        refused("amount_overflow: a sum would go beyond ±9007199254740991 minor units; use smaller amounts");
    a_closed_account_takes_no_deposit:
        [open("a"), close("a")] deposit("a", 1) => refused("account_closed: account a is closed");

    all_that_is_available_can_be_withdrawn:
        [open("a"), deposit("a", 40), hold("a", "h", 30)] withdraw("a", 10) =>
        happens(&["account-a funds_withdrawn amount=10 JPY"]);
    held_money_cannot_be_withdrawn:
        [open("a"), deposit("a", 40), hold("a", "h", 30)] withdraw("a", 11) =>
        refused("insufficient_funds: account a has 10 JPY available, 11 JPY was asked");
    a_withdrawal_needs_an_account:
        [] withdraw("a", 1) => refused("account_not_found: there is no account a; open it first");
    a_withdrawal_of_nothing_is_refused:
        [open("a"), deposit("a", 1)] withdraw("a", 0) =>
        refused("amount_not_positive: the amount is 0 JPY; it must be more than zero");
    a_negative_withdrawal_is_refused:
        [open("a"), deposit("a", 1)] withdraw("a", -1) =>
        refused("amount_not_positive: the amount is -1 JPY; it must be more than zero");
    a_withdrawal_in_another_currency_is_refused:
        [open("a"), deposit("a", 1)] withdraw_money("a", money(1, "KWD")) =>
        refused("currency_mismatch: the amount is in KWD, but JPY is needed here");
    a_closed_account_gives_nothing:
        [open("a"), close("a")] withdraw("a", 1) => refused("account_closed: account a is closed");

    frozen_debits_let_money_in:
        [open("a"), freeze_debits("a")] deposit("a", 5) =>
        happens(&["account-a funds_deposited amount=5 JPY"]);
    frozen_debits_let_transfers_in:
        [open("a"), open("b"), deposit("b", 5), freeze_debits("a")] send("t", "b", "a", 5) =>
        happens(&[
            "account-b transfer_sent amount=5 JPY to=a transfer_id=t",
            "account-a transfer_received amount=5 JPY from=b transfer_id=t",
        ]);
    frozen_debits_let_nothing_out:
        [open("a"), deposit("a", 5), freeze_debits("a")] withdraw("a", 1) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    frozen_debits_let_no_transfer_out:
        [open("a"), open("b"), deposit("a", 5), freeze_debits("a")] send("t", "a", "b", 1) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    a_frozen_account_takes_nothing:
        [open("a"), freeze_all("a")] deposit("a", 5) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    a_frozen_account_gives_nothing:
        [open("a"), deposit("a", 5), freeze_all("a")] withdraw("a", 5) =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    a_freeze_can_be_tightened:
        [open("a"), freeze_debits("a")] freeze_all("a") =>
        happens(&["account-a account_frozen reason=because scope=all"]);
    a_freeze_needs_an_account:
        [] freeze_all("a") => refused("account_not_found: there is no account a; open it first");
    a_closed_account_is_not_frozen:
        [open("a"), close("a")] freeze_all("a") => refused("account_closed: account a is closed");
    what_is_not_frozen_cannot_be_unfrozen:
        [open("a")] unfreeze("a") => refused("not_frozen: account a is not frozen");
    an_account_is_unfrozen_once:
        [open("a"), freeze_all("a"), unfreeze("a")] unfreeze("a") => refused("not_frozen: account a is not frozen");
    an_unfrozen_account_moves_again:
        [open("a"), deposit("a", 5), freeze_all("a"), unfreeze("a")] withdraw("a", 5) =>
        happens(&["account-a funds_withdrawn amount=5 JPY"]);

    an_account_with_money_cannot_be_closed:
        [open("a"), deposit("a", 5)] close("a") =>
        refused("balance_not_zero: account a still has a balance of 5 JPY; bring it to zero before closing");
    an_account_with_holds_cannot_be_closed:
        [open("a"), deposit("a", 5), hold("a", "h", 2), hold("a", "i", 3)] close("a") =>
        refused("holds_open: account a has 2 open holds; capture or release them before closing");
    a_frozen_account_cannot_be_closed:
        [open("a"), freeze_debits("a")] close("a") =>
        refused("account_frozen: account a is frozen; it must be unfrozen first");
    an_account_is_closed_once:
        [open("a"), close("a")] close("a") => refused("account_closed: account a is closed");
    an_emptied_account_can_be_closed:
        [open("a"), deposit("a", 5), hold("a", "h", 5), capture("a", "h", None)] close("a") =>
        happens(&["account-a account_closed"]);
}
