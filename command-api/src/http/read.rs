//! Reading a command: from the body of its own route, or from a line of a batch. One typed pass where all is well;
//! where it is not, the slow pass that finds everything that is wrong.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::command::Command;
use domain::ids::Version;
use http_problem::{FieldError, Problem};
use serde_json::Value;

use super::definition::{Presence, Wire};
use super::explain::{Faults, Member, members};
use super::field::effective_at::EffectiveAt;
use super::fingerprint::fingerprint;
use super::idempotency_key::IdempotencyKey;
use super::json;

/// A command that was read.
#[derive(Debug)]
pub(super) struct Taken {
    /// The key of a line; a body has none.
    pub(super) key: Option<IdempotencyKey>,
    pub(super) command_type: &'static str,
    pub(super) command: Command,
    pub(super) fingerprint: u128,
    pub(super) expected_version: Option<Version>,
    pub(super) effective_at: Option<DateTime<Utc>>,
}

/// What a request says beside its body.
#[derive(Debug, Default)]
pub(super) struct Beside<'a> {
    /// The values of the path, in order.
    pub(super) path: &'a [&'a str],
    /// The version that `If-Match` asks for.
    pub(super) if_match: Option<Version>,
    /// What is wrong with headers and query, to be told together with what is wrong with the body.
    pub(super) faults: Faults,
}

/// Reads the body of a command's own route; an empty one is an object without fields.
///
/// # Errors
/// A 400 problem that lists everything that is wrong. `scratch` is overwritten.
pub(super) fn body<W: Wire>(bytes: &[u8], beside: Beside<'_>, scratch: &mut Vec<u8>) -> Result<Taken, Problem> {
    let bytes = bytes.trim_ascii();
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    if beside.faults.found() == 0
        && bytes.starts_with(b"{")
        && let Ok(mut wire) = serde_json::from_slice::<W>(bytes)
        && wire.bind(beside.path)
        && is_plain(&mut wire)
        && agrees(&mut wire, beside.if_match)
        && let Some(taken) = take(wire, scratch)
    {
        return Ok(taken);
    }
    Err(explain_body::<W>(bytes, beside))
}

/// Reads a line of a batch without white space around it, whose type is known to be `W`'s.
///
/// # Errors
/// A 400 problem that lists everything that is wrong. `scratch` is overwritten.
pub(super) fn line<W: Wire>(bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Taken, Problem> {
    if bytes.starts_with(b"{")
        && let Ok(mut wire) = serde_json::from_slice::<W>(bytes)
    {
        let key = wire.envelope().key.take();
        if key.is_some()
            && let Some(taken) = take(wire, scratch)
        {
            return Ok(Taken { key, ..taken });
        }
    }
    Err(explain_line::<W>(bytes))
}

/// Whether there is nothing in it that belongs into a line only.
fn is_plain<W: Wire>(wire: &mut W) -> bool {
    let envelope = wire.envelope();
    envelope.key.is_none() && !envelope.type_is_named
}

/// Whether body and header ask for the same version; what one of them says, both do then.
fn agrees<W: Wire>(wire: &mut W, if_match: Option<Version>) -> bool {
    let Some(wanted) = if_match else { return true };
    *wire.envelope().expected_version.get_or_insert(wanted) == wanted
}

fn take<W: Wire>(mut wire: W, scratch: &mut Vec<u8>) -> Option<Taken> {
    let fingerprint = fingerprint(&wire, scratch);
    let envelope = wire.envelope();
    let (expected_version, effective_at) = (*envelope.expected_version, envelope.effective_at);
    let command = wire.command()?;
    if expected_version.is_some() && !W::VERSIONED {
        return None;
    }
    let effective_at = effective_at.map(|EffectiveAt(time)| time);
    Some(Taken { key: None, command_type: W::TYPE, command, fingerprint, expected_version, effective_at })
}

pub(super) fn explain_body<W: Wire>(bytes: &[u8], beside: Beside<'_>) -> Problem {
    let Beside { path, if_match, mut faults } = beside;
    let tree = match json::tree(bytes) {
        Ok(tree) => tree,
        Err(wrong) => return malformed(format!("the body {wrong}; send one JSON object")),
    };
    if !tree.value.is_object() {
        let wrong = if tree.value.is_array() {
            "the body is an array; send one JSON object here, or several commands to /v1/commands"
        } else {
            "the body is not an object; send one JSON object, such as {\"amount\":{…}}"
        };
        return malformed(wrong.to_owned());
    }
    let mut values = path.iter();
    for field in W::FIELDS.iter().filter(|field| field.presence == Presence::Path) {
        let Some(text) = values.next() else { continue };
        (field.explain)(&Value::from(*text), &format!("path.{}", field.name), &mut faults);
        if let Some(given) = tree.value.get(field.name).filter(|given| !given.is_null() && *given != text) {
            let name = field.name;
            faults.add(name, "contradicts_path", || {
                format!("{name} is {given} in the body but \"{text}\" in the path; leave it out of the body")
            });
        }
    }
    let given = tree.value.get("expected_version").and_then(Value::as_u64);
    if let (Some(Version(wanted)), Some(given)) = (if_match, given)
        && given != wanted
    {
        faults.add("If-Match", "contradicts_body", || {
            format!("If-Match asks for version {wanted}, expected_version for {given}; send one of them")
        });
    }
    if if_match.is_some() && !W::VERSIONED {
        faults.add("If-Match", "unknown_field", || {
            format!("{} concerns two accounts, so it cannot be asked at a version of one; leave If-Match out", W::TYPE)
        });
    }
    tell_doubled(&tree.doubled, &mut faults);
    let own = W::FIELDS.iter().map(|field| match field.presence {
        Presence::Path => field.member(false).untold(),
        presence => field.member(presence == Presence::Required),
    });
    let known: Vec<Member> = own.chain(common_members::<W>()).collect();
    members(&tree.value, "", "an object", &known, &mut faults);
    invalid(faults)
}

pub(super) fn explain_line<W: Wire>(bytes: &[u8]) -> Problem {
    let tree = match json::tree(bytes) {
        Ok(tree) => tree,
        Err(wrong) => return malformed(format!("the line {wrong}")),
    };
    let mut faults = Faults::default();
    tell_doubled(&tree.doubled, &mut faults);
    let is_required = |presence| matches!(presence, Presence::Required | Presence::Path);
    let of_line =
        [Member::new("type", true, "the command's type", |_, _, _| {}), Member::required::<IdempotencyKey>("key")];
    let own = W::FIELDS.iter().map(|field| field.member(is_required(field.presence)));
    let known: Vec<Member> = of_line.into_iter().chain(own).chain(common_members::<W>()).collect();
    members(&tree.value, "", "an object", &known, &mut faults);
    invalid(faults)
}

fn common_members<W: Wire>() -> impl Iterator<Item = Member> {
    let version = W::VERSIONED.then(|| Member::optional::<Version>("expected_version"));
    version.into_iter().chain([Member::optional::<EffectiveAt>("effective_at")])
}

fn tell_doubled(doubled: &[String], faults: &mut Faults) {
    for at in doubled {
        faults.add(at, "duplicate_field", || format!("{at} stands twice; keep one of them"));
    }
}

/// A text that is not a JSON object.
pub(super) fn malformed(sentence: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", sentence)
}

/// A request in which some fields are wrong.
pub(super) fn invalid(faults: Faults) -> Problem {
    let found = faults.found();
    let listed = faults.listed();
    let sentence = match listed.as_slice() {
        // What the fast pass refuses has a fault; should the two passes ever differ, say at least so much.
        [] => {
            "the request cannot be read, for a reason that could not be found; compare it with /openapi.json".to_owned()
        }
        [only] => only.detail.clone(),
        several => {
            let names: Vec<&str> = several.iter().take(8).map(|fault| fault.param.as_str()).collect();
            let more = if found > names.len() { ", …" } else { "" };
            format!("{found} things are wrong: {}{more}; errors says what", names.join(", "))
        }
    };
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", sentence).errors(listed)
}

/// A request of which one thing is wrong.
pub(super) fn invalid_one(param: &str, code: &'static str, sentence: String) -> Problem {
    let fault = FieldError::new(param, code, sentence.clone());
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", sentence).errors(vec![fault])
}
