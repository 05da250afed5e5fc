//! What is answered where no route is: 404 with the routes that look like what was asked, 405 with what is allowed. And
//! what every answer has, whoever gives it: an id, and a problem instead of a panic.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use crate::panics::catch_panics;
use crate::problem::Problem;
use crate::request_id::with_request_id;
use crate::spelling::is_near;

/// The routes there are, as method and path template (`POST`, `/v1/accounts/{id}/deposits`).
#[derive(Debug, Clone, Default)]
pub struct KnownRoutes(Arc<[(String, String)]>);

impl KnownRoutes {
    /// The routes of an OpenAPI document.
    #[must_use]
    pub fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let paths = document.paths.paths.iter().flat_map(|(path, item)| {
            let operations = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            let there = operations.into_iter().filter(|(_, operation)| operation.is_some());
            there.map(|(method, _)| (method.to_owned(), path.clone()))
        });
        Self(paths.collect())
    }

    /// The routes, as method and path template.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(method, path)| (method.as_str(), path.as_str()))
    }

    /// The routes that share the most leading segments with a path and are about as long, at most three of them.
    fn nearest(&self, path: &str) -> Vec<String> {
        let shared = |template: &str| {
            let same = |(a, b): &(&str, &str)| a == b || a.starts_with('{') || is_near(a, b);
            template.split('/').zip(path.split('/')).take_while(same).count()
        };
        let distance = |template: &str| template.split('/').count().abs_diff(path.split('/').count());
        let mut ranked: Vec<_> = self.iter().map(|(m, t)| (shared(t), distance(t), m, t)).collect();
        ranked.retain(|(shared, ..)| *shared >= 2);
        ranked.sort_by_key(|(shared, distance, ..)| (std::cmp::Reverse(*shared), *distance));
        let Some(&(best, least, ..)) = ranked.first() else { return Vec::new() };
        let nearest =
            ranked.into_iter().take_while(|(shared, distance, ..)| (*shared, *distance) == (best, least)).take(3);
        nearest.map(|(_, _, method, template)| format!("{method} {template}")).collect()
    }
}

/// Completes a router, once, after everything was merged into it: what no route answers (an unknown path, a method that
/// a path does not take) is answered as a problem.
pub fn completed(router: Router, known: KnownRoutes) -> Router {
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(move |request: Request| unknown_route(known, request))
}

/// Answers a request by `answer`, under an id, and with a problem where that panics. It goes around the router and is no
/// layer of it: a layer is cloned and boxed anew for every request, for every layer that stands around it.
pub async fn dressed<F>(request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    with_request_id(request, |request| catch_panics(request, answer)).await
}

async fn unknown_route(known: KnownRoutes, request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    let trimmed = path.trim_end_matches('/');
    let nearest = known.nearest(trimmed);
    let asked = format!("there is no {} {path}", request.method());
    let detail = match nearest.as_slice() {
        [] => format!("{asked}; GET /openapi.json lists every route"),
        found => format!("{asked}; did you mean {}? GET /openapi.json lists every route", found.join(" or ")),
    };
    Problem::new(StatusCode::NOT_FOUND, "route_not_found", detail).figure("nearest", nearest)
}

/// axum adds the header `Allow`.
async fn method_not_allowed(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    let method = request.method();
    let detail = format!("{path} cannot be asked with {method}; the header Allow names the methods that it takes");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_wrong_method_and_a_wrong_path_are_problems() {
        let app = completed(Router::new().route("/v1/accounts", post(async || ())), KnownRoutes::default());
        for (method, path, status, allow) in [
            ("GET", "/v1/accounts", 405, Some("POST")),
            ("POST", "/v1/nothing", 404, None),
            ("POST", "/v1/accounts", 200, None),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let answer = |request| async { app.clone().oneshot(request).await.unwrap() };
            let response = dressed(request, answer).await;
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(response.headers().get("allow").map(|a| a.to_str().unwrap()), allow, "{method} {path}");
            assert!(response.headers().contains_key("x-request-id"), "{method} {path}");
            let problem = response.headers().get("content-type").is_some_and(|t| t == "application/problem+json");
            assert_eq!(problem, status != 200, "{method} {path}");
        }
    }

    #[test]
    fn the_nearest_routes_share_the_most_segments() {
        let routes = [
            ("POST", "/v1/accounts"),
            ("POST", "/v1/accounts/{id}/deposits"),
            ("POST", "/v1/accounts/{id}/withdrawals"),
            ("POST", "/v1/orders/{id}/items"),
        ];
        let known = KnownRoutes(routes.map(|(m, p)| (m.to_owned(), p.to_owned())).into());
        for (asked, nearest) in [
            ("/v1/accounts/a1/deposit", &["POST /v1/accounts/{id}/deposits"][..]),
            ("/v1/acounts", &["POST /v1/accounts"]),
            ("/v1/orders/o1/item", &["POST /v1/orders/{id}/items"]),
            ("/v1/order/o1/items", &["POST /v1/orders/{id}/items"]),
            ("/metricks", &[]),
        ] {
            assert_eq!(known.nearest(asked), nearest, "{asked}");
        }
    }
}
