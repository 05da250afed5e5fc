//! What a caller expects of the version and the time.

use chrono::TimeDelta;

use crate::ask::*;
use crate::rules::{happens, refused, rules};
use crate::world::{Request, now};

fn at_version(command: domain::command::Command, version: u64) -> Request {
    Request::from(command).at_version(version)
}

rules! {
    the_version_that_was_read_is_accepted:
        [open("a"), deposit("a", 5)] at_version(withdraw("a", 5), 1) =>
        happens(&["account-a funds_withdrawn amount=5 JPY"]);
    an_older_version_is_a_conflict:
        [open("a"), deposit("a", 5)] at_version(withdraw("a", 5), 0) =>
        refused("version_conflict: expected version 0, but the stream is at 1; read it again and decide anew");
    a_newer_version_is_a_conflict:
        [open("a"), deposit("a", 5)] at_version(withdraw("a", 5), 2) =>
        refused("version_conflict: expected version 2, but the stream is at 1; read it again and decide anew");
    a_conflict_is_told_before_what_else_is_wrong:
        [open("a")] at_version(withdraw("a", 5), 1) =>
        refused("version_conflict: expected version 1, but the stream is at 0; read it again and decide anew");
    where_nothing_is_that_is_told_before_a_conflict:
        [] at_version(withdraw("a", 5), 0) => refused("account_not_found: there is no account a; open it first");
    what_does_not_exist_has_no_version:
        [] at_version(open("a"), 0) =>
        refused("version_conflict: expected version 0, but the stream is at no version yet; read it again and decide anew");
    a_transfer_expects_the_version_of_its_sender:
        [open("a"), open("b"), deposit("a", 5)] at_version(send("t", "a", "b", 5), 0) =>
        refused("version_conflict: expected version 0, but the stream is at 1; read it again and decide anew");
    an_order_has_a_version:
        [start("o")] at_version(cancel("o"), 1) =>
        refused("version_conflict: expected version 1, but the stream is at 0; read it again and decide anew");
    a_product_has_a_version:
        [create("tea", 1, 0)] at_version(receive("tea", 1), 1) =>
        refused("version_conflict: expected version 1, but the stream is at 0; read it again and decide anew");
    a_payment_has_a_version:
        [open("payer"), deposit("payer", 5), open("shop"), pay("p", 5, domain::payment::CaptureMode::Manual)]
        at_version(void("p"), 0) =>
        refused("version_conflict: expected version 0, but the stream is at 1; read it again and decide anew");

    what_happened_long_ago_can_be_recorded_now:
        [open("a")] Request::from(deposit("a", 5)).effective_at(now() - TimeDelta::days(4_000)) =>
        happens(&["account-a funds_deposited amount=5 JPY"]);
    clocks_may_differ_by_five_minutes:
        [open("a")] Request::from(deposit("a", 5)).effective_at(now() + TimeDelta::minutes(5)) =>
        happens(&["account-a funds_deposited amount=5 JPY"]);
    what_is_yet_to_happen_is_refused:
        [open("a")] Request::from(deposit("a", 5)).effective_at(now() + TimeDelta::milliseconds(300_001)) =>
        refused("effective_in_future: effective_at is 2026-01-02 03:09:05.001 UTC, later than now (2026-01-02 03:04:05 UTC); it must not lie in the future");
}
