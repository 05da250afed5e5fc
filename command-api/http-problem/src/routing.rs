//! What is answered where no route is: 404 with the routes that look like what was asked, 405 with what is allowed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::problem::Problem;

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
            let same = |(a, b): &(&str, &str)| a == b || a.starts_with('{') || (!b.is_empty() && near(a, b));
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

/// Whether two words differ by little: one begins with the other, or one letter is different, doubled or missing.
fn near(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let tail = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).count();
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    long - short <= 1 && common + tail >= short.saturating_sub(1) && short > 2
}

/// A fallback handler for paths that no route has; its state is the routes there are.
pub async fn unknown_route(State(known): State<KnownRoutes>, request: Request) -> Problem {
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

/// A fallback handler for methods that a route does not have (`Router::method_not_allowed_fallback`, which adds the
/// header `Allow`).
pub async fn method_not_allowed(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    let method = request.method();
    let detail = format!("{path} cannot be asked with {method}; the header Allow names the methods that it takes");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

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
