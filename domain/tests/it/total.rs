//! `decide` and `evolve` are total: any command is answered in any state, and any event is taken in any state, even one
//! that no decision would ever have made.

use domain::account::Account;
use domain::aggregate::{Aggregate, Context};
use domain::command::Command;
use domain::event::Event;
use domain::money::{AMOUNT_MAX, Amount};
use domain::order::Order;
use domain::payment::Payment;
use domain::product::Product;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::golden::{decode, each_example};
use crate::random::any_command;
use crate::world::now;

/// Every golden example, to be filled with other figures.
fn templates() -> Vec<(String, Value)> {
    let mut templates = Vec::new();
    each_example(|_, event_type, _, json| {
        templates.push((event_type.to_owned(), serde_json::from_str(json).unwrap()));
    });
    templates
}

/// Replaces every figure by one out of `figures`, turn by turn.
fn refill(value: &mut Value, figures: &mut impl Iterator<Item = i64>) {
    match value {
        Value::Number(number) => *number = figures.next().unwrap().into(),
        Value::Array(items) => items.iter_mut().for_each(|item| refill(item, figures)),
        Value::Object(fields) => fields.values_mut().for_each(|field| refill(field, figures)),
        _ => {}
    }
}

#[derive(Default)]
struct States {
    account: Option<Account>,
    product: Option<Product>,
    order: Option<Order>,
    payment: Option<Payment>,
}

impl States {
    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Account(event) => Account::evolve(&mut self.account, event),
            Event::Product(event) => Product::evolve(&mut self.product, event),
            Event::Order(event) => Order::evolve(&mut self.order, event),
            Event::Payment(event) => Payment::evolve(&mut self.payment, event),
            Event::Rejected(_) => {}
        }
    }

    /// Asks for everything that is derived.
    fn read(&self) {
        self.account.as_ref().map(Account::available);
        self.product.as_ref().map(Product::available);
        self.order.as_ref().map(|order| (order.payment_status(), order.fulfilment(), order.outstanding()));
        self.payment.as_ref().map(|payment| (payment.status(), payment.capturable(), payment.refundable()));
    }
}

proptest! {
    #[test]
    fn no_event_in_any_order_makes_evolve_panic(
        steps in vec((any::<Index>(), vec(select(vec![
            -1, 0, 1, 5, 550, AMOUNT_MAX, -AMOUNT_MAX, AMOUNT_MAX - 1, i64::MAX, i64::MIN,
        ]), 1..6)), 1..200)
    ) {
        let templates = templates();
        let mut states = States::default();
        for (index, figures) in steps {
            let (event_type, template) = index.get(&templates);
            let mut body = template.clone();
            refill(&mut body, &mut figures.into_iter().cycle());
            let Ok(event) = decode(event_type, 1, &body.to_string()) else { continue };
            states.evolve(&event);
            states.read();
        }
    }
}

/// Decides on one aggregate alone, whatever its neighbours would say.
fn decide_alone(states: &mut States, command: &Command) {
    fn step<A: Aggregate>(state: &mut Option<A>, id: &A::Id, command: &A::Command) {
        let context = Context { recorded_at: now(), effective_at: None };
        for event in A::decide(id, state.as_ref(), command, &context).into_iter().flatten() {
            A::evolve(state, &event);
        }
    }
    match command {
        Command::Account(id, command) => step(&mut states.account, id, command),
        Command::Product(id, command) => step(&mut states.product, id, command),
        Command::Order(id, command) => step(&mut states.order, id, command),
        Command::Payment(id, command) => step(&mut states.payment, id, command),
        Command::ReverseTransfer { .. } => {}
    }
}

proptest! {
    #[test]
    fn no_command_in_any_state_makes_decide_panic(commands in vec(any_command(), 1..300)) {
        let mut states = States::default();
        for command in &commands {
            decide_alone(&mut states, command);
            states.read();
            if let Some(account) = &states.account {
                prop_assert!(account.held >= Amount::ZERO && account.held <= account.balance, "{account:?}");
            }
            if let Some(product) = &states.product {
                prop_assert!(0 <= product.reserved && product.reserved <= product.on_hand, "{product:?}");
            }
        }
    }
}

#[test]
fn what_began_does_not_begin_again() {
    let mut states = States::default();
    let tell = |states: &mut States, event_type: &str| {
        for (name, template) in templates() {
            if name == event_type {
                states.evolve(&decode(event_type, 1, &template.to_string()).unwrap());
            }
        }
    };
    for event_type in ["account_opened", "funds_deposited", "product_created", "stock_received"] {
        tell(&mut states, event_type);
    }
    for event_type in ["order_started", "item_added", "payment_requested", "payment_authorized"] {
        tell(&mut states, event_type);
    }
    let before = (states.account.clone(), states.product.clone(), states.order.clone(), states.payment.clone());
    for event_type in ["account_opened", "product_created", "order_started", "payment_requested"] {
        tell(&mut states, event_type);
    }
    assert_eq!(before, (states.account, states.product, states.order, states.payment));
}
