//! Identifiers: what may name an account, a product, an order…, a stream, a place in the log.
//! Parsing happens here, once, at the edge; an id that exists is valid. No meaning is read out of an id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// The longest identifier in bytes (all its characters are ASCII).
pub const ID_BYTES_MAX: usize = 64;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text was empty.
    #[error("{what} must not be empty; use 1 to 64 characters out of A-Z a-z 0-9 _ . : -")]
    Empty {
        /// Which kind of identifier was read.
        what: &'static str,
    },
    /// The text was longer than [`ID_BYTES_MAX`].
    #[error("{what} has {bytes} bytes; at most 64 characters out of A-Z a-z 0-9 _ . : - are allowed")]
    TooLong {
        /// Which kind of identifier was read.
        what: &'static str,
        /// How long the text was.
        bytes: usize,
    },
    /// The text held a character that identifiers do not have.
    #[error("{what} contains {character:?}; use 1 to 64 characters out of A-Z a-z 0-9 _ . : -")]
    Character {
        /// Which kind of identifier was read.
        what: &'static str,
        /// The first character that is not allowed.
        character: char,
    },
}

/// Which bytes identifiers are made of.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'.' | b':' | b'-');
        byte += 1;
    }
    allowed
};

fn check(what: &'static str, text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty { what });
    }
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidId::TooLong { what, bytes: text.len() });
    }
    if text.bytes().all(|byte| ALLOWED[usize::from(byte)]) {
        return Ok(());
    }
    // Looked for only now: almost every text that comes here is an identifier.
    match text.chars().find(|c| !u8::try_from(*c).is_ok_and(|byte| ALLOWED[usize::from(byte)])) {
        Some(character) => Err(InvalidId::Character { what, character }),
        None => Ok(()),
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// 1 to 64 characters out of `A-Z a-z 0-9 _ . : -`. Up to 23 of them stand in place; longer texts are shared by clones.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// Reads an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or has a character outside the set.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check($what, text)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor { what: $what, make: Self::new })
            }
        }
    )*};
}

struct IdVisitor<T> {
    what: &'static str,
    make: fn(&str) -> Result<T, InvalidId>,
}

impl<T> serde::de::Visitor<'_> for IdVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (text of 1 to 64 characters out of A-Z a-z 0-9 _ . : -)", self.what)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.make)(text).map_err(E::custom)
    }
}

identifiers! {
    /// Names an account.
    AccountId, "account id";
    /// Names who an account belongs to.
    OwnerId, "owner id";
    /// Names a transfer between two accounts.
    TransferId, "transfer id";
    /// Names a hold; unique within its account.
    HoldId, "hold id";
    /// Names a product (a stock keeping unit).
    ProductId, "product id";
    /// Names an order.
    OrderId, "order id";
    /// Names the customer of an order.
    CustomerId, "customer id";
    /// Names a shipment; unique within its order.
    ShipmentId, "shipment id";
    /// Names a return; unique within its order.
    ReturnId, "return id";
    /// Names a payment.
    PaymentId, "payment id";
    /// Names a capture or a refund; unique within its payment and kind.
    OperationId, "operation id";
}

macro_rules! named_after {
    ($($name:ident: $($other:ident),+;)*) => {$($(
        /// The same text as the name of something else.
        impl From<&$other> for $name {
            fn from(other: &$other) -> Self {
                Self(other.0.clone())
            }
        }
    )+)*};
}

named_after! {
    HoldId: PaymentId;
    OperationId: PaymentId, OrderId, ShipmentId, ReturnId;
}

/// A stream: the events of one aggregate, in order. Written `account-<id>`, `product-<id>`, `order-<id>`,
/// `payment-<id>`; refusals of all commands share the stream `rejections`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamId {
    /// Events of an account.
    Account(AccountId),
    /// Events of a product.
    Product(ProductId),
    /// Events of an order.
    Order(OrderId),
    /// Events of a payment.
    Payment(PaymentId),
    /// Refused commands, whichever stream they were meant for.
    Rejections,
}

impl StreamId {
    /// The stream's kind and, where it has one, the id within the kind.
    #[must_use]
    pub fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Account(id) => ("account", Some(id.as_str())),
            Self::Product(id) => ("product", Some(id.as_str())),
            Self::Order(id) => ("order", Some(id.as_str())),
            Self::Payment(id) => ("payment", Some(id.as_str())),
            Self::Rejections => ("rejections", None),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, Some(id)) => write!(f, "{kind}-{id}"),
            (kind, None) => f.write_str(kind),
        }
    }
}

/// Why a text is not a stream's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStreamId {
    /// The part before the first `-` is not a kind of stream.
    #[error("{text:?} is not a stream: use account-ID, product-ID, order-ID, payment-ID or rejections")]
    Kind {
        /// The text that was read.
        text: String,
    },
    /// The part after the first `-` is not an identifier.
    #[error("not a stream: {0}")]
    Id(#[from] InvalidId),
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        if text == "rejections" {
            return Ok(Self::Rejections);
        }
        match text.split_once('-') {
            Some(("account", id)) => Ok(Self::Account(AccountId::new(id)?)),
            Some(("product", id)) => Ok(Self::Product(ProductId::new(id)?)),
            Some(("order", id)) => Ok(Self::Order(OrderId::new(id)?)),
            Some(("payment", id)) => Ok(Self::Payment(PaymentId::new(id)?)),
            _ => Err(InvalidStreamId::Kind { text: text.chars().take(80).collect() }),
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A place in the log: the first event has position 1, the next 2, with no gap. 0 is "before the first event".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The place before the first event.
    pub const START: Self = Self(0);

    /// The place of the event after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an event within its stream: the first has version 0, the next 1, with no gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_names_the_character_that_is_not_allowed() {
        assert_eq!(
            AccountId::new("a b").unwrap_err().to_string(),
            "account id contains ' '; use 1 to 64 characters out of A-Z a-z 0-9 _ . : -"
        );
        assert_eq!(AccountId::new("").unwrap_err(), InvalidId::Empty { what: "account id" });
        assert_eq!(AccountId::new(&"x".repeat(65)).unwrap_err(), InvalidId::TooLong { what: "account id", bytes: 65 });
        assert_eq!(AccountId::new(&"x".repeat(64)).unwrap().as_str().len(), 64);
    }

    #[test]
    fn a_stream_name_reads_back_as_itself() {
        for name in ["account-a", "product-85123A", "order-inv-536365", "payment-x:y.z", "rejections"] {
            assert_eq!(name.parse::<StreamId>().unwrap().to_string(), name);
        }
        assert!(matches!("wallet-a".parse::<StreamId>(), Err(InvalidStreamId::Kind { .. })));
        assert!(matches!("account-".parse::<StreamId>(), Err(InvalidStreamId::Id(_))));
    }
}
