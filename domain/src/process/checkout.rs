//! Checkout: reserve each line of a cart, then confirm the order at the prices of the reservations.
//! Any refusal refuses the whole placement.

use std::collections::VecDeque;

use crate::command::Command;
use crate::ids::OrderId;
use crate::money::Money;
use crate::order::pricing::ReservedLine;
use crate::order::{OrderCommand, OrderEvent};
use crate::product::{ProductCommand, ProductEvent};

/// A checkout under way.
#[derive(Debug)]
pub(super) struct Checkout {
    order_id: OrderId,
    expected_total: Option<Money>,
    lines_wanted: usize,
    reserved: Vec<ReservedLine>,
}

pub(super) fn react_to_order(checkout: &mut Option<Checkout>, event: &OrderEvent, follow_ups: &mut VecDeque<Command>) {
    let OrderEvent::CheckoutStarted(e) = event else { return };
    *checkout = Some(Checkout {
        order_id: e.order_id.clone(),
        expected_total: e.expected_total,
        lines_wanted: e.lines.len(),
        reserved: Vec::with_capacity(e.lines.len()),
    });
    follow_ups.extend(e.lines.iter().map(|line| {
        let reserve = ProductCommand::Reserve { order_id: e.order_id.clone(), quantity: line.quantity };
        Command::Product(line.product_id.clone(), reserve)
    }));
}

pub(super) fn react_to_product(
    under_way: &mut Option<Checkout>,
    event: &ProductEvent,
    follow_ups: &mut VecDeque<Command>,
) {
    let ProductEvent::StockReserved(e) = event else { return };
    let Some(checkout) = under_way else { return };
    checkout.reserved.push(ReservedLine {
        product_id: e.product_id.clone(),
        name: e.name.clone(),
        quantity: e.quantity,
        unit_price: e.unit_price,
        tax_rate_bps: e.tax_rate_bps,
    });
    if checkout.reserved.len() == checkout.lines_wanted
        && let Some(Checkout { order_id, expected_total, reserved, .. }) = under_way.take()
    {
        let confirm = OrderCommand::ConfirmPlacement { lines: reserved, expected_total };
        follow_ups.push_back(Command::Order(order_id, confirm));
    }
}
