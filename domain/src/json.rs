//! JSON written straight into a buffer and read straight out of one, in a fraction of the time that going through `serde`
//! takes: that of events, and of what answers are made of. What is written is what `serde` writes; what is read is what
//! is written here and nothing else, so who reads tries `serde` after it. Tests hold the two together.

mod values;

/// A value of a member of an object.
pub trait Json {
    /// Appends the value.
    fn put(&self, buffer: &mut Vec<u8>);

    /// Whether the member is left out.
    fn is_absent(&self) -> bool {
        false
    }
}

/// A value that is read as [`Json`] writes it.
pub(crate) trait Written: Sized {
    /// Takes the value off the start of a text; `None` where it is not written so, or not allowed.
    fn take(text: &mut &[u8]) -> Option<Self>;

    /// What a member is that was left out; `None` where it must not be.
    fn absent() -> Option<Self> {
        None
    }
}

/// Takes a part off the start of a text.
pub(crate) fn skip(text: &mut &[u8], part: &str) -> Option<()> {
    *text = text.strip_prefix(part.as_bytes())?;
    Some(())
}

/// Takes a member off the start of a text: the value after `key`, which is the comma, the name and the colon.
pub(crate) fn member<T: Written>(text: &mut &[u8], key: &str) -> Option<T> {
    match text.strip_prefix(key.as_bytes()) {
        Some(rest) => {
            *text = rest;
            T::take(text)
        }
        None => T::absent(),
    }
}

/// Appends an object: `object!(buffer, first: value, second: value, …)`, each value a reference to a [`Json`]. Members
/// that are absent are left out; the first never is.
#[macro_export]
macro_rules! object {
    ($buffer:expr, $first:ident: $first_value:expr $(, $name:ident: $value:expr)* $(,)?) => {{
        let buffer: &mut Vec<u8> = $buffer;
        buffer.extend_from_slice(concat!("{\"", stringify!($first), "\":").as_bytes());
        $crate::json::Json::put($first_value, buffer);
        $(if !$crate::json::Json::is_absent($value) {
            buffer.extend_from_slice(concat!(",\"", stringify!($name), "\":").as_bytes());
            $crate::json::Json::put($value, buffer);
        })*
        buffer.push(b'}');
    }};
}
pub use crate::object;

/// Takes an object off the start of a text as [`object!`] writes it, and makes a struct of its members.
macro_rules! take_object {
    ($text:expr, $struct:ident { $first:ident $(, $name:ident)* }) => {{
        let text: &mut &[u8] = $text;
        $crate::json::skip(text, concat!("{\"", stringify!($first), "\":"))?;
        let $first = $crate::json::Written::take(text)?;
        $(let $name = $crate::json::member(text, concat!(",\"", stringify!($name), "\":"))?;)*
        $crate::json::skip(text, "}")?;
        Some($struct { $first, $($name),* })
    }};
}
pub(crate) use take_object;

/// A word that has nothing to escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(pub &'static str);

impl Json for Word {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_plain(buffer, self.0);
    }
}

/// Appends a number in decimal.
fn put_number(buffer: &mut Vec<u8>, number: i64) {
    if number < 0 {
        buffer.push(b'-');
    }
    put_unsigned(buffer, number.unsigned_abs());
}

/// Appends a number in decimal.
pub fn put_unsigned(buffer: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[at..]);
}

/// Takes a number that is written in decimal and has no more than 18 digits.
fn take_number(text: &mut &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, *text),
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = digits.split_at(count);
    if number.is_empty() || number.len() > 18 || (number[0] == b'0' && (number.len() > 1 || negative)) {
        return None;
    }
    // A point or an exponent would make it another number; what comes after a whole one is a comma or a brace.
    if matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
        return None;
    }
    let magnitude = number.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    *text = rest;
    Some(if negative { -magnitude } else { magnitude })
}

/// Appends a text that has nothing to escape.
fn put_plain(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    buffer.extend_from_slice(text.as_bytes());
    buffer.push(b'"');
}

/// Takes a text in quotes that has nothing escaped.
fn take_plain<'a>(text: &mut &'a [u8]) -> Option<&'a str> {
    let inner = text.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (plain, rest) = inner.split_at(end);
    *text = rest.strip_prefix(b"\"")?;
    std::str::from_utf8(plain).ok()
}

impl<T: Json> Json for Vec<T> {
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            value.put(buffer);
        }
        buffer.push(b']');
    }
}

impl<T: Written> Written for Vec<T> {
    fn take(text: &mut &[u8]) -> Option<Self> {
        skip(text, "[")?;
        let mut values = Self::new();
        while text.first() != Some(&b']') {
            if !values.is_empty() {
                skip(text, ",")?;
            }
            values.push(T::take(text)?);
        }
        skip(text, "]")?;
        Some(values)
    }
}

impl<T: Json> Json for &T {
    fn put(&self, buffer: &mut Vec<u8>) {
        T::put(self, buffer);
    }
}

impl Json for bool {
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Json for i64 {
    fn put(&self, buffer: &mut Vec<u8>) {
        put_number(buffer, *self);
    }
}

impl<T: Json> Json for Option<T> {
    fn put(&self, buffer: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(buffer),
            None => buffer.extend_from_slice(b"null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl Written for i64 {
    fn take(text: &mut &[u8]) -> Option<Self> {
        take_number(text)
    }
}

impl<T: Written> Written for Option<T> {
    fn take(text: &mut &[u8]) -> Option<Self> {
        T::take(text).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
