//! Problems as GraphQL tells them: `message` is the detail, `extensions` has the members that a problem has over REST,
//! with the same codes.

use std::sync::Arc;

use async_graphql::dynamic::ResolverContext;
use async_graphql::{
    Error, ErrorExtensionValues, PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, Value,
};
use axum::http::StatusCode;
use http_problem::{Problem, current_request_id};

/// The members of a problem.
fn members(problem: &Problem) -> ErrorExtensionValues {
    let request_id = current_request_id();
    let json = problem.to_json(request_id.as_ref().map(|id| &*id.0));
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).unwrap_or_default();
    let mut members = ErrorExtensionValues::default();
    for (name, value) in json.into_iter().filter(|(name, _)| name != "detail") {
        members.set(name, Value::from_json(value).unwrap_or_default());
    }
    members
}

/// A field that could not be answered.
pub(super) fn of_field(problem: &Problem) -> Error {
    Error { message: problem.detail.clone(), source: None, extensions: Some(members(problem)) }
}

/// The error with the place of its field, which the library does not add to the errors of a schema made at run time.
pub(super) fn at(context: &ResolverContext<'_>, error: Error) -> Error {
    let mut path = Vec::new();
    let mut node = context.path_node.as_ref();
    while let Some(QueryPathNode { parent, segment }) = node {
        path.push(match segment {
            QueryPathSegment::Name(name) => PathSegment::Field((*name).to_owned()),
            QueryPathSegment::Index(index) => PathSegment::Index(*index),
        });
        node = *parent;
    }
    path.reverse();
    Error { source: Some(Arc::new(path)), ..error }
}

/// A request that could not be answered.
pub(super) fn of_request(problem: &Problem) -> Response {
    let mut error = ServerError::new(problem.detail.clone(), None);
    error.extensions = Some(members(problem));
    Response::from_errors(vec![error])
}

/// Gives errors their places, and a code to those that the language itself knows: a text that is no
/// query, or one of other types.
pub(super) fn with_codes(mut response: Response) -> Response {
    for error in &mut response.errors {
        if let Some(path) = error.source::<Vec<PathSegment>>().filter(|_| error.path.is_empty()) {
            error.path = path.clone();
        }
        let has_code = error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some());
        if !has_code {
            error.extensions = Some(members(&Problem::new(StatusCode::BAD_REQUEST, "invalid_query", &*error.message)));
        }
    }
    response
}
