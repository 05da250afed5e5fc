//! Money: integer minor units of one ISO 4217 currency. No floating point, every sum checked.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::currency::Currency;

/// The largest amount, in minor units, of any single sum: 2^53 − 1, so that every JSON reader has it exactly.
pub const AMOUNT_MAX: i64 = (1 << 53) - 1;

/// An amount of minor units (cents, pence) whose magnitude is at most [`AMOUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Amount(i64);

/// A sum left the range of ±[`AMOUNT_MAX`] minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum is beyond ±9007199254740991 minor units")]
pub struct AmountOverflow;

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount of so many minor units.
    ///
    /// # Errors
    /// [`AmountOverflow`] beyond ±[`AMOUNT_MAX`].
    pub fn new(minor_units: i64) -> Result<Self, AmountOverflow> {
        if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&minor_units) { Ok(Self(minor_units)) } else { Err(AmountOverflow) }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// [`AmountOverflow`] beyond ±[`AMOUNT_MAX`].
    pub fn plus(self, other: Self) -> Result<Self, AmountOverflow> {
        Self::new(self.0 + other.0)
    }

    /// The difference of two amounts.
    ///
    /// # Errors
    /// [`AmountOverflow`] beyond ±[`AMOUNT_MAX`].
    pub fn minus(self, other: Self) -> Result<Self, AmountOverflow> {
        Self::new(self.0 - other.0)
    }

    /// `self × numerator ÷ denominator`, rounded half to even.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the result is beyond ±[`AMOUNT_MAX`]; `denominator` must be positive, anything else is
    /// an overflow too.
    pub fn times_ratio(self, numerator: i64, denominator: i64) -> Result<Self, AmountOverflow> {
        if denominator <= 0 {
            return Err(AmountOverflow);
        }
        let product = i128::from(self.0) * i128::from(numerator);
        let denominator = i128::from(denominator);
        let floor = product.div_euclid(denominator);
        let twice_rest = product.rem_euclid(denominator) * 2;
        let up = twice_rest > denominator || (twice_rest == denominator && floor % 2 != 0);
        i64::try_from(floor + i128::from(up)).map_err(|_| AmountOverflow).and_then(Self::new)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl serde::de::Visitor<'_> for AmountVisitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an integer of minor units between -9007199254740991 and 9007199254740991 (12.50 USD is 1250)",
                )
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Amount, E> {
                Amount::new(value).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Amount, E> {
                i64::try_from(value)
                    .ok()
                    .and_then(|v| Amount::new(v).ok())
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(value), &self))
            }
        }
        deserializer.deserialize_i64(AmountVisitor)
    }
}

/// An amount of one currency: `{"amount":1250,"currency":"USD"}` is 12.50 US dollars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units of the currency.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// So much of a currency.
    #[must_use]
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }
}

impl fmt::Display for Money {
    /// Writes the amount in major units: `12.50 USD`, `-3 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.exponent();
        let scale = 10_u64.pow(digits);
        let magnitude = self.amount.minor_units().unsigned_abs();
        let sign = if self.amount.minor_units() < 0 { "-" } else { "" };
        let major = magnitude / scale;
        if digits == 0 {
            write!(f, "{sign}{major} {}", self.currency)
        } else {
            write!(f, "{sign}{major}.{:0width$} {}", magnitude % scale, self.currency, width = digits as usize)
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ratio_rounds_half_to_even() {
        let ratio = |amount, n, d| Amount(amount).times_ratio(n, d).unwrap().minor_units();
        assert_eq!([ratio(5, 1, 2), ratio(7, 1, 2), ratio(-5, 1, 2), ratio(-7, 1, 2)], [2, 4, -2, -4]);
        assert_eq!([ratio(10, 1, 3), ratio(20, 1, 3), ratio(1000, 825, 10_000)], [3, 7, 82]);
        assert_eq!(Amount(AMOUNT_MAX).times_ratio(2, 1), Err(AmountOverflow));
        assert_eq!(Amount(AMOUNT_MAX).times_ratio(AMOUNT_MAX, AMOUNT_MAX), Ok(Amount(AMOUNT_MAX)));
    }

    #[test]
    fn money_is_shown_in_major_units() {
        let show = |amount, code: &str| Money::new(Amount(amount), code.parse().unwrap()).to_string();
        assert_eq!(show(1250, "USD"), "12.50 USD");
        assert_eq!(show(-5, "GBP"), "-0.05 GBP");
        assert_eq!(show(-3, "JPY"), "-3 JPY");
        assert_eq!(show(1005, "KWD"), "1.005 KWD");
    }

    #[test]
    fn amounts_beyond_the_bound_are_refused() {
        assert_eq!(Amount::new(AMOUNT_MAX).unwrap().plus(Amount(1)), Err(AmountOverflow));
        let error = serde_json::from_str::<Money>(r#"{"amount":9007199254740992,"currency":"USD"}"#).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("invalid value: integer `9007199254740992`, expected an integer of minor units"),
            "{error}"
        );
        let error = serde_json::from_str::<Money>(r#"{"amount":12.5,"currency":"USD"}"#).unwrap_err();
        assert!(
            error.to_string().starts_with("invalid type: floating point `12.5`, expected an integer of minor units"),
            "{error}"
        );
    }
}
