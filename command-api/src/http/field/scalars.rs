//! Fields that have no fields of their own: ids, texts, numbers, words.

use domain::account::command::FreezeScope;
use domain::currency::Currency;
use domain::ids::{
    AccountId, CustomerId, HoldId, OperationId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId,
    TransferId, Version,
};
use domain::money::Amount;
use domain::payment::CaptureMode;
use domain::text::Text;
use serde::Deserializer;
use serde_json::{Value, json};

use super::{FieldType, word};

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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer)
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer)
    }
}
