//! What every query can be asked: how recent the answer must be, and which page of it is wanted.

use std::str::FromStr;
use std::time::Duration;

use domain::ids::Position;
pub(crate) use http_problem::Asked;

use super::cursor;
use super::page::Page;
use super::snapshot::Freshness;
use super::tag::Tag;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
const WAIT_DEFAULT: Duration = Duration::from_secs(2);
const WAIT_MS_MAX: u64 = 30_000;
/// Parameters that do not say which rows are wanted, so that they may differ from page to page.
const NOT_IN_SCOPE: [&str; 4] = ["cursor", "limit", "min_position", "wait_ms"];

/// What every query can be asked.
pub(crate) trait AskedOfRows {
    /// `min_position`, `wait_ms` and `If-None-Match`.
    fn freshness(&mut self) -> Freshness;

    /// `limit` and `cursor`; `read` turns the key in a cursor into what the query needs.
    fn page<K>(&mut self, read: impl FnOnce(&[String]) -> Option<K>) -> Page<K>;
}

impl AskedOfRows for Asked {
    fn freshness(&mut self) -> Freshness {
        let min_position = self.optional::<u64>("min_position");
        if let Some(given) = min_position.filter(|position| i64::try_from(*position).is_err()) {
            self.wrong("min_position", &given.to_string(), "no log has so many events");
        }
        let wait_ms = self.optional::<u64>("wait_ms");
        if let Some(given) = wait_ms.filter(|ms| *ms > WAIT_MS_MAX) {
            self.wrong("wait_ms", &given.to_string(), &format!("use 0 to {WAIT_MS_MAX} milliseconds"));
        }
        Freshness {
            min_position: Position(min_position.unwrap_or(0)),
            wait_max: wait_ms.map_or(WAIT_DEFAULT, Duration::from_millis),
            seen: self.if_none_match().and_then(Tag::among),
        }
    }

    fn page<K>(&mut self, read: impl FnOnce(&[String]) -> Option<K>) -> Page<K> {
        let limit = self.optional::<usize>("limit");
        if let Some(given) = limit.filter(|limit| !(1..=LIMIT_MAX).contains(limit)) {
            self.wrong("limit", &given.to_string(), &format!("use 1 to {LIMIT_MAX}"));
        }
        let scope = self.scope(&NOT_IN_SCOPE);
        let given = self.optional::<String>("cursor");
        let after = given.as_ref().and_then(|given| read(&cursor::read(&scope, given)?));
        if let (Some(given), None) = (&given, &after) {
            self.wrong("cursor", given, "use next_cursor of the answer before, with the same path and parameters");
        }
        Page { limit: limit.unwrap_or(LIMIT_DEFAULT), after, scope }
    }
}

/// Text that somebody chose, such as a principal's name: 1 to 256 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(super) String);

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err("use 1 to 256 characters without control characters") }
    }
}
