//! Fields that have fields of their own.

use domain::account::CaptureTo;
use domain::currency::Currency;
use domain::ids::{AccountId, ProductId};
use domain::json::Json;
use domain::money::{Amount, Money};
use domain::order::LineQuantity;
use domain::payment::Payer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{FieldType, Strict, object};
use crate::http::explain::{Faults, Member, array_of, members, scalar};

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
pub(in crate::http) enum CaptureTarget {
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

impl Json for CaptureTarget {
    fn put(&self, buffer: &mut Vec<u8>) {
        serde_json::to_writer(buffer, self).expect("a target can always be written as JSON");
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;
        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = CaptureTarget;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(CaptureTarget::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CaptureTarget, E> {
                CaptureTarget::deserialize(text.into_deserializer())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CaptureTarget, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Account {
                    account_id: AccountId,
                }
                let Account { account_id } = Account::deserialize(MapAccessDeserializer::new(map))?;
                Ok(CaptureTarget::Account(account_id))
            }
        }
        deserializer.deserialize_any(TargetVisitor)
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

/// The objects that the schemas of fields refer to, by name.
pub(in crate::http) fn components() -> [(&'static str, Value); 4] {
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
