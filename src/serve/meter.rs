//! The count and the time of every answer, by route: what Prometheus reads, and a log line with the request's id.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_problem::{KnownRoutes, current_request_id};
use metrics::{Counter, Histogram};

/// The routes that the description does not have.
const UNDESCRIBED: [&str; 6] = ["/metrics", "/problems", "/problems/{code}", "/docs", "/docs/{*rest}", "/openapi.json"];
/// What is said of a path that no route takes.
const OTHER: &str = "other";
/// The methods that are told apart; a client may send any word.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "DELETE", "other"];
/// The statuses whose counters are kept at hand.
const USUAL: [u16; 6] = [200, 201, 404, 409, 422, 503];

/// Counts and times answers. What is counted for is found once and kept: to find it by its name and labels, for every
/// answer, costs more than to read the request.
#[derive(Debug)]
pub(super) struct Meter {
    /// The place in `series` of the route that takes a path; the last place is that of all other paths.
    routes: matchit::Router<usize>,
    series: Vec<[Series; METHODS.len()]>,
    templates: Vec<String>,
}

/// What is kept for a route and a method; made when it is first needed, so that nobody reads of what never happened.
#[derive(Debug, Default)]
struct Series {
    seconds: OnceLock<Histogram>,
    totals: [OnceLock<Counter>; USUAL.len()],
}

impl Meter {
    /// Tells apart these routes, and those of the server that are not described.
    pub(super) fn of(known: &KnownRoutes) -> Self {
        metrics::describe_counter!("bursar_http_requests_total", "Requests by route, method and status.");
        metrics::describe_histogram!(
            "bursar_http_request_seconds",
            metrics::Unit::Seconds,
            "Time until an answer began, by route and method."
        );
        let templates: BTreeSet<&str> = known.iter().map(|(_, template)| template).chain(UNDESCRIBED).collect();
        let mut routes = matchit::Router::new();
        for (index, template) in templates.iter().enumerate() {
            routes.insert(*template, index).expect("what is a route of the server is one here too");
        }
        let templates: Vec<String> = templates.into_iter().chain([OTHER]).map(str::to_owned).collect();
        Self { routes, series: templates.iter().map(|_| Default::default()).collect(), templates }
    }

    /// Counts and times what `answer` gives, and logs it: a fault of the server as a warning, everything else for those who
    /// ask for details. (503 is no fault, and would fill the log just when there is most to do.)
    pub(super) async fn measured<F>(&self, request: Request, answer: impl FnOnce(Request) -> F) -> Response
    where
        F: Future<Output = Response>,
    {
        let began = Instant::now();
        let route = self.routes.at(request.uri().path()).map_or(self.templates.len() - 1, |found| *found.value);
        let method = method(request.method());
        let response = answer(request).await;
        self.count(route, method, response.status(), began.elapsed());
        response
    }

    fn count(&self, route: usize, method: usize, status: StatusCode, took: Duration) {
        let series = &self.series[route][method];
        let (verb, template) = (METHODS[method], &self.templates[route]);
        let total = |status: Cow<'static, str>| {
            metrics::counter!(
                "bursar_http_requests_total", "method" => verb, "route" => template.clone(), "status" => status
            )
        };
        match USUAL.iter().position(|usual| *usual == status.as_u16()) {
            Some(usual) => series.totals[usual].get_or_init(|| total(status.as_u16().to_string().into())).increment(1),
            None => total(status.as_u16().to_string().into()).increment(1),
        }
        let seconds =
            || metrics::histogram!("bursar_http_request_seconds", "method" => verb, "route" => template.clone());
        series.seconds.get_or_init(seconds).record(took.as_secs_f64());
        let (status, took_us) = (status.as_u16(), took.as_micros());
        let id = || current_request_id().map(|id| id.0.to_string());
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::warn!(request_id = id(), method = verb, route = template, status, took_us, "answered");
        } else {
            tracing::debug!(request_id = id(), method = verb, route = template, status, took_us, "answered");
        }
    }
}

/// The place of a method in [`METHODS`].
fn method(method: &Method) -> usize {
    let last = METHODS.len() - 1;
    METHODS[..last].iter().position(|known| *known == method.as_str()).unwrap_or(last)
}
