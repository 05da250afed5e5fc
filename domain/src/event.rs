//! The closed set of events and the envelope they are recorded in. How each looks in JSON is fixed by its schema
//! version; golden files hold every version ever written. As yet each is the first of its type.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::account::AccountEvent;
use crate::ids::{Position, StreamId, Version};
use crate::order::OrderEvent;
use crate::payment::PaymentEvent;
use crate::product::ProductEvent;
use crate::rejection::Rejection;

/// Declares the events of one aggregate: a struct for each, the enum over them, and their names and schema versions.
macro_rules! events {
    (
        $(#[doc = $enum_doc:literal])* $enum:ident of $id:ident: $id_type:ty;
        $($(#[doc = $doc:literal])* $name:ident = $type_name:literal v $schema:literal {
            $($(#[$field_attr:meta])* $field:ident: $field_type:ty),* $(,)?
        })*
    ) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                /// Which one it happened to.
                pub $id: $id_type,
                $($(#[$field_attr])* pub $field: $field_type,)*
            }

            impl From<$name> for $enum {
                fn from(event: $name) -> Self {
                    Self::$name(event)
                }
            }
        )*

        $(#[doc = $enum_doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $enum {
            $($(#[doc = $doc])* $name($name),)*
        }

        impl $enum {
            /// Every event type and its newest schema version.
            pub const TYPES: &'static [(&'static str, u16)] = &[$(($type_name, $schema)),*];

            /// Which one it happened to.
            #[must_use]
            pub fn $id(&self) -> &$id_type {
                match self { $(Self::$name(event) => &event.$id,)* }
            }

            /// The stable name of the event's type.
            #[must_use]
            pub fn event_type(&self) -> &'static str {
                match self { $(Self::$name(_) => $type_name,)* }
            }

            /// The schema version that this program writes.
            #[must_use]
            pub fn schema_version(&self) -> u16 {
                match self { $(Self::$name(_) => $schema,)* }
            }

            /// Reads the JSON that [`put_json`](Self::put_json) writes; `None` for any other.
            pub(crate) fn from_json(event_type: &str, schema_version: u16, json: &[u8]) -> Option<Self> {
                match (event_type, schema_version) {
                    $(($type_name, $schema) => {
                        let mut text = json;
                        let event: Option<$name> = (|| {
                            $crate::json::take_object!(&mut text, $name { $id $(, $field)* })
                        })();
                        event.filter(|_| text.is_empty()).map(Self::$name)
                    })*
                    _ => None,
                }
            }

            /// Appends the event's JSON: the bytes that its `Serialize` gives.
            pub fn put_json(&self, buffer: &mut Vec<u8>) {
                match self {
                    $(Self::$name(event) => $crate::json::object!(buffer, $id: &event.$id $(, $field: &event.$field)*),)*
                }
            }

            pub(crate) fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(event) => serde::Serialize::serialize(event, serializer),)* }
            }

            /// Reads the newest schema version.
            pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(
                event_type: &str,
                schema_version: u16,
                deserializer: D,
            ) -> Result<Self, $crate::event::DecodeError<D::Error>> {
                use $crate::event::DecodeError;
                match (event_type, schema_version) {
                    $(($type_name, $schema) => {
                        serde::Deserialize::deserialize(deserializer).map(Self::$name).map_err(DecodeError::Body)
                    })*
                    _ => Err(DecodeError::unknown(event_type, schema_version)),
                }
            }
        }
    };
}
pub(crate) use events;

/// A command that was refused, kept because an auditor wants to see refusals too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRejected {
    /// The command's type, such as `withdraw`.
    pub command: String,
    /// The stream it was meant for.
    pub stream: StreamId,
    /// Why it was refused.
    pub rejection: Rejection,
}

/// The type under which a [`CommandRejected`] is recorded, and its schema version.
pub const COMMAND_REJECTED: (&str, u16) = ("command_rejected", 1);

/// Everything that can have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happened to an account.
    Account(AccountEvent),
    /// Something happened to a product.
    Product(ProductEvent),
    /// Something happened to an order.
    Order(OrderEvent),
    /// Something happened to a payment.
    Payment(PaymentEvent),
    /// A command was refused.
    Rejected(CommandRejected),
}

/// Why recorded bytes are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError<E> {
    /// A type or schema version that this program does not know.
    #[error(
        "event type {event_type:?} with schema version {schema_version} is unknown; it was written by a newer version of Bursar"
    )]
    Unknown {
        /// The type.
        event_type: String,
        /// The schema version.
        schema_version: u16,
    },
    /// The body does not have the form of its type.
    #[error("the event's body does not have the form of its type: {0}")]
    Body(E),
}

impl<E> DecodeError<E> {
    pub(crate) fn unknown(event_type: &str, schema_version: u16) -> Self {
        Self::Unknown { event_type: event_type.to_owned(), schema_version }
    }
}

impl Event {
    /// Every event type and its newest schema version.
    pub fn types() -> impl Iterator<Item = (&'static str, u16)> {
        [AccountEvent::TYPES, ProductEvent::TYPES, OrderEvent::TYPES, PaymentEvent::TYPES, &[COMMAND_REJECTED]]
            .into_iter()
            .flatten()
            .copied()
    }

    /// The stable name of the event's type, such as `funds_deposited`.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Account(event) => event.event_type(),
            Self::Product(event) => event.event_type(),
            Self::Order(event) => event.event_type(),
            Self::Payment(event) => event.event_type(),
            Self::Rejected(_) => COMMAND_REJECTED.0,
        }
    }

    /// The schema version that this program writes.
    #[must_use]
    pub fn schema_version(&self) -> u16 {
        match self {
            Self::Account(event) => event.schema_version(),
            Self::Product(event) => event.schema_version(),
            Self::Order(event) => event.schema_version(),
            Self::Payment(event) => event.schema_version(),
            Self::Rejected(_) => COMMAND_REJECTED.1,
        }
    }

    /// The stream that the event belongs to.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        match self {
            Self::Account(event) => StreamId::Account(event.account_id().clone()),
            Self::Product(event) => StreamId::Product(event.product_id().clone()),
            Self::Order(event) => StreamId::Order(event.order_id().clone()),
            Self::Payment(event) => StreamId::Payment(event.payment_id().clone()),
            Self::Rejected(_) => StreamId::Rejections,
        }
    }

    /// Reads the newest schema version as this program writes it, quickly; `None` for all else, which may be an event
    /// all the same: [`Event::decode`] tells.
    #[must_use]
    pub fn from_json(event_type: &str, schema_version: u16, json: &[u8]) -> Option<Self> {
        AccountEvent::from_json(event_type, schema_version, json)
            .map(Self::Account)
            .or_else(|| OrderEvent::from_json(event_type, schema_version, json).map(Self::Order))
            .or_else(|| PaymentEvent::from_json(event_type, schema_version, json).map(Self::Payment))
            .or_else(|| ProductEvent::from_json(event_type, schema_version, json).map(Self::Product))
    }

    /// Reads an event of any schema version ever written.
    ///
    /// # Errors
    /// [`DecodeError`] when the type is unknown or the body does not have its form.
    pub fn decode<'de, D: Deserializer<'de>>(
        event_type: &str,
        schema_version: u16,
        deserializer: D,
    ) -> Result<Self, DecodeError<D::Error>> {
        let is_of = |types: &[(&str, u16)]| types.iter().any(|(name, _)| *name == event_type);
        if is_of(AccountEvent::TYPES) {
            AccountEvent::deserialize(event_type, schema_version, deserializer).map(Self::Account)
        } else if is_of(OrderEvent::TYPES) {
            OrderEvent::deserialize(event_type, schema_version, deserializer).map(Self::Order)
        } else if is_of(PaymentEvent::TYPES) {
            PaymentEvent::deserialize(event_type, schema_version, deserializer).map(Self::Payment)
        } else if is_of(ProductEvent::TYPES) {
            ProductEvent::deserialize(event_type, schema_version, deserializer).map(Self::Product)
        } else if (event_type, schema_version) == COMMAND_REJECTED {
            CommandRejected::deserialize(deserializer).map(Self::Rejected).map_err(DecodeError::Body)
        } else {
            Err(DecodeError::unknown(event_type, schema_version))
        }
    }
}

/// An event's JSON is the object of its fields alone; its type and schema version stand beside it in the envelope.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Account(event) => event.serialize(serializer),
            Self::Product(event) => event.serialize(serializer),
            Self::Order(event) => event.serialize(serializer),
            Self::Payment(event) => event.serialize(serializer),
            Self::Rejected(event) => event.serialize(serializer),
        }
    }
}

impl From<AccountEvent> for Event {
    fn from(event: AccountEvent) -> Self {
        Self::Account(event)
    }
}

impl From<ProductEvent> for Event {
    fn from(event: ProductEvent) -> Self {
        Self::Product(event)
    }
}

impl From<OrderEvent> for Event {
    fn from(event: OrderEvent) -> Self {
        Self::Order(event)
    }
}

impl From<PaymentEvent> for Event {
    fn from(event: PaymentEvent) -> Self {
        Self::Payment(event)
    }
}

/// What all events of one command have in common: who asked for it, when, and under which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// When the engine took the command up; never goes back from one position to the next.
    pub recorded_at: DateTime<Utc>,
    /// When it happened in business, where that differs.
    pub effective_at: Option<DateTime<Utc>>,
    /// Who asked.
    pub principal: Arc<str>,
    /// The command's type, such as `withdraw`.
    pub command: Arc<str>,
    /// The idempotency key it came with.
    pub idempotency_key: Arc<str>,
    /// The request it came with.
    pub request_id: Arc<str>,
    /// What the caller groups requests by; empty where it gave none.
    pub correlation_id: Arc<str>,
}

impl Metadata {
    /// The time that counts in business: the effective time where there is one, else the recorded one.
    #[must_use]
    pub fn business_time(&self) -> DateTime<Utc> {
        self.effective_at.unwrap_or(self.recorded_at)
    }
}

/// An event in its envelope, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Its number within the stream.
    pub version: Version,
    /// What it shares with the other events of its command.
    pub metadata: Arc<Metadata>,
    /// What happened.
    pub event: Event,
}
