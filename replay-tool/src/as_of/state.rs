//! How the state of an aggregate is shown: as JSON, and flattened into names and values.

use domain::account::{Account, Hold};
use domain::money::{Amount, Money};
use domain::order::state::ReturnStatus;
use domain::order::{Order, OrderPaymentStatus};
use domain::payment::{Payer, Payment};
use domain::product::Product;
use serde::Deserialize;
use serde_json::{Value, json};

/// An account. Holds that hold nothing any more are left out.
pub(super) fn account(account: &Account) -> Value {
    let money = |amount| account.money(amount);
    let open = account.holds.iter().filter(|(_, hold)| hold.remaining > Amount::ZERO);
    let mut holds: Vec<_> = open.collect();
    holds.sort_by_key(|(hold_id, _)| *hold_id);
    let hold = |(hold_id, hold): &(_, &Hold)| json!({ "hold_id": hold_id, "remaining": money(hold.remaining), "payment_id": hold.payment_id });
    json!({
        "owner_id": account.owner_id,
        "currency": account.currency,
        "status": account.status,
        "balance": money(account.balance),
        "held": money(account.held),
        "available": money(account.available()),
        "holds": holds.iter().map(hold).collect::<Vec<_>>(),
    })
}

/// A product.
pub(super) fn product(product: &Product) -> Value {
    let mut reservations: Vec<_> = product.reserved_by_order.iter().collect();
    reservations.sort();
    let reservation = |(order_id, quantity): &(_, _)| json!({ "order_id": order_id, "quantity": quantity });
    json!({
        "name": product.name,
        "unit_price": product.unit_price,
        "tax_rate_bps": product.tax_rate_bps,
        "on_hand": product.on_hand,
        "reserved": product.reserved,
        "available": product.available(),
        "discontinued": product.discontinued,
        "reservations": reservations.iter().map(reservation).collect::<Vec<_>>(),
    })
}

/// An order.
pub(super) fn order(order: &Order) -> Value {
    let money = |amount| Money::new(amount, order.currency);
    let payment_status: OrderPaymentStatus = order.payment_status();
    let lines = order.lines.iter().map(|line| {
        json!({
            "product_id": line.product_id,
            "quantity": line.quantity,
            "total": money(line.total),
            "shipped": line.shipped,
            "delivered": line.delivered,
            "returned": line.returned,
        })
    });
    let shipments = order.shipments.iter().map(|(shipment_id, shipment)| {
        json!({ "shipment_id": shipment_id, "delivered": shipment.delivered, "lines": shipment.lines })
    });
    let returns = order.returns.iter().map(|(return_id, returned)| {
        let status: ReturnStatus = returned.status;
        json!({ "return_id": return_id, "status": status, "lines": returned.lines })
    });
    let payments = order.payments.iter().map(|payment| {
        json!({
            "payment_id": payment.payment_id,
            "authorized": money(payment.authorized),
            "captured": money(payment.captured),
            "voided": money(payment.voided),
            "refunded": money(payment.refunded),
        })
    });
    json!({
        "customer_id": order.customer_id,
        "currency": order.currency,
        "status": order.status,
        "payment_status": payment_status,
        "fulfilment": order.fulfilment(),
        "shipping": money(order.shipping),
        "total": money(order.total),
        "lines": lines.collect::<Vec<_>>(),
        "shipments": shipments.collect::<Vec<_>>(),
        "returns": returns.collect::<Vec<_>>(),
        "payments": payments.collect::<Vec<_>>(),
    })
}

/// A payment.
pub(super) fn payment(payment: &Payment) -> Value {
    let money = |amount| payment.money(amount);
    let Payer::Account(payer) = &payment.payer;
    json!({
        "order_id": payment.order_id,
        "payer_account_id": payer,
        "payee_account_id": payment.payee_account_id,
        "amount": payment.amount,
        "capture": payment.capture,
        "status": payment.status(),
        "authorized": money(payment.authorized),
        "captured": money(payment.captured),
        "voided": money(payment.voided),
        "refunded": money(payment.refunded),
    })
}

/// Adds a row for every value inside another: `lines[0].quantity`. Money is shown in major units.
pub(super) fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    if let Ok(money) = Money::deserialize(value) {
        return rows.push((name.to_owned(), money.to_string()));
    }
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, rows);
            }
        }
        Value::Array(values) if values.is_empty() => rows.push((name.to_owned(), "none".to_owned())),
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                flatten(&format!("{name}[{at}]"), value, rows);
            }
        }
        Value::Null => rows.push((name.to_owned(), "none".to_owned())),
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => rows.push((name.to_owned(), value.to_string())),
    }
}
