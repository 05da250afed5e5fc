//! `POST /graphql` and `GET /graphql`: requests in JSON, answers in JSON, and the schema as text.

use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache};
use async_graphql::dynamic::Schema;
use async_graphql::parser::parse_query;
use async_graphql::{Request, Response as Answer, Variables};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_problem::{Asked, Problem};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::batches::{Batches, Reading};
use super::cost::Cost;
use super::errors::{of_request, with_codes};
use super::schema::{SDL, schema};
use crate::query::QueryState;
use crate::query::asked::AskedOfRows;

/// The longest request, in bytes.
const REQUEST_BYTES_MAX: usize = 32 << 10;

#[derive(OpenApi)]
#[openapi(tags((name = "graphql", description = "The queries of the read models, in one request of one's own making.")))]
struct Description;

/// What a query may cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How deep it goes.
    pub depth_max: u64,
    /// How many values it may give, where a page counts as many times as its limit says.
    pub complexity_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 15, complexity_max: 20_000 }
    }
}

#[derive(Clone)]
struct Surface {
    schema: Schema,
    state: QueryState,
    limits: Limits,
}

/// A request in GraphQL.
#[derive(Debug, Deserialize, ToSchema)]
struct GraphqlRequest {
    /// The query.
    #[schema(example = "query($id: ID!) { account(id: $id) { status balance { amount currency } } }")]
    query: String,
    /// The values of its variables.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    variables: Option<Map<String, Value>>,
    /// Which operation of the query is meant, where there are several.
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
    /// Taken and not looked at.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[allow(dead_code, reason = "clients may send it")]
    extensions: Option<Value>,
}

/// An answer in GraphQL.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
struct GraphqlAnswer {
    /// What was asked; null where nothing of it could be answered.
    #[schema(value_type = Option<Object>)]
    data: Value,
    /// What could not be answered: `message`, `path`, and in `extensions` the members of a problem, with its code.
    #[schema(value_type = Option<Vec<Object>>)]
    errors: Value,
    /// `position`: the position of the log that the answer reflects.
    #[schema(value_type = Option<Object>)]
    extensions: Value,
}

/// The routes of GraphQL, with their OpenAPI document.
///
/// # Panics
/// Where `docs/schema.graphql`, which is part of the program, is not a schema; a test sees to that.
pub fn router(state: QueryState, limits: Limits) -> OpenApiRouter {
    let schema = schema().expect("docs/schema.graphql is a schema, as its test checks");
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(take, show)) //            POST /graphql, GET /graphql
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(Surface { schema, state, limits })
}

/// Shows the schema
///
/// In the language of GraphQL, as it stands in docs/schema.graphql.
#[utoipa::path(
    get, path = "/graphql", operation_id = "get_graphql_schema", tag = "graphql",
    responses((status = 200, content_type = "text/plain", body = String, description = "The schema."))
)]
async fn show(asked: Asked) -> Result<Response, Problem> {
    asked.finish()?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], SDL).into_response())
}

/// Answers a query in GraphQL
///
/// All of it is read at one moment. A request that is no query, or costs too much, is answered with 400; what fails in
/// an answer is told in its `errors`.
#[utoipa::path(
    post, path = "/graphql", operation_id = "graphql", tag = "graphql",
    params(crate::query::snapshot::Recency),
    request_body(content = GraphqlRequest, example = json!({"query": "{ trialBalance { currency } }"})),
    responses(
        (status = 200, body = GraphqlAnswer, description = "The answer."),
        (status = 400, body = GraphqlAnswer, description = "`malformed_json`, `invalid_query`, `query_too_deep` or `query_too_complex`, in `errors`."),
        (status = 413, body = GraphqlAnswer, description = "`body_too_large`, in `errors`."),
    )
)]
async fn take(State(surface): State<Surface>, mut asked: Asked, body: Result<Bytes, BytesRejection>) -> Response {
    let freshness = asked.freshness();
    let request = asked.finish().and_then(|()| surface.read(body));
    let request = match request {
        Ok(request) => request,
        Err(problem) => return (problem.status, Json(of_request(&problem))).into_response(),
    };
    let reading = Arc::new(Reading::new(surface.state.clone(), freshness));
    let loading = DataLoader::with_cache(Batches(Arc::clone(&reading)), tokio::spawn, HashMapCache::default());
    let answer = surface.schema.execute(request.data(Arc::clone(&reading)).data(loading)).await;
    let position = reading.close().await;
    // Nothing was read, and not for want of the read models: it was no query.
    let is_query = position.is_some() || answer.errors.iter().any(|error| error.extensions.is_some()) || answer.is_ok();
    let mut answer = with_codes(answer);
    if let Some(position) = position {
        answer.extensions.insert("position".to_owned(), position.into());
    }
    let status = if is_query { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    respond(status, &answer, position)
}

fn respond(status: StatusCode, answer: &Answer, position: Option<u64>) -> Response {
    let mut response = (status, Json(answer)).into_response();
    if let Some(position) = position {
        response.headers_mut().insert("bursar-position", HeaderValue::from(position));
    }
    response
}

impl Surface {
    /// The request in a body, where it may be answered.
    fn read(&self, body: Result<Bytes, BytesRejection>) -> Result<Request, Problem> {
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = format!("a request in GraphQL has at most {REQUEST_BYTES_MAX} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            }
            _ => malformed(&rejection.body_text()),
        })?;
        let asked: GraphqlRequest = serde_json::from_slice(&body).map_err(|error| malformed(&error.to_string()))?;
        let variables = Variables::from_json(Value::Object(asked.variables.unwrap_or_default()));
        // What is no query is told by the schema, with its place.
        if let Ok(document) = parse_query(&asked.query) {
            self.allow(Cost::of(&document, &variables).ok_or_else(|| {
                let detail = "fragments of the query use each other in a circle, or one that it uses is not there";
                Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
            })?)?;
        }
        let request = Request::new(asked.query).variables(variables);
        Ok(match asked.operation_name {
            Some(name) => request.operation_name(name),
            None => request,
        })
    }

    fn allow(&self, cost: Cost) -> Result<(), Problem> {
        let Limits { depth_max, complexity_max } = self.limits;
        if cost.depth > depth_max {
            let detail = format!("the query is {} deep; at most {depth_max} is allowed", cost.depth);
            let problem = Problem::new(StatusCode::BAD_REQUEST, "query_too_deep", detail);
            return Err(problem.figure("depth", cost.depth).figure("depth_max", depth_max));
        }
        if cost.complexity > complexity_max {
            let detail = format!(
                "the query may give {} values; at most {complexity_max} are allowed: ask for smaller pages, or less of each",
                cost.complexity
            );
            let problem = Problem::new(StatusCode::BAD_REQUEST, "query_too_complex", detail);
            return Err(problem.figure("complexity", cost.complexity).figure("complexity_max", complexity_max));
        }
        Ok(())
    }
}

fn malformed(why: &str) -> Problem {
    let detail = format!("the body is not a request in GraphQL, {{\"query\": \"…\", \"variables\": {{…}}}}: {why}");
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}
