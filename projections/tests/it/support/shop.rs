//! A history in which everything happens that can happen: the two days of a small shop, in yen.

use domain::command::Command;
use domain::order::OrderCommand;
use domain::payment::CaptureMode;

use super::history::History;
use crate::ask::*;

/// A cart of a customer.
fn start_for(name: &str, customer: &str) -> Command {
    order(name, OrderCommand::Start { customer_id: id(customer), currency: id("JPY") })
}

/// The first business day.
pub(crate) const DAY_1: &str = "2010-12-01T08:26:00Z";
/// The second business day, a month later.
pub(crate) const DAY_2: &str = "2011-01-03T23:59:59.999999Z";

/// Everything.
pub(crate) fn two_days() -> History {
    let mut history = History::default();
    accounts(&mut history);
    goods(&mut history);
    paid_at_once_and_partly_returned(&mut history);
    paid_on_shipment(&mut history);
    called_off(&mut history);
    carts(&mut history);
    refused(&mut history);
    history
}

fn accounts(history: &mut History) {
    for name in ["shop", "payer", "other", "gone"] {
        history.ask(open(name));
    }
    history.ask(open_in("dollars", "USD")).ask(deposit_money("dollars", money(12_345, "USD")));
    history.ask(deposit("payer", 100_000)).ask(deposit("other", 500)).ask(withdraw("other", 120));
    history.ask(send("t-1", "payer", "other", 1_000)).ask(send("t-2", "other", "payer", 80));
    history.ask(send("t-3", "payer", "shop", 7)).ask(reverse("t-1"));
    history.ask(hold("other", "h-1", 100)).ask(capture("other", "h-1", 30)).ask(release("other", "h-1"));
    history.ask(hold("other", "h-2", 50)).ask(capture_to("other", "h-2", 20, "shop"));
    history.ask(hold("other", "h-3", 10)).ask(capture_and_release("other", "h-3", 4));
    history.ask(freeze_debits("other")).ask(freeze_all("dollars")).ask(unfreeze("other")).ask(close("gone"));
}

fn goods(history: &mut History) {
    history.ask(create("lamp", 333, 1_000)).ask(create("rug", 1_999, 0)).ask(create("bulb", 7, 500));
    history.ask(receive("lamp", 50)).ask(receive("rug", 20)).ask(receive("bulb", 1_000)).ask(adjust("bulb", -3));
    history.ask(reprice("rug", 2_001)).ask(create("vase", 10, 0)).ask(receive("vase", 2)).ask(discontinue("vase"));
}

fn paid_at_once_and_partly_returned(history: &mut History) {
    history.ask_at(DAY_1, start_for("o-1", "ann")).ask_at(DAY_1, add("o-1", "lamp", 3));
    history.ask_at(DAY_1, add("o-1", "bulb", 9)).ask_at(DAY_1, shipping("o-1", yen(450)));
    history.ask_at(DAY_1, place("o-1"));
    let total = history.world.orders["o-1"].state.as_ref().unwrap().total.minor_units();
    history.ask_at(DAY_1, pay_order("p-1", "o-1", total, CaptureMode::Automatic));
    history.ask_at(DAY_1, ship("o-1", "s-1", &[("lamp", 2)])).ask_at(DAY_1, ship("o-1", "s-2", &[]));
    history.ask_at(DAY_1, deliver("o-1", "s-1")).ask_at(DAY_1, deliver("o-1", "s-2"));
    history.ask_at(DAY_2, ask_return("o-1", "r-1", &[("lamp", 1), ("bulb", 4)]));
    history.ask_at(DAY_2, receive_return("o-1", "r-1"));
    history.ask_at(DAY_2, ask_return("o-1", "r-2", &[("bulb", 1)])).ask_at(DAY_2, reject_return("o-1", "r-2"));
    history.ask_at(DAY_2, ask_return("o-1", "r-3", &[("bulb", 2)])).ask_at(DAY_2, receive_return("o-1", "r-3"));
    history.ask_at(DAY_2, ask_return("o-1", "r-4", &[("bulb", 2)]));
    history.ask_at(DAY_2, refund("p-1", "goodwill", 5));
}

fn paid_on_shipment(history: &mut History) {
    history.ask_at(DAY_2, start_for("o-2", "bob")).ask_at(DAY_2, add("o-2", "rug", 2));
    history.ask_at(DAY_2, add("o-2", "rug", 1)).ask_at(DAY_2, add("o-2", "lamp", 1)).ask_at(DAY_2, place("o-2"));
    let total = history.world.orders["o-2"].state.as_ref().unwrap().total.minor_units();
    history.ask(pay_order("p-2", "o-2", total, CaptureMode::OnShipment)).ask(ship("o-2", "s-1", &[("rug", 1)]));
}

fn called_off(history: &mut History) {
    history
        .ask_at(DAY_1, start_for("o-3", "ann"))
        .ask_at(DAY_1, add("o-3", "rug", 2))
        .ask_at(DAY_1, add("o-3", "bulb", 3));
    history.ask_at(DAY_1, shipping("o-3", yen(99))).ask_at(DAY_1, place("o-3"));
    history.ask(pay_order("p-3", "o-3", 1_000, CaptureMode::Manual)).ask(capture_payment("p-3", "c-1", 400));
    history.ask_at(DAY_2, cancel("o-3"));
}

fn carts(history: &mut History) {
    history.ask(start_for("o-4", "cat")).ask(add("o-4", "lamp", 1)).ask(add("o-4", "bulb", 5));
    history.ask(change("o-4", "bulb", 2)).ask(remove("o-4", "lamp")).ask(add("o-4", "rug", 1));
    history.ask(add("o-4", "lamp", 4)).ask(add("o-4", "bulb", 1));
    history.ask(start_for("o-5", "cat")).ask(add("o-5", "lamp", 1)).ask(cancel("o-5"));
    history.ask(pay("p-4", 60, CaptureMode::Manual)).ask(void("p-4"));
}

fn refused(history: &mut History) {
    for command in [withdraw("other", 1_000_000), open("shop"), add("o-1", "rug", 1), send("t-9", "payer", "nobody", 1)]
    {
        assert!(history.try_ask(command, None).is_err());
    }
}
