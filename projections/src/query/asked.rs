//! What a query asks for: its path and query parameters, read with every mistake told at once.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::ids::Position;
use http_problem::{FieldError, Problem};

use super::cursor;
use super::page::Page;
use super::snapshot::Freshness;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
const WAIT_DEFAULT: Duration = Duration::from_secs(2);
const WAIT_MS_MAX: u64 = 30_000;
/// Parameters that do not say which rows are wanted, so that they may differ from page to page.
const NOT_IN_SCOPE: [&str; 4] = ["cursor", "limit", "min_position", "wait_ms"];

/// The parameters of a request. Each is taken once; [`Asked::finish`] tells what is wrong with all of them.
#[derive(Debug)]
pub(super) struct Asked {
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    /// The query without its place: its path and the parameters that say which rows are wanted.
    scope: String,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let malformed = |what: &str, error: String| {
            let detail = format!("the {what} cannot be read: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
        };
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|error| malformed("path", error.to_string()))?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|error| malformed("query string", error.to_string()))?;
        let filters = query.iter().filter(|(name, _)| !NOT_IN_SCOPE.contains(&name.as_str()));
        let mut filters: Vec<_> = filters.map(|(name, value)| format!("{name}={value}")).collect();
        filters.sort_unstable();
        let scope = format!("{}?{}", parts.uri.path(), filters.join("&"));
        Ok(Self { path, query, scope, known: Vec::new(), errors: Vec::new() })
    }
}

impl Asked {
    /// The parameter of the path. `None` where it is wrong; then [`Asked::finish`] fails.
    pub(super) fn id<T: FromStr<Err: Display>>(&mut self) -> Option<T> {
        let value = self.path.iter().find(|(name, _)| name == "id").map(|(_, value)| value.clone())?;
        self.parse("id", &value)
    }

    /// A query parameter that may be left out. `None` too where it is wrong; then [`Asked::finish`] fails.
    pub(super) fn optional<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        self.known.push(name);
        let mut given = self.query.iter().filter(|(given, _)| given == name);
        let value = given.next()?.1.clone();
        if given.next().is_some() {
            let detail = format!("{name} stands more than once; name it once");
            self.errors.push(FieldError::new(name, "duplicate_field", detail));
            return None;
        }
        self.parse(name, &value)
    }

    /// A query parameter that is one of some words.
    pub(super) fn word(&mut self, name: &'static str, allowed: &[&'static str]) -> Option<&'static str> {
        let given: String = self.optional(name)?;
        let word = allowed.iter().find(|word| **word == given).copied();
        if word.is_none() {
            self.wrong(name, &given, &format!("use {}", allowed.join(", ")));
        }
        word
    }

    /// A query parameter that must be one of some words.
    pub(super) fn required_word(&mut self, name: &'static str, allowed: &[&'static str]) -> Option<&'static str> {
        let word = self.word(name, allowed);
        if !self.query.iter().any(|(given, _)| given == name) {
            let detail = format!("{name} is required: {}", allowed.join(", "));
            self.errors.push(FieldError::new(name, "missing_field", detail));
        }
        word
    }

    /// `min_position` and `wait_ms`.
    pub(super) fn freshness(&mut self) -> Freshness {
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
        }
    }

    /// `limit` and `cursor`; `read` turns the key in a cursor into what the query needs.
    pub(super) fn page<K>(&mut self, read: impl FnOnce(&[String]) -> Option<K>) -> Page<K> {
        let limit = self.optional::<usize>("limit");
        if let Some(given) = limit.filter(|limit| !(1..=LIMIT_MAX).contains(limit)) {
            self.wrong("limit", &given.to_string(), &format!("use 1 to {LIMIT_MAX}"));
        }
        let given = self.optional::<String>("cursor");
        let after = given.as_ref().and_then(|given| read(&cursor::read(&self.scope, given)?));
        if let (Some(given), None) = (&given, &after) {
            self.wrong("cursor", given, "use next_cursor of the answer before, with the same path and parameters");
        }
        Page { limit: limit.unwrap_or(LIMIT_DEFAULT), after, scope: self.scope.clone() }
    }

    /// What was given for a query parameter, as it was written.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
    }

    /// [`Asked::finish`] for a request that cannot be answered without this parameter.
    pub(super) fn finish_with<T>(self, parameter: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        parameter.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "a parameter is missing"))
    }

    /// Everything was taken: fails where anything was wrong, or is left over.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let mut unknown: Vec<_> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        unknown.retain(|name| !self.known.contains(name));
        unknown.sort_unstable();
        unknown.dedup();
        let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
        self.errors.extend(unknown.into_iter().map(|name| {
            let name = shortened(name);
            let detail = format!("there is no parameter {name:?} here; there are {known}");
            FieldError::new(name, "unknown_field", detail)
        }));
        let detail = match self.errors.as_slice() {
            [] => return Ok(()),
            [error] => error.detail.clone(),
            errors => format!("{} parameters are wrong; errors lists them", errors.len()),
        };
        Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail).errors(self.errors))
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, name: &'static str, value: &str) -> Option<T> {
        match value.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(name, value, &error.to_string());
                None
            }
        }
    }

    fn wrong(&mut self, name: &'static str, value: &str, how: &str) {
        let detail = format!("{name} is {:?}: {how}", shortened(value));
        self.errors.push(FieldError::new(name, "invalid_value", detail));
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Text that somebody chose, such as a principal's name: 1 to 256 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err("use 1 to 256 characters without control characters") }
    }
}
