//! Random commands on few names, so that they meet.

use domain::command::Command;
use domain::payment::CaptureMode;
use proptest::prelude::*;

use super::history::{History, beginning};
use crate::ask::*;

fn name(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(of)
}

fn on_accounts() -> impl Strategy<Value = Command> {
    let account = || name(&["payer", "shop", "third"]);
    let other = || name(&["h1", "h2"]);
    let transfer = || name(&["t1", "t2", "t3"]);
    prop_oneof![
        account().prop_map(open),
        (account(), 1..500_i64).prop_map(|(a, n)| deposit(a, n)),
        (account(), 1..500_i64).prop_map(|(a, n)| deposit(a, n)),
        (account(), 1..300_i64).prop_map(|(a, n)| withdraw(a, n)),
        (transfer(), account(), account(), 1..300_i64).prop_map(|(t, a, b, n)| send(t, a, b, n)),
        transfer().prop_map(reverse),
        (account(), other(), 1..200_i64).prop_map(|(a, h, n)| hold(a, h, n)),
        (account(), other(), 1..200_i64).prop_map(|(a, h, n)| capture(a, h, n)),
        (account(), other(), 1..200_i64).prop_map(|(a, h, n)| capture_and_release(a, h, n)),
        (account(), other(), 1..200_i64, account()).prop_map(|(a, h, n, b)| capture_to(a, h, n, b)),
        (account(), other()).prop_map(|(a, h)| release(a, h)),
        account().prop_map(freeze_debits),
        account().prop_map(unfreeze),
    ]
}

fn on_goods() -> impl Strategy<Value = Command> {
    let goods = || name(&["lamp", "rug"]);
    prop_oneof![
        (goods(), 1..50_i64, 0..2_000_i64).prop_map(|(p, price, tax)| create(p, price, tax)),
        (goods(), 1..50_i64).prop_map(|(p, price)| reprice(p, price)),
        (goods(), 1..9_i64).prop_map(|(p, n)| receive(p, n)),
        (goods(), -3..9_i64).prop_map(|(p, n)| adjust(p, n)),
    ]
}

fn on_orders() -> impl Strategy<Value = Command> {
    let order = || name(&["o1", "o2"]);
    let goods = || name(&["lamp", "rug"]);
    let part = || name(&["x1", "x2", "x3"]);
    let payment = || name(&["p1", "p2", "p3"]);
    let mode = || proptest::sample::select(&[CaptureMode::Automatic, CaptureMode::OnShipment, CaptureMode::Manual][..]);
    prop_oneof![
        order().prop_map(start),
        (order(), goods(), 1..5_i64).prop_map(|(o, p, n)| add(o, p, n)),
        (order(), goods(), 1..5_i64).prop_map(|(o, p, n)| add(o, p, n)),
        (order(), goods(), 1..5_i64).prop_map(|(o, p, n)| change(o, p, n)),
        (order(), goods()).prop_map(|(o, p)| remove(o, p)),
        (order(), 0..20_i64).prop_map(|(o, n)| shipping(o, yen(n))),
        order().prop_map(place),
        order().prop_map(place),
        order().prop_map(cancel),
        (order(), part(), goods(), 1..3_i64).prop_map(|(o, s, p, n)| ship(o, s, &[(p, n)])),
        (order(), part()).prop_map(|(o, s)| ship(o, s, &[])),
        (order(), part()).prop_map(|(o, s)| deliver(o, s)),
        (order(), part(), goods(), 1..3_i64).prop_map(|(o, r, p, n)| ask_return(o, r, &[(p, n)])),
        (order(), part()).prop_map(|(o, r)| receive_return(o, r)),
        (order(), part()).prop_map(|(o, r)| reject_return(o, r)),
        (payment(), order(), 1..150_i64, mode()).prop_map(|(p, o, n, mode)| pay_order(p, o, n, mode)),
        (payment(), part(), 1..100_i64).prop_map(|(p, c, n)| capture_payment(p, c, n)),
        payment().prop_map(void),
        (payment(), part(), 1..60_i64).prop_map(|(p, r, n)| refund(p, r, n)),
    ]
}

/// A history of many random commands, some of them backdated, most of the refused ones left out.
pub(crate) fn histories() -> impl Strategy<Value = Vec<(Command, Option<i32>)>> {
    let command = prop_oneof![2 => on_accounts(), 1 => on_goods(), 4 => on_orders()];
    let days_ago = proptest::option::weighted(0.3, 0..3_i32);
    proptest::collection::vec((command, days_ago), 150..300)
}

/// Plays random commands after what makes most of them possible.
pub(crate) fn play(commands: Vec<(Command, Option<i32>)>) -> History {
    let mut history = History::default();
    for command in [
        open("payer"),
        open("shop"),
        deposit("payer", 2_000),
        create("lamp", 33, 1_000),
        create("rug", 7, 0),
        receive("lamp", 20),
        receive("rug", 20),
    ] {
        history.ask(command);
    }
    for (command, days_ago) in commands {
        let effective_at = days_ago.map(|days| beginning() - chrono::TimeDelta::days(days.into()));
        // Refusals are part of a history.
        let _ = history.try_ask(command, effective_at);
    }
    history
}
