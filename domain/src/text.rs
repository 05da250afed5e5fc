//! Text that people wrote: names, reasons, references. Bounded and printable; its meaning is theirs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most characters a [`Text`] has.
pub const TEXT_CHARACTERS_MAX: usize = 256;

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// There was nothing, or only white space.
    #[error("text must not be empty; leave the field out or write 1 to 256 characters")]
    Empty,
    /// It was longer than [`TEXT_CHARACTERS_MAX`].
    #[error("text has {characters} characters; at most 256 are allowed")]
    TooLong {
        /// How many it had.
        characters: usize,
    },
    /// It held a control character (a line feed, a NUL, …).
    #[error("text contains the control character {character:?}; write it on one line without control characters")]
    Control {
        /// The first of them.
        character: char,
    },
}

/// 1 to 256 characters on one line, without control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Arc<str>);

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// [`InvalidText`] when it is empty, too long or holds a control character.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        if text.trim().is_empty() {
            return Err(InvalidText::Empty);
        }
        if let Some(character) = text.chars().find(|c| c.is_control()) {
            return Err(InvalidText::Control { character });
        }
        let characters = text.chars().count();
        if characters > TEXT_CHARACTERS_MAX {
            return Err(InvalidText::TooLong { characters });
        }
        Ok(Self(Arc::from(text)))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl serde::de::Visitor<'_> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text of 1 to 256 characters")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                Text::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}
