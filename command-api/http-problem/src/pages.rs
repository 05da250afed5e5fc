//! The pages that explain codes. Their one source is `docs/errors.md`: a heading ``### `code` 422`` for each code with
//! its statuses, and what stands below it.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::problem::Problem;

/// What is documented about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// The statuses it comes with, as written in the heading.
    pub statuses: Vec<u16>,
    /// What it means and what to do, in Markdown.
    pub text: &'static str,
}

const DOCUMENT: &str = include_str!("../../../docs/errors.md");

static EXPLANATIONS: LazyLock<Vec<Explanation>> = LazyLock::new(|| read(DOCUMENT));

fn read(document: &'static str) -> Vec<Explanation> {
    let sections = document.split("\n### `").skip(1);
    let explained = sections.filter_map(|section| {
        let (code, rest) = section.split_once('`')?;
        let (heading, text) = rest.split_once('\n')?;
        let statuses = heading.split(|c: char| !c.is_ascii_digit()).filter_map(|s| s.parse().ok()).collect();
        let text = text.split("\n## ").next().unwrap_or(text).trim();
        Some(Explanation { code, statuses, text })
    });
    explained.collect()
}

/// Every code that is documented, in the order of the document.
#[must_use]
pub fn explanations() -> &'static [Explanation] {
    &EXPLANATIONS
}

/// What is documented about a code.
#[must_use]
pub fn explanation(code: &str) -> Option<&'static Explanation> {
    explanations().iter().find(|explanation| explanation.code == code)
}

/// `GET /problems` and `GET /problems/{code}`: plain text, or a page for a browser.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/problems", get(list)).route("/problems/{code}", get(one))
}

async fn list(headers: HeaderMap) -> Response {
    if wants_html(&headers) {
        let entries = explanations().iter().map(|e| format!("<li><a href=\"/problems/{0}\">{0}</a>", e.code));
        return html("Problems", &format!("<ul>{}</ul>", entries.collect::<Vec<_>>().join("\n")));
    }
    let lines = explanations().iter().map(|e| format!("{} {}\n", e.code, statuses(e)));
    plain(lines.collect())
}

async fn one(headers: HeaderMap, Path(code): Path<String>) -> Response {
    let Some(explanation) = explanation(&code) else {
        let code: String = code.chars().take(64).collect();
        let detail = format!("there is no problem code {code:?}; GET /problems lists them all");
        return Problem::new(StatusCode::NOT_FOUND, "route_not_found", detail).into_response();
    };
    let heading = format!("{} ({})", explanation.code, statuses(explanation));
    if wants_html(&headers) {
        let paragraphs = explanation.text.split("\n\n").map(|p| format!("<p>{}</p>", marked_up(p)));
        return html(&heading, &paragraphs.collect::<Vec<_>>().join("\n"));
    }
    plain(format!("{heading}\n\n{}\n", explanation.text))
}

fn statuses(explanation: &Explanation) -> String {
    explanation.statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().windows(9).any(|w| w == b"text/html"))
}

fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:16px/1.5 system-ui;max-width:46em;margin:2em auto;padding:0 1em}}</style>\
         <h1>{title}</h1>\n{body}\n<p><a href=\"/problems\">all problems</a></p></html>"
    );
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// The little Markdown that the document uses: `` `code` `` and `**strong**`.
fn marked_up(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let alternate = |text: &str, mark: &str, tag: &str| {
        let parts = text.split(mark).enumerate();
        parts.map(|(i, part)| if i % 2 == 1 { format!("<{tag}>{part}</{tag}>") } else { part.to_owned() }).collect()
    };
    let coded: String = alternate(&escaped, "`", "code");
    alternate(&coded, "**", "strong")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get_page(path: &str, accept: &str) -> (u16, String) {
        let request = Request::builder().uri(path).header("accept", accept).body(Body::empty()).unwrap();
        let response = pages::<()>().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_code_is_explained_up_to_the_next_heading() {
        let read =
            read("# T\n\n## A\n\n### `one` 404, 422\nMeans `x`.\n\n**Do:** y.\n\n### `two` 500\nZ.\n\n## B\nrest\n");
        assert_eq!(read[0], Explanation { code: "one", statuses: vec![404, 422], text: "Means `x`.\n\n**Do:** y." });
        assert_eq!(read[1], Explanation { code: "two", statuses: vec![500], text: "Z." });
    }

    #[test]
    fn every_code_is_documented_once_with_a_status_and_advice() {
        let mut codes: Vec<_> = explanations().iter().map(|e| e.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count, "a code stands twice in docs/errors.md");
        for explanation in explanations() {
            assert!(!explanation.statuses.is_empty(), "{} has no status in docs/errors.md", explanation.code);
            assert!(explanation.text.contains("**Do:** "), "{} has no advice in docs/errors.md", explanation.code);
        }
    }

    #[tokio::test]
    async fn a_code_has_a_page_as_text_and_for_a_browser() {
        let (status, text) = get_page("/problems/internal_error", "*/*").await;
        assert_eq!((status, text.lines().next()), (200, Some("internal_error (500)")));
        let (status, page) = get_page("/problems/internal_error", "text/html,*/*").await;
        assert_eq!(status, 200);
        assert!(page.contains("<h1>internal_error (500)</h1>") && page.contains("<strong>Do:</strong>"), "{page}");
        let (status, list) = get_page("/problems", "*/*").await;
        assert_eq!(status, 200);
        assert!(list.lines().any(|line| line == "internal_error 500"), "{list}");
    }

    #[tokio::test]
    async fn an_unknown_code_is_not_found() {
        let (status, body) = get_page("/problems/%3Cscript%3E", "text/html").await;
        assert_eq!(status, 404);
        assert!(body.contains("GET /problems lists them all"), "{body}");
    }
}
