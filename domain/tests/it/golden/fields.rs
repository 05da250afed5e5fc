//! The fields that an event type declares, asked of its own `Deserialize`.

use domain::event::Event;
use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};

struct Asking<'a>(&'a mut &'static [&'static str]);

/// Every field of an event type, in the order of declaration.
pub(super) fn of(event_type: &str, schema_version: u16) -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    let answer = Event::decode(event_type, schema_version, Asking(&mut fields));
    assert!(answer.is_err(), "there is nothing to decode");
    assert!(!fields.is_empty(), "{event_type} declares no fields");
    fields
}

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the fields were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("an event's body is a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
