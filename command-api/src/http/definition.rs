//! The definition of a command as clients write it: one for the route that takes it and for the line of a batch.
//! What the command means is the domain's; each aggregate's commands are defined in a file of their own.

use domain::command::Command;
use domain::ids::Version;
use domain::json::Json;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::explain::{Faults, Member};
use super::field::effective_at::EffectiveAt;
use super::idempotency_key::IdempotencyKey;

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// From the path; in a batch, where there is none, from the line.
    Path,
    /// From the body, which must have it.
    Required,
    /// From the body, which may leave it out.
    Optional,
    /// From the body, or made here.
    Generated,
}

/// A field of a command.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) presence: Presence,
    pub(super) expected: &'static str,
    pub(super) schema: fn() -> Value,
    pub(super) example: fn() -> Value,
    pub(super) explain: fn(&Value, &str, &mut Faults),
}

impl Field {
    pub(super) fn member(&self, required: bool) -> Member {
        Member::new(self.name, required, self.expected, self.explain)
    }
}

/// What every command may bring besides its own fields.
pub(super) struct Envelope<'a> {
    /// The idempotency key, which a line of a batch has and a body has not.
    pub(super) key: &'a mut Option<IdempotencyKey>,
    /// Whether the type is named, which a line of a batch does and a body does not.
    pub(super) type_is_named: bool,
    pub(super) expected_version: &'a mut Option<Version>,
    pub(super) effective_at: Option<EffectiveAt>,
}

/// A command as clients write it. Every field can be absent, so that one pass tells what is missing.
pub(super) trait Wire: DeserializeOwned + Send + 'static {
    /// The command's type.
    const TYPE: &'static str;
    /// What it does, in a sentence.
    const ABOUT: &'static str;
    /// Its own fields.
    const FIELDS: &'static [Field];
    /// Whether it can be asked at a version: not where it concerns two streams.
    const VERSIONED: bool;

    /// What it brings besides its own fields.
    fn envelope(&mut self) -> Envelope<'_>;

    /// Appends its JSON, in the order of the definition and without what is absent: the canonical form that
    /// fingerprints are taken of, so the order and the names of fields must not change.
    fn put_canonical(&self, buffer: &mut Vec<u8>);

    /// Takes the values of the path, in order. Gives `false` when one is not right or contradicts the body.
    fn bind(&mut self, path: &[&str]) -> bool;

    /// The command itself, with ids made where they were left out; `None` when something is missing.
    fn command(self) -> Option<Command>;
}

/// Appends a member of an object, if it is there; `key` is a comma, the name and the colon.
pub(super) fn put_member(buffer: &mut Vec<u8>, key: &str, value: Option<&impl Json>) {
    if let Some(value) = value {
        buffer.extend_from_slice(key.as_bytes());
        value.put(buffer);
    }
}

/// Makes the members that were appended since a place an object.
pub(super) fn close_object(buffer: &mut Vec<u8>, from: usize) {
    match buffer.get_mut(from) {
        Some(first_comma) => *first_comma = b'{',
        None => buffer.push(b'{'),
    }
    buffer.push(b'}');
}

/// Defines commands: `Name = "type" { field: Type, presence; … } => the domain's command;`. The presence of a field is
/// `path`, `required`, `optional` or `generated("prefix_")`; `= "…"` after its type is its example.
/// `, unversioned` after the command's type says that it takes no expected version.
macro_rules! commands {
    ($(
        $(#[doc = $about:literal])*
        $name:ident = $type_name:literal $(, $unversioned:ident)? {
            $(
                $(#[doc = $field_about:literal])*
                $field:ident: $type:ty $(= $example:literal)?, $presence:ident $(($prefix:literal))?;
            )*
        } => $command:expr;
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::http) struct $name {
            #[serde(rename = "type")]
            command_type: Option<serde::de::IgnoredAny>,
            key: Option<$crate::http::idempotency_key::IdempotencyKey>,
            expected_version: Option<domain::ids::Version>,
            effective_at: Option<$crate::http::field::effective_at::EffectiveAt>,
            $(
                #[serde(default, deserialize_with = "crate::http::field::optional")]
                $field: Option<$type>,
            )*
        }

        impl $crate::http::definition::Wire for $name {
            const TYPE: &'static str = $type_name;
            const ABOUT: &'static str = concat!($($about),*).trim_ascii();
            const FIELDS: &'static [$crate::http::definition::Field] = &[$($crate::http::definition::Field {
                name: stringify!($field),
                about: concat!($($field_about),*).trim_ascii(),
                presence: $crate::http::definition::commands!(@presence $presence),
                expected: <$type as $crate::http::field::FieldType>::EXPECTED,
                schema: <$type as $crate::http::field::FieldType>::schema,
                example: $crate::http::definition::commands!(@example $type $(= $example)?),
                explain: <$type as $crate::http::field::FieldType>::explain,
            }),*];
            const VERSIONED: bool = $crate::http::definition::commands!(@versioned $($unversioned)?);

            fn envelope(&mut self) -> $crate::http::definition::Envelope<'_> {
                $crate::http::definition::Envelope {
                    key: &mut self.key,
                    type_is_named: self.command_type.is_some(),
                    expected_version: &mut self.expected_version,
                    effective_at: self.effective_at,
                }
            }

            fn put_canonical(&self, buffer: &mut Vec<u8>) {
                use $crate::http::definition::{close_object, put_member};
                let from = buffer.len();
                put_member(buffer, ",\"expected_version\":", self.expected_version.as_ref());
                put_member(buffer, ",\"effective_at\":", self.effective_at.as_ref());
                $(put_member(buffer, concat!(",\"", stringify!($field), "\":"), self.$field.as_ref());)*
                close_object(buffer, from);
            }

            fn bind(&mut self, path: &[&str]) -> bool {
                let mut path = path.iter();
                $($crate::http::definition::commands!(@bind $presence self.$field, path);)*
                path.next().is_none()
            }

            fn command(self) -> Option<domain::command::Command> {
                let Self { $($field,)* .. } = self;
                $(let $field = $crate::http::definition::commands!(@take $presence $field $($prefix)?);)*
                Some($command)
            }
        }
    )*};

    (@versioned) => { true };
    (@versioned unversioned) => { false };

    (@presence path) => { $crate::http::definition::Presence::Path };
    (@presence required) => { $crate::http::definition::Presence::Required };
    (@presence optional) => { $crate::http::definition::Presence::Optional };
    (@presence generated) => { $crate::http::definition::Presence::Generated };

    (@example $type:ty = $example:literal) => { || serde_json::json!($example) };
    (@example $type:ty) => { <$type as $crate::http::field::FieldType>::example };

    (@bind path $slot:expr, $path:ident) => {
        if let Some(text) = $path.next() {
            match text.parse() {
                Ok(id) if $slot.as_ref().is_none_or(|given| *given == id) => $slot = Some(id),
                _ => return false,
            }
        }
    };
    (@bind $presence:ident $slot:expr, $path:ident) => {};

    (@take path $field:ident) => { $field? };
    (@take required $field:ident) => { $field? };
    (@take optional $field:ident) => { $field };
    (@take generated $field:ident $prefix:literal) => {
        $field.unwrap_or_else(|| $crate::http::generated_id::generated_id($prefix))
    };
}
pub(super) use commands;
