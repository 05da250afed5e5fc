//! JSON for the slow pass: a tree of the whole text that knows which keys stand twice, and sentences about texts that
//! are not JSON at all.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::explain::{FAULTS_MAX, PATH_CHARACTERS_MAX, shown};

/// A text as a tree, with the paths of the keys that stand twice in one object (the last of them is in the tree).
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) value: Value,
    pub(super) doubled: Vec<String>,
}

/// Reads a whole text.
///
/// # Errors
/// A sentence that says where it stops being JSON, and why; it can follow "the body ".
pub(super) fn tree(bytes: &[u8]) -> Result<Tree, String> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err("begins with a byte order mark (EF BB BF); write it as UTF-8 without one".to_owned());
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(format!("is not UTF-8: byte {} cannot stand there", error.valid_up_to() + 1));
    }
    let mut doubled = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let node = Node { path: &mut String::new(), doubled: &mut doubled };
    let value = node.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value = value.map_err(|error| not_json(bytes, &error))?;
    Ok(Tree { value, doubled })
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    let told = error.to_string();
    let reason = match told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason) {
        "expected ident" => "a word that is neither true, false nor null",
        reason => reason,
    };
    // A line of a batch is the only one it has: the number 1 would be taken for the batch's first line.
    let is_one_line = !bytes.contains(&b'\n');
    let line = if is_one_line { String::new() } else { format!("line {}, ", error.line()) };
    let place = format!("{line}column {}", error.column());
    if reason == "recursion limit exceeded" {
        return format!("nests more than 127 objects or arrays into each other at {place}");
    }
    if error.is_eof() {
        return format!("ends too early, at {place}: {reason}");
    }
    format!("is not JSON: {reason} at {place}")
}

struct Node<'a> {
    path: &'a mut String,
    doubled: &'a mut Vec<String>,
}

impl Node<'_> {
    fn child(&mut self) -> Node<'_> {
        Node { path: self.path, doubled: self.doubled }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        let parent = self.path.len();
        loop {
            self.path.push_str(&format!("[{}]", elements.len()));
            let element = seq.next_element_seed(self.child())?;
            self.path.truncate(parent);
            match element {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        let parent = self.path.len();
        while let Some(name) = map.next_key::<String>()? {
            if parent > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            let value = map.next_value_seed(self.child())?;
            if members.insert(name, value).is_some() && self.doubled.len() < FAULTS_MAX {
                self.doubled.push(shown(self.path, PATH_CHARACTERS_MAX));
            }
            self.path.truncate(parent);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tree_knows_which_keys_stand_twice() {
        let read = tree(br#"{"a":1,"b":{"c":1,"c":2},"l":[{"x":1},{"x":1,"x":2}],"a":3}"#).unwrap();
        assert_eq!(read.doubled, ["b.c", "l[1].x", "a"]);
        assert_eq!(read.value["a"], 3);
    }

    #[test]
    fn what_is_not_json_is_said_with_its_place() {
        for (text, sentence) in [
            (&b"{\"a\":1,}"[..], "is not JSON: trailing comma at column 8"),
            (b"{\"a\":1", "ends too early, at column 6: EOF while parsing an object"),
            (b"{} {}", "is not JSON: trailing characters at column 4"),
            (b"{'a':1}", "is not JSON: key must be a string at column 2"),
            (b"{\"a\":\n tru}", "is not JSON: a word that is neither true, false nor null at line 2, column 5"),
            (b"{\"a\":\"\xff\"}", "is not UTF-8: byte 7 cannot stand there"),
            (b"\xEF\xBB\xBF{}", "begins with a byte order mark (EF BB BF); write it as UTF-8 without one"),
            (b"", "ends too early, at column 0: EOF while parsing a value"),
        ] {
            assert_eq!(tree(text).unwrap_err(), sentence, "{}", String::from_utf8_lossy(text));
        }
        let bomb = "[".repeat(100_000);
        let sentence = tree(bomb.as_bytes()).unwrap_err();
        assert_eq!(sentence, "nests more than 127 objects or arrays into each other at column 128");
    }
}
