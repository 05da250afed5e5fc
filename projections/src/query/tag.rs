//! Moments of the read models, and the tags that tell them apart: all of an answer follows from what was asked and from
//! how far each partition has come, so that as long as nothing was applied a client has the answer already.

use std::str::FromStr;

use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use domain::ids::Position;
use sqlx::PgConnection;

/// Where the read models are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Everything up to here was applied.
    pub(crate) position: Position,
    /// None where nothing was applied yet.
    pub(super) tag: Option<Tag>,
    /// Which build of the read models this is; none where there is none.
    pub(super) build: Option<i64>,
}

/// A digest of the log, of how far each partition has come, of what was put right since, and of the program that reads:
/// equal tags, equal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u128);

impl Tag {
    /// Writes the tag among the headers of an answer. It is kept, and asked for anew each time.
    pub(super) fn put(self, headers: &mut HeaderMap) {
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{:032x}\"", self.0)) {
            headers.insert(ETAG, tag);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }

    /// The first tag of this kind in `If-None-Match`, also one that somebody on the way has made a weak one.
    pub(super) fn among(given: &str) -> Option<Self> {
        given.split(',').find_map(|tag| {
            let tag = tag.trim();
            let digits = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
            digits.parse().ok()
        })
    }
}

impl FromStr for Tag {
    type Err = ();

    fn from_str(digits: &str) -> Result<Self, ()> {
        let are_digits = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        are_digits.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(Self).ok_or(())
    }
}

impl Moment {
    /// Where a projection is, as its checkpoints tell.
    pub(super) async fn of(rows: &mut PgConnection, projection: &str) -> Result<Self, sqlx::Error> {
        let (position, tag, build): (Option<i64>, Option<String>, Option<i64>) = sqlx::query_as(
            "SELECT MIN(position), md5($2 || string_agg(concat_ws(' ', log_id, source, partition, position, \
             revision, build), ',' ORDER BY partition)), MAX(build) FROM projection_checkpoints WHERE name = $1",
        )
        .bind(projection)
        .bind(env!("CARGO_PKG_VERSION"))
        .fetch_one(rows)
        .await?;
        let position = Position(position.unwrap_or(0).cast_unsigned());
        Ok(Self { position, tag: tag.and_then(|digits| digits.parse().ok()), build })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written_and_found_among_others() {
        let (tag, mut headers) = (Tag(0xfeed), HeaderMap::new());
        tag.put(&mut headers);
        let written = headers[ETAG].to_str().unwrap();
        assert_eq!(written, "\"0000000000000000000000000000feed\"");
        for given in [written.to_owned(), format!("W/{written}"), format!("\"3\", {written} ,\"x\"")] {
            assert_eq!(Tag::among(&given), Some(tag), "{given}");
        }
        for given in ["", "*", "\"3\"", "0000000000000000000000000000feed", "\"+000000000000000000000000000feed\""] {
            assert_eq!(Tag::among(given), None, "{given}");
        }
    }
}
