//! Process managers: what follows from an event elsewhere. Each is a pure function from an event to the commands that
//! follow; a refusal of any of them refuses the command that all of it began with.

mod cancellation;
mod checkout;
mod fulfilment;
mod returns;
mod settlement;
mod transfer;

use std::collections::VecDeque;

use crate::command::Command;
use crate::event::Event;
use checkout::Checkout;

/// All process managers, with what they remember during one cascade.
#[derive(Debug, Default)]
pub struct Processes {
    checkout: Option<Checkout>,
}

impl Processes {
    /// Adds the commands that follow from an event.
    pub fn react(&mut self, event: &Event, follow_ups: &mut VecDeque<Command>) {
        match event {
            Event::Account(event) => {
                transfer::react(event, follow_ups);
                settlement::react_to_account(event, follow_ups);
            }
            Event::Product(event) => checkout::react_to_product(&mut self.checkout, event, follow_ups),
            Event::Order(event) => {
                checkout::react_to_order(&mut self.checkout, event, follow_ups);
                fulfilment::react(event, follow_ups);
                cancellation::react(event, follow_ups);
                returns::react(event, follow_ups);
            }
            Event::Payment(event) => settlement::react_to_payment(event, follow_ups),
            Event::Rejected(_) => {}
        }
    }
}
