//! What a field of a command can hold: how it is read, described, shown as an example, and explained when it is wrong.
//! The meaning of the values is the domain's; nothing of HTTP is here.

pub(super) mod effective_at;
pub(super) mod objects;
mod scalars;

use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::explain::{Faults, scalar};

/// A type that a field can have.
pub(super) trait FieldType: DeserializeOwned {
    /// What is expected, so that it can follow "must be".
    const EXPECTED: &'static str;

    /// Its JSON Schema.
    fn schema() -> Value;

    /// A value that is right.
    fn example() -> Value;

    /// Reads a value: as its type does, except for what that takes besides the form that is documented.
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

/// Reads a word and nothing else: a derived reader would take `{"word":null}` too.
fn word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Word<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Word<T> {
        type Value = T;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a word")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            T::deserialize(text.into_deserializer())
        }
    }
    deserializer.deserialize_str(Word(PhantomData))
}
