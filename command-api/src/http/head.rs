//! What a request says beside its body: headers and query.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::Query;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use domain::ids::Version;
use http_problem::{Problem, RequestId, nearest};

use super::explain::{Faults, named, shown};
use super::idempotency_key::IdempotencyKey;
use super::principal::principal;
use crate::engine::Mode;

/// The header of a single command's key.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest `X-Correlation-Id`, in bytes.
const CORRELATION_ID_BYTES_MAX: usize = 128;

static NO_CORRELATION: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(""));

/// Who asks, and under which names.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Arc<str>,
    pub(super) request_id: Arc<str>,
    pub(super) correlation_id: Arc<str>,
}

impl Caller {
    /// Reads who asks.
    pub(super) fn of(parts: &Parts, faults: &mut Faults) -> Self {
        let request_id = parts
            .extensions
            .get::<RequestId>()
            .map_or_else(|| Arc::from(uuid::Uuid::now_v7().to_string()), |RequestId(id)| Arc::clone(id));
        let correlation_id = match parts.headers.get("x-correlation-id").map(|value| value.as_bytes()) {
            None => Arc::clone(&NO_CORRELATION),
            Some(value) if value.len() <= CORRELATION_ID_BYTES_MAX && value.iter().all(u8::is_ascii_graphic) => {
                Arc::from(String::from_utf8_lossy(value))
            }
            Some(_) => {
                faults.add("X-Correlation-Id", "invalid_value", || {
                    format!("X-Correlation-Id must be at most {CORRELATION_ID_BYTES_MAX} visible ASCII characters")
                });
                Arc::clone(&NO_CORRELATION)
            }
        };
        Self { principal: principal(&parts.extensions), request_id, correlation_id }
    }
}

/// The idempotency key of a request for one command.
///
/// # Errors
/// `idempotency_key_missing`, `idempotency_key_invalid`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let refuse = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail).param(IDEMPOTENCY_KEY);
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else {
        let detail = "the header Idempotency-Key is missing; send a new one with every new command (a UUID, say), and \
                      the same one again when you repeat a command, so that it is done once";
        return Err(refuse("idempotency_key_missing", detail.to_owned()));
    };
    if given.next().is_some() {
        let detail = "the header Idempotency-Key stands more than once; send one key";
        return Err(refuse("idempotency_key_invalid", detail.to_owned()));
    }
    IdempotencyKey::new(key.as_bytes())
        .map_err(|wrong| refuse("idempotency_key_invalid", format!("the header Idempotency-Key {wrong}")))
}

/// The version that `If-Match` asks for.
pub(super) fn if_match(headers: &HeaderMap, faults: &mut Faults) -> Option<Version> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let value = given.next()?.as_bytes();
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let digits =
        quoted.filter(|text| text.iter().all(u8::is_ascii_digit)).and_then(|text| std::str::from_utf8(text).ok());
    let version = digits.and_then(|digits| digits.parse().ok()).map(Version);
    if version.is_none() || given.next().is_some() {
        faults.add("If-Match", "invalid_value", || {
            "If-Match must be one version in double quotes, as an answer gives it in the header ETag: \"3\"".to_owned()
        });
    }
    version
}

/// What the query of a request can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) dry_run: bool,
    pub(super) mode: Mode,
}

/// Reads the query; `known` are the names of the parameters that the route has.
pub(super) fn query(parts: &Parts, known: &[&'static str], faults: &mut Faults) -> Asked {
    let mut asked = Asked { dry_run: false, mode: Mode::Independent };
    if parts.uri.query().is_none_or(str::is_empty) {
        return asked;
    }
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
        faults.add("query", "invalid_value", || "the query is not a list of name=value pairs".to_owned());
        return asked;
    };
    for (index, (name, value)) in pairs.iter().enumerate() {
        let (name, value) = (name.as_str(), value.as_str());
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            faults.add(&named(name), "duplicate_field", || format!("the query parameter {} stands twice", named(name)));
            continue;
        }
        match (name, value) {
            _ if !known.contains(&name) => faults.add(&named(name), "unknown_field", || unknown_parameter(name, known)),
            ("dry_run", "true") => asked.dry_run = true,
            ("dry_run", "false") => asked.dry_run = false,
            ("mode", "independent") => asked.mode = Mode::Independent,
            ("mode", "atomic") => asked.mode = Mode::Atomic,
            ("mode", other) => faults.add(name, "invalid_value", || {
                format!("mode must be atomic or independent, not {:?}", shown(other, 40))
            }),
            (_, other) => faults
                .add(name, "invalid_value", || format!("{name} must be true or false, not {:?}", shown(other, 40))),
        }
    }
    asked
}

fn unknown_parameter(name: &str, known: &[&'static str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there is {} here", known.join(" and ")),
    };
    format!("{} is not a query parameter here; {hint}", named(name))
}

/// Refuses a body that is not written in one of these types; one that does not say is taken.
///
/// # Errors
/// `unsupported_media_type`.
pub(super) fn content_type(headers: &HeaderMap, accepted: &[&'static str]) -> Result<(), Problem> {
    let refuse = |param: &str, detail: String| {
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).param(param))
    };
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        let shown = shown(&String::from_utf8_lossy(encoding.as_bytes()), 40);
        return refuse("Content-Encoding", format!("the body has Content-Encoding {shown:?}; send it as it is"));
    }
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(given.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    if accepted.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted)) {
        return Ok(());
    }
    refuse(
        "Content-Type",
        format!(
            "the body has Content-Type {:?}; send {} (with curl: -H 'Content-Type: {}')",
            shown(essence, 80),
            accepted.join(" or "),
            accepted[0]
        ),
    )
}

/// Refuses a body that says it is larger than it may be.
///
/// # Errors
/// `body_too_large`.
pub(super) fn content_length(headers: &HeaderMap, bytes_max: usize) -> Result<(), Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length.filter(|length| *length > bytes_max as u64) {
        Some(_) => Err(body_too_large(bytes_max)),
        None => Ok(()),
    }
}

/// The body is larger than it may be.
pub(super) fn body_too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body is larger than {bytes_max} bytes; send less at once, or split the batch");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).figure("bytes_max", bytes_max)
}

/// What a body that did not come as a whole has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing.
    Nothing,
    /// The commands of an independent batch that came before.
    TheLinesBefore,
}

impl Done {
    fn said(self) -> &'static str {
        match self {
            Self::Nothing => "so nothing was done; send the request again",
            Self::TheLinesBefore => "so only the lines before were done; send the batch again with the same keys",
        }
    }
}

/// The body did not come in time, or nothing more of it.
pub(super) fn body_too_slow(limit: Duration, done: Done) -> Problem {
    let detail = format!("the body did not come, or did not go on, within {} ms, {}", limit.as_millis(), done.said());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail).retry_after(1)
}

/// The body broke off.
pub(super) fn body_incomplete(done: Done) -> Problem {
    let detail = format!("the body ended before it was complete, {}", done.said());
    Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail)
}
