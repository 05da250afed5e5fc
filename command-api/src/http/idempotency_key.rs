//! Idempotency keys: what a client calls a request, so that asking again does it once.

use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::field::FieldType;

/// The longest key, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 255;

/// 1 to [`KEY_BYTES_MAX`] visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdempotencyKey(pub(super) Arc<str>);

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    /// A sentence about what is wrong with it, to follow its name.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, String> {
        let rule = "use 1 to 255 visible ASCII characters, such as a UUID";
        if bytes.is_empty() {
            return Err(format!("is empty; {rule}"));
        }
        if bytes.len() > KEY_BYTES_MAX {
            return Err(format!("has {} characters; {rule}", bytes.len()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if bytes.iter().all(u8::is_ascii_graphic) => Ok(Self(Arc::from(text))),
            _ => Err(format!("has a space or a character that is not visible ASCII; {rule}")),
        }
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = IdempotencyKey;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(IdempotencyKey::EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<IdempotencyKey, E> {
                IdempotencyKey::new(text.as_bytes()).map_err(|wrong| E::custom(format!("the key {wrong}")))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl FieldType for IdempotencyKey {
    const EXPECTED: &'static str = "an idempotency key: text of 1 to 255 visible ASCII characters, such as a UUID";
    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[!-~]{1,255}$"})
    }
    fn example() -> Value {
        json!("2026-01-31/rent/alice")
    }
}
