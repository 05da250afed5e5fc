//! The time of business, as clients write it.

use chrono::{DateTime, Datelike, Utc};
use domain::json::Json;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::FieldType;

/// When something happened in business, as RFC 3339 writes it; in UTC, of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(in crate::http) struct EffectiveAt(pub(in crate::http) DateTime<Utc>);

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

impl Json for EffectiveAt {
    fn put(&self, buffer: &mut Vec<u8>) {
        serde_json::to_writer(buffer, self).expect("a time can always be written as JSON");
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
