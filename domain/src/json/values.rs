//! The JSON of what events and answers are made of.

use super::{Json, Written, object, put_number, put_plain, put_unsigned, skip, take_number, take_object, take_plain};
use crate::account::AccountStatus;
use crate::account::command::{CaptureTo, FreezeScope};
use crate::account::event::ReversalSide;
use crate::currency::Currency;
use crate::ids::{
    AccountId, CustomerId, HoldId, OperationId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId,
    TransferId, Version,
};
use crate::money::{Amount, Money};
use crate::order::event::PaymentAmount;
use crate::order::pricing::PricedLine;
use crate::order::{Fulfilment, LineQuantity, OrderPaymentStatus, OrderStatus, PaymentStep};
use crate::payment::{CaptureMode, OperationCause, Payer, PaymentStatus};
use crate::text::Text;

macro_rules! plain {
    ($($name:ty),*) => {$(
        // Out of A-Z a-z 0-9 _ . : - only.
        impl Json for $name {
            fn put(&self, buffer: &mut Vec<u8>) {
                put_plain(buffer, self.as_str());
            }
        }

        impl Written for $name {
            fn take(text: &mut &[u8]) -> Option<Self> {
                Self::new(take_plain(text)?).ok()
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

        impl Written for $name {
            fn take(text: &mut &[u8]) -> Option<Self> {
                match take_plain(text)? {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
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

        impl Written for $name {
            fn take(text: &mut &[u8]) -> Option<Self> {
                take_object!(text, $name { $($field),* })
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

        impl Written for $name {
            fn take(text: &mut &[u8]) -> Option<Self> {
                $(if skip(text, concat!("\"", $word, "\"")).is_some() {
                    return Some(Self::$other);
                })?
                skip(text, concat!("{\"", $tag, "\":"))?;
                let value = Written::take(text)?;
                skip(text, "}")?;
                Some(Self::$variant(value))
            }
        }
    )*};
}
tagged! {
    CaptureTo::Account = "account", or External = "external";
    Payer::Account = "account_id";
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

impl Json for Amount {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_number(buffer, self.minor_units());
    }
}

impl Json for Version {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_unsigned(buffer, self.0);
    }
}

impl Written for Amount {
    fn take(text: &mut &[u8]) -> Option<Self> {
        Self::new(take_number(text)?).ok()
    }
}

impl Written for Currency {
    fn take(text: &mut &[u8]) -> Option<Self> {
        take_plain(text)?.parse().ok()
    }
}

impl Written for Text {
    fn take(text: &mut &[u8]) -> Option<Self> {
        Self::new(take_plain(text)?).ok()
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
