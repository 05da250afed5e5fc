//! What a field of a command can hold: how it is described, shown as an example, and explained when it is wrong.
//! The meaning of the values is the domain's; nothing of HTTP is here.

use std::marker::PhantomData;

use chrono::{DateTime, Datelike, Utc};
use domain::account::CaptureTo;
use domain::account::command::FreezeScope;
use domain::currency::Currency;
use domain::ids::{
    AccountId, CustomerId, HoldId, OperationId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId,
    TransferId, Version,
};
use domain::money::{Amount, Money};
use domain::order::LineQuantity;
use domain::payment::{CaptureMode, Payer};
use domain::text::Text;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::explain::{Faults, Member, array_of, members, scalar};

/// A type that a field can have.
pub(super) trait FieldType: DeserializeOwned {
    /// What is expected, so that it can follow "must be".
    const EXPECTED: &'static str;

    /// Its JSON Schema.
    fn schema() -> Value;

    /// A value that is right.
    fn example() -> Value;

    /// Reads a value: as its type does, except that what is an object cannot be written as an array of its fields.
    ///
    /// # Errors
    /// The deserializer's, when the value is not right.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    /// Adds what is wrong with a value, field by field where it has fields.
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        scalar::<Self>(value, at, faults);
    }
}

/// Reads a field that can be absent or null.
///
/// # Errors
/// The deserializer's, when the value is not right.
pub(super) fn optional<'de, T: FieldType, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Strict<T>>::deserialize(deserializer)?.map(|Strict(value)| value))
}

/// A value that is read as its field type says.
struct Strict<T>(T);

impl<'de, T: FieldType> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Strict)
    }
}

/// Reads an object and nothing else: a derived reader would take an array of the fields' values too.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

macro_rules! ids {
    ($($id:ty: $example:literal),* $(,)?) => {$(
        impl FieldType for $id {
            const EXPECTED: &'static str = "an id: text of 1 to 64 characters out of A-Z a-z 0-9 _ . : -";
            fn schema() -> Value {
                json!({"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"})
            }
            fn example() -> Value {
                json!($example)
            }
        }
    )*};
}

ids! {
    AccountId: "acct_alice",
    OwnerId: "alice",
    TransferId: "tr_rent_2026_01",
    HoldId: "hold_1",
    ProductId: "85123A",
    OrderId: "ord_1001",
    CustomerId: "cust_17850",
    ShipmentId: "shp_1",
    ReturnId: "ret_1",
    PaymentId: "pay_1",
    OperationId: "op_1",
}

impl FieldType for Currency {
    const EXPECTED: &'static str = "an ISO 4217 currency code such as \"USD\"";
    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[A-Z]{3}$"})
    }
    fn example() -> Value {
        json!("USD")
    }
}

impl FieldType for Amount {
    const EXPECTED: &'static str =
        "a whole number of minor units (12.50 USD is 1250) between -9007199254740991 and 9007199254740991";
    fn schema() -> Value {
        json!({"type": "integer", "format": "int64", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64})
    }
    fn example() -> Value {
        json!(1250)
    }
}

impl FieldType for Money {
    const EXPECTED: &'static str =
        "an amount of money such as {\"amount\":1250,\"currency\":\"USD\"} (minor units: 12.50 USD)";
    fn schema() -> Value {
        json!({"$ref": "#/components/schemas/Money"})
    }
    fn example() -> Value {
        json!({"amount": 1250, "currency": "USD"})
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        let known = [Member::required::<Amount>("amount"), Member::required::<Currency>("currency")];
        members(value, at, Self::EXPECTED, &known, faults);
    }
}

impl FieldType for Text {
    const EXPECTED: &'static str = "text of 1 to 256 characters on one line";
    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": 256})
    }
    fn example() -> Value {
        json!("asked for by the customer")
    }
}

impl FieldType for i64 {
    const EXPECTED: &'static str = "a whole number of at most 16 digits";
    fn schema() -> Value {
        json!({"type": "integer", "format": "int64"})
    }
    fn example() -> Value {
        json!(2)
    }
}

impl FieldType for bool {
    const EXPECTED: &'static str = "true or false";
    fn schema() -> Value {
        json!({"type": "boolean"})
    }
    fn example() -> Value {
        json!(true)
    }
}

impl FieldType for Version {
    const EXPECTED: &'static str =
        "a version: a whole number from 0 on, as an answer gives it in the header ETag and in its events";
    fn schema() -> Value {
        json!({"type": "integer", "format": "int64", "minimum": 0})
    }
    fn example() -> Value {
        json!(3)
    }
}

impl FieldType for FreezeScope {
    const EXPECTED: &'static str = "\"debits\" (money may still come in) or \"all\"";
    fn schema() -> Value {
        json!({"type": "string", "enum": ["debits", "all"]})
    }
    fn example() -> Value {
        json!("debits")
    }
}

impl FieldType for CaptureMode {
    const EXPECTED: &'static str = "\"automatic\", \"on_shipment\" or \"manual\"";
    fn schema() -> Value {
        json!({"type": "string", "enum": ["automatic", "on_shipment", "manual"]})
    }
    fn example() -> Value {
        json!("manual")
    }
}

impl FieldType for Payer {
    const EXPECTED: &'static str = "an object that names who pays: {\"account_id\":\"…\"}";
    fn schema() -> Value {
        json!({"$ref": "#/components/schemas/Payer"})
    }
    fn example() -> Value {
        json!({"account_id": "acct_alice"})
    }
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        members(value, at, Self::EXPECTED, &[Member::required::<AccountId>("account_id")], faults);
    }
}

impl FieldType for LineQuantity {
    const EXPECTED: &'static str = "a line such as {\"product_id\":\"85123A\",\"quantity\":2}";
    fn schema() -> Value {
        json!({"$ref": "#/components/schemas/LineQuantity"})
    }
    fn example() -> Value {
        json!({"product_id": "85123A", "quantity": 2})
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        let known = [Member::required::<ProductId>("product_id"), Member::required::<i64>("quantity")];
        members(value, at, Self::EXPECTED, &known, faults);
    }
}

impl FieldType for Vec<LineQuantity> {
    const EXPECTED: &'static str = "an array of lines such as [{\"product_id\":\"85123A\",\"quantity\":2}]";
    fn schema() -> Value {
        json!({"type": "array", "items": LineQuantity::schema()})
    }
    fn example() -> Value {
        json!([LineQuantity::example()])
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lines = Vec::<Strict<LineQuantity>>::deserialize(deserializer)?;
        Ok(lines.into_iter().map(|Strict(line)| line).collect())
    }
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        array_of::<LineQuantity>(value, at, Self::EXPECTED, faults);
    }
}

/// Where captured money goes, as a client writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum CaptureTarget {
    /// To another account.
    #[serde(rename = "account_id")]
    Account(AccountId),
    /// Out of Bursar.
    #[serde(rename = "external")]
    External,
}

impl From<CaptureTarget> for CaptureTo {
    fn from(target: CaptureTarget) -> Self {
        match target {
            CaptureTarget::Account(id) => Self::Account(id),
            CaptureTarget::External => Self::External,
        }
    }
}

impl FieldType for CaptureTarget {
    const EXPECTED: &'static str = "{\"account_id\":\"…\"} for another account, or \"external\" for out of Bursar";
    fn schema() -> Value {
        json!({"$ref": "#/components/schemas/CaptureTarget"})
    }
    fn example() -> Value {
        json!({"account_id": "acct_bob"})
    }
    fn explain(value: &Value, at: &str, faults: &mut Faults) {
        match value {
            Value::Object(_) => {
                members(value, at, Self::EXPECTED, &[Member::required::<AccountId>("account_id")], faults);
            }
            other => scalar::<Self>(other, at, faults),
        }
    }
}

/// When something happened in business, as RFC 3339 writes it; in UTC, of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct EffectiveAt(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for EffectiveAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = EffectiveAt;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(EffectiveAt::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EffectiveAt, E> {
                let read = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
                let told = read.filter(|time| (1..=9999).contains(&time.year()));
                told.map(EffectiveAt).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(TimeVisitor)
    }
}

impl FieldType for EffectiveAt {
    const EXPECTED: &'static str = "a time as in RFC 3339, such as \"2026-01-31T09:30:00Z\"";
    fn schema() -> Value {
        json!({"type": "string", "format": "date-time"})
    }
    fn example() -> Value {
        json!("2026-01-31T09:30:00Z")
    }
}

/// The objects that the schemas of fields refer to, by name.
pub(super) fn components() -> [(&'static str, Value); 4] {
    let with = |properties: Value, required: Value, description: &str| {
        json!({
            "type": "object", "description": description, "properties": properties, "required": required,
            "additionalProperties": false
        })
    };
    [
        (
            "Money",
            with(
                json!({"amount": Amount::schema(), "currency": Currency::schema()}),
                json!(["amount", "currency"]),
                "An amount in minor units of an ISO 4217 currency: 1250 and USD is 12.50 US dollars.",
            ),
        ),
        (
            "LineQuantity",
            with(
                json!({"product_id": ProductId::schema(), "quantity": i64::schema()}),
                json!(["product_id", "quantity"]),
                "How many of a product.",
            ),
        ),
        ("Payer", with(json!({"account_id": AccountId::schema()}), json!(["account_id"]), "Who pays.")),
        (
            "CaptureTarget",
            json!({
                "description": "Where captured money goes.",
                "oneOf": [
                    with(json!({"account_id": AccountId::schema()}), json!(["account_id"]), "To another account."),
                    {"type": "string", "enum": ["external"], "description": "Out of Bursar."}
                ]
            }),
        ),
    ]
}
