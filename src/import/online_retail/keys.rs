//! The names and idempotency keys that an import gives. They come out of the file alone, so that importing it again,
//! or going on after a break, asks for the same things under the same names and changes nothing.

use std::fmt::Display;

use domain::currency::Currency;
use domain::ids::{AccountId, CustomerId, OrderId, OwnerId, PaymentId, ReturnId, ShipmentId, TransferId};
use domain::money::{Amount, Money};
use domain::text::Text;

/// The data set names what it sells in one currency.
pub(crate) fn pounds(amount: Amount) -> Money {
    Money::new(amount, currency())
}

pub(crate) fn currency() -> Currency {
    "GBP".parse().expect("GBP is a currency")
}

/// An idempotency key for one thing that is done for one invoice, order or product.
pub(crate) fn key(about: impl Display, what: impl Display) -> String {
    format!("online-retail:{about}:{what}")
}

/// The account that sells.
pub(crate) fn merchant() -> AccountId {
    AccountId::new("acct-merchant").expect("the name is short and plain")
}

pub(crate) fn merchant_owner() -> OwnerId {
    OwnerId::new("merchant").expect("the name is short and plain")
}

pub(crate) fn account(customer_id: &CustomerId) -> AccountId {
    AccountId::new(&format!("acct-{customer_id}")).expect(FITS)
}

pub(crate) fn owner(customer_id: &CustomerId) -> OwnerId {
    OwnerId::new(customer_id.as_str()).expect(FITS)
}

/// The first order of an invoice is called after it, its second one has `-2` behind it, and so on.
pub(crate) fn order(invoice: &str, number: usize) -> OrderId {
    let suffix = if number > 1 { format!("-{number}") } else { String::new() };
    OrderId::new(&format!("inv-{invoice}{suffix}")).expect(FITS)
}

pub(crate) fn payment(order_id: &OrderId) -> PaymentId {
    PaymentId::new(&format!("pay-{order_id}")).expect(FITS)
}

/// Everything goes in one shipment.
pub(crate) fn shipment() -> ShipmentId {
    ShipmentId::new("shipment-1").expect(FITS)
}

pub(crate) fn return_of(invoice: &str, number: usize) -> ReturnId {
    ReturnId::new(&format!("return-{invoice}-{number}")).expect(FITS)
}

pub(crate) fn credit_note(invoice: &str, number: usize) -> TransferId {
    TransferId::new(&format!("credit-{invoice}-{number}")).expect(FITS)
}

pub(crate) fn remark(text: &str) -> Text {
    Text::new(text).expect("a remark is short and plain")
}

/// `row.rs` reads customers and invoices only where there is room for what is put around them.
const FITS: &str = "an identifier that was read leaves room for what is put around it";
