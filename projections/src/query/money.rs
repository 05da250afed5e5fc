//! Money as answers have it.

use serde::Serialize;
use utoipa::ToSchema;

/// An amount of one currency, in minor units: 1250 USD is 12.50 US dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Money {
    /// Minor units.
    #[schema(example = 1250)]
    pub(super) amount: i64,
    /// ISO 4217 code.
    #[schema(example = "USD")]
    pub(super) currency: String,
}

impl Money {
    pub(super) fn new(amount: i64, currency: &str) -> Self {
        Self { amount, currency: currency.to_owned() }
    }
}

/// A sum of many amounts of one currency, in minor units. Its digits are exact; beyond 2^53 a reader needs integers of
/// more than 53 bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Sum {
    /// Minor units.
    #[schema(value_type = i64, example = 18423983)]
    pub(super) amount: i128,
    /// ISO 4217 code.
    #[schema(example = "GBP")]
    pub(super) currency: String,
}

impl Sum {
    pub(super) fn new(amount: i128, currency: &str) -> Self {
        Self { amount, currency: currency.to_owned() }
    }
}
