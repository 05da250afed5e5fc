//! JSON written straight into a buffer, in a fraction of the time that going through `serde` takes: that of events, and
//! of what answers are made of. The bytes are those that `serde` gives, and a test holds the two together.

use crate::account::AccountStatus;
use crate::account::command::{CaptureTo, FreezeScope};
use crate::account::event::ReversalSide;
use crate::currency::Currency;
use crate::ids::{
    AccountId, CustomerId, HoldId, OperationId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId,
    TransferId,
};
use crate::money::{Amount, Money};
use crate::order::event::PaymentAmount;
use crate::order::pricing::PricedLine;
use crate::order::{Fulfilment, LineQuantity, OrderPaymentStatus, OrderStatus, PaymentStep};
use crate::payment::{CaptureMode, OperationCause, Payer, PaymentStatus};
use crate::text::Text;

/// A value of a member of an object.
pub trait Json {
    /// Appends the value.
    fn put(&self, buffer: &mut Vec<u8>);

    /// Whether the member is left out.
    fn is_absent(&self) -> bool {
        false
    }
}

/// Appends an object: `object!(buffer, first: value, second: value, …)`, each value a reference to a [`Json`]. Members
/// that are absent are left out; the first never is.
#[macro_export]
macro_rules! object {
    ($buffer:expr, $first:ident: $first_value:expr $(, $name:ident: $value:expr)* $(,)?) => {{
        let buffer: &mut Vec<u8> = $buffer;
        buffer.extend_from_slice(concat!("{\"", stringify!($first), "\":").as_bytes());
        $crate::json::Json::put($first_value, buffer);
        $(if !$crate::json::Json::is_absent($value) {
            buffer.extend_from_slice(concat!(",\"", stringify!($name), "\":").as_bytes());
            $crate::json::Json::put($value, buffer);
        })*
        buffer.push(b'}');
    }};
}
pub use crate::object;

/// A word that has nothing to escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(pub &'static str);

impl Json for Word {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_plain(buffer, self.0);
    }
}

/// Appends a number in decimal.
fn put_number(buffer: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    buffer.extend_from_slice(&digits[at..]);
}

/// Appends a text that has nothing to escape.
fn put_plain(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    buffer.extend_from_slice(text.as_bytes());
    buffer.push(b'"');
}

macro_rules! plain {
    ($($name:ty),*) => {$(
        // Out of A-Z a-z 0-9 _ . : - only.
        impl Json for $name {
            fn put(&self, buffer: &mut Vec<u8>) {
                put_plain(buffer, self.as_str());
            }
        }
    )*};
}
plain!(
    AccountId,
    CustomerId,
    HoldId,
    OperationId,
    OrderId,
    OwnerId,
    PaymentId,
    ProductId,
    ReturnId,
    ShipmentId,
    TransferId
);

macro_rules! words {
    ($($name:ty { $($variant:ident = $word:literal),* })*) => {$(
        impl Json for $name {
            fn put(&self, buffer: &mut Vec<u8>) {
                put_plain(buffer, match self { $(Self::$variant => $word),* });
            }
        }
    )*};
}
words! {
    ReversalSide { Returned = "returned", Restored = "restored" }
    FreezeScope { Debits = "debits", All = "all" }
    CaptureMode { Automatic = "automatic", OnShipment = "on_shipment", Manual = "manual" }
    PaymentStep { Authorized = "authorized", Captured = "captured", Voided = "voided", Refunded = "refunded" }
    OperationCause {
        Request = "request", Automatic = "automatic", Shipment = "shipment", Return = "return",
        Cancellation = "cancellation"
    }
    AccountStatus { Open = "open", FrozenDebits = "frozen_debits", Frozen = "frozen", Closed = "closed" }
    OrderPaymentStatus {
        Unpaid = "unpaid", Authorized = "authorized", PartiallyPaid = "partially_paid", Paid = "paid",
        PartiallyRefunded = "partially_refunded", Refunded = "refunded"
    }
    Fulfilment {
        Unfulfilled = "unfulfilled", PartiallyShipped = "partially_shipped", Shipped = "shipped",
        Delivered = "delivered"
    }
}

macro_rules! objects {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Json for $name {
            fn put(&self, buffer: &mut Vec<u8>) {
                object!(buffer, $($field: &self.$field),*);
            }
        }
    )*};
}
objects! {
    Money { amount, currency }
    LineQuantity { product_id, quantity }
    PaymentAmount { payment_id, amount }
    PricedLine { product_id, name, quantity, unit_price, discount, tax_rate_bps, tax, total }
}

macro_rules! tagged {
    ($($name:ident::$variant:ident = $tag:literal $(, or $other:ident = $word:literal)?;)*) => {$(
        impl Json for $name {
            fn put(&self, buffer: &mut Vec<u8>) {
                match self {
                    Self::$variant(value) => {
                        buffer.extend_from_slice(concat!("{\"", $tag, "\":").as_bytes());
                        value.put(buffer);
                        buffer.push(b'}');
                    }
                    $(Self::$other => put_plain(buffer, $word),)?
                }
            }
        }
    )*};
}
tagged! {
    CaptureTo::Account = "account", or External = "external";
    Payer::Account = "account_id";
}

impl<T: Json> Json for Vec<T> {
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            value.put(buffer);
        }
        buffer.push(b']');
    }
}

impl Json for OrderStatus {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_plain(buffer, self.as_str());
    }
}

impl Json for PaymentStatus {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_plain(buffer, self.as_str());
    }
}

impl<T: Json> Json for &T {
    fn put(&self, buffer: &mut Vec<u8>) {
        T::put(self, buffer);
    }
}

impl Json for bool {
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Json for i64 {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_number(buffer, *self);
    }
}

impl<T: Json> Json for Option<T> {
    fn put(&self, buffer: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(buffer),
            None => buffer.extend_from_slice(b"null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl Json for Amount {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_number(buffer, self.minor_units());
    }
}

impl Json for Currency {
    fn put(&self, buffer: &mut Vec<u8>) {
        let [a, b, c] = self.bytes();
        buffer.extend_from_slice(&[b'"', a, b, c, b'"']);
    }
}

impl Json for Text {
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.push(b'"');
        // A text has no control characters, so nothing else is to be escaped.
        for piece in self.as_str().split_inclusive(['"', '\\']) {
            match piece.as_bytes() {
                [before @ .., escaped @ (b'"' | b'\\')] => {
                    buffer.extend_from_slice(before);
                    buffer.extend_from_slice(&[b'\\', *escaped]);
                }
                plain => buffer.extend_from_slice(plain),
            }
        }
        buffer.push(b'"');
    }
}
