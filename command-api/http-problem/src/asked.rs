//! What a request asks for: its path and query parameters, read with every mistake told at once. What the parameters
//! mean is the business of whoever reads them.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::StatusCode;
use axum::http::header::IF_NONE_MATCH;
use axum::http::request::Parts;

use crate::problem::{FieldError, Problem};

/// The parameters of a request. Each is taken once; [`Asked::finish`] tells what is wrong with all of them.
#[derive(Debug)]
pub struct Asked {
    at: String,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    if_none_match: Option<String>,
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
        let if_none_match = parts.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { at: parts.uri.path().to_owned(), path, query, if_none_match, known: Vec::new(), errors: Vec::new() })
    }
}

impl Asked {
    /// The parameters of what was asked in another way, as if it had been asked at this address.
    #[must_use]
    pub fn of(at: String, path: Vec<(String, String)>, query: Vec<(String, String)>) -> Self {
        Self { at, path, query, if_none_match: None, known: Vec::new(), errors: Vec::new() }
    }

    /// The parameter `id` of the path. `None` where it is wrong; then [`Asked::finish`] fails.
    pub fn id<T: FromStr<Err: Display>>(&mut self) -> Option<T> {
        self.path("id")
    }

    /// A parameter of the path. `None` where it is wrong; then [`Asked::finish`] fails.
    pub fn path<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.path.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())?;
        self.parse(name, &value)
    }

    /// A query parameter that may be left out. `None` too where it is wrong; then [`Asked::finish`] fails.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
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

    /// A query parameter that must be there. `None` where it is not, or wrong; then [`Asked::finish`] fails.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.optional(name);
        if !self.query.iter().any(|(given, _)| given == name) {
            self.errors.push(FieldError::new(name, "missing_field", format!("{name} is required")));
        }
        value
    }

    /// A query parameter that is one of some words.
    pub fn word(&mut self, name: &'static str, allowed: &[&'static str]) -> Option<&'static str> {
        let given: String = self.optional(name)?;
        let word = allowed.iter().find(|word| **word == given).copied();
        if word.is_none() {
            self.wrong(name, &given, &format!("use {}", allowed.join(", ")));
        }
        word
    }

    /// A query parameter that must be one of some words.
    pub fn required_word(&mut self, name: &'static str, allowed: &[&'static str]) -> Option<&'static str> {
        let word = self.word(name, allowed);
        if !self.query.iter().any(|(given, _)| given == name) {
            let detail = format!("{name} is required: {}", allowed.join(", "));
            self.errors.push(FieldError::new(name, "missing_field", detail));
        }
        word
    }

    /// What was given for a query parameter, as it was written.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<String> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
    }

    /// The header `If-None-Match`.
    #[must_use]
    pub fn if_none_match(&self) -> Option<&str> {
        self.if_none_match.as_deref()
    }

    /// The request without some of its query parameters: its path and the others, sorted. The same for requests that
    /// differ in those alone.
    #[must_use]
    pub fn scope(&self, without: &[&str]) -> String {
        let others = self.query.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        let mut others: Vec<_> = others.map(|(name, value)| format!("{name}={value}")).collect();
        others.sort_unstable();
        format!("{}?{}", self.at, others.join("&"))
    }

    /// [`Asked::finish`] for a request that cannot be answered without this parameter.
    ///
    /// # Errors
    /// As [`Asked::finish`].
    pub fn finish_with<T>(self, parameter: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        parameter.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "a parameter is missing"))
    }

    /// Everything was taken: fails where anything was wrong, or is left over.
    ///
    /// # Errors
    /// `invalid_request` with every parameter that is wrong or unknown.
    pub fn finish(mut self) -> Result<(), Problem> {
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

    /// Notes what is wrong with a parameter: `how` says what to write instead.
    pub fn wrong(&mut self, name: &'static str, value: &str, how: &str) {
        let detail = format!("{name} is {:?}: {how}", shortened(value));
        self.errors.push(FieldError::new(name, "invalid_value", detail));
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
