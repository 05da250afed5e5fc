//! ISO 4217: which currencies there are and how many digits their minor unit has. Nothing else.
//! Source: ISO 4217 list one (active codes), without funds, metals and testing codes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An active ISO 4217 currency, such as `GBP`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Why a text is not a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an ISO 4217 currency; use a three-letter code in capitals such as USD, EUR or GBP")]
pub struct UnknownCurrency {
    /// The text that was read, at most 16 characters of it.
    pub text: String,
}

/// Currencies with two digits after the point.
const EXPONENT_2: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD \
NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP \
SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
/// Currencies without a minor unit.
const EXPONENT_0: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
/// Currencies with three digits after the point.
const EXPONENT_3: &str = "BHD IQD JOD KWD LYD OMR TND";

impl Currency {
    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// The code's letters.
    pub(crate) const fn bytes(self) -> [u8; 3] {
        self.0
    }

    /// How many digits the minor unit has after the point: 2 for GBP, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        if listed(EXPONENT_2, self.0) {
            2
        } else if listed(EXPONENT_3, self.0) {
            3
        } else {
            0
        }
    }

    /// Every currency there is, in no promised order.
    pub fn all() -> impl Iterator<Item = Self> {
        [EXPONENT_2, EXPONENT_0, EXPONENT_3]
            .into_iter()
            .flat_map(str::split_ascii_whitespace)
            .filter_map(|c| c.parse().ok())
    }
}

/// Codes stand four bytes apart in the lists, so that a look-up is a strided comparison.
fn listed(list: &str, code: [u8; 3]) -> bool {
    list.as_bytes().chunks(4).any(|entry| entry[..3] == code)
}

/// One bit for each of the 26³ codes there could be: a currency is read with every amount, so it is looked up, not
/// searched.
const ACTIVE: [u64; CODES.div_ceil(64)] = {
    let mut bits = [0; CODES.div_ceil(64)];
    let lists = [EXPONENT_2.as_bytes(), EXPONENT_0.as_bytes(), EXPONENT_3.as_bytes()];
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            let code = [lists[list][at], lists[list][at + 1], lists[list][at + 2]];
            let index = match index(code) {
                Some(index) => index,
                None => panic!("the lists hold capital letters only"),
            };
            bits[index / 64] |= 1 << (index % 64);
            at += 4;
        }
        list += 1;
    }
    bits
};

/// How many codes of three capital letters there are.
const CODES: usize = 26 * 26 * 26;

/// The number of a code among all codes of three capital letters.
const fn index(code: [u8; 3]) -> Option<usize> {
    if code[0].is_ascii_uppercase() && code[1].is_ascii_uppercase() && code[2].is_ascii_uppercase() {
        Some(((code[0] - b'A') as usize * 26 + (code[1] - b'A') as usize) * 26 + (code[2] - b'A') as usize)
    } else {
        None
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let code = text.as_bytes().try_into().ok();
        code.filter(|code| index(*code).is_some_and(|index| ACTIVE[index / 64] >> (index % 64) & 1 == 1))
            .map(Self)
            .ok_or_else(|| UnknownCurrency { text: text.chars().take(16).collect() })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;
        impl serde::de::Visitor<'_> for CodeVisitor {
            type Value = Currency;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an ISO 4217 currency code such as \"USD\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Currency, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(CodeVisitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn exponents_follow_iso_4217() {
        for (code, exponent) in [("GBP", 2), ("JPY", 0), ("KWD", 3), ("USD", 2), ("CLP", 0), ("TND", 3), ("ZWG", 2)] {
            assert_eq!(code.parse::<Currency>().unwrap().exponent(), exponent, "{code}");
        }
        assert_eq!(Currency::all().count(), 155);
        assert_eq!(Currency::all().map(|c| c.code().to_owned()).collect::<std::collections::BTreeSet<_>>().len(), 155);
    }

    #[test]
    fn what_is_not_a_currency_is_refused_by_name() {
        for text in ["", "usd", "US", "USDX", "XXX", "D A", " AE", "£££"] {
            assert!(text.parse::<Currency>().is_err(), "{text:?}");
        }
    }
}
