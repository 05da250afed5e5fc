//! The commands of orders, as clients write them.

use domain::command::Command;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId, ProductId, ReturnId, ShipmentId};
use domain::money::Money;
use domain::order::{LineQuantity, OrderCommand};
use domain::text::Text;

use super::definition::commands;

commands! {
    /// Starts an order: an empty cart.
    StartOrder = "start_order" {
        /// What the order is called; made where left out.
        order_id: OrderId, generated("ord_");
        /// Whose it is.
        customer_id: CustomerId, required;
        /// In which currency.
        currency: Currency, required;
    } => Command::Order(order_id, OrderCommand::Start { customer_id, currency });

    /// Puts a product into the cart, on top of what is there of it.
    AddItem = "add_item" {
        /// The order.
        order_id: OrderId, path;
        /// The product.
        product_id: ProductId, required;
        /// How many, more than zero.
        quantity: i64, required;
    } => Command::Order(order_id, OrderCommand::AddItem { product_id, quantity, quote: None });

    /// Sets how many of a product are in the cart.
    ChangeQuantity = "change_quantity" {
        /// The order.
        order_id: OrderId, path;
        /// The product.
        product_id: ProductId, path;
        /// How many, more than zero.
        quantity: i64 = 3, required;
    } => Command::Order(order_id, OrderCommand::ChangeQuantity { product_id, quantity });

    /// Takes a product out of the cart.
    RemoveItem = "remove_item" {
        /// The order.
        order_id: OrderId, path;
        /// The product.
        product_id: ProductId, path;
    } => Command::Order(order_id, OrderCommand::RemoveItem { product_id });

    /// Says how the order is to be sent and what that costs.
    SetShipping = "set_shipping" {
        /// The order.
        order_id: OrderId, path;
        /// How.
        method: Text = "standard", required;
        /// What it costs, without tax.
        cost: Money, required;
    } => Command::Order(order_id, OrderCommand::SetShipping { method, cost });

    /// Places the order: reserves its stock at today's prices, or refuses all of it.
    PlaceOrder = "place_order" {
        /// The order.
        order_id: OrderId, path;
        /// What the customer was told it comes to; another total is refused.
        expected_total: Money, optional;
    } => Command::Order(order_id, OrderCommand::Place { expected_total });

    /// Calls an order off before anything is shipped: lets its stock go and gives its money back.
    CancelOrder = "cancel_order" {
        /// The order.
        order_id: OrderId, path;
        /// Why.
        reason: Text, required;
    } => Command::Order(order_id, OrderCommand::Cancel { reason });

    /// Hands goods to a carrier.
    ShipOrder = "ship_order" {
        /// The order.
        order_id: OrderId, path;
        /// What the shipment is called within its order; made where left out.
        shipment_id: ShipmentId, generated("shp_");
        /// Which goods; everything that is left to ship where left out.
        lines: Vec<LineQuantity>, optional;
        /// Who carries it.
        carrier: Text = "DHL", optional;
        /// What the carrier calls it.
        tracking: Text = "JD014600003828", optional;
    } => Command::Order(order_id, OrderCommand::Ship {
        shipment_id,
        lines: lines.unwrap_or_default(),
        carrier,
        tracking,
    });

    /// Says that a shipment has arrived.
    ConfirmDelivery = "confirm_delivery" {
        /// The order.
        order_id: OrderId, path;
        /// The shipment.
        shipment_id: ShipmentId, path;
    } => Command::Order(order_id, OrderCommand::ConfirmDelivery { shipment_id });

    /// Says that the customer wants to give goods back.
    RequestReturn = "request_return" {
        /// The order.
        order_id: OrderId, path;
        /// What the return is called within its order; made where left out.
        return_id: ReturnId, generated("ret_");
        /// Which goods.
        lines: Vec<LineQuantity>, required;
        /// Why.
        reason: Text = "arrived broken", required;
    } => Command::Order(order_id, OrderCommand::RequestReturn { return_id, lines, reason });

    /// Says that the goods of a return are back: puts them into stock and refunds them.
    ReceiveReturn = "receive_return" {
        /// The order.
        order_id: OrderId, path;
        /// The return.
        return_id: ReturnId, path;
    } => Command::Order(order_id, OrderCommand::ReceiveReturn { return_id });

    /// Refuses a return.
    RejectReturn = "reject_return" {
        /// The order.
        order_id: OrderId, path;
        /// The return.
        return_id: ReturnId, path;
        /// Why.
        reason: Text = "worn", required;
    } => Command::Order(order_id, OrderCommand::RejectReturn { return_id, reason });
}
