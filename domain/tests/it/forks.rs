//! States are tried out on copies; a copy that is thrown away leaves no trace, and one that is kept costs no more later.

use domain::command::Command;

use crate::ask::*;
use crate::rules::{market, placed};
use crate::world::World;

fn after(commands: &[Command]) -> World {
    let mut world = World::default();
    for command in commands {
        world.ask(command.clone()).unwrap();
    }
    world
}

#[test]
fn a_hot_account_is_copied_without_its_holds() {
    let mut world = after(&[open("a"), deposit("a", 1_000_000)]);
    for n in 0..2_000 {
        world.ask(hold("a", &format!("h{n}"), 1)).unwrap();
        world.ask(release("a", &format!("h{n}"))).unwrap();
    }
    let account = world.accounts["a"].state.as_ref().unwrap();
    assert_eq!((account.holds.iter().count(), account.holds.differences()), (2_000, 0));
}

#[test]
fn a_hot_product_is_copied_without_its_reservations() {
    let mut world = after(&[create("tea", 1, 0), receive("tea", 1_000)]);
    for n in 0..500 {
        for command in placed(&format!("o{n}"), &[("tea", 2)]) {
            world.ask(command).unwrap();
        }
    }
    let product = world.products["tea"].state.as_ref().unwrap();
    assert_eq!((product.reserved_by_order.iter().count(), product.reserved_by_order.differences()), (500, 0));
}

#[test]
fn a_batch_that_fails_at_its_end_leaves_no_trace() {
    let given = [market(), vec![hold("payer", "h", 10)], placed("o", &[("tea", 1)])].concat();
    let mut world = after(&given);
    let before = world.clone();
    let batch = [
        capture("payer", "h", 4),
        hold("payer", "i", 5),
        pay_order("p", "o", 110, domain::payment::CaptureMode::Automatic),
        cancel("o"),
        send("t", "payer", "shop", 1),
        withdraw("payer", 10_000),
    ];
    let refusal = world.run(&batch.map(Into::into)).unwrap_err();
    assert_eq!(refusal.to_string(), "account payer has 984 JPY available, 10000 JPY was asked");
    assert!(world == before, "a refused batch must change nothing");
}

#[test]
fn the_commands_of_a_batch_see_each_other() {
    let mut world = World::default();
    let batch =
        [open("a"), deposit("a", 5), open("b"), send("t", "a", "b", 5), reverse("t"), withdraw("a", 5), close("a")];
    let events = world.run(&batch.map(Into::into)).unwrap();
    assert_eq!(events.last().map(crate::tell::tell).as_deref(), Some("account-a account_closed"));
    assert_eq!(world.streams[&id("account-a")].len(), 6);
}
